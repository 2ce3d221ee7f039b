//! A deterministic runtime: one thread runs at a time, a seed says which is next, and time moves only when nothing runs.
//!
//! Reading order: `dice` (pure: what the seed decides), `state` (who is next), `strand` (the threads), `baton` (how it
//! goes round), and this file, which is what a
//! test holds. Why nothing is lost, and what is left to chance all the same, is in the scheduler's README.md.

mod baton;
mod dice;
mod state;
mod strand;

pub(super) use baton::Baton;
use state::{BUSY_MAX, Drove, PIECES_MAX, Until};
pub(crate) use strand::Place;
use strand::{Part, Strand};

use crate::sync::Arc;
use crate::time::later;
use std::fmt;
use std::time::{Duration, Instant};

/// The hand on a deterministic runtime, for tests: what runs, and when time moves.
///
/// [`Builder::deterministic`](crate::process::Builder::deterministic) makes such a runtime from a seed. In it one thread runs at a
/// time, and wherever several could, the seed says which; the same seed gives the same run, so a failure that took one seed in a
/// thousand to find is there again as often as it is asked for. Time is virtual: it stands still while anything can run,
/// and when nothing can, and somebody waits, it jumps to the first timer. So a call that times out after five seconds does so at once.
///
/// A supervision tree under test, whatever the order of things:
///
/// ```
/// use perennial::prelude::*;
/// use perennial::{Runtime, scheduler::Stalled};
/// use std::time::Duration;
///
/// enum Msg { Work, Crash, Done(ReplyTo<u32>) }
/// static WORKER: Name<Msg> = Name::new("worker");
///
/// struct Worker(u32);
/// impl GenServer for Worker {
///     type Args = ();
///     type Msg = Msg;
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Worker(0)) }
///     fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
///         match msg {
///             Msg::Work => self.0 += 1,
///             Msg::Crash => panic!("out of paper"),
///             Msg::Done(reply) => reply.send(self.0),
///         }
///         Next::Loop
///     }
/// }
///
/// for seed in 0..20 {
///     let runtime = Runtime::builder().deterministic(seed).build().unwrap();
///     let hand = runtime.deterministic().unwrap();
///     let _entered = runtime.enter();
///     let tree = Supervisor::new(Strategy::OneForOne)
///         .child(Child::server::<Worker>("worker", ()).name(&WORKER).thread())
///         .start()
///         .unwrap();
///     let first = WORKER.whereis().unwrap();
///     WORKER.cast(Msg::Work);
///     WORKER.cast(Msg::Crash);
///     // Nothing has moved: this thread has not waited for anything.
///     assert_eq!(WORKER.whereis(), Some(first.clone()));
///     hand.run_until(|| WORKER.whereis().is_some_and(|now| now != first))
///         .unwrap_or_else(|stalled| panic!("seed {seed}: {stalled}"));
///     assert_eq!(WORKER.call(Msg::Done), Ok(0), "seed {seed}");
///     // Five minutes, at once.
///     hand.advance(Duration::from_secs(300));
///     assert_eq!(hand.run_until(|| WORKER.whereis().is_none()), Err(Stalled::NothingLeft));
///     supervisor::stop(&tree).unwrap();
///     assert_eq!(runtime.shutdown(Duration::from_secs(5)).zombies, 0);
/// }
/// ```
///
/// # Who drives
///
/// Nothing runs by itself. A thread from outside, the test, makes it: with the functions here, and by waiting for anything in the
/// library: a call, a start, a [`Watch`](crate::process::Watch), [`process::sleep`](crate::process::sleep), a receive inside
/// [`process::run`](crate::process::run). While it runs its own lines, everything else stands still. A wait for what cannot come,
/// as nothing can run and no timer is left, panics and says so.
///
/// # What is deterministic
///
/// All that the library does: who runs, how many messages a turn handles, where a process is put aside in the middle of its code
/// (at a send, a call, a start and whatever else looks whether the process was killed), pids, timers, links and monitors, the
/// waits between restarts. Seeds differ in their habits, too: some put aside often, some never, some are as fair as can be.
///
/// Not what it cannot see: threads of the program's own, the system's clock, the order in a `HashMap` of `std`, and so that in which a
/// [`Registry`](crate::Registry) lists its keys. Code of a process that
/// waits outside of the library, for a lock of `std` or for a socket, holds up everything; and whoever sends while it holds
/// a lock may be put aside with it, so let go first. A thread of the program's own may call into the runtime, and
/// drives it then; when it does is chance.
#[derive(Clone)]
pub struct Deterministic(Arc<Baton>);

