//! Where people speak: a name, and the number of the last message.

use super::users::NameTaken;
use super::{id, seq_from_sql};
use crate::store::rusqlite::{Connection, OptionalExtension, Result, Row, params};
use crate::store::{Operation, Query, WriteError};
use crate::sync::Arc;
use std::convert::Infallible;

/// How many rooms one list has at most; the next list begins after its last name. 1,000: a page of some
/// twenty kilobytes.
pub const ROOMS_LISTED_MAX: usize = 1_000;

id! {
    /// The identity of a room. It outlives a change of name.
    RoomId
}

/// A room as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The identity.
    pub id: RoomId,
    /// The name, in NFC.
    pub name: Arc<str>,
    /// The number of its last message; 0 in an empty room.
    pub seq: u64,
}

/// Makes a room.
#[derive(Clone, Debug)]
pub struct CreateRoom {
    /// The name, checked and in NFC.
    pub name: Arc<str>,
    /// When.
    pub at: i64,
}

impl Operation for CreateRoom {
    type Output = RoomId;
    type Refused = NameTaken;

    fn apply(&self, db: &Connection) -> std::result::Result<RoomId, WriteError<NameTaken>> {
        let sql = "INSERT INTO room (name, created_at) VALUES (?1, ?2)
            ON CONFLICT (name) DO NOTHING RETURNING id";
        db.prepare_cached(sql)?
            .query_row(params![self.name, self.at], |row| row.get(0))
            .optional()?
            .ok_or(WriteError::Refused(NameTaken))
    }
}

/// Finds a room by name.
///
/// Given to a reader it tells what is committed. Given to the *writer* it queues behind every post accepted
/// before it, so that its `seq` counts them: what a room that starts must know.
#[derive(Clone, Debug)]
pub struct FindRoom {
    /// The name, in NFC.
    pub name: Arc<str>,
}

impl Query for FindRoom {
    type Output = Option<Room>;

    fn run(&self, db: &Connection) -> Result<Option<Room>> {
        db.prepare_cached("SELECT id, name, seq FROM room WHERE name = ?1")?
            .query_row([&self.name], room)
            .optional()
    }
}

impl Operation for FindRoom {
    type Output = Option<Room>;
    type Refused = Infallible;

    fn apply(&self, db: &Connection) -> std::result::Result<Option<Room>, WriteError<Infallible>> {
        Ok(self.run(db)?)
    }
}

/// Lists rooms by name, as Unicode orders them.
#[derive(Clone, Debug)]
pub struct ListRooms {
    /// Only those whose names come after this one; `None` begins at the first.
    pub after: Option<Arc<str>>,
    /// How many at most; never more than [`ROOMS_LISTED_MAX`].
    pub limit: usize,
}

impl Query for ListRooms {
    type Output = Vec<Room>;

    fn run(&self, db: &Connection) -> Result<Vec<Room>> {
        let sql = "SELECT id, name, seq FROM room WHERE name > ?1 ORDER BY name LIMIT ?2";
        // No room has the empty name, and every other comes after it.
        let after = self.after.as_deref().unwrap_or("");
        let limit = self.limit.min(ROOMS_LISTED_MAX) as i64;
        db.prepare_cached(sql)?
            .query_map(params![after, limit], room)?
            .collect()
    }
}

fn room(row: &Row<'_>) -> Result<Room> {
    Ok(Room {
        id: row.get(0)?,
        name: row.get(1)?,
        seq: seq_from_sql(row, 2)?,
    })
}
