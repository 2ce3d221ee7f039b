//! A lock for a few steps that run no code of anybody else's.
//!
//! It is given back by a store, where a lock that keeps a list of those who wait takes a read-modify-write; of which a
//! message passes a dozen. The price is paid by who finds it held: that one looks on for a few of those steps, then offers
//! its processor, and then sleeps between two looks, so whoever holds it runs, however many there are and whatever their
//! priorities. Nobody's turn is kept: who comes first has it.

use super::Parker;
use std::time::{Duration, Instant};

/// How often the lock is looked at before the holder must have lost its processor.
const LOOKS: u32 = 64;

/// How many looks there are until whoever holds the lock must be kept from running; for those after [`LOOKS`] the processor is
/// offered.
const PATIENCE: u32 = 2 * LOOKS;

/// Between two looks from then on: a thread of a higher priority than the holder's has to be out of its way.
const PAUSE: Duration = Duration::from_micros(50);

/// A lock for a few steps.
#[derive(Debug, Default)]
pub(crate) struct Brief<T>(spin::Mutex<T>);

/// What a [`Brief`] guards, until it is dropped.
pub(crate) type BriefGuard<'a, T> = spin::MutexGuard<'a, T>;

impl<T> Brief<T> {
    /// Holds a value.
    pub(crate) const fn new(value: T) -> Self {
        Brief(spin::Mutex::new(value))
    }

    /// Waits for the lock.
    #[inline]
    pub(crate) fn lock(&self) -> BriefGuard<'_, T> {
        match self.0.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<BriefGuard<'_, T>> {
        self.0.try_lock()
    }

    #[cold]
    fn wait(&self) -> BriefGuard<'_, T> {
        let mut looks = 0;
        loop {
            match looks {
                ..LOOKS => std::hint::spin_loop(),
                LOOKS..PATIENCE => super::thread::yield_now(),
                _ => _ = Parker::new().park_until(Some(Instant::now() + PAUSE)),
            }
            looks = looks.saturating_add(1);
            // A look is shared by all who wait, where an attempt takes the line from everybody else.
            if !self.0.is_locked()
                && let Some(guard) = self.0.try_lock()
            {
                return guard;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::{Arc, thread};

    fn aside(name: &str, run: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
        thread::spawn(name.to_owned(), None, run).expect("a thread")
    }

    #[test]
    fn one_at_a_time_has_it() {
        let count = Arc::new(Brief::new(0));
        let adders: Vec<_> = (0..8)
            .map(|_| {
                let count = count.clone();
                aside("adder", move || {
                    for _ in 0..10_000 {
                        let mut count = count.lock();
                        let before = *count;
                        std::hint::spin_loop();
                        *count = before + 1;
                    }
                })
            })
            .collect();
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        assert_eq!(*count.lock(), 80_000);
    }

    #[test]
    fn who_finds_it_held_has_it_afterwards() {
        let lock = Arc::new(Brief::new(Vec::new()));
        let held = lock.lock();
        assert!(lock.try_lock().is_none());
        let tries = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..4)
            .map(|name| {
                let (lock, tries) = (lock.clone(), tries.clone());
                aside("waiter", move || {
                    // As the lock's own wait does, so that it is known when each has found it held.
                    while lock.try_lock().is_none() && tries.fetch_add(1, Ordering::AcqRel) < 8 {}
                    lock.lock().push(name);
                })
            })
            .collect();
        while tries.load(Ordering::Acquire) < 8 {
            thread::yield_now();
        }
        assert!(held.is_empty());
        drop(held);
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
        let mut names = lock.lock().clone();
        names.sort_unstable();
        assert_eq!(names, [0, 1, 2, 3]);
    }

    #[test]
    fn a_panic_leaves_it_free() {
        let lock = Brief::new(1);
        let panics = std::panic::AssertUnwindSafe(|| {
            *lock.lock() = 2;
            let _held = lock.lock();
            panic!("on purpose");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(*lock.lock(), 2);
    }
}