/// Why a deterministic runtime did not come to what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stalled {
    /// Nothing can run and no timer is left: it is idle, or those who are in it wait for each other.
    NothingLeft,
    /// It has run ten million pieces meanwhile, and goes on.
    StillBusy,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stalled::NothingLeft => {
                "deadlock: waiting for what cannot come, as nothing can run and no timer is left"
            }
            Stalled::StillBusy => "waiting for what ten million pieces did not bring",
        })
    }
}

impl std::error::Error for Stalled {}

impl Deterministic {
    pub(super) fn over(baton: &Arc<Baton>) -> Self {
        Deterministic(baton.clone())
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// How much virtual time has passed since the runtime was started.
    pub fn now(&self) -> Duration {
        self.0.timers.now().duration_since(self.0.began)
    }

    /// How many pieces have run: turns of pooled processes, timers, and stretches of thread processes between two waits.
    pub fn steps(&self) -> u64 {
        self.0.pieces()
    }

    /// All choices so far as one number: two runs that agree in it went the same way.
    pub fn trace_hash(&self) -> u64 {
        self.0.trace()
    }

    /// Runs one piece; `false` if nothing can run. Time does not move.
    ///
    /// # Panics
    /// On a thread that the runtime runs, as all that drives it: a process does not drive what runs it.
    pub fn step(&self) -> bool {
        self.drive(Until::Piece) == Drove::There
    }

    /// Runs until nothing can run any more at this moment. Time does not move.
    ///
    /// # Panics
    /// If ten million pieces bring no rest; and as [`step`](Deterministic::step).
    pub fn run_until_idle(&self) {
        if let Drove::Stalled(Stalled::StillBusy) = self.drive(Until::Rest) {
            panic!("running a deterministic runtime until it is idle: it never is");
        }
    }

    /// Runs until `done` says so, which is asked between any two pieces. When nothing can run, time moves to the first timer.
    ///
    /// # Errors
    /// [`Stalled`] if it will not come to that.
    ///
    /// # Panics
    /// As [`step`](Deterministic::step).
    pub fn run_until(&self, done: impl FnMut() -> bool) -> Result<(), Stalled> {
        self.run(None, done)
    }

    /// Moves time on by `by`: to each timer that becomes due meanwhile, in order, and what it wakes runs before the next one.
    ///
    /// # Panics
    /// As [`run_until_idle`](Deterministic::run_until_idle).
    pub fn advance(&self, by: Duration) {
        let end = later(self.0.timers.now(), by);
        self.run_until_idle();
        while self.jump(Some(end)) {
            self.run_until_idle();
        }
        self.0.move_to(end);
    }

    /// As [`run_until`](Deterministic::run_until), while it is not later than `end`.
    pub(crate) fn run(
        &self,
        end: Option<Instant>,
        mut done: impl FnMut() -> bool,
    ) -> Result<(), Stalled> {
        let began = self.steps();
        let mut busy = 0;
        while !done() {
            if self.steps() - began >= PIECES_MAX {
                return Err(Stalled::StillBusy);
            }
            match self.drive(Until::Piece) {
                Drove::There if busy < BUSY_MAX => busy += 1,
                Drove::There => {
                    // Whatever keeps itself busy for ever sees time pass.
                    busy = 0;
                    self.jump(end);
                }
                Drove::Nothing if self.jump(end) => {}
                Drove::Nothing => return Err(Stalled::NothingLeft),
                Drove::Stalled(stalled) => return Err(stalled),
            }
        }
        Ok(())
    }

    /// Whether the calling thread is one that the runtime runs.
    pub(crate) fn is_inside(&self) -> bool {
        strand::current(&self.0).is_some()
    }

    /// Whether a turn waits or was put aside, and holds a worker.
    pub(crate) fn is_held_up(&self) -> bool {
        let account = self.0.account();
        account.workers > account.idle
    }

    /// Moves time to the first timer, if that is not later than `end`.
    fn jump(&self, end: Option<Instant>) -> bool {
        let next = self.0.timers.next();
        let next = next.filter(|next| end.is_none_or(|end| *next <= end));
        if let Some(next) = next {
            self.0.move_to(next);
        }
        next.is_some()
    }

    fn drive(&self, until: Until) -> Drove {
        let me = Strand::new(&self.0, Part::Driver, 0, String::new());
        self.0.drive(&me, until)
    }
}

impl fmt::Debug for Deterministic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, now, steps) = (self.seed(), self.now(), self.steps());
        write!(f, "Deterministic(seed {seed}, {now:?}, {steps} steps)")
    }
}
