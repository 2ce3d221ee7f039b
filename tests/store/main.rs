//! The store through its public face: batches, opening, crashes, a disk that fails.
#![cfg(feature = "store")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../support/vfs.rs"]
mod vfs;

mod fixture;
mod ledger;
mod scratch;

mod batches;
mod checkpoints;
mod crash;
mod directory;
mod disk;
mod opening;
mod power;
mod processes;
mod reading;
