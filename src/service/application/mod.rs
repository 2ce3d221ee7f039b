//! Applications: trees of supervision that start after what they need, and stop in order.
//!
//! ```
//! use perennial::application::{self, Application, Env};
//! use perennial::prelude::*;
//! use std::time::Duration;
//!
//! static GREETING: Env<&str> = Env::new("greeter", "greeting");
//!
//! struct Greeter(&'static str);
//! impl GenServer for Greeter {
//!     type Args = &'static str;
//!     type Msg = ReplyTo<&'static str>;
//!     fn init(greeting: &'static str, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Greeter(greeting)) }
//!     fn handle(&mut self, reply: Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
//!         reply.send(self.0);
//!         Next::Loop
//!     }
//! }
//! static GREETER: Name<ReplyTo<&'static str>> = Name::new("greeter");
//!
//! let store = Application::new("store", || Ok(Supervisor::new(Strategy::OneForOne)));
//! let greeter = Application::new("greeter", || {
//!     let greeting = GREETING.get_or("hi");
//!     let child = Child::server::<Greeter>("greeter", greeting).name(&GREETER);
//!     Ok(Supervisor::new(Strategy::OneForOne).child(child))
//! });
//! application::load(store)?;
//! application::load(greeter.needs("store").env(&GREETING, "hello").permanent())?;
//! let started = application::ensure_all_started("greeter")?;
//! assert_eq!(started, ["store".into(), "greeter".into()]);
//! assert_eq!(GREETER.call(|reply| reply)?, "hello");
//!
//! application::halt(Duration::from_secs(10)); // or a signal: see perennial::signals
//! let halted = application::wait();
//! assert!(!halted.forced);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything here concerns the current [`Runtime`](crate::Runtime), which has applications of its own. A runtime
//! that is shut down stops them first, in reverse start order.
//!
//! # How it dies
//! When its top supervisor ends by itself, its [`Mode`] says what that means for the others. Stopped by [`stop`], or
//! with all the others by [`halt`] or by an end that ends all, its top supervisor gets the exit signal `Shutdown`.
//! A runtime whose applications were halted starts none again.

mod controller;
mod env;
mod error;
mod master;
mod plan;
mod spec;

pub use controller::{Halted, Why};
pub use env::Env;
pub use error::{EnsureError, LoadError, StartApplicationError, StopError};
pub use spec::{Application, Mode};

use crate::behaviour::supervisor;
use crate::process::{CallError, Dest, Ref, ReplyTo};
use crate::sync::Arc;
use controller::Msg;
use plan::Fault;
use std::time::Duration;

/// An application takes as long as it takes, as in OTP.
fn ask<T: Send + 'static>(make: impl FnOnce(ReplyTo<T>) -> Msg) -> Result<T, CallError> {
    controller::controller()?.call_for(Duration::MAX, make)
}

/// Makes an application known, without starting it. The defaults of its environment count from now on.
///
/// # Errors
/// `AlreadyLoaded` if there is one of its name.
pub fn load(application: Application) -> Result<(), LoadError> {
    let application = Box::new(application);
    ask(|reply| Msg::Load(application, reply))?
}

/// Forgets an application that does not run. Its environment stays.
///
/// # Errors
/// `Running`, `NotLoaded`.
pub fn unload(name: impl Into<Arc<str>>) -> Result<(), LoadError> {
    let name = name.into();
    ask(|reply| Msg::Unload(name, reply))?
}

/// Starts an application whose needs run: its top supervisor. Returns when the whole tree is up. Somebody else who
/// starts it at the same time gets the same answer.
///
/// # Errors
/// See [`StartApplicationError`].
pub fn start(name: impl Into<Arc<str>>) -> Result<Ref<supervisor::Msg>, StartApplicationError> {
    let name = name.into();
    ask(|reply| Msg::Start(name, reply))?
}

/// [`start`] for which an application that runs already is fine.
///
/// # Errors
/// See [`StartApplicationError`].
pub fn ensure_started(name: impl Into<Arc<str>>) -> Result<(), StartApplicationError> {
    match start(name) {
        Ok(_) | Err(StartApplicationError::AlreadyStarted) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Starts an application after all that it needs: those that were started by this, in that order. If one does not
/// start, those that were are stopped again.
///
/// # Errors
/// See [`EnsureError`].
pub fn ensure_all_started(name: impl Into<Arc<str>>) -> Result<Vec<Arc<str>>, EnsureError> {
    let name = name.into();
    let asked = name.clone();
    let of = |application: Arc<str>, error| EnsureError { application, error };
    let order = match ask(|reply| Msg::Plan(asked, reply)) {
        Ok(Ok(order)) => order,
        Ok(Err(Fault::NotLoaded(missing))) => {
            let error = StartApplicationError::NotLoaded(missing.clone());
            return Err(of(missing, error));
        }
        Ok(Err(Fault::Circle(path))) => return Err(of(name, StartApplicationError::Circle(path))),
        Err(error) => return Err(of(name, error.into())),
    };
    let mut started: Vec<Arc<str>> = Vec::new();
    for application in order {
        match start(application.clone()) {
            Ok(_) => started.push(application),
            Err(StartApplicationError::AlreadyStarted) => {}
            Err(error) => {
                for one in started.into_iter().rev() {
                    // It may have ended by itself.
                    let _ = stop(one);
                }
                return Err(of(application, error));
            }
        }
    }
    Ok(started)
}

/// Stops an application, and nobody else, even if others need it; returns when its tree has ended.
///
/// # Errors
/// `NotStarted` if it does not run.
pub fn stop(name: impl Into<Arc<str>>) -> Result<(), StopError> {
    let name = name.into();
    ask(|reply| Msg::Stop(name, reply))?
}

/// The applications that run, in the order in which they were started.
///
/// # Errors
/// As any call.
pub fn which_applications() -> Result<Vec<Arc<str>>, CallError> {
    ask(Msg::Which)
}

/// Begins to stop all applications, the last that was started first, and one after the other. What has not stopped
/// after `deadline` ([`Duration::MAX`] is for ever) is killed. Returns at once; [`wait`] waits. Has no effect if
/// they are being stopped already.
pub fn halt(deadline: Duration) {
    if let Ok(halt) = halt_later(Why::Asked, deadline) {
        halt();
    }
}

/// What halts the applications of the current runtime when it is called, on any thread.
pub(super) fn halt_later(
    why: Why,
    deadline: Duration,
) -> Result<impl Fn() + Send + 'static, CallError> {
    let controller = controller::controller()?;
    Ok(move || {
        // A controller that has ended has stopped everything.
        let _ = controller.try_cast(Msg::Halt(why.clone(), deadline));
    })
}

/// Waits until all applications have been stopped: what `main` does while they run.
pub fn wait() -> Halted {
    // The controller ends only with the runtime, or killed: then it has stopped, or lost, what ran.
    ask(Msg::Wait).unwrap_or(Halted {
        why: Why::Asked,
        forced: true,
    })
}
