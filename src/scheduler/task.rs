//! What the pool runs.

use super::panics::log_panic;
use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Something that runs on the pool, one turn at a time.
///
/// The pool runs whatever it is given as often as it is given it: that a task is not in two queues at once is
/// the business of whoever schedules it.
pub(crate) trait Runnable: Send + Sync + 'static {
    /// Runs one turn: a bounded piece of work. A panic is caught and logged as a bug.
    fn run(self: Arc<Self>) -> Turn;

    /// Which task it is, for the record of a deterministic run.
    fn number(&self) -> u64 {
        0
    }
}

/// What a task wants after its turn.
pub(crate) enum Turn {
    /// Nothing, until it is scheduled again.
    Done,
    /// To go to the end of a queue. The task hands itself back, or every turn would pay for a second handle.
    Again(Arc<dyn Runnable>),
}

/// A task as the queues hold it.
pub(super) type Task = Arc<dyn Runnable>;

/// One turn; the task again if it wants another one. A panic ends here: it is no reason to lose a worker.
#[inline]
pub(super) fn give_turn(task: Task) -> Option<Task> {
    match catch_unwind(AssertUnwindSafe(|| task.run())) {
        Ok(Turn::Done) => None,
        Ok(Turn::Again(task)) => Some(task),
        Err(payload) => {
            log_panic("a task", payload);
            None
        }
    }
}
