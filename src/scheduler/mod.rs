//! The scheduler: runs runnables, turn by turn, on a fixed pool of threads. It has never heard of processes.
//!
//! Imports `sync`, `time`, `telemetry`. Read in this order: `task` and `run_queue` (what is ready), `worker` and `search`
//! (who runs it), `hatch` (how it gets there fast), `sleep` (who wakes whom), `blocking` (spare workers), `timer` and `wheel`, `watchdog`, `crew` (the
//! threads), `handle` (what callers hold), `deterministic` (one thread at a time, by a seed). The protocols and why they
//! lose nothing are in README.md beside this file.
//!
//! A program sees what it does, and chooses how much of it there is:
//!
//! ```
//! use perennial::Runtime;
//! let runtime = Runtime::builder().workers(2).spare_max(8).build()?;
//! assert_eq!(runtime.scheduler_stats().workers, 2);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What goes wrong
//! A turn that lasts too long holds up a worker: what waits behind it goes to the others within 10 ms, and after
//! 100 ms there is a [`LongTurn`] event. When as many workers wait in calls as there may be spares, the next one
//! that would have to wait fails with [`PoolExhausted`]. A panic ends the process whose turn it was, and no worker.

mod bell;
mod blocking;
mod crew;
mod deterministic;
mod handle;
mod hatch;
mod panics;
mod patience;
mod pool;
mod run_queue;
mod search;
mod sleep;
mod task;
mod timer;
mod watchdog;
mod wheel;
mod worker;

#[cfg(test)]
mod tests;

pub use blocking::PoolExhausted;
pub(crate) use deterministic::Place;
pub use deterministic::{Deterministic, Stalled};
pub use handle::Stats;
pub(crate) use handle::{Config, Scheduler};
pub(crate) use task::{Runnable, Turn};
pub(crate) use timer::{Due, Timers};
pub use watchdog::LongTurn;
pub(crate) use wheel::TimerKey;
