//! One worker: takes a task, gives it a turn, and looks for the next.

use super::patience::Patience;
use super::pool::{Pool, Slot};
use super::run_queue::Owner;
use super::task::{Task, give_turn};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr::addr_eq;
use std::rc::Rc;
use std::time::Instant;

/// Every so many turns the injector comes first, or a busy worker would never see what plain threads send.
/// 61 is prime, so that it falls in step with no pattern of the program, and small, so that nobody waits for long.
const INJECTOR_EVERY: u32 = 61;

/// Turns in a row from the LIFO slot: two processes that keep each other busy let the queue go on after this.
const LIFO_MAX: u32 = 16;

/// Tasks run in place on top of one another: each takes a part of the stack.
const IN_PLACE_MAX: u32 = 8;

thread_local! {
    /// Set and taken back by [`run`], so nothing is left in it, and a look at it is a look at memory.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<Worker>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A worker, on its own thread.
pub(super) struct Worker {
    pub(super) pool: Arc<Pool>,
    pub(super) index: usize,
    pub(super) queue: Owner<Task>,
    /// Counts turns, for the injector.
    tick: Cell<u32>,
    /// Turns in a row from the LIFO slot.
    streak: Cell<u32>,
    /// Tasks running in place at this moment.
    in_place: Cell<u32>,
    /// Equals `true` within a blocking call.
    blocked: Cell<bool>,
    /// Where the next theft begins; any odd number will do.
    pub(super) seed: Cell<u64>,
    pub(super) patience: Patience,
}

/// Why a worker left its loop.
#[derive(PartialEq, Eq)]
pub(super) enum Exit {
    Stopping,
    Surplus,
}

/// The worker that the calling thread is, for whichever pool.
pub(super) fn here() -> Option<Rc<Worker>> {
    CURRENT.with_borrow(|current| current.as_ref().cloned())
}

/// The worker that the calling thread is, if it works for this pool.
pub(super) fn current(pool: &Arc<Pool>) -> Option<Rc<Worker>> {
    with_current(pool, Rc::clone)
}

/// As [`current`], without a new handle.
#[inline]
fn with_current<R>(pool: &Arc<Pool>, f: impl FnOnce(&Rc<Worker>) -> R) -> Option<R> {
    CURRENT.with_borrow(|current| {
        let worker = current.as_ref()?;
        Arc::ptr_eq(&worker.pool, pool).then(|| f(worker))
    })
}

/// Runs a worker on the calling thread until it has to leave; gives its queue back.
pub(super) fn run(pool: &Arc<Pool>, index: usize, queue: Owner<Task>) -> (Exit, Owner<Task>) {
    let worker = Rc::new(Worker {
        pool: pool.clone(),
        index,
        queue,
        tick: Cell::new(0),
        streak: Cell::new(0),
        in_place: Cell::new(0),
        blocked: Cell::new(false),
        seed: Cell::new(2 * index as u64 + 1),
        patience: Patience::new(),
    });
    CURRENT.set(ManuallyDrop::new(Some(worker.clone())));
    let exit = worker.run();
    drop(ManuallyDrop::into_inner(CURRENT.take()));
    let worker = Rc::into_inner(worker).expect("nobody keeps a worker beyond its turns");
    (exit, worker.queue)
}

/// The body of a spare worker's thread: in service, standing by, in service again, until nobody needs it for long.
pub(super) fn run_spare(pool: &Arc<Pool>, index: usize, mut queue: Owner<Task>) {
    loop {
        let exit;
        (exit, queue) = run(pool, index, queue);
        if exit == Exit::Stopping || pool.stopping() {
            return;
        }
        let parker = pool.sleep.parker(index);
        if !parker.park_until(Some(Instant::now() + pool.spare_keep)) {
            match pool.blocking.retire(index, queue) {
                Ok(()) => return,
                Err(kept) => queue = kept,
            }
            // Called back at the last moment: the permit is on its way.
            parker.park();
        }
    }
}

/// Puts a task where the calling thread's tasks go.
#[inline]
pub(super) fn schedule(pool: &Arc<Pool>, task: Task) {
    if let Some(task) = schedule_here(pool, task)
        && let Err(task) = pool.hatch.put(task)
    {
        pool.queues.inject(task);
        pool.sleep.notify();
        if pool.stopping() {
            pool.drop_queued();
        }
    }
}

/// As [`schedule`], for a caller who looks on for what the task does: `true` if it has to notify the pool when it has
/// looked for a while.
pub(super) fn schedule_watched(pool: &Arc<Pool>, task: Task) -> bool {
    let Some(task) = schedule_here(pool, task) else {
        return false;
    };
    let Err(task) = pool.hatch.put(task) else {
        return false;
    };
    pool.queues.inject(task);
    let later = pool.sleep.notify_later(pool.workers);
    if pool.stopping() {
        pool.drop_queued();
    }
    later
}

/// Puts a task into the queue of the worker that the calling thread is; back it comes if it is none.
#[inline]
fn schedule_here(pool: &Arc<Pool>, task: Task) -> Option<Task> {
    let mut task = Some(task);
    with_current(pool, |worker| {
        // A blocked worker comes back to its own queue nobody knows when.
        if !worker.blocked.get() {
            worker.push_next(task.take().expect("taken once"));
        }
    });
    if let Some(baton) = &pool.baton
        && let Some(task) = task.take()
    {
        baton.schedule(task);
    }
    task
}

impl Worker {
    fn run(&self) -> Exit {
        let mut searching = false;
        let mut rested = false;
        loop {
            if self.pool.stopping() {
                return Exit::Stopping;
            }
            // A spare that was woken is to run what it was woken for, even if it is one too many by now.
            if (rested || !searching) && self.is_surplus() {
                if searching {
                    self.end_search();
                }
                return Exit::Surplus;
            }
            let task = if searching { None } else { self.next() };
            if let Some(task) = task.or_else(|| self.search(&mut searching)) {
                self.turn(task);
            } else if !self.pool.stopping() {
                rested = !self.sleep(searching);
                searching = true;
            }
        }
    }

    fn is_surplus(&self) -> bool {
        let pool = &self.pool;
        if self.index < pool.workers || !pool.blocking.has_surplus() {
            return false;
        }
        let leaves = pool.blocking.stand_down(self.index);
        if leaves {
            self.leave_all();
        }
        leaves
    }

    /// Gives what waits here to everybody.
    fn leave_all(&self) {
        if self.pool.queues.evacuate(self.index) > 0 {
            self.pool.sleep.notify();
        }
    }

    /// The next task without looking at the other workers.
    #[inline]
    fn next(&self) -> Option<Task> {
        let queues = &self.pool.queues;
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        if tick.is_multiple_of(INJECTOR_EVERY)
            && let Some(task) = queues.take_injected().or_else(|| self.pool.hatch.take())
        {
            return Some(task);
        }
        if let Some(task) = self.queue.pop_lifo() {
            let streak = self.streak.get() + 1;
            if streak <= LIFO_MAX {
                self.streak.set(streak);
                return Some(task);
            }
            self.queue.push(task);
        }
        self.streak.set(0);
        self.queue
            .pop()
            .or_else(|| queues.take_injected_batch(&self.queue))
    }

    #[inline]
    fn turn(&self, task: Task) {
        let slot = &self.pool.slots[self.index];
        slot.begin_turn();
        let again = give_turn(task);
        slot.end_turn();
        if let Some(task) = again {
            self.push_last(task);
        }
    }

    /// To the LIFO slot: runs next.
    #[inline]
    fn push_next(&self, task: Task) {
        // If the slot was empty nobody is woken: this worker itself runs the task next, and the watchdog sees to
        // it if that takes long.
        if self.queue.push_lifo(task) {
            self.pool.sleep.hint();
        }
    }

    /// To the end of the queue: runs after all that waits here.
    fn push_last(&self, task: Task) {
        self.queue.push(task);
        self.pool.sleep.hint();
    }

    /// Runs `task` now if it is the one in the LIFO slot.
    pub(super) fn run_in_place(&self, task: &Task) -> bool {
        if self.blocked.get() || self.in_place.get() >= IN_PLACE_MAX {
            return false;
        }
        let wanted = |found: &Task| addr_eq(Arc::as_ptr(found), Arc::as_ptr(task));
        let Some(task) = self.queue.pop_lifo_if(wanted) else {
            return false;
        };
        self.in_place.set(self.in_place.get() + 1);
        self.pool.slots[self.index].count_turn_in_place();
        let again = give_turn(task);
        self.in_place.set(self.in_place.get() - 1);
        if let Some(task) = again {
            self.push_last(task);
        }
        true
    }

    /// Leaves this worker's tasks to others for as long as `f` runs; the caller has brought in a spare.
    pub(super) fn blocked<T>(&self, f: impl FnOnce() -> T) -> T {
        struct Blocked<'a>(&'a Worker);
        impl Drop for Blocked<'_> {
            fn drop(&mut self) {
                self.0.slot().blocked.store(false, Ordering::Relaxed);
                self.0.blocked.set(false);
                self.0.pool.blocking.leave();
            }
        }
        self.blocked.set(true);
        self.slot().blocked.store(true, Ordering::Relaxed);
        let _blocked = Blocked(self);
        self.leave_all();
        f()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    pub(super) fn slot(&self) -> &Slot {
        &self.pool.slots[self.index]
    }
}
