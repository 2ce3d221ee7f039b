//! Locks beside a registry: one process at a time does what belongs to a key.

use crate::process::runtime::Shared;
use crate::process::{self, current};
use crate::sync::{Arc, Mutex, Parker};
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::hash::Hash;

/// Why a lock was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError {
    /// What runs here holds it already, or a process that waits for this one does: it would never come free.
    Held,
    /// Somebody holds it, and this process unwinds or drops its state: it may not wait any more.
    Exiting,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockError::Held => "locking a key that is locked already by what runs on this thread",
            LockError::Exiting => "waiting for a lock in a process that is ending",
        })
    }
}

impl Error for LockError {}

/// Who holds a lock, and who waits for it in which order.
pub(super) struct Locks<K> {
    /// A leaf lock. A key is here while somebody holds it; the first in its queue does.
    queues: Mutex<HashMap<K, VecDeque<Ticket>>>,
}

struct Ticket {
    number: u64,
    /// Of the thread that holds the lock, or waits for it.
    parker: Arc<Parker>,
}

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Locks {
            queues: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> Locks<K> {
    /// Runs a closure while nobody else runs one under the same key.
    pub(super) fn lock<T>(
        &self,
        shared: &Arc<Shared>,
        key: K,
        run: impl FnOnce() -> T,
    ) -> Result<T, LockError> {
        current::checkpoint();
        let place = self.queue_up(key, shared.next_reference())?;
        while !place.is_first() {
            if !process::park(shared, &place.parker, None) {
                return Err(LockError::Exiting);
            }
        }
        let result = run();
        drop(place);
        Ok(result)
    }

    fn queue_up(&self, key: K, number: u64) -> Result<Place<'_, K>, LockError> {
        let parker = current::parker();
        let mut queues = self.queues.lock();
        let queue = queues.entry(key.clone()).or_default();
        // Whoever has this stack waits until its top is through, so it would wait for itself.
        if queue
            .iter()
            .any(|ticket| Arc::ptr_eq(&ticket.parker, &parker))
        {
            return Err(LockError::Held);
        }
        queue.push_back(Ticket {
            number,
            parker: parker.clone(),
        });
        drop(queues);
        Ok(Place {
            locks: self,
            key,
            number,
            parker,
        })
    }
}

/// A place in the queue of a lock, given up when it is dropped: whatever way its owner leaves, the next comes to its
/// turn.
struct Place<'a, K: Eq + Hash> {
    locks: &'a Locks<K>,
    key: K,
    number: u64,
    parker: Arc<Parker>,
}

impl<K: Eq + Hash> Place<'_, K> {
    fn is_first(&self) -> bool {
        let queues = self.locks.queues.lock();
        let first = queues.get(&self.key).and_then(VecDeque::front);
        first.is_some_and(|ticket| ticket.number == self.number)
    }
}

impl<K: Eq + Hash> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut queues = self.locks.queues.lock();
        let Some(queue) = queues.get_mut(&self.key) else {
            return;
        };
        queue.retain(|ticket| ticket.number != self.number);
        // One that was not the first wakes the first for nothing.
        let next = queue.front().map(|ticket| ticket.parker.clone());
        let emptied = if next.is_none() {
            queues.remove_entry(&self.key)
        } else {
            None
        };
        drop(queues);
        drop(emptied);
        if let Some(parker) = next {
            parker.unpark();
        }
    }
}
