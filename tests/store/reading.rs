//! Readers: they see what is committed, cannot write, and do not read for ever.

use crate::ledger::{Append, Entries, config, open, texts_without_gaps, write};
use crate::scratch::Scratch;
use perennial::store::rusqlite::{Connection, Result};
use perennial::store::{Config, ErrorKind, Item, Query, ReaderCore};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A query made of any function.
pub(crate) struct Ask<F>(pub(crate) F);

impl<T: Send + 'static, F: Fn(&Connection) -> Result<T> + Send + 'static> Query for Ask<F> {
    type Output = T;

    fn run(&self, db: &Connection) -> Result<T> {
        (self.0)(db)
    }
}

#[test]
fn a_reader_cannot_write() {
    let scratch = Scratch::new();
    let (database, _writer) = open(config(&scratch));
    let mut reader = ReaderCore::open(&database).unwrap();
    let write = Ask(|db: &Connection| db.execute("UPDATE book SET seq = 9", []));
    assert_eq!(
        *reader.run(&write).unwrap_err().kind(),
        ErrorKind::NotAllowed
    );
    assert_eq!(reader.run(&Entries(1)).unwrap(), [], "it still reads");
}

#[test]
fn a_query_sees_one_moment() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    write(&mut writer, Append::new(1, "before")).unwrap();
    let mut reader = ReaderCore::open(&database).unwrap();
    let count = |db: &Connection| db.query_row("SELECT count(*) FROM entry", [], |row| row.get(0));
    let (go, wait) = channel::<()>();
    let (at, between) = channel::<()>();
    let reading = std::thread::spawn(move || {
        reader.run(&Ask(move |db: &Connection| {
            let first: i64 = count(db)?;
            at.send(()).unwrap();
            wait.recv().unwrap();
            Ok((first, count(db)?))
        }))
    });
    between.recv().unwrap();
    write(&mut writer, Append::new(1, "meanwhile")).unwrap();
    go.send(()).unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), (1, 1));
    let mut reader = ReaderCore::open(&database).unwrap();
    assert_eq!(reader.run(&Ask(count)).unwrap(), 2);
}

#[test]
fn a_query_that_does_not_end_is_ended() {
    let scratch = Scratch::new();
    let config = Config {
        query_time_max: Duration::from_millis(20),
        ..config(&scratch)
    };
    let (database, mut writer) = open(config);
    let mut reader = ReaderCore::open(&database).unwrap();
    let endless = Ask(|db: &Connection| {
        let sql =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        db.query_row(sql, [], |row| row.get::<_, i64>(0))
    });
    for _ in 0..2 {
        let error = reader.run(&endless).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Timeout);
    }
    write(&mut writer, Append::new(1, "a")).unwrap();
    let seen = reader.run(&Entries(1)).unwrap();
    assert_eq!(
        texts_without_gaps(&seen),
        ["a"],
        "the same reader sees what came later"
    );
}

#[test]
fn a_query_that_fails_or_panics_does_not_keep_its_moment() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let mut reader = ReaderCore::open(&database).unwrap();
    let wrong = Ask(|db: &Connection| {
        db.query_row("SELECT text FROM entry WHERE seq = 99", [], |row| {
            row.get::<_, String>(0)
        })
    });
    assert_eq!(
        *reader.run(&wrong).unwrap_err().kind(),
        ErrorKind::Statement
    );
    write(&mut writer, Append::new(1, "a")).unwrap();
    assert_eq!(texts_without_gaps(&reader.run(&Entries(1)).unwrap()), ["a"]);
    let bug = Ask(|db: &Connection| -> Result<i64> {
        db.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, i64>(0))?;
        panic!("a query with a bug")
    });
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.run(&bug).is_ok()));
    assert!(end.is_err());
    write(&mut writer, Append::new(1, "b")).unwrap();
    assert_eq!(
        texts_without_gaps(&reader.run(&Entries(1)).unwrap()),
        ["a", "b"]
    );
}

#[test]
fn readers_and_a_writer_at_once_see_only_whole_batches() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let mut reader = ReaderCore::open(&database).unwrap();
            let (done, is_done) = channel();
            let thread = std::thread::spawn(move || {
                let mut last = 0;
                loop {
                    let over = is_done.try_recv().is_ok();
                    let seen = texts_without_gaps(&reader.run(&Entries(1)).unwrap()).len();
                    assert_eq!(seen % 5, 0, "part of a batch was seen");
                    assert!(seen >= last, "what was seen is gone");
                    last = seen;
                    if over {
                        return last;
                    }
                }
            });
            (done, thread)
        })
        .collect();
    for round in 0..40 {
        let items = (0..5).map(|at| Item::new(Append::new(1, format!("{round}-{at}")), |_| ()));
        writer.drain_and_commit(items.collect());
    }
    for (done, thread) in readers {
        done.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), 200);
    }
}
