//! The baton: of all strands one runs at a time, and the seed says which is next.
//!
//! Whoever has the baton gives it up where it waits, ends, or is put aside; [`Baton::pass`] then rolls the dice over all that are
//! ready. It goes round as long as some thread from outside waits for something, and rests otherwise: so a test that runs its own
//! lines sees nothing move meanwhile.

use super::Stalled;
use super::state::{Choice, Driver, Drove, Job, Ready, State, Until};
use super::strand::{self, Part, Place, Strand};
use crate::scheduler::blocking::PoolExhausted;
use crate::scheduler::crew::Crew;
use crate::scheduler::panics::drop_caught;
use crate::scheduler::task::{Task, give_turn};
use crate::scheduler::timer::{self, Timers};
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Mutex, MutexGuard, Parker, thread};
use crate::time::ManualClock;
use std::io::Write;
use std::time::{Duration, Instant};

/// After so long in real time without any step, whoever drives says what holds it up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who runs, who could, and who waits for what comes of it.
pub(in crate::scheduler) struct Baton {
    pub(super) seed: u64,
    pub(super) began: Instant,
    hand: ManualClock,
    pub(super) timers: Arc<Timers>,
    crew: Arc<Crew>,
    /// How many turns may wait in blocking calls.
    spare_max: usize,
    /// Lock order: before the locks of the timers, the clock and the gates, of which it takes one at a time.
    state: Mutex<State>,
}

/// How long in real time a baton rests that several threads from outside drive, before time moves: one of them may have put a
/// message into a mailbox and not yet have said that somebody is ready.
const GRACE: Duration = Duration::from_millis(20);

/// What the observer is told.
#[derive(Clone, Copy, Default)]
pub(in crate::scheduler) struct Account {
    pub(in crate::scheduler) workers: usize,
    pub(in crate::scheduler) idle: usize,
    pub(in crate::scheduler) blocked: usize,
    pub(in crate::scheduler) queued: usize,
    pub(in crate::scheduler) turns: u64,
}

impl Baton {
    pub(in crate::scheduler) fn new(
        seed: u64,
        hand: ManualClock,
        spare_max: usize,
        timers: &Arc<Timers>,
        crew: &Arc<Crew>,
    ) -> Self {
        Baton {
            seed,
            began: timers.now(),
            hand,
            timers: timers.clone(),
            crew: crew.clone(),
            spare_max,
            state: Mutex::new(State::new(seed, spare_max)),
        }
    }

    // ## What may run

    /// A task is ready.
    pub(in crate::scheduler) fn schedule(&self, task: Task) {
        let state = self.state.lock();
        if state.stopping {
            drop(state);
            return drop_caught(task);
        }
        self.push(state, Ready::Task(task));
    }

    /// A strand that waits is ready.
    pub(super) fn wake(&self, strand: &Arc<Strand>) {
        let state = self.state.lock();
        if state.stopping || !strand.awaits.swap(false, Ordering::AcqRel) {
            return;
        }
        self.push(state, Ready::Strand(strand.clone()));
    }

    fn push(&self, mut state: MutexGuard<'_, State>, ready: Ready) {
        state.ready.push(ready);
        self.set_going(state);
    }

    /// Sets a baton going that rests although somebody waits: what comes from outside may come at any time.
    fn set_going(&self, mut state: MutexGuard<'_, State>) {
        if !state.moving && !state.drivers.is_empty() {
            state.moving = true;
            let job = self.pass(state, None);
            debug_assert!(job.is_none(), "a job goes to a worker");
        }
    }

    // ## Who runs next

