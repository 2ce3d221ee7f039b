//! What the threads of a pool share.

use super::bell::Bell;
use super::blocking::Blocking;
use super::crew::Crew;
use super::deterministic::Baton;
use super::hatch::Hatch;
use super::panics::drop_caught;
use super::run_queue::RunQueues;
use super::sleep::Sleep;
use super::task::Task;
use super::timer::Timers;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::telemetry::Telemetry;
use std::time::Duration;

/// What the threads of a pool share.
pub(super) struct Pool {
    pub(super) queues: RunQueues<Task>,
    pub(super) hatch: Hatch<Task>,
    pub(super) sleep: Sleep,
    pub(super) slots: Box<[Slot]>,
    /// How many of the slots were ever in use; thieves look no further.
    pub(super) used: AtomicUsize,
    pub(super) workers: usize,
    /// How long a spare without work keeps its thread.
    pub(super) spare_keep: Duration,
    pub(super) blocking: Blocking,
    pub(super) timers: Arc<Timers>,
    pub(super) bell: Bell,
    pub(super) telemetry: Telemetry,
    pub(super) crew: Arc<Crew>,
    pub(super) stopping: AtomicBool,
    /// In a deterministic pool what takes the place of workers, timer thread and watchdog.
    pub(super) baton: Option<Arc<Baton>>,
}

/// What one worker tells the others. Written by its owner only; on lines of its own.
#[repr(align(128))]
#[derive(Default)]
pub(super) struct Slot {
    /// Odd within a turn; grows by two with each.
    pub(super) turns: AtomicU64,
    pub(super) steals: AtomicU64,
    pub(super) parks: AtomicU64,
    /// Equals `true` while the worker waits in a blocking call and a spare stands in for it.
    pub(super) blocked: AtomicBool,
}

impl Slot {
    /// The owner is the only writer, so no RMW is needed.
    fn add(counter: &AtomicU64, count: u64) {
        counter.store(
            counter.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    pub(super) fn begin_turn(&self) {
        Self::add(&self.turns, 1);
    }

    pub(super) fn end_turn(&self) {
        Self::add(&self.turns, 1);
    }

    pub(super) fn count_turn_in_place(&self) {
        Self::add(&self.turns, 2);
    }

    pub(super) fn count_steal(&self) {
        Self::add(&self.steals, 1);
    }

    pub(super) fn count_park(&self) {
        Self::add(&self.parks, 1);
    }

    /// Whether a worker whose count has stood still at `turns` is within user code that does not wait.
    pub(super) fn is_held_up(&self, turns: u64) -> bool {
        turns % 2 == 1 && !self.blocked.load(Ordering::Relaxed)
    }
}

impl Pool {
    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// How many workers are in a turn, be it that they wait in a call there.
    pub(super) fn in_turns(&self) -> usize {
        let slots = self.slots[..self.used()].iter();
        let is_in_turn = |slot: &&Slot| slot.turns.load(Ordering::Relaxed) % 2 == 1;
        slots.filter(is_in_turn).count()
    }

    /// Drops what will never run, outside all locks.
    pub(super) fn drop_queued(&self) {
        for task in self.queues.drain() {
            drop_caught(task);
        }
    }
}
