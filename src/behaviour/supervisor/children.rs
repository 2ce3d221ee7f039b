//! The children of a supervisor, each found by its key or its pid without looking at the others: a supervisor may
//! have a hundred thousand.

use crate::behaviour::supervisor::job::Key;
use crate::behaviour::supervisor::slot::Slot;
use crate::pid::{Pid, PidBuildHasher};
use std::collections::HashMap;

/// How many places are kept when nobody is left: a supervisor of tasks may have one at a time.
pub(super) const PLACES_KEPT: usize = 64;

/// What a supervisor keeps of a child.
pub(super) trait Kept {
    fn slot(&self) -> &Slot;
}

impl Kept for Slot {
    fn slot(&self) -> &Slot {
        self
    }
}

/// Children in places, of which one that was left is taken by the next child.
pub(super) struct Children<C> {
    places: Vec<Option<C>>,
    /// Places that were left.
    free: Vec<u32>,
    /// Where those are that were begun and have not been seen to end.
    by_pid: HashMap<Pid, u32, PidBuildHasher>,
    next: u64,
}

impl<C> Default for Children<C> {
    fn default() -> Self {
        Children {
            places: Vec::new(),
            free: Vec::new(),
            by_pid: HashMap::default(),
            next: 0,
        }
    }
}

impl<C: Kept> Children<C> {
    /// Adds a child after the others.
    pub(super) fn add(&mut self, make: impl FnOnce(Key) -> C) -> Key {
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        let order = self.next;
        let key = Key { order, place };
        self.next += 1;
        let child = Some(make(key));
        match self.places.get_mut(place as usize) {
            Some(left) => *left = child,
            None => self.places.push(child),
        }
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<C> {
        self.get(key)?;
        let child = self.places[key.place as usize].take()?;
        self.free.push(key.place);
        if self.is_empty() {
            self.places.clear();
            self.places.shrink_to(PLACES_KEPT);
            self.free.clear();
            self.free.shrink_to(PLACES_KEPT);
        }
        if let Some(pid) = child.slot().status().pid() {
            self.by_pid.remove(&pid);
        }
        Some(child)
    }

    pub(super) fn get(&self, key: Key) -> Option<&C> {
        let child = self.places.get(key.place as usize)?.as_ref();
        child.filter(|child| child.slot().key == key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut C> {
        let child = self.places.get_mut(key.place as usize)?.as_mut();
        child.filter(|child| child.slot().key == key)
    }

    pub(super) fn by_pid(&mut self, pid: Pid) -> Option<&mut C> {
        self.places[*self.by_pid.get(&pid)? as usize].as_mut()
    }

    /// A child was begun.
    pub(super) fn note_pid(&mut self, key: Key, pid: Pid) {
        self.by_pid.insert(pid, key.place);
    }

    /// A child that was begun has been seen to end.
    pub(super) fn forget_pid(&mut self, pid: Pid) {
        self.by_pid.remove(&pid);
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &C> {
        self.places.iter().flatten()
    }

    /// All, in no order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.places.iter_mut().flatten()
    }

    /// All, in start order.
    pub(super) fn in_order(&self) -> Vec<&C> {
        let mut all: Vec<&C> = self.iter().collect();
        all.sort_by_key(|child| child.slot().key);
        all
    }
}
