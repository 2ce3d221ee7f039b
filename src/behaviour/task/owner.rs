//! Whom a task works for, and whether the two are linked.

use crate::pid::Pid;
use crate::process::core::Process;
use crate::process::link::Joined;
use crate::process::{StartError, current, link};
use crate::reason::ExitReason;
use crate::sync::Arc;

/// Whether a task and its owner end with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    Linked,
    Unlinked,
}

/// Who started a task and waits for it.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) pid: Pid,
    /// Equals `None` for a plain thread.
    pub(super) process: Option<Arc<dyn Process>>,
    pub(super) bond: Bond,
}

impl Owner {
    /// Whoever runs on this thread. A plain thread has no links.
    pub(super) fn here(bond: Bond) -> Result<Self, StartError> {
        let process = current::process();
        if bond == Bond::Linked && process.is_none() {
            return Err(StartError::NotAProcess);
        }
        Ok(Owner {
            pid: current::pid(),
            process,
            bond,
        })
    }

    /// Binds a task to its owner before its first line runs; the reason why the owner has ended, if it has.
    pub(super) fn take_on(&self, job: &Arc<dyn Process>) -> Result<(), ExitReason> {
        let Some(owner) = &self.process else {
            return Ok(());
        };
        let bound =
            self.bond == Bond::Linked && link::join(job.core(), owner.core()) != Joined::OtherEnded;
        match owner.core().relations.lock().ended() {
            Some(reason) if !bound => Err(reason.clone()),
            _ => Ok(()),
        }
    }
}
