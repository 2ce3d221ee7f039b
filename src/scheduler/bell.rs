//! The bell that wakes the watchdog.

use crate::sync::Parker;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Rung by the first worker that gets up while the watchdog sleeps.
pub(super) struct Bell {
    parker: Parker,
    /// Equals `true` while the watchdog sleeps and wants to hear the bell.
    wanted: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> Self {
        Bell {
            parker: Parker::new(),
            wanted: AtomicBool::new(false),
        }
    }

    /// A worker got up. One load while the watchdog is awake.
    pub(super) fn up(&self) {
        if self.wanted.load(Ordering::Acquire) && self.wanted.swap(false, Ordering::AcqRel) {
            self.ring();
        }
    }

    /// Wakes the watchdog.
    pub(super) fn ring(&self) {
        self.parker.unpark();
    }

    /// Waits for the next look.
    pub(super) fn wait(&self, until: Instant) {
        self.parker.park_until(Some(until));
    }

    /// Sleeps until a worker gets up, unless one is up by now. No getting up is missed:
    ///
    /// 1. `wanted` is set before `all_down` counts the sleepers, which is an RMW on the same word as every wake-up.
    /// 2. A wake-up ordered before the count makes the count fall short, so there is no sleep.
    /// 3. A wake-up ordered after it sees what was written before it: `wanted`.
    pub(super) fn sleep(&self, all_down: impl FnOnce() -> bool) {
        self.wanted.store(true, Ordering::Release);
        if all_down() {
            self.parker.park();
        }
        self.wanted.store(false, Ordering::Release);
    }
}
