//! Everything about a store that can be set, with all defaults in one place.

use crate::telemetry::Telemetry;
use crate::time::Clock;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of a store.
///
/// ```
/// use perennial::store::Config;
/// let config = Config { batch_max: 32, ..Config::new("./data") };
/// assert_eq!(config.check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; it is created, for this user only, if it does not exist.
    pub directory: PathBuf,
    /// How many writes one commit carries at most. 256: the cost of the fsync is spread thin by then, and
    /// the batch still ends within a few milliseconds.
    pub batch_max: usize,
    /// How many writes may wait for the writer; what is above is refused at once. 16,384: a fraction of a second
    /// of a good disk's work; a longer queue would only be a longer wait.
    pub queue_max: usize,
    /// How long a batch waits for company while commits come fast; zero never waits. 600 µs: what comes in
    /// meanwhile when some thousands come in a second, and less than anybody notices.
    pub commit_wait_max: Duration,
    /// How many restarts of its processes the store's supervisor allows within
    /// [`restarts_period`](Config::restarts_period) before it gives up. 10: a restart takes a millisecond.
    pub restarts_max: usize,
    /// See [`restarts_max`](Config::restarts_max).
    pub restarts_period: Duration,
    /// How many reader connections there are. 2: reads of old history are short and mostly in memory.
    pub readers: usize,
    /// How long a query may run. 2 s: far more than a page of history takes, far less than a person waits.
    pub query_time_max: Duration,
    /// How long we wait for a lock that a foreign program, such as a backup tool, holds.
    pub busy_timeout: Duration,
    /// How many pages of the log are not yet in the database file when a checkpoint is made in a quiet
    /// moment. 1,000 pages are 4 MiB: SQLite's own choice.
    pub checkpoint_pages: u32,
    /// How many such pages force a checkpoint between two batches, quiet moment or not. 4,000 pages are
    /// 16 MiB: the log stays small enough to be cached.
    pub checkpoint_pages_max: u32,
    /// How long nothing is written before the log is put into the database file and cut to nothing.
    pub checkpoint_idle: Duration,
    /// The size of the log, in bytes, at which `WalLarge` is emitted: a reader holds it, or the disk is ill.
    pub wal_alarm: u64,
    /// How long a writer whose disk failed waits before it tries again.
    pub retry_after: Duration,
    /// The page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// The page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// When the whole database is checked before it is used.
    pub check: Check,
    /// The SQLite VFS to use; `None` is that of the operating system.
    pub vfs: Option<String>,
    /// Where the store reads the time.
    pub clock: Clock,
    /// Where the store tells what happened; see the events of [this module](crate::store).
    pub telemetry: Telemetry,
}

/// When the whole database is checked before it is used. The check reads every page: about a second for
/// each gigabyte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// If the last stop was not an orderly one.
    AfterUncleanStop,
    /// At every start.
    Always,
    /// Not at all: for databases so large that the operator checks them at a time of his choice.
    Never,
}

/// A setting that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `batch_max` must be at least 1.
    BatchMax,
    /// `queue_max` must be at least `batch_max`.
    QueueMax,
    /// `readers` must be at least 1.
    Readers,
    /// `checkpoint_pages` must be at least 1 and at most `checkpoint_pages_max`.
    CheckpointPages,
}

impl Config {
    /// The defaults, for a data directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Config {
            directory: directory.into(),
            batch_max: 256,
            queue_max: 16_384,
            commit_wait_max: Duration::from_micros(600),
            restarts_max: 10,
            restarts_period: Duration::from_secs(5),
            readers: 2,
            query_time_max: Duration::from_secs(2),
            busy_timeout: Duration::from_secs(5),
            checkpoint_pages: 1_000,
            checkpoint_pages_max: 4_000,
            checkpoint_idle: Duration::from_secs(1),
            wal_alarm: 64 << 20,
            retry_after: Duration::from_millis(250),
            writer_cache_kib: 8 << 10,
            reader_cache_kib: 2 << 10,
            check: Check::AfterUncleanStop,
            vfs: None,
            clock: Clock::system(),
            telemetry: Telemetry::new(),
        }
    }

    /// The first setting that cannot be, if there is one.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.batch_max == 0 {
            return Err(ConfigError::BatchMax);
        }
        if self.queue_max < self.batch_max {
            return Err(ConfigError::QueueMax);
        }
        if self.readers == 0 {
            return Err(ConfigError::Readers);
        }
        if !(1..=self.checkpoint_pages_max).contains(&self.checkpoint_pages) {
            return Err(ConfigError::CheckpointPages);
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigError::BatchMax => "batch_max must be at least 1",
            ConfigError::QueueMax => "queue_max must be at least batch_max",
            ConfigError::Readers => "readers must be at least 1",
            ConfigError::CheckpointPages => {
                "checkpoint_pages must be at least 1 and at most checkpoint_pages_max"
            }
        })
    }
}

impl std::error::Error for ConfigError {}
