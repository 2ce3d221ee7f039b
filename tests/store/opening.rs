//! What a database may be when it is opened: new, ours, old, newer, foreign, damaged.

use crate::ledger::{
    APPLICATION_ID, Append, DATABASE, SCHEMA, config, entries, open, texts_without_gaps, try_open,
    write,
};
use crate::scratch::Scratch;
use perennial::store::event::{CheckedAfterUncleanStop, LogTorn, Migrated};
use perennial::store::rusqlite::Connection;
use perennial::store::{
    Check, Config, ConfigError, Database, ErrorKind, Migration, OpenError, Schema, WriterCore,
};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The log beside it.
const LOG: &str = "perennial.db-wal";

/// Makes a file with SQLite, without the store.
fn plant(scratch: &Scratch, sql: &str) -> Vec<u8> {
    fs::create_dir(scratch.data()).unwrap();
    let db = Connection::open(scratch.data().join(DATABASE)).unwrap();
    db.execute_batch(sql).unwrap();
    drop(db);
    fs::read(scratch.data().join(DATABASE)).unwrap()
}

#[track_caller]
fn assert_refused_untouched(scratch: &Scratch, before: &[u8], kind: &ErrorKind) {
    let error = try_open(config(scratch)).unwrap_err();
    assert_eq!(error.kind(), kind);
    assert!(!error.is_recoverable());
    assert!(
        fs::read(scratch.data().join(DATABASE)).unwrap() == before,
        "the file is as it was"
    );
    assert!(
        !scratch.data().join("perennial.db-wal").exists(),
        "nothing was put beside it"
    );
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let scratch = Scratch::new();
    let before = plant(
        &scratch,
        &format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 7; CREATE TABLE t (a)"
        ),
    );
    let newer = ErrorKind::NewerSchema { found: 7, known: 1 };
    assert_refused_untouched(&scratch, &before, &newer);
    let text = try_open(config(&scratch)).unwrap_err().to_string();
    assert!(
        text.contains("schema 7") && text.contains("up to 1"),
        "{text}"
    );
}

#[test]
fn a_database_of_another_application_is_refused_untouched() {
    for (sql, application_id) in [
        ("CREATE TABLE t (a)", 0),
        (
            "PRAGMA application_id = 1234; PRAGMA user_version = 1; CREATE TABLE t (a)",
            1234,
        ),
        ("PRAGMA user_version = 3", 0),
    ] {
        let scratch = Scratch::new();
        let before = plant(&scratch, sql);
        assert_refused_untouched(&scratch, &before, &ErrorKind::Foreign { application_id });
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_untouched() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.data()).unwrap();
    let before = b"minutes of the meeting of the gardeners' club, ".repeat(90);
    fs::write(scratch.data().join(DATABASE), &before).unwrap();
    assert_refused_untouched(&scratch, &before, &ErrorKind::NotADatabase);
}

#[test]
fn an_empty_file_becomes_a_database() {
    let scratch = Scratch::new();
    plant(&scratch, "");
    let (database, mut writer) = open(config(&scratch));
    write(&mut writer, Append::new(1, "a")).unwrap();
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a"]);
}

/// Counts the checks after an unclean stop.
fn counting(config: Config) -> (Config, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let checks = count.clone();
    config.telemetry.attach(move |_: &CheckedAfterUncleanStop| {
        checks.fetch_add(1, Ordering::Relaxed);
    });
    (config, count)
}

#[test]
fn only_a_stop_out_of_order_is_followed_by_a_check() {
    let scratch = Scratch::new();
    let (first, checks) = counting(config(&scratch));
    let (database, mut writer) = open(first.clone());
    write(&mut writer, Append::new(1, "a")).unwrap();
    writer.close().unwrap();
    drop(database);
    let (database, mut writer) = open(first.clone());
    assert_eq!(checks.load(Ordering::Relaxed), 0, "stopped in order");
    write(&mut writer, Append::new(1, "b")).unwrap();
    drop((writer, database));
    let (database, writer) = open(first.clone());
    assert_eq!(checks.load(Ordering::Relaxed), 1, "stopped without a word");
    // A writer that is replaced while the program lives is no reason for a check.
    drop(writer);
    let mut writer = WriterCore::open(&database).unwrap();
    write(&mut writer, Append::new(1, "c")).unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 1);
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a", "b", "c"]);
}

#[test]
fn an_orderly_stop_leaves_one_file_that_holds_everything() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    write(&mut writer, Append::new(1, "a")).unwrap();
    writer.close().unwrap();
    drop(database);
    let mut left: Vec<_> = fs::read_dir(scratch.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["perennial.db", "perennial.lock"]);
    let elsewhere = Scratch::new();
    fs::create_dir(elsewhere.data()).unwrap();
    fs::copy(
        scratch.data().join(DATABASE),
        elsewhere.data().join(DATABASE),
    )
    .unwrap();
    let database = try_open(config(&elsewhere)).unwrap();
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a"]);
}

