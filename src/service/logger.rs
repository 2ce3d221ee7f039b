//! The logger: where the library's reports go, and what may be done about that.
//!
//! Whatever is reported is an event of its own type ([`CrashReport`](crate::process::CrashReport),
//! [`ServerReport`](crate::process::ServerReport), [`SupervisorEvent`](crate::supervisor::SupervisorEvent)) for
//! programs that [attach](crate::process::attach) to it, and a [`LogEvent`] for the handlers here. In the order of
//! what happens: a server that fails, the crash of its process, and then what its supervisor does. At level
//! error what failed, at level info what is as it should be (progress); ends with a clean reason are no failures.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::{agent, logger::{self, Handler}, process::CrashReport};
//! use std::sync::mpsc;
//!
//! let (seen, reports) = mpsc::channel();
//! let handler = Handler::new(move |event| {
//!     // Whoever waits for it may be gone.
//!     let _ = seen.send((event.report::<CrashReport>().is_some(), event.to_string()));
//! });
//! logger::add_handler("mine", handler.level(log::LevelFilter::Error))?;
//! let number = agent::start(|| 1)?;
//! assert!(agent::update(&number, |_| panic!("out of paper")).is_err());
//! let (is_crash, text) = reports.recv()?;
//! assert!(!is_crash && text.contains("out of paper")); // What the agent itself knew.
//! assert!(reports.recv()?.0); // The crash of its process.
//! assert!(logger::remove_handler("mine"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The default handler
//! Every runtime has the handler `"default"`, which hands over to the `log` crate and so to whatever logger the
//! program has set up. If it has set up none, crash reports go to stderr, so that no crash is ever
//! silent; a program that wants even that silent removes the handler.
//!
//! # What it may cost
//! Handlers run on the thread that reports, which is a process at its end as a rule. They are protected from it
//! and it from them: reports are bounded whatever their process held, a handler gets no more than its
//! [burst](Handler::burst) and no more threads than [it bears](Handler::concurrent), and hears with the next one, or when the
//! runtime stops, how many events it was spared. A handler that panics is removed, with a [`HandlerRemoved`] for the others. What is
//! reported while a handler runs, by the process whose report it has in hand, is for programs only.
//!
//! # How it dies
//! No process of its own. The handlers end with their runtime.

pub use crate::process::logger::{
    EventsDropped, Handler, HandlerInfo, HandlerRemoved, LogEvent, Report,
};

use crate::process::{current, runtime};
use crate::sync::Arc;
use log::{Level, LevelFilter};
use std::fmt;

/// A handler of that id is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerExists(Arc<str>);

impl fmt::Display for HandlerExists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a log handler {:?} already", self.0)
    }
}

impl std::error::Error for HandlerExists {}

/// Adds a handler to the current runtime. It gets what is reported from now on.
///
/// # Errors
/// [`HandlerExists`] if there is one of that id.
pub fn add_handler(id: impl Into<Arc<str>>, handler: Handler) -> Result<(), HandlerExists> {
    let id = id.into();
    if runtime::current().logger.add(id.clone(), handler) {
        Ok(())
    } else {
        Err(HandlerExists(id))
    }
}

/// Removes a handler; `false` if there is none of that id. A call under way on another thread may still finish.
pub fn remove_handler(id: &str) -> bool {
    runtime::current().logger.remove(id)
}

/// The handlers of the current runtime, in the order in which they were added.
pub fn handlers() -> Vec<HandlerInfo> {
    runtime::current().logger.all()
}

/// Reports only what is at least as grave, to whatever handler. Default: all; `Off` is nothing at all.
pub fn set_level(level: LevelFilter) {
    runtime::current().logger.set_primary(level);
}

/// What is reported at all.
pub fn level() -> LevelFilter {
    runtime::current().logger.primary()
}

/// Reports something of the program's own: as an event of its type, and to the handlers, from the process that
/// runs on this thread.
///
/// ```
/// use perennial::{logger, telemetry::Event};
/// use std::fmt;
/// #[derive(Clone, Debug)]
/// struct DiskFull;
/// impl Event for DiskFull {}
/// impl fmt::Display for DiskFull {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("the disk is full") }
/// }
/// logger::report(log::Level::Warn, "shop::disk", DiskFull);
/// ```
pub fn report<R: Report + Clone>(level: Level, domain: &'static str, report: R) {
    runtime::current().report((level, domain), current::pid(), report);
}
