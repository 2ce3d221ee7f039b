//! The writer without its process: a connection that writes, and what it does when the disk fails.

use crate::store::batch;
use crate::store::checkpoint::{self, Load, Step, Wal};
use crate::store::config::Config;
use crate::store::connection;
use crate::store::database::{Database, Lease};
use crate::store::error::{Error, ErrorKind};
use crate::store::event::{
    CheckpointFailed, Checkpointed, CommitFailed, Committed, Recovered, WalLarge,
};
use crate::store::health::Health;
use crate::store::integrity;
use crate::store::item::Item;
use crate::store::pace::Pace;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};
use rusqlite::Connection;
use std::fmt;
use std::time::{Duration, Instant};

/// SQLite's page, in bytes; a page in the log has a header of 24 more.
const WAL_PAGE_BYTES: u64 = 4096 + 24;

/// The one that writes. There is never a second for the same database, because it holds the database's lease.
///
/// It blocks on the disk, so it lives on a thread of its own. Dropped without [`close`](WriterCore::close) it
/// leaves the database as a crash would: nothing committed is lost.
///
/// Invariants:
/// - W1: an item is answered with success only after the commit that carries it returned.
/// - W2: after a failed commit nothing is written until a trial write went through on a new connection.
pub struct WriterCore {
    /// `None` while the disk fails and no new connection could be opened.
    db: Option<Connection>,
    /// How many pages stand in the log, as SQLite told after the last commit.
    wal_pages: Arc<AtomicU32>,
    wal: Wal,
    is_wal_large: bool,
    pace: Pace,
    state: State,
    epoch: i64,
    database: Database,
    /// Declared after the connection, so that it is let go only when that is closed.
    _lease: Lease,
}

#[derive(Debug)]
enum State {
    Up,
    Failing {
        error: Error,
        since: Instant,
        retry_at: Instant,
    },
}

impl WriterCore {
    /// Takes the lease and the database, and proves that it takes writes. If the disk fails, in a way that may
    /// pass, the writer starts all the same and [tries again](Config::retry_after), as one whose disk fails later.
    ///
    /// # Errors
    /// [`WriterAlive`](crate::store::ErrorKind::WriterAlive) while another writer of the same database lives;
    /// else what does not pass by itself, such as a damaged database.
    pub fn open(database: &Database) -> Result<Self, Error> {
        let lease = database.lease()?;
        let config = database.config();
        let now = config.clock.now();
        let mut core = WriterCore {
            db: None,
            wal_pages: Arc::default(),
            wal: Wal::new(config),
            is_wal_large: false,
            pace: Pace::new(config.commit_wait_max, config.batch_max),
            state: State::Failing {
                error: Error::new(ErrorKind::Io, "starting the writer"),
                since: now,
                retry_at: now,
            },
            epoch: 0,
            database: database.clone(),
            _lease: lease,
        };
        match core.reopen() {
            Ok(()) => core.is_up(),
            Err(error) if error.is_recoverable() => core.fail(error),
            Err(error) => return Err(error),
        }
        Ok(core)
    }

    /// Which writer of this database this is, counted over all programs there ever were: a later one has a
    /// larger number. It also grows when a failed disk comes back; it is 0 if the disk has failed from the start.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// How many items one commit carries at most.
    pub fn batch_max(&self) -> usize {
        self.database.config().batch_max
    }

    /// Whether a batch that began to gather at `began` and has `gathered` items now should wait for more, and
    /// how much longer; `None` says that it should be committed.
    pub fn patience(&self, gathered: usize, began: Instant) -> Option<Duration> {
        match self.state {
            State::Up => self.pace.patience(gathered, began, self.now()),
            State::Failing { .. } => None,
        }
    }

