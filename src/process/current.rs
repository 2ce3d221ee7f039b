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
use std::mem::ManuallyDrop;
use std::time::Instant;

thread_local! {
    static HERE: Here = const {
        Here {
            process: RefCell::new(ManuallyDrop::new(None)),
            on_top: Cell::new(false),
            deadline: Cell::new(None),
            in_callback: Cell::new(false),
            has_unanswered: Cell::new(false),
            hurries: Cell::new(false),
            undisturbed: Cell::new(false),
        }
    };
    /// Who runs on top of the one in `HERE`, from the bottom up: each runs in place of the one below it that calls it,
    /// or is being started by that.
    static ON_TOP: RefCell<Vec<Arc<dyn Process>>> = const { RefCell::new(Vec::new()) };
    /// Requests that the running callback has dropped.
    static UNANSWERED: RefCell<Vec<Arc<dyn PendingCall>>> = const { RefCell::new(Vec::new()) };
    static ENTERED: RefCell<Vec<Arc<Shared>>> = const { RefCell::new(Vec::new()) };
    static PARKER: OnceCell<Arc<Parker>> = const { OnceCell::new() };
}

/// What every message touches. Nothing in it is dropped, so a look at it is a look at memory, until the thread's last
/// moment.
struct Here {
    /// The lowest process of the stack. Set and taken back by [`Entered`] or [`occupy`], which lie on the stack of the
    /// thread, so nothing is left in it.
    process: RefCell<ManuallyDrop<Option<Arc<dyn Process>>>>,
    /// Equals `true` while there is somebody in `ON_TOP`.
    on_top: Cell<bool>,
    /// When the request that the running callback handles is due: nested calls inherit it.
    deadline: Cell<Option<Instant>>,
    /// Equals `true` while a behaviour's callback runs: its end decides what became of dropped requests.
    in_callback: Cell<bool>,
    /// Equals `true` while there is something in `UNANSWERED`.
    has_unanswered: Cell<bool>,
    /// Equals `true` while a timer fires, as all others wait for it.
    hurries: Cell<bool>,
    /// Equals `true` while the process runs code that is not to be cut short by its end.
    undisturbed: Cell<bool>,
}

impl Here {
    #[inline]
    fn put(&self, process: Arc<dyn Process>) {
        *self.process.borrow_mut() = ManuallyDrop::new(Some(process));
    }

    #[inline]
    fn take(&self) -> Option<Arc<dyn Process>> {
        ManuallyDrop::into_inner(self.process.replace(ManuallyDrop::new(None)))
    }

    #[inline]
    fn is_taken(&self) -> bool {
        self.process.borrow().is_some()
    }
}

/// Runs a turn of `process` as the current one of this thread. The handle itself lies where the thread's functions find it,
/// so that no second one has to be counted.
#[inline]
pub(crate) fn occupy<R>(
    process: Arc<dyn Process>,
    turn: impl FnOnce(&Arc<dyn Process>) -> R,
) -> (R, Arc<dyn Process>) {
    HERE.with(|here| {
        if here.is_taken() {
            let _entered = enter(process.clone());
            return (turn(&process), process);
        }
        here.put(process);
        let _seat = Seat(here);
        let ran = here.process.borrow().as_ref().map(turn);
        // Every callback has left the rest as it found it, and its end may have dropped requests.
        drop(take_unanswered(here));
        ran.zip(here.take()).expect("what was put there is there")
    })
}

/// Whoever unwinds out of a turn leaves nobody behind.
struct Seat<'a>(&'a Here);

impl Drop for Seat<'_> {
    #[inline]
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// Puts a process onto this thread until dropped; what was there before comes back.
pub(crate) struct Entered {
    /// Equals `true` if there was a process before.
    nested: bool,
    in_callback: bool,
    emitting: bool,
    undisturbed: bool,
    deadline: Option<Instant>,
    /// A process that runs in place of a waiting one decides only about its own requests.
    unanswered: Unanswered,
}

