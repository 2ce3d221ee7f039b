//! Timers: a message later, or again and again, or an exit signal later.

use crate::pid::TimerRef;
use crate::process::dest::Dest;
use crate::process::error::TryCastError;
use crate::process::id::ProcessId;
use crate::process::runtime::{self, Shared};
use crate::process::{current, exit};
use crate::reason::ExitReason;
use crate::scheduler::TimerKey;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, RankedMutex, rank};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// The timers that have not fired. One that fires once is known to the scheduler by its reference; an interval is known
/// here, as each of its ticks is another timer there.
#[derive(Default)]
pub(crate) struct Timers {
    once: AtomicUsize,
    /// Lock order: before the scheduler's own lock of its timers, under which nothing fires.
    intervals: RankedMutex<HashMap<TimerRef, TimerKey>, { rank::TIMER_KEYS }>,
}

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.once.load(Ordering::Relaxed) + self.intervals.lock().len()
    }

    fn one_less(&self) {
        self.once.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Calls `fire` after `delay` on the thread of the timers. After a delay beyond what the clock can tell, it never
    /// does.
    pub(crate) fn after(
        self: &Arc<Self>,
        delay: Duration,
        fire: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> TimerRef {
        let Some(at) = self.clock.now().checked_add(delay) else {
            return self.timer_ref();
        };
        self.timers.once.fetch_add(1, Ordering::Relaxed);
        let key = self.arm(at, |shared| {
            shared.timers.one_less();
            fire(shared);
        });
        let (number, place) = key.parts();
        TimerRef::new(number, Some(place))
    }

    fn arm(
        self: &Arc<Self>,
        at: Instant,
        fire: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> TimerKey {
        let weak = Arc::downgrade(self);
        let fire = move || {
            if let Some(shared) = weak.upgrade() {
                // Names are looked up in the current runtime, and the thread of the timers has none of its own.
                let _entered = runtime::enter(&shared);
                let _hurry = current::forbid_waiting();
                fire(&shared);
            }
        };
        self.scheduler().timers().insert(at, Box::new(fire))
    }

    /// Where the scheduler has a timer now.
    fn key_of(&self, timer: TimerRef) -> Option<TimerKey> {
        match timer.place() {
            Some(place) => Some(TimerKey::from_parts((timer.number(), place))),
            None => self.timers.intervals.lock().get(&timer).copied(),
        }
    }

    pub(crate) fn cancel(&self, timer: TimerRef) -> Option<Duration> {
        let timers = self.scheduler().timers();
        if timer.place().is_some() {
            let left = timers.cancel(self.key_of(timer)?)?;
            self.timers.one_less();
            return Some(left);
        }
        let key = self.timers.intervals.lock().remove(&timer)?;
        // The tick may have begun to fire; it finds its reference gone then, and is the last.
        Some(timers.cancel(key).unwrap_or_default())
    }
}

/// Sends `message` to `dest` after `delay`. A name is resolved when the timer fires. A process that has ended by
/// then gets nothing, silently.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process::{self, Received};
/// use std::time::{Duration, Instant};
/// process::run::<&str, _>(|cx| {
///     process::send_after(Duration::from_millis(1), cx.me().clone(), "tick");
///     assert_eq!(cx.receive(), Received::Message("tick"));
/// }).unwrap();
/// ```
pub fn send_after<D: Dest + Send + 'static>(delay: Duration, dest: D, message: D::Msg) -> TimerRef {
    runtime::current().after(delay, move |_| drop(dest.try_cast(message)))
}

/// Sends `make()` to `dest` every `period`, the first time after one period, until cancelled or until the
/// process is gone. A period shorter than a millisecond counts as one. Ticks do not drift: what comes late does not
/// make the next one late. If `make` panics there are no more.
pub fn send_interval<D: Dest + Send + 'static>(
    period: Duration,
    dest: D,
    make: impl FnMut() -> D::Msg + Send + 'static,
) -> TimerRef {
    let shared = runtime::current();
    let timer = shared.timer_ref();
    let period = period.max(Duration::from_millis(1));
    let due = shared.clock.now().checked_add(period);
    let mut keys = shared.timers.intervals.lock();
    tick(&shared, &mut keys, timer, (due, period), dest, make);
    timer
}

/// Arms the next tick of an interval, for a moment and with what lies between ticks. Its reference stays known
/// while it fires, so that a cancel is never lost.
fn tick<D: Dest + Send + 'static>(
    shared: &Arc<Shared>,
    keys: &mut HashMap<TimerRef, TimerKey>,
    timer: TimerRef,
    (due, period): (Option<Instant>, Duration),
    dest: D,
    mut make: impl FnMut() -> D::Msg + Send + 'static,
) {
    let Some(at) = due else {
        keys.remove(&timer);
        return;
    };
    let key = shared.arm(at, move |shared| {
        if !shared.timers.intervals.lock().contains_key(&timer) {
            return;
        }
        // A name may be taken again by a restarted process; one incarnation never comes back.
        let send = || matches!(dest.try_cast(make()), Err(TryCastError::NoProc(_))) && !D::SURVIVES;
        let sent = catch_unwind(AssertUnwindSafe(send));
        let mut keys = shared.timers.intervals.lock();
        let over = match sent {
            Ok(over) => over,
            Err(payload) => {
                keys.remove(&timer);
                drop(keys);
                resume_unwind(payload);
            }
        };
        if over {
            keys.remove(&timer);
        } else if keys.contains_key(&timer) {
            let next = at.checked_add(period);
            tick(shared, &mut keys, timer, (next, period), dest, make);
        }
    });
    keys.insert(timer, key);
}

/// Sends an exit signal after `delay`, as [`process::exit`](fn@crate::process::exit) would then, on behalf of whoever
/// sets the timer. A name is resolved when the timer fires; if nobody is there nothing happens.
///
/// ```
/// use perennial::{ExitReason, process};
/// use std::time::Duration;
/// let worker = process::spawn::<()>(|cx| drop(cx.receive()));
/// let mut watch = process::watch(&worker);
/// process::exit_after(Duration::from_millis(1), &worker, ExitReason::Shutdown);
/// assert_eq!(watch.wait(Duration::MAX).unwrap().reason, ExitReason::Shutdown);
/// ```
pub fn exit_after(delay: Duration, to: impl Into<ProcessId>, reason: ExitReason) -> TimerRef {
    let (to, from) = (to.into(), current::pid());
    runtime::current().after(delay, move |shared| {
        let (_, _, receiver) = to.resolve(shared);
        match receiver {
            Some(receiver) if reason == ExitReason::Kill => exit::kill(&receiver),
            Some(receiver) => exit::send(&receiver, from, reason),
            None => {}
        }
    })
}

/// [`exit_after`] with `Kill`.
pub fn kill_after(delay: Duration, to: impl Into<ProcessId>) -> TimerRef {
    exit_after(delay, to, ExitReason::Kill)
}

/// Cancels a timer: how long it had left, or `None` if it has fired or is unknown.
pub fn cancel_timer(timer: TimerRef) -> Option<Duration> {
    runtime::current().cancel(timer)
}

/// How long a timer has left; `None` if it has fired or is unknown.
pub fn read_timer(timer: TimerRef) -> Option<Duration> {
    let shared = runtime::current();
    let key = shared.key_of(timer)?;
    shared.scheduler().timers().remaining(key)
}
