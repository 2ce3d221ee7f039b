//! The process kernel, seen from outside: every rule on both kinds of process.

mod calls;
mod exits;
mod kill;
mod links;
mod mailbox;
mod monitors;
mod names;
mod order;
mod outside;
mod receive;
mod robust;
mod start;
mod stress;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod timers;
mod trap_exit;
mod unwinding;
