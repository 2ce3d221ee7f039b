//! The writer and the readers as processes: killed, hung, full, out of disk, stopped in order.

use crate::fixture::{
    Fixture, PATIENCE, acknowledged, eventually, keep_busy, rests, send, send_busy, sizes, start,
};
use crate::ledger::{Append, Refused, config, entries, texts_without_gaps, try_open};
use crate::reading::Ask;
use crate::scratch::Scratch;
use crate::vfs::{Disk, Fault};
use perennial::prelude::*;
use perennial::process::{self, CallError, Status, ZombieCut};
use perennial::store::event::{CheckedAfterUncleanStop, Checkpointed, Recovered};
use perennial::store::rusqlite::Connection;
use perennial::store::{Config, ErrorKind, Health, ReaderMsg, WriteError};
use perennial::time::Clock;
use perennial::{ExitReason, Pid, Runtime, supervisor};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn a_write_is_on_the_disk_when_it_is_answered() {
    let scratch = Scratch::new();
    let fixture = Fixture::new(&scratch);
    assert_eq!(fixture.store.health(), Health::Up);
    assert_eq!(fixture.write(Append::new(1, "a")), Ok(Ok(1)));
    assert_eq!(texts_without_gaps(&fixture.read(1)), ["a"]);
    assert_eq!(
        fixture.write(Append::new(9, "b")),
        Ok(Err(WriteError::Refused(Refused::NoSuchBook)))
    );
    fixture.stop();
}

#[test]
fn what_waits_together_is_committed_together() {
    let scratch = Scratch::new();
    let config = Config {
        batch_max: 4,
        ..config(&scratch)
    };
    let sizes = sizes(&config);
    let fixture = start(config, Runtime::new().unwrap());
    let go = keep_busy(&fixture);
    let answers: Vec<_> = (1..=10)
        .map(|n| send(&fixture, Append::new(1, n.to_string())))
        .collect();
    go.send(()).unwrap();
    assert_eq!(acknowledged(answers), (1..=10).collect::<Vec<_>>());
    eventually(|| *sizes.lock().unwrap() == [1, 4, 4, 2]);
    fixture.stop();
}

#[test]
fn a_batch_that_was_full_early_does_not_split_the_next() {
    let scratch = Scratch::new();
    let config = Config {
        batch_max: 4,
        commit_wait_max: Duration::ZERO,
        ..config(&scratch)
    };
    let sizes = sizes(&config);
    let fixture = start(config, Runtime::new().unwrap());
    let first = keep_busy(&fixture);
    let mut answers = Vec::from(["a", "b", "c"].map(|text| send(&fixture, Append::new(1, text))));
    let (second, is_busy) = send_busy(&fixture);
    answers.extend(["d", "e"].map(|text| send(&fixture, Append::new(1, text))));
    first.send(()).unwrap();
    // The batch is full. What tells the writer to commit it is still in the mailbox, and this comes behind it.
    is_busy.recv_timeout(PATIENCE).unwrap();
    answers.push(send(&fixture, Append::new(1, "f")));
    second.send(()).unwrap();
    acknowledged(answers);
    eventually(|| *sizes.lock().unwrap() == [1, 4, 3]);
    fixture.stop();
}

#[test]
fn while_commits_come_fast_a_batch_waits_for_those_who_were_just_answered() {
    let scratch = Scratch::new();
    let (clock, hand) = Clock::manual();
    let config = Config {
        clock: clock.clone(),
        ..config(&scratch)
    };
    let sizes = sizes(&config);
    let fixture = start(config, Runtime::builder().clock(clock).build().unwrap());
    let go = keep_busy(&fixture);
    let three = ["a", "b", "c"].map(|text| send(&fixture, Append::new(1, text)));
    go.send(()).unwrap();
    acknowledged(three);
    eventually(|| *sizes.lock().unwrap() == [1, 3]);
    // A lone one waits, and goes when its time is over.
    let lone = send(&fixture, Append::new(1, "lone"));
    rests(&fixture);
    assert_eq!(*sizes.lock().unwrap(), [1, 3]);
    hand.advance(Duration::from_micros(600));
    assert_eq!(lone.recv_timeout(PATIENCE).unwrap(), Ok(4));
    // One that gets company goes at once.
    let first = send(&fixture, Append::new(1, "first"));
    rests(&fixture);
    let company = ["second", "third"].map(|text| send(&fixture, Append::new(1, text)));
    assert_eq!(first.recv_timeout(PATIENCE).unwrap(), Ok(5));
    acknowledged(company);
    eventually(|| *sizes.lock().unwrap() == [1, 3, 1, 3]);
    fixture.stop();
}

