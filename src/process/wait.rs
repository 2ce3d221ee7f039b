//! How the caller of a call waits: first in place, then spinning, then parked, and always ready to meet a kill.

use crate::pid::MonitorRef;
use crate::process::call::{self, Pending, PendingCall, ReplyTo};
use crate::process::core::{Kind, Process, flag};
use crate::process::error::CallError;
use crate::process::oneshot::Answer;
use crate::process::runtime::{DeadlockPolicy, Shared};
use crate::process::{current, deadlock, unwind};
use crate::scheduler::{TimerKey, Timers};
use crate::sync::{Arc, Lazy, Parker, thread};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// How long a caller looks before it parks: an answer from another core takes a tenth of this, and to be woken five
/// times as long.
pub(crate) const PATIENCE: Duration = Duration::from_micros(10);

/// After how long it has a sleeping worker come, if it has not done so before.
const ALONE: Duration = Duration::from_micros(2);

/// After so many calls in a row for which it had to offer its processor to others, a caller parks instead: the system may
/// have put it and the worker that answers onto the same one, and parts them only when one of them wakes up.
const OFFERS_MAX: u32 = 4;

/// Every so many looks the time is looked at as well. A look takes 10 to 50 ns.
const LOOKS_BY_CLOCK: u32 = 16;

/// Whether spinning makes sense: on one core nobody can answer meanwhile. Asked once, because the system reads
/// files to find out.
static SPIN: Lazy<bool> =
    Lazy::new(|| thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));

/// How long a caller is parked before it looks for a deadlock, and again between the two looks.
const DEADLOCK_PROBE: Duration = Duration::from_millis(10);

/// Waits for the answer of a call whose request is in the mailbox.
///
/// With `notify` the scheduler has not been told of the request yet: somebody was awake who is likely to find it before a
/// worker that sleeps could get up.
pub(crate) fn for_answer<T: Send + 'static>(pending: &Arc<Pending<T>>, notify: bool) -> Answer<T> {
    wait(pending, notify)
}

/// Waits until a process that this one started has acknowledged that. Where the two wait for each other it is the
/// other's call that fails, as it would anywhere else in its `init`.
///
/// It has been watched since before it ran: whoever hears here of its end hears of it after all who are linked to it,
/// as the starter itself may be.
pub(crate) fn for_start(
    pending: &Arc<Pending<()>>,
    watch: Result<MonitorRef, CallError>,
) -> Answer<()> {
    let give_up = |error| pending.slot.close().unwrap_or(Err(error));
    let monitor = match watch {
        Ok(monitor) => monitor,
        Err(error) => return give_up(error),
    };
    if let Some(answer) = quick(pending, false) {
        call::unwatch(pending.target(), monitor);
        return answer;
    }
    let parked =
        |caller: Option<&Arc<dyn Process>>| parked(pending, caller, monitor, Part::Starter);
    match blocking(pending.target(), parked) {
        Some(answer) => answer,
        None => {
            call::unwatch(pending.target(), monitor);
            give_up(CallError::PoolExhausted)
        }
    }
}

fn wait<T: Send + 'static>(pending: &Arc<Pending<T>>, notify: bool) -> Answer<T> {
    if let Some(answer) = quick(pending, notify) {
        return answer;
    }
    let give_up = |error| pending.slot.close().unwrap_or(Err(error));
    let watched = |caller: Option<&Arc<dyn Process>>| match call::watch(pending) {
        Ok(monitor) => parked(pending, caller, monitor, Part::Caller),
        // It ended. An answer that it gave before that still counts.
        Err(error) => give_up(error),
    };
    match blocking(pending.target(), watched) {
        Some(answer) => answer,
        None => give_up(CallError::PoolExhausted),
    }
}

/// Whose wait it is, where a deadlock is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Caller,
    Starter,
}

/// Waits for what a process that is watched already was started to bring, until `deadline` at most (for ever if
/// there is none). Whatever ends the wait without an answer leaves the slot open, so that one may wait again.
pub(crate) fn for_result<T: Send + 'static>(
    pending: &Arc<Pending<T>>,
    deadline: Option<Instant>,
) -> Result<Answer<T>, CallError> {
    if let Some(answer) = quick(pending, false) {
        return Ok(answer);
    }
    let waited = blocking(pending.target(), |caller| {
        let _published = Published::new(caller, None);
        until_answered(pending, caller, deadline, Part::Caller)
    });
    waited.unwrap_or(Err(CallError::PoolExhausted))
}

