//! The watchdog: one thread that looks at the workers a hundred times a second and helps where one is held up.
//!
//! Workers read no clock. They count turns, and the watchdog compares the counts: a worker whose count stood still
//! within a turn is held up by user code. What waits behind that turn is given to the others, and a turn that exceeds
//! [`TURN_MAX`] is reported. While nothing runs, the watchdog sleeps, and an idle program uses no processor time.

use super::pool::Pool;
use crate::sync::atomic::Ordering;
use crate::telemetry::Event;
use std::time::{Duration, Instant};

/// A turn longer than this is reported: a hundred times what a turn of 256 quick messages needs.
pub(super) const TURN_MAX: Duration = Duration::from_millis(100);

/// Time between two looks: the longest that a task waits behind a long turn while another worker has time.
const LOOK: Duration = Duration::from_millis(10);

/// Looks without any turn before the watchdog goes to sleep. A second of looking costs less than a wake-up for each of the
/// short pauses that a program makes while it is in use.
const QUIET_MAX: u32 = 100;

/// Emitted once for a turn that exceeds the limit, while it is still running.
#[derive(Clone, Copy, Debug)]
pub struct LongTurn {
    /// Which worker is held up: its number, or `workers` + the number of the spare worker.
    pub worker: usize,
    /// How long the turn has lasted so far.
    pub elapsed: Duration,
}

impl Event for LongTurn {}

/// What the watchdog remembers of one worker.
#[derive(Clone, Copy)]
struct Seen {
    turns: u64,
    since: Instant,
    reported: bool,
}

/// The body of the watchdog thread. It reads the system's clock even if the pool's timers run on a manual one: a
/// processor is held up in real time.
pub(super) fn run(pool: &Pool) {
    let start = Instant::now();
    let unseen = Seen {
        turns: 0,
        since: start,
        reported: false,
    };
    let mut seen = vec![unseen; pool.slots.len()];
    let mut quiet = 0;
    while !pool.stopping() {
        if quiet < QUIET_MAX {
            pool.bell.wait(Instant::now() + LOOK);
        } else {
            pool.bell.sleep(|| all_down(pool));
            quiet = 0;
        }
        let moved = look(pool, &mut seen, Instant::now());
        quiet = if moved { 0 } else { quiet + 1 };
    }
}

/// Whether every worker sleeps or waits in a blocking call, and will ring when it gets up.
fn all_down(pool: &Pool) -> bool {
    let (sleeping, _) = pool.sleep.counts();
    let (blocked, in_service) = pool.blocking.counts();
    sleeping + blocked >= pool.workers + in_service && !pool.stopping()
}

/// Looks at every worker once; whether anything ran since the last look.
fn look(pool: &Pool, seen: &mut [Seen], now: Instant) -> bool {
    let mut moved = false;
    for (index, seen) in seen.iter_mut().enumerate().take(pool.used()) {
        let slot = &pool.slots[index];
        let turns = slot.turns.load(Ordering::Relaxed);
        if turns != seen.turns {
            moved = true;
            *seen = Seen {
                turns,
                since: now,
                reported: false,
            };
            continue;
        }
        if !slot.is_held_up(turns) {
            continue;
        }
        moved = true;
        if pool.queues.waits_at(index) && pool.queues.evacuate(index) > 0 {
            pool.sleep.notify();
        }
        let elapsed = now.duration_since(seen.since);
        if elapsed >= TURN_MAX && !seen.reported {
            seen.reported = true;
            log::warn!("a turn on worker {index} has been running for {elapsed:?}");
            pool.telemetry.emit(|| LongTurn {
                worker: index,
                elapsed,
            });
        }
    }
    // A worker may miss a sleeper when it adds to its own queue; this look makes up for it.
    if pool.queues.has_work(pool.used()) {
        pool.sleep.notify();
    }
    moved
}