    /// Gives the baton to whoever is next, or lets it rest. `me` is a worker that has done its job; if the next one is for it, it
    /// comes back.
    fn pass(&self, mut state: MutexGuard<'_, State>, me: Option<&Arc<Strand>>) -> Option<Job> {
        loop {
            state.look_at_drivers(&self.timers, &self.hand);
            if state.drivers.is_empty() || state.stopping {
                return state.rest(me);
            }
            match state.choose(&self.timers, me.is_some()) {
                Some(Choice::Strand(strand)) if strand.part == Part::Driver => {
                    // 1. It leaves its alarm. 2. Somebody runs that. 3. It joins the drivers. If this is between 2 and 3 its gate is
                    // open when it comes to it.
                    if state.release(|driver| driver.is(&strand), Drove::There) == 0 {
                        strand.gate.unpark();
                    }
                }
                Some(Choice::Strand(strand)) => {
                    state.idle.extend(me.cloned());
                    state.holder.clone_from(&strand.name);
                    drop(state);
                    strand.gate.unpark();
                    return None;
                }
                Some(Choice::Job(job)) => {
                    if let Some(me) = me {
                        state.holder.clone_from(&me.name);
                        return Some(job);
                    }
                    let worker = state.idle.pop();
                    let worker = worker.expect("jobs are chosen only for a free worker");
                    state.holder.clone_from(&worker.name);
                    *worker.job.lock() = Some(job);
                    drop(state);
                    worker.gate.unpark();
                    return None;
                }
                None if state.settle(&self.timers, &self.hand, me.is_some()) => {}
                None => return state.rest(me),
            }
        }
    }

    // ## Strands that run

    /// A strand that has the baton gives it up until it is woken and chosen.
    fn suspend(&self, me: &Arc<Strand>) {
        self.relieve(me);
        let job = self.pass(self.state.lock(), None);
        debug_assert!(job.is_none(), "a job goes to a worker");
        me.gate.park();
    }

    /// The thread of a strand ends.
    pub(super) fn leave(&self) {
        let job = self.pass(self.state.lock(), None);
        debug_assert!(job.is_none(), "a job goes to a worker");
    }

    /// A place among the strands for a thread that is about to start.
    pub(in crate::scheduler) fn place(self: &Arc<Self>, name: &str) -> Place {
        let mut state = self.state.lock();
        state.strands += 1;
        let number = state.strands;
        drop(state);
        Place::new(Strand::new(self, Part::Solo, number, name.to_owned()))
    }

    /// Waits for the permit of a parker. A thread from outside drives meanwhile.
    ///
    /// # Panics
    /// If such a thread waits for what cannot come any more.
    pub(in crate::scheduler) fn park(self: &Arc<Self>, parker: &Parker) {
        let mut came_to = Drove::There;
        match strand::current(self) {
            Some(me) => {
                me.awaits.store(true, Ordering::Release);
                let waker = me.clone();
                parker.park_outside(move || waker.baton.wake(&waker), || self.suspend(&me));
            }
            None => {
                let me = Strand::new(self, Part::Driver, 0, String::new());
                let waker = me.clone();
                parker.park_outside(
                    move || waker.baton.wake(&waker),
                    || came_to = self.drive(&me, Until::Woken),
                );
            }
        }
        if let Drove::Stalled(stalled) = came_to {
            panic!("a wait in a deterministic runtime: {stalled}");
        }
    }

    /// As [`Baton::park`] for a wait that the library knows nothing of: it runs in real time, and the baton goes on.
    pub(in crate::scheduler) fn park_outside(
        self: &Arc<Self>,
        parker: &Parker,
        alarm: impl FnOnce() + Send + 'static,
        wait: impl FnOnce(),
    ) {
        let inner = strand::current(self);
        let me = inner.unwrap_or_else(|| Strand::new(self, Part::Driver, 0, String::new()));
        me.awaits.store(true, Ordering::Release);
        let waker = me.clone();
        let alarm = move || {
            alarm();
            waker.baton.wake(&waker);
        };
        parker.park_outside(alarm, || {
            let _away = Away::go(&me);
            wait();
        });
    }

