//! How a database gets from the schema it has to the one this program needs: numbered steps, forward only,
//! all of them in one transaction.
//!
//! Intuition: a database is a house with its number of finished storeys over the door (`user_version`) and
//! the name of its owner beside it (`application_id`). A builder who sees a foreign name goes away; one who
//! sees more storeys than he knows goes away too; else he adds what is missing, and the new number goes up
//! together with the last brick or not at all.

use crate::store::connection;
use crate::store::error::{Error, ErrorKind};
use rusqlite::Connection;
use std::cmp::Ordering;

/// One step of a schema. A step that was released is never changed: a change is a new step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// 1 for the first step, then counting up without gaps.
    pub number: u32,
    /// What the step does, for the operator.
    pub name: &'static str,
    /// The statements. They run inside a transaction, which they may not end.
    pub sql: &'static str,
}

/// What a database must look like: whose it is, and the steps that build it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Says whose the database is, so that a foreign one is never touched. Must not be 0.
    pub application_id: i32,
    /// All steps, in order.
    pub migrations: &'static [Migration],
}

/// What the store itself keeps in each database, beside the application's tables.
///
/// `clean` is 1 while no writer has the database and the last one ended in order. `epoch` counts the times
/// a writer took it: writing it is how a writer learns that the disk takes writes.
const STATE: &str = "
    CREATE TABLE store_state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        clean INTEGER NOT NULL,
        epoch INTEGER NOT NULL
    ) STRICT;
    INSERT INTO store_state (id, clean, epoch) VALUES (1, 1, 0);
";

/// What the header and the table of contents of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    application_id: i32,
    version: i32,
    is_empty: bool,
}

/// What is to be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The file is new.
    Create,
    /// Steps are missing.
    Upgrade { from: u32 },
    /// Nothing is missing.
    Keep,
}

impl Schema {
    /// The number of the last step.
    pub fn version(&self) -> u32 {
        self.migrations
            .last()
            .map_or(0, |migration| migration.number)
    }

    /// Steps that are not numbered 1, 2, 3 … are a bug of the program.
    fn assert_well_formed(&self) {
        assert_ne!(self.application_id, 0, "a schema says whose it is");
        for (at, migration) in self.migrations.iter().enumerate() {
            assert_eq!(
                migration.number as usize,
                at + 1,
                "migrations count up from 1 without gaps"
            );
        }
    }
}

fn plan(found: Found, schema: &Schema) -> Result<Plan, ErrorKind> {
    let Found {
        application_id,
        version,
        is_empty,
    } = found;
    if application_id == 0 && version == 0 && is_empty {
        return Ok(Plan::Create);
    }
    // Version 0 with our name cannot come from us: both are written in one transaction with the tables.
    let found = match u32::try_from(version) {
        Ok(found) if found > 0 && application_id == schema.application_id => found,
        _ => return Err(ErrorKind::Foreign { application_id }),
    };
    let known = schema.version();
    match found.cmp(&known) {
        Ordering::Less => Ok(Plan::Upgrade { from: found }),
        Ordering::Equal => Ok(Plan::Keep),
        Ordering::Greater => Err(ErrorKind::NewerSchema { found, known }),
    }
}

/// Looks at a file without changing it, and decides.
pub(super) fn examine(db: &Connection, schema: &Schema) -> Result<Plan, Error> {
    schema.assert_well_formed();
    let doing = "reading the schema of the database";
    let found = found(db).map_err(|error| Error::sqlite(error, doing))?;
    plan(found, schema).map_err(|kind| Error::new(kind, doing))
}

fn found(db: &Connection) -> rusqlite::Result<Found> {
    Ok(Found {
        application_id: db.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: version(db)?,
        is_empty: db.query_row(
            "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)",
            [],
            |row| row.get(0),
        )?,
    })
}

