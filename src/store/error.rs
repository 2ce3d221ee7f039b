//! What can go wrong with the data on disk, and which of it passes by itself.

use crate::sync::Arc;
use rusqlite::ErrorCode;
use std::error::Error as StdError;
use std::{fmt, io};

/// A failure of the store: its [kind](ErrorKind), what was being done, and the error underneath.
///
/// It is cheap to clone, because one failed commit is the answer to every item of its batch. Two errors
/// are equal if they are of one kind and happened during the same work.
///
/// ```
/// use perennial::store::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::Locked { pid: Some(4711) }, "opening ./data");
/// assert_eq!(error.to_string(), "opening ./data: it is in use by process 4711");
/// assert!(!error.is_recoverable());
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    doing: Box<str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The disk, or the quota on it, is full.
    Full,
    /// The disk did not do what it was asked to.
    Io,
    /// Memory ran out.
    Memory,
    /// Another program, such as a database shell, holds a lock on the file for longer than we wait.
    Busy,
    /// A query took longer than [`Config::query_time_max`](crate::store::Config::query_time_max).
    Timeout,
    /// A file may not be read, written or created by this user.
    NotAllowed,
    /// The predecessor of this writer still has the lease.
    WriterAlive,
    /// The data directory is in use by another program, whose process id is known if it could be read.
    Locked {
        /// The process id in the lock file.
        pid: Option<u32>,
    },
    /// The database was written by a newer program.
    NewerSchema {
        /// The number of the newest migration the database has seen.
        found: u32,
        /// The number of the newest migration this program has.
        known: u32,
    },
    /// The file is a database, but of another application.
    Foreign {
        /// The application id in its header; 0 if it has none.
        application_id: i32,
    },
    /// The file is no SQLite database at all.
    NotADatabase,
    /// The database is damaged; the text is what the check found first.
    Corrupt(String),
    /// The file system of the data directory has no shared memory, as network file systems have none.
    NoWal,
    /// A statement was wrong in itself, or a constraint refused it: a bug of the operation, not of the disk.
    Statement,
}

impl ErrorKind {
    /// Equals `true` for what can pass without anybody's help but the disk's: the writer tries again.
    pub fn is_recoverable(&self) -> bool {
        match self {
            ErrorKind::Full
            | ErrorKind::Io
            | ErrorKind::Memory
            | ErrorKind::Busy
            | ErrorKind::Timeout
            | ErrorKind::NotAllowed
            | ErrorKind::WriterAlive => true,
            ErrorKind::Locked { .. }
            | ErrorKind::NewerSchema { .. }
            | ErrorKind::Foreign { .. }
            | ErrorKind::NotADatabase
            | ErrorKind::Corrupt(_)
            | ErrorKind::NoWal
            | ErrorKind::Statement => false,
        }
    }

    /// Equals `true` if only the item whose statement it was is at fault, so that its neighbours in the
    /// batch may go on.
    pub(super) fn is_of_one_item(&self) -> bool {
        matches!(self, ErrorKind::Statement)
    }
}

impl Error {
    /// An error of a kind; `doing` says what was being done, such as "opening ./data".
    pub fn new(kind: ErrorKind, doing: impl Into<Box<str>>) -> Self {
        Error::with(kind, doing.into(), None)
    }

    /// The kind, for whoever decides by it.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Equals `true` if the same work may succeed later without anybody's help but the disk's.
    pub fn is_recoverable(&self) -> bool {
        self.0.kind.is_recoverable()
    }

    pub(super) fn io(error: io::Error, doing: impl Into<Box<str>>) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            io::ErrorKind::FileTooLarge => ErrorKind::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::NotAllowed
            }
            io::ErrorKind::OutOfMemory => ErrorKind::Memory,
            _ => ErrorKind::Io,
        };
        Error::with(kind, doing.into(), Some(Box::new(error)))
    }

    pub(super) fn sqlite(error: rusqlite::Error, doing: impl Into<Box<str>>) -> Self {
        let kind = match error.sqlite_error() {
            Some(sqlite) => kind_of(sqlite, &error),
            None => ErrorKind::Statement,
        };
        Error::with(kind, doing.into(), Some(Box::new(error)))
    }

    fn with(
        kind: ErrorKind,
        doing: Box<str>,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Error(Arc::new(Inner {
            kind,
            doing,
            source,
        }))
    }
}

fn kind_of(sqlite: &rusqlite::ffi::Error, error: &rusqlite::Error) -> ErrorKind {
    match sqlite.code {
        ErrorCode::DiskFull => ErrorKind::Full,
        ErrorCode::OutOfMemory => ErrorKind::Memory,
        ErrorCode::SystemIoFailure if sqlite.extended_code == rusqlite::ffi::SQLITE_IOERR_NOMEM => {
            ErrorKind::Memory
        }
        // A file that cannot be opened in a directory we hold the lock of is missing or unreadable: the
        // disk is gone, or the file descriptors are used up.
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => ErrorKind::Io,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => ErrorKind::Busy,
        ErrorCode::OperationInterrupted => ErrorKind::Timeout,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => ErrorKind::NotAllowed,
        ErrorCode::DatabaseCorrupt => ErrorKind::Corrupt(error.to_string()),
        ErrorCode::NotADatabase => ErrorKind::NotADatabase,
        _ => ErrorKind::Statement,
    }
}

/// So that an operation can use `?` on its statements.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::sqlite(error, "running a statement")
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.doing == other.0.doing
    }
}

impl Eq for Error {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Full => f.write_str("the disk is full"),
            ErrorKind::Io => f.write_str("the disk failed"),
            ErrorKind::Memory => f.write_str("memory ran out"),
            ErrorKind::Busy => f.write_str("another program holds a lock on the database"),
            ErrorKind::Timeout => f.write_str("it took longer than allowed"),
            ErrorKind::NotAllowed => f.write_str("the files may not be written by this user"),
            ErrorKind::WriterAlive => f.write_str("the last writer has not ended yet"),
            ErrorKind::Locked { pid: Some(pid) } => write!(f, "it is in use by process {pid}"),
            ErrorKind::Locked { pid: None } => f.write_str("it is in use by another program"),
            ErrorKind::NewerSchema { found, known } => write!(
                f,
                "the database has schema {found} and this program knows schemas up to {known}: \
                 run the newer program that wrote it"
            ),
            ErrorKind::Foreign { application_id } => write!(
                f,
                "the file is a database of another application (application id {application_id})"
            ),
            ErrorKind::NotADatabase => f.write_str("the file is not a database"),
            ErrorKind::Corrupt(found) => write!(f, "the database is damaged ({found})"),
            ErrorKind::NoWal => f.write_str(
                "the file system has no shared memory, as network file systems have none: \
                 use a local disk",
            ),
            ErrorKind::Statement => f.write_str("a statement was refused"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.doing, self.0.kind)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("doing", &self.0.doing)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
