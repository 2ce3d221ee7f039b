//! What runs on this thread at this moment: which process, in which runtime, until when.

use crate::pid::Pid;
use crate::process::call::PendingCall;
use crate::process::core::{Process, flag};
use crate::process::error::{CallError, NotAProcess};
use crate::process::runtime::Shared;
use crate::process::unwind::{self, By};
use crate::reason::ExitReason;
use crate::sync::{Arc, Parker, thread};
use crate::telemetry;
use std::cell::{Cell, OnceCell, RefCell};
use std::time::Instant;

thread_local! {
    static PROCESS: RefCell<Option<Arc<dyn Process>>> = const { RefCell::new(None) };
    /// Whose stack the running process is on top of, from the bottom up: it runs in place of a process that
    /// calls it, or is being started by one.
    static BELOW: RefCell<Vec<Arc<dyn Process>>> = const { RefCell::new(Vec::new()) };
    /// When the request that the running callback handles is due: nested calls inherit it.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Equals `true` while a behaviour's callback runs: its end decides what became of dropped requests.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static UNANSWERED: RefCell<Vec<Arc<dyn PendingCall>>> = const { RefCell::new(Vec::new()) };
    static ENTERED: RefCell<Vec<Arc<Shared>>> = const { RefCell::new(Vec::new()) };
    /// Equals `true` while a timer fires, as all others wait for it.
    static HURRIES: Cell<bool> = const { Cell::new(false) };
    static PARKER: OnceCell<Arc<Parker>> = const { OnceCell::new() };
}

/// Puts a process onto this thread until dropped; what was there before comes back.
pub(crate) struct Entered {
    /// Equals `true` if there was a process before.
    nested: bool,
    deadline: Option<Instant>,
    in_callback: bool,
    emitting: bool,
    unanswered: Vec<Arc<dyn PendingCall>>,
}

/// Makes `process` the current one of this thread.
pub(crate) fn enter(process: Arc<dyn Process>) -> Entered {
    let before = PROCESS.replace(Some(process));
    let nested = before.is_some();
    BELOW.with_borrow_mut(|below| below.extend(before));
    Entered {
        nested,
        deadline: DEADLINE.replace(None),
        in_callback: IN_CALLBACK.replace(false),
        emitting: telemetry::set_emitting(false),
        // A process that runs in place of a waiting one decides only about its own requests.
        unanswered: UNANSWERED.take(),
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = if self.nested {
            BELOW.with_borrow_mut(Vec::pop)
        } else {
            None
        };
        let process = PROCESS.replace(before);
        DEADLINE.set(self.deadline);
        IN_CALLBACK.set(self.in_callback);
        telemetry::set_emitting(self.emitting);
        let left = UNANSWERED.replace(std::mem::take(&mut self.unanswered));
        drop((process, left));
    }
}

/// The process that runs on this thread.
pub(crate) fn process() -> Option<Arc<dyn Process>> {
    PROCESS
        .try_with(|process| process.borrow().clone())
        .ok()
        .flatten()
}

/// Whose stack the process that runs on this thread is on top of.
pub(crate) fn below() -> Vec<Arc<dyn Process>> {
    BELOW.with_borrow(Clone::clone)
}

/// The process that runs on this thread, or the error that there is none.
pub(crate) fn required() -> Result<Arc<dyn Process>, NotAProcess> {
    process().ok_or(NotAProcess)
}

/// Looks at the process that runs on this thread without counting a reference.
pub(crate) fn with<R>(look: impl FnOnce(Option<&Arc<dyn Process>>) -> R) -> R {
    let mut look = Some(look);
    let seen = PROCESS.try_with(|process| look.take().map(|look| look(process.borrow().as_ref())));
    match (seen, look) {
        (Ok(Some(result)), _) => result,
        (_, Some(look)) => look(None),
        // The closure was taken only if it ran, and then there was a result.
        (_, None) => unreachable!("a closure that ran gave a result"),
    }
}

/// The pid of the process that runs on this thread; [`Pid::INIT`] on a plain thread.
pub(crate) fn pid() -> Pid {
    with(|process| process.map_or(Pid::INIT, |process| process.core().pid))
}

/// The runtime of the running process, else the one entered, else none.
pub(crate) fn runtime() -> Option<Arc<Shared>> {
    with(|process| process.map(|process| process.core().runtime.clone())).or_else(|| {
        ENTERED
            .try_with(|entered| entered.borrow().last().cloned())
            .ok()
            .flatten()
    })
}

/// Makes a runtime the current one of this thread.
pub(crate) fn push_runtime(shared: Arc<Shared>) {
    ENTERED.with_borrow_mut(|entered| entered.push(shared));
}

pub(crate) fn pop_runtime(shared: &Arc<Shared>) {
    let popped = ENTERED.with_borrow_mut(|entered| {
        let at = entered.iter().rposition(|one| Arc::ptr_eq(one, shared));
        at.map(|at| entered.remove(at))
    });
    drop(popped);
}

