//! PURE. What is due when: an ordered list of deadlines with something to hand out at each.
//!
//! Picture a row of pegs in order of time. Whatever hangs on the same peg is taken down in the order it was hung up,
//! and a key names the place on the peg, so anything can be taken down early without looking through the row.

use std::collections::BTreeMap;
use std::time::Instant;

/// Names one entry. Keys of one wheel never repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerKey {
    at: Instant,
    /// Counts insertions, which orders entries of the same deadline.
    number: u64,
}

impl TimerKey {
    /// The deadline.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }
}

/// Entries by deadline.
pub(super) struct Wheel<T> {
    entries: BTreeMap<TimerKey, T>,
    next_number: u64,
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Self {
        Wheel {
            entries: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Adds an entry.
    pub(super) fn insert(&mut self, at: Instant, entry: T) -> TimerKey {
        let key = TimerKey {
            at,
            number: self.next_number,
        };
        self.next_number += 1;
        self.entries.insert(key, entry);
        key
    }

    /// Removes an entry that has not been handed out.
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<T> {
        self.entries.remove(&key)
    }

    /// Whether an entry is still to be handed out.
    pub(super) fn contains(&self, key: TimerKey) -> bool {
        self.entries.contains_key(&key)
    }

    /// Hands out the first entry that is due at `now`: earliest deadline first, then in order of insertion.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let first = self.entries.first_entry()?;
        (first.key().at <= now).then(|| first.remove())
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(key, _)| key.at)
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes out everything.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.entries).into_values()
    }
}
