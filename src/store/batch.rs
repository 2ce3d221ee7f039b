//! Group commit: many items, one transaction, one fsync.

use crate::store::connection;
use crate::store::error::{Error, ErrorKind};
use crate::store::item::{Applied, Item};
use rusqlite::Connection;

/// Runs all items in one transaction and commits it; how many of them were refused.
///
/// After `Ok`, everything the others wrote is on the disk. After `Err`, nothing of any item happened. Nobody
/// is answered here: the caller does that when it knows which of the two it is.
pub(super) fn commit(db: &Connection, items: &mut [Item]) -> Result<usize, Error> {
    let doing = |error| Error::sqlite(error, "committing");
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

/// Runs one item in a savepoint; `false` if it was refused and left nothing behind.
fn run(db: &Connection, item: &mut Item) -> Result<bool, Error> {
    execute(db, "SAVEPOINT item")?;
    let is_done = match item.apply(db) {
        Applied::Done => true,
        Applied::Refused => false,
        Applied::Failed(error) => return Err(error),
    };
    // SQLite rolls the whole transaction back by itself after some failures, and an operation may have
    // swallowed the error: then nothing of the batch is there any more.
    if db.is_autocommit() {
        return Err(Error::new(
            ErrorKind::Io,
            "committing: the transaction ended early",
        ));
    }
    if !is_done {
        execute(db, "ROLLBACK TO item")?;
    }
    execute(db, "RELEASE item")?;
    Ok(is_done)
}

fn execute(db: &Connection, sql: &str) -> Result<(), Error> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|error| Error::sqlite(error, "committing"))
}
