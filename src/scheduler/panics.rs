//! Panics that come as far as the scheduler: user code's belong to the process layer, so these are bugs of this crate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Logs a panic that should not have come as far as here.
pub(super) fn log_panic(what: &str, payload: Box<dyn Any + Send>) {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is no text");
    log::error!("{what} panicked in the scheduler: {text}");
    drop_caught(payload);
}

/// Drops a value whose destructor may panic.
pub(super) fn drop_caught<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        log::error!("a destructor panicked in the scheduler");
        // Its own destructor may panic as well, and so on: this ends the chain.
        std::mem::forget(payload);
    }
}
