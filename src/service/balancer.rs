//! Balancers: one destination in front of several workers.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::{Balance, Balancer};
//!
//! struct Doubler;
//! impl GenServer for Doubler {
//!     type Args = ();
//!     type Msg = (u64, ReplyTo<u64>);
//!     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Doubler) }
//!     fn handle(&mut self, (n, reply): Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
//!         reply.send(2 * n);
//!         Next::Loop
//!     }
//! }
//!
//! let names: Vec<Name<_>> = (0..4).map(|n| Name::owned(format!("doubler {n}"))).collect();
//! let mut workers = Supervisor::new(Strategy::OneForOne);
//! for name in &names {
//!     workers = workers.child(Child::server::<Doubler>(name.as_str(), ()).name(name).thread());
//! }
//! let workers = workers.start()?;
//! let doublers = Balancer::new(Balance::LeastLoaded, names);
//! assert_eq!(doublers.call(|reply| (21, reply))?, 42);
//! # perennial::supervisor::stop(&workers)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A balancer is no process: whoever sends picks the worker, so it is no bottleneck and cannot die.
//!
//! # How workers die
//! One that is dead at the moment of a send is passed over. Give the workers as names: one that is restarted
//! is then back in the line by itself. What a worker had in its mailbox when it died is lost with it, and its calls
//! fail, as for any process.
//!
//! # Options
//! [`Balance`] says who is next; [`by`](Balancer::by) keeps all that has to do with one key with one worker.

use crate::process::dest::sealed::Sealed;
use crate::process::{Dest, Ref, Target};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Which of the workers that live gets the next message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// One after the other: for work of equal pieces.
    #[default]
    RoundRobin,
    /// The one with the fewest messages in its mailbox, a call that it has in hand among them; among equals one that
    /// is idle, and then in turn. Looks at all of them.
    LeastLoaded,
    /// The less loaded of two at random: nearly as even, and looks at two however many there are.
    PowerOfTwoChoices,
}

/// Several workers as one destination; a clone shares their turn.
///
/// # How it fails
/// With no worker alive, a call fails with `NoProc` and a cast is a dead letter.
pub struct Balancer<D>(Arc<Shared<D>>);

struct Shared<D> {
    balance: Balance,
    workers: Vec<D>,
    turn: AtomicUsize,
}

impl<D: Dest> Balancer<D> {
    /// A balancer over these workers, which need not live yet.
    pub fn new(balance: Balance, workers: impl IntoIterator<Item = D>) -> Self {
        Balancer(Arc::new(Shared {
            balance,
            workers: workers.into_iter().collect(),
            turn: AtomicUsize::new(0),
        }))
    }

    /// The worker that the next message would go to; each call takes a turn. `None` if none is alive.
    pub fn pick(&self) -> Option<Ref<D::Msg>> {
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed);
        match self.0.balance {
            Balance::RoundRobin => self.alive_from(turn).next(),
            Balance::LeastLoaded => self.alive_from(turn).min_by_key(load),
            Balance::PowerOfTwoChoices => self.less_loaded_of_two(turn),
        }
    }

    /// The workers as a destination for all that has to do with `key`: always the same worker while it lives. When
    /// one dies, only its own keys move, spread over the others, and back when it returns.
    ///
    /// ```
    /// use perennial::prelude::*;
    /// use perennial::{Balance, Balancer, process};
    /// let workers: Vec<_> = (0..4).map(|_| process::spawn::<u32>(|cx| { cx.receive(); })).collect();
    /// let balancer = Balancer::new(Balance::RoundRobin, workers);
    /// assert_eq!(balancer.by(&"anna").pick(), balancer.by(&"anna").pick());
    /// for n in 0..4 { balancer.cast(n); }
    /// ```
    pub fn by<K: Hash + ?Sized>(&self, key: &K) -> Keyed<D> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Keyed {
            workers: self.0.clone(),
            hash: hasher.finish(),
        }
    }

    /// The workers, alive or not.
    pub fn workers(&self) -> &[D] {
        &self.0.workers
    }

    /// The workers that live, in turn, beginning with that of `turn`.
    fn alive_from(&self, turn: usize) -> impl Iterator<Item = Ref<D::Msg>> {
        let workers = &self.0.workers;
        let from = turn.checked_rem(workers.len()).unwrap_or(0);
        let (later, first) = workers.split_at(from);
        first.iter().chain(later).filter_map(alive)
    }

    fn less_loaded_of_two(&self, turn: usize) -> Option<Ref<D::Msg>> {
        let workers = self.0.workers.len();
        if workers < 3 {
            return self.alive_from(turn).min_by_key(load);
        }
        let random = scatter(turn as u64);
        let one = random as usize % workers;
        // Any but the first.
        let other = (one + 1 + (random >> 32) as usize % (workers - 1)) % workers;
        let two = [one, other].map(|at| alive(&self.0.workers[at]));
        let best = two.into_iter().flatten().min_by_key(load);
        best.or_else(|| self.alive_from(one).next())
    }
}