    /// Lets another go first, if the dice say so.
    pub(in crate::scheduler) fn put_aside(self: &Arc<Self>) {
        let Some(me) = strand::current(self) else {
            return;
        };
        let worker = me.part == Part::Worker;
        if !self.state.lock().puts_aside(&self.timers, worker) {
            return;
        }
        me.awaits.store(true, Ordering::Release);
        self.wake(&me);
        self.suspend(&me);
        self.state.lock().aside -= usize::from(worker);
    }

    // ## Threads from outside

    /// Lets the baton go round on behalf of a thread from outside.
    ///
    /// # Panics
    /// On a strand: it has the baton already.
    pub(super) fn drive(self: &Arc<Self>, me: &Arc<Strand>, until: Until) -> Drove {
        assert!(
            strand::current(self).is_none(),
            "a process does not drive the runtime that runs it"
        );
        let mut state = self.state.lock();
        if state.stopping {
            return Drove::Stalled(Stalled::NothingLeft);
        }
        let since = state.pieces;
        let driver = Driver::new(me, until, since);
        let came_to = driver.came_to.clone();
        state.drivers.push(driver);
        let several = state.comes_in(thread::current().id());
        self.set_going(state);
        if several {
            while !me.gate.park_until(Some(Instant::now() + GRACE)) {
                self.go_on_patiently();
            }
        }
        let mut seen = since;
        while !several && !me.gate.park_until(Some(Instant::now() + PATIENCE)) {
            self.complain(&mut seen);
            if self.state.lock().several {
                self.go_on_patiently();
            }
        }
        self.state.lock().drivers.retain(|driver| !driver.is(me));
        *came_to.lock()
    }

    /// Nothing was ready for a while, whatever other threads from outside were in the middle of: time may move.
    fn go_on_patiently(&self) {
        let mut state = self.state.lock();
        state.patient = !state.moving && state.ready.is_empty();
        self.set_going(state);
    }

    /// Says who holds the baton, if nothing has happened since the last look.
    fn complain(&self, seen: &mut u64) {
        let state = self.state.lock();
        if std::mem::replace(seen, state.pieces) != state.pieces || !state.moving {
            return;
        }
        let text = format!(
            "{} has run for {PATIENCE:?} in a deterministic runtime: it computes, or waits outside of the library",
            state.holder
        );
        drop(state);
        log::error!("{text}");
        if log::max_level() == log::LevelFilter::Off {
            // Nobody is left to tell if stderr is gone.
            let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
        }
    }

    /// Moves time to a moment, unless that is past.
    pub(super) fn move_to(&self, moment: Instant) {
        let mut state = self.state.lock();
        state.move_to(&self.timers, &self.hand, moment);
    }

    // ## Workers

    /// Sees to it that there is a worker for what others have to do while this one waits.
    fn relieve(&self, me: &Arc<Strand>) {
        if me.part != Part::Worker || !self.state.lock().idle.is_empty() {
            return;
        }
        if let Err(error) = me.baton.start_worker() {
            log::warn!("no thread for another worker: {error}");
        }
    }

    /// Starts a worker, if there may be one more.
    pub(in crate::scheduler) fn start_worker(self: &Arc<Self>) -> std::io::Result<()> {
        let mut state = self.state.lock();
        if state.workers >= state.workers_max {
            return Ok(());
        }
        state.workers += 1;
        state.strands += 1;
        let (number, name) = (state.strands, format!("turns-{}", state.workers - 1));
        drop(state);
        let worker = Strand::new(self, Part::Worker, number, name.clone());
        let mine = worker.clone();
        let started = self.crew.start(name, move || work(&mine));
        let mut state = self.state.lock();
        match started {
            Ok(()) => state.idle.push(worker),
            Err(_) => state.workers -= 1,
        }
        started
    }

