//! Whether a database is whole: the mark of an orderly stop, and the check that is made without it.

use crate::store::connection;
use crate::store::error::{Error, ErrorKind};
use rusqlite::Connection;

/// Equals `true` if the last writer ended in order.
pub(super) fn was_stopped_cleanly(db: &Connection) -> Result<bool, Error> {
    db.query_row("SELECT clean FROM store_state WHERE id = 1", [], |row| {
        row.get(0)
    })
    .map_err(|error| Error::sqlite(error, "reading how the database was left"))
}

/// Reads every page. Finds damage of the structure; a flipped letter inside a text it does not see.
pub(super) fn check(db: &Connection) -> Result<(), Error> {
    let doing = "checking the database";
    let found: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| Error::sqlite(error, doing))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Corrupt(found), doing))
}

/// Takes the database: removes the mark of an orderly stop and counts the taking. The commit proves that
/// the disk takes writes and fsyncs; the number it returns grows with every writer there ever was.
pub(super) fn take(db: &Connection) -> Result<i64, Error> {
    let sql = "UPDATE store_state SET clean = 0, epoch = epoch + 1 WHERE id = 1 RETURNING epoch";
    in_transaction(db, || db.query_row(sql, [], |row| row.get(0)))
        .map_err(|error| Error::sqlite(error, "trying a write"))
}

/// Leaves the mark of an orderly stop.
pub(super) fn leave(db: &Connection) -> Result<(), Error> {
    in_transaction(db, || {
        db.execute("UPDATE store_state SET clean = 1 WHERE id = 1", [])
            .map(drop)
    })
    .map_err(|error| Error::sqlite(error, "marking the database as stopped in order"))
}

fn in_transaction<T>(
    db: &Connection,
    write: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection::begin(db)?;
    let value = write()?;
    transaction.commit()?;
    Ok(value)
}
