//! Deadlocks: a parked caller follows who waits for whom; if the path leads back to it, nobody will answer.

use crate::pid::Pid;
use crate::process::call::{PendingCall, Phase};
use crate::process::core::{Process, address};
use crate::process::runtime::Shared;
use crate::sync::Arc;
use crate::telemetry::Event;

/// How many processes a search follows at most: a longer chain of calls has worse problems.
const PATH_MAX: usize = 64;

/// Processes that wait for each other in a circle.
pub(crate) struct Cycle {
    /// Who is in it; the first waits for the second, the last for the first.
    pub(crate) path: Vec<Pid>,
    /// The calls by their addresses: two looks that see the same calls see the same deadlock.
    pub(crate) calls: Vec<usize>,
}

/// A deadlock was found, and stayed for two looks.
#[derive(Clone, Debug)]
pub struct DeadlockFound {
    /// Who is in it; the first waits for the second, the last for the first.
    pub path: Vec<Pid>,
}

impl Event for DeadlockFound {}

/// Follows the calls from `start`; the circle if they lead back to it.
pub(crate) fn cycle_of(start: &Arc<dyn Process>) -> Option<Cycle> {
    let mut cycle = Cycle {
        path: vec![start.core().pid],
        calls: Vec::new(),
    };
    let mut call = start.core().waiting_call()?;
    for _ in 0..PATH_MAX {
        if !depends(&call) {
            return None;
        }
        cycle.calls.push(address(&call));
        let target = call.target().core();
        if target.pid == start.core().pid {
            return Some(cycle);
        }
        cycle.path.push(target.pid);
        let next = target.waiting_call()?;
        call = next;
    }
    None
}

/// Equals `true` while the answer of a call depends on what the addressed process does next: the request is in
/// its mailbox, or is the one that its running callback received.
fn depends(call: &Arc<dyn PendingCall>) -> bool {
    if call.is_done() {
        return false;
    }
    match call.phase() {
        Phase::Queued => true,
        Phase::Received => call.target().core().current_call() == address(call),
        Phase::Detached => false,
    }
}

/// Tells that a deadlock was found.
pub(crate) fn report(shared: &Shared, path: &[Pid]) {
    log::error!(target: "perennial::process", "deadlock: every one of {path:?} waits for the next");
    shared.telemetry.emit(|| DeadlockFound {
        path: path.to_vec(),
    });
}
