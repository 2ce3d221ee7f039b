//! What the store tells through [telemetry](crate::telemetry).

use crate::store::error::Error;
use crate::telemetry::Event;
use std::path::PathBuf;
use std::time::Duration;

/// A batch is on the disk, and its items were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// How many items it carried.
    pub items: usize,
    /// How many of them were refused by their own operation.
    pub refused: usize,
    /// From the start of the transaction to the end of its commit.
    pub took: Duration,
}

/// A batch could not be committed: none of its items happened, and each was told so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitFailed {
    /// How many items were told.
    pub items: usize,
    /// What they were told.
    pub error: Error,
}

/// The disk takes writes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// How long it did not.
    pub down_for: Duration,
}

/// The log was carried into the database file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    /// How many pages stood in the log.
    pub pages: u32,
    /// How many of them are in the database file now; fewer than `pages` while a reader needs the log.
    pub done: u32,
    /// How long it took.
    pub took: Duration,
}

/// A checkpoint failed. Nothing is lost: what is committed is in the log, and it is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFailed {
    /// Why.
    pub error: Error,
}

/// The log has grown past [`Config::wal_alarm`](crate::store::Config::wal_alarm). Told once each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalLarge {
    /// Its size.
    pub bytes: u64,
}

/// The last program that had the database did not end in order; the database was checked and is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedAfterUncleanStop {
    /// How long the check took.
    pub took: Duration,
}

/// The log that was left behind is bad from some page on, and there were commits behind it, which are gone. After a
/// power cut they are those that nobody was told of; if the file was damaged otherwise, acknowledged ones may be among
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTorn {
    /// How many pages were read.
    pub pages_read: usize,
    /// How many commits were not.
    pub commits_left: usize,
}

/// The schema is a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The last step it had; 0 if it was made anew.
    pub from: u32,
    /// The last step it has.
    pub to: u32,
    /// The copy of the database as it was, unless it was made anew.
    pub backup: Option<PathBuf>,
}

impl Event for Committed {}
impl Event for CommitFailed {}
impl Event for Recovered {}
impl Event for Checkpointed {}
impl Event for CheckpointFailed {}
impl Event for WalLarge {}
impl Event for CheckedAfterUncleanStop {}
impl Event for LogTorn {}
impl Event for Migrated {}
