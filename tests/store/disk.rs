//! A disk that is full, or fails: nothing acknowledged, a clear error, and everything back when the disk is.

use crate::ledger::{Answer, Append, config, entries, open, texts_without_gaps, write, write_all};
use crate::scratch::Scratch;
use crate::vfs::{Disk, Fault};
use perennial::store::event::{CommitFailed, Recovered};
use perennial::store::{
    Config, Database, Error, ErrorKind, Health, ReaderCore, WriteError, WriterCore,
};
use perennial::time::Clock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[track_caller]
fn error_of(answer: &Answer) -> &Error {
    match answer {
        Err(WriteError::Store(error)) => error,
        other => panic!("expected an error of the store: {other:?}"),
    }
}

#[test]
fn a_full_disk_acknowledges_nothing_and_the_writer_is_back_when_there_is_room() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let (clock, hand) = Clock::manual();
    let config = Config {
        vfs: Some(disk.name()),
        clock: clock.clone(),
        ..config(&scratch)
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let (failed, back) = (told.clone(), told.clone());
    config.telemetry.attach(move |failure: &CommitFailed| {
        failed
            .lock()
            .unwrap()
            .push(format!("failed {}", failure.items));
    });
    config.telemetry.attach(move |recovered: &Recovered| {
        back.lock()
            .unwrap()
            .push(format!("recovered after {:?}", recovered.down_for));
    });
    let (database, mut writer) = open(config);
    let mut reader = ReaderCore::open(&database).unwrap();
    assert_eq!(write(&mut writer, Append::new(1, "before")), Ok(1));

    disk.fill();
    let big = || Append::new(1, "x".repeat(20_000));
    let answers = write_all(
        &mut writer,
        [
            Append::new(1, "neighbour"),
            big(),
            Append::new(99, "nowhere"),
        ],
    );
    for answer in &answers {
        let error = error_of(answer);
        assert_eq!(*error.kind(), ErrorKind::Full);
        assert!(error.is_recoverable());
    }
    assert_eq!(
        database.health(),
        Health::Failing(error_of(&answers[0]).clone())
    );
    let visible = reader.run(&crate::ledger::Entries(1)).unwrap();
    assert_eq!(texts_without_gaps(&visible), ["before"], "readers go on");

    // Until the next trial, the answer costs the disk nothing.
    let calls = disk.calls();
    assert_eq!(
        *error_of(&write(&mut writer, big())).kind(),
        ErrorKind::Full
    );
    assert_eq!(disk.calls(), calls);
    let retry_at = writer
        .maintain_after(false)
        .expect("the writer wants to try again");
    assert_eq!(retry_at, clock.now() + Duration::from_millis(250));

    // A trial that fails is the last for a while, too.
    hand.advance(Duration::from_millis(250));
    let retry_at = writer.maintain_after(false);
    assert!(disk.calls() > calls, "the disk was tried");
    assert_eq!(retry_at, Some(clock.now() + Duration::from_millis(250)));
    assert_ne!(database.health(), Health::Up);

    disk.repair();
    hand.advance(Duration::from_millis(250));
    assert!(
        writer.maintain_after(false).is_some(),
        "the log waits for a quiet moment"
    );
    assert_eq!(
        database.health(),
        Health::Up,
        "it is back before anybody asks"
    );
    assert_eq!(
        write_all(&mut writer, [big(), Append::new(1, "after")]),
        [Ok(2), Ok(3)]
    );
    assert_eq!(texts_without_gaps(&entries(&database, 1)).len(), 3);
    assert_eq!(
        *told.lock().unwrap(),
        ["failed 3", "failed 1", "recovered after 500ms"]
    );
}

/// What a run with one fault came to.
struct Outcome {
    was_met: bool,
    acknowledged: Vec<String>,
    failed: Vec<String>,
}

