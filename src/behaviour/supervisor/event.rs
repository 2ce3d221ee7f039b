//! What supervisors tell about their children.

use crate::pid::Pid;
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::telemetry::Event;
use std::time::Duration;

/// Something happened to a child.
#[derive(Clone, Debug)]
pub struct SupervisorEvent {
    /// The supervisor.
    pub supervisor: Pid,
    /// The child's id; empty for what concerns the supervisor itself, and for children that have none.
    pub child: Arc<str>,
    /// What happened.
    pub what: What,
}

/// What happened to a child.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// It is up.
    Started(Pid),
    /// It ended by itself.
    Exited(Pid, ExitReason),
    /// It is about to be restarted: which restart in a row this is, and what is waited before it.
    Restarting(u32, Duration),
    /// Its start failed.
    StartFailed(ExitReason),
    /// It was stopped; the reason is the one it ended with.
    Stopped(Pid, ExitReason),
    /// Restarts came too fast: the supervisor ends.
    GaveUp,
}

impl Event for SupervisorEvent {}

impl SupervisorEvent {
    /// Emits the event and writes it to the log: ends at error level, the rest as information.
    pub(crate) fn emit(self) {
        let SupervisorEvent {
            supervisor,
            child,
            what,
        } = &self;
        match what {
            What::Exited(pid, reason) if !reason.is_clean() => {
                log::error!(target: "perennial::supervisor", "{supervisor}: child {child:?} {pid} ended: {reason}");
            }
            What::StartFailed(reason) => {
                log::error!(target: "perennial::supervisor", "{supervisor}: child {child:?} did not start: {reason}");
            }
            What::GaveUp => {
                log::error!(target: "perennial::supervisor", "{supervisor}: reached maximum restart intensity");
            }
            other => {
                log::info!(target: "perennial::supervisor", "{supervisor}: child {child:?} {other:?}")
            }
        }
        crate::process::runtime::current().telemetry.emit(|| self);
    }
}
