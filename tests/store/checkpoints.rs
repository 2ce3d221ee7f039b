//! The log: carried over in quiet moments, cut when nobody writes, watched when it grows.

use crate::ledger::{Append, Entries, config, open, texts_without_gaps, write};
use crate::scratch::Scratch;
use perennial::store::event::{Checkpointed, WalLarge};
use perennial::store::rusqlite::{Connection, Result};
use perennial::store::{Config, Query, ReaderCore};
use perennial::time::Clock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Counts checkpoints, and alarms about the log.
fn watched(config: &Config) -> Arc<Mutex<(Vec<Checkpointed>, u32)>> {
    let told = Arc::new(Mutex::new((Vec::new(), 0)));
    let (checkpoints, alarms) = (told.clone(), told.clone());
    config.telemetry.attach(move |checkpointed: &Checkpointed| {
        checkpoints.lock().unwrap().0.push(checkpointed.clone());
    });
    config
        .telemetry
        .attach(move |_: &WalLarge| alarms.lock().unwrap().1 += 1);
    told
}

#[test]
fn the_log_is_cut_to_nothing_when_nobody_writes() {
    let scratch = Scratch::new();
    let (clock, hand) = Clock::manual();
    let config = Config {
        clock: clock.clone(),
        ..config(&scratch)
    };
    let (database, mut writer) = open(config);
    let log = scratch.data().join("perennial.db-wal");
    let size = || std::fs::metadata(&log).unwrap().len();
    write(&mut writer, Append::new(1, "a")).unwrap();
    let at = writer
        .maintain_after(false)
        .expect("the log waits for a quiet moment");
    assert_eq!(at, clock.now() + Duration::from_secs(1));
    assert!(size() > 0);
    hand.advance(Duration::from_secs(1));
    assert_eq!(writer.maintain_after(false), None, "nothing is left to do");
    assert_eq!(size(), 0);
    assert_eq!(
        texts_without_gaps(&crate::ledger::entries(&database, 1)),
        ["a"]
    );
}

#[test]
fn a_busy_writer_carries_the_log_over_when_it_must_and_a_quiet_one_when_it_may() {
    for (is_next_there, expected) in [(true, 20), (false, 5)] {
        let scratch = Scratch::new();
        let (clock, _hand) = Clock::manual();
        let config = Config {
            checkpoint_pages: 5,
            checkpoint_pages_max: 20,
            clock,
            ..config(&scratch)
        };
        let told = watched(&config);
        let (_database, mut writer) = open(config);
        while told.lock().unwrap().0.is_empty() {
            write(&mut writer, Append::new(1, "x")).unwrap();
            writer.maintain_after(is_next_there);
        }
        let first = told.lock().unwrap().0[0].clone();
        assert!(
            (expected..expected + 5).contains(&first.pages),
            "{is_next_there}: {first:?}"
        );
        assert_eq!(first.done, first.pages);
    }
}

/// A query that holds its moment until it is told to let go.
struct Hold(Sender<()>, Receiver<()>);

impl Query for Hold {
    type Output = ();

    fn run(&self, db: &Connection) -> Result<()> {
        Entries(1).run(db)?;
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
        Ok(())
    }
}

#[test]
fn a_reader_that_holds_the_log_is_told_of_once_and_delays_nobody() {
    let scratch = Scratch::new();
    let (clock, hand) = Clock::manual();
    let config = Config {
        checkpoint_pages: 5,
        checkpoint_pages_max: 10,
        wal_alarm: 100_000,
        clock,
        ..config(&scratch)
    };
    let told = watched(&config);
    let (database, mut writer) = open(config);
    let mut reader = ReaderCore::open(&database).unwrap();
    let (holds, is_held) = channel();
    let (let_go, may_go) = channel();
    let reading = std::thread::spawn(move || reader.run(&Hold(holds, may_go)));
    is_held.recv().unwrap();
    let writes = 100;
    for n in 0..writes {
        write(&mut writer, Append::new(1, n.to_string())).unwrap();
        writer.maintain_after(false);
    }
    let (checkpoints, alarms) = told.lock().unwrap().clone();
    assert_eq!(alarms, 1);
    assert!(
        checkpoints.len() < writes / 2,
        "no checkpoint for each commit: {}",
        checkpoints.len()
    );
    assert!(
        checkpoints
            .iter()
            .all(|checkpoint| checkpoint.done < checkpoint.pages)
    );
    let_go.send(()).unwrap();
    reading.join().unwrap().unwrap();
    hand.advance(Duration::from_secs(1));
    writer.maintain_after(false);
    hand.advance(Duration::from_secs(1));
    assert_eq!(writer.maintain_after(false), None);
    let log = std::fs::metadata(scratch.data().join("perennial.db-wal")).unwrap();
    assert_eq!(log.len(), 0);
}
