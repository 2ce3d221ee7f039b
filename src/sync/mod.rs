//! The façade: the only place that names parking_lot, crossbeam, `std::thread` and `std::sync`.

mod parker;
pub mod thread;

pub use parker::Parker;
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::sync::{Arc, LazyLock as Lazy, Once, Weak, atomic};

/// Unbounded channels, of which only `send` and `try_recv` are used: waiting is always on a [`Parker`].
pub mod channel {
    pub use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
}

/// Work-stealing queues: one end is the owner's, anyone may steal from the other.
pub(crate) mod deque {
    pub(crate) use crossbeam_deque::{Injector, Steal, Stealer, Worker};
}