#[test]
fn a_full_queue_refuses_at_once_and_loses_nothing_it_took() {
    let scratch = Scratch::new();
    let config = Config {
        batch_max: 4,
        queue_max: 8,
        ..config(&scratch)
    };
    let fixture = start(config, Runtime::new().unwrap());
    let go = keep_busy(&fixture);
    let taken: Vec<_> = (0..8)
        .map(|n| send(&fixture, Append::new(1, n.to_string())))
        .collect();
    assert_eq!(
        fixture.write(Append::new(1, "too many")),
        Err(CallError::Overloaded)
    );
    let refused = send(&fixture, Append::new(1, "too many"));
    assert!(
        refused.recv_timeout(PATIENCE).is_err(),
        "its answer is dropped unused"
    );
    go.send(()).unwrap();
    acknowledged(taken);
    assert_eq!(texts_without_gaps(&fixture.read(1)).len(), 8);
    fixture.stop();
}

#[test]
fn an_operation_that_panics_ends_the_writer_and_the_next_one_serves() {
    let scratch = Scratch::new();
    let fixture = Fixture::new(&scratch);
    fixture.write(Append::new(1, "kept")).unwrap().unwrap();
    let writer = fixture.writer();
    let go = keep_busy(&fixture);
    let neighbour = send(&fixture, Append::new(1, "neighbour"));
    let bug = send(&fixture, Append::new(1, "panic"));
    go.send(()).unwrap();
    assert!(
        neighbour.recv_timeout(PATIENCE).is_err(),
        "a writer that dies answers nobody"
    );
    assert!(bug.recv_timeout(PATIENCE).is_err());
    fixture.successor_of(writer);
    match fixture.write(Append::new(1, "panic")) {
        Err(CallError::Exited(ExitReason::Panic(panic))) => {
            assert_eq!(panic.message(), "an operation with a bug");
        }
        other => panic!("{other:?}"),
    }
    fixture.successor_of(writer);
    eventually(|| fixture.store.health() == Health::Up);
    assert_eq!(fixture.write(Append::new(1, "next")), Ok(Ok(2)));
    assert_eq!(texts_without_gaps(&fixture.read(1)), ["kept", "next"]);
    fixture.stop();
}

/// How often the writer is killed.
const KILLS: usize = 200;

#[test]
fn nothing_acknowledged_is_lost_by_kills_of_the_writer() {
    let scratch = Scratch::new();
    let config = Config {
        restarts_max: KILLS,
        batch_max: 8,
        checkpoint_pages: 20,
        ..config(&scratch)
    };
    let fixture = Arc::new(start(config, Runtime::new().unwrap()));
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (fixture, over) = (fixture.clone(), over.clone());
            std::thread::spawn(move || repeat_until_acknowledged(&fixture, client, &over))
        })
        .collect();
    let mut writer = fixture.writer();
    for _ in 0..KILLS {
        {
            let _guard = fixture.runtime.enter();
            process::exit(writer, ExitReason::Kill);
        }
        writer = fixture.successor_of(writer);
        // Between two deaths something is written.
        fixture.write(Append::new(2, "between")).unwrap().unwrap();
    }
    over.store(true, Ordering::Relaxed);
    let acknowledged: Vec<_> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    assert!(acknowledged.len() > KILLS);
    let texts = texts_without_gaps(&fixture.read(1));
    assert_eq!(
        texts.len(),
        acknowledged.len(),
        "each once, however often it was sent"
    );
    for (seq, text) in acknowledged {
        assert_eq!(texts[seq as usize - 1], text);
    }
    assert_eq!(texts_without_gaps(&fixture.read(2)).len(), KILLS);
    Arc::into_inner(fixture)
        .expect("the clients are gone")
        .stop();
}

