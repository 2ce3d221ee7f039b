//! How far each user has read each room: one number, which only grows. What is unread is the difference to the
//! number of the room's last message; nobody keeps a mark at a message.

use super::rooms::{FindRoom, ROOMS_LISTED_MAX, Room, RoomId};
use super::users::UserId;
use super::{seq_from_sql, seq_to_sql};
use crate::store::rusqlite::{Connection, OptionalExtension, Result, params};
use crate::store::{Operation, Query, WriteError};
use crate::sync::Arc;
use std::fmt;

/// How far a user has read a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCursor {
    /// The number of the last message that was read; 0 if none was.
    pub read_seq: u64,
    /// The number of the room's last message.
    pub last_seq: u64,
}

impl ReadCursor {
    /// How many messages come after the cursor, whoever said them.
    pub fn unread(&self) -> u64 {
        self.last_seq.saturating_sub(self.read_seq)
    }
}

/// Moves a cursor forward; one that is further already stays. Answers where it is.
#[derive(Clone, Debug)]
pub struct MarkRead {
    /// The room's name, in NFC.
    pub room: Arc<str>,
    /// Whose cursor.
    pub user: UserId,
    /// The number of the last message that was read.
    pub seq: u64,
}

/// Why a cursor was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotRead {
    /// There is no such room.
    NoSuchRoom,
    /// The room's last message has this number, which is smaller.
    AboveLast(u64),
}

impl Operation for MarkRead {
    type Output = ReadCursor;
    type Refused = CannotRead;

    fn apply(&self, db: &Connection) -> std::result::Result<ReadCursor, WriteError<CannotRead>> {
        let find = FindRoom {
            name: self.room.clone(),
        };
        let Some(room) = Query::run(&find, db)? else {
            return Err(WriteError::Refused(CannotRead::NoSuchRoom));
        };
        if self.seq > room.seq {
            return Err(WriteError::Refused(CannotRead::AboveLast(room.seq)));
        }
        let sql = "INSERT INTO read_cursor (user_id, room_id, seq) VALUES (?1, ?2, ?3)
            ON CONFLICT (user_id, room_id) DO UPDATE SET seq = max(seq, excluded.seq) RETURNING seq";
        let read_seq = db
            .prepare_cached(sql)?
            .query_row(params![self.user, room.id, seq_to_sql(self.seq)], |row| {
                seq_from_sql(row, 0)
            })?;
        Ok(ReadCursor {
            read_seq,
            last_seq: room.seq,
        })
    }
}

/// The number of the last message of a room that a user has read.
pub(super) fn read_seq(db: &Connection, room: RoomId, user: UserId) -> Result<u64> {
    let sql = "SELECT seq FROM read_cursor WHERE user_id = ?1 AND room_id = ?2";
    let seq = db
        .prepare_cached(sql)?
        .query_row(params![user, room], |row| seq_from_sql(row, 0))
        .optional()?;
    Ok(seq.unwrap_or(0))
}

/// Lists rooms by name, as Unicode orders them, each with how far a user has read it.
#[derive(Clone, Debug)]
pub struct ListRoomsOf {
    /// Whose cursors.
    pub user: UserId,
    /// Only those whose names come after this one; `None` begins at the first.
    pub after: Option<Arc<str>>,
    /// How many at most; never more than [`ROOMS_LISTED_MAX`].
    pub limit: usize,
}

impl Query for ListRoomsOf {
    type Output = Vec<(Room, ReadCursor)>;

    fn run(&self, db: &Connection) -> Result<Vec<(Room, ReadCursor)>> {
        let sql = "SELECT room.id, room.name, room.seq, coalesce(read_cursor.seq, 0)
            FROM room LEFT JOIN read_cursor ON read_cursor.user_id = ?1 AND read_cursor.room_id = room.id
            WHERE room.name > ?2 ORDER BY room.name LIMIT ?3";
        // No room has the empty name, and every other comes after it.
        let after = self.after.as_deref().unwrap_or("");
        let limit = self.limit.min(ROOMS_LISTED_MAX) as i64;
        db.prepare_cached(sql)?
            .query_map(params![self.user, after, limit], |row| {
                let last_seq = seq_from_sql(row, 2)?;
                let room = Room {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    seq: last_seq,
                };
                let read_seq = seq_from_sql(row, 3)?;
                Ok((room, ReadCursor { read_seq, last_seq }))
            })?
            .collect()
    }
}

impl fmt::Display for CannotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CannotRead::NoSuchRoom => f.write_str("there is no such room"),
            CannotRead::AboveLast(last) => write!(f, "the last message has the number {last}"),
        }
    }
}

impl std::error::Error for CannotRead {}
