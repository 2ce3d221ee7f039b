//! What supervisors tell about their children.

use crate::pid::Pid;
use crate::process::runtime;
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::telemetry::Event;
use log::Level;
use std::fmt;
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
    /// Reports the event: ends at error level, the rest as information.
    pub(crate) fn emit(self) {
        let level = match &self.what {
            What::Exited(_, reason) if !reason.is_clean() => Level::Error,
            What::StartFailed(_) | What::GaveUp => Level::Error,
            _ => Level::Info,
        };
        let supervisor = self.supervisor;
        runtime::current().report((level, "perennial::supervisor"), supervisor, self);
    }
}

impl fmt::Display for SupervisorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SupervisorEvent {
            supervisor,
            child,
            what,
        } = self;
        write!(f, "{supervisor}: ")?;
        match what {
            What::Started(pid) => write!(f, "child {child:?} {pid} started"),
            What::Exited(pid, reason) => write!(f, "child {child:?} {pid} ended: {reason}"),
            What::Restarting(attempt, delay) => {
                write!(
                    f,
                    "child {child:?} restarts, attempt {attempt}, after {delay:?}"
                )
            }
            What::StartFailed(reason) => write!(f, "child {child:?} did not start: {reason}"),
            What::Stopped(pid, reason) => write!(f, "child {child:?} {pid} stopped: {reason}"),
            What::GaveUp => f.write_str("reached maximum restart intensity"),
        }
    }
}
