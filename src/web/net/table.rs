//! The connections of a reactor by number. A number is used again, an id never is.

use std::fmt;

/// Names one connection of one reactor, for logs and for tests of equality.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

/// Slots with generations.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }

    /// Takes a free slot and fills it with what `make` returns for its id; the slot stays free if that fails.
    pub(super) fn insert<E>(
        &mut self,
        make: impl FnOnce(ConnectionId) -> Result<T, E>,
    ) -> Result<ConnectionId, E> {
        let index = match self.free.last() {
            Some(&index) => index,
            None => {
                let index =
                    u32::try_from(self.slots.len()).expect("a program has fewer than 2^32 sockets");
                self.slots.push(Slot {
                    generation: 0,
                    value: None,
                });
                self.free.push(index);
                index
            }
        };
        let slot = &mut self.slots[index as usize];
        let id = ConnectionId {
            index,
            generation: slot.generation,
        };
        slot.value = Some(make(id)?);
        self.free.pop();
        self.len += 1;
        Ok(id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation {
            slot.value.as_mut()
        } else {
            None
        }
    }

    /// The id of whatever is in the slot now.
    pub(super) fn id_at(&self, index: usize) -> Option<ConnectionId> {
        let slot = self.slots.get(index)?;
        slot.value.as_ref().map(|_| ConnectionId {
            index: index as u32,
            generation: slot.generation,
        })
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let value = slot.value.take()?;
        self.len -= 1;
        // A slot whose generations are used up is retired, so that an id is never given twice.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.index);
        }
        Some(value)
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        (0..self.slots.len())
            .filter_map(|index| self.id_at(index))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}
