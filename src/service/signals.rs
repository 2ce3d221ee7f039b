//! Signals of the operating system: SIGINT and SIGTERM stop the applications in order, a second one ends the
//! program at once.
//!
//! ```no_run
//! use perennial::{application, signals};
//! use std::time::Duration;
//!
//! application::ensure_all_started("chat")?;
//! signals::halt_on_signal(Duration::from_secs(10))?;
//! let halted = application::wait();
//! std::process::exit(if halted.forced { 1 } else { 0 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::service::application::{Why, halt_later};
use crate::sync::atomic::{AtomicBool, Ordering};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The exit code of a program that was interrupted twice: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Why signals are not listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalsError {
    /// Something in this program listens already; there is one place for that.
    Taken,
    /// The system refused, for this reason.
    System(String),
    /// There is nobody to halt the applications.
    NoController,
}

impl fmt::Display for SignalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignalsError::Taken => f.write_str("signals are listened to already"),
            SignalsError::System(error) => write!(f, "listening to signals: {error}"),
            SignalsError::NoController => f.write_str("the application controller does not start"),
        }
    }
}

impl Error for SignalsError {}

/// From now on the first SIGINT, SIGTERM or SIGHUP halts the applications of the current runtime, as
/// [`application::halt`](crate::application::halt) with this deadline does; the second ends the program with exit
/// code 130, whatever runs. For the program's `main`, which then [waits](crate::application::wait).
///
/// Signals are counted, not requests: a wrapper that passes each on twice, as `timeout` does unless it is told
/// `--foreground`, means the second one, too.
///
/// # Errors
/// See [`SignalsError`]. A program can listen once, and for one runtime.
pub fn halt_on_signal(deadline: Duration) -> Result<(), SignalsError> {
    let halt = halt_later(Why::Signal, deadline).map_err(|_| SignalsError::NoController)?;
    let signalled = AtomicBool::new(false);
    let handler = move || {
        // This is a thread of ctrlc's own, which is to be free for the second signal at once.
        if signalled.swap(true, Ordering::AcqRel) {
            std::process::exit(INTERRUPTED);
        }
        halt();
    };
    ctrlc::set_handler(handler).map_err(|error| match error {
        ctrlc::Error::MultipleHandlers => SignalsError::Taken,
        other => SignalsError::System(other.to_string()),
    })
}
