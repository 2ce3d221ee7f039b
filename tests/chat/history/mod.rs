//! PURE. What the clients of a room were told, and whether all of it can be true together.
//!
//! Every client keeps a log: what it sent, what became of that, what it heard, each with the time. When all is over
//! the room is read from its first message to its last, and the logs are held against that and against one another.
//! It is the work of two of Jepsen's checkers: a message is an element of a set, which is stable, lost or never read;
//! and a room is one partition of a log, in which a number stands for one message and a message for one number.
//!
//! | | promise | broken by |
//! |---|---|---|
//! | P1 | nothing acknowledged is lost | `Lost`, `NeverRead` |
//! | P2 | one order without gaps, the same for all, and never against what was over before it began | `Gap`, `Conflict`, `Overtaken` |
//! | P3 | nothing is there twice | `Doubled` |
//! | P4 | what one client sends on one line stays in order | `SenderOrder` |
//! | P5 | who was told that a message is there finds it there | `OwnWriteMissing` |
//! | P6 | nobody goes back | `Backwards`, `Stale` |
//! | P7 | nothing is there that nobody said, or that was refused | `Phantom`, `RefusedShown`, `Garbled` |
//! | P10 | in the end everybody has heard everything | `Behind` |
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary includes all of it and uses its own part"
)]

mod fault;
mod log;
mod messages;
mod order;
mod reads;
mod room;

pub(crate) use fault::{Fault, faults_by_name};
pub(crate) use log::{Event, History, Id, Log, Post, What};
pub(crate) use messages::Outcomes;

use room::Room;

/// What a check has come to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) faults: Vec<Fault>,
    pub(crate) outcomes: Outcomes,
}

/// Holds everything that was told of a room together.
pub(crate) fn check(history: &History) -> Verdict {
    let mut faults = Vec::new();
    let room = Room::gather(history, &mut faults);
    let outcomes = messages::check(history, &room, &mut faults);
    order::check(history, &room, &mut faults);
    for log in &history.logs {
        reads::check(log, history.stored.len() as u64, &mut faults);
    }
    Verdict { faults, outcomes }
}

/// Asserts that there is nothing wrong; what became of the messages.
#[track_caller]
pub(crate) fn assert_true(history: &History) -> Outcomes {
    let Verdict { faults, outcomes } = check(history);
    assert!(
        faults.is_empty(),
        "{}: {} faults {:?}, the first of them:\n  {}",
        history.room,
        faults.len(),
        faults_by_name(&faults),
        faults[..faults.len().min(10)]
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n  ")
    );
    outcomes
}
