//! What is ready to run, and where it waits: one injector for everybody, and per worker a queue and a LIFO slot.
//!
//! A worker's queue is first in, first out. Its LIFO slot holds the task that the running one has just made ready:
//! it runs next, on the same core, while what both touch is still in its cache. Thieves may empty both.

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::deque::{Injector, Steal, Stealer, Worker};

/// The shared side of all queues.
pub(super) struct RunQueues<T> {
    injector: Injector<T>,
    shelves: Box<[Shelf<T>]>,
}

/// One worker's queue and LIFO slot, as the others see them. Aligned so that two workers never share a line.
#[repr(align(128))]
struct Shelf<T> {
    /// Guards the slot only; held for a swap, never while a task runs or is dropped.
    lifo: Mutex<Option<T>>,
    /// Equals `true` while the slot is taken. Only the owner fills the slot, so its own reads are exact,
    /// and an empty slot costs the owner no lock.
    lifo_taken: AtomicBool,
    stealer: Stealer<T>,
}

impl<T> RunQueues<T> {
    /// Queues for `count` workers, and the owners' ends of them.
    pub(super) fn new(count: usize) -> (Self, Vec<Worker<T>>) {
        let owners: Vec<_> = (0..count).map(|_| Worker::new_fifo()).collect();
        let shelves = owners
            .iter()
            .map(|owner| Shelf {
                lifo: Mutex::new(None),
                lifo_taken: AtomicBool::new(false),
                stealer: owner.stealer(),
            })
            .collect();
        let queues = RunQueues {
            injector: Injector::new(),
            shelves,
        };
        (queues, owners)
    }

    /// Adds to the queue that belongs to nobody.
    pub(super) fn inject(&self, task: T) {
        self.injector.push(task);
    }

    /// Fills the owner's LIFO slot; whatever sat there goes to the end of its queue. `true` if something did.
    pub(super) fn push_lifo(&self, index: usize, owner: &Worker<T>, task: T) -> bool {
        let shelf = &self.shelves[index];
        let before = {
            let mut slot = shelf.lifo.lock();
            shelf.lifo_taken.store(true, Ordering::Relaxed);
            slot.replace(task)
        };
        match before {
            Some(before) => {
                owner.push(before);
                true
            }
            None => false,
        }
    }

    /// Empties a LIFO slot.
    pub(super) fn take_lifo(&self, index: usize) -> Option<T> {
        self.take_lifo_if(index, |_| true)
    }

    /// Empties a LIFO slot if its content is the wanted one.
    pub(super) fn take_lifo_if(&self, index: usize, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let shelf = &self.shelves[index];
        if !shelf.lifo_taken.load(Ordering::Relaxed) {
            return None;
        }
        let mut slot = shelf.lifo.lock();
        if !slot.as_ref().is_some_and(wanted) {
            return None;
        }
        shelf.lifo_taken.store(false, Ordering::Relaxed);
        slot.take()
    }

    /// One task of the injector.
    pub(super) fn take_injected(&self) -> Option<T> {
        insist(|| self.injector.steal())
    }

    /// One task of the injector; a batch of those behind it moves to `owner`.
    pub(super) fn take_injected_batch(&self, owner: &Worker<T>) -> Option<T> {
        insist(|| self.injector.steal_batch_and_pop(owner))
    }

    /// Steals from the first `used` workers but `thief`, beginning at `start`: half of a queue, at most a batch.
    pub(super) fn steal(
        &self,
        thief: usize,
        owner: &Worker<T>,
        used: usize,
        start: usize,
    ) -> Option<T> {
        (0..used)
            .map(|step| (start + step) % used)
            .filter(|&victim| victim != thief)
            .find_map(|victim| insist(|| self.shelves[victim].stealer.steal_batch_and_pop(owner)))
    }

    /// Moves all that waits at a worker to the injector, the LIFO slot first; how many tasks that were.
    ///
    /// Bounded by what was there at the start: the owner may be pushing meanwhile.
    pub(super) fn evacuate(&self, index: usize) -> usize {
        let shelf = &self.shelves[index];
        let queued = shelf.stealer.len();
        let mut moved = 0;
        if let Some(task) = self.take_lifo(index) {
            self.injector.push(task);
            moved += 1;
        }
        for _ in 0..queued {
            let Some(task) = insist(|| shelf.stealer.steal()) else {
                break;
            };
            self.injector.push(task);
            moved += 1;
        }
        moved
    }

    /// Whether a thief would find something. LIFO slots do not count: their owner is awake and comes for them.
    pub(super) fn has_work(&self, used: usize) -> bool {
        !self.injector.is_empty()
            || self.shelves[..used]
                .iter()
                .any(|shelf| !shelf.stealer.is_empty())
    }

    /// Whether anything waits at this worker.
    pub(super) fn waits_at(&self, index: usize) -> bool {
        let shelf = &self.shelves[index];
        shelf.lifo_taken.load(Ordering::Relaxed) || !shelf.stealer.is_empty()
    }

    /// How many tasks wait; a snapshot of moving parts.
    pub(super) fn len(&self, used: usize) -> usize {
        let shelved: usize = self.shelves[..used]
            .iter()
            .map(|shelf| {
                shelf.stealer.len() + usize::from(shelf.lifo_taken.load(Ordering::Relaxed))
            })
            .sum();
        self.injector.len() + shelved
    }

    /// Takes out everything, one task at a time.
    pub(super) fn drain(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(move || {
            self.take_injected().or_else(|| {
                (0..self.shelves.len()).find_map(|index| {
                    self.take_lifo(index)
                        .or_else(|| insist(|| self.shelves[index].stealer.steal()))
                })
            })
        })
    }
}

/// Repeats a theft that lost a race. Each loss is another thread's success, so somebody always moves on.
fn insist<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
