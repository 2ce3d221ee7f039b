//! Group commit: who is answered when, and what a failure takes with it.

use crate::ledger::{
    Answer, Append, Entries, Refused, config, entries, item, open, texts_without_gaps, write,
    write_all,
};
use crate::scratch::Scratch;
use perennial::store::event::Committed;
use perennial::store::rusqlite::Connection;
use perennial::store::{
    Config, Database, ErrorKind, Health, Item, Operation, ReaderCore, WriteError, WriterCore,
};
use perennial::time::Clock;
use proptest::prelude::*;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[track_caller]
fn assert_statement_error(answer: &Answer) {
    match answer {
        Err(WriteError::Store(error)) => assert_eq!(*error.kind(), ErrorKind::Statement),
        other => panic!("a wrong statement was answered {other:?}"),
    }
}

#[test]
fn an_answer_comes_after_the_commit() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let mut reader = ReaderCore::open(&database).unwrap();
    let (tell, seen) = channel();
    let first = Item::new(Append::new(1, "first"), move |answer| {
        let seen = reader.run(&Entries(1)).unwrap();
        tell.send((answer, seen)).unwrap();
    });
    let (second, _) = item(Append::new(1, "second"));
    writer.drain_and_commit(vec![first, second]);
    let (answer, seen) = seen.try_recv().unwrap();
    assert_eq!(answer, Ok(1));
    assert_eq!(
        texts_without_gaps(&seen),
        ["first", "second"],
        "one commit carries both"
    );
}

#[test]
fn a_refused_item_leaves_nothing_behind_and_its_neighbours_stay() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let answers = write_all(
        &mut writer,
        [
            Append::new(1, "a"),
            Append::new(1, "regret"),
            Append::new(99, "nowhere"),
            Append::new(1, "b"),
        ],
    );
    assert_eq!(
        answers,
        [
            Ok(1),
            Err(WriteError::Refused(Refused::Regretted)),
            Err(WriteError::Refused(Refused::NoSuchBook)),
            Ok(2),
        ]
    );
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a", "b"]);
}

#[test]
fn a_wrong_statement_fails_its_own_item_only() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let appends = [
        Append::new(1, "a"),
        Append::new(1, "bad"),
        Append::new(1, "b"),
    ];
    let answers = write_all(&mut writer, appends);
    assert_eq!((&answers[0], &answers[2]), (&Ok(1), &Ok(2)));
    assert_statement_error(&answers[1]);
    assert_eq!(database.health(), Health::Up, "the disk is not at fault");
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["a", "b"]);
}

#[test]
fn an_item_sees_what_its_neighbours_wrote_before_it() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let twice = [
        Append::keyed(1, "k", "first"),
        Append::keyed(1, "k", "second"),
    ];
    assert_eq!(write_all(&mut writer, twice), [Ok(1), Ok(1)]);
    assert_eq!(write(&mut writer, Append::keyed(1, "k", "third")), Ok(1));
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["first"]);
}

#[test]
fn more_items_than_a_batch_holds_are_several_commits() {
    let scratch = Scratch::new();
    let config = Config {
        batch_max: 4,
        ..config(&scratch)
    };
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let log = sizes.clone();
    config.telemetry.attach(move |committed: &Committed| {
        log.lock()
            .unwrap()
            .push((committed.items, committed.refused));
    });
    let (database, mut writer) = open(config);
    let mut appends: Vec<_> = (1..=10).map(|n| Append::new(1, n.to_string())).collect();
    appends[5].text = "regret".into();
    let answers = write_all(&mut writer, appends);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 9);
    assert_eq!(*sizes.lock().unwrap(), [(4, 0), (4, 1), (2, 0)]);
    assert_eq!(texts_without_gaps(&entries(&database, 1)).len(), 9);
}

#[test]
fn an_operation_that_panics_takes_its_batch_along_and_the_next_writer_goes_on() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    assert_eq!(write(&mut writer, Append::new(1, "kept")), Ok(1));
    let (items, answers): (Vec<_>, Vec<_>) = ["lost", "panic", "never"]
        .map(|text| item(Append::new(1, text)))
        .into_iter()
        .unzip();
    let end = catch_unwind(AssertUnwindSafe(move || writer.drain_and_commit(items)));
    assert!(end.is_err());
    for answer in answers {
        answer
            .try_recv()
            .expect_err("a writer that dies answers nobody");
    }
    assert_eq!(database.health(), Health::NoWriter);
    let mut writer = WriterCore::open(&database).unwrap();
    assert_eq!(write(&mut writer, Append::new(1, "next")), Ok(2));
    assert_eq!(texts_without_gaps(&entries(&database, 1)), ["kept", "next"]);
}

