//! What arrives in a mailbox: messages, exits, downs, and the marks that keep them in order.

use crate::pid::{MonitorRef, Pid, RequestId};
use crate::process::alias::AliasState;
use crate::process::call::PendingCall;
use crate::process::error::StartError;
use crate::process::system::SystemMsg;
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::fmt;

/// An exit signal that a process which traps exits received as a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// Who ended, or who sent the signal.
    pub from: Pid,
    /// Why.
    pub reason: ExitReason,
}

/// The end of a monitored process.
#[derive(Clone, Debug, PartialEq)]
pub struct Down {
    /// The monitor that fired; it is gone now.
    pub monitor: MonitorRef,
    /// The process that ended. Equals [`Pid::INIT`] when a name was monitored that nobody had.
    pub pid: Pid,
    /// The name that was monitored, if a name was.
    pub name: Option<Arc<str>>,
    /// Why it ended; `NoProc` if it was not there when the monitor was set.
    pub reason: ExitReason,
    /// What the monitor was [tagged](crate::process::Context::monitor_with_tag) with, if it was.
    pub tag: Option<Tag>,
}

/// A value that comes back with the [`Down`] of a monitor, so that whoever gets it knows what it is about without a
/// table of monitors. Two are equal if they are the same.
#[derive(Clone)]
pub struct Tag(Arc<dyn Any + Send + Sync>);

impl Tag {
    pub(crate) fn new(value: impl Any + Send + Sync) -> Self {
        Tag(Arc::new(value))
    }

    /// The value, if it is of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(..)")
    }
}

/// What a thread process gets from its mailbox.
#[derive(Debug, PartialEq)]
pub enum Received<M> {
    /// A message.
    Message(M),
    /// A linked process ended, or somebody sent an exit signal; only while exits are trapped.
    Exit(Exit),
    /// A monitored process ended.
    Down(Down),
}

impl<M> Received<M> {
    /// The message, if it is one.
    pub fn message(self) -> Option<M> {
        match self {
            Received::Message(message) => Some(message),
            _ => None,
        }
    }
}

/// One entry of a mailbox.
///
/// Exits and downs are marks: what they stand for waits in the receiver's `Relations`, so that an unlink or
/// a demonitor can take it back without searching the mailbox.
pub(crate) enum Entry<M> {
    Message(M),
    Call(M, Arc<dyn PendingCall>),
    /// A message that came through an alias, and counts only if that is still active when it is met.
    Aliased(M, Arc<AliasState>),
    Exit(u64),
    Down(MonitorRef),
    /// Something a behaviour's own machinery sent to its process.
    Resume(Box<dyn Any + Send>),
    /// What came of the start of a process that this one has begun.
    Started(Pid, Result<(), Box<StartError>>),
    /// The end of a process that this one has started and told to end.
    Stopped(Pid, Box<ExitReason>),
    /// A request of the process has its answer.
    Answer(RequestId),
    /// The identity of this process was cut from its code; requests may be in the hand of that code.
    Cut(Pid),
    /// The idle timeout of the given generation.
    Timeout(u64),
    /// What is asked of a process whatever it runs.
    System(SystemMsg),
}

impl<M> Entry<M> {
    /// Equals `true` for what counts against a mailbox's bound: what users send.
    pub(crate) fn is_bounded(&self) -> bool {
        matches!(
            self,
            Entry::Message(_) | Entry::Call(..) | Entry::Aliased(..)
        )
    }
}

impl<M> fmt::Debug for Entry<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Entry::Message(_) => "Message",
            Entry::Call(..) => "Call",
            Entry::Aliased(..) => "Aliased",
            Entry::Exit(_) => "Exit",
            Entry::Down(_) => "Down",
            Entry::Resume(_) => "Resume",
            Entry::Started(..) => "Started",
            Entry::Stopped(..) => "Stopped",
            Entry::Answer(_) => "Answer",
            Entry::Cut(_) => "Cut",
            Entry::Timeout(_) => "Timeout",
            Entry::System(_) => "System",
        })
    }
}
