//! SQLite as a process keeps it: one writer with group commit, a pool of readers, numbered migrations.
//!
//! The store knows no table but its own. An application gives it a [`Schema`], one [`Operation`] type for
//! each kind of write and one [`Query`] type for each kind of read; the store decides when they run, what
//! they share, and when their callers hear of it. `README.md` beside this file says what is on the disk when
//! an answer is out.
//!
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
