//! Under loom: its types behind the signatures of the others, so that a model explores every order of their steps.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// What never happens in a model: loom's locks are poisoned only by a panic, which ends it.
const POISONED: &str = "a model that panics ends";

/// As parking_lot's.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// As parking_lot's.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect(POISONED)))
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
    pub fn timed_out(&self) -> bool {
        false
    }
}

impl Condvar {
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("held except within a wait");
        guard.0 = Some(self.0.wait(held).expect(POISONED));
    }

    pub fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        _deadline: Instant,
    ) -> WaitTimeoutResult {
        self.wait(guard);
        WaitTimeoutResult
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// As parking_lot's.
#[derive(Debug, Default)]
pub struct RwLock<T>(loom::sync::RwLock<T>);

pub use loom::sync::{RwLockReadGuard, RwLockWriteGuard};

impl<T> RwLock<T> {
    pub fn new(value: T) -> Self {
        RwLock(loom::sync::RwLock::new(value))
    }

    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().expect(POISONED)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().expect(POISONED)
    }
}

pub(super) mod thread {
    pub use loom::thread::{JoinHandle, yield_now};

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

    struct List<T>(Arc<Mutex<VecDeque<T>>>);

    impl<T> List<T> {
        fn new() -> Self {
            List(Arc::new(Mutex::new(VecDeque::new())))
        }

        fn push(&self, task: T) {
            self.0.lock().push_back(task);
        }

        fn pop(&self) -> Option<T> {
            self.0.lock().pop_front()
        }

        fn steal(&self) -> Steal<T> {
            self.pop().map_or(Steal::Empty, Steal::Success)
        }

        fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }

        fn len(&self) -> usize {
            self.0.lock().len()
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

    /// Half of what is there: the first is returned, the others move.
    fn batch<T>(from: &List<T>, to: &Worker<T>) -> Steal<T> {
        let mut from = from.0.lock();
        let Some(first) = from.pop_front() else {
            return Steal::Empty;
        };
        let more = from.len() / 2;
        for task in from.drain(..more) {
            to.push(task);
        }
        Steal::Success(first)
    }
}
