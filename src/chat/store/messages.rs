//! What was said: numbered per room from 1, without gaps, in the order of the commits.

use super::read_cursors::read_seq;
use super::rooms::{FindRoom, RoomId};
use super::sessions::{Expiry, FindSession, TokenHash};
use super::users::UserId;
use super::{seq_from_sql, seq_to_sql};
use crate::store::rusqlite::{Connection, OptionalExtension, Result, Row, params};
use crate::store::{Operation, Query, WriteError};
use crate::sync::Arc;
use std::fmt;

/// How many messages one page has at most. 200: a screen or five, and a reader that holds the log briefly.
pub const HISTORY_MAX: usize = 200;

/// A message as everybody sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number in the room.
    pub seq: u64,
    /// Who said it: the user's name.
    pub user: Arc<str>,
    /// What was said.
    pub body: Arc<str>,
    /// When, in Unix milliseconds. For people to read; the order is that of `seq`.
    pub at: i64,
    /// How the sender's program recognises it, if it said so.
    pub client_id: Option<Arc<str>>,
}

/// Says something in a room.
#[derive(Clone, Debug)]
pub struct Post {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// How the sender's program recognises the message. A second post of one user in one room with the same
    /// value is taken for a repetition of the first, and answered as the first was.
    pub client_id: Option<Arc<str>>,
    /// What.
    pub body: Arc<str>,
    /// When.
    pub at: i64,
}

/// What became of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The number of the message.
    pub seq: u64,
    /// When it was said: for a repetition, the time of the first.
    pub at: i64,
    /// Equals `true` unless this was a repetition: then everybody has seen the message already.
    pub is_new: bool,
}

/// There is no such room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchRoom;

impl Operation for Post {
    type Output = Posted;
    type Refused = NoSuchRoom;

    /// Takes the next number of the room if the message is new. Whatever takes it back, such as a failed
    /// commit, takes the number back with it: there are no gaps.
    fn apply(&self, db: &Connection) -> std::result::Result<Posted, WriteError<NoSuchRoom>> {
        match self.insert(db)? {
            Some(seq) => {
                self.count(db, seq)?;
                Ok(Posted {
                    seq: seq.unsigned_abs(),
                    at: self.at,
                    is_new: true,
                })
            }
            None => self.find_first(db)?.ok_or(WriteError::Refused(NoSuchRoom)),
        }
    }
}

impl Post {
    /// The number of the new message; `None` if it is a repetition, or there is no such room.
    ///
    /// Two plain statements: one with a SELECT inside and a RETURNING goes through a table of its own each time.
    fn insert(&self, db: &Connection) -> Result<Option<i64>> {
        let last: Option<i64> = db
            .prepare_cached("SELECT seq FROM room WHERE id = ?1")?
            .query_row(params![self.room], |row| row.get(0))
            .optional()?;
        let Some(seq) = last.map(|last| last + 1) else {
            return Ok(None);
        };
        let sql = "INSERT INTO message (room_id, seq, user_id, client_id, body, at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (room_id, user_id, client_id) WHERE client_id IS NOT NULL DO NOTHING";
        let inserted = db.prepare_cached(sql)?.execute(params![
            self.room,
            seq,
            self.user,
            self.client_id,
            self.body,
            self.at
        ])?;
        Ok((inserted == 1).then_some(seq))
    }

    fn count(&self, db: &Connection, seq: i64) -> Result<()> {
        let counted = db
            .prepare_cached("UPDATE room SET seq = ?2 WHERE id = ?1 AND seq = ?2 - 1")?
            .execute(params![self.room, seq])?;
        assert_eq!(counted, 1, "R2: the numbers of a room have no gap");
        Ok(())
    }

    fn find_first(&self, db: &Connection) -> Result<Option<Posted>> {
        let sql =
            "SELECT seq, at FROM message WHERE room_id = ?1 AND user_id = ?2 AND client_id = ?3";
        db.prepare_cached(sql)?
            .query_row(params![self.room, self.user, self.client_id], |row| {
                Ok(Posted {
                    seq: seq_from_sql(row, 0)?,
                    at: row.get(1)?,
                    is_new: false,
                })
            })
            .optional()
    }
}

/// Which stretch of a room's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The last ones.
    Newest,
    /// The last ones of those with smaller numbers.
    Before(u64),
    /// The first ones of those with larger numbers.
    After(u64),
}

/// Reads a page of a room's messages, oldest first. Of a room that does not exist it is empty.
#[derive(Clone, Debug)]
pub struct History {
    /// Which room.
    pub room: RoomId,
    /// Which stretch.
    pub page: Page,
    /// How many at most; never more than [`HISTORY_MAX`].
    pub limit: usize,
}