    /// Commits the items, in order, and answers each. More than [`batch_max`](WriterCore::batch_max) of them
    /// make more than one commit.
    ///
    /// While the disk fails, all are answered with its error, at once but for one trial write every
    /// [`retry_after`](Config::retry_after).
    pub fn drain_and_commit(&mut self, items: Vec<Item>) {
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let batch: Vec<Item> = items.by_ref().take(self.batch_max()).collect();
            self.commit(batch);
            if items.peek().is_some() {
                self.maintain(Load::Busy);
            }
        }
    }

    /// What is due between batches: the trial write while the disk fails, a checkpoint. To be called when a
    /// batch was answered, with whether the next is there already, and when the time it returned has come;
    /// `None` asks for no call before the next batch.
    pub fn maintain_after(&mut self, is_next_there: bool) -> Option<Instant> {
        self.maintain(if is_next_there {
            Load::Busy
        } else {
            Load::Quiet
        });
        self.due_at()
    }

    /// When [`maintain_after`](WriterCore::maintain_after) has something to do, if nothing comes before.
    pub(super) fn due_at(&self) -> Option<Instant> {
        match &self.state {
            State::Up => self.wal.idle_at(),
            State::Failing {
                error, retry_at, ..
            } => error.is_recoverable().then_some(*retry_at),
        }
    }

    /// Ends in order: the log is carried into the database file, and the next program need not check it.
    ///
    /// # Errors
    /// See [`Error`]. What was committed is on the disk even then; the next program checks the database.
    pub fn close(mut self) -> Result<(), Error> {
        self.leave()
    }

    pub(super) fn leave(&mut self) -> Result<(), Error> {
        if let State::Failing { error, .. } = &self.state {
            return Err(error.clone());
        }
        integrity::leave(self.connection())?;
        self.checkpoint(Step::Truncate);
        Ok(())
    }

    fn commit(&mut self, mut batch: Vec<Item>) {
        self.try_to_recover();
        if let State::Failing { error, .. } = &self.state {
            let error = error.clone();
            return self.answer_failed(batch, &error);
        }
        let began = self.now();
        match batch::commit(self.connection(), &mut batch) {
            Ok(refused) => self.answer_committed(batch, refused, began),
            Err(error) => {
                self.fail(error.clone());
                self.answer_failed(batch, &error);
            }
        }
    }

    fn answer_committed(&mut self, batch: Vec<Item>, refused: usize, began: Instant) {
        let items = batch.len();
        // W1: the commit has returned.
        batch.into_iter().for_each(Item::committed);
        let now = self.now();
        self.pace.committed(items, now);
        self.count_log();
        self.telemetry(|| Committed {
            items,
            refused,
            took: now - began,
        });
    }

    fn answer_failed(&self, batch: Vec<Item>, error: &Error) {
        let items = batch.len();
        batch
            .into_iter()
            .for_each(|item| item.failed(error.clone()));
        self.telemetry(|| CommitFailed {
            items,
            error: error.clone(),
        });
    }

    /// Notes that the disk failed. What the failed commit wrote to the log stays out of sight, because the
    /// index of the log does not know it, and the trial write overwrites it.
    fn fail(&mut self, error: Error) {
        let now = self.now();
        self.database
            .health_cell()
            .set(Health::Failing(error.clone()));
        let since = match self.state {
            State::Up => now,
            State::Failing { since, .. } => since,
        };
        self.state = State::Failing {
            error,
            since,
            retry_at: now + self.config().retry_after,
        };
    }

    fn try_to_recover(&mut self) {
        let State::Failing {
            error,
            since,
            retry_at,
        } = &self.state
        else {
            return;
        };
        let (since, is_due) = (*since, self.now() >= *retry_at && error.is_recoverable());
        if !is_due {
            return;
        }
        match self.reopen() {
            Err(error) => self.fail(error),
            Ok(()) => {
                self.is_up();
                let down_for = self.now() - since;
                self.telemetry(|| Recovered { down_for });
            }
        }
    }

    fn is_up(&mut self) {
        self.state = State::Up;
        self.database.health_cell().set(Health::Up);
        self.count_log();
    }

    /// W2: a new connection, because what the failed one believes of the disk may be wrong, and a trial write.
    fn reopen(&mut self) -> Result<(), Error> {
        // The old one goes first: it may still hold the write lock, if not even its rollback went through.
        self.db = None;
        let (db, wal_pages) = connection::open_writer(self.database.path(), self.config())?;
        self.epoch = integrity::take(&db)?;
        self.db = Some(db);
        self.wal_pages = wal_pages;
        Ok(())
    }

    fn maintain(&mut self, load: Load) {
        self.try_to_recover();
        if matches!(self.state, State::Failing { .. }) {
            return;
        }
        if let Some(step) = self.wal.decide(load, self.now()) {
            self.checkpoint(step);
        }
    }

    fn checkpoint(&mut self, step: Step) {
        let began = self.now();
        let result = checkpoint::run(self.connection(), step, self.config());
        let now = self.now();
        match result {
            Ok((pages, done)) => {
                self.wal.checkpointed(pages, done, now);
                self.is_wal_large = self.is_wal_large && pages > 0;
                self.telemetry(|| Checkpointed {
                    pages,
                    done,
                    took: now - began,
                });
            }
            Err(error) => {
                self.wal.failed(now);
                let error = Error::sqlite(error, "carrying the log into the database");
                self.telemetry(|| CheckpointFailed { error });
            }
        }
    }

    fn count_log(&mut self) {
        self.wal
            .written(self.wal_pages.load(Ordering::Relaxed), self.now());
        let bytes = u64::from(self.wal.pages()) * WAL_PAGE_BYTES;
        let was_large = self.is_wal_large;
        self.is_wal_large = bytes >= self.config().wal_alarm;
        if self.is_wal_large && !was_large {
            self.telemetry(|| WalLarge { bytes });
        }
    }

    fn connection(&self) -> &Connection {
        self.db
            .as_ref()
            .expect("a writer that is up has a connection")
    }

    fn config(&self) -> &Config {
        self.database.config()
    }

    pub(super) fn now(&self) -> Instant {
        self.config().clock.now()
    }

    fn telemetry<E: crate::telemetry::Event>(&self, make: impl FnOnce() -> E) {
        self.config().telemetry.emit(make);
    }
}

impl fmt::Debug for WriterCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterCore")
            .field("state", &self.state)
            .field("epoch", &self.epoch)
            .finish()
    }
}
