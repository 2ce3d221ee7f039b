//! Who sleeps, who searches, and who wakes whom.
//!
//! One word counts both, and every change of it is a read-modify-write, so all changes have one order:
//!
//! 1. A producer makes a task visible, then reads the word by an RMW ([`Sleep::notify`]). If somebody searches, that
//!    searcher is responsible. If nobody searches and somebody sleeps, the producer wakes one sleeper,
//!    which counts as searching from that moment on (so a burst of pushes wakes one, not all).
//! 2. A searcher that found a task stops searching by an RMW ([`Sleep::found`]), then looks at all queues once more,
//!    and wakes the next if something is left.
//! 3. A worker that found nothing becomes a sleeper by an RMW, then looks at all queues once more,
//!    and only then parks ([`Sleep::sleep`]).
//!
//! So a push is ordered before the second look, which sees it, or after it, and then its RMW sees the sleeper.
//! A worker that pushes to its own queue may read the word plainly ([`Sleep::hint`]): it is awake and comes for the task
//! itself, so at worst help arrives later.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, Parker};
use std::time::Instant;

const SEARCHING: u64 = 1;
const SLEEPING: u64 = 1 << 32;

fn searching(word: u64) -> u64 {
    word & (SLEEPING - 1)
}

fn sleeping(word: u64) -> u64 {
    word >> 32
}

/// The sleeping side of a pool.
pub(super) struct Sleep {
    /// Sleepers in the high half, searchers in the low half. Every write is an RMW.
    word: AtomicU64,
    /// Who sleeps, the latest last, as its caches are the warmest. Sleepers are counted up and down only under
    /// this lock; it is held for a push or a pop, never while unparking.
    sleepers: Mutex<Vec<usize>>,
    parkers: Box<[Parker]>,
    /// More searchers than this find no more; they only heat the queues.
    searching_max: u64,
}

impl Sleep {
    pub(super) fn new(count: usize, searching_max: usize) -> Self {
        Sleep {
            word: AtomicU64::new(0),
            sleepers: Mutex::new(Vec::with_capacity(count)),
            parkers: (0..count).map(|_| Parker::new()).collect(),
            searching_max: searching_max as u64,
        }
    }

    /// Sees to it that a task which the caller has just made visible will be found.
    pub(super) fn notify(&self) {
        // Rule 1. Adding nothing is a read that takes its place in the order of writes.
        let word = self.word.fetch_add(0, Ordering::AcqRel);
        if sleeping(word) > 0 && searching(word) == 0 {
            self.wake_one();
        }
    }

    /// As [`Sleep::notify`], for a caller who looks on for the effect of the task and can notify later: `true` if it has to,
    /// because nobody searches, yet somebody is awake and likely to come by sooner than a sleeper would get up.
    pub(super) fn notify_later(&self, workers: usize) -> bool {
        let word = self.word.fetch_add(0, Ordering::AcqRel);
        if sleeping(word) == 0 || searching(word) > 0 {
            return false;
        }
        if sleeping(word) < workers as u64 {
            return true;
        }
        self.wake_one();
        false
    }

    /// As [`Sleep::notify`], for a task in the calling worker's own queue: cheaper, and allowed to miss a sleeper.
    #[inline]
    pub(super) fn hint(&self) {
        let word = self.word.load(Ordering::Relaxed);
        if sleeping(word) > 0 && searching(word) == 0 {
            self.wake_one();
        }
    }