thread_local! {
    /// Which call waits for which process to have started: left by a supervisor that runs in place of its caller, and
    /// taken when it has run.
    static AWAITED: RefCell<Option<(usize, Arc<dyn Process>)>> = const { RefCell::new(None) };
    /// The call whose target runs on this thread on top of its caller, 0 for none.
    static FOR_CALL: Cell<usize> = const { Cell::new(0) };
    /// Equals `true` while a process runs here because somebody waits for its `init`, and for nothing else of it: what
    /// follows may well wait for those on whose stack it would lie.
    static INIT_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the turn that has just run an `init` ends with that.
pub(crate) fn no_more_than_init() -> bool {
    INIT_ALONE.get()
}

/// Runs the `init` of a process in place.
fn init_in_place(child: Arc<dyn Process>) {
    let before = INIT_ALONE.replace(true);
    child.run_in_place();
    INIT_ALONE.set(before);
}

/// The running process will answer a call when `child` has started. If it runs in place of the caller, that has the
/// child run there next: what a caller waits for anyhow costs no wake-up.
pub(crate) fn awaits<T: Send + 'static>(
    reply: &ReplyTo<T>,
    child: impl FnOnce() -> Arc<dyn Process>,
) {
    let Some(call) = reply.call().filter(|call| FOR_CALL.get() == *call) else {
        return;
    };
    debug_assert!(current::is_right_below(reply.caller()));
    let child = child();
    if child.core().kind == Kind::Pooled {
        AWAITED.set(Some((call, child)));
    }
}

/// Runs the target of a call on top of its caller, if it is the next one of this worker.
fn target_in_place<T: Send + 'static>(pending: &Arc<Pending<T>>) {
    let before = FOR_CALL.replace(address(pending));
    pending.target().clone().run_in_place();
    FOR_CALL.set(before);
}

/// What a call is known by.
fn address<T>(pending: &Arc<Pending<T>>) -> usize {
    Arc::as_ptr(pending).cast::<()>() as usize
}

fn awaited(call: usize) -> Option<Arc<dyn Process>> {
    let awaited = AWAITED.try_with(RefCell::take).ok().flatten();
    awaited.and_then(|(of, child)| (of == call).then_some(child))
}

/// The answer, if it takes no waiting, or so little that parking would cost more.
fn quick<T: Send + 'static>(pending: &Arc<Pending<T>>, notify: bool) -> Option<Answer<T>> {
    let target = pending.target();
    if target.core().kind == Kind::Pooled {
        target_in_place(pending);
        // A caller with a deadline could not keep it while somebody's `init` runs on its stack.
        if target.core().has(flag::SUPERVISOR)
            && pending.deadline().is_none()
            && let Some(child) = awaited(address(pending))
        {
            init_in_place(child);
            target.clone().run_in_place();
        }
    }
    look_on(pending, notify)
}

/// The answer, if it comes so soon that to park would cost more.
pub(crate) fn look_on<T: Send + 'static>(
    pending: &Pending<T>,
    mut notify: bool,
) -> Option<Answer<T>> {
    let target = pending.target();
    if let Some(answer) = call::taken(pending) {
        return Some(answer);
    }
    let answer = if *SPIN && !target.core().has(flag::DETERMINISTIC) {
        look_by_the_clock(pending, &mut notify)
    } else {
        None
    };
    if answer.is_none() && notify {
        target.core().runtime.scheduler().notify();
    }
    answer
}

thread_local! {
    /// How many calls in a row this thread had to offer its processor for.
    static OFFERS: Cell<u32> = const { Cell::new(0) };
}

fn look_by_the_clock<T: Send + 'static>(
    pending: &Pending<T>,
    notify: &mut bool,
) -> Option<Answer<T>> {
    let mut began = None;
    let mut offered = false;
    for look in 1u32.. {
        std::hint::spin_loop();
        if let Some(answer) = call::taken(pending) {
            OFFERS.set(if offered { OFFERS.get() + 1 } else { 0 });
            return Some(answer);
        }
        if !look.is_multiple_of(LOOKS_BY_CLOCK) {
            continue;
        }
        let now = Instant::now();
        let looked = now - *began.get_or_insert(now);
        if looked >= ALONE {
            if looked >= PATIENCE || OFFERS.get() >= OFFERS_MAX {
                break;
            }
            if std::mem::take(notify) {
                pending.target().core().runtime.scheduler().notify();
            }
            // Whoever is to answer may be waiting for this very processor.
            thread::yield_now();
            offered = true;
        }
    }
    OFFERS.set(0);
    None
}

