//! The children of a supervisor whose order counts and whose ids are all different.

use crate::behaviour::supervisor::board::Board;
use crate::behaviour::supervisor::child::Child;
use crate::behaviour::supervisor::children::Children;
use crate::behaviour::supervisor::job::Key;
use crate::behaviour::supervisor::slot::{Slot, Status};
use crate::process::StartError;
use crate::sync::Arc;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

#[derive(Default)]
pub(super) struct Siblings {
    all: Children<Slot>,
    by_id: HashMap<Arc<str>, Key>,
}

impl Siblings {
    /// Adds a child, whose id nobody else has, after the others.
    pub(super) fn add(&mut self, board: &Arc<Board>, child: Child) -> Key {
        let id = child.spec.id.clone();
        let key = self.all.add(|key| {
            let mut slot = Slot::new(board, key, child);
            slot.becomes(Status::Undefined);
            slot
        });
        self.by_id.insert(id, key);
        key
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(slot) = self.all.remove(key) {
            self.by_id.remove(&slot.child.spec.id);
        }
    }

    /// Removes all of which this is true.
    pub(super) fn remove_if(&mut self, meant: impl Fn(&Slot) -> bool) {
        let meant = self.all.iter().filter(|slot| meant(slot));
        let keys: Vec<Key> = meant.map(|slot| slot.key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Slot> {
        self.all.get(*self.by_id.get(id)?)
    }

    /// Begins a start; whether the child is up.
    pub(super) fn begin(&mut self, key: Key) -> Result<bool, StartError> {
        let Some(slot) = self.all.get_mut(key) else {
            return Ok(false);
        };
        let begun = slot.begin(false)?;
        slot.becomes(Status::Starting(begun.pid));
        self.all.note_pid(key, begun.pid);
        Ok(begun.up)
    }
}

impl Deref for Siblings {
    type Target = Children<Slot>;

    fn deref(&self) -> &Children<Slot> {
        &self.all
    }
}

impl DerefMut for Siblings {
    fn deref_mut(&mut self) -> &mut Children<Slot> {
        &mut self.all
    }
}
