//! The data directory: for its owner only, and for one program at a time.

use crate::crash::Child;
use crate::ledger::{Append, DATABASE, config, entries, open, try_open, write};
use crate::scratch::Scratch;
use perennial::store::ErrorKind;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
#[test]
fn everything_is_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let mut config = config(&scratch);
    config.directory = scratch.data().join("deep/down");
    let directory = config.directory.clone();
    let (database, mut writer) = open(config);
    write(&mut writer, Append::new(1, "private")).unwrap();
    database.backup(&scratch.data().join("copy.db")).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 4, "database, log, index and lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&scratch.data().join("copy.db")), 0o600);
}

#[cfg(unix)]
#[test]
fn a_database_that_others_could_read_is_taken_from_them() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    drop(open(config(&scratch)));
    fs::set_permissions(
        scratch.data().join(DATABASE),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let _open = open(config(&scratch));
    assert_eq!(
        fs::metadata(scratch.data().join(DATABASE))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[test]
fn a_directory_in_use_is_refused_with_the_process_that_uses_it() {
    let scratch = Scratch::new();
    let child = Child::start(&scratch.data(), 1);
    let error = try_open(config(&scratch)).unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Locked {
            pid: Some(child.pid())
        }
    );
    assert!(
        error.to_string().contains(&child.pid().to_string()),
        "{error}"
    );
    assert!(
        error.to_string().contains(scratch.data().to_str().unwrap()),
        "{error}"
    );
    assert!(!error.is_recoverable());
}

#[test]
fn the_lock_dies_with_a_program_that_is_killed() {
    let scratch = Scratch::new();
    let child = Child::start(&scratch.data(), 1);
    let acknowledged = child.kill_after(3);
    let database = try_open(config(&scratch)).unwrap();
    let found = entries(&database, 1).len() + entries(&database, 2).len();
    assert!(found >= acknowledged.len());
}

#[test]
fn a_program_cannot_open_a_directory_twice() {
    let scratch = Scratch::new();
    let first = open(config(&scratch));
    let error = try_open(config(&scratch)).unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Locked {
            pid: Some(std::process::id())
        }
    );
    drop(first);
    try_open(config(&scratch)).unwrap();
}

// A child has a copy of every open file from its birth until it runs its own program; the lock was closed by us, and held
// by the child.
#[test]
fn a_directory_that_was_closed_is_free_whatever_children_are_being_started() {
    let scratch = Scratch::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let child = Command::new("true").stdin(Stdio::null()).status();
                    assert!(child.unwrap().success());
                }
            });
        }
        let mut refusal = None;
        for _ in 0..200 {
            refusal = try_open(config(&scratch)).err();
            if refusal.is_some() {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(refusal.is_none(), "{refusal:?}");
    });
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_with_its_name() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.data()).unwrap();
    fs::write(scratch.data().join("file"), "").unwrap();
    let mut config = config(&scratch);
    config.directory = scratch.data().join("file/data");
    let error = try_open(config).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("file/data"), "{error}");
}
