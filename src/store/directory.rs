//! The data directory: created for its owner only, and held by one program at a time.

use crate::store::error::{Error, ErrorKind};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The database file inside a data directory.
const DATABASE: &str = "perennial.db";

/// Whoever holds the lock on this file owns the directory. The lock is the operating system's, so it dies
/// with its holder however that ends; the file stays, because removing it would race with the next holder.
const LOCK: &str = "perennial.lock";

/// Where copies that are made before a migration go.
const BACKUPS: &str = "backups";

/// More of a lock file than any process id needs.
const PID_BYTES_MAX: u64 = 32;

/// A data directory that this program holds. Dropping it lets go.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: Lock,
}

/// The file that carries the lock.
///
/// Closing it is not enough to let go: a child process that is just being started has a copy of every open file until it
/// runs its own program, and the lock belongs to all copies.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            log::warn!(target: "perennial::store", "unlocking the data directory: {error}");
        }
    }
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        create(path).map_err(|error| {
            Error::io(
                error,
                format!("creating the data directory {}", path.display()),
            )
        })?;
        let lock = lock(path)?;
        let directory = Directory {
            path: path.to_path_buf(),
            _lock: lock,
        };
        directory.create_database()?;
        Ok(directory)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The place for a copy, in a directory that exists.
    pub(super) fn backup(&self, name: &str) -> Result<PathBuf, Error> {
        let backups = self.path.join(BACKUPS);
        create(&backups)
            .map_err(|error| Error::io(error, format!("creating {}", backups.display())))?;
        Ok(backups.join(name))
    }

    /// Makes an empty database file, for this user only, if there is none: SQLite would give it, and the log
    /// beside it, to everybody the umask allows. Older files are narrowed to the same.
    fn create_database(&self) -> Result<(), Error> {
        let path = self.database();
        let made = private_file(
            OpenOptions::new().write(true).create(true).truncate(false),
            &path,
        )
        .and_then(|file| narrow(&file))
        .and_then(|()| sync(&self.path));
        made.map_err(|error| Error::io(error, format!("creating {}", path.display())))
    }
}

fn lock(directory: &Path) -> Result<Lock, Error> {
    let doing = || format!("opening the data directory {}", directory.display());
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .clone();
    let mut file =
        private_file(&open, &directory.join(LOCK)).map_err(|error| Error::io(error, doing()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = read_pid(&mut file);
            return Err(Error::new(ErrorKind::Locked { pid }, doing()));
        }
        Err(TryLockError::Error(error)) => return Err(Error::io(error, doing())),
    }
    let mut lock = Lock(file);
    write_pid(&mut lock.0).map_err(|error| Error::io(error, doing()))?;
    Ok(lock)
}

/// The process id in a lock file; `None` while its holder is about to write it.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Creates a directory and what is missing above it. What this call creates is for this user only; what
/// was there is left as it is, because it may be shared on purpose and the files inside are narrow anyway.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create(parent)?;
    }
    match private_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(parent.unwrap_or(Path::new("."))),
    }
}

#[cfg(unix)]
fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(unix)]
pub(super) fn private_file(options: &OpenOptions, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    options.clone().mode(0o600).open(path)
}

/// Takes a file away from everybody but its owner.
#[cfg(unix)]
fn narrow(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode & 0o700))
}

/// Makes sure that the names in a directory outlive a power cut.
#[cfg(unix)]
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

#[cfg(not(unix))]
pub(super) fn private_file(options: &OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

#[cfg(not(unix))]
fn narrow(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Elsewhere a directory cannot be opened as a file, and its names are kept by the file system.
#[cfg(not(unix))]
pub(super) fn sync(_directory: &Path) -> io::Result<()> {
    Ok(())
}
