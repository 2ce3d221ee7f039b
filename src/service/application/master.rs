//! **Process**: one per application that runs, on a thread of its own, because what the user has it run may wait.
//! Started by the controller and linked to it; parent of the application's top supervisor, and linked to that; leads
//! the group of all that the application starts. Dies when the top supervisor has ended and nothing of the group is
//! left, always with `Normal`: what became of the application it reports before.

use crate::behaviour::supervisor;
use crate::pid::Pid;
use crate::process::unwind::{self, By};
use crate::process::{self, Dest, Ref, ReplyTo, StartError, ThreadContext};
use crate::reason::ExitReason;
use crate::service::application::config::ConfigChange;
use crate::service::application::controller::Msg;
use crate::service::application::error::StartApplicationError;
use crate::service::application::spec::{
    Application, OnConfigChange, Phase, PrepStop, Start, Stopped,
};
use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Each sweep kills all that are there; only who starts others faster than they are killed is there for another.
const SWEEPS_MAX: usize = 100;

/// What a master is told.
#[derive(Debug)]
pub(super) enum Order {
    Stop,
    ConfigChange(ConfigChange, ReplyTo<Result<(), ExitReason>>),
}

/// What a master runs, shared by its incarnations.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) name: Arc<str>,
    start: Arc<Start>,
    phases: Arc<[Phase]>,
    on_config_change: Option<Arc<OnConfigChange>>,
    prep_stop: Option<Arc<PrepStop>>,
    stopped: Option<Arc<Stopped>>,
}

impl Parts {
    pub(super) fn of(application: &Application) -> Self {
        Parts {
            name: application.name.clone(),
            start: application.start.clone(),
            phases: application.phases.clone().into(),
            on_config_change: application.on_config_change.clone(),
            prep_stop: application.prep_stop.clone(),
            stopped: application.stopped.clone(),
        }
    }

    pub(super) fn phases(&self) -> Vec<Arc<str>> {
        self.phases.iter().map(|phase| phase.name.clone()).collect()
    }

    pub(super) fn wants_config_changes(&self) -> bool {
        self.on_config_change.is_some()
    }
}

/// Runs an application from its start to its end.
pub(super) fn run(cx: &mut ThreadContext<Order>, controller: &Ref<Msg>, parts: &Parts) {
    cx.trap_exit(true);
    cx.set_label(parts.name.clone());
    let top = match start(parts) {
        Ok(top) => top,
        Err(reason) => {
            sweep(cx.pid(), &parts.name);
            let error = StartApplicationError::Failed(reason);
            return controller.cast(Msg::Failed(cx.pid(), error));
        }
    };
    if let Err(error) = phases(parts) {
        process::exit(&top, ExitReason::Shutdown);
        let reason = until_it_ends(cx, controller, parts, &top, true);
        after(cx.pid(), parts, &reason);
        return controller.cast(Msg::Failed(cx.pid(), error));
    }
    controller.cast(Msg::Up(cx.pid(), top.clone()));
    let reason = until_it_ends(cx, controller, parts, &top, false);
    after(cx.pid(), parts, &reason);
    controller.cast(Msg::Ended(cx.pid(), reason));
}

/// Does what it is told until the top supervisor has ended; why it has.
fn until_it_ends(
    cx: &mut ThreadContext<Order>,
    controller: &Ref<Msg>,
    parts: &Parts,
    top: &Ref<supervisor::Msg>,
    mut stopping: bool,
) -> ExitReason {
    loop {
        match cx.receive() {
            process::Received::Exit(exit) if exit.from == top.pid() => return exit.reason,
            process::Received::Exit(exit) if exit.from != controller.pid() => {}
            process::Received::Down(_) => {}
            process::Received::Message(Order::ConfigChange(change, reply)) => {
                reply.send(config_change(parts, &change));
            }
            // The controller asks for it, or is gone.
            process::Received::Message(Order::Stop) | process::Received::Exit(_) => {
                if !std::mem::replace(&mut stopping, true) {
                    if let Some(prep_stop) = &parts.prep_stop {
                        guard(parts, "prep_stop", || prep_stop());
                    }
                    process::exit(top, ExitReason::Shutdown);
                }
            }
        }
    }
}

/// The tree has ended.
fn after(me: Pid, parts: &Parts, reason: &ExitReason) {
    if let Some(stopped) = &parts.stopped {
        guard(parts, "stopped", || stopped(reason));
    }
    sweep(me, &parts.name);
}

/// Kills whatever of the group outlived the tree.
fn sweep(leader: Pid, name: &str) {
    for _ in 0..SWEEPS_MAX {
        let left = kill_group(leader);
        if left.is_empty() {
            return;
        }
        log::warn!(target: "perennial::application", "{name} left {} processes: killed", left.len());
        for pid in left {
            // That takes as long as the grace of a kill at most.
            process::watch(pid).wait(Duration::MAX);
        }
    }
    log::error!(target: "perennial::application", "{name} starts processes as fast as they are killed");
}

/// Kills the group of a master; who was in it.
pub(super) fn kill_group(leader: Pid) -> Vec<Pid> {
    let left = process::group(leader);
    for pid in &left {
        process::exit(*pid, ExitReason::Kill);
    }
    left
}

fn start(parts: &Parts) -> Result<Ref<supervisor::Msg>, ExitReason> {
    let built = catch(|| (parts.start)())??;
    match built.start_link() {
        Ok(top) => Ok(top),
        Err(StartError::Exit(reason)) => Err(reason),
        Err(error) => Err(ExitReason::other(error)),
    }
}

fn phases(parts: &Parts) -> Result<(), StartApplicationError> {
    for phase in &*parts.phases {
        let ran = catch(|| (phase.run)()).flatten();
        ran.map_err(|reason| StartApplicationError::Phase(phase.name.clone(), reason))?;
    }
    Ok(())
}

fn config_change(parts: &Parts, change: &ConfigChange) -> Result<(), ExitReason> {
    match &parts.on_config_change {
        Some(hook) => catch(|| hook(change)).flatten(),
        None => Ok(()),
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
pub(super) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, ExitReason> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| match unwind::reason_of(payload) {
        (reason, By::Itself) => reason,
        (reason, By::Signal) => unwind::by_signal(reason),
    })
}
