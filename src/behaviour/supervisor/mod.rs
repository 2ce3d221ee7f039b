//! Supervisors: processes that start others, and start them again when they end.
//!
//! ```
//! use perennial::prelude::*;
//! use std::time::Duration;
//!
//! struct Counter(u64);
//! enum Msg { Increment, Get(ReplyTo<u64>), Crash }
//! impl GenServer for Counter {
//!     type Args = u64;
//!     type Msg = Msg;
//!     fn init(start: u64, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter(start)) }
//!     fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
//!         match msg {
//!             Msg::Increment => self.0 += 1,
//!             Msg::Get(reply) => reply.send(self.0),
//!             Msg::Crash => panic!("out of paper"),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! static COUNTER: Name<Msg> = Name::new("a counter");
//! let supervisor = Supervisor::new(Strategy::OneForOne)
//!     .intensity(3, Duration::from_secs(5))
//!     .child(Child::server::<Counter>("counter", 0).name(&COUNTER))
//!     .start()?;
//! let first = COUNTER.whereis().unwrap();
//! COUNTER.cast(Msg::Increment);
//! COUNTER.cast(Msg::Crash);
//! perennial::process::watch(&first).wait(Duration::from_secs(5)).unwrap();
//! supervisor::which_children(&supervisor)?; // answered when the restart is through
//! assert_eq!(COUNTER.call(Msg::Get)?, 0);
//! supervisor::stop(&supervisor)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A supervisor never blocks: starting, stopping and waiting are states, and what is asked of it meanwhile waits
//! in order.
//!
//! # Which one
//! [`Supervisor`] for children that are known from the beginning, [`DynamicSupervisor`] for those that come and go,
//! [`PartitionSupervisor`] for copies of one child that share the work by key. A [`Drainer`] among the children has
//! what was begun come to its end before the rest stops.
//!
//! # Looking at it
//! [`which_children`] and [`count_children`] ask the supervisor, and wait while it starts or stops something.
//! [`snapshot`] and [`tree()`] ask nobody and are answered at once. What happens comes as [`SupervisorEvent`]: to a
//! process with [`subscribe()`], to any thread with [`events`].
//!
//! # How it dies
//! When its parent ends or [`stop()`] is called: children in reverse order, then itself with that reason. With
//! `Shutdown` when restarts came too fast, or when its significant children are through. An exit signal from
//! anybody else does nothing. Killed, it takes its children with it, through their links. [`stop_within`] makes an
//! end of all that is left of a tree at a deadline.
//!
//! # Options
//! Of a supervisor: strategy, intensity, auto-shutdown, children that start in parallel, name, label. Of a child, see
//! [`ServerChild`]: restart type and reasons, shutdown, backoff, an intensity of its own, significance.

mod api;
mod board;
mod child;
mod children;
mod drainer;
mod dynamic;
mod dynamic_machine;
mod event;
mod gate;
mod inspect;
mod job;
mod machine;
pub mod partition;
mod patience;
mod recover;
mod restart;
mod routes;
mod serve;
mod siblings;
mod slot;
mod steps;
mod stop;
mod subscribe;
mod tree;

pub use api::{
    ChildError, ChildInfo, ChildState, Counts, DeleteChildError, Msg, RestartChildError,
    StartChildError, count_children, delete_child, get_childspec, restart_child, start_child,
    terminate_child, which_children,
};
pub(crate) use child::{Begun, is_up};

pub use board::{ChildSnapshot, ChildStatus, snapshot};
pub use child::{Child, ChildKind, ChildSpec, ServerChild};
pub use drainer::Drainer;
pub use dynamic::{DynamicMsg, DynamicSupervisor, StartedChild, dynamic_supervisor};
pub use event::{SupervisorEvent, What};
pub use gate::{Gate, Pass};
pub use partition::{Partition, PartitionSupervisor, Partitions, TypedChild};
pub use restart::{AutoShutdown, Restart, Shutdown, Strategy};
pub use routes::{Key, LookupError, ResizeError};
pub use stop::{KilledProcess, StopReport, stop, stop_for, stop_within};
pub use subscribe::{Events, Scope, Subscription, events, subscribe, unsubscribe};
pub use tree::{Node, Tree, tree};

use crate::process::name::Claim;
use crate::process::{Name, Ref, ServerName, StartError, start};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// Restarts that are allowed unless told otherwise, and in what time: Elixir's three in five seconds.
const INTENSITY: (usize, Duration) = (3, Duration::from_secs(5));

