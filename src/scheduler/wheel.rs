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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[derive(Clone, Debug)]
    enum Step {
        /// Adds an entry, so many units from the start.
        Insert(u64),
        /// Removes the entry of this insertion, counted round.
        Remove(usize),
        /// Lets so many units pass and takes what is due.
        Advance(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Deadlines near one another, so that many are equal, and some far away; in the past as well.
        let at =
            prop_oneof![4 => 0..40u64, 2 => 0..3_000u64, 1 => any::<u32>().prop_map(u64::from)];
        let step = prop_oneof![
            5 => at.prop_map(Step::Insert),
            2 => any::<usize>().prop_map(Step::Remove),
            2 => (0..30u64).prop_map(Step::Advance),
            1 => (0..100_000u64).prop_map(Step::Advance),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// The model: everything that was ever inserted, in order of insertion.
    struct Entry {
        key: TimerKey,
        at: u64,
        waits: bool,
    }

    proptest! {
        #[test]
        fn wheel_hands_out_what_a_sorted_list_would(steps in steps(), unit in prop_oneof![Just(1u64), Just(700), Just(1_000_000)]) {
            let start = Instant::now();
            let moment = |units: u64| start + Duration::from_nanos(units * unit);
            let mut wheel = Wheel::new();
            let mut model: Vec<Entry> = Vec::new();
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Insert(at) => {
                        let key = wheel.insert(moment(at), model.len());
                        prop_assert_eq!(key.at(), moment(at));
                        prop_assert!(model.iter().all(|entry| entry.key != key));
                        model.push(Entry { key, at, waits: true });
                    }
                    Step::Remove(number) if !model.is_empty() => {
                        let number = number % model.len();
                        let entry = &mut model[number];
                        prop_assert_eq!(wheel.contains(entry.key), entry.waits);
                        let removed = wheel.remove(entry.key);
                        prop_assert_eq!(removed, entry.waits.then_some(number));
                        entry.waits = false;
                    }
                    Step::Remove(_) => {}
                    Step::Advance(by) => {
                        now += by;
                        loop {
                            let due = (0..model.len())
                                .filter(|&number| model[number].waits && model[number].at <= now)
                                .min_by_key(|&number| (model[number].at, number));
                            prop_assert_eq!(wheel.pop_due(moment(now)), due);
                            let Some(due) = due else { break };
                            model[due].waits = false;
                        }
                    }
                }
                let waiting = model.iter().filter(|entry| entry.waits);
                prop_assert_eq!(wheel.len(), waiting.clone().count());
                prop_assert_eq!(wheel.next(), waiting.map(|entry| moment(entry.at)).min());
            }
            let mut left: Vec<_> = wheel.take_all().collect();
            left.sort_unstable();
            let waiting: Vec<_> = (0..model.len()).filter(|&number| model[number].waits).collect();
            prop_assert_eq!(left, waiting);
            prop_assert_eq!(wheel.len(), 0);
        }
    }
}
