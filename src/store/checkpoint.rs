//! When the log is carried into the database file. PURE, but for the last function.
//!
//! Intuition: the log is a desk on which finished letters pile up; the archive is next door. Filing a few at
//! a quiet moment costs nobody anything. A pile that grows too high is filed even in the rush. When everybody
//! has gone home the desk is cleared. Somebody who still reads a letter keeps those above it on the desk: then
//! we file what we can, and do not run to the archive after each new letter.

use crate::store::config::Config;
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;
use std::time::{Duration, Instant};

/// What is to be done with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Carry over what no reader needs, in nobody's way.
    Passive,
    /// Carry everything over and cut the file to nothing.
    Truncate,
}

/// How busy the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Nothing waits to be written.
    Quiet,
    /// The next batch is there already.
    Busy,
}

/// How many pages stand in the log, and how many of them are in the database file already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wal {
    soft: u32,
    hard: u32,
    idle: Duration,
    pages: u32,
    done: u32,
    /// After a checkpoint that could not finish, the next waits until the log has this many pages.
    not_before_pages: u32,
    /// When the log was last written or a checkpoint of it tried.
    touched: Option<Instant>,
}

impl Wal {
    pub(super) fn new(config: &Config) -> Self {
        Wal {
            soft: config.checkpoint_pages,
            hard: config.checkpoint_pages_max,
            idle: config.checkpoint_idle,
            pages: 0,
            done: 0,
            not_before_pages: 0,
            touched: None,
        }
    }

    /// A commit left `pages` in the log.
    pub(super) fn written(&mut self, pages: u32, now: Instant) {
        // SQLite starts the log over when all of it is done and nobody reads it.
        if pages < self.pages {
            self.done = 0;
            self.not_before_pages = 0;
        }
        self.pages = pages;
        self.touched = Some(now);
    }

    /// What to do now; `None` is nothing.
    pub(super) fn decide(&self, load: Load, now: Instant) -> Option<Step> {
        let waiting = self.pages.saturating_sub(self.done);
        let may_try = self.pages >= self.not_before_pages;
        if may_try && (waiting >= self.hard || (waiting >= self.soft && load == Load::Quiet)) {
            return Some(Step::Passive);
        }
        let is_idle = load == Load::Quiet && self.idle_at().is_some_and(|at| now >= at);
        is_idle.then_some(Step::Truncate)
    }

    /// When the log will have been idle for long enough to be cut; `None` if it is empty.
    pub(super) fn idle_at(&self) -> Option<Instant> {
        let touched = self.touched.filter(|_| self.pages > 0)?;
        Some(touched + self.idle)
    }

    /// A checkpoint ended, with `pages` in the log and `done` of them in the database file.
    pub(super) fn checkpointed(&mut self, pages: u32, done: u32, now: Instant) {
        self.pages = pages;
        self.done = done;
        self.touched = Some(now);
        self.not_before_pages = if done < pages {
            pages.saturating_add(self.soft)
        } else {
            0
        };
    }

    /// A checkpoint failed: the log is as it was, and the next attempt waits as after one that could not
    /// finish.
    pub(super) fn failed(&mut self, now: Instant) {
        self.checkpointed(self.pages, self.done, now);
        self.not_before_pages = self.pages.saturating_add(self.soft);
    }

    pub(super) fn pages(&self) -> u32 {
        self.pages
    }
}

/// Makes a checkpoint, waiting for nobody: pages in the log and pages done.
pub(super) fn run(db: &Connection, step: Step, config: &Config) -> rusqlite::Result<(u32, u32)> {
    let mode = match step {
        Step::Passive => CheckpointMode::PASSIVE,
        Step::Truncate => CheckpointMode::TRUNCATE,
    };
    db.busy_timeout(Duration::ZERO)?;
    let result = db.wal_checkpoint_v2(None::<&str>, mode);
    db.busy_timeout(config.busy_timeout)?;
    let (pages, done) = result?;
    Ok((
        u32::try_from(pages).unwrap_or(0),
        u32::try_from(done).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Load::{Busy, Quiet};

    fn wal() -> Wal {
        Wal::new(&Config {
            checkpoint_pages: 100,
            checkpoint_pages_max: 400,
            checkpoint_idle: Duration::from_secs(1),
            ..Config::new("")
        })
    }

    #[test]
    fn decide_by_table() {
        let now = Instant::now();
        let (soon, late) = (
            now + Duration::from_millis(999),
            now + Duration::from_secs(1),
        );
        let table = [
            // pages, done, load, when: step
            (0, 0, Quiet, late, None),
            (99, 0, Quiet, soon, None),
            (100, 0, Quiet, now, Some(Step::Passive)),
            (100, 0, Busy, late, None),
            (399, 0, Busy, now, None),
            (400, 0, Busy, now, Some(Step::Passive)),
            (450, 300, Busy, now, None),
            (450, 300, Quiet, now, Some(Step::Passive)),
            (450, 400, Quiet, soon, None),
            (1, 0, Quiet, soon, None),
            (1, 0, Quiet, late, Some(Step::Truncate)),
            (1, 1, Quiet, late, Some(Step::Truncate)),
            (1, 0, Busy, late, None),
        ];
        for (pages, done, load, at, expected) in table {
            let wal = Wal {
                pages,
                done,
                touched: Some(now),
                ..wal()
            };
            assert_eq!(wal.decide(load, at), expected, "{wal:?} {load:?}");
        }
    }

    #[test]
    fn a_reader_that_holds_the_log_does_not_cause_a_checkpoint_for_each_commit() {
        let now = Instant::now();
        let mut wal = wal();
        wal.written(150, now);
        assert_eq!(wal.decide(Quiet, now), Some(Step::Passive));
        wal.checkpointed(150, 10, now);
        for pages in 151..250 {
            wal.written(pages, now);
            assert_eq!(wal.decide(Quiet, now), None, "{pages}");
        }
        wal.written(250, now);
        assert_eq!(wal.decide(Quiet, now), Some(Step::Passive));
    }

    #[test]
    fn a_failed_checkpoint_is_tried_again_but_not_at_once() {
        let now = Instant::now();
        let mut wal = wal();
        wal.written(400, now);
        wal.failed(now);
        assert_eq!(wal.decide(Busy, now), None);
        wal.written(500, now);
        assert_eq!(wal.decide(Busy, now), Some(Step::Passive));
        assert_eq!(
            wal.decide(Quiet, now + Duration::from_secs(1)),
            Some(Step::Passive)
        );
    }

    #[test]
    fn a_log_that_starts_over_is_counted_from_nothing() {
        let now = Instant::now();
        let mut wal = wal();
        wal.written(120, now);
        wal.checkpointed(120, 120, now);
        assert_eq!(wal.decide(Quiet, now), None);
        wal.written(5, now);
        wal.written(104, now);
        assert_eq!(wal.decide(Quiet, now), Some(Step::Passive));
    }

    #[test]
    fn a_cut_log_rests() {
        let now = Instant::now();
        let mut wal = wal();
        wal.written(7, now);
        wal.checkpointed(0, 0, now);
        assert_eq!(wal.idle_at(), None);
        assert_eq!(wal.decide(Quiet, now + Duration::from_secs(9)), None);
    }
}
