//! PURE. When to look at which connection again.
//!
//! Most deadlines never pass: each request, frame and byte moves them. So moving one later costs nothing here; its
//! old entry stays, comes up, and the connection is asked again then. Only moving one earlier adds an entry.

use super::table::ConnectionId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A heap of moments, each with the connection to look at.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
}

impl Deadlines {
    /// Makes sure that `id` comes up at `wanted` or before; `entry` is what the connection remembers of its entry.
    pub(super) fn set(&mut self, id: ConnectionId, entry: &mut Option<Instant>, wanted: Instant) {
        if entry.is_none_or(|entry| wanted < entry) {
            *entry = Some(wanted);
            self.heap.push(Reverse((wanted, id)));
        }
    }

    /// The next entry that is due, if any.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, ConnectionId)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The moment of the next entry.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}