/// A supervisor to be started, with its children in start order.
#[must_use = "a supervisor starts nothing until start or start_link"]
pub struct Supervisor {
    strategy: Strategy,
    intensity: (usize, Duration),
    auto_shutdown: AutoShutdown,
    children: Vec<Child>,
    name: Option<Arc<str>>,
    via: Option<Arc<dyn Claim>>,
    label: Option<Arc<str>>,
    /// How many groups of children that are started in parallel there are.
    groups: u32,
    /// Where its children are found if they are partitions.
    routes: Option<Arc<dyn routes::Routes>>,
}

/// Why the start of a supervisor failed: the value in its `StartError::Exit(ShutdownWith(..))`.
#[derive(Clone, Debug, PartialEq)]
pub enum SupervisorError {
    /// A child did not start; those before it have been stopped in reverse order.
    FailedToStartChild(Arc<str>, StartError),
    /// Two children have this id.
    DuplicateChild(Arc<str>),
    /// A significant child is permanent, or its supervisor never shuts down by itself.
    BadCombination(Arc<str>),
    /// A partition supervisor is to have no partitions.
    NoPartitions,
}

impl Supervisor {
    /// A supervisor without children.
    pub fn new(strategy: Strategy) -> Self {
        Supervisor {
            strategy,
            intensity: INTENSITY,
            auto_shutdown: AutoShutdown::default(),
            children: Vec::new(),
            name: None,
            via: None,
            label: None,
            groups: 0,
            routes: None,
        }
    }

    /// Gives up when there are more than `restarts` restarts within `period`. Default: 3 in 5 seconds.
    pub fn intensity(mut self, restarts: usize, period: Duration) -> Self {
        self.intensity = (restarts, period);
        self
    }

    /// Whether it ends when its significant children have. Default: never.
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// Adds a child, to be started after those that were added before.
    pub fn child(mut self, child: impl Into<Child>) -> Self {
        self.children.push(child.into());
        self
    }

    /// Adds children that are started in parallel with each other, after those that were added before.
    ///
    /// All their `init`s begin at once, and are acknowledged in this order. If one fails, all that have been started
    /// are stopped in reverse, as ever; that goes for the restart of a group, too. Those that need one another to
    /// start do not belong in one group.
    ///
    /// ```
    /// use perennial::prelude::*;
    /// # struct Cache; impl GenServer for Cache { type Args = &'static str; type Msg = ();
    /// #   fn init(_: &'static str, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Cache) }
    /// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
    /// let caches = Supervisor::new(Strategy::OneForOne)
    ///     .parallel(["users", "rooms"].map(|name| Child::server::<Cache>(name, name)))
    ///     .start()?;
    /// # supervisor::stop(&caches)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parallel<C: Into<Child>>(mut self, children: impl IntoIterator<Item = C>) -> Self {
        self.groups += 1;
        let group = Some(self.groups);
        let grouped = |child: C| child.into().spec(|spec| spec.group = group);
        self.children.extend(children.into_iter().map(grouped));
        self
    }

    /// Starts all children that have been added so far in parallel with each other: one group, as
    /// [`parallel`](Supervisor::parallel) makes it.
    pub fn start_parallel(mut self) -> Self {
        self.groups += 1;
        for child in &mut self.children {
            child.spec.group = Some(self.groups);
        }
        self
    }

    /// Registers the supervisor under a name.
    pub fn name(mut self, name: &Name<Msg>) -> Self {
        self.name = Some(name.as_str().into());
        self.via = None;
        self
    }

    /// Registers the supervisor in a registry instead, before its first child starts; a second one there fails with
    /// `AlreadyStarted`.
    pub fn via(mut self, via: impl ServerName<Msg = Msg>) -> Self {
        self.via = Some(via.into_claim().0);
        self.name = None;
        self
    }

    /// What observers and crash reports call it.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Starts it without a link; returns when all children are up.
    ///
    /// # Errors
    /// See [`StartError`]; when a child fails, `Exit(ShutdownWith(..))` with a [`SupervisorError`].
    pub fn start(self) -> Result<Ref<Msg>, StartError> {
        let (options, init) = machine::launch(self);
        Ok(start::start(&options, init)?.reference)
    }

    /// Starts it linked to the process that runs on this thread.
    ///
    /// # Errors
    /// As [`start`](Supervisor::start); `NotAProcess` on a plain thread.
    pub fn start_link(self) -> Result<Ref<Msg>, StartError> {
        let (mut options, init) = machine::launch(self);
        options.link = true;
        Ok(start::start(&options, init)?.reference)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Supervisor({:?}, {:?})", self.strategy, self.children)
    }
}
