//! Threads: named and joined, never detached.

pub use std::thread::{available_parallelism, panicking};

#[cfg(loom)]
pub use super::model::thread::{JoinHandle, ThreadId, current, spawn, yield_now};
#[cfg(not(loom))]
pub use std::thread::{JoinHandle, ThreadId, current, yield_now};

/// Starts a thread named after its job; fails with the system's error when it has no more threads to give.
///
/// # Errors
/// As [`std::thread::Builder::spawn`].
#[cfg(not(loom))]
pub fn spawn<T: Send + 'static>(
    name: String,
    stack_size: Option<usize>,
    main: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    let mut builder = std::thread::Builder::new().name(name);
    if let Some(size) = stack_size {
        builder = builder.stack_size(size);
    }
    builder.spawn(main)
}
