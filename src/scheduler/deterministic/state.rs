//! Who is ready, who waits for what comes of it, and which of them the dice choose; what is decided here is done in `baton`.

use super::Stalled;
use super::dice::{Dice, Habits, Trace};
use super::strand::Strand;
use crate::scheduler::task::Task;
use crate::scheduler::timer::{Callback, Timers};
use crate::sync::thread::ThreadId;
use crate::sync::{Arc, Mutex};
use crate::time::ManualClock;
use std::time::Instant;

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

/// What a worker is given to do.
pub(super) enum Job {
    Turn(Task),
    Fire(Callback),
}

/// Who could run.
pub(super) enum Ready {
    Task(Task),
    Strand(Arc<Strand>),
}

/// What the dice have chosen.
pub(super) enum Choice {
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

pub(super) struct Driver {
    pub(super) strand: Arc<Strand>,
    until: Until,
    /// The number of pieces when it began.
    since: u64,
    pub(super) came_to: Arc<Mutex<Drove>>,
}

impl Driver {
    pub(super) fn new(strand: &Arc<Strand>, until: Until, since: u64) -> Self {
        Driver {
            strand: strand.clone(),
            until,
            since,
            came_to: Arc::new(Mutex::new(Drove::There)),
        }
    }

    pub(super) fn is(&self, strand: &Arc<Strand>) -> bool {
        Arc::ptr_eq(&self.strand, strand)
    }
}

/// What the baton's lock guards.
pub(super) struct State {
    pub(super) dice: Dice,
    pub(super) habits: Habits,
    pub(super) trace: Trace,
    pub(super) ready: Vec<Ready>,
    /// Equals `true` while somebody has the baton.
    pub(super) moving: bool,
    pub(super) drivers: Vec<Driver>,
    /// Workers with nothing to do.
    pub(super) idle: Vec<Arc<Strand>>,
    pub(super) workers: usize,
    /// One that runs, one for each that waits, one for each that was put aside, and one that is kept for timers.
    pub(super) workers_max: usize,
    /// Workers that wait in a blocking call.
    pub(super) blocked: usize,
    /// Workers whose turn was put aside.
    pub(super) aside: usize,
    /// Strands that wait for something outside of the library.
    pub(super) outside: usize,
    /// How many pieces have run.
    pub(super) pieces: u64,
    /// How many of them were turns of tasks.
    pub(super) turns: u64,
    /// Pieces since time moved.
    pub(super) busy: u64,
    /// How often the running piece could have been put aside.
    pub(super) looks: u32,
    pub(super) strands: u64,
    /// Who has the baton, to be named if it does not come back.
    pub(super) holder: String,
    pub(super) stopping: bool,
    /// The thread from outside that came in first.
    first: Option<ThreadId>,
    /// Equals `true` once another one has come in: from then on any of them may be in the middle of a send.
    pub(super) several: bool,
    /// Equals `true` once a driver has waited in real time for what the others may be about to bring.
    pub(super) patient: bool,
}

impl State {
    pub(super) fn new(seed: u64, spare_max: usize) -> Self {
        let mut dice = Dice::new(seed);
        let habits = Habits::of(&mut dice);
        State {
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
            first: None,
            several: false,
            patient: false,
        }
    }

    /// A thread from outside does something here; whether there are several.
    pub(super) fn comes_in(&mut self, thread: ThreadId) -> bool {
        self.several |= *self.first.get_or_insert(thread) != thread;
        self.several
    }

    /// One of all that are ready. Jobs need a worker that is free; the last one there may be is kept for timers, as those end
    /// the waits of the others.
    pub(super) fn choose(&mut self, timers: &Timers, me: bool) -> Option<Choice> {
        let free = self.free(me);
        let due = free > 0 && timers.is_due();
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
            let fire = timers.take_due();
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
    pub(super) fn puts_aside(&mut self, timers: &Timers, worker: bool) -> bool {
        self.looks += 1;
        let useless = self.ready.is_empty() && !timers.is_due();
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
    pub(super) fn free(&self, me: bool) -> usize {
        self.idle.len() + usize::from(me)
    }

    /// Nothing is ready. Whoever waited for that hears of it; else time moves to the first timer; else those who wait hear that
    /// nothing will come. `false` if something may come from outside.
    pub(super) fn settle(&mut self, timers: &Timers, hand: &ManualClock, me: bool) -> bool {
        let rested = self.release(|driver| driver.until == Until::Rest, Drove::There);
        let without = self.release(|driver| driver.until == Until::Piece, Drove::Nothing);
        if rested + without > 0 {
            return true;
        }
        if self.several && !std::mem::take(&mut self.patient) {
            return false;
        }
        if self.free(me) > 0
            && let Some(next) = timers.next()
        {
            self.move_to(timers, hand, next);
            return true;
        }
        if self.outside > 0 {
            return false;
        }
        self.release(|_| true, Drove::Stalled(Stalled::NothingLeft));
        true
    }

    /// Lets those go who asked for one piece, or have waited for far too many.
    pub(super) fn look_at_drivers(&mut self, timers: &Timers, hand: &ManualClock) {
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
            if let Some(next) = timers.next() {
                self.move_to(timers, hand, next);
            }
        }
    }

    /// Lets drivers go; how many.
    pub(super) fn release(&mut self, whom: impl Fn(&Driver) -> bool, came_to: Drove) -> usize {
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
    pub(super) fn rest(&mut self, me: Option<&Arc<Strand>>) -> Option<Job> {
        self.moving = false;
        self.idle.extend(me.cloned());
        None
    }

    pub(super) fn move_to(&mut self, timers: &Timers, hand: &ManualClock, moment: Instant) {
        let by = moment.saturating_duration_since(timers.now());
        if !by.is_zero() {
            self.busy = 0;
            self.trace.add(by.as_nanos() as u64);
            hand.advance(by);
        }
    }
}
