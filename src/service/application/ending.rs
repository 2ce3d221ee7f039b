//! The end of all applications: why, within which time, and what is called before.

use crate::pid::Pid;
use crate::process::{self, runtime};
use crate::reason::ExitReason;
use crate::service::application::env::Env;
use crate::service::application::error::StartApplicationError;
use crate::service::application::master;
use crate::sync::{Arc, Mutex};
use std::time::Duration;

/// How long the others have to stop when an application that ends everything has ended. Default: ten seconds.
pub static SHUTDOWN_TIMEOUT: Env<Duration> = Env::new("kernel", "shutdown_timeout");

const SHUTDOWN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Why all applications were stopped.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// Somebody asked for it.
    Asked,
    /// The program got a signal to end.
    Signal,
    /// This application ended by itself, for this reason, and its [`Mode`](crate::application::Mode) says that it ends all.
    Ended(Arc<str>, ExitReason),
    /// This application did not start, and its [`Mode`](crate::application::Mode) says that this ends all.
    NotStarted(Arc<str>, StartApplicationError),
}

/// All applications have been stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Halted {
    /// Why.
    pub why: Why,
    /// Equals `true` if some had to be killed because their time was over.
    pub forced: bool,
}

pub(super) fn shutdown_timeout() -> Duration {
    SHUTDOWN_TIMEOUT.get_or(SHUTDOWN_TIMEOUT_DEFAULT)
}

type ShutdownFunction = dyn Fn(&Why) + Send + Sync;

/// What is called before all applications are stopped.
#[derive(Default)]
struct OnShutdown(Mutex<Option<Arc<ShutdownFunction>>>);

/// Has a function called when all applications are about to be stopped, with the reason: OTP's `shutdown_func`. It
/// runs once, in a process of its own, and nothing is stopped before it has returned or panicked; the deadline of the
/// halt holds for it as well. One set before is dropped.
///
/// ```
/// use perennial::{Runtime, application};
/// use std::{sync::mpsc, time::Duration};
/// let runtime = Runtime::new().unwrap();
/// let entered = runtime.enter();
/// let (send, receive) = mpsc::channel();
/// application::set_shutdown_func(move |why| send.send(why.clone()).unwrap());
/// application::halt(Duration::from_secs(5));
/// application::wait();
/// assert_eq!(receive.recv(), Ok(application::Why::Asked));
/// # drop(entered);
/// ```
pub fn set_shutdown_func(function: impl Fn(&Why) + Send + Sync + 'static) {
    let function: Arc<ShutdownFunction> = Arc::new(function);
    let on_shutdown = runtime::current().service::<OnShutdown>();
    let before = on_shutdown.0.lock().replace(function);
    drop(before);
}

fn shutdown_function() -> Option<Arc<ShutdownFunction>> {
    let on_shutdown = runtime::current().service::<OnShutdown>();
    on_shutdown.0.lock().clone()
}

/// Runs the shutdown function in a process that the controller monitors.
pub(super) fn spawn_shutdown_function(why: &Why) -> Option<Pid> {
    let (function, why) = (shutdown_function()?, why.clone());
    match process::spawn_monitor::<()>(move |_| function(&why)) {
        Ok((process, _)) => Some(process.pid()),
        Err(error) => {
            log::error!(target: "perennial::application", "the shutdown function does not start: {error}");
            None
        }
    }
}

/// Runs the shutdown function here.
pub(super) fn run_shutdown_function(why: &Why) {
    if let Some(function) = shutdown_function()
        && let Err(reason) = master::catch(|| function(why))
    {
        log::error!(target: "perennial::application", "the shutdown function did not return: {reason}");
    }
}
