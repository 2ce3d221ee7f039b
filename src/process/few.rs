//! PURE: what is found by its monitor's reference. Most processes have nothing of the kind, or one thing for a moment;
//! a supervisor that stops may have a hundred thousand.

use crate::pid::MonitorRef;
use std::collections::{BTreeMap, btree_map};

/// In the order of the references.
#[derive(Default)]
pub(crate) enum Few<V> {
    #[default]
    None,
    One(Box<(MonitorRef, V)>),
    Many(BTreeMap<MonitorRef, V>),
}

impl<V> Few<V> {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Few::None)
    }

    /// Adds a value; no other has its reference.
    pub(crate) fn insert(&mut self, monitor: MonitorRef, value: V) {
        *self = match std::mem::take(self) {
            Few::None => Few::One(Box::new((monitor, value))),
            Few::One(one) => Few::Many(BTreeMap::from([*one, (monitor, value)])),
            Few::Many(mut many) => {
                many.insert(monitor, value);
                Few::Many(many)
            }
        }
    }

    pub(crate) fn get(&self, monitor: MonitorRef) -> Option<&V> {
        match self {
            Few::One(one) if one.0 == monitor => Some(&one.1),
            Few::Many(many) => many.get(&monitor),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, monitor: MonitorRef) -> Option<V> {
        match self {
            Few::One(one) if one.0 == monitor => {}
            Few::Many(many) => {
                let value = many.remove(&monitor);
                // An empty map keeps its memory.
                if many.is_empty() {
                    *self = Few::None;
                }
                return value;
            }
            _ => return None,
        }
        match std::mem::take(self) {
            Few::One(one) => Some(one.1),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (MonitorRef, &V)> {
        let (one, many) = match self {
            Few::None => (None, None),
            Few::One(one) => (Some((one.0, &one.1)), None),
            Few::Many(many) => (None, Some(many.iter())),
        };
        let many = many.into_iter().flatten();
        one.into_iter()
            .chain(many.map(|(monitor, value)| (*monitor, value)))
    }
}

impl<V> IntoIterator for Few<V> {
    type Item = (MonitorRef, V);
    type IntoIter = IntoIter<V>;

    fn into_iter(self) -> IntoIter<V> {
        match self {
            Few::None => IntoIter::One(None),
            Few::One(one) => IntoIter::One(Some(one)),
            Few::Many(many) => IntoIter::Many(many.into_iter()),
        }
    }
}

pub(crate) enum IntoIter<V> {
    One(Option<Box<(MonitorRef, V)>>),
    Many(btree_map::IntoIter<MonitorRef, V>),
}

impl<V> Iterator for IntoIter<V> {
    type Item = (MonitorRef, V);

    fn next(&mut self) -> Option<(MonitorRef, V)> {
        match self {
            IntoIter::One(one) => one.take().map(|one| *one),
            IntoIter::Many(many) => many.next(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn few_is_a_map() {
        let numbers = [3, 1, 2].map(MonitorRef::from_raw);
        // Taken out in the order in which they came, and in the other, which begins with what is not there.
        let orders = [numbers, [numbers[2], numbers[1], numbers[0]]];
        for (count, order) in (0..=numbers.len()).flat_map(|count| orders.map(|to| (count, to))) {
            let mut few = Few::default();
            let mut map = BTreeMap::new();
            for number in &numbers[..count] {
                few.insert(*number, number.raw());
                map.insert(*number, number.raw());
            }
            for number in &numbers {
                assert_eq!(few.get(*number), map.get(number));
            }
            assert!(few.iter().map(|(number, _)| number).eq(map.keys().copied()));
            for number in &order {
                assert_eq!(few.remove(*number), map.remove(number));
                assert_eq!(few.is_empty(), map.is_empty());
                assert!(
                    few.iter()
                        .eq(map.iter().map(|(number, value)| (*number, value)))
                );
            }
        }
        let mut few = Few::default();
        for number in numbers {
            few.insert(number, ());
        }
        let all: Vec<_> = few.into_iter().map(|(number, ())| number.raw()).collect();
        assert_eq!(all, [1, 2, 3]);
    }
}
