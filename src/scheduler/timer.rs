//! Timers: one thread that sleeps until the next deadline and then calls what was left for that moment.

use super::wheel::{TimerKey, Wheel};
use crate::sync::{Arc, Parker, RankedMutex, rank};
use crate::time::Clock;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What is left for a moment.
pub(super) enum Callback {
    Once(Box<dyn FnOnce() + Send>),
    Due(Arc<dyn Due>),
}

/// Something that knows itself what to do at its moment, so that its timer needs no memory of its own.
pub(crate) trait Due: Send + Sync {
    /// Its moment has come.
    fn due(self: Arc<Self>);
}

/// The timers of a scheduler.
///
/// Callbacks run on the timer thread, one after the other, with no lock held: they may insert and cancel, and must
/// not block. Deadlines are moments of the scheduler's clock.
pub(crate) struct Timers {
    clock: Clock,
    /// Held for one operation on the wheel, never while a callback runs or is dropped.
    state: RankedMutex<State, { rank::TIMERS }>,
    parker: Arc<Parker>,
}

struct State {
    wheel: Wheel<Callback>,
    nap: Nap,
    stopping: bool,
}

/// What the timer thread does, so that an insertion knows whether it has to wake it.
enum Nap {
    /// It will look at the wheel before it sleeps.
    Awake,
    Until(Instant),
    Forever,
}

impl Timers {
    pub(super) fn new(clock: Clock) -> Self {
        let parker = Arc::new(Parker::new());
        let waker = Arc::downgrade(&parker);
        clock.on_advance(move || {
            if let Some(parker) = waker.upgrade() {
                parker.unpark();
            }
        });
        Timers {
            state: RankedMutex::new(State {
                wheel: Wheel::new(clock.now()),
                nap: Nap::Awake,
                stopping: false,
            }),
            clock,
            parker,
        }
    }

    /// Calls `f` once `at` has come; at once, on the timer thread, if it has come already.
    ///
    /// Timers of the same deadline fire in the order of insertion. After shutdown `f` is dropped uncalled.
    pub(crate) fn insert(&self, at: Instant, f: Box<dyn FnOnce() + Send>) -> TimerKey {
        self.add(at, Callback::Once(f))
    }

    /// As [`Timers::insert`].
    pub(crate) fn insert_due(&self, at: Instant, due: Arc<dyn Due>) -> TimerKey {
        self.add(at, Callback::Due(due))
    }

    fn add(&self, at: Instant, callback: Callback) -> TimerKey {
        let mut state = self.state.lock();
        let key = state.wheel.insert(at, callback);
        if state.stopping {
            let dropped = state.wheel.remove(key);
            drop(state);
            drop(dropped);
            return key;
        }
        let wake = match state.nap {
            Nap::Awake => false,
            Nap::Until(moment) => at < moment,
            Nap::Forever => true,
        };
        if wake {
            state.nap = Nap::Awake;
            drop(state);
            self.parker.unpark();
        }
        key
    }

    /// Takes a timer back. `Some(time left)` if it had not fired and now never will.
    pub(crate) fn cancel(&self, key: TimerKey) -> Option<Duration> {
        let mut state = self.state.lock();
        let at = state.wheel.deadline(key)?;
        let removed = state.wheel.remove(key);
        drop(state);
        drop(removed);
        Some(at.saturating_duration_since(self.clock.now()))
    }

    /// As [`Timers::cancel`], for a caller that needs no remaining time: it reads no clock.
    pub(crate) fn discard(&self, key: TimerKey) -> bool {
        let removed = self.state.lock().wheel.remove(key);
        removed.is_some()
    }

    /// Time left until a timer fires; `None` if it fired or was cancelled.
    pub(crate) fn remaining(&self, key: TimerKey) -> Option<Duration> {
        let at = self.state.lock().wheel.deadline(key)?;
        Some(at.saturating_duration_since(self.clock.now()))
    }

    /// How many timers wait.
    pub(super) fn len(&self) -> usize {
        self.state.lock().wheel.len()
    }

    /// The present moment of the timers' clock.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The moment of the first timer, for a clock that jumps there.
    pub(super) fn next(&self) -> Option<Instant> {
        self.state.lock().wheel.next()
    }

