//! What is ready to run, and where it waits: one injector for everybody, and per worker a queue and a LIFO slot.
//!
//! A worker's queue is first in, first out. Its LIFO slot holds the task that the running one has just made ready:
//! it runs next, on the same core, while what both touch is still in its cache. Thieves may empty both.

use crate::sync::deque::{self, Injector, Steal, Stealer, Worker};

/// The shared side of all queues.
pub(super) struct RunQueues<T> {
    injector: Injector<T>,
    shelves: Box<[Shelf<T>]>,
}

/// One worker's queue and LIFO slot, as the others see them. Aligned so that two workers never share a line.
#[repr(align(128))]
struct Shelf<T> {
    slot: Stealer<T>,
    queue: Stealer<T>,
}

/// One worker's queue and LIFO slot, as their owner sees them: only the owner adds.
pub(super) struct Owner<T> {
    /// A queue that never holds more than one task. The owner fills it without any atomic read-modify-write
    /// and empties it with one, where a lock would cost four.
    slot: Worker<T>,
    queue: Worker<T>,
}

impl<T> Owner<T> {
    fn new() -> Self {
        Owner {
            slot: Worker::new_fifo(),
            queue: Worker::new_fifo(),
        }
    }

    /// Adds to the end of the queue.
    pub(super) fn push(&self, task: T) {
        self.queue.push(task);
    }

    /// Takes the front of the queue.
    pub(super) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// Fills the LIFO slot; whatever sat there goes to the end of the queue. `true` if something did.
    #[inline]
    pub(super) fn push_lifo(&self, task: T) -> bool {
        let before = self.slot.pop();
        self.slot.push(task);
        match before {
            Some(before) => {
                self.queue.push(before);
                true
            }
            None => false,
        }
    }

    /// Empties the LIFO slot.
    #[inline]
    pub(super) fn pop_lifo(&self) -> Option<T> {
        self.slot.pop()
    }

    /// Empties the LIFO slot if its content is the wanted one.
    pub(super) fn pop_lifo_if(&self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let task = self.slot.pop()?;
        if wanted(&task) {
            return Some(task);
        }
        self.slot.push(task);
        None
    }
}

impl<T> RunQueues<T> {
    /// Queues for `count` workers, and the owners' ends of them.
    pub(super) fn new(count: usize) -> (Self, Vec<Owner<T>>) {
        deque::prepare();
        let owners: Vec<_> = (0..count).map(|_| Owner::new()).collect();
        let shelves = owners
            .iter()
            .map(|owner| Shelf {
                slot: owner.slot.stealer(),
                queue: owner.queue.stealer(),
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

    /// One task of the injector.
    pub(super) fn take_injected(&self) -> Option<T> {
        insist(|| self.injector.steal())
    }

    /// One task of the injector; a batch of those behind it moves to `owner`.
    pub(super) fn take_injected_batch(&self, owner: &Owner<T>) -> Option<T> {
        insist(|| self.injector.steal_batch_and_pop(&owner.queue))
    }

    /// Steals from the first `used` workers but `thief`, beginning at `start`: half of a queue, at most a batch.
    pub(super) fn steal(
        &self,
        thief: usize,
        owner: &Owner<T>,
        used: usize,
        start: usize,
    ) -> Option<T> {
        (0..used)
            .map(|step| (start + step) % used)
            .filter(|&victim| victim != thief)
            .find_map(|victim| {
                insist(|| self.shelves[victim].queue.steal_batch_and_pop(&owner.queue))
            })
    }

    /// Moves all that waits at a worker to the injector, the LIFO slot first; how many tasks that were.
    ///
    /// Bounded by what was there at the start: the owner may be pushing meanwhile.
    pub(super) fn evacuate(&self, index: usize) -> usize {
        let shelf = &self.shelves[index];
        let queued = shelf.queue.len();
        let mut moved = 0;
        let slot = insist(|| shelf.slot.steal()).into_iter();
        let queue = (0..queued).map_while(|_| insist(|| shelf.queue.steal()));
        for task in slot.chain(queue) {
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
                .any(|shelf| !shelf.queue.is_empty())
    }

    /// Whether anything waits at this worker.
    pub(super) fn waits_at(&self, index: usize) -> bool {
        let shelf = &self.shelves[index];
        !shelf.slot.is_empty() || !shelf.queue.is_empty()
    }

    /// How many tasks wait; a snapshot of moving parts.
    pub(super) fn len(&self, used: usize) -> usize {
        let shelved: usize = self.shelves[..used]
            .iter()
            .map(|shelf| shelf.slot.len() + shelf.queue.len())
            .sum();
        self.injector.len() + shelved
    }

    /// Takes out everything, one task at a time.
    pub(super) fn drain(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(move || {
            self.take_injected().or_else(|| {
                let mut stealers = self
                    .shelves
                    .iter()
                    .flat_map(|shelf| [&shelf.slot, &shelf.queue]);
                stealers.find_map(|stealer| insist(|| stealer.steal()))
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

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use crate::sync::model::explore;
    use crate::sync::{Arc, Mutex, thread};

    /// The owner fills and empties its slot and queue; a thief steals, the watchdog evacuates.
    #[test]
    fn loom_every_task_is_taken_once() {
        explore(|| {
            let (queues, mut owners) = RunQueues::new(2);
            let (queues, taken) = (Arc::new(queues), Arc::new(Mutex::new(Vec::new())));
            let thief = owners.pop().expect("two were made");
            let owner = owners.pop().expect("two were made");
            let (shared, list) = (queues.clone(), taken.clone());
            let watchdog = thread::spawn("watchdog".into(), None, move || {
                shared.evacuate(0);
                let stolen = shared.steal(1, &thief, 2, 0);
                let queued = std::iter::from_fn(|| thief.pop());
                list.lock().extend(stolen.into_iter().chain(queued));
            });
            for task in 0..3 {
                owner.push_lifo(task);
            }
            let in_place = owner.pop_lifo_if(|task| *task == 2);
            let other = owner.pop_lifo_if(|task| *task == 0);
            let next = owner.pop_lifo().or_else(|| owner.pop());
            assert!(in_place.is_none_or(|task| task == 2));
            watchdog
                .expect("a model has threads")
                .join()
                .expect("no panic");
            let mut taken = std::mem::take(&mut *taken.lock());
            taken.extend(in_place.into_iter().chain(other).chain(next));
            taken.extend(queues.drain());
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2]);
            assert_eq!(queues.len(2), 0);
        });
    }
}
