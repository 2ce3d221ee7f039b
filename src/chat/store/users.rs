//! Who may speak: a name, compared exactly, and the hash of a password.

use super::id;
use crate::store::rusqlite::{Connection, OptionalExtension, Result, params};
use crate::store::{Operation, Query, WriteError};
use crate::sync::Arc;
use std::fmt;

id! {
    /// The identity of a user. It outlives a change of name.
    UserId
}

/// A user as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The identity.
    pub id: UserId,
    /// The name, in NFC.
    pub name: Arc<str>,
    /// The password's hash, in the PHC format that says how it was made.
    pub password_hash: Arc<str>,
}

/// Makes a user.
#[derive(Clone)]
pub struct CreateUser {
    /// The name, checked and in NFC.
    pub name: Arc<str>,
    /// The password's hash, in the PHC format.
    pub password_hash: Arc<str>,
    /// When.
    pub at: i64,
}

/// The name is another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTaken;

impl Operation for CreateUser {
    type Output = UserId;
    type Refused = NameTaken;

    fn apply(&self, db: &Connection) -> std::result::Result<UserId, WriteError<NameTaken>> {
        let sql = "INSERT INTO user (name, password_hash, created_at) VALUES (?1, ?2, ?3)
            ON CONFLICT (name) DO NOTHING RETURNING id";
        db.prepare_cached(sql)?
            .query_row(params![self.name, self.password_hash, self.at], |row| {
                row.get(0)
            })
            .optional()?
            .ok_or(WriteError::Refused(NameTaken))
    }
}

/// Finds a user by name.
#[derive(Clone, Debug)]
pub struct FindUser {
    /// The name, in NFC.
    pub name: Arc<str>,
}

impl Query for FindUser {
    type Output = Option<User>;

    fn run(&self, db: &Connection) -> Result<Option<User>> {
        db.prepare_cached("SELECT id, name, password_hash FROM user WHERE name = ?1")?
            .query_row([&self.name], |row| {
                Ok(User {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    password_hash: row.get(2)?,
                })
            })
            .optional()
    }
}

// The hash of a password is for the one who checks it, and for no log.

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUser")
            .field("name", &self.name)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name is taken")
    }
}

impl std::error::Error for NameTaken {}
