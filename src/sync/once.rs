//! Under ThreadSanitizer: what happens once, by a lock and a flag.
//!
//! The inside of `std`'s `Once` is prebuilt and parking_lot's uses a stand-alone fence, so what was initialized would
//! sometimes seem to be read without any order.

use super::Mutex;
use super::atomic::{AtomicBool, Ordering};
use std::ops::Deref;
use std::sync::OnceLock as Cell;

/// Runs a closure once a program.
#[derive(Debug)]
pub struct Once {
    done: AtomicBool,
    /// Held while the closure runs.
    running: Mutex<()>,
}

impl Once {
    /// One that has not run.
    #[expect(clippy::new_without_default, reason = "as std's")]
    pub const fn new() -> Self {
        Once {
            done: AtomicBool::new(false),
            running: Mutex::new(()),
        }
    }

    /// Runs `f` if none was run yet, and waits until it has.
    pub fn call_once(&self, f: impl FnOnce()) {
        if self.done.load(Ordering::Acquire) {
            return;
        }
        let _running = self.running.lock();
        if !self.done.load(Ordering::Acquire) {
            f();
            self.done.store(true, Ordering::Release);
        }
    }
}

/// A value that is made when it is first looked at, for statics.
#[derive(Debug)]
pub struct Lazy<T> {
    once: Once,
    /// Written within `once`, read after it; its own order is not needed.
    value: Cell<T>,
    init: fn() -> T,
}

impl<T> Lazy<T> {
    /// A value that `init` will make.
    pub const fn new(init: fn() -> T) -> Self {
        Lazy {
            once: Once::new(),
            value: Cell::new(),
            init,
        }
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.once.call_once(|| {
            // Nobody else sets it: this runs once.
            let _ = self.value.set((self.init)());
        });
        self.value.get().expect("set within the once")
    }
}

/// A value that is made when it is first asked for.
#[derive(Debug)]
pub struct OnceLock<T> {
    once: Once,
    /// Written within `once`, read after it; its own order is not needed.
    value: Cell<T>,
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    /// One without a value.
    pub const fn new() -> Self {
        OnceLock {
            once: Once::new(),
            value: Cell::new(),
        }
    }

    /// The value, made by `init` if nobody has made one yet.
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| {
            // Nobody else sets it: this runs once.
            let _ = self.value.set(init());
        });
        self.value.get().expect("set within the once")
    }
}