/// The parker of this thread: everything that waits on it waits here.
pub(crate) fn parker() -> Arc<Parker> {
    PARKER.with(|parker| parker.get_or_init(Arc::default).clone())
}

/// When the request that the running callback handles is due.
pub(crate) fn deadline() -> Option<Instant> {
    DEADLINE.get()
}

/// A callback begins: what it calls inherits `deadline`.
pub(crate) fn begin_callback(deadline: Option<Instant>) {
    DEADLINE.set(deadline);
    IN_CALLBACK.set(true);
}

/// A callback has ended, well or not; the requests that it dropped without an answer.
pub(crate) fn end_callback() -> Vec<Arc<dyn PendingCall>> {
    DEADLINE.set(None);
    IN_CALLBACK.set(false);
    UNANSWERED.take()
}

/// Requests that were dropped by a process that lives on.
pub(crate) fn fail_unanswered(unanswered: Vec<Arc<dyn PendingCall>>) {
    for call in unanswered {
        call.fail(CallError::NoReply);
    }
}

/// A request of the running process was dropped without an answer. `false` if nobody will decide later what that
/// meant: the end of the callback that runs, or, if the thread unwinds, the end of the process or the next look
/// at its mailbox.
pub(crate) fn leave_unanswered(call: Arc<dyn PendingCall>) -> bool {
    if !IN_CALLBACK.get() && !thread::panicking() {
        return false;
    }
    UNANSWERED.with_borrow_mut(|unanswered| unanswered.push(call));
    true
}

/// The running process meets what was sent to it: a kill always, an exit signal if it is deadly. Returns only
/// if there is nothing of the kind, or if the thread unwinds already.
pub(crate) fn checkpoint() {
    with(|process| {
        if let Some(process) = process
            && process
                .core()
                .has(flag::KILLED | flag::GONE | flag::EXIT_QUEUED | flag::DETERMINISTIC)
        {
            meet(process);
        }
    });
}

#[cold]
fn meet(process: &Arc<dyn Process>) {
    put_aside_in_code(process);
    if let Some((reason, by)) = doom(process)
        && !thread::panicking()
    {
        unwind::leave(reason, by);
    }
}

/// As [`put_aside`], where user code runs: not where that is a destructor or a listener, which may hold locks of its own.
fn put_aside_in_code(process: &Arc<dyn Process>) {
    if !thread::panicking() && !telemetry::emitting() && !process.core().has(flag::ENDING) {
        put_aside(process);
    }
}

/// In the middle of an operation of the process that runs on this thread, another one may go first.
#[cold]
pub(crate) fn another_may_go_first() {
    with(|process| process.into_iter().for_each(put_aside_in_code));
}

/// A place where in a deterministic runtime another process may go first; in any other, nothing.
pub(crate) fn put_aside(process: &Arc<dyn Process>) {
    let core = process.core();
    if core.has(flag::DETERMINISTIC) {
        core.runtime.scheduler().put_aside();
    }
}

/// Equals `true` while the process that runs on this thread leaves its code or drops its state: what it does
/// then are its destructors, which may neither wait nor begin another unwind.
pub(crate) fn leaving() -> bool {
    with(|process| {
        process.is_some_and(|process| thread::panicking() || process.core().has(flag::ENDING))
    })
}

/// What runs on this thread until the guard is dropped must not wait, whatever it sends to: others wait for it.
pub(crate) fn forbid_waiting() -> Hurry {
    Hurry(HURRIES.replace(true))
}

/// Equals `true` where a send to a full mailbox does not wait for room.
pub(crate) fn must_not_wait() -> bool {
    leaving() || HURRIES.get()
}

/// See [`forbid_waiting`].
pub(crate) struct Hurry(bool);

impl Drop for Hurry {
    fn drop(&mut self) {
        HURRIES.set(self.0);
    }
}

/// Why the process has to end now, if it has to. One that drops its state already has met its end, and one that
/// tells of an event goes on until its listeners have heard it: they would be cut short.
pub(crate) fn doom(process: &Arc<dyn Process>) -> Option<(ExitReason, By)> {
    let core = process.core();
    if core.has(flag::ENDING) || telemetry::emitting() {
        return None;
    }
    if core.has(flag::KILLED | flag::GONE) {
        return Some((ExitReason::Killed, By::Signal));
    }
    if !core.has(flag::EXIT_QUEUED) {
        return None;
    }
    let relations = core.relations.lock();
    if !relations.has_exits() {
        core.clear(flag::EXIT_QUEUED);
        return None;
    }
    relations.first_deadly(core.pid, core.traps_exit())
}

/// The exit that the running process raised and whose unwind did not reach the kernel, or just has.
pub(crate) fn take_raised() -> Option<ExitReason> {
    with(|process| {
        let core = process?.core();
        if !core.has(flag::EXIT_QUEUED) {
            return None;
        }
        let raised = core.relations.lock().take_raised();
        raised.first().map(|first| first.reason().clone())
    })
}