/// A database with enough in it to be damaged, not stopped in order.
fn grown(scratch: &Scratch) {
    let (database, mut writer) = open(config(scratch));
    for n in 0..200 {
        write(
            &mut writer,
            Append::new(1, format!("{n} {}", "x".repeat(300))),
        )
        .unwrap();
    }
    drop((writer, database));
    assert!(
        !scratch.data().join("perennial.db-wal").exists(),
        "all of it is in one file"
    );
}

fn damage(scratch: &Scratch, page: usize) {
    let mut file = fs::read(scratch.data().join(DATABASE)).unwrap();
    let pages = file.len() / 4096;
    assert!(page < pages, "{pages}");
    file[page * 4096..page * 4096 + 64].fill(0xA5);
    fs::write(scratch.data().join(DATABASE), file).unwrap();
}

#[test]
fn damage_is_found_after_an_unclean_stop() {
    let scratch = Scratch::new();
    grown(&scratch);
    damage(&scratch, 9);
    let error = try_open(config(&scratch)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(!error.is_recoverable());
}

#[test]
fn damage_anywhere_in_the_structure_is_found() {
    let scratch = Scratch::new();
    grown(&scratch);
    let whole = fs::read(scratch.data().join(DATABASE)).unwrap();
    for page in 0..whole.len() / 4096 {
        damage(&scratch, page);
        let error = try_open(config(&scratch)).expect_err(&format!("page {page} is damaged"));
        let expected = match page {
            // The header says what the file is.
            0 => matches!(error.kind(), ErrorKind::NotADatabase),
            _ => matches!(error.kind(), ErrorKind::Corrupt(_)),
        };
        assert!(expected, "page {page}: {error:?}");
        fs::write(scratch.data().join(DATABASE), &whole).unwrap();
    }
    try_open(config(&scratch)).unwrap();
}

#[test]
fn a_file_that_was_cut_is_found() {
    let scratch = Scratch::new();
    grown(&scratch);
    let file = fs::File::options()
        .write(true)
        .open(scratch.data().join(DATABASE))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let error = try_open(config(&scratch)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt(_)), "{error:?}");
}

/// A database and its log, as a program that was killed leaves them.
fn killed(scratch: &Scratch) -> (Vec<u8>, Vec<u8>) {
    let (_database, mut writer) = open(config(scratch));
    for n in 0..20 {
        write(&mut writer, Append::new(1, format!("entry {n}"))).unwrap();
    }
    let file = |name| fs::read(scratch.data().join(name)).unwrap();
    (file(DATABASE), file(LOG))
}

/// What is said of a torn log when it is opened, and what is in it.
fn torn(file: &[u8], log: &[u8]) -> (Vec<LogTorn>, usize) {
    let scratch = Scratch::new();
    fs::create_dir(scratch.data()).unwrap();
    fs::write(scratch.data().join(DATABASE), file).unwrap();
    fs::write(scratch.data().join(LOG), log).unwrap();
    let config = config(&scratch);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    config
        .telemetry
        .attach(move |torn: &LogTorn| tell.lock().unwrap().push(*torn));
    let database = try_open(config).unwrap();
    let count = texts_without_gaps(&entries(&database, 1)).len();
    let told = told.lock().unwrap().clone();
    (told, count)
}

// SQLite takes the first bad page for the end of the log, and said nothing of what was behind it.
#[test]
fn commits_behind_a_bad_page_of_the_log_are_told_of() {
    let scratch = Scratch::new();
    let (file, log) = killed(&scratch);
    assert_eq!(torn(&file, &log), (vec![], 20), "a whole one");
    let last = log.len() - 100;
    // The head, and some pages, the last among them.
    for (at, found) in [
        (3, 0..1),
        (25, 0..1),
        (log.len() / 2, 5..15),
        (last, 19..20),
    ] {
        let mut log = log.clone();
        log[at] ^= 1;
        let (told, count) = torn(&file, &log);
        assert!(found.contains(&count), "{count} entries, bad at {at}");
        assert!(
            matches!(told[..], [LogTorn { commits_left, .. }] if commits_left > 0),
            "bad at {at}: {told:?}"
        );
    }
    // One that was begun anew has pages of the one before behind its end.
    let (database, mut writer) = open(config(&scratch));
    write(&mut writer, Append::new(1, "short")).unwrap();
    let mut anew = fs::read(scratch.data().join(LOG)).unwrap();
    let file = fs::read(scratch.data().join(DATABASE)).unwrap();
    drop((writer, database));
    if anew.len() < log.len() {
        anew.extend(&log[anew.len()..]);
    }
    assert_eq!(torn(&file, &anew), (vec![], 21));
}

// SQLite takes a database that is gone for a new one, and deletes its log with everything that is in it.
#[test]
fn a_log_without_its_database_is_refused_untouched() {
    let scratch = Scratch::new();
    let (file, log) = killed(&scratch);
    for rest in [None, Some(vec![])] {
        let alone = Scratch::new();
        fs::create_dir(alone.data()).unwrap();
        fs::write(alone.data().join(LOG), &log).unwrap();
        if let Some(rest) = rest {
            fs::write(alone.data().join(DATABASE), rest).unwrap();
        }
        let error = try_open(config(&alone)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupt(_)), "{error:?}");
        assert!(error.to_string().contains(LOG), "{error}");
        assert!(fs::read(alone.data().join(LOG)).unwrap() == log);
        // Put back, it is all there.
        fs::write(alone.data().join(DATABASE), &file).unwrap();
        let database = try_open(config(&alone)).unwrap();
        assert_eq!(texts_without_gaps(&entries(&database, 1)).len(), 20);
    }
}