    /// Runs `f`, which waits, within a turn; refused if as many turns wait as may.
    pub(in crate::scheduler) fn block<T>(f: impl FnOnce() -> T) -> Result<T, PoolExhausted> {
        struct Blocked<'a>(&'a Strand);
        impl Drop for Blocked<'_> {
            fn drop(&mut self) {
                self.0.blocked.store(false, Ordering::Relaxed);
                self.0.baton.state.lock().blocked -= 1;
            }
        }
        let Some(me) = strand::here().filter(|me| me.part == Part::Worker && !me.is_blocked())
        else {
            return Ok(f());
        };
        let baton = &me.baton;
        {
            let mut state = baton.state.lock();
            if state.blocked >= baton.spare_max {
                return Err(PoolExhausted);
            }
            state.blocked += 1;
        }
        me.blocked.store(true, Ordering::Relaxed);
        let _blocked = Blocked(&me);
        Ok(f())
    }

    // ## What it tells

    /// How many messages the turn that begins may handle.
    pub(in crate::scheduler) fn budget(&self) -> usize {
        let state = &mut *self.state.lock();
        state.habits.budget(&mut state.dice)
    }

    /// A number for whatever else in the library is left to chance.
    pub(in crate::scheduler) fn roll(&self) -> u64 {
        self.state.lock().dice.roll()
    }

    pub(super) fn pieces(&self) -> u64 {
        self.state.lock().pieces
    }

    pub(super) fn trace(&self) -> u64 {
        self.state.lock().trace.hash()
    }

    pub(in crate::scheduler) fn account(&self) -> Account {
        let state = self.state.lock();
        Account {
            workers: state.workers,
            idle: state.idle.len(),
            blocked: state.blocked,
            queued: state.ready.len(),
            turns: state.turns,
        }
    }

    fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// A thread from outside will do things here.
    pub(in crate::scheduler) fn comes_in(&self) {
        self.state.lock().comes_in(thread::current().id());
    }

    // ## The end

    /// Nothing is chosen any more. Workers that have nothing to do end; how many do have, and will not come to an end.
    pub(in crate::scheduler) fn stop(&self) -> usize {
        let mut state = self.state.lock();
        state.stopping = true;
        let nothing = Drove::Stalled(Stalled::NothingLeft);
        state.release(|_| true, nothing);
        let (idle, ready) = (
            std::mem::take(&mut state.idle),
            std::mem::take(&mut state.ready),
        );
        let left = state.workers - idle.len();
        drop(state);
        for worker in idle {
            worker.gate.unpark();
        }
        ready.into_iter().for_each(drop_caught);
        left
    }
}

/// A strand that waits outside of the library.
struct Away<'a>(&'a Arc<Strand>);

impl<'a> Away<'a> {
    fn go(me: &'a Arc<Strand>) -> Self {
        let baton = &me.baton;
        baton.relieve(me);
        let mut state = baton.state.lock();
        state.outside += 1;
        if me.part == Part::Driver {
            let since = state.pieces;
            state.drivers.push(Driver::new(me, Until::Woken, since));
            baton.set_going(state);
        } else {
            baton.pass(state, None);
        }
        Away(me)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let baton = &self.0.baton;
        let mut state = baton.state.lock();
        state.outside -= 1;
        if state.stopping {
            return;
        }
        drop(state);
        baton.wake(self.0);
        self.0.gate.park();
        baton
            .state
            .lock()
            .drivers
            .retain(|driver| !driver.is(self.0));
    }
}

/// The body of a worker's thread.
fn work(me: &Arc<Strand>) {
    me.settle();
    let baton = &me.baton;
    loop {
        me.gate.park();
        let mut job = me.job.lock().take();
        if job.is_none() {
            return;
        }
        while let Some(next) = job {
            run(baton, next);
            job = baton.pass(baton.state.lock(), Some(me));
        }
        if baton.is_stopping() {
            return;
        }
    }
}

fn run(baton: &Baton, job: Job) {
    match job {
        Job::Fire(callback) => timer::call(callback),
        Job::Turn(task) => {
            if let Some(task) = give_turn(task) {
                baton.schedule(task);
            }
        }
    }
}
