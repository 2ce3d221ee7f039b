//! What the tests call `std`, of which the sanitizer sees everything: the locks, channels and scopes of the prebuilt one wait in code
//! that is not instrumented, so that what they order looks like a race. Here they have the same names and signatures, and the
//! façade inside. Everything else is the real one.

extern crate std as real;

pub use real::*;

/// `std::sync` with locks and channels that are seen.
pub mod sync {
    pub use super::real::sync::*;
    use perennial::sync::{Condvar as Bell, Mutex as Lock};
    pub use perennial::sync::{Lazy as LazyLock, MutexGuard, Once, OnceLock};

    /// A lock that is never poisoned.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(Lock<T>);

    impl<T> Mutex<T> {
        /// As the real one.
        pub const fn new(value: T) -> Self {
            Mutex(Lock::new(value))
        }

        /// As the real one.
        pub fn lock(&self) -> super::real::sync::LockResult<MutexGuard<'_, T>> {
            Ok(self.0.lock())
        }
    }

    /// Waits until so many wait.
    #[derive(Debug)]
    pub struct Barrier {
        wanted: usize,
        come: Lock<usize>,
        bell: Bell,
    }

    impl Barrier {
        /// As the real one.
        pub const fn new(wanted: usize) -> Self {
            Barrier {
                wanted,
                come: Lock::new(0),
                bell: Bell::new(),
            }
        }

        /// As the real one, without a leader.
        pub fn wait(&self) {
            let mut come = self.come.lock();
            let round = *come / self.wanted;
            *come += 1;
            while *come / self.wanted == round {
                self.bell.wait(&mut come);
            }
            drop(come);
            self.bell.notify_all();
        }
    }

    /// Channels without a bound.
    pub mod mpsc {
        pub use super::super::real::sync::mpsc::{
            RecvError, RecvTimeoutError, SendError, TryRecvError,
        };
        use super::{Bell, Lock};
        use perennial::sync::Arc;
        use std::collections::VecDeque;
        use std::time::{Duration, Instant};

        #[derive(Debug)]
        struct State<T> {
            values: VecDeque<T>,
            senders: usize,
            is_heard: bool,
        }

        type Shared<T> = Arc<(Lock<State<T>>, Bell)>;

        /// As the real one.
        #[derive(Debug)]
        pub struct Sender<T>(Shared<T>);

        /// As the real one.
        #[derive(Debug)]
        pub struct Receiver<T>(Shared<T>);

        /// As the real one.
        pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
            let state = State {
                values: VecDeque::new(),
                senders: 1,
                is_heard: true,
            };
            let shared = Arc::new((Lock::new(state), Bell::new()));
            (Sender(shared.clone()), Receiver(shared))
        }

        impl<T> Sender<T> {
            /// As the real one.
            pub fn send(&self, value: T) -> Result<(), SendError<T>> {
                let mut state = self.0.0.lock();
                if !state.is_heard {
                    return Err(SendError(value));
                }
                state.values.push_back(value);
                drop(state);
                self.0.1.notify_one();
                Ok(())
            }
        }

        impl<T> Clone for Sender<T> {
            fn clone(&self) -> Self {
                self.0.0.lock().senders += 1;
                Sender(self.0.clone())
            }
        }

        impl<T> Drop for Sender<T> {
            fn drop(&mut self) {
                self.0.0.lock().senders -= 1;
                self.0.1.notify_one();
            }
        }

        impl<T> Drop for Receiver<T> {
            fn drop(&mut self) {
                let mut state = self.0.0.lock();
                state.is_heard = false;
                let unheard = std::mem::take(&mut state.values);
                drop(state);
                drop(unheard);
            }
        }

        impl<T> Receiver<T> {
            fn receive(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
                let mut state = self.0.0.lock();
                loop {
                    if let Some(value) = state.values.pop_front() {
                        return Ok(value);
                    }
                    if state.senders == 0 {
                        return Err(RecvTimeoutError::Disconnected);
                    }
                    match deadline {
                        None => self.0.1.wait(&mut state),
                        Some(deadline) if Instant::now() >= deadline => {
                            return Err(RecvTimeoutError::Timeout);
                        }
                        Some(deadline) => drop(self.0.1.wait_until(&mut state, deadline)),
                    }
                }
            }

            /// As the real one.
            pub fn recv(&self) -> Result<T, RecvError> {
                self.receive(None).map_err(|_| RecvError)
            }

            /// As the real one.
            pub fn recv_timeout(&self, patience: Duration) -> Result<T, RecvTimeoutError> {
                self.receive(Some(Instant::now() + patience))
            }

            /// As the real one.
            pub fn try_recv(&self) -> Result<T, TryRecvError> {
                let mut state = self.0.0.lock();
                match state.values.pop_front() {
                    Some(value) => Ok(value),
                    None if state.senders == 0 => Err(TryRecvError::Disconnected),
                    None => Err(TryRecvError::Empty),
                }
            }

            /// As the real one.
            pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
                std::iter::from_fn(|| self.try_recv().ok())
            }

            /// As the real one.
            pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
                std::iter::from_fn(|| self.recv().ok())
            }
        }

        impl<T: 'static> IntoIterator for Receiver<T> {
            type Item = T;
            type IntoIter = Box<dyn Iterator<Item = T>>;

            fn into_iter(self) -> Self::IntoIter {
                Box::new(std::iter::from_fn(move || self.recv().ok()))
            }
        }
    }
}

/// `std::thread` whose scopes join.
pub mod thread {
    use super::real::thread as real;
    pub use super::real::thread::*;
    use super::sync::mpsc;
    use perennial::sync::Mutex as Lock;

    /// As the real one.
    #[derive(Debug)]
    pub struct Scope<'scope, 'env> {
        real: &'scope real::Scope<'scope, 'env>,
        spawned: Lock<Vec<real::ScopedJoinHandle<'scope, ()>>>,
    }

    impl<'scope> Scope<'scope, '_> {
        /// As the real one.
        pub fn spawn<T: Send + 'scope>(&self, f: impl FnOnce() -> T + Send + 'scope) -> Handle<T> {
            let (tell, told) = mpsc::channel();
            let handle = self.real.spawn(move || {
                // Not everybody waits for it.
                let _ = tell.send(f());
            });
            self.spawned.lock().push(handle);
            Handle(told)
        }
    }

    /// What a thread of a scope comes to.
    #[derive(Debug)]
    pub struct Handle<T>(mpsc::Receiver<T>);

    impl<T> Handle<T> {
        /// As the real one.
        pub fn join(self) -> Result<T> {
            self.0.recv().map_err(|error| Box::new(error) as Box<_>)
        }
    }

    /// As the real one.
    pub fn scope<'env, T>(f: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> T) -> T {
        real::scope(|real| {
            let scope = Scope {
                real,
                spawned: Lock::default(),
            };
            let value = f(&scope);
            for handle in scope.spawned.into_inner() {
                handle.join().expect("a scoped thread panicked");
            }
            value
        })
    }
}
