//! References to processes: a pid together with its mailbox, typed by the message.

use crate::pid::Pid;
use crate::process::core::Process;
use crate::process::mailbox::{Bound, Pushed, Refused};
use crate::process::pooled::overflowed;
use crate::process::signal::Entry;
use crate::process::watermark;
use crate::sync::Arc;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A process as those see it who know its messages.
pub(crate) trait Mailbox<M>: Process {
    /// Appends a message or a call. What is left to do afterwards comes back.
    fn push(&self, entry: Entry<M>) -> Result<Pushed<M>, Refused<M>>;

    /// The bound of the mailbox, if it has one.
    fn bound(&self) -> Option<&Bound>;
}

/// A reference to one incarnation of a process, for messages of type `M`. A clone is the same reference.
///
/// It outlives the process: what is sent to it then is a dead letter, a call fails with `NoProc`. For a process
/// that is restarted keep its [`Name`](crate::process::Name), not its `Ref`.
pub struct Ref<M: Send + 'static>(Arc<dyn Mailbox<M>>);

impl<M: Send + 'static> Ref<M> {
    pub(crate) fn new(mailbox: Arc<dyn Mailbox<M>>) -> Self {
        Ref(mailbox)
    }

    /// The identity of the process.
    pub fn pid(&self) -> Pid {
        self.0.core().pid
    }

    /// Equals `true` until the process has ended, and its links and monitors are about to hear of it.
    pub fn is_alive(&self) -> bool {
        self.0.core().relations.lock().ended().is_none()
    }

    pub(crate) fn mailbox(&self) -> &Arc<dyn Mailbox<M>> {
        &self.0
    }

    /// Appends a message or a call, and wakes the process if need be.
    #[inline]
    pub(crate) fn push(&self, entry: Entry<M>) -> Result<(), Refused<M>> {
        let pushed = self.0.push(entry)?;
        if pushed.wake
            && let Some(task) = self.0.clone().into_task()
        {
            self.0.core().runtime.scheduler().schedule(task);
        }
        if pushed.mark.is_some() || pushed.dropped.is_some() {
            self.make_good(pushed);
        }
        Ok(())
    }

    /// As [`push`](Ref::push), for a caller who is about to look on for the answer: `true` if it has to notify the
    /// scheduler when it has looked for a while.
    #[inline]
    pub(crate) fn push_watched(&self, entry: Entry<M>) -> Result<bool, Refused<M>> {
        let pushed = self.0.push(entry)?;
        let task = pushed.wake.then(|| self.0.clone().into_task()).flatten();
        let later = task.is_some_and(|task| {
            let scheduler = self.0.core().runtime.scheduler();
            scheduler.schedule_watched(task)
        });
        if pushed.mark.is_some() || pushed.dropped.is_some() {
            self.make_good(pushed);
        }
        Ok(later)
    }

    /// What a bounded mailbox leaves to do.
    #[cold]
    fn make_good(&self, pushed: Pushed<M>) {
        watermark::tell(self.0.core(), self.0.bound(), pushed.mark);
        overflowed(pushed.dropped.map(|entry| *entry));
    }

    pub(crate) fn process(&self) -> Arc<dyn Process> {
        self.0.clone()
    }
}

impl<M: Send + 'static> Clone for Ref<M> {
    fn clone(&self) -> Self {
        Ref(self.0.clone())
    }
}

impl<M: Send + 'static> PartialEq for Ref<M> {
    fn eq(&self, other: &Self) -> bool {
        self.pid() == other.pid()
    }
}

impl<M: Send + 'static> Eq for Ref<M> {}

impl<M: Send + 'static> Hash for Ref<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pid().hash(state);
    }
}

impl<M: Send + 'static> From<&Ref<M>> for Pid {
    fn from(reference: &Ref<M>) -> Self {
        reference.pid()
    }
}

impl<M: Send + 'static> fmt::Debug for Ref<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.pid())
    }
}

impl<M: Send + 'static> fmt::Display for Ref<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.pid(), f)
    }
}
