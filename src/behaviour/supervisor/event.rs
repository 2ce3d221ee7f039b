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
    /// It is a [`Drainer`](crate::supervisor::Drainer) that was told to end, and waits for so many pieces of work.
    Draining(usize),
    /// It is a [`Drainer`](crate::supervisor::Drainer) that has done waiting; so many pieces of work were left when
    /// its time was over.
    Drained(usize),
}

impl Event for SupervisorEvent {}

impl SupervisorEvent {
    /// Writes the event to the log: ends at error level, the rest as information.
    pub(crate) fn log(&self) {
        let SupervisorEvent {
            supervisor,
            child,
            what,
        } = self;
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
            What::Drained(left) if *left > 0 => {
                log::error!(target: "perennial::supervisor", "{supervisor}: {child:?} gave up waiting for {left} pieces of work");
            }
            other => {
                log::info!(target: "perennial::supervisor", "{supervisor}: child {child:?} {other:?}")
            }
        }
    }
}
