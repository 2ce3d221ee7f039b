//! SQLite as a process keeps it: one writer with group commit, a pool of readers, numbered migrations.
//!
//! The store knows no table but its own. An application gives it a [`Schema`], one [`Operation`] type for
//! each kind of write and one [`Query`] type for each kind of read; the store decides when they run, what
//! they share, and when their callers hear of it. `README.md` beside this file says what is on the disk when
//! an answer is out.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::store::rusqlite::Connection;
//! use perennial::store::{
//!     Config, Database, Migration, Operation, Query, ReaderMsg, Schema, Store, WriteError, WriterMsg,
//! };
//! use std::convert::Infallible;
//!
//! static SCHEMA: Schema = Schema {
//!     application_id: 1,
//!     migrations: &[Migration { number: 1, name: "notes", sql: "CREATE TABLE note (text TEXT) STRICT" }],
//! };
//!
//! struct AddNote(&'static str);
//! impl Operation for AddNote {
//!     type Output = ();
//!     type Refused = Infallible;
//!     fn apply(&self, db: &Connection) -> Result<(), WriteError<Infallible>> {
//!         db.prepare_cached("INSERT INTO note (text) VALUES (?1)")?.execute([self.0])?;
//!         Ok(())
//!     }
//! }
//!
//! struct CountNotes;
//! impl Query for CountNotes {
//!     type Output = i64;
//!     fn run(&self, db: &Connection) -> perennial::store::rusqlite::Result<i64> {
//!         db.query_row("SELECT count(*) FROM note", [], |row| row.get(0))
//!     }
//! }
//!
//! # let directory = std::env::temp_dir().join(format!("perennial-doc-store-{}", std::process::id()));
//! let store = Store::new("notes", Database::open(Config::new(&directory), &SCHEMA)?);
//! let supervisor = store.start()?;
//! store.writer().call(|reply| WriterMsg::write(AddNote("hello"), reply))??;
//! assert_eq!(store.reader().call(|reply| ReaderMsg::read(CountNotes, reply))??, 1);
//! perennial::supervisor::stop(&supervisor)?;
//! # drop(store);
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it dies
//! An answer is out when the write is on the disk, so a kill of anything loses nothing that was answered. The writer
//! dies when an operation panics, and then nothing of its batch has happened, and each caller is told; its
//! supervisor starts another, after all code of the first has ended. A reader dies of a query that panics, alone. A
//! disk that fails ends nobody: writes are refused with an [`Error`] until it is back, and [`Health`] says so. A
//! database that is damaged is not opened, and one that another program holds neither.
//!
//! # Options
//! [`Config`] has them with their defaults and their reasons: readers, the size of a batch and how long it waits for
//! company, how long a query may take, when the log is carried over, what is checked at the start. What happened is
//! told by [`event`]s.
//!
//! # Inside
//! May import what is below `service` and that layer itself; never `web` or `chat`.
//!
//! Read in this order: [`operation`](Operation), `batch`, [`WriterCore`], [`Database`], `migration`; then
//! `pace` and `checkpoint`, which only decide.

mod backup;
mod batch;
mod checkpoint;
mod config;
mod connection;
mod database;
mod directory;
mod error;
pub mod event;
mod health;
mod integrity;
mod item;
mod migration;
mod operation;
mod pace;
mod reader;
mod reader_core;
mod torn;
mod tree;
mod writer;
mod writer_core;

pub use config::{Check, Config, ConfigError};
pub use database::{Database, OpenError};
pub use error::{Error, ErrorKind};
pub use health::Health;
pub use item::Item;
pub use migration::{Migration, Schema};
pub use operation::{Operation, Query, WriteError};
pub use reader::ReaderMsg;
pub use reader_core::ReaderCore;
/// The SQL library, so that operations are written against the version the store uses.
pub use rusqlite;
pub use tree::Store;
pub use writer::WriterMsg;
pub use writer_core::WriterCore;
