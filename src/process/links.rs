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
