//! Opens connections: one writes, the others only read. Here stands every setting SQLite is run with, and why.

use crate::store::config::Config;
use crate::store::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// How many prepared statements a connection keeps: more than there are different ones in an application.
const STATEMENTS_MAX: usize = 64;

/// The longest text or blob SQLite will take, in bytes: far above any message, far below what would let one
/// row fill the memory.
const VALUE_BYTES_MAX: i32 = 16 << 20;

/// The log file is cut to this size when it starts over, in bytes: a burst does not keep the disk for ever.
const WAL_KEPT_BYTES: u32 = 16 << 20;

/// Opens a file without changing anything in it, not even its journal mode.
pub(super) fn open(path: &Path, config: &Config) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = connect(path, config, flags)?;
    db.busy_timeout(config.busy_timeout).map_err(opening)?;
    Ok(db)
}

/// Turns an open connection into one that writes.
pub(super) fn make_writer(db: &mut Connection, config: &Config) -> Result<Arc<AtomicU32>, Error> {
    let mode: String = db
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(opening)?;
    if mode != "wal" {
        return Err(Error::new(ErrorKind::NoWal, "opening the database"));
    }
    configure_writer(db, config).map_err(opening)?;
    configure(db, config.writer_cache_kib).map_err(opening)?;
    watch_wal(db).map_err(opening)
}

/// Opens a connection that writes.
pub(super) fn open_writer(
    path: &Path,
    config: &Config,
) -> Result<(Connection, Arc<AtomicU32>), Error> {
    let mut db = open(path, config)?;
    let wal_pages = make_writer(&mut db, config)?;
    Ok((db, wal_pages))
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path, config: &Config) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = connect(path, config, flags)?;
    db.busy_timeout(config.busy_timeout).map_err(opening)?;
    configure(&db, config.reader_cache_kib).map_err(opening)?;
    Ok(db)
}

fn connect(path: &Path, config: &Config, flags: OpenFlags) -> Result<Connection, Error> {
    match &config.vfs {
        None => Connection::open_with_flags(path, flags),
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
    }
    .map_err(opening)
}

fn opening(error: rusqlite::Error) -> Error {
    Error::sqlite(error, "opening the database")
}

fn configure_writer(db: &Connection, _config: &Config) -> rusqlite::Result<()> {
    // Each commit is on the disk before it returns; NORMAL would lose the last ones in a power cut.
    db.pragma_update(None, "synchronous", "full")?;
    // On macOS a plain fsync stops at the drive's cache.
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "checkpoint_fullfsync", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // The writer decides when to pay for a checkpoint, not the thousandth page.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    // What is deleted is overwritten, not only forgotten.
    db.pragma_update(None, "secure_delete", true)
}

fn configure(db: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    // A negative size is in KiB.
    db.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    // Sorting leaves nothing readable in /tmp.
    db.pragma_update(None, "temp_store", "memory")?;
    // Damage is noticed where it is read, not where it is followed.
    db.pragma_update(None, "cell_size_check", true)?;
    // A file is data: nothing in it may call functions, and nothing may rewrite its structure.
    db.pragma_update(None, "trusted_schema", false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// Counts the pages in the log, as SQLite tells them after each commit.
fn watch_wal(db: &mut Connection) -> rusqlite::Result<Arc<AtomicU32>> {
    let pages = Arc::new(AtomicU32::new(0));
    let count = pages.clone();
    db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, in_log| {
        count.store(u32::try_from(in_log).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(pages)
}

/// A transaction that is rolled back unless it was committed: by an early return and by a panic alike.
pub(super) struct Transaction<'db>(&'db Connection);

/// Takes the write lock at once, so that no statement inside can find it taken.
pub(super) fn begin(db: &Connection) -> rusqlite::Result<Transaction<'_>> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(Transaction(db))
}

impl Transaction<'_> {
    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    pub(super) fn rollback(self) -> rusqlite::Result<()> {
        self.0.execute_batch("ROLLBACK")
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // If even this fails the connection is unusable; its owner replaces it after any failed commit,
            // and closing it ends the transaction.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}
