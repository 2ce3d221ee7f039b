//! The pool as its callers hold it: start, schedule, block, shut down.

use super::bell::Bell;
use super::blocking::{Blocking, PoolExhausted, Spare};
use super::crew::Crew;
use super::deterministic::{Baton, Deterministic, Place};
use super::hatch::Hatch;
use super::panics::drop_caught;
use super::pool::{Pool, Slot};
use super::run_queue::{Owner, RunQueues};
use super::sleep::Sleep;
use super::task::Task;
use super::timer::Timers;
use super::{watchdog, worker};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Parker, thread};
use crate::telemetry::Telemetry;
use crate::time::{Clock, ManualClock};
use std::time::{Duration, Instant};

/// How a pool is made.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Threads that run tasks at the same time; at least one.
    pub(crate) workers: usize,
    /// Spare workers, which is also how many workers may wait in [`Scheduler::block`] at the same time.
    pub(crate) spare_max: usize,
    /// How long a spare without work keeps its thread, in real time whatever the clock.
    pub(crate) spare_keep: Duration,
    /// What timers go by.
    pub(crate) clock: Clock,
    /// Where [`LongTurn`](super::LongTurn) is emitted.
    pub(crate) telemetry: Telemetry,
    /// Stack of each thread, in bytes; the system's default if `None`.
    pub(crate) stack_size: Option<usize>,
    /// The seed of a deterministic pool, and the hand of its clock.
    pub(crate) deterministic: Option<(u64, ManualClock)>,
}

/// For threads that run no user code: those that have only just started, and those that have only to end.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Each spare is a thread, 32 KiB of memory while it waits; more than this many blocked at once is a design
/// that wants thread processes.
const SPARE_MAX: usize = 64;

/// Long enough for a burst every few seconds, short enough that a peak is forgotten before anyone wonders about
/// the memory.
const SPARE_KEEP: Duration = Duration::from_secs(10);

impl Default for Config {
    fn default() -> Self {
        Config {
            workers: thread::available_parallelism().map_or(1, |count| count.get()),
            spare_max: SPARE_MAX,
            spare_keep: SPARE_KEEP,
            clock: Clock::system(),
            telemetry: Telemetry::new(),
            stack_size: None,
            deterministic: None,
        }
    }
}

/// How many workers look for work at the same time: half of them, as more would only heat the queues. Two at least, as one of
/// them may have been woken a moment ago and need 50 µs to arrive, while the other one is there.
fn searching_max(workers: usize) -> usize {
    workers.div_ceil(2).max(2)
}

/// A running pool. A clone is the same pool. It runs until [`Scheduler::shutdown`].
#[derive(Clone)]
pub(crate) struct Scheduler(Arc<Pool>);

/// What a pool is doing, for an observer. Parts are read one after the other, so sums may be off by what moved meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Workers that the pool was started with.
    pub workers: usize,
    /// Spare workers in service.
    pub spares: usize,
    /// Threads of all kinds: workers, spares in service or standing by, the timers' one, the watchdog's.
    pub threads: usize,
    /// Workers that wait in a blocking call.
    pub blocked: usize,
    /// Workers that sleep for want of work.
    pub sleeping: usize,
    /// Workers that look for work.
    pub searching: usize,
    /// Tasks that wait for their turn.
    pub queued: usize,
    /// Timers that have not fired.
    pub timers: usize,
    /// Turns given so far.
    pub turns: u64,
    /// Thefts that found something, so far.
    pub steals: u64,
    /// Times that a worker went to sleep, so far.
    pub parks: u64,
}

impl Scheduler {
    /// Starts the workers, the timer thread and the watchdog; fails with the system's error if it has no threads left.
    pub(crate) fn start(config: Config) -> std::io::Result<Scheduler> {
        let timers = Arc::new(Timers::new(config.clock));
        let crew = Crew::new(config.stack_size);
        let baton = config
            .deterministic
            .map(|(seed, hand)| Arc::new(Baton::new(seed, hand, config.spare_max, &timers, &crew)));
        let (workers, places) = match baton {
            Some(_) => (0, 0),
            None => (
                config.workers.max(1),
                config.workers.max(1) + config.spare_max,
            ),
        };
        let (queues, mut owners) = RunQueues::new(places);
        let spares = (workers..places).zip(owners.split_off(workers)).collect();
        let pool = Arc::new(Pool {
            queues,
            hatch: Hatch::new(),
            sleep: Sleep::new(places, searching_max(workers)),
            slots: (0..places).map(|_| Slot::default()).collect(),
            used: AtomicUsize::new(workers),
            workers,
            spare_keep: config.spare_keep,
            blocking: Blocking::new(spares),
            timers,
            bell: Bell::new(),
            telemetry: config.telemetry,
            crew,
            stopping: AtomicBool::new(false),
            baton,
        });
        let scheduler = Scheduler(pool);
        let started = scheduler.start_threads(owners);
        if let Err(error) = started {
            scheduler.stop();
            // None of them has user code to wait for.
            scheduler.0.crew.join_all(Instant::now() + STOP_MAX);
            return Err(error);
        }
        Ok(scheduler)
    }

