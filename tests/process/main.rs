//! The process kernel, seen from outside: every rule on both kinds of process.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod calls;
mod conformance;
mod deadlocks;
mod deterministic;
mod exits;
mod kill;
mod links;
mod mailbox;
mod monitors;
mod names;
mod order;
mod outside;
mod panic_hook;
mod receive;
mod robust;
mod runtimes;
mod sleep;
mod start;
mod stress;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod timers;
mod trap_exit;
mod unwinding;
mod wakeups;
