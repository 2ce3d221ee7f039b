//! Races, by the thousand and again: each rule is played in deterministic runtimes of many seeds, and holds in all of them.
//!
//! `PERENNIAL_TEST_SEEDS=10000 cargo test --release --test deterministic` plays more of them.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod actor;
mod links;
mod mailboxes;
mod names;
mod servers;
mod supervision;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod timers;

use perennial::Runtime;
use perennial::scheduler::Deterministic;

/// Plays a rule once a seed.
fn each_seed(play: impl Fn(&Runtime, &Deterministic)) {
    support::seeds::each_seed("deterministic", play);
}
