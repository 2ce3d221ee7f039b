//! A copy of the database while it is in use.

use crate::store::config::Config;
use crate::store::connection;
use crate::store::directory;
use crate::store::error::Error;
use std::fs::{self, File, OpenOptions};
use std::path::Path;

/// Copies the database to a file that appears under its name only when it is whole and on the disk. A file
/// of that name is replaced.
pub(super) fn copy(database: &Path, to: &Path, config: &Config) -> Result<(), Error> {
    let doing = || format!("copying the database to {}", to.display());
    let io = |error| Error::io(error, doing());
    let partial = to.with_extension("partial");
    // SQLite writes into an empty file but would make a missing one readable to everybody.
    let options = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .clone();
    directory::private_file(&options, &partial).map_err(io)?;
    let db = connection::open(database, config)?;
    let name = partial.to_string_lossy();
    let copied = db
        .execute("VACUUM INTO ?1", [&name])
        .map_err(|error| Error::sqlite(error, doing()))
        .and_then(|_| {
            File::open(&partial)
                .and_then(|file| file.sync_all())
                .map_err(io)
        })
        .and_then(|()| fs::rename(&partial, to).map_err(io));
    if copied.is_err() {
        // The first error is the one to tell; a partial copy is overwritten by the next attempt anyway.
        let _ = fs::remove_file(&partial);
    }
    copied?;
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => directory::sync(parent).map_err(io),
        None => directory::sync(Path::new(".")).map_err(io),
    }
}