/// A client as they should be: it sends each entry under a key until it is told that it is there.
fn repeat_until_acknowledged(
    fixture: &Fixture,
    client: usize,
    over: &AtomicBool,
) -> Vec<(i64, String)> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let text = format!("{client}-{n}");
        let seq = loop {
            match fixture.write(Append::keyed(1, text.as_str(), text.as_str())) {
                Ok(answer) => break answer.expect("the disk works"),
                Err(CallError::Exited(_) | CallError::NoProc) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        acknowledged.push((seq, text));
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    acknowledged
}

#[test]
fn a_successor_waits_for_the_last_commit_of_a_writer_that_was_killed_in_it() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let config = Config {
        vfs: Some(disk.name()),
        ..config(&scratch)
    };
    let runtime = Runtime::builder()
        .kill_grace(Duration::from_millis(1))
        .build()
        .unwrap();
    let (cut, is_cut) = channel();
    runtime
        .telemetry()
        .attach(move |zombie: &ZombieCut| cut.send(zombie.pid).unwrap());
    let fixture = start(config, runtime);
    fixture.write(Append::new(1, "before")).unwrap().unwrap();
    let writer = fixture.writer();
    disk.hold();
    let in_flight = send(&fixture, Append::new(1, "in flight"));
    disk.until_held(PATIENCE);
    let waiting = send(&fixture, Append::new(1, "waiting"));
    {
        let _guard = fixture.runtime.enter();
        process::exit(writer, ExitReason::Kill);
    }
    assert_eq!(is_cut.recv_timeout(PATIENCE).unwrap(), writer);
    // Its name is free and its callers know, but its connection still writes: nobody else may.
    assert!(waiting.recv_timeout(PATIENCE).is_err());
    assert_eq!(
        fixture.write(Append::new(1, "too early")),
        Err(CallError::NoProc)
    );
    disk.release();
    let in_flight = in_flight.recv_timeout(PATIENCE);
    fixture.successor_of(writer);
    let seq = fixture.write(Append::new(1, "after")).unwrap().unwrap();
    let texts = texts_without_gaps(&fixture.read(1));
    assert_eq!(texts[seq as usize - 1], "after");
    assert!(
        texts == ["before", "in flight", "after"]
            || (in_flight.is_err() && texts == ["before", "after"])
    );
    fixture.stop();
}

#[test]
fn a_disk_that_fails_does_not_end_the_writer_which_comes_back_by_itself() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let config = Config {
        vfs: Some(disk.name()),
        retry_after: Duration::from_millis(1),
        ..config(&scratch)
    };
    let (tell, recovered) = channel();
    config
        .telemetry
        .attach(move |_: &Recovered| tell.send(()).unwrap());
    let fixture = start(config, Runtime::new().unwrap());
    fixture.write(Append::new(1, "before")).unwrap().unwrap();
    let writer = fixture.writer();
    disk.fail(1, Fault::FromThenOn, 0);
    match fixture.write(Append::new(1, "lost")).unwrap() {
        Err(WriteError::Store(error)) => assert_eq!(*error.kind(), ErrorKind::Io),
        other => panic!("{other:?}"),
    }
    assert!(matches!(fixture.store.health(), Health::Failing(_)));
    assert_eq!(
        texts_without_gaps(&fixture.read(1)),
        ["before"],
        "readers go on"
    );
    disk.repair();
    recovered.recv_timeout(PATIENCE).expect("nobody has to ask");
    assert_eq!(fixture.store.health(), Health::Up);
    assert_eq!(fixture.write(Append::new(1, "after")), Ok(Ok(2)));
    assert_eq!(fixture.writer(), writer, "it is the same process");
    fixture.stop();
}