fn blocking<R>(
    target: &Arc<dyn Process>,
    wait: impl FnOnce(Option<&Arc<dyn Process>>) -> R,
) -> Option<R> {
    blocking_in(&target.core().runtime, wait)
}

/// Runs `wait` for the process of this thread, with a spare worker in its place if it is a pooled one; `None` if
/// there is none to be had.
fn blocking_in<R>(shared: &Shared, wait: impl FnOnce(Option<&Arc<dyn Process>>) -> R) -> Option<R> {
    let caller = current::process();
    let pooled = caller
        .as_ref()
        .is_some_and(|caller| caller.core().kind == Kind::Pooled);
    if !pooled {
        return Some(wait(caller.as_ref()));
    }
    shared.scheduler().block(|| wait(caller.as_ref())).ok()
}

/// Takes back what waiting has published, whatever way it ends.
struct Published<'a> {
    caller: Option<&'a Arc<dyn Process>>,
    /// Those on whose stack the caller waits: they wait with it.
    below: Vec<Arc<dyn Process>>,
    watch: Option<(&'a Arc<dyn Process>, MonitorRef)>,
}

impl<'a> Published<'a> {
    fn new(
        caller: Option<&'a Arc<dyn Process>>,
        watch: Option<(&'a Arc<dyn Process>, MonitorRef)>,
    ) -> Self {
        let below = current::below();
        if let Some(caller) = caller {
            for process in &below {
                process.core().start_lying_under(caller);
            }
        }
        Published {
            caller,
            below,
            watch,
        }
    }
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        if let Some((target, monitor)) = self.watch {
            call::unwatch(target, monitor);
        }
        for process in self.caller.into_iter().chain(&self.below) {
            process.core().stop_waiting();
        }
    }
}

fn parked<T: Send + 'static>(
    pending: &Arc<Pending<T>>,
    caller: Option<&Arc<dyn Process>>,
    monitor: MonitorRef,
    part: Part,
) -> Answer<T> {
    let _published = Published::new(caller, Some((pending.target(), monitor)));
    until_answered(pending, caller, pending.deadline(), part)
        .unwrap_or_else(|error| pending.slot.close().unwrap_or(Err(error)))
}

/// Parks until there is an answer; the error says why there is none, and leaves the slot open.
fn until_answered<T: Send + 'static>(
    pending: &Arc<Pending<T>>,
    caller: Option<&Arc<dyn Process>>,
    deadline: Option<Instant>,
    part: Part,
) -> Result<Answer<T>, CallError> {
    let waiting = Waiting {
        shared: &pending.target().core().runtime,
        call: Some(pending.clone()),
        caller,
        deadline,
        part,
    };
    let look = |parker: &Arc<Parker>| {
        let done = !pending.slot.park_with(parker);
        done.then(|| pending.slot.close().unwrap_or(Err(CallError::NoReply)))
    };
    waiting.until(look, || drop(pending.slot.close()))
}

/// Waits for whatever comes first of what `look` looks for, until `deadline` at most (for ever if there is none). A
/// `look` that finds nothing leaves the parker where whoever brings something finds it. `call` is the one whose answer
/// it is, if there is but one: then a deadlock is found.
pub(crate) fn for_any<R>(
    shared: &Arc<Shared>,
    call: Option<Arc<dyn PendingCall>>,
    deadline: Option<Instant>,
    mut look: impl FnMut(&Arc<Parker>) -> Option<R>,
) -> Result<R, CallError> {
    current::checkpoint();
    if let Some(found) = look(&current::parker()) {
        return Ok(found);
    }
    if current::leaving() {
        return Err(CallError::Exiting);
    }
    if deadline.is_some_and(|deadline| shared.clock.now() >= deadline) {
        return Err(CallError::Timeout);
    }
    let waited = blocking_in(shared, |caller| {
        let _published = Published::new(caller, None);
        let waiting = Waiting {
            shared,
            call,
            caller,
            deadline,
            part: Part::Caller,
        };
        waiting.until(look, || {})
    });
    waited.unwrap_or(Err(CallError::PoolExhausted))
}

