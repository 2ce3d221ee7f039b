//! PURE: what a supervisor is about, step by step. It does one thing at a time; while a step waits for a child,
//! the supervisor is free to hear of everything else, and only remembers it.

use crate::behaviour::supervisor::api::{ChildError, RestartChildError, StartChildError};
use crate::behaviour::supervisor::routes::Resize;
use crate::pid::Pid;
use crate::process::ReplyTo;
use crate::reason::ExitReason;
use std::collections::VecDeque;

/// A child's identity within its supervisor, never reused. The order of keys is start order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Grows with each child that is added.
    pub(super) order: u64,
    /// Where its supervisor keeps it; another child may be there after it.
    pub(super) place: u32,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Start(Key),
    Stop(Key),
}

/// What the steps are for, and what follows the last of them.
pub(super) enum Purpose {
    /// All children for the first time.
    Boot,
    /// A child that ended, and who else its strategy says.
    Restart(Key),
    /// What has to be stopped before a child waits for its restart.
    Clear(Key),
    StartChild(Key, ReplyTo<Result<Option<Pid>, StartChildError>>),
    RestartChild(Key, ReplyTo<Result<Option<Pid>, RestartChildError>>),
    Terminate(Key, ReplyTo<Result<(), ChildError>>),
    /// Partitions that are stopped or started, until there are as many as somebody wants.
    Resize(Resize),
    /// The end of the supervisor.
    Shutdown(ExitReason),
}

/// A purpose and the way to it.
pub(super) struct Job {
    pub(super) purpose: Purpose,
    pub(super) steps: VecDeque<Step>,
    /// The child that the step under way waits for.
    pub(super) waits_for: Option<Key>,
}

impl Job {
    pub(super) fn new(purpose: Purpose, steps: impl IntoIterator<Item = Step>) -> Self {
        Job {
            purpose,
            steps: steps.into_iter().collect(),
            waits_for: None,
        }
    }

    /// The child that the step at a place starts, if it is a start.
    pub(super) fn starts_at(&self, at: usize) -> Option<Key> {
        match self.steps.get(at) {
            Some(Step::Start(key)) => Some(*key),
            _ => None,
        }
    }

    pub(super) fn is_shutdown(&self) -> bool {
        matches!(self.purpose, Purpose::Shutdown(_))
    }
}
