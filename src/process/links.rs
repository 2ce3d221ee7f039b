//! PURE: who a process is linked to. Most have one link; a supervisor may have a hundred thousand.

use crate::pid::{Pid, PidBuildHasher};
use std::collections::HashSet;

/// With the same hash in each run, as the order of the set is the order in which links are told of an end.
type Pids = HashSet<Pid, PidBuildHasher>;

#[derive(Default)]
pub(crate) enum Links {
    #[default]
    None,
    One(Pid),
    /// In a box, as most processes have one link at most.
    Many(Box<Pids>),
}

impl Links {
    /// Adds one; `false` if it was there.
    pub(crate) fn insert(&mut self, pid: Pid) -> bool {
        match self {
            Links::None => {
                *self = Links::One(pid);
                true
            }
            Links::One(one) if *one == pid => false,
            Links::One(one) => {
                *self = Links::Many(Box::new(Pids::from_iter([*one, pid])));
                true
            }
            Links::Many(many) => many.insert(pid),
        }
    }

    /// Removes one; `false` if it was not there.
    pub(crate) fn remove(&mut self, pid: Pid) -> bool {
        match self {
            Links::One(one) if *one == pid => {
                *self = Links::None;
                true
            }
            Links::Many(many) => many.remove(&pid),
            _ => false,
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<Pid> {
        match self {
            Links::None => Vec::new(),
            Links::One(one) => vec![*one],
            Links::Many(many) => many.iter().copied().collect(),
        }
    }

    /// Calls `tell` for each.
    pub(crate) fn for_each(self, tell: impl FnMut(Pid)) {
        match self {
            Links::None => {}
            Links::One(one) => [one].into_iter().for_each(tell),
            Links::Many(many) => many.into_iter().for_each(tell),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn links_are_a_set() {
        let pids = [1, 2, 3].map(|slot| Pid::from_parts(0, slot, 1));
        // Each pid added or taken away, in every sequence of six steps.
        for steps in 0..6_usize.pow(6) {
            let (mut links, mut set) = (Links::default(), BTreeSet::new());
            for step in (0..6).map(|nth| steps / 6_usize.pow(nth) % 6) {
                let pid = pids[step / 2];
                if step % 2 == 0 {
                    assert_eq!(links.insert(pid), set.insert(pid), "{steps}");
                } else {
                    assert_eq!(links.remove(pid), set.remove(&pid), "{steps}");
                }
            }
            assert_eq!(BTreeSet::from_iter(links.to_vec()), set);
            let mut told = Vec::new();
            links.for_each(|pid| told.push(pid));
            assert_eq!(told.len(), set.len());
            assert_eq!(BTreeSet::from_iter(told), set);
        }
    }
}
