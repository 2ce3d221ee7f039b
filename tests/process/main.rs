//! The process kernel, seen from outside: every rule on both kinds of process.

mod exits;
mod links;
mod monitors;
mod names;
mod order;
mod sleep;
#[path = "../support/mod.rs"]
mod support;
mod timers;
mod trap_exit;
mod unwinding;
