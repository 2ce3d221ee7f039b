//! One data directory, opened: locked, checked, migrated, and ready for a writer and readers.

use crate::store::backup;
use crate::store::config::{Check, Config, ConfigError};
use crate::store::connection;
use crate::store::directory::Directory;
use crate::store::error::{Error, ErrorKind};
use crate::store::event::{CheckedAfterUncleanStop, LogTorn, Migrated};
use crate::store::health::{Health, HealthCell};
use crate::store::integrity;
use crate::store::migration::{self, Plan, Schema};
use crate::store::torn::{self, Torn};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};
use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};

/// A log up to this size, in bytes, is looked through at the start: as large as that which is alarmed about.
const LOG_EXAMINED_MAX: u64 = 64 << 20;

/// An open database. A clone is the same one; the directory is let go when the last of them is dropped.
///
/// It belongs to the program, not to a process: a writer or reader that dies is replaced by one that opens
/// a connection to the same `Database`, without a check or a migration.
///
/// ```
/// use perennial::store::{Config, Database, Health, Migration, Schema};
/// static SCHEMA: Schema = Schema {
///     application_id: 1,
///     migrations: &[Migration { number: 1, name: "notes", sql: "CREATE TABLE note (text TEXT) STRICT" }],
/// };
/// # let directory = std::env::temp_dir().join(format!("perennial-doc-database-{}", std::process::id()));
/// let database = Database::open(Config::new(&directory), &SCHEMA)?;
/// assert_eq!(database.health(), Health::NoWriter);
/// # drop(database);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), perennial::store::OpenError>(())
/// ```
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    /// Stays open and idle for as long as the database is. The index of the log lives in memory that the
    /// connections of a program share, and dies with the last of them; after a commit that failed, the index
    /// is what keeps the failed pages out of sight until they are overwritten.
    _keeper: Mutex<Connection>,
    config: Config,
    path: PathBuf,
    /// Equals `true` while a writer lives. There is never a second one.
    leased: AtomicBool,
    health: HealthCell,
    /// Dropped last, so that the lock is let go only when no connection of ours is left.
    _directory: Directory,
}

/// Why a database could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// A setting cannot be.
    Config(ConfigError),
    /// The directory or the file could not be used.
    Store(Error),
}

impl Database {
    /// Opens the database of a data directory, or makes one.
    ///
    /// In this order: the directory is locked; a file that is foreign, newer or no database is refused
    /// untouched; the whole is checked if the last stop was not an orderly one; missing steps of the schema
    /// are taken, after a copy into `backups/`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(config: Config, schema: &Schema) -> Result<Self, OpenError> {
        config.check().map_err(OpenError::Config)?;
        Database::open_checked(config, schema).map_err(OpenError::Store)
    }

    fn open_checked(config: Config, schema: &Schema) -> Result<Self, Error> {
        let directory = Directory::open(&config.directory)?;
        let path = directory.database();
        let log = log_of(&path);
        refuse_log_alone(&path, &log)?;
        tell_if_torn(&log, &config);
        let mut db = connection::open(&path, &config)?;
        let plan = migration::examine(&db, schema)?;
        connection::make_writer(&mut db, &config)?;
        if plan != Plan::Create {
            check(&db, &config)?;
        }
        migrate(&db, schema, plan, &directory, &config)?;
        Ok(Database(Arc::new(Inner {
            _keeper: Mutex::new(db),
            config,
            path,
            leased: AtomicBool::new(false),
            health: HealthCell::new(),
            _directory: directory,
        })))
    }

    /// Whether writes are taken now.
    pub fn health(&self) -> Health {
        self.0.health.get()
    }

    /// Copies the database into a file, while it is in use. The copy is as of one moment; it is on the disk,
    /// readable by its owner only, when this returns. It is not encrypted.
    ///
    /// It reads the whole database, so call it on a thread that may block.
    ///
    /// # Errors
    /// See [`Error`]. A file of that name is as it was then, or is the whole copy.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        backup::copy(&self.0.path, to, &self.0.config)
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    pub(super) fn health_cell(&self) -> &HealthCell {
        &self.0.health
    }

    /// The right to write, of which there is one. Fails while another holds it.
    pub(super) fn lease(&self) -> Result<Lease, Error> {
        if self.0.leased.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::WriterAlive, "starting the writer"));
        }
        Ok(Lease(self.clone()))
    }
}

fn log_of(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// 0 if there is no such file.
fn bytes_of(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}

/// SQLite would take a database that is gone for a new one, and throw away its log.
fn refuse_log_alone(database: &Path, log: &Path) -> Result<(), Error> {
    if bytes_of(database) > 0 || bytes_of(log) == 0 {
        return Ok(());
    }
    let found = format!(
        "{} is there and {} is not",
        log.display(),
        database.display()
    );
    Err(Error::new(
        ErrorKind::Corrupt(found),
        "opening the database",
    ))
}

/// Before SQLite reads the log, which cuts it where it is bad. What cannot be read here SQLite will complain of itself.
fn tell_if_torn(log: &Path, config: &Config) {
    let is_small = bytes_of(log) <= LOG_EXAMINED_MAX;
    let Some(Torn {
        pages_read,
        commits_left,
    }) = is_small
        .then(|| std::fs::read(log).ok())
        .flatten()
        .and_then(|log| torn::examine(&log))
    else {
        return;
    };
    log::warn!(
        target: "perennial::store",
        "the log was torn: {pages_read} pages of it are read, and {commits_left} commits behind them are gone; after a power \
         cut nobody was told of these"
    );
    config.telemetry.emit(|| LogTorn {
        pages_read,
        commits_left,
    });
}

fn check(db: &Connection, config: &Config) -> Result<(), Error> {
    let was_clean = integrity::was_stopped_cleanly(db)?;
    let wanted = match config.check {
        Check::AfterUncleanStop => !was_clean,
        Check::Always => true,
        Check::Never => false,
    };
    if !wanted {
        return Ok(());
    }
    let began = config.clock.now();
    integrity::check(db)?;
    if !was_clean {
        let took = config.clock.now() - began;
        config.telemetry.emit(|| CheckedAfterUncleanStop { took });
    }
    Ok(())
}

fn migrate(
    db: &Connection,
    schema: &Schema,
    plan: Plan,
    directory: &Directory,
    config: &Config,
) -> Result<(), Error> {
    let (from, backup) = match plan {
        Plan::Keep => return Ok(()),
        Plan::Create => (0, None),
        Plan::Upgrade { from } => {
            let backup = directory.backup(&format!("schema-{from}.db"))?;
            backup::copy(&directory.database(), &backup, config)?;
            (from, Some(backup))
        }
    };
    migration::run(db, schema, plan)?;
    config.telemetry.emit(|| Migrated {
        from,
        to: schema.version(),
        backup,
    });
    Ok(())
}

/// The right to write. It is let go when it is dropped, which must be after the connection that writes.
#[derive(Debug)]
pub(super) struct Lease(Database);

impl Drop for Lease {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.health.set(Health::NoWriter);
        inner.leased.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.0.path)
            .field("health", &self.health())
            .finish()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Config(error) => write!(f, "opening the store: {error}"),
            OpenError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Config(error) => Some(error),
            OpenError::Store(error) => Some(error),
        }
    }
}
