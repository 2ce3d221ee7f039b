//! The façade: the only place that names parking_lot, crossbeam, spin, `std::thread` and `std::sync`.
//!
//! It has three faces, of which users see the first:
//!
//! | cfg | what stands behind the names | for |
//! |---|---|---|
//! | none | parking_lot, crossbeam, spin, `std` | use |
//! | `tsan` | the same, but nothing whose inner workings are in the prebuilt `std`; see below | ThreadSanitizer |
//! | `loom` | loom's types behind the same signatures | models of the small concurrent parts |
//!
//! Waiting is always on a [`Parker`]: a thread in a call waits for reply, exit, kill and deadline at once.
//!
//! It is public for programs that are run under the sanitizer themselves: what goes through here, it sees.
//!
//! ```
//! use perennial::sync::{Arc, Mutex, thread};
//!
//! let sum = Arc::new(Mutex::new(0));
//! let adders = [1, 2, 3].map(|n| {
//!     let sum = sum.clone();
//!     thread::spawn(format!("adder-{n}"), None, move || *sum.lock() += n).unwrap()
//! });
//! adders.map(|adder| adder.join().unwrap());
//! assert_eq!(*sum.lock(), 6);
//! ```
//!
//! # How it fails
//! A lock is not poisoned: a process that panics with a lock in its hand leaves what it guards as it is, and the
//! lock free. A lock is no operation of the library, so a kill does not end a wait for one; keep it short, or send a
//! message.
//!
//! # Under ThreadSanitizer
//!
//! A prebuilt `std` is not instrumented, so what happens inside of it looks like nothing happened: its locks, `Once`
//! and channels seem to order nothing. parking_lot, crossbeam-deque, spin and the used part of crossbeam-channel are
//! compiled with the program and report nothing; `Once` and `Lazy` are a lock and a flag here. That leaves `Arc`,
//! whose last drop is ordered by a stand-alone fence, which the sanitizer does not model: `sync::tsan` replaces what
//! the compiler calls for a count-down. An embedding program runs with
//!
//! ```text
//! RUSTFLAGS="--cfg tsan -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer \
//!   -Clink-arg=-Wl,--wrap=__tsan_atomic64_fetch_sub" cargo +nightly test --target x86_64-unknown-linux-gnu
//! ```
//!
//! and gets no report that is not a race, if `llvm-symbolizer` is there to name what is suppressed. What the sanitizer
//! cannot see even so: C code (SQLite), the inside of `std`, what the three suppressions of `sync::tsan` name, and orders
//! that did not happen in this run.

#[cfg(not(loom))]
mod brief;
#[cfg(loom)]
pub(crate) mod model;
#[cfg(tsan)]
mod once;
mod parker;
mod ranked;
pub mod thread;
#[cfg(tsan)]
mod tsan;

pub use parker::Parker;
pub(crate) use ranked::{
    RankedGuard, RankedMutex, RankedReadGuard, RankedRwLock, RankedWriteGuard, rank,
};
pub use std::sync::{Arc, Weak};

#[cfg(loom)]
pub use loom::sync::atomic;
#[cfg(loom)]
pub use model::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(loom))]
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(loom))]
pub use std::sync::atomic;

#[cfg(not(loom))]
pub(crate) use brief::{Brief, BriefGuard};
#[cfg(loom)]
pub(crate) use model::{Mutex as Brief, MutexGuard as BriefGuard};

#[cfg(tsan)]
pub use once::{Lazy, Once, OnceLock};
#[cfg(not(tsan))]
pub use std::sync::{LazyLock as Lazy, Once, OnceLock};

/// Unbounded channels, of which only `send` and `try_recv` are used: waiting is always on a [`Parker`].
pub mod channel {
    pub use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
}

/// Work-stealing queues: one end is the owner's, anyone may steal from the other.
pub(crate) mod deque {
    #[cfg(loom)]
    pub(crate) use super::model::deque::{Injector, Steal, Stealer, Worker};
    #[cfg(not(loom))]
    pub(crate) use crossbeam_deque::{Injector, Steal, Stealer, Worker};

    /// Called by whoever makes queues.
    ///
    /// All of them share one collector of garbage, which is made at the first theft, inside `std`'s `Once`. Under
    /// ThreadSanitizer that happens here, in an order that it sees; otherwise there is nothing to do.
    pub(crate) fn prepare() {
        #[cfg(tsan)]
        {
            static COLLECTOR: super::Once = super::Once::new();
            COLLECTOR.call_once(|| {
                let _nothing: Steal<()> = Worker::new_fifo().stealer().steal();
            });
        }
    }
}
