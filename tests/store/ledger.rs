//! A small application of the store: books with numbered entries, as rooms with numbered messages.

use perennial::store::rusqlite::{Connection, OptionalExtension, Result as SqlResult, params};
use perennial::store::{
    Config, Database, Error, Item, Migration, OpenError, Operation, Query, ReaderCore, Schema,
    WriteError, WriterCore,
};
use std::sync::mpsc::{Receiver, channel};

/// The file in a data directory.
pub(crate) const DATABASE: &str = "perennial.db";

pub(crate) const APPLICATION_ID: i32 = 0x1ed6e5;

pub(crate) static SCHEMA: Schema = Schema {
    application_id: APPLICATION_ID,
    migrations: &[Migration {
        number: 1,
        name: "books and entries",
        sql: "
            CREATE TABLE book (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL DEFAULT 0) STRICT;
            CREATE TABLE entry (
                book INTEGER NOT NULL REFERENCES book (id),
                seq INTEGER NOT NULL,
                key TEXT,
                text TEXT NOT NULL CHECK (text <> 'bad'),
                PRIMARY KEY (book, seq)
            ) STRICT, WITHOUT ROWID;
            CREATE UNIQUE INDEX entry_key ON entry (book, key) WHERE key IS NOT NULL;
            INSERT INTO book (id) VALUES (1), (2);
        ",
    }],
};

/// Why an entry is not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NoSuchBook,
    /// After it wrote, so that the savepoint has something to take back.
    Regretted,
}

/// Appends an entry, or finds the one with the same key; answers its number.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) book: i64,
    pub(crate) key: Option<String>,
    pub(crate) text: String,
}

impl Append {
    pub(crate) fn new(book: i64, text: impl Into<String>) -> Self {
        Append {
            book,
            key: None,
            text: text.into(),
        }
    }

    pub(crate) fn keyed(book: i64, key: impl Into<String>, text: impl Into<String>) -> Self {
        Append {
            book,
            key: Some(key.into()),
            text: text.into(),
        }
    }
}

impl Operation for Append {
    type Output = i64;
    type Refused = Refused;

    fn apply(&self, db: &Connection) -> Result<i64, WriteError<Refused>> {
        if let Some(key) = &self.key {
            let stored = db
                .prepare_cached("SELECT seq FROM entry WHERE book = ?1 AND key = ?2")?
                .query_row(params![self.book, key], |row| row.get(0))
                .optional()?;
            if let Some(seq) = stored {
                return Ok(seq);
            }
        }
        let seq: Option<i64> = db
            .prepare_cached("UPDATE book SET seq = seq + 1 WHERE id = ?1 RETURNING seq")?
            .query_row([self.book], |row| row.get(0))
            .optional()?;
        let seq = seq.ok_or(WriteError::Refused(Refused::NoSuchBook))?;
        db.prepare_cached("INSERT INTO entry (book, seq, key, text) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![self.book, seq, self.key, self.text])?;
        match self.text.as_str() {
            "regret" => Err(WriteError::Refused(Refused::Regretted)),
            "panic" => panic!("an operation with a bug"),
            _ => Ok(seq),
        }
    }
}

/// All entries of a book, by number.
pub(crate) struct Entries(pub(crate) i64);

impl Query for Entries {
    type Output = Vec<(i64, String)>;

    fn run(&self, db: &Connection) -> SqlResult<Self::Output> {
        let sql = "SELECT seq, text FROM entry WHERE book = ?1 ORDER BY seq";
        let mut entries = db.prepare_cached(sql)?;
        let rows = entries.query_map([self.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

/// The settings of a test: nothing waits but what the test is about.
pub(crate) fn config(scratch: &crate::scratch::Scratch) -> Config {
    Config::new(scratch.data())
}

pub(crate) fn open(config: Config) -> (Database, WriterCore) {
    let database = Database::open(config, &SCHEMA).unwrap();
    let writer = WriterCore::open(&database).unwrap();
    (database, writer)
}

pub(crate) fn try_open(config: Config) -> Result<Database, Error> {
    match Database::open(config, &SCHEMA) {
        Ok(database) => Ok(database),
        Err(OpenError::Store(error)) => Err(error),
        Err(OpenError::Config(error)) => panic!("{error}"),
    }
}

pub(crate) type Answer = Result<i64, WriteError<Refused>>;

/// An item, and where its answer comes.
pub(crate) fn item(append: Append) -> (Item, Receiver<Answer>) {
    let (tell, answer) = channel();
    let item = Item::new(append, move |result| drop(tell.send(result)));
    (item, answer)
}

/// Writes all of them in as few batches as the settings allow; their answers.
pub(crate) fn write_all(
    writer: &mut WriterCore,
    appends: impl IntoIterator<Item = Append>,
) -> Vec<Answer> {
    let (items, answers): (Vec<_>, Vec<_>) = appends.into_iter().map(item).unzip();
    writer.drain_and_commit(items);
    answers
        .into_iter()
        .map(|answer| answer.try_recv().expect("every item is answered"))
        .collect()
}

pub(crate) fn write(writer: &mut WriterCore, append: Append) -> Answer {
    write_all(writer, [append]).remove(0)
}

pub(crate) fn entries(database: &Database, book: i64) -> Vec<(i64, String)> {
    ReaderCore::open(database)
        .unwrap()
        .run(&Entries(book))
        .unwrap()
}

/// Asserts that the numbers are 1, 2, 3 …; the texts in order.
#[track_caller]
pub(crate) fn texts_without_gaps(entries: &[(i64, String)]) -> Vec<String> {
    let numbers: Vec<i64> = entries.iter().map(|(seq, _)| *seq).collect();
    let expected: Vec<i64> = (1..=entries.len() as i64).collect();
    assert_eq!(numbers, expected, "numbers without gaps");
    entries.iter().map(|(_, text)| text.clone()).collect()
}
