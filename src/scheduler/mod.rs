//! The scheduler: runs runnables, turn by turn, on a fixed pool of threads. It has never heard of processes.
//!
//! Imports `sync`, `time`, `telemetry`. Read in this order: `task` and `run_queue` (what is ready), `worker` and `search`
//! (who runs it), `sleep` (who wakes whom), `blocking` (spare workers), `timer` and `wheel`, `watchdog`, `crew` (the
//! threads), `handle` (what callers hold), `deterministic` (one thread at a time, by a seed). The protocols and why they lose nothing are in README.md beside this file.

mod bell;
mod blocking;
mod crew;
mod deterministic;
mod handle;
mod panics;
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
pub(crate) use timer::Timers;
pub use watchdog::LongTurn;
pub(crate) use wheel::TimerKey;
