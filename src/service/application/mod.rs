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
//!
//! What the application started outside its tree, and whatever that started, belongs to its group, and is killed when
//! the tree has ended.

mod config;
mod controller;
mod ending;
mod env;
mod error;
mod master;
mod plan;
mod spec;

pub use config::{ConfigChange, ConfigChangeError, EnvBefore};
pub use ending::{Halted, SHUTDOWN_TIMEOUT, Why, set_shutdown_func};
pub use env::{Env, Setting};
pub use error::{EnsureError, LoadError, StartApplicationError, StopError};
pub use spec::{Application, Mode, Spec};

use crate::behaviour::supervisor;
use crate::process::{self, CallError, Dest, ProcessId, Ref, ReplyTo};
use crate::reason::ExitReason;
use crate::sync::Arc;
use controller::Msg;
use master::Order;
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

/// Forgets an application that does not run, and the defaults of its environment; what was set stays.
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

/// The names of the applications that are loaded, in alphabetical order.
///
/// # Errors
/// As any call.
pub fn loaded_applications() -> Result<Vec<Arc<str>>, CallError> {
    ask(Msg::Loaded)
}

/// What is known of an application; `None` if it is not loaded. OTP's `get_all_key`.
///
/// # Errors
/// As any call.
pub fn spec(name: impl Into<Arc<str>>) -> Result<Option<Spec>, CallError> {
    let name = name.into();
    ask(|reply| Msg::Spec(name, reply))
}

/// The application to which a process belongs: it was started by the application's tree or by what that started,
/// whoever of them is still there. `None` for others.
///
/// # Errors
/// As any call.
pub fn get_application(process: impl Into<ProcessId>) -> Result<Option<Arc<str>>, CallError> {
    match process::info(process) {
        Some(info) => ask(|reply| Msg::Of(info.group_leader, reply)),
        None => Ok(None),
    }
}

/// The environment of an application, in the order of the keys.
///
/// ```
/// use perennial::application::{self, Env};
/// static PORT: Env<u16> = Env::new("printed", "port");
/// static HOST: Env<&str> = Env::new("printed", "host");
/// PORT.set(4000);
/// HOST.set("localhost");
/// let all = application::get_all_env("printed");
/// assert_eq!(format!("{all:?}"), r#"[host: "localhost", port: 4000]"#);
/// assert_eq!(all[1].value::<u16>(), Some(&4000));
/// ```
pub fn get_all_env(application: &str) -> Vec<Setting> {
    env::of(application, &env::all())
}

/// Remembers all environments before some of them are changed, for [`config_change`].
///
/// ```
/// use perennial::application::{self, Application, Env};
/// use perennial::prelude::*;
/// static LEVEL: Env<u8> = Env::new("meter", "level");
/// let meter = Application::new("meter", || Ok(Supervisor::new(Strategy::OneForOne)));
/// let meter = meter.env(&LEVEL, 1).on_config_change(|change| {
///     assert_eq!(change.changed[0].value::<u8>(), Some(&7));
///     Ok(())
/// });
/// application::load(meter)?;
/// application::start("meter")?;
/// let before = application::prep_config_change();
/// LEVEL.set(7);
/// application::config_change(before)?;
/// application::stop("meter")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn prep_config_change() -> EnvBefore {
    EnvBefore(env::all())
}

/// Tells each running application what changed in its environment since [`prep_config_change`], in start order and
/// one after the other; those of which nothing changed are not told. Returns when all have heard it.
///
/// # Errors
/// Which of them failed; all have been told.
pub fn config_change(before: EnvBefore) -> Result<(), ConfigChangeError> {
    let after = env::all();
    let failed = |error| ConfigChangeError(vec![("application_controller".into(), error)]);
    let running = ask(Msg::Configured).map_err(|error| failed(ExitReason::other(error)))?;
    let mut failures = Vec::new();
    for (name, master) in running {
        let change = ConfigChange::between(&name, &before.0, &after);
        if change.is_none() {
            continue;
        }
        let told = master.call_for(Duration::MAX, |reply| Order::ConfigChange(change, reply));
        match told {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => failures.push((name, reason)),
            Err(error) => failures.push((name, ExitReason::other(error))),
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(ConfigChangeError(failures))
    }
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