#[test]
fn the_check_is_made_when_the_operator_wants_it() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    for n in 0..200 {
        write(
            &mut writer,
            Append::new(1, format!("{n} {}", "x".repeat(300))),
        )
        .unwrap();
    }
    writer.close().unwrap();
    drop(database);
    damage(&scratch, 9);
    let with = |check| {
        try_open(Config {
            check,
            ..config(&scratch)
        })
    };
    with(Check::Never).unwrap();
    with(Check::AfterUncleanStop).unwrap();
    let error = with(Check::Always).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt(_)), "{error:?}");
}

static TWO: Schema = Schema {
    application_id: APPLICATION_ID,
    migrations: &[
        SCHEMA.migrations[0],
        Migration {
            number: 2,
            name: "authors",
            sql: "ALTER TABLE entry ADD COLUMN author TEXT; CREATE TABLE author (name TEXT) STRICT;",
        },
    ],
};

/// As an operator has it: schema 1, one entry, stopped in order.
fn version_one(scratch: &Scratch) {
    let (database, mut writer) = open(config(scratch));
    write(&mut writer, Append::new(1, "old")).unwrap();
    writer.close().unwrap();
    drop(database);
}

#[test]
fn a_missing_step_is_taken_after_a_copy() {
    let scratch = Scratch::new();
    version_one(&scratch);
    let config_two = config(&scratch);
    let told = Arc::new(Mutex::new(None));
    let tell = told.clone();
    config_two.telemetry.attach(move |migrated: &Migrated| {
        *tell.lock().unwrap() = Some(migrated.clone());
    });
    let database = Database::open(config_two, &TWO).unwrap();
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["old"]);
    let backup = scratch.data().join("backups/schema-1.db");
    let expected = Migrated {
        from: 1,
        to: 2,
        backup: Some(backup.clone()),
    };
    assert_eq!(told.lock().unwrap().clone(), Some(expected));
    drop(database);
    // The program of before does not open what is newer, but it opens the copy.
    let newer = ErrorKind::NewerSchema { found: 2, known: 1 };
    assert_eq!(*try_open(config(&scratch)).unwrap_err().kind(), newer);
    let elsewhere = Scratch::new();
    fs::create_dir(elsewhere.data()).unwrap();
    fs::copy(backup, elsewhere.data().join(DATABASE)).unwrap();
    let database = try_open(config(&elsewhere)).unwrap();
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["old"]);
}

#[test]
fn a_failed_step_leaves_the_database_as_it_was() {
    static BROKEN: Schema = Schema {
        application_id: APPLICATION_ID,
        migrations: &[
            TWO.migrations[0],
            TWO.migrations[1],
            Migration {
                number: 3,
                name: "mistake",
                sql: "DROP TABLE entry; ALTER TABLE nothing RENAME TO x",
            },
        ],
    };
    static ORPHANS: Schema = Schema {
        application_id: APPLICATION_ID,
        migrations: &[
            TWO.migrations[0],
            Migration {
                number: 2,
                name: "orphans",
                sql: "DELETE FROM book",
            },
        ],
    };
    let scratch = Scratch::new();
    version_one(&scratch);
    let text = Database::open(config(&scratch), &BROKEN)
        .unwrap_err()
        .to_string();
    assert!(text.contains("migration 3 (mistake)"), "{text}");
    let text = Database::open(config(&scratch), &ORPHANS)
        .unwrap_err()
        .to_string();
    assert!(text.contains("entry"), "{text}");
    let database = try_open(config(&scratch)).unwrap();
    assert_eq!(
        texts_without_gaps(&entries(&database, 1)),
        ["old"],
        "still schema 1, and whole"
    );
}

#[test]
fn a_setting_that_cannot_be_is_named() {
    let scratch = Scratch::new();
    let config = || config(&scratch);
    let table = [
        (
            Config {
                batch_max: 0,
                ..config()
            },
            ConfigError::BatchMax,
        ),
        (
            Config {
                queue_max: 255,
                ..config()
            },
            ConfigError::QueueMax,
        ),
        (
            Config {
                readers: 0,
                ..config()
            },
            ConfigError::Readers,
        ),
        (
            Config {
                checkpoint_pages: 0,
                ..config()
            },
            ConfigError::CheckpointPages,
        ),
        (
            Config {
                checkpoint_pages: 9,
                checkpoint_pages_max: 8,
                ..config()
            },
            ConfigError::CheckpointPages,
        ),
    ];
    for (config, expected) in table {
        assert_eq!(
            Database::open(config, &SCHEMA).unwrap_err(),
            OpenError::Config(expected)
        );
    }
    assert!(
        !scratch.data().exists(),
        "nothing is made for a setting that cannot be"
    );
}
