//! **Process**: one per application that runs, on a thread of its own, because what the user has it run may wait.
//! Started by the controller and linked to it; parent of the application's top supervisor, and linked to that. Dies
//! when the top supervisor has ended, always with `Normal`: what became of the application it reports before.

use crate::behaviour::supervisor;
use crate::process::unwind::{self, By};
use crate::process::{self, Dest, Ref, StartError, ThreadContext};
use crate::reason::ExitReason;
use crate::service::application::controller::Msg;
use crate::service::application::spec::{Application, PrepStop, Start, Stopped};
use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a master is told.
#[derive(Debug)]
pub(super) enum Order {
    Stop,
}

/// What a master runs, shared by its incarnations.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) name: Arc<str>,
    start: Arc<Start>,
    prep_stop: Option<Arc<PrepStop>>,
    stopped: Option<Arc<Stopped>>,
}

impl Parts {
    pub(super) fn of(application: &Application) -> Self {
        Parts {
            name: application.name.clone(),
            start: application.start.clone(),
            prep_stop: application.prep_stop.clone(),
            stopped: application.stopped.clone(),
        }
    }
}

/// Runs an application from its start to its end.
pub(super) fn run(cx: &mut ThreadContext<Order>, controller: &Ref<Msg>, parts: &Parts) {
    cx.trap_exit(true);
    cx.set_label(parts.name.clone());
    let top = match start(parts) {
        Ok(top) => top,
        Err(reason) => return controller.cast(Msg::Failed(cx.pid(), reason)),
    };
    controller.cast(Msg::Up(cx.pid(), top.clone()));
    let mut stopping = false;
    let reason = loop {
        match cx.receive() {
            process::Received::Exit(exit) if exit.from == top.pid() => break exit.reason,
            process::Received::Exit(exit) if exit.from != controller.pid() => {}
            process::Received::Down(_) => {}
            // The controller asks for it, or is gone.
            process::Received::Message(Order::Stop) | process::Received::Exit(_) => {
                if !std::mem::replace(&mut stopping, true) {
                    if let Some(prep_stop) = &parts.prep_stop {
                        guard(parts, "prep_stop", || prep_stop());
                    }
                    process::exit(&top, ExitReason::Shutdown);
                }
            }
        }
    };
    if let Some(stopped) = &parts.stopped {
        guard(parts, "stopped", || stopped(&reason));
    }
    controller.cast(Msg::Ended(cx.pid(), reason));
}

fn start(parts: &Parts) -> Result<Ref<supervisor::Msg>, ExitReason> {
    let built = catch(|| (parts.start)())??;
    match built.start_link() {
        Ok(top) => Ok(top),
        Err(StartError::Exit(reason)) => Err(reason),
        Err(error) => Err(ExitReason::other(error)),
    }
}

/// Runs what an application wants to be told; it must not keep it from ending.
fn guard(parts: &Parts, what: &str, run: impl FnOnce()) {
    if let Err(reason) = catch(run) {
        let name = &parts.name;
        log::error!(target: "perennial::application", "{what} of {name} did not return: {reason}");
    }
}

/// Runs code of the user's; why it did not return. A signal to this process goes on.
fn catch<T>(run: impl FnOnce() -> T) -> Result<T, ExitReason> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| match unwind::reason_of(payload) {
        (reason, By::Itself) => reason,
        (reason, By::Signal) => unwind::by_signal(reason),
    })
}
