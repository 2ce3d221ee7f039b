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
/// See the [module](crate::store) for an example.
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
