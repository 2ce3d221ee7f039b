//! Time as a parameter: a [`Clock`] is handed down, so that tests can move it by hand.
//!
//! A [`Runtime`](crate::Runtime) reads the time from [one clock](crate::process::Builder::clock), and with it all
//! that goes by time: timers, timeouts of calls, the periods in which restarts are counted, rate limits. With a
//! manual one a test lasts as long as its work does, and an hour is a line.
//!
//! ```
//! use perennial::{Runtime, prelude::*, process, time::Clock};
//! use std::time::Duration;
//!
//! let (clock, hand) = Clock::manual();
//! let runtime = Runtime::builder().clock(clock).build()?;
//! let _entered = runtime.enter();
//! let sleeper = process::spawn::<&str>(|cx| assert_eq!(cx.receive().message(), Some("wake up")));
//! let mut end = process::watch(&sleeper);
//! process::send_after(Duration::from_secs(3600), sleeper, "wake up");
//! hand.advance(Duration::from_secs(3600));
//! assert_eq!(end.wait(Duration::MAX).unwrap().reason, perennial::ExitReason::Normal);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What concerns the machine and not the program goes by real time whatever the clock: the deadline of a shutdown, and
//! the watchdog.

use crate::sync::{Arc, Mutex};
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// Where a runtime reads the time.
///
/// ```
/// use perennial::time::Clock;
/// use std::time::Duration;
/// let (clock, hand) = Clock::manual();
/// let before = clock.now();
/// hand.advance(Duration::from_secs(60));
/// assert_eq!(clock.now() - before, Duration::from_secs(60));
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<ManualClock>);

impl Clock {
    /// The monotonic clock of the system.
    pub fn system() -> Self {
        Clock(None)
    }

    /// A clock that stands still until its hand is moved.
    pub fn manual() -> (Self, ManualClock) {
        Self::manual_from(system_unix_ms())
    }

    /// As [`manual`](Clock::manual), with a time of day to begin at.
    pub(crate) fn manual_from(began_unix_ms: i64) -> (Self, ManualClock) {
        let now = Instant::now();
        let hand = ManualClock(Arc::new(Mutex::new(Manual {
            now,
            began: now,
            began_unix_ms,
            wakers: Vec::new(),
        })));
        (Clock(Some(hand.clone())), hand)
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(hand) => hand.0.lock().now,
        }
    }

    /// The time of day for people to read: milliseconds since 1970 in UTC. It may jump when the system's clock is
    /// set; durations and orders come from [`now`](Clock::now).
    pub fn unix_ms(&self) -> i64 {
        match &self.0 {
            None => system_unix_ms(),
            Some(hand) => {
                let manual = hand.0.lock();
                let passed = manual.now.duration_since(manual.began).as_millis();
                manual
                    .began_unix_ms
                    .saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
            }
        }
    }

    /// Equals `true` if time passes only by [`ManualClock::advance`].
    pub fn is_manual(&self) -> bool {
        self.0.is_some()
    }

    /// Calls `waker` after every [`ManualClock::advance`]; never for the system clock, which needs no telling.
    pub(crate) fn on_advance(&self, waker: impl Fn() + Send + Sync + 'static) {
        if let Some(hand) = &self.0 {
            hand.0.lock().wakers.push(Arc::new(waker));
        }
    }
}

/// The moment `by` later; a century stands for ever, where a clock cannot tell more.
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by)
        .unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_manual() {
            "Clock::manual"
        } else {
            "Clock::system"
        })
    }
}

/// The hand of a manual [`Clock`].
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Manual>>);

struct Manual {
    now: Instant,
    began: Instant,
    began_unix_ms: i64,
    wakers: Vec<Arc<dyn Fn() + Send + Sync>>,
}

impl ManualClock {
    /// Moves time forward and wakes whatever waits for it. Timers that are due fire on their own thread.
    pub fn advance(&self, by: Duration) {
        let wakers = {
            let mut manual = self.0.lock();
            manual.now += by;
            manual.wakers.clone()
        };
        for waker in wakers {
            waker();
        }
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ManualClock")
    }
}

/// A system whose clock stands before 1970 counts from 1970.
fn system_unix_ms() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
