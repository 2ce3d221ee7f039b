//! The process table: from a pid to its process. Sharded, so that spawning threads rarely meet.

use crate::pid::Pid;
use crate::process::core::Process;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, RankedMutex, rank};

/// How many shards there are; a power of two, so that a slot's shard is its low bits.
const SHARDS: u32 = 16;

/// How many processes a runtime holds at most: 2^27, as many as an Erlang node can be told to.
const PROCESSES_MAX: u32 = 1 << 27;

/// All live processes of a runtime.
pub(crate) struct Table {
    shards: Vec<Shard>,
    /// Spreads insertions over the shards.
    turn: AtomicUsize,
    /// Processes that were started and have not ended; one that has ended keeps its slot a little longer, until
    /// everybody has been told.
    alive: AtomicUsize,
}

#[derive(Default)]
#[repr(align(128))]
struct Shard {
    slots: RankedMutex<Slots, { rank::TABLE }>,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    /// The serial of the process in it, or of the next one.
    serial: u32,
    process: Option<Arc<dyn Process>>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Table {
            shards,
            turn: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
        }
    }

    /// Reserves a pid; it leads nowhere until [`insert`](Table::insert). `None` if the table is full.
    pub(crate) fn reserve(&self) -> Option<Pid> {
        let start = self.turn.fetch_add(1, Ordering::Relaxed) as u32;
        (0..SHARDS).find_map(|step| self.reserve_in(start.wrapping_add(step) % SHARDS))
    }

    fn reserve_in(&self, shard: u32) -> Option<Pid> {
        let mut slots = self.shards[shard as usize].slots.lock();
        let index = match slots.free.pop() {
            Some(index) => index,
            None if slots.slots.len() as u32 >= PROCESSES_MAX / SHARDS => return None,
            None => {
                slots.slots.push(Slot {
                    serial: 1,
                    process: None,
                });
                slots.slots.len() as u32 - 1
            }
        };
        let serial = slots.slots[index as usize].serial;
        drop(slots);
        Some(Pid::from_parts(0, index * SHARDS + shard, serial))
    }

    pub(crate) fn insert(&self, process: Arc<dyn Process>) {
        let pid = process.core().pid;
        let mut slots = self.slots(pid).lock();
        let slot = &mut slots.slots[(pid.id() / SHARDS) as usize];
        assert_eq!(
            slot.serial,
            pid.serial(),
            "a reserved slot keeps its serial"
        );
        // Before anybody can find it, and end it.
        self.alive.fetch_add(1, Ordering::AcqRel);
        slot.process = Some(process);
    }

    pub(crate) fn get(&self, pid: Pid) -> Option<Arc<dyn Process>> {
        if pid.node() != 0 {
            return None;
        }
        let slots = self.slots(pid).lock();
        let slot = slots.slots.get((pid.id() / SHARDS) as usize)?;
        if slot.serial == pid.serial() {
            slot.process.clone()
        } else {
            None
        }
    }

    /// Frees the slot of a pid; the process that was in it, to be dropped by the caller. A slot whose
    /// serials are used up is retired, so that no pid ever comes twice.
    pub(crate) fn remove(&self, pid: Pid) -> Option<Arc<dyn Process>> {
        let index = pid.id() / SHARDS;
        let mut slots = self.slots(pid).lock();
        let slot = &mut slots.slots[index as usize];
        if slot.serial != pid.serial() {
            return None;
        }
        let process = slot.process.take();
        if let Some(next) = slot.serial.checked_add(1) {
            slot.serial = next;
            slots.free.push(index);
        }
        process
    }

    /// Counts a process as ended, before anybody is told.
    pub(crate) fn ended(&self) {
        self.alive.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many processes are alive.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Acquire)
    }

    /// Every process that is in the table at some moment of the call.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Process>> {
        let mut all = Vec::with_capacity(self.alive());
        for shard in &self.shards {
            all.extend(
                shard
                    .slots
                    .lock()
                    .slots
                    .iter()
                    .filter_map(|slot| slot.process.clone()),
            );
        }
        all
    }

    fn slots(&self, pid: Pid) -> &RankedMutex<Slots, { rank::TABLE }> {
        &self.shards[(pid.id() % SHARDS) as usize].slots
    }
}
