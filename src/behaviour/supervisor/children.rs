//! The children of a supervisor in start order, each found by its key, its id or its pid without looking at the
//! others: a supervisor may have a hundred thousand.

use crate::behaviour::supervisor::board::Board;
use crate::behaviour::supervisor::child::Child;
use crate::behaviour::supervisor::job::Key;
use crate::behaviour::supervisor::slot::{Slot, Status};
use crate::pid::Pid;
use crate::process::StartError;
use crate::sync::Arc;
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
pub(super) struct Children {
    /// By key, which grows with each child that is added: start order.
    slots: BTreeMap<Key, Slot>,
    by_id: HashMap<Arc<str>, Key>,
    /// Those that were begun and have not been seen to end.
    by_pid: HashMap<Pid, Key, FxBuildHasher>,
    next: Key,
}

impl Children {
    /// Adds a child, whose id nobody else has, after the others.
    pub(super) fn add(&mut self, board: &Arc<Board>, child: Child) -> Key {
        let key = self.next;
        self.next += 1;
        self.by_id.insert(child.spec.id.clone(), key);
        self.slots.insert(key, Slot::new(board, key, child));
        key
    }

    pub(super) fn remove(&mut self, key: Key) {
        let Some(slot) = self.slots.remove(&key) else {
            return;
        };
        self.by_id.remove(&slot.child.spec.id);
        if let Some(pid) = slot.status().pid() {
            self.by_pid.remove(&pid);
        }
    }

    /// Removes all of which this is true.
    pub(super) fn remove_if(&mut self, meant: impl Fn(&Slot) -> bool) {
        let meant = self.slots.values().filter(|slot| meant(slot));
        let keys: Vec<Key> = meant.map(|slot| slot.key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(&key)
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Slot> {
        self.slots.get(self.by_id.get(id)?)
    }

    pub(super) fn by_pid(&mut self, pid: Pid) -> Option<&mut Slot> {
        self.slots.get_mut(self.by_pid.get(&pid)?)
    }

    /// A child that was begun has been seen to end.
    pub(super) fn forget_pid(&mut self, pid: Pid) {
        self.by_pid.remove(&pid);
    }

    /// Begins a start; whether the child is up.
    pub(super) fn begin(&mut self, key: Key) -> Result<bool, StartError> {
        let Some(slot) = self.slots.get_mut(&key) else {
            return Ok(false);
        };
        let begun = slot.begin()?;
        slot.becomes(Status::Starting(begun.pid));
        self.by_pid.insert(begun.pid, key);
        Ok(begun.up)
    }

    /// All, in start order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        self.slots.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.values_mut()
    }
}
