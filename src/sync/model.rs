//! Under loom: its types behind the signatures of the others, so that a model explores every order of their steps.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// Every order of a model's steps is explored in which at most so many threads are interrupted where they could go on. Most mistakes
/// show with one; with three the larger models take minutes, with no bound they take hours.
#[cfg(test)]
const INTERRUPTIONS_MAX: usize = 2;

/// Runs a model in every order, or as far as `LOOM_MAX_PREEMPTIONS` says, and tells how many there were.
#[cfg(test)]
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(INTERRUPTIONS_MAX));
    let orders = std::sync::Arc::new(AtomicUsize::new(0));
    let count = orders.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    println!("{name}: {} orders", orders.load(Ordering::Relaxed));
}

/// What never happens in a model: loom's locks are poisoned only by a panic, which ends it.
const POISONED: &str = "a model that panics ends";

/// As parking_lot's.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// As parking_lot's.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    /// Holds a value.
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect(POISONED)))
    }

    /// Waits for the lock.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let held = self.0.try_lock().ok()?;
        Some(MutexGuard(Some(held)))
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().expect(POISONED)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("held except within a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("held except within a wait")
    }
}

/// As parking_lot's.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

/// Whether a wait ended by its deadline. In a model none does: time stands still.
#[derive(Debug)]
pub struct WaitTimeoutResult;

impl WaitTimeoutResult {
    /// Never.
    pub fn timed_out(&self) -> bool {
        false
    }
}

impl Condvar {
    /// One that nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits to be notified.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("held except within a wait");
        guard.0 = Some(self.0.wait(held).expect(POISONED));
    }

    /// Waits to be notified; the deadline never comes.
    pub fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        _deadline: Instant,
    ) -> WaitTimeoutResult {
        self.wait(guard);
        WaitTimeoutResult
    }

    /// Wakes one.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// As parking_lot's.
#[derive(Debug, Default)]
pub struct RwLock<T>(loom::sync::RwLock<T>);

pub use loom::sync::{RwLockReadGuard, RwLockWriteGuard};

impl<T> RwLock<T> {
    /// Holds a value.
    pub fn new(value: T) -> Self {
        RwLock(loom::sync::RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().expect(POISONED)
    }

    /// Waits until nobody reads or writes.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().expect(POISONED)
    }
}

pub(super) mod thread {
    pub use loom::thread::{JoinHandle, ThreadId, current, yield_now};

    /// Starts a thread of the model.
    pub fn spawn<T: 'static>(
        _name: String,
        _stack_size: Option<usize>,
        main: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<JoinHandle<T>> {
        Ok(loom::thread::spawn(main))
    }
}

/// Queues with the signatures of crossbeam-deque, each a list behind a lock: crossbeam's own are proved elsewhere; the models
/// are about who looks at them when.
pub(super) mod deque {
    use super::{Mutex, fmt};
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use std::collections::VecDeque;
    use std::sync::Arc;

    #[derive(Debug)]
    pub(crate) enum Steal<T> {
        Success(T),
        Empty,
        /// Never returned: a lock has no lost races. The callers of the real queues have to expect it.
        #[expect(dead_code, reason = "matched by the code under test")]
        Retry,
    }

    /// A list and its length, which is read without the lock: so looking whether there is something orders nothing, as in
    /// the real queues.
    struct List<T>(Arc<(AtomicUsize, Mutex<VecDeque<T>>)>);

    impl<T> List<T> {
        fn new() -> Self {
            List(Arc::new((AtomicUsize::new(0), Mutex::new(VecDeque::new()))))
        }

        fn push(&self, task: T) {
            let mut list = self.0.1.lock();
            list.push_back(task);
            self.0.0.store(list.len(), Ordering::Release);
        }

        fn pop(&self) -> Option<T> {
            if self.is_empty() {
                return None;
            }
            let mut list = self.0.1.lock();
            let task = list.pop_front()?;
            self.0.0.store(list.len(), Ordering::Release);
            Some(task)
        }

        fn steal(&self) -> Steal<T> {
            self.pop().map_or(Steal::Empty, Steal::Success)
        }

        fn is_empty(&self) -> bool {
            self.len() == 0
        }

        fn len(&self) -> usize {
            self.0.0.load(Ordering::Acquire)
        }
    }

    macro_rules! queue {
        ($name:ident: $($method:ident($($arg:ident: $type:ty)?) -> $result:ty),*) => {
            pub(crate) struct $name<T>(List<T>);

            impl<T> $name<T> {
                $(pub(crate) fn $method(&self $(, $arg: $type)?) -> $result {
                    self.0.$method($($arg)?)
                })*
            }

            impl<T> fmt::Debug for $name<T> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(stringify!($name))
                }
            }
        };
    }

    queue!(Injector: push(task: T) -> (), steal() -> Steal<T>, is_empty() -> bool, len() -> usize);
    queue!(Worker: push(task: T) -> (), pop() -> Option<T>);
    queue!(Stealer: steal() -> Steal<T>, is_empty() -> bool, len() -> usize);

    impl<T> Injector<T> {
        pub(crate) fn new() -> Self {
            Injector(List::new())
        }

        pub(crate) fn steal_batch_and_pop(&self, to: &Worker<T>) -> Steal<T> {
            batch(&self.0, to)
        }
    }

    impl<T> Stealer<T> {
        pub(crate) fn steal_batch_and_pop(&self, to: &Worker<T>) -> Steal<T> {
            batch(&self.0, to)
        }
    }

    impl<T> Worker<T> {
        pub(crate) fn new_fifo() -> Self {
            Worker(List::new())
        }

        pub(crate) fn stealer(&self) -> Stealer<T> {
            Stealer(List(self.0.0.clone()))
        }
    }

    /// The first is returned, half of what is behind it moves.
    fn batch<T>(from: &List<T>, to: &Worker<T>) -> Steal<T> {
        let Some(first) = from.pop() else {
            return Steal::Empty;
        };
        for _ in 0..from.len() / 2 {
            if let Some(task) = from.pop() {
                to.push(task);
            }
        }
        Steal::Success(first)
    }
}