/// As `History`, for a room that is known by its name; `None` if there is no such room.
#[derive(Clone, Debug)]
pub struct HistoryOfRoom {
    /// The room's name, in NFC.
    pub name: Arc<str>,
    /// Which stretch.
    pub page: Page,
    /// How many at most; never more than [`HISTORY_MAX`].
    pub limit: usize,
}

impl Query for History {
    type Output = Vec<Message>;

    fn run(&self, db: &Connection) -> Result<Vec<Message>> {
        let limit = self.limit.min(HISTORY_MAX) as i64;
        match self.page {
            Page::After(seq) => {
                let sql = "SELECT seq, user.name, body, at, client_id
                    FROM message JOIN user ON user.id = message.user_id
                    WHERE room_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
                let mut page = db.prepare_cached(sql)?;
                page.query_map(params![self.room, seq_to_sql(seq), limit], message)?
                    .collect()
            }
            Page::Before(seq) => self.up_to(db, seq_to_sql(seq).saturating_sub(1), limit),
            Page::Newest => self.up_to(db, i64::MAX, limit),
        }
    }
}

impl History {
    fn up_to(&self, db: &Connection, seq: i64, limit: i64) -> Result<Vec<Message>> {
        let sql = "SELECT seq, user.name, body, at, client_id
            FROM message JOIN user ON user.id = message.user_id
            WHERE room_id = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3";
        let mut page = db.prepare_cached(sql)?;
        let newest_first = page.query_map(params![self.room, seq, limit], message)?;
        let mut messages = newest_first.collect::<Result<Vec<_>>>()?;
        messages.reverse();
        Ok(messages)
    }
}

impl Query for HistoryOfRoom {
    type Output = Option<Vec<Message>>;

    fn run(&self, db: &Connection) -> Result<Option<Vec<Message>>> {
        let room = Query::run(
            &FindRoom {
                name: self.name.clone(),
            },
            db,
        )?;
        let history = |room| {
            History {
                room,
                page: self.page,
                limit: self.limit,
            }
            .run(db)
        };
        room.map(|room| history(room.id)).transpose()
    }
}

/// What somebody who enters a room reads: a page, how far the room is, and how far they have read it, all of one
/// moment, in which they are signed in.
#[derive(Clone, Debug)]
pub struct EnterRoom {
    /// The room's name, in NFC.
    pub name: Arc<str>,
    /// Who enters.
    pub user: UserId,
    /// By which session.
    pub session: TokenHash,
    /// When that would be over.
    pub expiry: Expiry,
    /// Which stretch.
    pub page: Page,
    /// How many at most; never more than [`HISTORY_MAX`].
    pub limit: usize,
}

/// What [`EnterRoom`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The number of the room's last message; 0 in an empty room.
    pub head: u64,
    /// The number of the last message that the user has read.
    pub read_seq: u64,
    /// The page, oldest first.
    pub messages: Vec<Message>,
    /// When the session was last noted to be in use.
    pub seen_at: i64,
}

/// Why somebody does not enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotEnter {
    /// There is no such room.
    NoSuchRoom,
    /// The session is over, or that of another user.
    SignedOut,
}

impl Query for EnterRoom {
    type Output = std::result::Result<Entered, CannotEnter>;

    fn run(&self, db: &Connection) -> Result<Self::Output> {
        let session = FindSession {
            token: self.session,
            expiry: self.expiry,
        };
        let session = Query::run(&session, db)?.filter(|session| session.user == self.user);
        let Some(session) = session else {
            return Ok(Err(CannotEnter::SignedOut));
        };
        let find = FindRoom {
            name: self.name.clone(),
        };
        let Some(room) = Query::run(&find, db)? else {
            return Ok(Err(CannotEnter::NoSuchRoom));
        };
        let history = History {
            room: room.id,
            page: self.page,
            limit: self.limit,
        };
        Ok(Ok(Entered {
            head: room.seq,
            read_seq: read_seq(db, room.id, self.user)?,
            messages: history.run(db)?,
            seen_at: session.seen_at,
        }))
    }
}

fn message(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        seq: seq_from_sql(row, 0)?,
        user: row.get(1)?,
        body: row.get(2)?,
        at: row.get(3)?,
        client_id: row.get(4)?,
    })
}

impl fmt::Display for NoSuchRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such room")
    }
}

impl std::error::Error for NoSuchRoom {}

impl fmt::Display for CannotEnter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CannotEnter::NoSuchRoom => "there is no such room",
            CannotEnter::SignedOut => "the session is over",
        })
    }
}

impl std::error::Error for CannotEnter {}