/// Some forty writes in batches, with checkpoints, a restart of the writer and an orderly stop, while the
/// `n`-th call that changes the disk meets a fault. Whatever fails on the way is repaired and tried again, as
/// a supervisor would.
fn run_with_fault(scratch: &Scratch, n: u64, fault: Fault) -> Outcome {
    let disk = Disk::new();
    let (clock, hand) = Clock::manual();
    let config = Config {
        vfs: Some(disk.name()),
        clock,
        checkpoint_pages: 4,
        checkpoint_pages_max: 8,
        ..config(scratch)
    };
    disk.fail(n, fault, 0);
    let database = until_it_works(&disk, || crate::ledger::try_open(config.clone()));
    let mut writer = until_it_works(&disk, || WriterCore::open(&database));
    let (mut acknowledged, mut failed) = (Vec::new(), Vec::new());
    for round in 0..12 {
        if round == 7 {
            drop(writer);
            writer = until_it_works(&disk, || WriterCore::open(&database));
        }
        let texts: Vec<String> = (0..4).map(|at| format!("{round}-{at}")).collect();
        let batch = texts.iter().map(|text| Append::new(1, text.as_str()));
        for (answer, text) in write_all(&mut writer, batch).into_iter().zip(texts) {
            match answer {
                Ok(_) => acknowledged.push(text),
                Err(_) => failed.push(text),
            }
        }
        writer.maintain_after(round % 2 == 0);
        if database.health() != Health::Up {
            disk.repair();
        }
        hand.advance(Duration::from_secs(1));
    }
    // The fault may have met the last batch.
    writer.maintain_after(false);
    assert_eq!(
        database.health(),
        Health::Up,
        "fault {n}: the disk has worked for long"
    );
    let was_met = disk.was_met();
    disk.repair();
    if let Err(error) = writer.close() {
        panic!("fault {n}: the disk works and the writer ends with {error}");
    }
    drop(database);
    Outcome {
        was_met,
        acknowledged,
        failed,
    }
}

fn until_it_works<T>(disk: &Disk, mut attempt: impl FnMut() -> Result<T, Error>) -> T {
    match attempt() {
        Ok(value) => value,
        Err(error) => {
            assert!(error.is_recoverable(), "{error:?}");
            disk.repair();
            attempt().expect("the disk works again")
        }
    }
}

fn sweep(fault: Fault) {
    for n in 1.. {
        let scratch = Scratch::new();
        let outcome = run_with_fault(&scratch, n, fault);
        let database = crate::ledger::try_open(config(&scratch)).unwrap();
        let texts = texts_without_gaps(&entries(&database, 1));
        // Not more either: what was answered with an error never shows.
        assert_eq!(texts, outcome.acknowledged, "fault {n} ({fault:?})");
        if !outcome.was_met {
            assert!(n > 30, "the run has many calls to fail: {n}");
            assert_eq!(outcome.failed, Vec::<String>::new());
            return;
        }
    }
}

#[test]
fn any_one_call_may_fail_and_exactly_what_was_acknowledged_is_there() {
    sweep(Fault::Once);
}

#[test]
fn the_disk_may_fail_for_good_at_any_call_and_come_back() {
    sweep(Fault::FromThenOn);
}

#[test]
fn any_one_call_may_find_no_room_and_exactly_what_was_acknowledged_is_there() {
    sweep(Fault::Full);
}

#[test]
fn any_one_write_may_be_cut_short_and_exactly_what_was_acknowledged_is_there() {
    sweep(Fault::Short);
}

#[test]
fn any_one_read_may_fail_and_exactly_what_was_acknowledged_is_there() {
    sweep(Fault::Read);
}

#[test]
fn a_disk_that_fails_when_the_database_is_made_is_an_error_and_no_damage() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let with_disk = || Config {
        vfs: Some(disk.name()),
        ..config(&scratch)
    };
    disk.fill();
    let error = crate::ledger::try_open(with_disk()).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Full);
    disk.repair();
    crate::ledger::try_open(with_disk()).unwrap();
}

