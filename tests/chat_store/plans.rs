//! How SQLite finds what the chat asks for: by an index, never by reading a whole table or by sorting.

use crate::desk::Desk;
use perennial::store::Query;
use perennial::store::rusqlite::{Connection, Result};

/// The plan of a statement, a line for each step.
struct Plan(&'static str);

impl Query for Plan {
    type Output = Vec<String>;

    fn run(&self, db: &Connection) -> Result<Vec<String>> {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {}", self.0))?;
        for parameter in 1..=explain.parameter_count() {
            explain.raw_bind_parameter(parameter, 1)?;
        }
        let mut rows = explain.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            steps.push(row.get("detail")?);
        }
        Ok(steps)
    }
}

#[test]
fn no_statement_reads_a_table_or_sorts() {
    // The statements that run for each message, request or page.
    let statements = [
        "SELECT seq, user.name, body, at, client_id FROM message JOIN user ON user.id = message.user_id
            WHERE room_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        "SELECT seq, user.name, body, at, client_id FROM message JOIN user ON user.id = message.user_id
            WHERE room_id = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3",
        "SELECT seq, at FROM message WHERE room_id = ?1 AND user_id = ?2 AND client_id = ?3",
        "SELECT id, name, seq FROM room WHERE name > ?1 ORDER BY name LIMIT ?2",
        "SELECT id, name, seq FROM room WHERE name = ?1",
        "SELECT room.id, room.name, room.seq, coalesce(read_cursor.seq, 0)
            FROM room LEFT JOIN read_cursor ON read_cursor.user_id = ?1 AND read_cursor.room_id = room.id
            WHERE room.name > ?2 ORDER BY room.name LIMIT ?3",
        "SELECT seq FROM read_cursor WHERE user_id = ?1 AND room_id = ?2",
        "SELECT id, name, password_hash FROM user WHERE name = ?1",
        "SELECT user.id, user.name, opened_at, seen_at FROM session JOIN user ON user.id = session.user_id
            WHERE token_hash = ?1 AND opened_at >= ?2 AND seen_at >= ?3",
        "SELECT token_hash FROM session WHERE user_id = ?1 ORDER BY opened_at DESC LIMIT -1 OFFSET ?2",
    ];
    let mut desk = Desk::new();
    for statement in statements {
        let plan = desk.read(Plan(statement));
        assert!(!plan.is_empty(), "{statement}");
        for step in plan {
            assert!(step.starts_with("SEARCH"), "{statement}: {step}");
        }
    }
}
