//! A worker that has run out of work: looks everywhere for a while, then sleeps.

use super::task::Task;
use super::worker::Worker;
use crate::sync::thread;
use std::hint::spin_loop;
use std::time::Instant;

/// Pauses between two looks double up to this, so that what comes at once is seen at once: a pause takes 10 to 50 ns.
const PAUSES_MAX: u32 = 4;

/// Every so many looks the time is looked at as well.
const LOOKS_BY_CLOCK: u32 = 16;

/// After so many looks all but half of the workers leave the search to the others: whoever was woken a moment ago may need
/// 50 µs to arrive, so it is to be met by somebody who looks, but where few processors are two who look take one from
/// whoever would have something to be found.
const LOOKS_OF_MANY: u32 = 8;

/// Every so many looks the processor is offered to whoever else is ready to run on it.
const YIELD_EVERY: u32 = 32;

impl Worker {
    /// Looks everywhere for a while. `searching` says, before and after, whether this worker counts as a searcher.
    pub(super) fn search(&self, searching: &mut bool) -> Option<Task> {
        let pool = &self.pool;
        if !*searching && !pool.sleep.search() {
            return None;
        }
        *searching = true;
        let opened = pool.hatch.open();
        let mut task = self.look_on(searching);
        if opened && let Some(brought) = pool.hatch.shut() {
            match &task {
                None => task = Some(brought),
                Some(_) => self.queue.push(brought),
            }
        }
        if task.is_some() && std::mem::take(searching) {
            self.end_search();
        }
        task
    }

    /// Looks until there is something, its patience is over, or enough others look.
    fn look_on(&self, searching: &mut bool) -> Option<Task> {
        let pool = &self.pool;
        let mut until = None;
        for look in 0.. {
            if let Some(task) = self.look() {
                if look > 0 {
                    self.patience.pays();
                }
                return Some(task);
            }
            if pool.stopping() {
                return None;
            }
            if look == LOOKS_OF_MANY && pool.sleep.resign(pool.workers.div_ceil(2)) {
                *searching = false;
                return None;
            }
            if look % LOOKS_BY_CLOCK == LOOKS_BY_CLOCK - 1 {
                let now = Instant::now();
                if now >= *until.get_or_insert_with(|| now + self.patience.next()) {
                    self.patience.is_in_vain();
                    return None;
                }
            }
            if look % YIELD_EVERY == YIELD_EVERY - 1 {
                thread::yield_now();
            }
            for _ in 0..(1u32 << look.min(31)).min(PAUSES_MAX) {
                if pool.hatch.is_full() {
                    break;
                }
                spin_loop();
            }
        }
        None
    }

    pub(super) fn end_search(&self) {
        let pool = &self.pool;
        pool.sleep.found(|| pool.queues.has_work(pool.used()));
    }

    fn look(&self) -> Option<Task> {
        let pool = &self.pool;
        let used = pool.used();
        // xorshift64: which victim comes first is to be different each time, no more.
        let mut seed = self.seed.get();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        self.seed.set(seed);
        let found = pool
            .hatch
            .take()
            .or_else(|| self.queue.pop())
            .or_else(|| pool.queues.take_injected_batch(&self.queue));
        found.or_else(|| {
            let start = (seed % used as u64) as usize;
            let stolen = pool.queues.steal(self.index, &self.queue, used, start);
            if stolen.is_some() {
                pool.slots[self.index].count_steal();
            }
            stolen
        })
    }

    /// Sleeps; `false` if nobody had anything to do for this worker during all of a spare's patience.
    pub(super) fn sleep(&self, searching: bool) -> bool {
        let pool = &self.pool;
        self.slot().count_park();
        let deadline = (self.index >= pool.workers).then(|| Instant::now() + pool.spare_keep);
        let needed = pool.sleep.sleep(self.index, searching, deadline, || {
            pool.queues.has_work(pool.used()) || pool.stopping()
        });
        pool.bell.up();
        needed
    }
}
