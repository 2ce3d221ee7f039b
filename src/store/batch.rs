//! Group commit: many items, one transaction, one fsync.

use crate::store::connection;
use crate::store::error::{Error, ErrorKind};
use crate::store::item::{Applied, Item};
use rusqlite::Connection;

/// Runs all items in one transaction and commits it; how many of them were refused.
///
/// After `Ok`, everything the others wrote is on the disk. After `Err`, nothing of any item happened. Nobody
/// is answered here: the caller does that when it knows which of the two it is.
///
/// A savepoint for each item costs as much as the item itself, and few are ever refused. So they run without; if one is
/// refused, which may have written something, the whole transaction is taken back, and all run once more, each in its
/// savepoint.
pub(super) fn commit(db: &Connection, items: &mut [Item]) -> Result<usize, Error> {
    let doing = |error| Error::sqlite(error, "committing");
    let transaction = connection::begin(db).map_err(doing)?;
    if are_all_done(db, items)? {
        transaction.commit().map_err(doing)?;
        return Ok(0);
    }
    transaction.rollback().map_err(doing)?;
    let transaction = connection::begin(db).map_err(doing)?;
    let mut refused = 0;
    for item in items {
        if !run(db, item)? {
            refused += 1;
        }
    }
    transaction.commit().map_err(doing)?;
    Ok(refused)
}

/// Runs the items up to the first that is refused; `true` if none is.
fn are_all_done(db: &Connection, items: &mut [Item]) -> Result<bool, Error> {
    for item in items {
        if !apply(db, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs one item in a savepoint; `false` if it was refused and left nothing behind.
fn run(db: &Connection, item: &mut Item) -> Result<bool, Error> {
    execute(db, "SAVEPOINT item")?;
    let is_done = apply(db, item)?;
    if !is_done {
        execute(db, "ROLLBACK TO item")?;
    }
    execute(db, "RELEASE item")?;
    Ok(is_done)
}

/// Runs one item; `false` if it was refused, and what it wrote is to be taken back.
fn apply(db: &Connection, item: &mut Item) -> Result<bool, Error> {
    let is_done = match item.apply(db) {
        Applied::Done => true,
        Applied::Refused => false,
        Applied::Failed(error) => return Err(error),
    };
    // SQLite rolls the whole transaction back by itself after some failures, and an operation may have swallowed
    // the error: then nothing of the batch is there any more.
    if db.is_autocommit() {
        return Err(Error::new(
            ErrorKind::Io,
            "committing: the transaction ended early",
        ));
    }
    Ok(is_done)
}

fn execute(db: &Connection, sql: &str) -> Result<(), Error> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|error| Error::sqlite(error, "committing"))
}