#[test]
fn a_writer_that_is_killed_while_the_disk_fails_is_replaced_and_comes_back() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let config = Config {
        vfs: Some(disk.name()),
        retry_after: Duration::from_millis(1),
        ..config(&scratch)
    };
    let fixture = start(config, Runtime::new().unwrap());
    fixture.write(Append::new(1, "before")).unwrap().unwrap();
    disk.fail(1, Fault::FromThenOn, 0);
    assert!(fixture.write(Append::new(1, "lost")).unwrap().is_err());
    let mut writer = fixture.writer();
    for _ in 0..3 {
        {
            let _guard = fixture.runtime.enter();
            process::exit(writer, ExitReason::Kill);
        }
        writer = fixture.successor_of(writer);
        assert!(fixture.write(Append::new(1, "lost")).unwrap().is_err());
    }
    disk.repair();
    eventually(|| fixture.store.health() == Health::Up);
    assert_eq!(fixture.write(Append::new(1, "after")), Ok(Ok(2)));
    assert_eq!(texts_without_gaps(&fixture.read(1)), ["before", "after"]);
    fixture.stop();
}

// It waited for a write to try again with, and whoever asks for its health before writing never wrote.
#[test]
fn a_writer_that_starts_on_a_failed_disk_comes_back_though_nobody_writes() {
    let (scratch, disk) = (Scratch::new(), Disk::new());
    let config = Config {
        vfs: Some(disk.name()),
        retry_after: Duration::from_millis(1),
        ..config(&scratch)
    };
    let fixture = start(config, Runtime::new().unwrap());
    fixture.write(Append::new(1, "before")).unwrap().unwrap();
    disk.fail(1, Fault::FromThenOn, 0);
    let writer = fixture.writer();
    {
        let _guard = fixture.runtime.enter();
        process::exit(writer, ExitReason::Kill);
    }
    fixture.successor_of(writer);
    eventually(|| matches!(fixture.store.health(), Health::Failing(_)));
    disk.repair();
    eventually(|| fixture.store.health() == Health::Up);
    assert_eq!(fixture.write(Append::new(1, "after")), Ok(Ok(2)));
    fixture.stop();
}

// After a crash it lay there until somebody wrote.
#[test]
fn a_log_that_was_left_behind_is_cut_though_nobody_writes() {
    let scratch = Scratch::new();
    let (clock, hand) = Clock::manual();
    let config = Config {
        clock: clock.clone(),
        // A writer that waited for company would do so by the clock that stands still.
        commit_wait_max: Duration::ZERO,
        ..config(&scratch)
    };
    let idle = config.checkpoint_idle;
    let (tell, cut) = channel();
    config
        .telemetry
        .attach(move |told: &Checkpointed| _ = tell.send(told.pages));
    let fixture = start(config, Runtime::builder().clock(clock).build().unwrap());
    fixture.write(Append::new(1, "before")).unwrap().unwrap();
    let writer = fixture.writer();
    {
        let _guard = fixture.runtime.enter();
        process::exit(writer, ExitReason::Kill);
    }
    fixture.successor_of(writer);
    assert_eq!(cut.try_recv().ok(), None, "time stands still");
    eventually(|| {
        hand.advance(idle);
        cut.try_recv() == Ok(0)
    });
    fixture.stop();
}

#[test]
fn an_orderly_stop_commits_what_was_gathered_and_leaves_one_file() {
    let scratch = Scratch::new();
    let (clock, _hand) = Clock::manual();
    let config = Config {
        clock: clock.clone(),
        ..config(&scratch)
    };
    let fixture = start(config, Runtime::builder().clock(clock).build().unwrap());
    let go = keep_busy(&fixture);
    let three = ["a", "b", "c"].map(|text| send(&fixture, Append::new(1, text)));
    go.send(()).unwrap();
    acknowledged(three);
    // It waits for company that will not come.
    let gathered = send(&fixture, Append::new(1, "gathered"));
    rests(&fixture);
    fixture.stop();
    assert_eq!(gathered.recv_timeout(PATIENCE).unwrap(), Ok(4));
    let mut left: Vec<_> = fs::read_dir(scratch.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["perennial.db", "perennial.lock"]);
    let again = crate::ledger::config(&scratch);
    let checks = Arc::new(AtomicBool::new(false));
    let checked = checks.clone();
    again
        .telemetry
        .attach(move |_: &CheckedAfterUncleanStop| checked.store(true, Ordering::Relaxed));
    let database = try_open(again).unwrap();
    assert!(
        !checks.load(Ordering::Relaxed),
        "the stop was an orderly one"
    );
    assert_eq!(
        texts_without_gaps(&entries(&database, 1)),
        ["a", "b", "c", "gathered"]
    );
}