    fn wake_one(&self) {
        let index = {
            let mut sleepers = self.sleepers.lock();
            // Another producer may have been faster. Its wakee is a searcher whose next RMW comes after ours.
            if searching(self.word.load(Ordering::Acquire)) > 0 {
                return;
            }
            let Some(index) = sleepers.pop() else {
                return;
            };
            self.word
                .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::AcqRel);
            index
        };
        self.parkers[index].unpark();
    }

    /// Wakes all sleepers, for shutdown.
    pub(super) fn wake_all(&self) {
        loop {
            let index = {
                let mut sleepers = self.sleepers.lock();
                let Some(index) = sleepers.pop() else {
                    return;
                };
                self.word
                    .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::AcqRel);
                index
            };
            self.parkers[index].unpark();
        }
    }

    /// Begins a search, unless enough others search already.
    pub(super) fn search(&self) -> bool {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (searching(word) < self.searching_max).then_some(word + SEARCHING)
            })
            .is_ok()
    }

    /// Ends a search that has found nothing yet, if enough others go on.
    pub(super) fn resign(&self, others: usize) -> bool {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (searching(word) > others as u64).then(|| word - SEARCHING)
            })
            .is_ok()
    }

    /// Ends a search that found a task, or that gives up; `has_work` looks at all queues.
    pub(super) fn found(&self, has_work: impl FnOnce() -> bool) {
        let before = self.word.fetch_sub(SEARCHING, Ordering::AcqRel);
        // Rule 2. With no sleeper there is nobody to wake, whatever is left.
        if sleeping(before) > 0 && has_work() {
            self.notify();
        }
    }

    /// Sleeps until woken, or until `deadline`: then `false`. On return the worker counts as searching.
    ///
    /// `awake` says, after the caller has become a sleeper, that it must not sleep: there is work, or an end.
    pub(super) fn sleep(
        &self,
        index: usize,
        searches: bool,
        deadline: Option<Instant>,
        awake: impl FnOnce() -> bool,
    ) -> bool {
        {
            let mut sleepers = self.sleepers.lock();
            sleepers.push(index);
            let ends = if searches { SEARCHING } else { 0 };
            self.word
                .fetch_add(SLEEPING.wrapping_sub(ends), Ordering::AcqRel);
        }
        // Rule 3.
        if awake() && self.rise(index) {
            return true;
        }
        if self.parkers[index].park_until(deadline) {
            return true;
        }
        if self.rise(index) {
            return false;
        }
        // The deadline passed when a waker had already chosen this worker: its permit is on the way.
        self.parkers[index].park();
        true
    }

    /// Leaves the sleepers by oneself; `false` if a waker was faster.
    fn rise(&self, index: usize) -> bool {
        let mut sleepers = self.sleepers.lock();
        let Some(at) = sleepers.iter().rposition(|&sleeper| sleeper == index) else {
            return false;
        };
        sleepers.remove(at);
        self.word
            .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Ordering::AcqRel);
        true
    }

    /// The parker of a worker, for waits outside this protocol: a worker is in one wait at a time.
    pub(super) fn parker(&self, index: usize) -> &Parker {
        &self.parkers[index]
    }

    /// How many sleep and how many search, as of a moment in the order of all changes.
    pub(super) fn counts(&self) -> (usize, usize) {
        let word = self.word.fetch_add(0, Ordering::AcqRel);
        (sleeping(word) as usize, searching(word) as usize)
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::super::hatch::Hatch;
    use super::super::run_queue::{Owner, RunQueues};
    use super::*;
    use crate::sync::atomic::{AtomicBool, AtomicUsize};
    use crate::sync::model::explore;
    use crate::sync::{Arc, thread};

    /// A pool whose tasks are numbers and whose workers follow the rules of `worker` and `search`, without spinning.
    struct Model {
        queues: RunQueues<usize>,
        hatch: Hatch<usize>,
        sleep: Sleep,
        workers: usize,
        tasks: usize,
        ran: AtomicUsize,
        stopping: AtomicBool,
        /// If set, task 0 holds its worker up until task 1 has run.
        hog: Option<Parker>,
    }

    impl Model {
        fn new(
            workers: usize,
            tasks: usize,
            hog: Option<Parker>,
        ) -> (Arc<Self>, Vec<Owner<usize>>) {
            let (queues, owners) = RunQueues::new(workers);
            let model = Model {
                queues,
                hatch: Hatch::new(),
                sleep: Sleep::new(workers, 2),
                workers,
                tasks,
                ran: AtomicUsize::new(0),
                stopping: AtomicBool::new(false),
                hog,
            };
            (Arc::new(model), owners)
        }

        fn has_work(&self) -> bool {
            self.queues.has_work(self.workers)
        }

        fn stopping(&self) -> bool {
            self.stopping.load(Ordering::Acquire)
        }

        /// As a plain thread does.
        fn inject(&self, task: usize) {
            if let Err(task) = self.hatch.put(task) {
                self.queues.inject(task);
                self.sleep.notify();
            }
        }

        /// The last task of all ends the pool, as a shutdown does.
        fn run(&self, task: usize) {
            match &self.hog {
                Some(hog) if task == 0 => hog.park(),
                Some(hog) => hog.unpark(),
                None => {}
            }
            if self.ran.fetch_add(1, Ordering::AcqRel) + 1 == self.tasks {
                self.stopping.store(true, Ordering::Release);
                self.sleep.counts();
                self.sleep.wake_all();
            }
        }

        fn look(&self, index: usize, owner: &Owner<usize>) -> Option<usize> {
            let opened = self.hatch.open();
            let taken = self.hatch.take();
            let found = taken
                .or_else(|| owner.pop())
                .or_else(|| self.queues.take_injected_batch(owner))
                .or_else(|| self.queues.steal(index, owner, self.workers, 0));
            let brought = if opened { self.hatch.shut() } else { None };
            match (found, brought) {
                (Some(task), Some(brought)) => {
                    owner.push(brought);
                    Some(task)
                }
                (found, brought) => found.or(brought),
            }
        }

        fn work(&self, index: usize, owner: &Owner<usize>) {
            let mut searching = false;
            while !self.stopping() {
                if !searching && let Some(task) = owner.pop() {
                    self.run(task);
                    continue;
                }
                searching = searching || self.sleep.search();
                if searching && let Some(task) = self.look(index, owner) {
                    searching = false;
                    self.sleep.found(|| self.has_work());
                    self.run(task);
                } else if !self.stopping() {
                    let awake = || self.has_work() || self.stopping();
                    self.sleep.sleep(index, searching, None, awake);
                    searching = true;
                }
            }
        }
    }

    fn start(model: &Arc<Model>, owners: Vec<Owner<usize>>) -> Vec<thread::JoinHandle<()>> {
        let workers = owners.into_iter().enumerate();
        workers
            .map(|(index, owner)| {
                let model = model.clone();
                let main = move || model.work(index, &owner);
                thread::spawn(format!("worker-{index}"), None, main).expect("a model has threads")
            })
            .collect()
    }

    fn join(threads: Vec<thread::JoinHandle<()>>) {
        for thread in threads {
            thread.join().expect("no panic");
        }
    }

    /// A lost wake-up leaves everybody asleep, which loom reports as a deadlock.
    #[test]
    fn loom_one_worker_sleeps_through_no_task() {
        explore(|| {
            let (model, owners) = Model::new(1, 2, None);
            let workers = start(&model, owners);
            model.inject(0);
            model.inject(1);
            join(workers);
        });
    }

    #[test]
    fn loom_two_workers_sleep_through_no_task() {
        explore(|| {
            let (model, owners) = Model::new(2, 2, None);
            let workers = start(&model, owners);
            model.inject(0);
            model.inject(1);
            join(workers);
        });
    }

    /// The worker that found the first task may have taken the second one along; it has to wake the other worker, as
    /// nobody else will.
    #[test]
    fn loom_task_behind_a_long_turn_is_found() {
        explore(|| {
            let (model, owners) = Model::new(2, 2, Some(Parker::new()));
            let workers = start(&model, owners);
            model.inject(0);
            model.inject(1);
            join(workers);
        });
    }

    #[test]
    fn loom_two_producers_wake_one_worker() {
        explore(|| {
            let (model, owners) = Model::new(1, 2, None);
            let workers = start(&model, owners);
            let other = model.clone();
            let producer = thread::spawn("producer".into(), None, move || other.inject(0));
            model.inject(1);
            join(workers);
            join(vec![producer.expect("a model has threads")]);
        });
    }

    /// Of two who search and would both leave it to the other, one goes on.
    #[test]
    fn loom_one_of_two_goes_on_searching() {
        explore(|| {
            let sleep = Arc::new(Sleep::new(2, 2));
            assert!(sleep.search() && sleep.search());
            let other = sleep.clone();
            let resign = move || other.resign(1);
            let other = thread::spawn("other".into(), None, resign).expect("a model has threads");
            let this = sleep.resign(1);
            assert_ne!(this, other.join().expect("no panic"));
            assert_eq!(sleep.counts(), (0, 1));
        });
    }

    /// A sleeper that gets up by itself, at the end of its patience or because it saw work, and a waker who has chosen it
    /// at the same moment: the permit is used up, and nobody is counted twice.
    #[test]
    fn loom_permits_and_counts_add_up() {
        explore(|| {
            let sleep = Arc::new(Sleep::new(1, 2));
            let woken = sleep.clone();
            let sleeper = thread::spawn("sleeper".into(), None, move || {
                woken.sleep(0, false, None, || true);
                assert!(!woken.parker(0).try_take(), "a permit is left over");
            });
            sleep.notify();
            sleeper
                .expect("a model has threads")
                .join()
                .expect("no panic");
            assert_eq!(sleep.counts(), (0, 1));
        });
    }
}