#[test]
fn a_writer_whose_disk_fails_at_its_start_is_there_and_writes_when_the_disk_does() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let (clock, hand) = Clock::manual();
    let (database, writer) = open(Config {
        vfs: Some(disk.name()),
        clock,
        ..config(&scratch)
    });
    let before = writer.epoch();
    drop(writer);
    disk.fail(1, Fault::FromThenOn, 0);
    let mut writer = WriterCore::open(&database).unwrap();
    assert_eq!(writer.epoch(), 0);
    let answer = write(&mut writer, Append::new(1, "early"));
    assert_eq!(*error_of(&answer).kind(), ErrorKind::Io);
    assert_eq!(
        database.health(),
        Health::Failing(error_of(&answer).clone())
    );
    disk.repair();
    hand.advance(Duration::from_millis(250));
    assert_eq!(write(&mut writer, Append::new(1, "a")), Ok(1));
    assert_eq!(writer.epoch(), before + 1);
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a"]);
}

#[test]
fn a_log_that_cannot_be_carried_over_keeps_what_is_in_it() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let (clock, hand) = Clock::manual();
    let config = Config {
        vfs: Some(disk.name()),
        clock,
        ..config(&scratch)
    };
    let failures = Arc::new(Mutex::new(0));
    let count = failures.clone();
    config
        .telemetry
        .attach(move |_: &perennial::store::event::CheckpointFailed| {
            *count.lock().unwrap() += 1;
        });
    let (database, mut writer) = open(config);
    assert_eq!(write(&mut writer, Append::new(1, "a")), Ok(1));
    hand.advance(Duration::from_secs(1));
    disk.fail(2, Fault::Once, 0);
    writer.maintain_after(false);
    assert_eq!(*failures.lock().unwrap(), 1);
    assert_eq!(database.health(), Health::Up, "writes go to the log");
    assert_eq!(write(&mut writer, Append::new(1, "b")), Ok(2));
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a", "b"]);
}

/// One entry, then one whose commit meets a fault at the `n`-th call. `None` if it has fewer calls.
fn fail_second_entry(scratch: &Scratch, disk: &Disk, n: u64) -> Option<(Database, WriterCore)> {
    let config = Config {
        vfs: Some(disk.name()),
        ..config(scratch)
    };
    let (database, mut writer) = open(config);
    write(&mut writer, Append::new(1, "first")).unwrap();
    disk.fail(n, Fault::FromThenOn, 0);
    let answer = write(&mut writer, Append::new(1, "second"));
    if answer.is_ok() {
        return None;
    }
    assert_eq!(*error_of(&answer).kind(), ErrorKind::Io);
    Some((database, writer))
}

#[test]
fn what_was_not_acknowledged_stays_out_of_sight_when_the_writer_dies_of_it() {
    let mut calls = 0;
    for n in 1.. {
        let (scratch, disk) = (Scratch::new(), Disk::new());
        let Some((database, writer)) = fail_second_entry(&scratch, &disk, n) else {
            break;
        };
        drop(writer);
        disk.repair();
        assert_eq!(texts_without_gaps(&entries(&database, 1)), ["first"]);
        let mut writer = WriterCore::open(&database).unwrap();
        assert_eq!(write(&mut writer, Append::new(1, "third")), Ok(2));
        drop((writer, database));
        let database = crate::ledger::try_open(config(&scratch)).unwrap();
        assert_eq!(
            texts_without_gaps(&entries(&database, 1)),
            ["first", "third"]
        );
        calls = n;
    }
    assert!(calls >= 3, "a commit writes its pages and syncs: {calls}");
}

#[test]
fn what_was_not_acknowledged_is_there_wholly_or_not_at_all_when_the_program_dies_of_it() {
    for n in 1.. {
        let (scratch, disk) = (Scratch::new(), Disk::new());
        let Some((database, writer)) = fail_second_entry(&scratch, &disk, n) else {
            break;
        };
        drop((writer, database));
        disk.repair();
        let (database, mut writer) = open(config(&scratch));
        let found = texts_without_gaps(&entries(&database, 1));
        assert!(
            found == ["first"] || found == ["first", "second"],
            "{found:?}"
        );
        let next = found.len() as i64 + 1;
        assert_eq!(write(&mut writer, Append::new(1, "third")), Ok(next));
    }
}