    fn start_threads(&self, owners: Vec<Owner<Task>>) -> std::io::Result<()> {
        // A model has its own threads, and none beside them.
        if cfg!(loom) {
            return Ok(());
        }
        if let Some(baton) = &self.0.baton {
            return baton.start_worker();
        }
        for (index, owner) in owners.into_iter().enumerate() {
            let pool = self.0.clone();
            self.0.crew.start(format!("sched-{index}"), move || {
                worker::run(&pool, index, owner);
            })?;
        }
        let pool = self.0.clone();
        self.0
            .crew
            .start("timer".to_owned(), move || pool.timers.run())?;
        let pool = self.0.clone();
        self.0
            .crew
            .start("watchdog".to_owned(), move || watchdog::run(&pool))
    }

    /// Gives a task a turn soon. From a worker of this pool it runs next on that worker, unless it is stolen;
    /// from any other thread it queues for all workers. After shutdown the task is dropped.
    #[inline]
    pub(crate) fn schedule(&self, task: Task) {
        if self.0.stopping() {
            drop_caught(task);
            return;
        }
        worker::schedule(&self.0, task);
    }

    /// As [`schedule`](Scheduler::schedule), for a caller who looks on for what the task does: `true` if it has to
    /// [`notify`](Scheduler::notify) when it has looked for a while, and at the latest before it waits.
    #[inline]
    pub(crate) fn schedule_watched(&self, task: Task) -> bool {
        if self.0.stopping() {
            drop_caught(task);
            return false;
        }
        worker::schedule_watched(&self.0, task)
    }

    /// Sees to it that what was scheduled is found.
    pub(crate) fn notify(&self) {
        self.0.sleep.notify();
    }

    /// Runs one turn of `task` on the caller's stack, if the caller is a worker and `task` is what it would run next.
    ///
    /// `true` if it ran. At most eight tasks run on top of one another.
    pub(crate) fn run_in_place(&self, task: &Task) -> bool {
        worker::current(&self.0).is_some_and(|worker| worker.run_in_place(task))
    }

    /// Runs `f`, which waits for something. On a worker, of this pool or another one, a spare worker stands in meanwhile; if
    /// all spare workers of its pool do already, `f` does not run. On any other thread, and within another
    /// blocking call, `f` just runs.
    pub(crate) fn block<T>(&self, f: impl FnOnce() -> T) -> Result<T, PoolExhausted> {
        let Some(worker) = worker::here().filter(|worker| !worker.is_blocked()) else {
            return Baton::block(f);
        };
        Scheduler(worker.pool.clone()).bring_in_spare()?;
        Ok(worker.blocked(f))
    }

    fn bring_in_spare(&self) -> Result<(), PoolExhausted> {
        let pool = &self.0;
        match pool.blocking.enter()? {
            Spare::None => Ok(()),
            Spare::Standing(index) => {
                pool.sleep.parker(index).unpark();
                Ok(())
            }
            Spare::Vacant(index, owner) => self.start_spare(index, owner),
        }
    }

    fn start_spare(&self, index: usize, owner: Owner<Task>) -> Result<(), PoolExhausted> {
        let pool = self.0.clone();
        let name = format!("sched-spare-{}", index - pool.workers);
        pool.used.fetch_max(index + 1, Ordering::AcqRel);
        // The queue stays here until the thread runs, as a thread that does not start would take it along.
        let place = Arc::new(Mutex::new(Some(owner)));
        let taken = place.clone();
        let started = pool.crew.clone().start(name, move || {
            let owner = taken.lock().take();
            worker::run_spare(&pool, index, owner.expect("left by the starter"));
        });
        started.map_err(|error| {
            log::warn!("no thread for a spare worker: {error}");
            let owner = place.lock().take();
            self.0
                .blocking
                .give_back(index, owner.expect("no thread took it"));
            PoolExhausted
        })
    }

    /// The timers of this pool.
    pub(crate) fn timers(&self) -> &Timers {
        &self.0.timers
    }

