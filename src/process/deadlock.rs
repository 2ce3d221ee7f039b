//! Deadlocks: a parked caller follows who waits for whom; if the path leads back to it, nobody will answer.

use crate::pid::Pid;
use crate::process::call::{PendingCall, Phase};
use crate::process::core::{Edge, Process, address};
use crate::process::error::CallError;
use crate::process::runtime::Shared;
use crate::sync::Arc;
use crate::telemetry::Event;

/// How many processes a search follows at most: a longer chain of calls has worse problems.
const PATH_MAX: usize = 64;

/// Processes that wait for each other in a circle.
pub(crate) struct Cycle {
    /// Who is in it; the first waits for the second, the last for the first.
    pub(crate) path: Vec<Pid>,
    /// What they wait for, in the same order.
    edges: Vec<Edge>,
}

impl Cycle {
    /// The edges by their addresses: two looks that see the same ones see the same deadlock.
    pub(crate) fn identity(&self) -> Vec<usize> {
        let address = |edge: &Edge| match edge {
            Edge::Call(call) => address(call),
            Edge::Under(process) => Arc::as_ptr(process).cast::<()>() as usize,
        };
        self.edges.iter().map(address).collect()
    }

    /// Fails the last call in the circle but the one of whoever looked; `false` if there is none.
    pub(crate) fn fail_another(&self) -> bool {
        let calls = self.edges.iter().enumerate().skip(1).rev();
        let call = calls.into_iter().find_map(|(at, edge)| match edge {
            Edge::Call(call) => Some((at, call)),
            Edge::Under(_) => None,
        });
        let Some((at, call)) = call else { return false };
        let mut path = self.path.clone();
        path.rotate_left(at);
        call.fail(CallError::Deadlock(path));
        true
    }
}

/// A deadlock was found, and stayed for two looks.
#[derive(Clone, Debug)]
pub struct DeadlockFound {
    /// Who is in it; the first waits for the second, the last for the first.
    pub path: Vec<Pid>,
}

impl Event for DeadlockFound {}

/// Follows who waits for whom from `start`; the circle if that leads back to it.
pub(crate) fn cycle_of(start: &Arc<dyn Process>) -> Option<Cycle> {
    let mut cycle = Cycle {
        path: vec![start.core().pid],
        edges: Vec::new(),
    };
    let mut at = start.clone();
    for _ in 0..PATH_MAX {
        let edge = at.core().waits_for()?;
        let next = match &edge {
            Edge::Call(call) if !depends(call) => return None,
            Edge::Call(call) => call.target().clone(),
            Edge::Under(top) => top.clone(),
        };
        cycle.edges.push(edge);
        if next.core().pid == start.core().pid {
            return Some(cycle);
        }
        cycle.path.push(next.core().pid);
        at = next;
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
