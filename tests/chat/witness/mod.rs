//! Clients that bear witness: each talks and listens in one room, takes whatever happens to its server, and writes down
//! what it sent, what it was told and what it heard, for [`history`](crate::history) to judge. It asserts nothing.
//!
//! Their lines fail too, by chance: reset at some byte, left half open, not read for a while, ended by what is no frame.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary includes all of it and uses its own part"
)]

mod crowd;
mod flaky;
mod line;
mod read;
mod talk;
mod wire;

pub(crate) use crowd::{Crowd, Tally};
pub(crate) use flaky::{Fate, Flaky};
pub(crate) use read::{head, history_of};
pub(crate) use talk::{Habits, Witness, bear_witness};
pub(crate) use wire::{NO_MESSAGES, body_of};
