//! Who sleeps, who searches, and who wakes whom.
//!
//! One word counts both, and every change of it is a read-modify-write, so all changes have one order:
//!
//! 1. A producer makes a task visible, then reads the word by an RMW ([`Sleep::notify`]). If somebody searches, that
//!    searcher is responsible. If nobody searches and somebody sleeps, the producer wakes one sleeper,
//!    which counts as searching from that moment on (so a burst of pushes wakes one, not all).
//! 2. A searcher that found a task stops searching by an RMW ([`Sleep::found`]), then looks at all queues once more,
//!    and wakes the next if something is left.
//! 3. A worker that found nothing becomes a sleeper by an RMW, then looks at all queues once more,
//!    and only then parks ([`Sleep::sleep`]).
//!
//! So a push is ordered before the second look, which sees it, or after it, and then its RMW sees the sleeper.
//! A worker that pushes to its own queue may read the word plainly ([`Sleep::hint`]): it is awake and comes for the task
//! itself, so at worst help arrives later.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, Parker};
use std::time::Instant;

const SEARCHING: u64 = 1;
const SLEEPING: u64 = 1 << 32;

fn searching(word: u64) -> u64 {
    word & (SLEEPING - 1)
}

fn sleeping(word: u64) -> u64 {
    word >> 32
}

/// The sleeping side of a pool.
pub(super) struct Sleep {
    /// Sleepers in the high half, searchers in the low half. Every write is an RMW.
    word: AtomicU64,
    /// Who sleeps, the latest last, as its caches are the warmest. Sleepers are counted up and down only under
    /// this lock; it is held for a push or a pop, never while unparking.
    sleepers: Mutex<Vec<usize>>,
    parkers: Box<[Parker]>,
    /// More searchers than this find no more; they only heat the queues.
    searching_max: u64,
}

impl Sleep {
    pub(super) fn new(count: usize, searching_max: usize) -> Self {
        Sleep {
            word: AtomicU64::new(0),
            sleepers: Mutex::new(Vec::with_capacity(count)),
            parkers: (0..count).map(|_| Parker::new()).collect(),
            searching_max: searching_max as u64,
        }
    }

    /// Sees to it that a task which the caller has just made visible will be found.
    pub(super) fn notify(&self) {
        // Rule 1. Adding nothing is a read that takes its place in the order of writes.
        let word = self.word.fetch_add(0, Ordering::AcqRel);
        if sleeping(word) > 0 && searching(word) == 0 {
            self.wake_one();
        }
    }

    /// As [`Sleep::notify`], for a task in the calling worker's own queue: cheaper, and allowed to miss a sleeper.
    pub(super) fn hint(&self) {
        let word = self.word.load(Ordering::Relaxed);
        if sleeping(word) > 0 && searching(word) == 0 {
            self.wake_one();
        }
    }

    fn wake_one(&self) {
        let index = {
            let mut sleepers = self.sleepers.lock();
            // Another producer may have been faster. Its wakee is a searcher whose next RMW comes after ours.
            if searching(self.word.load(Ordering::Acquire)) > 0 {
                return;
            }
            let Some(index) = sleepers.pop() else {
                return;
            };
            self.word
                .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::AcqRel);
            index
        };
        self.parkers[index].unpark();
    }

    /// Wakes all sleepers, for shutdown.
    pub(super) fn wake_all(&self) {
        loop {
            let index = {
                let mut sleepers = self.sleepers.lock();
                let Some(index) = sleepers.pop() else {
                    return;
                };
                self.word
                    .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::AcqRel);
                index
            };
            self.parkers[index].unpark();
        }
    }

    /// Begins a search, unless enough others search already.
    pub(super) fn search(&self) -> bool {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (searching(word) < self.searching_max).then_some(word + SEARCHING)
            })
            .is_ok()
    }

    /// Ends a search that found a task, or that gives up; `has_work` looks at all queues.
    pub(super) fn found(&self, has_work: impl FnOnce() -> bool) {
        let before = self.word.fetch_sub(SEARCHING, Ordering::AcqRel);
        // Rule 2. With no sleeper there is nobody to wake, whatever is left.
        if sleeping(before) > 0 && has_work() {
            self.notify();
        }
    }

    /// Sleeps until woken, or until `deadline`: then `false`. On return the worker counts as searching.
    ///
    /// `awake` says, after the caller has become a sleeper, that it must not sleep: there is work, or an end.
    pub(super) fn sleep(
        &self,
        index: usize,
        searches: bool,
        deadline: Option<Instant>,
        awake: impl FnOnce() -> bool,
    ) -> bool {
        {
            let mut sleepers = self.sleepers.lock();
            sleepers.push(index);
            let ends = if searches { SEARCHING } else { 0 };
            self.word
                .fetch_add(SLEEPING.wrapping_sub(ends), Ordering::AcqRel);
        }
        // Rule 3.
        if awake() && self.rise(index) {
            return true;
        }
        if self.parkers[index].park_until(deadline) {
            return true;
        }
        if self.rise(index) {
            return false;
        }
        // The deadline passed when a waker had already chosen this worker: its permit is on the way.
        self.parkers[index].park();
        true
    }

    /// Leaves the sleepers by oneself; `false` if a waker was faster.
    fn rise(&self, index: usize) -> bool {
        let mut sleepers = self.sleepers.lock();
        let Some(at) = sleepers.iter().rposition(|&sleeper| sleeper == index) else {
            return false;
        };
        sleepers.remove(at);
        self.word
            .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::AcqRel);
        true
    }

    /// The parker of a worker, for waits outside this protocol: a worker is in one wait at a time.
    pub(super) fn parker(&self, index: usize) -> &Parker {
        &self.parkers[index]
    }

    /// How many sleep and how many search, as of a moment in the order of all changes.
    pub(super) fn counts(&self) -> (usize, usize) {
        let word = self.word.fetch_add(0, Ordering::AcqRel);
        (sleeping(word) as usize, searching(word) as usize)
    }
}