    /// Whether a timer is due.
    pub(super) fn is_due(&self) -> bool {
        let next = self.next();
        next.is_some_and(|next| next <= self.clock.now())
    }

    /// Takes the first timer that is due, where no thread of the timers does.
    pub(super) fn take_due(&self) -> Option<Callback> {
        let now = self.clock.now();
        self.state.lock().wheel.pop_due(now)
    }

    /// Ends the timer thread and drops all timers uncalled.
    pub(super) fn stop(&self) {
        let dropped = {
            let mut state = self.state.lock();
            state.stopping = true;
            state.wheel.take_all()
        };
        self.parker.unpark();
        dropped.for_each(super::panics::drop_caught);
    }

    /// The body of the timer thread.
    pub(super) fn run(&self) {
        let mut now = self.clock.now();
        loop {
            let mut state = self.state.lock();
            state.nap = Nap::Awake;
            if state.stopping {
                return;
            }
            if let Some(callback) = state.wheel.pop_due(now) {
                drop(state);
                call(callback);
                continue;
            }
            // The clock is read only when nothing is due by the last reading, so a burst costs one reading.
            let next = state.wheel.wake_at();
            let later = self.clock.now();
            if next.is_some_and(|next| next <= later) {
                now = later;
                continue;
            }
            state.nap = next.map_or(Nap::Forever, Nap::Until);
            drop(state);
            // A manual clock wakes this thread itself whenever it moves.
            let deadline = next.filter(|_| !self.clock.is_manual());
            self.parker.park_until(deadline);
            now = self.clock.now();
        }
    }
}

/// Calls it; a panic ends here.
pub(super) fn call(callback: Callback) {
    let call = || match callback {
        Callback::Once(f) => f(),
        Callback::Due(due) => due.due(),
    };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        super::panics::log_panic("a timer callback", payload);
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::model::explore;
    use crate::sync::thread::{self, JoinHandle};

    /// Timers whose clock stands still, and the thread that runs them.
    fn running() -> (Arc<Timers>, JoinHandle<()>) {
        let timers = Arc::new(Timers::new(Clock::manual().0));
        let theirs = timers.clone();
        let thread = thread::spawn("timer".into(), None, move || theirs.run());
        (timers, thread.expect("a model has threads"))
    }

    /// Counts how often a timer fires, and says so to whoever waits.
    fn counted() -> (Arc<AtomicUsize>, Arc<Parker>, Box<dyn FnOnce() + Send>) {
        let (count, parker) = (Arc::new(AtomicUsize::new(0)), Arc::new(Parker::new()));
        let (fired, told) = (count.clone(), parker.clone());
        let callback = move || {
            fired.fetch_add(1, Ordering::AcqRel);
            told.unpark();
        };
        (count, parker, Box::new(callback))
    }

    fn stop(timers: &Timers, thread: JoinHandle<()>) {
        timers.stop();
        thread.join().expect("no panic");
    }

    /// Whatever the timer thread does when a timer is inserted, it fires it; nothing else will wake it.
    #[test]
    fn loom_a_timer_that_is_due_fires_once() {
        explore(|| {
            let (timers, thread) = running();
            let (count, parker, callback) = counted();
            timers.insert(timers.clock.now(), callback);
            parker.park();
            stop(&timers, thread);
            assert_eq!(count.load(Ordering::Acquire), 1);
        });
    }

    #[test]
    fn loom_a_timer_fires_or_is_cancelled() {
        explore(|| {
            let (timers, thread) = running();
            let (count, parker, callback) = counted();
            let key = timers.insert(timers.clock.now(), callback);
            let cancelled = timers.discard(key);
            if !cancelled {
                parker.park();
            }
            stop(&timers, thread);
            assert_eq!(count.load(Ordering::Acquire), usize::from(!cancelled));
        });
    }

    /// Stopped, it fires or drops what it has, and does not keep the one who stops it waiting.
    #[test]
    fn loom_a_timer_thread_that_is_stopped_ends() {
        explore(|| {
            let (timers, thread) = running();
            let (count, _, callback) = counted();
            timers.insert(timers.clock.now(), callback);
            stop(&timers, thread);
            assert!(count.load(Ordering::Acquire) <= 1);
            assert_eq!(timers.len(), 0);
        });
    }
}