    /// The hand on a deterministic pool.
    pub(crate) fn deterministic(&self) -> Option<Deterministic> {
        self.0.baton.as_ref().map(Deterministic::over)
    }

    /// In a deterministic pool, a thread from outside will do things here.
    pub(crate) fn comes_in(&self) {
        if let Some(baton) = &self.0.baton {
            baton.comes_in();
        }
    }

    /// In a deterministic pool, the place of a thread that is about to start: no two of them run at a time.
    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        let baton = self.0.baton.as_ref();
        baton.map(|baton| baton.place(name))
    }

    /// In a deterministic pool, waits for the permit of a parker while others run; in any other `false`, at once.
    pub(crate) fn park(&self, parker: &Parker) -> bool {
        let baton = self.0.baton.as_ref();
        baton.map(|baton| baton.park(parker)).is_some()
    }

    /// [`Parker::park_outside`]; in a deterministic pool others run meanwhile.
    pub(crate) fn park_outside(
        &self,
        parker: &Parker,
        alarm: impl FnOnce() + Send + 'static,
        wait: impl FnOnce(),
    ) {
        match &self.0.baton {
            Some(baton) => baton.park_outside(parker, alarm, wait),
            None => parker.park_outside(alarm, wait),
        }
    }

    /// A place where in a deterministic pool another may go first.
    pub(crate) fn put_aside(&self) {
        if let Some(baton) = &self.0.baton {
            baton.put_aside();
        }
    }

    /// How many messages a turn handles in a deterministic pool.
    pub(crate) fn budget(&self) -> Option<usize> {
        self.0.baton.as_ref().map(|baton| baton.budget())
    }

    /// In a deterministic pool, a number for what else is left to chance.
    pub(crate) fn roll(&self) -> Option<u64> {
        self.0.baton.as_ref().map(|baton| baton.roll())
    }

    /// What the pool is doing.
    pub(crate) fn stats(&self) -> Stats {
        let pool = &self.0;
        if let Some(baton) = &pool.baton {
            let account = baton.account();
            return Stats {
                workers: 1,
                spares: account.workers.saturating_sub(account.idle + 1),
                threads: pool.crew.len(),
                blocked: account.blocked,
                sleeping: account.idle,
                queued: account.queued,
                timers: pool.timers.len(),
                turns: account.turns,
                ..Stats::default()
            };
        }
        let used = pool.used();
        let slots = &pool.slots[..used];
        let sum = |counter: fn(&Slot) -> &AtomicU64| {
            slots
                .iter()
                .map(|slot| counter(slot).load(Ordering::Relaxed))
                .sum::<u64>()
        };
        let (sleeping, searching) = pool.sleep.counts();
        let (blocked, spares) = pool.blocking.counts();
        Stats {
            workers: pool.workers,
            spares,
            threads: pool.crew.len(),
            blocked,
            sleeping,
            searching,
            queued: pool.queues.len(used) + usize::from(pool.hatch.is_full()),
            timers: pool.timers.len(),
            turns: sum(|slot| &slot.turns) / 2,
            steals: sum(|slot| &slot.steals),
            parks: sum(|slot| &slot.parks),
        }
    }

    /// Stops: no task gets a turn any more, no timer fires, and what waits is dropped. Joins all threads that end before
    /// `deadline` and returns how many are left, stuck in user code. A second call joins those that ended since. A thread
    /// that is in no turn needs but a processor to end, and is waited for a little longer.
    ///
    /// On a thread of this scheduler it does not wait for that thread, and counts it as left.
    pub(crate) fn shutdown(&self, deadline: Instant) -> usize {
        let stuck = self.0.baton.as_ref().map_or(0, |baton| baton.stop());
        self.stop();
        let mut left = self.0.crew.join_all_but(stuck, deadline);
        let in_turns = self.0.in_turns();
        if left > in_turns {
            let end = Instant::now() + STOP_MAX;
            left = self.0.crew.join_all_but(in_turns.max(stuck), end);
        }
        self.0.drop_queued();
        left
    }

    fn stop(&self) {
        let pool = &self.0;
        pool.stopping.store(true, Ordering::Release);
        // Whoever injects a task does an RMW on the same word and then reads the flag: either it is seen here
        // and dropped with the rest, or its owner sees the flag.
        pool.sleep.counts();
        pool.sleep.wake_all();
        for index in pool.blocking.standing_by() {
            pool.sleep.parker(index).unpark();
        }
        pool.bell.ring();
        pool.timers.stop();
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Scheduler").field(&self.stats()).finish()
    }
}
