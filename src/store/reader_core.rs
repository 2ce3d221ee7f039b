//! A reader without its process: a connection that cannot write, and a limit on how long it reads.

use crate::store::connection;
use crate::store::database::Database;
use crate::store::error::Error;
use crate::store::operation::Query;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Clock;
use rusqlite::Connection;
use std::fmt;
use std::time::{Duration, Instant};

/// How many steps of SQLite's machine pass between two looks at the clock: some ten microseconds.
const STEPS: i32 = 1_000;

/// One that reads. Readers see what is committed, keep nobody from writing, and any number may live.
///
/// It blocks on the disk, so it lives on a thread of its own.
pub struct ReaderCore {
    /// `None` after a failure of the disk: the next query opens a new one.
    db: Option<Reading>,
    database: Database,
}

struct Reading {
    db: Connection,
    deadline: Deadline,
}

impl ReaderCore {
    /// A reader of a database that a writer has been opened for at least once.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn open(database: &Database) -> Result<Self, Error> {
        Ok(ReaderCore {
            db: Some(Reading::open(database)?),
            database: database.clone(),
        })
    }

    /// Runs a query, for [`query_time_max`](crate::store::Config::query_time_max) at most.
    ///
    /// # Errors
    /// See [`Error`]. After one of the disk the next query opens the database anew.
    pub fn run<Q: Query>(&mut self, query: &Q) -> Result<Q::Output, Error> {
        let reading = match self.db.take() {
            Some(reading) => reading,
            None => Reading::open(&self.database)?,
        };
        reading.deadline.set(self.database.config().query_time_max);
        let result = reading.run(query);
        match &result {
            Err(error) if is_of_the_disk(error) => {}
            _ => self.db = Some(reading),
        }
        result
    }
}

/// After an error of the disk the connection may hold pages that are wrong.
fn is_of_the_disk(error: &Error) -> bool {
    use crate::store::ErrorKind::{Busy, Statement, Timeout};
    !matches!(error.kind(), Statement | Timeout | Busy)
}

impl Reading {
    fn open(database: &Database) -> Result<Self, Error> {
        let config = database.config();
        let mut db = connection::open_reader(database.path(), config)?;
        let deadline = Deadline::new(config.clock.clone());
        let watch = deadline.clone();
        db.progress_handler(STEPS, Some(move || watch.is_over()))
            .map_err(|error| Error::sqlite(error, "opening the database"))?;
        Ok(Reading { db, deadline })
    }

    fn run<Q: Query>(&self, query: &Q) -> Result<Q::Output, Error> {
        let snapshot = Snapshot::begin(&self.db)?;
        let output = query
            .run(&self.db)
            .map_err(|error| Error::sqlite(error, "reading"))?;
        snapshot.end();
        Ok(output)
    }
}

/// A read transaction: it ends with the value, also by an error or a panic, or it would hold the log for ever.
struct Snapshot<'db>(&'db Connection);

impl<'db> Snapshot<'db> {
    fn begin(db: &'db Connection) -> Result<Self, Error> {
        db.prepare_cached("BEGIN")
            .and_then(|mut begin| begin.execute([]))
            .map_err(|error| Error::sqlite(error, "reading"))?;
        Ok(Snapshot(db))
    }

    fn end(self) {
        drop(self);
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let ended = self
            .0
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        if ended.is_err() {
            // A read that was interrupted may have ended its transaction by itself; nothing was written.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// Until when a query may run, as SQLite's thread looks it up while it works.
#[derive(Clone)]
struct Deadline {
    clock: Clock,
    base: Instant,
    /// Nanoseconds after `base`.
    at: Arc<AtomicU64>,
}

impl Deadline {
    fn new(clock: Clock) -> Self {
        let base = clock.now();
        Deadline {
            clock,
            base,
            at: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    fn set(&self, allowed: Duration) {
        let at = self.elapsed().saturating_add(nanoseconds(allowed));
        self.at.store(at, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.elapsed() >= self.at.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> u64 {
        nanoseconds(self.clock.now() - self.base)
    }
}

/// Some 584 years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for ReaderCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReaderCore")
    }
}
