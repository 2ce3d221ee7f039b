//! The baton: of all strands one runs at a time, and the seed says which is next.
//!
//! Whoever has the baton gives it up where it waits, ends, or is put aside; [`Baton::pass`] then rolls the dice over all that are
//! ready. It goes round as long as some thread from outside waits for something, and rests otherwise: so a test that runs its own
//! lines sees nothing move meanwhile.

use super::Stalled;
use super::dice::{Dice, Habits, Trace};
use super::strand::{self, Part, Place, Strand};
use crate::scheduler::blocking::PoolExhausted;
use crate::scheduler::panics::drop_caught;
use crate::scheduler::pool::Pool;
use crate::scheduler::task::Task;
use crate::scheduler::timer::Callback;
use crate::scheduler::{timer, worker};
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Mutex, MutexGuard, Parker};
use crate::time::ManualClock;
use std::io::Write;
use std::time::{Duration, Instant};

/// How many pieces run before time moves on although there is more to run: what keeps itself busy for ever sees its deadlines
/// come, as it would on a real machine, and no test has so much to do at one moment.
pub(super) const BUSY_MAX: u64 = 100_000;

/// How many pieces a wait may take at most: minutes of real time, in which nothing came of it.
pub(super) const PIECES_MAX: u64 = 10_000_000;

/// How many turns may be put aside at the same time: each holds a thread.
const ASIDE_MAX: usize = 4;

/// After so many places where it could be put aside, a strand is, whatever the dice say: one that polls would wait for ever for
/// what others are to do.
const LOOKS_MAX: u32 = 1_000;

/// After so long in real time without any step, whoever drives says what holds it up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a worker is given to do.
pub(super) enum Job {
    Turn(Task),
    Fire(Callback),
}

/// Who could run.
enum Ready {
    Task(Task),
    Strand(Arc<Strand>),
}

/// What the dice have chosen.
enum Choice {
    Job(Job),
    Strand(Arc<Strand>),
}

/// Until when a thread from outside lets the baton go round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// It is woken.
    Woken,
    /// One piece has run.
    Piece,
    /// Nothing is ready at this moment.
    Rest,
}

/// What a drive came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drove {
    /// To what it was for.
    There,
    /// There was nothing to run.
    Nothing,
    /// To an end without that.
    Stalled(Stalled),
}

struct Driver {
    strand: Arc<Strand>,
    until: Until,
    /// The number of pieces when it began.
    since: u64,
    came_to: Arc<Mutex<Drove>>,
}

impl Driver {
    fn new(strand: &Arc<Strand>, until: Until, since: u64) -> Self {
        Driver {
            strand: strand.clone(),
            until,
            since,
            came_to: Arc::new(Mutex::new(Drove::There)),
        }
    }

    fn is(&self, strand: &Arc<Strand>) -> bool {
        Arc::ptr_eq(&self.strand, strand)
    }
}