fn version(db: &Connection) -> rusqlite::Result<i32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Carries a plan out. A failure leaves the database as it was.
pub(super) fn run(db: &Connection, schema: &Schema, plan: Plan) -> Result<(), Error> {
    let from = match plan {
        Plan::Keep => return Ok(()),
        Plan::Create => 0,
        Plan::Upgrade { from } => from,
    };
    let doing = |error| Error::sqlite(error, "migrating the database");
    // A step that rebuilds a table passes through states that break references; the whole is checked below.
    // The setting cannot change inside a transaction.
    db.pragma_update(None, "foreign_keys", false)
        .map_err(doing)?;
    let result = in_transaction(db, schema, plan, from);
    db.pragma_update(None, "foreign_keys", true)
        .map_err(doing)?;
    result
}

fn in_transaction(db: &Connection, schema: &Schema, plan: Plan, from: u32) -> Result<(), Error> {
    let doing = |error| Error::sqlite(error, "migrating the database");
    let transaction = connection::begin(db).map_err(doing)?;
    if plan == Plan::Create {
        db.execute_batch(STATE).map_err(doing)?;
        db.pragma_update(None, "application_id", schema.application_id)
            .map_err(doing)?;
    }
    for migration in schema
        .migrations
        .iter()
        .filter(|migration| migration.number > from)
    {
        let Migration { number, name, sql } = migration;
        db.execute_batch(sql)
            .map_err(|error| Error::sqlite(error, format!("migration {number} ({name})")))?;
        assert!(
            !db.is_autocommit(),
            "migration {number} ({name}) ended the transaction it runs in"
        );
    }
    check_references(db)?;
    db.pragma_update(None, "user_version", schema.version())
        .map_err(doing)?;
    transaction.commit().map_err(doing)?;
    let reads_back = version(db).map_err(doing)?;
    assert_eq!(
        u32::try_from(reads_back),
        Ok(schema.version()),
        "what was migrated reads back"
    );
    Ok(())
}

fn check_references(db: &Connection) -> Result<(), Error> {
    let doing = "checking references after a migration";
    let broken: Option<String> = db
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut check| check.query_map([], |row| row.get(0))?.next().transpose())
        .map_err(|error| Error::sqlite(error, doing))?;
    match broken {
        None => Ok(()),
        Some(table) => {
            let found = format!("table {table} refers to rows that do not exist");
            Err(Error::new(ErrorKind::Corrupt(found), doing))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Migration] = &[
        Migration {
            number: 1,
            name: "one",
            sql: "",
        },
        Migration {
            number: 2,
            name: "two",
            sql: "",
        },
    ];
    const SCHEMA: Schema = Schema {
        application_id: 77,
        migrations: STEPS,
    };

    #[test]
    fn plan_by_table() {
        let foreign = |application_id| Err(ErrorKind::Foreign { application_id });
        let newer = Err(ErrorKind::NewerSchema { found: 3, known: 2 });
        let table = [
            // application id, version, is empty
            ((0, 0, true), Ok(Plan::Create)),
            ((0, 0, false), foreign(0)),
            ((0, 2, true), foreign(0)),
            ((77, 1, false), Ok(Plan::Upgrade { from: 1 })),
            ((77, 2, false), Ok(Plan::Keep)),
            ((77, 3, false), newer),
            ((77, 0, false), foreign(77)),
            ((77, -1, false), foreign(77)),
            ((78, 1, false), foreign(78)),
            ((78, 3, false), foreign(78)),
            ((-5, 1, true), foreign(-5)),
        ];
        for ((application_id, version, is_empty), expected) in table {
            let found = Found {
                application_id,
                version,
                is_empty,
            };
            assert_eq!(plan(found, &SCHEMA), expected, "{found:?}");
        }
    }

    #[test]
    #[should_panic(expected = "without gaps")]
    fn a_gap_in_the_numbers_is_a_bug() {
        const GAP: &[Migration] = &[Migration {
            number: 2,
            name: "two",
            sql: "",
        }];
        Schema {
            application_id: 1,
            migrations: GAP,
        }
        .assert_well_formed();
    }
}
