//! What the writer writes and the readers read: one type per deed, given by the application.

use crate::store::error::Error;
use rusqlite::Connection;
use std::fmt;

/// One write, which happens wholly or not at all.
///
/// ```
/// use perennial::store::rusqlite::Connection;
/// use perennial::store::{Operation, WriteError};
/// use std::convert::Infallible;
///
/// struct AddNote(String);
/// impl Operation for AddNote {
///     type Output = ();
///     type Refused = Infallible;
///     fn apply(&self, db: &Connection) -> Result<(), WriteError<Infallible>> {
///         db.prepare_cached("INSERT INTO note (text) VALUES (?1)")?.execute([&self.0])?;
///         Ok(())
///     }
/// }
/// ```
pub trait Operation: Send + 'static {
    /// The answer once the write is on the disk.
    type Output: Send + 'static;
    /// Why the operation may decline, as its business sees it: a name that is taken.
    type Refused: Send + 'static;

    /// Writes, inside the batch's transaction. An `Err` takes back what this call wrote and nothing else.
    ///
    /// It runs on the writer, between other writes: it should be quick, and it must not end the transaction. If
    /// another write of the batch has to be taken back it runs once more, and the last answer counts.
    /// A panic ends the writer, and with it every write of the batch.
    ///
    /// # Errors
    /// [`WriteError::Refused`] for what the business declines, [`WriteError::Store`] for what `?` brings from
    /// SQLite.
    fn apply(&self, db: &Connection) -> Result<Self::Output, WriteError<Self::Refused>>;
}

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError<R> {
    /// The operation declined.
    Refused(R),
    /// The store failed. If this is the answer of a writer, nobody was told that the write happened, and
    /// nobody can read it; but should the program be killed before the disk takes its next write, it may be
    /// found in the database afterwards. Repeat only what is recognised when it comes twice.
    Store(Error),
}

/// One read, of one moment.
pub trait Query: Send + 'static {
    /// What it finds.
    type Output: Send + 'static;

    /// Reads, inside a transaction that sees the database as of one moment.
    ///
    /// # Errors
    /// What SQLite says; the reader passes it on as an [`Error`].
    fn run(&self, db: &Connection) -> rusqlite::Result<Self::Output>;
}

impl<R> From<rusqlite::Error> for WriteError<R> {
    fn from(error: rusqlite::Error) -> Self {
        WriteError::Store(error.into())
    }
}

impl<R> From<Error> for WriteError<R> {
    fn from(error: Error) -> Self {
        WriteError::Store(error)
    }
}

impl<R: fmt::Display> fmt::Display for WriteError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Refused(refused) => write!(f, "refused: {refused}"),
            WriteError::Store(error) => error.fmt(f),
        }
    }
}

impl<R: fmt::Debug + fmt::Display> std::error::Error for WriteError<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WriteError::Refused(_) => None,
            WriteError::Store(error) => Some(error),
        }
    }
}
