//! Locks with a rank: whoever holds one takes only locks of a higher rank, so no circle of threads can wait for one
//! another. Debug builds check that at every lock and panic with both ranks; release builds store and do nothing for it.
//!
//! A lock without a rank ([`Mutex`](super::Mutex), [`Brief`]) is one under which no other is taken.

use super::{Brief, BriefGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// The ranks, lowest first: the order in which locks are taken.
pub(crate) mod rank {
    /// Held by whoever breaks a deadlock, who looks at everything that a call touches.
    pub(crate) const DEADLOCKS: u8 = 10;
    /// A shard of registered names.
    pub(crate) const NAMES: u8 = 20;
    /// A shard of the keys of a registry.
    pub(crate) const KEYS: u8 = 30;
    /// A shard of who has which keys.
    pub(crate) const OWNERS: u8 = 40;
    /// The relations of a process; two of them in the order of their pids.
    pub(crate) const RELATIONS: u8 = 50;
    /// A shard of the process table.
    pub(crate) const TABLE: u8 = 60;
    /// The queue of a mailbox.
    pub(crate) const MAILBOX: u8 = 70;
    /// Where a process waits.
    pub(crate) const WAITING: u8 = 80;
    /// The keys of timers that processes started.
    pub(crate) const TIMER_KEYS: u8 = 90;
    /// The timers of a scheduler.
    pub(crate) const TIMERS: u8 = 100;
}

/// Equals `true` where ranks are checked. Not in loom's models: all their threads are one thread of the system.
const CHECKED: bool = cfg!(all(debug_assertions, not(loom)));

thread_local! {
    /// What this thread holds, in the order in which it was taken.
    static HELD: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// A rank, and the place among those of the same rank.
type Place = (u8, u64);

/// Says that a lock is held, until it is dropped.
struct Held(Place);

impl Held {
    #[track_caller]
    fn new(rank: u8, order: u64) -> Self {
        let place = (rank, order);
        if CHECKED {
            // A thread that ends has no list any more, and takes no two locks.
            let highest = HELD.try_with(|held| held.borrow().iter().max().copied());
            if let Ok(Some(highest)) = highest {
                assert!(
                    highest < place,
                    "a lock of rank {place:?} is taken while one of rank {highest:?} is held"
                );
            }
            let _ = HELD.try_with(|held| held.borrow_mut().push(place));
        }
        Held(place)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if CHECKED {
            let _ = HELD.try_with(|held| {
                let mut held = held.borrow_mut();
                if let Some(at) = held.iter().rposition(|place| *place == self.0) {
                    held.remove(at);
                }
            });
        }
    }
}

/// A guard of a lock with a rank.
pub(crate) struct Guard<G> {
    // Dropped first: what is unlocked is not held.
    guard: G,
    _held: Held,
}

impl<G: Deref> Deref for Guard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Guard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

/// A guard of a [`RankedMutex`].
pub(crate) type RankedGuard<'a, T> = Guard<BriefGuard<'a, T>>;

/// A guard of a [`RankedRwLock`] that was locked for reading.
pub(crate) type RankedReadGuard<'a, T> = Guard<RwLockReadGuard<'a, T>>;

/// A guard of a [`RankedRwLock`] that was locked for writing.
pub(crate) type RankedWriteGuard<'a, T> = Guard<RwLockWriteGuard<'a, T>>;

/// A [`Brief`] with a rank.
#[derive(Default)]
pub(crate) struct RankedMutex<T, const RANK: u8>(Brief<T>);

impl<T, const RANK: u8> RankedMutex<T, RANK> {
    /// Holds a value.
    pub(crate) fn new(value: T) -> Self {
        RankedMutex(Brief::new(value))
    }

    /// Waits for the lock, the only one of its rank that this thread holds.
    #[track_caller]
    pub(crate) fn lock(&self) -> RankedGuard<'_, T> {
        self.lock_in_order(0)
    }

    /// Waits for the lock, one of several of its rank, which are taken in ascending order.
    #[track_caller]
    pub(crate) fn lock_in_order(&self, order: u64) -> RankedGuard<'_, T> {
        let held = Held::new(RANK, order);
        Guard {
            guard: self.0.lock(),
            _held: held,
        }
    }
}

impl<T: fmt::Debug, const RANK: u8> fmt::Debug for RankedMutex<T, RANK> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`RwLock`] with a rank.
#[derive(Default)]
pub(crate) struct RankedRwLock<T, const RANK: u8>(RwLock<T>);

impl<T, const RANK: u8> RankedRwLock<T, RANK> {
    /// Waits until nobody writes.
    #[track_caller]
    pub(crate) fn read(&self) -> RankedReadGuard<'_, T> {
        self.read_in_order(0)
    }

    /// Waits until nobody reads or writes.
    #[track_caller]
    pub(crate) fn write(&self) -> RankedWriteGuard<'_, T> {
        self.write_in_order(0)
    }

    /// Waits until nobody writes; the lock is one of several of its rank, which are taken in ascending order.
    #[track_caller]
    pub(crate) fn read_in_order(&self, order: u64) -> RankedReadGuard<'_, T> {
        let held = Held::new(RANK, order);
        Guard {
            guard: self.0.read(),
            _held: held,
        }
    }

    /// Waits until nobody reads or writes; the lock is one of several of its rank, which are taken in ascending order.
    #[track_caller]
    pub(crate) fn write_in_order(&self, order: u64) -> RankedWriteGuard<'_, T> {
        let held = Held::new(RANK, order);
        Guard {
            guard: self.0.write(),
            _held: held,
        }
    }
}

#[cfg(all(test, debug_assertions, not(loom)))]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    static LOW: std::sync::LazyLock<RankedMutex<(), 1>> =
        std::sync::LazyLock::new(Default::default);
    static HIGH: std::sync::LazyLock<RankedMutex<(), 2>> =
        std::sync::LazyLock::new(Default::default);

    #[test]
    fn locks_are_taken_upwards_and_given_back_in_any_order() {
        for _ in 0..2 {
            let low = LOW.lock();
            let high = HIGH.lock();
            drop(low);
            drop(high);
        }
    }

    #[test]
    fn a_lock_below_one_that_is_held_is_refused() {
        let taken = catch_unwind(|| {
            let _high = HIGH.lock_in_order(1);
            let _low = LOW.lock();
        });
        assert!(taken.is_err());
        // What was refused is not held.
        drop(LOW.lock());
    }

    #[test]
    fn locks_of_one_rank_are_taken_in_their_order() {
        let other: RankedMutex<(), 1> = RankedMutex::default();
        let first = LOW.lock_in_order(1);
        drop(other.lock_in_order(2));
        drop(first);
        assert!(catch_unwind(|| (LOW.lock_in_order(2), LOW.lock_in_order(1))).is_err());
    }
}
