//! A look into a running process, and a hand on it: suspend and resume, the state, the status, counters, a
//! trace, the last events, hooks.
//!
//! Works for whatever runs callbacks: servers and agents, state machines, supervisors, on either kind of process. A
//! process that runs a closure ([`process::spawn`], a task) answers [`NotSupported`](SysError::NotSupported).
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::sys::{self, Switch};
//!
//! #[derive(Debug)]
//! struct Counter(u64);
//! impl GenServer for Counter {
//!     type Args = u64;
//!     type Msg = ReplyTo<u64>;
//!     fn init(start: u64, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter(start)) }
//!     fn handle(&mut self, reply: ReplyTo<u64>, _: &mut Cx<Self>) -> Next<Self::Msg> {
//!         self.0 += 1;
//!         reply.send(self.0);
//!         Next::Loop
//!     }
//!     fn inspect(&self) -> Option<&dyn std::fmt::Debug> { Some(self) }
//! }
//!
//! let counter = gen_server::start::<Counter>(41)?;
//! sys::statistics(&counter, Switch::On)?;
//! assert_eq!(counter.call(|reply| reply)?, 42);
//! let counted = sys::get_statistics(&counter)?;
//! assert_eq!((counted.messages_in, counted.messages_out), (1, 1));
//!
//! assert_eq!(sys::get_state(&counter)?.as_deref(), Some("Counter(42)"));
//! sys::replace_state(&counter, |_: &Counter| Counter(7))?;
//! assert_eq!(counter.call(|reply| reply)?, 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A system message keeps its place among the others in the mailbox, is met between two callbacks, and waits
//! five seconds for its answer at most. What is not switched on costs nothing.
//!
//! # How it dies
//! No process of its own. What is asked here ends nobody but by [`terminate`]: a closure that panics inside of
//! the process that is looked at fails with [`CallbackFailed`](SysError::CallbackFailed), a hook that panics is
//! removed, and both leave the state as it was.

mod hooks;
mod state;

pub use crate::process::debug::{
    DebugOptions, Hook, HookId, Incoming, Statistics, SysEvent, Then, Traced,
};
pub use crate::process::shown::Shown;
pub use crate::process::system::SysError;
pub use hooks::{
    install, install_as, install_with_state, log_to_file, log_to_file_off, no_debug, remove,
};
pub use state::{get_state, replace_state, with_state};

use crate::process::system::ask;
use crate::process::{self, CallError, ProcessId};
use crate::reason::ExitReason;

/// How many events [`log()`] keeps: OTP's ten.
const LOG_LEN: usize = 10;

/// How many events a process keeps at most.
const LOG_MAX: usize = 10_000;

/// Whether something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// A process as [`get_status`] shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What is known from outside: pid, name, label, parent, links, length of the mailbox.
    pub process: process::Info,
    /// Whether it is suspended.
    pub suspended: bool,
    /// What is switched on.
    pub debug: DebugOptions,
    /// What it shows of itself, as its `format_status` says.
    pub shown: Shown,
}

/// Suspends a process: it handles nothing but system messages, a kill, an exit of its parent and an order to
/// stop, until [`resume`]. Messages wait, and are handled in order later; a mailbox that is bounded stays so.
///
/// Nothing happens if it is suspended already.
///
/// # Errors
/// See [`SysError`].
pub fn suspend(process: impl Into<ProcessId>) -> Result<(), SysError> {
    ask(process.into(), |system| {
        system.suspend();
        Ok(())
    })
}

/// Lets a suspended process go on, however often it was suspended. Nothing happens if it is not.
///
/// # Errors
/// See [`SysError`].
pub fn resume(process: impl Into<ProcessId>) -> Result<(), SysError> {
    ask(process.into(), |system| {
        system.resume();
        Ok(())
    })
}

/// Everything there is to know about a process, for people.
///
/// # Errors
/// See [`SysError`].
pub fn get_status(process: impl Into<ProcessId>) -> Result<Status, SysError> {
    ask(process.into(), |system| {
        let process = process::info_of(system.me()).ok_or(CallError::NoProc)?;
        Ok(Status {
            process,
            suspended: system.is_suspended(),
            debug: system.options(),
            shown: system.shown(),
        })
    })
}

/// Ends a process in order with a reason, as if it had stopped by itself; a server's `terminate` runs. Returns
/// before that: [`gen_server::stop_for`](crate::gen_server::stop_for) waits for the end.
///
/// # Errors
/// See [`SysError`].
pub fn terminate(process: impl Into<ProcessId>, reason: ExitReason) -> Result<(), SysError> {
    ask(process.into(), |system| {
        system.terminate(reason);
        Ok(())
    })
}

/// Counts what a process does, from now on, or stops that.
///
/// # Errors
/// See [`SysError`].
pub fn statistics(process: impl Into<ProcessId>, switch: Switch) -> Result<(), SysError> {
    ask(process.into(), move |system| {
        let now = system.me().core().runtime.clock.now();
        let since = (switch == Switch::On).then_some(now);
        system.debug().set_statistics(since);
        Ok(())
    })
}

/// What was counted so far.
///
/// # Errors
/// `NoStatistics` if nothing is counted; see [`SysError`].
pub fn get_statistics(process: impl Into<ProcessId>) -> Result<Statistics, SysError> {
    ask(process.into(), |system| {
        let now = system.me().core().runtime.clock.now();
        system.debug().statistics(now).ok_or(SysError::NoStatistics)
    })
}

/// Tells each thing that a process does as a [`Traced`] event and to the [`logger`](crate::logger), at level
/// info; or stops that.
///
/// # Errors
/// See [`SysError`].
pub fn trace(process: impl Into<ProcessId>, switch: Switch) -> Result<(), SysError> {
    ask(process.into(), move |system| {
        system.debug().set_trace(switch == Switch::On);
        Ok(())
    })
}

/// Keeps the last ten things that a process did, for [`get_log`] and for the report of its failure; or forgets
/// them.
///
/// # Errors
/// See [`SysError`].
pub fn log(process: impl Into<ProcessId>, switch: Switch) -> Result<(), SysError> {
    set_log(process.into(), (switch == Switch::On).then_some(LOG_LEN))
}

/// [`log()`] of so many things: one at least, 10,000 at most.
///
/// # Errors
/// See [`SysError`].
pub fn log_last(process: impl Into<ProcessId>, events: usize) -> Result<(), SysError> {
    set_log(process.into(), Some(events.clamp(1, LOG_MAX)))
}

fn set_log(process: ProcessId, events: Option<usize>) -> Result<(), SysError> {
    ask(process, move |system| {
        system.debug().set_log(events);
        Ok(())
    })
}

/// What a process did last, the oldest first. Empty if nothing is kept.
///
/// # Errors
/// See [`SysError`].
pub fn get_log(process: impl Into<ProcessId>) -> Result<Vec<SysEvent>, SysError> {
    ask(process.into(), |system| Ok(system.debug().log()))
}