/// Makes `process` the current one of this thread.
pub(crate) fn enter(process: Arc<dyn Process>) -> Entered {
    HERE.with(|here| {
        let nested = here.is_taken();
        if nested {
            ON_TOP.with_borrow_mut(|on_top| on_top.push(process));
            here.on_top.set(true);
        } else {
            here.put(process);
        }
        Entered {
            nested,
            deadline: here.deadline.replace(None),
            in_callback: here.in_callback.replace(false),
            emitting: telemetry::set_emitting(false),
            undisturbed: here.undisturbed.replace(false),
            unanswered: take_unanswered(here),
        }
    })
}

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.with(|here| {
            let process = if self.nested {
                ON_TOP.with_borrow_mut(|on_top| {
                    let process = on_top.pop();
                    here.on_top.set(!on_top.is_empty());
                    process
                })
            } else {
                here.take()
            };
            here.deadline.set(self.deadline);
            here.in_callback.set(self.in_callback);
            telemetry::set_emitting(self.emitting);
            here.undisturbed.set(self.undisturbed);
            let left = take_unanswered(here);
            if let Some(unanswered) = self.unanswered.take() {
                here.has_unanswered.set(true);
                UNANSWERED.set(unanswered);
            }
            drop((process, left));
        });
    }
}

#[inline]
fn take_unanswered(here: &Here) -> Unanswered {
    here.has_unanswered
        .replace(false)
        .then(|| UNANSWERED.take())
}

/// Requests that a callback has dropped without an answer; as a rule none.
pub(crate) type Unanswered = Option<Vec<Arc<dyn PendingCall>>>;

/// The process that runs on this thread.
pub(crate) fn process() -> Option<Arc<dyn Process>> {
    with(|process| process.cloned())
}

/// Whose stack the process that runs on this thread is on top of, from the bottom up.
pub(crate) fn below() -> Vec<Arc<dyn Process>> {
    if !HERE.with(|here| here.on_top.get()) {
        return Vec::new();
    }
    let mut all: Vec<_> = HERE.with(|here| here.process.borrow().iter().cloned().collect());
    ON_TOP.with_borrow(|on_top| all.extend(on_top.iter().cloned()));
    all.pop();
    all
}

/// Whether the process that runs on this thread does so in place of this one.
pub(crate) fn is_right_below(pid: Pid) -> bool {
    below().last().is_some_and(|last| last.core().pid == pid)
}

/// The process that runs on this thread, or the error that there is none.
pub(crate) fn required() -> Result<Arc<dyn Process>, NotAProcess> {
    process().ok_or(NotAProcess)
}

/// Looks at the process that runs on this thread without counting a reference.
#[inline]
pub(crate) fn with<R>(look: impl FnOnce(Option<&Arc<dyn Process>>) -> R) -> R {
    HERE.with(|here| match here.on_top.get() {
        false => look(here.process.borrow().as_ref()),
        true => ON_TOP.with_borrow(|on_top| look(on_top.last())),
    })
}

/// The pid of the process that runs on this thread; [`Pid::INIT`] on a plain thread.
#[inline]
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

