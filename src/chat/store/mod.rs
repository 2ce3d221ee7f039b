//! The chat's tables: one type for each thing that is written or read, and the only place that knows SQL.
//!
//! Built on [`crate::store`], which runs them: an [`Operation`](crate::store::Operation) is given to the
//! writer, a [`Query`](crate::store::Query) to a reader. Times are Unix milliseconds and come from the caller.
//!
//! ```
//! use perennial::chat::store::{CreateRoom, CreateUser, FindRoom, Post, SCHEMA};
//! use perennial::store::{Config, Database, Item, ReaderCore, WriterCore};
//! # let directory = std::env::temp_dir().join(format!("perennial-doc-chat-{}", std::process::id()));
//!
//! let database = Database::open(Config::new(&directory), &SCHEMA)?;
//! let mut writer = WriterCore::open(&database)?;
//! let ada = CreateUser { name: "ada".into(), password_hash: "$argon2id$…".into(), at: 0 };
//! let lobby = CreateRoom { name: "lobby".into(), at: 0 };
//! writer.drain_and_commit(vec![
//!     Item::new(ada, |answer| assert!(answer.is_ok())),
//!     Item::new(lobby, |answer| assert!(answer.is_ok())),
//! ]);
//! let mut reader = ReaderCore::open(&database)?;
//! let lobby = reader.run(&FindRoom { name: "lobby".into() })?.unwrap();
//! assert_eq!(lobby.seq, 0);
//! # drop((writer, reader, database));
//! # std::fs::remove_dir_all(&directory).unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod messages;
mod read_cursors;
mod rooms;
mod sessions;
mod users;

pub use messages::{
    CannotEnter, EnterRoom, Entered, HISTORY_MAX, History, HistoryOfRoom, Message, NoSuchRoom,
    Page, Post, Posted,
};
pub use read_cursors::{CannotRead, ListRoomsOf, MarkRead, ReadCursor};
pub use rooms::{CreateRoom, FindRoom, ListRooms, ROOMS_LISTED_MAX, Room, RoomId};
pub use sessions::{
    CloseSession, CloseSessionsOf, Expiry, FindSession, FindSessionsOver, OpenSession,
    PurgeSessions, SESSIONS_MAX, SESSIONS_OVER_MAX, Session, TokenHash, TouchSession,
};
pub use users::{CreateUser, FindUser, NameTaken, User, UserId};

use crate::store::rusqlite::Row;
use crate::store::rusqlite::types::Type;
use crate::store::rusqlite::{Error, Result};
use crate::store::{Migration, Schema};

/// The schema of a chat's database.
pub static SCHEMA: Schema = Schema {
    // "Pern"
    application_id: 0x5065_726e,
    migrations: &[
        Migration {
            number: 1,
            name: "users, sessions, rooms, messages",
            sql: FIRST,
        },
        Migration {
            number: 2,
            name: "read cursors",
            sql: READ_CURSORS,
        },
    ],
};

/// Messages lie in the order in which they are read, room by room; a page of history is one stretch of them.
const FIRST: &str = "
    CREATE TABLE user (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE session (
        token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
        user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
        opened_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_of_user ON session (user_id, opened_at);

    CREATE TABLE room (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        seq INTEGER NOT NULL DEFAULT 0 CHECK (seq >= 0),
        created_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE message (
        room_id INTEGER NOT NULL REFERENCES room (id),
        seq INTEGER NOT NULL CHECK (seq >= 1),
        user_id INTEGER NOT NULL REFERENCES user (id),
        client_id TEXT,
        body TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (room_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX message_of_client ON message (room_id, user_id, client_id)
        WHERE client_id IS NOT NULL;
";

/// A row for each room that a user has read something of; a user's rows lie together, as the list of rooms reads them.
const READ_CURSORS: &str = "
    CREATE TABLE read_cursor (
        user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
        room_id INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL CHECK (seq >= 0),
        PRIMARY KEY (user_id, room_id)
    ) STRICT, WITHOUT ROWID;
";

/// A number of a message as SQLite keeps it. Nothing is numbered above its largest integer, so a larger one
/// asks for what does not exist, as the largest does.
fn seq_to_sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A number of a message from a column.
fn seq_from_sql(row: &Row<'_>, column: usize) -> Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}

/// An identity that the database gives.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(i64);

        impl $crate::store::rusqlite::ToSql for $name {
            fn to_sql(
                &self,
            ) -> $crate::store::rusqlite::Result<$crate::store::rusqlite::types::ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl $crate::store::rusqlite::types::FromSql for $name {
            fn column_result(
                value: $crate::store::rusqlite::types::ValueRef<'_>,
            ) -> $crate::store::rusqlite::types::FromSqlResult<Self> {
                i64::column_result(value).map($name)
            }
        }
    };
}
use id;