/// The process of a worker, if it lives.
fn alive<D: Dest>(worker: &D) -> Option<Ref<D::Msg>> {
    match worker.resolve() {
        Target::Local(process) if process.is_alive() => Some(process),
        _ => None,
    }
}

/// How much a worker has to do: what waits for it and the call it has in hand; among equals, whether it runs at
/// all. A worker that has just answered runs on for a moment, so running alone weighs less than a call.
fn load<M: Send + 'static>(worker: &Ref<M>) -> (usize, bool) {
    let mailbox = worker.mailbox();
    let in_hand = usize::from(mailbox.core().current_call() != 0);
    (mailbox.mailbox_len() + in_hand, mailbox.is_scheduled())
}

/// Makes a number look random: the finalizer of the generator SplitMix64.
fn scatter(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

impl<D: Dest> Sealed for Balancer<D> {}

impl<D: Dest> Dest for Balancer<D> {
    type Msg = D::Msg;
    const SURVIVES: bool = D::SURVIVES;

    fn resolve(&self) -> Target<D::Msg> {
        self.pick().map_or(Target::NoProc, Target::Local)
    }
}

/// The workers of a [`Balancer`] for one key; made by [`Balancer::by`].
pub struct Keyed<D> {
    workers: Arc<Shared<D>>,
    hash: u64,
}

impl<D: Dest> Keyed<D> {
    /// The worker of the key; `None` if none is alive.
    ///
    /// Every worker draws a number for the key and the highest among the living wins (rendezvous hashing): so
    /// nobody's key moves because of somebody else's death.
    pub fn pick(&self) -> Option<Ref<D::Msg>> {
        let workers = self.workers.workers.iter().enumerate();
        let living = workers.filter_map(|(at, worker)| Some((at, alive(worker)?)));
        let (_, winner) = living.max_by_key(|(at, _)| scatter(self.hash ^ scatter(*at as u64)))?;
        Some(winner)
    }
}

impl<D: Dest> Sealed for Keyed<D> {}

impl<D: Dest> Dest for Keyed<D> {
    type Msg = D::Msg;
    const SURVIVES: bool = D::SURVIVES;

    fn resolve(&self) -> Target<D::Msg> {
        self.pick().map_or(Target::NoProc, Target::Local)
    }
}

impl<D> Clone for Balancer<D> {
    fn clone(&self) -> Self {
        Balancer(self.0.clone())
    }
}

impl<D> Clone for Keyed<D> {
    fn clone(&self) -> Self {
        Keyed {
            workers: self.workers.clone(),
            hash: self.hash,
        }
    }
}

impl<D> fmt::Debug for Balancer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (balance, workers) = (self.0.balance, self.0.workers.len());
        write!(f, "Balancer({balance:?}, {workers} workers)")
    }
}

impl<D> fmt::Debug for Keyed<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyed({} workers)", self.workers.workers.len())
    }
}