/// Looks at what [`runtime`] says without counting a reference. `look` enters and leaves none.
#[inline]
pub(crate) fn with_runtime<R>(look: impl FnOnce(Option<&Arc<Shared>>) -> R) -> R {
    with(|process| {
        if let Some(process) = process {
            return look(Some(&process.core().runtime));
        }
        let mut look = Some(look);
        let entered = ENTERED.try_with(|entered| {
            let entered = entered.borrow();
            let shared = entered.last();
            look.take().map(|look| look(shared))
        });
        match (entered.ok().flatten(), look) {
            (Some(looked), _) => looked,
            (None, Some(look)) => look(None),
            (None, None) => unreachable!("who looked has seen"),
        }
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
#[inline]
pub(crate) fn deadline() -> Option<Instant> {
    HERE.with(|here| here.deadline.get())
}

/// A callback begins: what it calls inherits `deadline`.
#[inline]
pub(crate) fn begin_callback(deadline: Option<Instant>) {
    HERE.with(|here| {
        here.deadline.set(deadline);
        here.in_callback.set(true);
    });
}

/// A callback has ended, well or not; the requests that it dropped without an answer.
#[inline]
pub(crate) fn end_callback() -> Unanswered {
    HERE.with(|here| {
        here.deadline.set(None);
        here.in_callback.set(false);
        take_unanswered(here)
    })
}

/// Requests that were dropped by a process that lives on.
#[inline]
pub(crate) fn fail_unanswered(unanswered: Unanswered) {
    if let Some(unanswered) = unanswered {
        fail_all(unanswered);
    }
}

#[cold]
fn fail_all(unanswered: Vec<Arc<dyn PendingCall>>) {
    for call in unanswered {
        call.fail(CallError::NoReply);
    }
}

/// A request of the running process was dropped without an answer. `false` if nobody will decide later what that
/// meant: the end of the callback that runs, or, if the thread unwinds, the end of the process or the next look
/// at its mailbox.
pub(crate) fn leave_unanswered(call: Arc<dyn PendingCall>) -> bool {
    HERE.with(|here| {
        if !here.in_callback.get() && !thread::panicking() {
            return false;
        }
        here.has_unanswered.set(true);
        UNANSWERED.with_borrow_mut(|unanswered| unanswered.push(call));
        true
    })
}

/// The running process meets what was sent to it: a kill always, an exit signal if it is deadly. Returns only
/// if there is nothing of the kind, or if the thread unwinds already.
#[inline]
pub(crate) fn checkpoint() {
    with(|process| {
        if let Some(process) = process {
            checkpoint_of(process);
        }
    });
}

/// As [`checkpoint`], by whoever has the running process in hand.
#[inline]
pub(crate) fn checkpoint_of(process: &Arc<dyn Process>) {
    let flags = flag::KILLED | flag::GONE | flag::EXIT_QUEUED | flag::DETERMINISTIC;
    if process.core().has(flags) {
        meet(process);
    }
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
#[inline]
pub(crate) fn put_aside(process: &Arc<dyn Process>) {
    let core = process.core();
    if core.has(flag::DETERMINISTIC) {
        core.runtime.scheduler().put_aside();
    }
}

/// Equals `true` while the process that runs on this thread leaves its code or drops its state: what it does
/// then are its destructors, which may neither wait nor begin another unwind.
#[inline]
pub(crate) fn leaving() -> bool {
    with(|process| {
        process.is_some_and(|process| thread::panicking() || process.core().has(flag::ENDING))
    })
}

/// What runs on this thread until the guard is dropped must not wait, whatever it sends to: others wait for it.
pub(crate) fn forbid_waiting() -> Hurry {
    Hurry(HERE.with(|here| here.hurries.replace(true)))
}

/// Equals `true` where a send to a full mailbox does not wait for room.
pub(crate) fn must_not_wait() -> bool {
    leaving() || HERE.with(|here| here.hurries.get())
}

/// See [`forbid_waiting`].
pub(crate) struct Hurry(bool);

impl Drop for Hurry {
    fn drop(&mut self) {
        HERE.with(|here| here.hurries.set(self.0));
    }
}

/// What runs on this thread until the guard is dropped is not cut short by the end of the process: that is met at the first
/// call of the library afterwards. For callbacks whose panics are caught, which would take the end for one of those.
#[cfg_attr(
    not(feature = "web"),
    allow(dead_code, reason = "for the callbacks of the web layer")
)]
pub(crate) fn undisturbed() -> Undisturbed {
    Undisturbed(HERE.with(|here| here.undisturbed.replace(true)))
}

/// See [`undisturbed`].
#[cfg_attr(
    not(feature = "web"),
    allow(dead_code, reason = "for the callbacks of the web layer")
)]
pub(crate) struct Undisturbed(bool);

impl Drop for Undisturbed {
    fn drop(&mut self) {
        HERE.with(|here| here.undisturbed.set(self.0));
    }
}

/// Why the process has to end now, if it has to. One that drops its state already has met its end; one that tells of an
/// event goes on until its listeners have heard it, and one whose code is [`undisturbed`] until that is through: they
/// would be cut short.
pub(crate) fn doom(process: &Arc<dyn Process>) -> Option<(ExitReason, By)> {
    let core = process.core();
    let is_later = telemetry::emitting() || HERE.with(|here| here.undisturbed.get());
    if core.has(flag::ENDING) || is_later {
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
