//! Timers: a message later, or again and again, or an exit signal later.

use crate::pid::TimerRef;
use crate::process::dest::Dest;
use crate::process::error::TryCastError;
use crate::process::id::ProcessId;
use crate::process::runtime::{self, Shared};
use crate::process::{current, exit};
use crate::reason::ExitReason;
use crate::scheduler::TimerKey;
use crate::sync::{Arc, RankedMutex, rank};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// The timers that have not fired, by the reference their owner knows them under.
#[derive(Default)]
pub(crate) struct Timers {
    /// Lock order: before the scheduler's own lock of its timers, under which nothing fires.
    keys: RankedMutex<HashMap<TimerRef, TimerKey>, { rank::TIMER_KEYS }>,
}

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.keys.lock().len()
    }
}

impl Shared {
    /// Calls `fire` after `delay` on the thread of the timers.
    pub(crate) fn after(
        self: &Arc<Self>,
        delay: Duration,
        fire: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> TimerRef {
        let timer = self.timer_ref();
        let fire = move |shared: &Arc<Shared>| {
            let due = shared.timers.keys.lock().remove(&timer).is_some();
            if due {
                fire(shared);
            }
        };
        let at = self.clock.now().checked_add(delay);
        self.arm(&mut self.timers.keys.lock(), timer, at, fire);
        timer
    }

    /// Without a moment, which is one beyond what the clock can tell, it never fires.
    fn arm(
        self: &Arc<Self>,
        keys: &mut HashMap<TimerRef, TimerKey>,
        timer: TimerRef,
        at: Option<Instant>,
        fire: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) {
        let Some(at) = at else { return };
        let weak = Arc::downgrade(self);
        let fire = move || {
            if let Some(shared) = weak.upgrade() {
                // Names are looked up in the current runtime, and the thread of the timers has none of its own.
                let _entered = runtime::enter(&shared);
                let _hurry = current::forbid_waiting();
                fire(&shared);
            }
        };
        keys.insert(timer, self.scheduler().timers().insert(at, Box::new(fire)));
    }

    pub(crate) fn cancel(&self, timer: TimerRef) -> Option<Duration> {
        let key = self.timers.keys.lock().remove(&timer)?;
        // The timer may have begun to fire; it finds its reference gone then, and does nothing.
        Some(self.scheduler().timers().cancel(key).unwrap_or_default())
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
    let mut keys = shared.timers.keys.lock();
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
    shared.arm(keys, timer, due, move |shared| {
        if !shared.timers.keys.lock().contains_key(&timer) {
            return;
        }
        // A name may be taken again by a restarted process; one incarnation never comes back.
        let send = || matches!(dest.try_cast(make()), Err(TryCastError::NoProc(_))) && !D::SURVIVES;
        let sent = catch_unwind(AssertUnwindSafe(send));
        let mut keys = shared.timers.keys.lock();
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
            let next = due.and_then(|due| due.checked_add(period));
            tick(shared, &mut keys, timer, (next, period), dest, make);
        }
    });
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
    let key = shared.timers.keys.lock().get(&timer).copied()?;
    shared.scheduler().timers().remaining(key)
}
