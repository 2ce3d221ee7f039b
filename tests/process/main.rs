//! The process kernel, seen from outside: every rule on both kinds of process.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod aliases;
mod calls;
mod deadlocks;
mod deterministic;
mod dictionary;
mod exits;
mod kill;
mod links;
mod mailbox;
mod model;
mod monitors;
mod names;
mod order;
mod outside;
mod panic_hook;
mod properties;
mod receive;
mod regressions;
mod robust;
mod runtimes;
mod sleep;
mod start;
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod timers;
mod trap_exit;
mod unwinding;
mod wakeups;