/// Who runs, who could, and who waits for what comes of it.
pub(in crate::scheduler) struct Baton {
    pub(super) seed: u64,
    pub(super) began: Instant,
    hand: ManualClock,
    /// How many turns may wait in blocking calls.
    spare_max: usize,
    /// A leaf lock, but for those of the timers and the clock.
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    habits: Habits,
    trace: Trace,
    ready: Vec<Ready>,
    /// Equals `true` while somebody has the baton.
    moving: bool,
    drivers: Vec<Driver>,
    /// Workers with nothing to do.
    idle: Vec<Arc<Strand>>,
    workers: usize,
    /// One that runs, one for each that waits, one for each that was put aside, and one that is kept for timers.
    workers_max: usize,
    /// Workers that wait in a blocking call.
    blocked: usize,
    /// Workers whose turn was put aside.
    aside: usize,
    /// Strands that wait for something outside of the library.
    outside: usize,
    /// How many pieces have run.
    pieces: u64,
    /// How many of them were turns of tasks.
    turns: u64,
    /// Pieces since time moved.
    busy: u64,
    /// How often the running piece could have been put aside.
    looks: u32,
    strands: u64,
    /// Who has the baton, to be named if it does not come back.
    holder: String,
    stopping: bool,
}

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
        began: Instant,
        spare_max: usize,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let habits = Habits::of(&mut dice);
        Baton {
            seed,
            began,
            hand,
            spare_max,
            state: Mutex::new(State {
                dice,
                habits,
                trace: Trace::default(),
                ready: Vec::new(),
                moving: false,
                drivers: Vec::new(),
                idle: Vec::new(),
                workers: 0,
                workers_max: spare_max + ASIDE_MAX + 2,
                blocked: 0,
                aside: 0,
                outside: 0,
                pieces: 0,
                turns: 0,
                busy: 0,
                looks: 0,
                strands: 0,
                holder: String::new(),
                stopping: false,
            }),
        }
    }

    // ## What may run

    /// A task is ready.
    pub(in crate::scheduler) fn schedule(&self, pool: &Arc<Pool>, task: Task) {
        let state = self.state.lock();
        if state.stopping {
            drop(state);
            return drop_caught(task);
        }
        self.push(pool, state, Ready::Task(task));
    }

    /// A strand that waits is ready.
    pub(super) fn wake(&self, strand: &Arc<Strand>) {
        let state = self.state.lock();
        if state.stopping || !strand.awaits.swap(false, Ordering::AcqRel) {
            return;
        }
        self.push(&strand.pool, state, Ready::Strand(strand.clone()));
    }

    fn push(&self, pool: &Arc<Pool>, mut state: MutexGuard<'_, State>, ready: Ready) {
        state.ready.push(ready);
        self.set_going(pool, state);
    }

    /// Sets a baton going that rests although somebody waits: what comes from outside may come at any time.
    fn set_going(&self, pool: &Arc<Pool>, mut state: MutexGuard<'_, State>) {
        if !state.moving && !state.drivers.is_empty() {
            state.moving = true;
            let job = self.pass(pool, state, None);
            debug_assert!(job.is_none(), "a job goes to a worker");
        }
    }

    // ## Who runs next

    /// Gives the baton to whoever is next, or lets it rest. `me` is a worker that has done its job; if the next one is for it, it
    /// comes back.
    fn pass(
        &self,
        pool: &Arc<Pool>,
        mut state: MutexGuard<'_, State>,
        me: Option<&Arc<Strand>>,
    ) -> Option<Job> {
        loop {
            state.look_at_drivers(pool, &self.hand);
            if state.drivers.is_empty() || state.stopping {
                return state.rest(me);
            }
            match state.choose(pool, me.is_some()) {
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
                None if state.settle(pool, &self.hand, me.is_some()) => {}
                None => return state.rest(me),
            }
        }
    }

    // ## Strands that run

    /// A strand that has the baton gives it up until it is woken and chosen.
    fn suspend(&self, me: &Arc<Strand>) {
        self.relieve(me);
        let job = self.pass(&me.pool, self.state.lock(), None);
        debug_assert!(job.is_none(), "a job goes to a worker");
        me.gate.park();
    }

    /// The thread of a strand ends.
    pub(super) fn leave(&self, pool: &Arc<Pool>) {
        let job = self.pass(pool, self.state.lock(), None);
        debug_assert!(job.is_none(), "a job goes to a worker");
    }

    /// A place among the strands for a thread that is about to start.
    pub(in crate::scheduler) fn place(&self, pool: &Arc<Pool>, name: &str) -> Place {
        let mut state = self.state.lock();
        state.strands += 1;
        let number = state.strands;
        drop(state);
        Place::new(Strand::new(pool, Part::Solo, number, name.to_owned()))
    }

    /// Waits for the permit of a parker. A thread from outside drives meanwhile.
    ///
    /// # Panics
    /// If such a thread waits for what cannot come any more.
    pub(in crate::scheduler) fn park(&self, pool: &Arc<Pool>, parker: &Parker) {
        let mut came_to = Drove::There;
        match strand::current(pool) {
            Some(me) => {
                me.awaits.store(true, Ordering::Release);
                let waker = me.clone();
                parker.park_outside(move || waker.baton().wake(&waker), || self.suspend(&me));
            }
            None => {
                let me = Strand::new(pool, Part::Driver, 0, String::new());
                let waker = me.clone();
                parker.park_outside(
                    move || waker.baton().wake(&waker),
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
        &self,
        pool: &Arc<Pool>,
        parker: &Parker,
        alarm: impl FnOnce() + Send + 'static,
        wait: impl FnOnce(),
    ) {
        let inner = strand::current(pool);
        let me = inner.unwrap_or_else(|| Strand::new(pool, Part::Driver, 0, String::new()));
        me.awaits.store(true, Ordering::Release);
        let waker = me.clone();
        let alarm = move || {
            alarm();
            waker.baton().wake(&waker);
        };
        parker.park_outside(alarm, || {
            let _away = Away::go(&me);
            wait();
        });
    }

    /// Lets another go first, if the dice say so.
    pub(in crate::scheduler) fn put_aside(&self, pool: &Arc<Pool>) {
        let Some(me) = strand::current(pool) else {
            return;
        };
        let worker = me.part == Part::Worker;
        if !self.state.lock().puts_aside(pool, worker) {
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
    pub(super) fn drive(&self, me: &Arc<Strand>, until: Until) -> Drove {
        assert!(
            strand::current(&me.pool).is_none(),
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
        self.set_going(&me.pool, state);
        let mut seen = since;
        while !me.gate.park_until(Some(Instant::now() + PATIENCE)) {
            self.complain(&mut seen);
        }
        self.state.lock().drivers.retain(|driver| !driver.is(me));
        let came_to = *came_to.lock();
        came_to
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
    pub(super) fn move_to(&self, pool: &Pool, moment: Instant) {
        let mut state = self.state.lock();
        state.move_to(pool, &self.hand, moment);
    }

    // ## Workers

    /// Sees to it that there is a worker for what others have to do while this one waits.
    fn relieve(&self, me: &Arc<Strand>) {
        if me.part != Part::Worker || !self.state.lock().idle.is_empty() {
            return;
        }
        if let Err(error) = self.start_worker(&me.pool) {
            log::warn!("no thread for another worker: {error}");
        }
    }

    /// Starts a worker, if there may be one more.
    pub(in crate::scheduler) fn start_worker(&self, pool: &Arc<Pool>) -> std::io::Result<()> {
        let mut state = self.state.lock();
        if state.workers >= state.workers_max {
            return Ok(());
        }
        state.workers += 1;
        state.strands += 1;
        let (number, name) = (state.strands, format!("turns-{}", state.workers - 1));
        drop(state);
        let worker = Strand::new(pool, Part::Worker, number, name.clone());
        let mine = worker.clone();
        let started = pool.crew.start(name, move || work(&mine));
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
                self.0.baton().state.lock().blocked -= 1;
            }
        }
        let Some(me) = strand::here().filter(|me| me.part == Part::Worker && !me.is_blocked())
        else {
            return Ok(f());
        };
        let baton = me.baton();
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

impl State {
    /// One of all that are ready. Jobs need a worker that is free; the last one there may be is kept for timers, as those end
    /// the waits of the others.
    fn choose(&mut self, pool: &Pool, me: bool) -> Option<Choice> {
        let free = self.free(me);
        let due = free > 0 && pool.timers.is_due();
        let tasks = free > usize::from(self.workers == self.workers_max);
        let may = |ready: &Ready| tasks || matches!(ready, Ready::Strand(_));
        let count = self.ready.iter().filter(|ready| may(ready)).count();
        let total = count + usize::from(due);
        if total == 0 {
            return None;
        }
        let picked = self.habits.pick(&mut self.dice, total);
        self.pieces += 1;
        self.busy += 1;
        self.looks = 0;
        self.trace.add((total as u64) << 32 | picked as u64);
        if picked == count {
            let fire = pool.timers.take_due();
            return fire.map(|fire| Choice::Job(Job::Fire(fire)));
        }
        let those = self.ready.iter().enumerate();
        let (at, _) = those.filter(|(_, ready)| may(ready)).nth(picked)?;
        Some(match self.ready.remove(at) {
            Ready::Task(task) => {
                self.turns += 1;
                self.trace.add(task.number());
                Choice::Job(Job::Turn(task))
            }
            Ready::Strand(strand) => {
                self.trace.add(strand.number);
                Choice::Strand(strand)
            }
        })
    }

    /// Whether whoever has the baton is put aside, which then counts as done.
    fn puts_aside(&mut self, pool: &Pool, worker: bool) -> bool {
        self.looks += 1;
        let useless = self.ready.is_empty() && !pool.timers.is_due();
        let too_many = worker && self.aside >= ASIDE_MAX;
        let may = !useless && !too_many && self.habits.puts_aside(&mut self.dice);
        let polls = self.looks >= LOOKS_MAX;
        if polls {
            self.busy += u64::from(LOOKS_MAX);
        }
        let puts = !self.stopping && (may || polls);
        self.aside += usize::from(puts && worker);
        puts
    }

    /// Workers that could do something, the asking one among them.
    fn free(&self, me: bool) -> usize {
        self.idle.len() + usize::from(me)
    }

    /// Nothing is ready. Whoever waited for that hears of it; else time moves to the first timer; else those who wait hear that
    /// nothing will come. `false` if something may come from outside.
    fn settle(&mut self, pool: &Pool, hand: &ManualClock, me: bool) -> bool {
        let rested = self.release(|driver| driver.until == Until::Rest, Drove::There);
        let without = self.release(|driver| driver.until == Until::Piece, Drove::Nothing);
        if rested + without > 0 {
            return true;
        }
        if self.free(me) > 0
            && let Some(next) = pool.timers.next()
        {
            self.move_to(pool, hand, next);
            return true;
        }
        if self.outside > 0 {
            return false;
        }
        self.release(|_| true, Drove::Stalled(Stalled::NothingLeft));
        true
    }

    /// Lets those go who asked for one piece, or have waited for far too many.
    fn look_at_drivers(&mut self, pool: &Pool, hand: &ManualClock) {
        let pieces = self.pieces;
        self.release(
            |driver| driver.until == Until::Piece && pieces > driver.since,
            Drove::There,
        );
        self.release(
            |driver| pieces - driver.since >= PIECES_MAX,
            Drove::Stalled(Stalled::StillBusy),
        );
        let waits = |driver: &Driver| driver.until == Until::Woken;
        if self.busy >= BUSY_MAX && self.drivers.iter().any(waits) {
            self.busy = 0;
            if let Some(next) = pool.timers.next() {
                self.move_to(pool, hand, next);
            }
        }
    }

    /// Lets drivers go; how many.
    fn release(&mut self, whom: impl Fn(&Driver) -> bool, came_to: Drove) -> usize {
        let before = self.drivers.len();
        self.drivers.retain(|driver| {
            let goes = whom(driver);
            if goes {
                *driver.came_to.lock() = came_to;
                driver.strand.gate.unpark();
            }
            !goes
        });
        before - self.drivers.len()
    }

    /// The baton goes to nobody.
    fn rest(&mut self, me: Option<&Arc<Strand>>) -> Option<Job> {
        self.moving = false;
        self.idle.extend(me.cloned());
        None
    }

    fn move_to(&mut self, pool: &Pool, hand: &ManualClock, moment: Instant) {
        let by = moment.saturating_duration_since(pool.timers.now());
        if !by.is_zero() {
            self.busy = 0;
            self.trace.add(by.as_nanos() as u64);
            hand.advance(by);
        }
    }
}

/// A strand that waits outside of the library.
struct Away<'a>(&'a Arc<Strand>);

impl<'a> Away<'a> {
    fn go(me: &'a Arc<Strand>) -> Self {
        let baton = me.baton();
        baton.relieve(me);
        let mut state = baton.state.lock();
        state.outside += 1;
        if me.part == Part::Driver {
            let since = state.pieces;
            state.drivers.push(Driver::new(me, Until::Woken, since));
            baton.set_going(&me.pool, state);
        } else {
            baton.pass(&me.pool, state, None);
        }
        Away(me)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let baton = self.0.baton();
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
    let (pool, baton) = (&me.pool, me.baton());
    loop {
        me.gate.park();
        let mut job = me.job.lock().take();
        if job.is_none() {
            return;
        }
        while let Some(next) = job {
            run(pool, baton, next);
            job = baton.pass(pool, baton.state.lock(), Some(me));
        }
        if pool.stopping() {
            return;
        }
    }
}

fn run(pool: &Arc<Pool>, baton: &Baton, job: Job) {
    match job {
        Job::Fire(callback) => timer::call(callback),
        Job::Turn(task) => {
            if let Some(task) = worker::give_turn(task) {
                baton.schedule(pool, task);
            }
        }
    }
}
