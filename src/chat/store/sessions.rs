//! Who is signed in. Only the hash of a token is stored, so that a copy of the database signs nobody in.

use super::users::UserId;
use crate::store::rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use crate::store::rusqlite::{Connection, OptionalExtension, Result, ToSql, params};
use crate::store::{Operation, Query, WriteError};
use crate::sync::Arc;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::fmt;

/// How many sessions one user has at most; the oldest makes room. 50: more devices than anybody owns, and a
/// program that signs in again and again does not fill the disk.
pub const SESSIONS_MAX: usize = 50;

/// How many sessions are found to be over at a time, at most: forgetting them is not to keep messages waiting.
pub const SESSIONS_OVER_MAX: usize = 500;

/// The SHA-256 of a session's token. A token has 256 random bits, so that a fast hash is enough.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    ///
    /// ```
    /// use perennial::chat::store::TokenHash;
    /// assert_eq!(TokenHash::of(b"secret"), TokenHash::of(b"secret"));
    /// assert_ne!(TokenHash::of(b"secret"), TokenHash::of(b"Secret"));
    /// ```
    pub fn of(token: &[u8]) -> Self {
        TokenHash(Sha256::digest(token).into())
    }

    /// Its 64 hexadecimal digits. They sign nobody in, but tell two sessions apart.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user: UserId,
    /// That user's name.
    pub name: Arc<str>,
    /// When it was opened.
    pub opened_at: i64,
    /// When it was last [touched](TouchSession).
    pub seen_at: i64,
}

/// Which sessions are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Those opened before this moment.
    pub opened_before: i64,
    /// Those last seen before this moment.
    pub seen_before: i64,
}

/// Signs a user in. Answers which sessions had to make room, as one user has [`SESSIONS_MAX`] at most.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The hash of the token that the user holds.
    pub token: TokenHash,
    /// Who.
    pub user: UserId,
    /// When.
    pub at: i64,
}

impl Operation for OpenSession {
    type Output = Vec<TokenHash>;
    type Refused = Infallible;

    fn apply(
        &self,
        db: &Connection,
    ) -> std::result::Result<Vec<TokenHash>, WriteError<Infallible>> {
        let make_room = "DELETE FROM session WHERE token_hash IN (
            SELECT token_hash FROM session WHERE user_id = ?1
            ORDER BY opened_at DESC LIMIT -1 OFFSET ?2) RETURNING token_hash";
        let left = db
            .prepare_cached(make_room)?
            .query_map(params![self.user, SESSIONS_MAX as i64 - 1], |row| {
                row.get(0)
            })?
            .collect::<Result<_>>()?;
        let open =
            "INSERT INTO session (token_hash, user_id, opened_at, seen_at) VALUES (?1, ?2, ?3, ?3)";
        db.prepare_cached(open)?
            .execute(params![self.token, self.user, self.at])?;
        Ok(left)
    }
}

/// Finds a session that is not over.
#[derive(Clone, Debug)]
pub struct FindSession {
    /// The hash of the token.
    pub token: TokenHash,
    /// What counts as over.
    pub expiry: Expiry,
}

impl Query for FindSession {
    type Output = Option<Session>;

    fn run(&self, db: &Connection) -> Result<Option<Session>> {
        let sql = "SELECT user.id, user.name, opened_at, seen_at
            FROM session JOIN user ON user.id = session.user_id
            WHERE token_hash = ?1 AND opened_at >= ?2 AND seen_at >= ?3";
        let Expiry {
            opened_before,
            seen_before,
        } = self.expiry;
        db.prepare_cached(sql)?
            .query_row(params![self.token, opened_before, seen_before], |row| {
                Ok(Session {
                    user: row.get(0)?,
                    name: row.get(1)?,
                    opened_at: row.get(2)?,
                    seen_at: row.get(3)?,
                })
            })
            .optional()
    }
}

/// Notes that a session is in use. Worth a write once in a while, not at each request.
#[derive(Clone, Debug)]
pub struct TouchSession {
    /// The hash of the token.
    pub token: TokenHash,
    /// When.
    pub at: i64,
}

impl Operation for TouchSession {
    type Output = ();
    type Refused = Infallible;

    fn apply(&self, db: &Connection) -> std::result::Result<(), WriteError<Infallible>> {
        // Two requests may be written in the other order: time does not go back.
        let sql = "UPDATE session SET seen_at = max(seen_at, ?2) WHERE token_hash = ?1";
        db.prepare_cached(sql)?
            .execute(params![self.token, self.at])?;
        Ok(())
    }
}

/// Signs out. Answers whether there was such a session.
#[derive(Clone, Debug)]
pub struct CloseSession {
    /// The hash of the token.
    pub token: TokenHash,
}

impl Operation for CloseSession {
    type Output = bool;
    type Refused = Infallible;

    fn apply(&self, db: &Connection) -> std::result::Result<bool, WriteError<Infallible>> {
        let closed = db
            .prepare_cached("DELETE FROM session WHERE token_hash = ?1")?
            .execute([self.token])?;
        Ok(closed > 0)
    }
}

/// Signs a user out everywhere. Answers from how many sessions.
#[derive(Clone, Debug)]
pub struct CloseSessionsOf {
    /// Who.
    pub user: UserId,
}

impl Operation for CloseSessionsOf {
    type Output = usize;
    type Refused = Infallible;

    fn apply(&self, db: &Connection) -> std::result::Result<usize, WriteError<Infallible>> {
        Ok(db
            .prepare_cached("DELETE FROM session WHERE user_id = ?1")?
            .execute([self.user])?)
    }
}

/// Finds sessions that are over, [`SESSIONS_OVER_MAX`] at most.
#[derive(Clone, Debug)]
pub struct FindSessionsOver {
    /// What counts as over.
    pub expiry: Expiry,
}

impl Query for FindSessionsOver {
    type Output = Vec<TokenHash>;

    fn run(&self, db: &Connection) -> Result<Vec<TokenHash>> {
        let sql = "SELECT token_hash FROM session WHERE opened_at < ?1 OR seen_at < ?2 LIMIT ?3";
        let Expiry {
            opened_before,
            seen_before,
        } = self.expiry;
        db.prepare_cached(sql)?
            .query_map(
                params![opened_before, seen_before, SESSIONS_OVER_MAX as i64],
                |row| row.get(0),
            )?
            .collect()
    }
}

/// Forgets those of these sessions that are over. Answers how many.
#[derive(Clone, Debug)]
pub struct PurgeSessions {
    /// Which, as [`FindSessionsOver`] found them.
    pub sessions: Vec<TokenHash>,
    /// What counts as over.
    pub expiry: Expiry,
}

impl Operation for PurgeSessions {
    type Output = usize;
    type Refused = Infallible;

    fn apply(&self, db: &Connection) -> std::result::Result<usize, WriteError<Infallible>> {
        let Expiry {
            opened_before,
            seen_before,
        } = self.expiry;
        let mut forget = db.prepare_cached(
            "DELETE FROM session WHERE token_hash = ?1 AND (opened_at < ?2 OR seen_at < ?3)",
        )?;
        let mut purged = 0;
        for session in &self.sessions {
            purged += forget.execute(params![session, opened_before, seen_before])?;
        }
        Ok(purged)
    }
}

impl ToSql for TokenHash {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for TokenHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(TokenHash)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}
