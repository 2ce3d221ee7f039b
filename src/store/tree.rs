//! The processes of a store: a supervisor, the writer, the readers.

use crate::behaviour::supervisor::{Child, Msg, Strategy, Supervisor};
use crate::process::{Name, Overflow, Ref, StartError};
use crate::service::balancer::{Balance, Balancer};
use crate::store::database::Database;
use crate::store::health::Health;
use crate::store::reader::{Reader, ReaderMsg};
use crate::store::writer::{Writer, WriterMsg};
use crate::sync::Arc;
use std::fmt;

/// A database with the processes that write and read it: where to send what. A clone is the same store.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::store::rusqlite::Connection;
/// use perennial::store::{
///     Config, Database, Migration, Operation, Query, ReaderMsg, Schema, Store, WriteError, WriterMsg,
/// };
/// use std::convert::Infallible;
///
/// static SCHEMA: Schema = Schema {
///     application_id: 1,
///     migrations: &[Migration { number: 1, name: "notes", sql: "CREATE TABLE note (text TEXT) STRICT" }],
/// };
///
/// struct AddNote(&'static str);
/// impl Operation for AddNote {
///     type Output = ();
///     type Refused = Infallible;
///     fn apply(&self, db: &Connection) -> Result<(), WriteError<Infallible>> {
///         db.prepare_cached("INSERT INTO note (text) VALUES (?1)")?.execute([self.0])?;
///         Ok(())
///     }
/// }
///
/// struct CountNotes;
/// impl Query for CountNotes {
///     type Output = i64;
///     fn run(&self, db: &Connection) -> perennial::store::rusqlite::Result<i64> {
///         db.query_row("SELECT count(*) FROM note", [], |row| row.get(0))
///     }
/// }
///
/// # let directory = std::env::temp_dir().join(format!("perennial-doc-store-{}", std::process::id()));
/// let store = Store::new("notes", Database::open(Config::new(&directory), &SCHEMA)?);
/// let supervisor = store.start()?;
/// store.writer().call(|reply| WriterMsg::write(AddNote("hello"), reply))??;
/// assert_eq!(store.reader().call(|reply| ReaderMsg::read(CountNotes, reply))??, 1);
/// perennial::supervisor::stop(&supervisor)?;
/// # drop(store);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    name: String,
    database: Database,
    writer: Name<WriterMsg>,
    readers: Balancer<Name<ReaderMsg>>,
}

impl Store {
    /// Names the processes of a database, without starting them. `name` is the first part of their names, so a
    /// runtime may hold several stores.
    pub fn new(name: &str, database: Database) -> Self {
        let readers = 1..=database.config().readers;
        let reader = |n| Name::owned(format!("{name}.reader-{n}"));
        Store(Arc::new(Inner {
            name: name.to_owned(),
            database,
            writer: Name::owned(format!("{name}.writer")),
            // The least loaded, so that nobody waits behind a long query while another reader is idle.
            readers: Balancer::new(Balance::LeastLoaded, readers.map(reader)),
        }))
    }

    /// The store as part of a tree: a supervisor with the writer and then the readers, so that the readers are
    /// stopped first and the writer leaves the last word in the database.
    pub fn child(&self) -> Child {
        let store = self.clone();
        Child::supervisor(self.0.name.as_str(), move || store.supervisor())
    }

    /// Starts the store outside of any tree.
    ///
    /// # Errors
    /// See [`Supervisor::start`].
    pub fn start(&self) -> Result<Ref<Msg>, StartError> {
        self.supervisor().start()
    }

    /// Where to send what is to be written. It survives restarts.
    pub fn writer(&self) -> &Name<WriterMsg> {
        &self.0.writer
    }

    /// Where to send what is to be read: all readers as one destination. Each query goes to the one with the least
    /// to do, and never to one that is being restarted.
    pub fn reader(&self) -> &Balancer<Name<ReaderMsg>> {
        &self.0.readers
    }

    /// Whether writes are taken now.
    pub fn health(&self) -> Health {
        self.0.database.health()
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    fn supervisor(&self) -> Supervisor {
        let Inner {
            name,
            database,
            writer,
            readers,
            ..
        } = &*self.0;
        let config = database.config();
        let writing = Child::server::<Writer>("writer", database.clone())
            .name(writer)
            .thread()
            .mailbox(config.queue_max, Overflow::Reject)
            .exclusive();
        let reading = readers.workers().iter().map(|reader| {
            Child::server::<Reader>(reader.as_str(), database.clone())
                .name(reader)
                .thread()
                .mailbox(config.queue_max, Overflow::Reject)
        });
        let supervisor = Supervisor::new(Strategy::OneForOne)
            .label(name.as_str())
            .intensity(config.restarts_max, config.restarts_period)
            .child(writing);
        reading.fold(supervisor, Supervisor::child)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("name", &self.0.name)
            .field("database", &self.0.database)
            .finish_non_exhaustive()
    }
}
