//! Calls: a monitor on the addressed process plus a slot for one answer.
//!
//! Whoever holds the [`ReplyTo`], the call fails with the exit reason when the *addressed* process ends. A
//! `ReplyTo` that is dropped unanswered while that process lives fails the call with `NoReply`; while the
//! process unwinds or ends, the drop says nothing, because the death path is about to say why.

use crate::pid::{MonitorRef, Pid, RequestId};
use crate::process::core::{Process, flag};
use crate::process::current;
use crate::process::error::CallError;
use crate::process::oneshot::{Answer, Continuation, Slot};
use crate::scheduler::Due;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::fmt;
use std::time::Instant;

/// Where a request is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In the mailbox of the addressed process.
    Queued,
    /// A callback of the addressed process has it, or kept it.
    Received,
    /// Its holder said that the answer does not depend on the addressed process.
    Detached,
}

/// A call without the type of its answer: what mailboxes, watchers and the search for deadlocks see.
pub(crate) trait PendingCall: Send + Sync {
    /// Fails the call, unless it has an answer.
    fn fail(&self, error: CallError);
    fn target(&self) -> &Arc<dyn Process>;
    /// Who waits for the answer; [`Pid::INIT`] for a plain thread.
    fn caller(&self) -> Pid;
    fn deadline(&self) -> Option<Instant>;
    fn received(&self);
    fn phase(&self) -> Phase;
    fn is_done(&self) -> bool;
    /// Whoever was asked has had the call in hand and keeps it, or has given it to others: from now on it has to be told
    /// of that process's end, unless somebody has seen to that.
    fn keep(self: Arc<Self>);
}

/// A call with the type of its answer. What both sides write to comes first.
#[repr(C)]
pub(crate) struct Pending<T> {
    received: AtomicBool,
    detached: AtomicBool,
    pub(crate) slot: Slot<T>,
    target: Arc<dyn Process>,
    caller: Pid,
    deadline: Option<Instant>,
    /// The watcher that tells it of the end of its target.
    watch: AtomicU64,
}

/// A call that others watch the target for.
const BY_OTHERS: u64 = u64::MAX;
/// A call whose target is watched once it [keeps](PendingCall::keep) it.
const NOT_YET: u64 = u64::MAX - 1;

impl<T> Pending<T> {
    pub(crate) fn new(target: Arc<dyn Process>, deadline: Option<Instant>) -> Self {
        Self::with_slot(target, deadline, current::pid(), Slot::new())
    }

    /// A call whose answer goes to a continuation.
    pub(crate) fn then(
        target: Arc<dyn Process>,
        deadline: Option<Instant>,
        then: Continuation<T>,
    ) -> Self {
        Self::with_slot(target, deadline, current::pid(), Slot::then(then))
    }

    /// A call whose answer stays in it, and of which the process that asked is told.
    pub(crate) fn tell(
        target: Arc<dyn Process>,
        deadline: Option<Instant>,
        asker: Arc<dyn Process>,
        id: RequestId,
    ) -> Self {
        let caller = asker.core().pid;
        let mut pending = Self::with_slot(target, deadline, caller, Slot::tell(asker, id));
        pending.watch = AtomicU64::new(NOT_YET);
        pending
    }

    /// Equals `true` while nothing tells it of the end of its target, which has not kept it yet.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.watch.load(Ordering::Acquire) == NOT_YET
    }

    /// Takes the watcher back.
    pub(crate) fn let_go(&self) {
        match self.watch.load(Ordering::Acquire) {
            BY_OTHERS | NOT_YET => {}
            watch => unwatch(&self.target, MonitorRef::from_raw(watch)),
        }
    }

    fn with_slot(
        target: Arc<dyn Process>,
        deadline: Option<Instant>,
        caller: Pid,
        slot: Slot<T>,
    ) -> Self {
        Pending {
            slot,
            target,
            caller,
            deadline,
            received: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            watch: AtomicU64::new(BY_OTHERS),
        }
    }
}

impl<T: Send + 'static> Pending<T> {
    /// Watches the target before the call is sent; `false` if it has ended.
    pub(crate) fn watch_from_the_beginning(self: &Arc<Self>) -> bool {
        let watched = watch(self);
        if let Ok(monitor) = &watched {
            self.watch.store(monitor.raw(), Ordering::Release);
        }
        watched.is_ok()
    }
}

/// Its time is over.
impl<T: Send + 'static> Due for Pending<T> {
    fn due(self: Arc<Self>) {
        self.fail(CallError::Timeout);
    }
}

impl<T: Send + 'static> PendingCall for Pending<T> {
    fn fail(&self, error: CallError) {
        // An answer that came first has won.
        drop(self.slot.put(Err(error)));
    }

    fn target(&self) -> &Arc<dyn Process> {
        &self.target
    }

    fn caller(&self) -> Pid {
        self.caller
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn received(&self) {
        self.received.store(true, Ordering::Release);
    }

    fn phase(&self) -> Phase {
        if self.detached.load(Ordering::Acquire) {
            Phase::Detached
        } else if self.received.load(Ordering::Acquire) {
            Phase::Received
        } else {
            Phase::Queued
        }
    }

    fn is_done(&self) -> bool {
        self.slot.is_done()
    }

    fn keep(self: Arc<Self>) {
        if self.is_done() || self.watch.load(Ordering::Relaxed) != NOT_YET {
            return;
        }
        match watch(&self) {
            // Whoever takes the answer takes the watcher back, and sees it, as it is noted before there is an answer.
            Ok(monitor) => {
                let note = || self.watch.store(monitor.raw(), Ordering::Release);
                if !self.slot.while_open(note) {
                    unwatch(&self.target, monitor);
                }
            }
            Err(error) => self.fail(error),
        }
    }
}

