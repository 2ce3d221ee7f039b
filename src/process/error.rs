//! Why an operation on a process failed: one small enum an operation.

use crate::pid::Pid;
use crate::reason::ExitReason;
use std::fmt;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallError {
    /// The answer did not come in time. The server may still handle the request; its answer is dropped.
    Timeout,
    /// There is no such process.
    NoProc,
    /// The name belongs to a process that takes other messages.
    WrongMessageType,
    /// The process ended before it answered, for this reason.
    Exited(ExitReason),
    /// The process let go of the request without an answer, and lives.
    NoReply,
    /// The process has a full mailbox.
    Overloaded,
    /// A process called itself.
    CallingSelf,
    /// Everybody on this path waits for the next one; the last waits for the first.
    Deadlock(Vec<Pid>),
    /// A pooled process would have had to wait, and there are as many waiting workers as allowed.
    PoolExhausted,
    /// The process is on a node that is not connected.
    NoConnection,
    /// The caller is leaving: its destructors run, and may not wait any more.
    Exiting,
    /// No such request is on its way: it has had its answer.
    NoRequest,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Timeout => f.write_str("the answer did not come in time"),
            CallError::NoProc => f.write_str("no such process"),
            CallError::WrongMessageType => {
                f.write_str("the process of that name takes other messages")
            }
            CallError::Exited(reason) => {
                write!(f, "the process ended before it answered: {reason}")
            }
            CallError::NoReply => f.write_str("the process dropped the request without an answer"),
            CallError::Overloaded => f.write_str("the mailbox of the process is full"),
            CallError::CallingSelf => f.write_str("a process called itself"),
            CallError::Deadlock(path) => {
                f.write_str("deadlock: ")?;
                for pid in path {
                    write!(f, "{pid} waits for ")?;
                }
                match path.first() {
                    Some(first) => write!(f, "{first}"),
                    None => Ok(()),
                }
            }
            CallError::PoolExhausted => f.write_str("no spare worker left to wait on"),
            CallError::NoConnection => f.write_str("no connection to the node of the process"),
            CallError::Exiting => f.write_str("the caller is ending and may not wait any more"),
            CallError::NoRequest => f.write_str("the request has had its answer"),
        }
    }
}

impl std::error::Error for CallError {}

/// Why [`try_cast`](crate::process::Dest::try_cast) did not deliver; the message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryCastError<M> {
    /// There is no such process.
    NoProc(M),
    /// The name belongs to a process that takes other messages.
    WrongMessageType(M),
    /// The mailbox is full.
    Full(M),
    /// The process is on a node that is not connected.
    NoConnection(M),
}

impl<M> TryCastError<M> {
    /// The message that was not delivered.
    pub fn into_message(self) -> M {
        match self {
            TryCastError::NoProc(message)
            | TryCastError::WrongMessageType(message)
            | TryCastError::Full(message)
            | TryCastError::NoConnection(message) => message,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            TryCastError::NoProc(_) => "no such process",
            TryCastError::WrongMessageType(_) => "the process of that name takes other messages",
            TryCastError::Full(_) => "the mailbox of the process is full",
            TryCastError::NoConnection(_) => "no connection to the node of the process",
        }
    }
}

impl<M> fmt::Debug for TryCastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryCastError::NoProc(_) => "NoProc(..)",
            TryCastError::WrongMessageType(_) => "WrongMessageType(..)",
            TryCastError::Full(_) => "Full(..)",
            TryCastError::NoConnection(_) => "NoConnection(..)",
        })
    }
}

impl<M> fmt::Display for TryCastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<M> std::error::Error for TryCastError<M> {}

/// Why a process did not start.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// The name is taken by this process.
    AlreadyStarted(Pid),
    /// `init` answered `Ignore`: there is nothing to start, and nothing wrong.
    Ignored,
    /// The process ended before it was up.
    Exit(ExitReason),
    /// `init` took longer than the start timeout; the process was killed.
    Timeout,
    /// A link needs two processes, and the starter is a plain thread. Use `start` instead of `start_link`, or
    /// make the thread a process with [`process::run`](fn@crate::process::run).
    NotAProcess,
    /// As many threads run as the runtime allows, or the system has no more.
    TooManyThreads,
    /// The table of processes is full.
    TooManyProcesses,
    /// The name is empty or reserved.
    BadName,
    /// The runtime is shutting down.
    RuntimeStopped,
    /// A pooled starter would have had to wait, and there are as many waiting workers as allowed.
    PoolExhausted,
    /// The starter is leaving: its destructors run, and may not wait any more.
    Exiting,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::AlreadyStarted(pid) => write!(f, "already started as {pid}"),
            StartError::Ignored => f.write_str("init chose to ignore the start"),
            StartError::Exit(reason) => write!(f, "the process ended before it was up: {reason}"),
            StartError::Timeout => f.write_str("init took longer than the start timeout"),
            StartError::NotAProcess => f.write_str(
                "a link needs two processes, and this thread is none: use start, or process::run",
            ),
            StartError::TooManyThreads => f.write_str("no more threads"),
            StartError::TooManyProcesses => f.write_str("the table of processes is full"),
            StartError::BadName => f.write_str("the name is empty or reserved"),
            StartError::RuntimeStopped => f.write_str("the runtime is shutting down"),
            StartError::PoolExhausted => f.write_str("no spare worker left to wait on"),
            StartError::Exiting => f.write_str("the starter is ending and may not wait any more"),
        }
    }
}

impl std::error::Error for StartError {}

/// A plain thread asked for what only a process can have.
///
/// Make the thread a process with [`process::run`](fn@crate::process::run), or do without: `start` instead of
/// `start_link`, [`process::watch`](fn@crate::process::watch) instead of `monitor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAProcess;

impl fmt::Display for NotAProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this thread is not a process: see process::run and process::watch")
    }
}

impl std::error::Error for NotAProcess {}

impl From<NotAProcess> for StartError {
    fn from(_: NotAProcess) -> Self {
        StartError::NotAProcess
    }
}

/// Why a link was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// This thread is not a process.
    NotAProcess,
    /// There is no such process, and the caller does not trap exits. (One that does gets an
    /// [`Exit`](crate::process::Exit) with `NoProc` instead.)
    NoProc,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::NotAProcess => NotAProcess.fmt(f),
            LinkError::NoProc => f.write_str("no such process"),
        }
    }
}

impl std::error::Error for LinkError {}