#[test]
fn a_reader_that_dies_is_replaced_and_the_other_serves_meanwhile() {
    let scratch = Scratch::new();
    let fixture = Fixture::new(&scratch);
    fixture.write(Append::new(1, "a")).unwrap().unwrap();
    let guard = fixture.runtime.enter();
    let dead = fixture.store.reader().pick().unwrap().pid();
    process::exit(dead, ExitReason::Kill);
    process::watch(dead).wait(PATIENCE).unwrap();
    for _ in 0..4 {
        assert_eq!(texts_without_gaps(&fixture.read(1)), ["a"]);
    }
    let readers = fixture.store.reader().workers();
    eventually(|| readers.iter().all(|reader| reader.whereis().is_some()));
    drop(guard);
    fixture.stop();
}

/// A query that does not end until it is told to; what says so, and when it runs.
fn long_query(fixture: &Fixture) -> (Sender<()>, Receiver<()>) {
    let ((go, wait), (runs, running)) = (channel::<()>(), channel());
    let wait = Mutex::new(wait);
    let query = Ask(move |_: &Connection| {
        runs.send(()).unwrap();
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        Ok(())
    });
    fixture
        .store
        .reader()
        .cast(ReaderMsg::read_then(query, |_| ()));
    (go, running)
}

#[test]
fn nobody_waits_behind_a_long_query_while_another_reader_is_idle() {
    let scratch = Scratch::new();
    let fixture = Fixture::new(&scratch);
    let guard = fixture.runtime.enter();
    let (go, running) = long_query(&fixture);
    running.recv_timeout(PATIENCE).unwrap();
    // A reader that has just answered runs on for a moment, and is as busy then as the one with the long query.
    let pid = |reader: &Name<ReaderMsg>| reader.whereis().unwrap().pid();
    let readers: Vec<Pid> = fixture.store.reader().workers().iter().map(pid).collect();
    let busy = |pid: &Pid| process::info(*pid).unwrap().status == Status::Running;
    eventually(|| readers.iter().filter(|pid| busy(pid)).count() == 1);
    for _ in 0..10 {
        assert_eq!(fixture.read(1), []);
        eventually(|| readers.iter().filter(|pid| busy(pid)).count() == 1);
    }
    go.send(()).unwrap();
    drop(guard);
    fixture.stop();
}

#[test]
fn readers_read_while_there_is_no_writer() {
    let scratch = Scratch::new();
    let fixture = Fixture::new(&scratch);
    fixture.write(Append::new(1, "a")).unwrap().unwrap();
    let guard = fixture.runtime.enter();
    supervisor::terminate_child(&fixture.supervisor, "writer").unwrap();
    assert_eq!(fixture.store.health(), Health::NoWriter);
    assert_eq!(texts_without_gaps(&fixture.read(1)), ["a"]);
    supervisor::restart_child(&fixture.supervisor, "writer").unwrap();
    assert_eq!(fixture.write(Append::new(1, "b")), Ok(Ok(2)));
    drop(guard);
    fixture.stop();
}

#[test]
fn a_read_whose_caller_gave_up_is_not_run() {
    let scratch = Scratch::new();
    let config = Config {
        readers: 1,
        ..config(&scratch)
    };
    let fixture = start(config, Runtime::new().unwrap());
    let guard = fixture.runtime.enter();
    let (go, running) = long_query(&fixture);
    running.recv_timeout(PATIENCE).unwrap();
    let (ran, has_run) = channel();
    let late = Ask(move |_: &Connection| {
        ran.send(()).unwrap();
        Ok(())
    });
    let reader = fixture.store.reader();
    let answer = reader.call_for(Duration::from_millis(1), |reply| {
        ReaderMsg::read(late, reply)
    });
    assert_eq!(answer.unwrap_err(), CallError::Timeout);
    go.send(()).unwrap();
    assert!(
        has_run.recv_timeout(PATIENCE).is_err(),
        "the query was dropped"
    );
    drop(guard);
    fixture.stop();
}
