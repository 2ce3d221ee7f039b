//! Under ThreadSanitizer: what happens once, with the lock of parking_lot, which is compiled with the program.
//!
//! The inside of `std`'s `Once` is prebuilt, so what was initialized would seem to be read without any order.

use std::ops::Deref;
use std::sync::OnceLock;

/// Runs a closure once a program.
#[derive(Debug)]
pub struct Once(parking_lot::Once);

impl Once {
    /// One that has not run.
    #[expect(clippy::new_without_default, reason = "as std's")]
    pub const fn new() -> Self {
        Once(parking_lot::Once::new())
    }

    /// Runs `f` if none was run yet, and waits until it has.
    pub fn call_once(&self, f: impl FnOnce()) {
        self.0.call_once(f);
    }
}

/// A value that is made when it is first looked at, for statics.
#[derive(Debug)]
pub struct Lazy<T> {
    once: Once,
    /// Written within `once`, read after it; its own order is not needed.
    value: OnceLock<T>,
    init: fn() -> T,
}

impl<T> Lazy<T> {
    /// A value that `init` will make.
    pub const fn new(init: fn() -> T) -> Self {
        Lazy {
            once: Once::new(),
            value: OnceLock::new(),
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
