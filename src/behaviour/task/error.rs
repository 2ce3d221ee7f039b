//! Why a task has no result.

use crate::behaviour::supervisor::StartChildError;
use crate::pid::Pid;
use crate::process::CallError;
use crate::reason::ExitReason;
use std::error::Error;
use std::fmt;

/// Why waiting for a task gave no result.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TaskError {
    /// The result did not come in time. The task runs on.
    Timeout,
    /// The task ended without a result, for this reason; `NoProc` if its result was taken before.
    Exit(ExitReason),
    /// Only the process that started a task may wait for it or shut it down.
    NotOwner {
        /// Who started the task.
        owner: Pid,
        /// Who asked.
        caller: Pid,
    },
    /// The task waits for its owner, directly or along this path; the last waits for the first.
    Deadlock(Vec<Pid>),
    /// A pooled owner would have had to wait, and there are as many waiting workers as allowed.
    PoolExhausted,
    /// The owner itself is unwinding; it may not wait any more.
    Exiting,
}

impl From<CallError> for TaskError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Timeout => TaskError::Timeout,
            CallError::Exited(reason) => TaskError::Exit(reason),
            CallError::Deadlock(path) => TaskError::Deadlock(path),
            CallError::PoolExhausted => TaskError::PoolExhausted,
            CallError::Exiting => TaskError::Exiting,
            CallError::NoConnection => TaskError::Exit(ExitReason::NoConnection),
            _ => TaskError::Exit(ExitReason::NoProc),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskError::Timeout => f.write_str("the result of the task did not come in time"),
            TaskError::Exit(reason) => {
                write!(f, "the task ended before it had a result: {reason}")
            }
            TaskError::NotOwner { owner, caller } => write!(
                f,
                "{caller} asked for the result of a task of {owner}: only its owner may"
            ),
            TaskError::Deadlock(_) => CallError::fmt(&self.as_call(), f),
            TaskError::PoolExhausted => f.write_str("no spare worker left to wait on"),
            TaskError::Exiting => f.write_str("the owner is ending and may not wait any more"),
        }
    }
}

impl TaskError {
    fn as_call(&self) -> CallError {
        match self {
            TaskError::Deadlock(path) => CallError::Deadlock(path.clone()),
            _ => CallError::NoReply,
        }
    }
}

impl Error for TaskError {}

/// Why an item of a stream of tasks has no result, or why the stream ended before its input did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StreamError<I> {
    /// The task of this item ended without a result. The stream goes on.
    Exit {
        /// Why it ended.
        reason: ExitReason,
        /// The item, if [`zip_input_on_exit`](crate::task::StreamSpec::zip_input_on_exit) asked for it.
        input: Option<I>,
    },
    /// The task of this item took longer than it may, and was killed. The stream goes on if
    /// [`KillTask`](crate::task::OnItemTimeout::KillTask) said so.
    Timeout {
        /// As above.
        input: Option<I>,
    },
    /// The task of an item could not be started. The last item.
    Start(StartChildError),
    /// Only the process that began a stream may go on with it. The last item.
    NotOwner {
        /// Who began it.
        owner: Pid,
        /// Who asked.
        caller: Pid,
    },
    /// A pooled consumer would have had to wait, and there are as many waiting workers as allowed. The last item.
    PoolExhausted,
    /// The consumer itself is unwinding; it may not wait any more. The last item.
    Exiting,
}

impl<I> fmt::Display for StreamError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Exit { reason, .. } => {
                write!(
                    f,
                    "the task of an item ended before it had a result: {reason}"
                )
            }
            StreamError::Timeout { .. } => f.write_str("the task of an item took too long"),
            StreamError::Start(error) => write!(f, "starting the task of an item: {error}"),
            StreamError::NotOwner { owner, caller } => {
                write!(
                    f,
                    "{caller} asked for an item of a stream that {owner} began"
                )
            }
            StreamError::PoolExhausted => f.write_str("no spare worker left to wait on"),
            StreamError::Exiting => f.write_str("the consumer is ending and may not wait any more"),
        }
    }
}

impl<I: fmt::Debug> Error for StreamError<I> {}

/// Why a stream of tasks was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamOptionError {
    /// `max_concurrency` is 0: no task could ever run.
    MaxConcurrency,
}

impl fmt::Display for StreamOptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("max_concurrency is 0, and has to be 1 at least")
    }
}

impl Error for StreamOptionError {}