/// An operation with a bug: it ends the transaction it runs in, and says that all is well.
struct EndTransaction;

impl Operation for EndTransaction {
    type Output = ();
    type Refused = ();

    fn apply(&self, db: &Connection) -> Result<(), WriteError<()>> {
        Ok(db.execute_batch("ROLLBACK")?)
    }
}

#[test]
fn nobody_is_told_of_success_if_the_transaction_ended_early() {
    let scratch = Scratch::new();
    let (clock, hand) = Clock::manual();
    let (database, mut writer) = open(Config {
        clock,
        ..config(&scratch)
    });
    let (before, before_answer) = item(Append::new(1, "before"));
    let (after, after_answer) = item(Append::new(1, "after"));
    let (tell, answer) = channel();
    let bug = Item::new(EndTransaction, move |result| tell.send(result).unwrap());
    writer.drain_and_commit(vec![before, bug, after]);
    assert!(before_answer.try_recv().unwrap().is_err());
    assert!(answer.try_recv().unwrap().is_err());
    assert!(after_answer.try_recv().unwrap().is_err());
    assert_eq!(entries(&database, 1), []);
    hand.advance(Duration::from_secs(1));
    assert_eq!(write(&mut writer, Append::new(1, "next")), Ok(1));
}

#[test]
fn there_is_never_a_second_writer() {
    let scratch = Scratch::new();
    let (database, writer) = open(config(&scratch));
    let error = WriterCore::open(&database).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::WriterAlive);
    assert!(error.is_recoverable());
    assert_eq!(
        database.health(),
        Health::Up,
        "the first writer is not disturbed"
    );
    let first = writer.epoch();
    drop(writer);
    assert_eq!(database.health(), Health::NoWriter);
    assert_eq!(WriterCore::open(&database).unwrap().epoch(), first + 1);
}

/// What the ledger should say, without a database.
#[derive(Default)]
struct Model {
    books: HashMap<i64, Vec<String>>,
    keys: HashMap<(i64, String), i64>,
}

impl Model {
    /// The expected answer; `None` is a wrong statement.
    fn append(&mut self, append: &Append) -> Option<Answer> {
        let key = append.key.clone().map(|key| (append.book, key));
        if let Some(seq) = key.as_ref().and_then(|key| self.keys.get(key)) {
            return Some(Ok(*seq));
        }
        if append.book > 2 {
            return Some(Err(WriteError::Refused(Refused::NoSuchBook)));
        }
        match append.text.as_str() {
            "bad" => return None,
            "regret" => return Some(Err(WriteError::Refused(Refused::Regretted))),
            _ => {}
        }
        let book = self.books.entry(append.book).or_default();
        book.push(append.text.clone());
        let seq = book.len() as i64;
        if let Some(key) = key {
            self.keys.insert(key, seq);
        }
        Some(Ok(seq))
    }
}

fn any_append() -> impl Strategy<Value = Append> {
    let text = prop_oneof![
        6 => "[a-c]{1,3}",
        1 => Just("regret".to_owned()),
        1 => Just("bad".to_owned()),
    ];
    (1i64..=3, proptest::option::of("[x-z]"), text).prop_map(|(book, key, text)| Append {
        book,
        key,
        text,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn batches_of_anything_answer_as_one_write_after_the_other_would(
        batches in proptest::collection::vec(proptest::collection::vec(any_append(), 1..12), 1..12),
        batch_max in 1usize..8,
        restart_at in 0usize..12,
    ) {
        let scratch = Scratch::new();
        let (database, mut writer) = open(Config { batch_max, ..config(&scratch) });
        let mut model = Model::default();
        for (n, batch) in batches.into_iter().enumerate() {
            if n == restart_at {
                drop(writer);
                writer = WriterCore::open(&database).unwrap();
            }
            let expected: Vec<_> = batch.iter().map(|append| model.append(append)).collect();
            for (answer, expected) in write_all(&mut writer, batch).iter().zip(expected) {
                match expected {
                    Some(expected) => prop_assert_eq!(answer, &expected),
                    None => assert_statement_error(answer),
                }
            }
        }
        check(&database, &model);
    }
}

fn check(database: &Database, model: &Model) {
    for book in [1, 2] {
        let texts = texts_without_gaps(&entries(database, book));
        assert_eq!(&texts, model.books.get(&book).unwrap_or(&Vec::new()));
    }
}
