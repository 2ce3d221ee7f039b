//! Storms: many threads at once, in no order, for as long as one likes; afterwards everything adds up, and nothing is left
//! of them, neither process nor link, monitor, timer, name, thread or zombie.
//!
//! `PERENNIAL_STRESS=20 cargo test --release --test stress` makes each of them twenty times as long. The choices are
//! random, from fixed seeds; what the threads of the system make of them is not.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod storm;
#[path = "../support/mod.rs"]
mod support;

mod links;
mod mailboxes;
mod pool;
mod processes;
mod registries;
mod supervisors;
mod timers;
mod trees;