/// One wait: for what, whose, and how long.
struct Waiting<'a> {
    shared: &'a Arc<Shared>,
    call: Option<Arc<dyn PendingCall>>,
    caller: Option<&'a Arc<dyn Process>>,
    deadline: Option<Instant>,
    part: Part,
}

impl Waiting<'_> {
    /// Parks until `look` finds something; `give_up` runs before the caller unwinds from here.
    fn until<R>(
        self,
        mut look: impl FnMut(&Arc<Parker>) -> Option<R>,
        give_up: impl FnOnce(),
    ) -> Result<R, CallError> {
        let parker = current::parker();
        let looks = self.call.is_some();
        if let Some(caller) = self.caller {
            caller.core().start_waiting(parker.clone(), self.call);
        }
        let mut probe = Probe::new(self.shared, self.caller.filter(|_| looks), self.part);
        loop {
            if let Some(found) = look(&parker) {
                return Ok(found);
            }
            if let Some(caller) = self.caller
                && let Some((reason, by)) = current::doom(caller)
            {
                if thread::panicking() {
                    return Err(CallError::Exiting);
                }
                give_up();
                unwind::leave(reason, by);
            }
            let now = self.shared.clock.now();
            if self.deadline.is_some_and(|deadline| now >= deadline) {
                return Err(CallError::Timeout);
            }
            if let Some(path) = probe.look(now) {
                return Err(CallError::Deadlock(path));
            }
            let until = [self.deadline, probe.at].into_iter().flatten().min();
            park_until(self.shared, &parker, until);
        }
    }
}

/// Parks until `until` by the clock of the runtime. May return early.
pub(crate) fn park_until(shared: &Arc<Shared>, parker: &Arc<Parker>, until: Option<Instant>) {
    let scheduler = shared.scheduler();
    let Some(until) = until else {
        if !scheduler.park(parker) {
            parker.park();
        }
        return;
    };
    if !shared.clock.is_manual() {
        parker.park_until(Some(until));
        return;
    }
    let waker = parker.clone();
    let timers = scheduler.timers();
    let key = timers.insert(until, Box::new(move || waker.unpark()));
    let _timer = Timer(timers, key);
    if !scheduler.park(parker) {
        parker.park();
    }
}

/// A timer that goes with a wait, whatever way that ends.
struct Timer<'a>(&'a Timers, TimerKey);

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.0.discard(self.1);
    }
}

/// The two looks for a deadlock of one wait.
struct Probe<'a> {
    shared: &'a Arc<Shared>,
    caller: Option<&'a Arc<dyn Process>>,
    part: Part,
    at: Option<Instant>,
    seen: Option<Vec<usize>>,
}

impl<'a> Probe<'a> {
    fn new(shared: &'a Arc<Shared>, caller: Option<&'a Arc<dyn Process>>, part: Part) -> Self {
        let on = caller.is_some() && shared.settings.deadlock != DeadlockPolicy::Off;
        let at = on.then(|| shared.clock.now() + DEADLOCK_PROBE);
        Probe {
            shared,
            caller,
            part,
            at,
            seen: None,
        }
    }

    /// Looks if it is time to; the path if the same deadlock was seen twice and is to be reported as an error.
    fn look(&mut self, now: Instant) -> Option<Vec<crate::Pid>> {
        let caller = self.caller?;
        if self.at.is_none_or(|at| now < at) {
            return None;
        }
        let Some(cycle) = deadlock::cycle_of(caller) else {
            // A cycle is closed by the last one to park, and that one will look. So one look without a
            // cycle, after everybody's requests have arrived, is enough.
            self.at = None;
            return None;
        };
        let identity = cycle.identity();
        if self.seen.as_ref() != Some(&identity) {
            self.seen = Some(identity);
            self.at = Some(now + DEADLOCK_PROBE);
            return None;
        }
        self.at = None;
        if self.shared.settings.deadlock != DeadlockPolicy::Error {
            deadlock::report(self.shared, &cycle.path);
            return None;
        }
        // Two of a circle may see it in the same moment; whoever comes first breaks it, and it is broken once.
        let breaking = self.shared.deadlocks.lock();
        let cycle = deadlock::cycle_of(caller).filter(|cycle| cycle.identity() == identity)?;
        let another = self.part == Part::Starter && cycle.fail_another();
        if !another {
            caller.core().stop_waiting();
        }
        drop(breaking);
        deadlock::report(self.shared, &cycle.path);
        (!another).then_some(cycle.path)
    }
}
