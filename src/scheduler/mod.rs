//! The scheduler: runs runnables, turn by turn, on a fixed pool of threads. It has never heard of processes.
//!
//! Imports `sync`, `time`, `telemetry`. Read in this order: `task` and `run_queue` (what is ready), `worker` and `search`
//! (who runs it), `sleep` (who wakes whom), `blocking` (spare workers), `timer` and `wheel`, `watchdog`, `crew` (the
//! threads), `handle` (what callers hold). The protocols and why they lose nothing are in README.md beside this file.

#[cfg(not(loom))]
mod bell;
#[cfg(not(loom))]
mod blocking;
#[cfg(not(loom))]
mod crew;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod panics;
#[cfg(not(loom))]
mod pool;
mod run_queue;
#[cfg(not(loom))]
mod search;
mod sleep;
#[cfg(not(loom))]
mod task;
#[cfg(not(loom))]
mod timer;
#[cfg(not(loom))]
mod watchdog;
mod wheel;
#[cfg(not(loom))]
mod worker;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use blocking::PoolExhausted;
#[cfg(not(loom))]
pub use handle::Stats;
#[cfg(not(loom))]
pub(crate) use handle::{Config, Scheduler};
#[cfg(not(loom))]
pub(crate) use task::{Runnable, Turn};
#[cfg(not(loom))]
pub use watchdog::LongTurn;
pub(crate) use wheel::TimerKey;