/// The right and the duty to answer one call: `from` in OTP.
///
/// It may be kept, or sent elsewhere, and answered later; that is OTP's `{:noreply, state}` with
/// `GenServer.reply`. Dropped unanswered, it fails the call with [`CallError::NoReply`] if the addressed
/// process lives on; if that process ends instead, the call fails with its exit reason.
///
/// ```
/// use perennial::prelude::*;
/// struct Doubler;
/// impl GenServer for Doubler {
///     type Args = ();
///     type Msg = (u64, ReplyTo<u64>);
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Doubler) }
///     fn handle(&mut self, (n, reply): Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
///         reply.send(2 * n);
///         Next::Loop
///     }
/// }
/// let doubler = perennial::gen_server::start::<Doubler>(()).unwrap();
/// assert_eq!(doubler.call(|reply| (21, reply)), Ok(42));
/// ```
#[must_use = "a call that gets no answer fails with NoReply"]
pub struct ReplyTo<T: Send + 'static> {
    pending: Option<Arc<Pending<T>>>,
}

impl<T: Send + 'static> ReplyTo<T> {
    pub(crate) fn new(pending: Arc<Pending<T>>) -> Self {
        ReplyTo {
            pending: Some(pending),
        }
    }

    /// Answers. If the caller has given up the value is dropped here.
    pub fn send(mut self, value: T) {
        if let Some(pending) = self.pending.take() {
            // First, so that whoever has the answer sees the process without the call.
            let call = Arc::as_ptr(&pending).cast::<()>() as usize;
            pending.target.core().answers(call);
            drop(pending.slot.put(Ok(value)));
        }
    }

    /// Equals `true` once nobody waits for the answer any more, or its time is over.
    pub fn is_expired(&self) -> bool {
        let Some(pending) = &self.pending else {
            return true;
        };
        let late = |deadline| pending.target.core().runtime.clock.now() >= deadline;
        pending.slot.is_done() || pending.deadline.is_some_and(late)
    }

    /// When the caller gives up; `None` if never.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().and_then(|pending| pending.deadline)
    }

    /// Who asked; [`Pid::INIT`] if a plain thread did.
    pub fn caller(&self) -> Pid {
        self.pending
            .as_ref()
            .map_or(Pid::INIT, |pending| pending.caller)
    }

    /// What its call is known by.
    pub(crate) fn call(&self) -> Option<usize> {
        let pending = self.pending.as_ref()?;
        Some(Arc::as_ptr(pending).cast::<()>() as usize)
    }

    /// Says that the answer will not come from the process that was asked, so that its callback's own calls
    /// are no part of a deadlock with this one.
    pub fn detach(&self) {
        if let Some(pending) = &self.pending {
            pending.detached.store(true, Ordering::Release);
        }
    }
}

impl<T: Send + 'static> Drop for ReplyTo<T> {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if pending.slot.is_done() {
            return;
        }
        let target = pending.target.core();
        if target.has(flag::ENDING | flag::GONE) {
            return;
        }
        let own = |process: &Arc<dyn Process>| process.core().pid == target.pid;
        if current::with(|process| process.is_some_and(own))
            && current::leave_unanswered(pending.clone())
        {
            return;
        }
        pending.fail(CallError::NoReply);
    }
}

impl<T: Send + 'static> fmt::Debug for ReplyTo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyTo({})", self.caller())
    }
}

/// How a call is watched: the number under which the addressed process knows it. Whatever the caller hears of the end,
/// it hears after those who are linked.
pub(crate) fn watch<T: Send + 'static>(pending: &Arc<Pending<T>>) -> Result<MonitorRef, CallError> {
    let core = pending.target.core();
    let monitor = core.runtime.monitor_ref();
    match core.relations.lock().add_caller(monitor, pending.clone()) {
        Ok(()) => Ok(monitor),
        Err(reason) => Err(CallError::Exited(reason)),
    }
}

/// Forgets a call that has its answer.
pub(crate) fn unwatch(target: &Arc<dyn Process>, monitor: MonitorRef) {
    let watcher = target.core().relations.lock().remove_watcher(monitor);
    drop(watcher);
}

/// The answer of a call, for those who only look.
pub(crate) fn taken<T>(pending: &Pending<T>) -> Option<Answer<T>> {
    if pending.slot.is_done() {
        pending.slot.take()
    } else {
        None
    }
}

/// A call that is watched until its answer is there, or is not wanted any more: dropped, it is given up.
pub(crate) struct Watched<T: Send + 'static> {
    pub(crate) pending: Arc<Pending<T>>,
    monitor: Option<MonitorRef>,
}

impl<T: Send + 'static> Watched<T> {
    /// Watches the addressed process; if that has ended, the call fails at once.
    pub(crate) fn new(pending: Arc<Pending<T>>) -> Self {
        let monitor = match watch(&pending) {
            Ok(monitor) => Some(monitor),
            Err(error) => {
                pending.fail(error);
                None
            }
        };
        Watched { pending, monitor }
    }
}

impl<T: Send + 'static> Drop for Watched<T> {
    fn drop(&mut self) {
        if let Some(monitor) = self.monitor {
            unwatch(self.pending.target(), monitor);
        }
        drop(self.pending.slot.close());
    }
}
