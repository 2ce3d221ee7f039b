//! The tasks of a stream that run, seen from their consumer: started, watched, timed, and all stopped together.

use crate::behaviour::task::job::Job;
use crate::behaviour::task::owner::{Bond, Owner};
use crate::process::behaviour::InitFn;
use crate::process::core::{Process, flag};
use crate::process::runtime::{self, Shared};
use crate::process::tray::{Arrival, Tray};
use crate::process::watch::{self, EndWatch};
use crate::process::{CallError, StartError, current, exit, wait};
use crate::reason::ExitReason;
use crate::scheduler::TimerKey;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, Parker, thread};
use crate::time::later;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long a consumer that halts waits for what it has killed, at most: a kill that takes longer was given a grace of
/// more than this, and whoever did that cannot want everybody to wait for it.
const STOP_MAX: Duration = Duration::from_secs(5);

/// What became of a task.
pub(super) enum Ended<T> {
    Done(T),
    /// It took too long, and was killed for it.
    Late,
    Exit(ExitReason),
}

/// Running tasks and their consumer. Dropped, it kills them and waits until they have ended, where it may wait.
pub(super) struct Crew<I, T> {
    shared: Arc<Shared>,
    owner: Owner,
    roll: Arc<Roll>,
    tray: Arc<Tray<Ended<T>>>,
    workers: BTreeMap<u64, Worker<I>>,
    /// A consumer that ends without halting takes its tasks along, whatever the reason.
    _end: Option<EndWatch>,
}

/// What the consumer holds of one task.
struct Worker<I> {
    input: Option<I>,
    _half: Half,
}

/// What is made with the process of a task, and has to go with it.
pub(super) struct Half {
    _end: EndWatch,
    _limit: Option<Limit>,
}

/// Which processes work for the consumer. Whoever takes a process off the roll decides what its end means.
#[derive(Default)]
struct Roll(Mutex<Names>);

#[derive(Default)]
struct Names {
    is_closed: bool,
    on: BTreeMap<u64, Arc<dyn Process>>,
    /// Those that were on it when it was closed, and whose end was not told.
    dying: BTreeSet<u64>,
    /// Who waits for that.
    waiter: Option<Arc<Parker>>,
}

impl Roll {
    /// Puts a process on the roll; `false` if nobody is hired any more.
    fn enter(&self, position: u64, process: &Arc<dyn Process>) -> bool {
        let mut names = self.0.lock();
        if !names.is_closed {
            names.on.insert(position, process.clone());
        }
        !names.is_closed
    }

    /// Takes a process off, which has ended; `false` if the roll was closed before.
    fn strike(&self, position: u64) -> bool {
        let mut names = self.0.lock();
        let had = names.on.remove(&position);
        let all_told = names.dying.remove(&position) && names.dying.is_empty();
        let waiter = names.waiter.take_if(|_| all_told);
        drop(names);
        if let Some(waiter) = waiter {
            waiter.unpark();
        }
        had.is_some()
    }

    /// Kills all that are on the roll; nobody is hired any more.
    fn close(&self) {
        let mut names = self.0.lock();
        names.is_closed = true;
        let left = std::mem::take(&mut names.on);
        names.dying.extend(left.keys());
        drop(names);
        for process in left.values() {
            exit::kill(process);
        }
    }

    fn is_told(&self) -> bool {
        self.0.lock().dying.is_empty()
    }

    /// Waits in real time until all that were killed have ended, and their links were told, but not beyond a moment.
    fn wait_until_told(&self, until: Instant) {
        let parker = Arc::new(Parker::new());
        let is_told = || {
            let mut names = self.0.lock();
            names.waiter = Some(parker.clone());
            names.dying.is_empty()
        };
        while !is_told() && parker.park_until(Some(until)) {}
    }
}

/// A task to be hired, and what it reports to.
pub(super) struct Hire<T> {
    owner: Owner,
    position: u64,
    roll: Arc<Roll>,
    tray: Arc<Tray<Ended<T>>>,
    timeout: Duration,
    run: Box<dyn FnOnce() -> T + Send>,
}

impl<I, T: Send + 'static> Crew<I, T> {
    /// A crew of the process that runs on this thread, or of this thread.
    pub(super) fn new(bond: Bond) -> Result<Self, StartError> {
        let owner = Owner::here(bond)?;
        let roll = Arc::<Roll>::default();
        let end = owner.process.as_ref().map(|process| {
            let roll = roll.clone();
            watch::on_end(process, move |_| roll.close())
        });
        Ok(Crew {
            shared: runtime::current(),
            owner,
            roll,
            tray: Tray::new(),
            workers: BTreeMap::new(),
            _end: end,
        })
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn hire(
        &self,
        position: u64,
        timeout: Duration,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Hire<T> {
        Hire {
            owner: self.owner.clone(),
            position,
            roll: self.roll.clone(),
            tray: self.tray.clone(),
            timeout,
            run: Box::new(run),
        }
    }

    /// A hired task has begun; `input` comes back with its end.
    pub(super) fn join(&mut self, position: u64, half: Half, input: Option<I>) {
        self.workers.insert(position, Worker { input, _half: half });
    }

    /// Waits for the next task to end.
    pub(super) fn wait(&mut self) -> Result<(u64, Ended<T>, Option<I>), CallError> {
        let look = |parker: &_| self.tray.take_or_leave(parker);
        let Arrival { key, value, .. } = wait::for_any(&self.shared, None, None, look)?;
        // A consumer that the crash of a task ends does not get to see its reason.
        current::checkpoint();
        let worker = self.workers.remove(&key);
        Ok((key, value, worker.and_then(|worker| worker.input)))
    }
}

impl<I, T> Drop for Crew<I, T> {
    fn drop(&mut self) {
        self.roll.close();
        if self.roll.is_told() || current::leaving() || thread::panicking() {
            return;
        }
        let grace = self.shared.settings.kill_grace.saturating_mul(2);
        let until = later(Instant::now(), grace.min(STOP_MAX));
        // Where there is no spare worker to wait in the place of this one, they end by themselves.
        let wait = || self.roll.wait_until_told(until);
        let _ = self.shared.scheduler().block(wait);
    }
}

/// What a task and its watch share.
struct Work<T> {
    /// The task has run its first line.
    has_begun: AtomicBool,
    is_late: AtomicBool,
    value: Mutex<Option<T>>,
}

impl<T: Send + 'static> Hire<T> {
    /// The two halves of the task. They are made before its first line runs, in the process of whoever starts it.
    ///
    /// The task tells of its end when its links have been told, so a supervisor that is asked for the next one has
    /// heard of this one.
    pub(super) fn halves(self, process: &Arc<dyn Process>) -> (InitFn<Job>, Half) {
        let work = Arc::new(Work {
            has_begun: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            value: Mutex::new(None),
        });
        let limit = Limit::new(process, self.timeout, &work);
        let position = self.position;
        let is_entered = self.roll.enter(position, process);
        let job = match self.owner.gone() {
            None if is_entered => work.clone().job(self.run),
            gone => Job::orphaned(gone.unwrap_or(ExitReason::NoProc)),
        };
        let (core, roll, tray, owner) = (process.core(), self.roll, self.tray, self.owner);
        let (pid, shared) = (core.pid, Arc::downgrade(&core.runtime));
        let end = watch::on_end(process, move |reason| {
            // Whoever halted and killed it wants to hear no more.
            if !roll.strike(position) {
                return;
            }
            let ended = work.ended(reason);
            if let Ended::Exit(reason) = &ended
                && (work.has_begun.load(Ordering::Acquire) || *reason == ExitReason::Killed)
            {
                owner.is_struck_by(pid, reason);
            }
            let at = shared.upgrade().map_or(0, |shared| shared.next_reference());
            let (key, value) = (position, ended);
            tray.put(Arrival { at, key, value });
        });
        let half = Half {
            _end: end,
            _limit: limit,
        };
        (job, half)
    }
}

impl Owner {
    /// Why the owner has ended, if it has.
    fn gone(&self) -> Option<ExitReason> {
        let process = self.process.as_ref()?;
        process.core().relations.lock().ended().cloned()
    }

    /// The crash of a task of a stream, to an owner that would be linked to it: an owner that traps exits has it as an
    /// item, and no message besides.
    fn is_struck_by(&self, task: crate::pid::Pid, reason: &ExitReason) {
        let Some(owner) = &self.process else { return };
        let is_deadly = self.bond == Bond::Linked && *reason != ExitReason::Normal;
        if is_deadly && !owner.core().traps_exit() {
            exit::pass_on(owner, task, reason.clone());
        }
    }
}

impl<T: Send + 'static> Work<T> {
    fn job(self: Arc<Self>, run: Box<dyn FnOnce() -> T + Send>) -> InitFn<Job> {
        Job::init(move || {
            self.has_begun.store(true, Ordering::Release);
            let value = run();
            current::checkpoint();
            *self.value.lock() = Some(value);
        })
    }

    fn ended(&self, reason: ExitReason) -> Ended<T> {
        let value = self.value.lock().take();
        match value {
            Some(value) => Ended::Done(value),
            None if reason == ExitReason::Killed && self.is_late.load(Ordering::Acquire) => {
                Ended::Late
            }
            None => Ended::Exit(reason),
        }
    }
}

/// The time that a task may take, counted from its start: when it is over the task is killed, whatever its consumer
/// does meanwhile.
struct Limit {
    shared: Arc<Shared>,
    timer: TimerKey,
}

impl Limit {
    /// There is none if the time is longer than a clock can tell.
    fn new<T: Send + 'static>(
        process: &Arc<dyn Process>,
        timeout: Duration,
        work: &Arc<Work<T>>,
    ) -> Option<Self> {
        let shared = process.core().runtime.clone();
        let at = shared.clock.now().checked_add(timeout)?;
        let (process, work) = (Arc::downgrade(process), work.clone());
        let fire = move || {
            let running = process.upgrade();
            if let Some(process) = running.filter(|process| !process.core().has(flag::ENDING)) {
                work.is_late.store(true, Ordering::Release);
                exit::kill(&process);
            }
        };
        let timer = shared.scheduler().timers().insert(at, Box::new(fire));
        Some(Limit { shared, timer })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.shared.scheduler().timers().cancel(self.timer);
    }
}
