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
//! # How it dies
//! When its parent ends or [`stop`] is called: children in reverse order, then itself with that reason. With
//! `Shutdown` when restarts came too fast, or when its significant children are through. An exit signal from
//! anybody else does nothing. Killed, it takes its children with it, through their links.
//!
//! # Options
//! [`Supervisor`] has the strategy, how many restarts in which time are too many, and when it ends with its
//! significant children; [`ServerChild`] when a child is restarted and after which wait, and how it is stopped.
//! Children that come and go are a [`DynamicSupervisor`]'s. What happens to children is told as a
//! [`SupervisorEvent`].

mod api;
mod child;
mod dynamic;
mod dynamic_machine;
mod event;
mod job;
mod machine;
mod recover;
mod restart;
mod serve;
mod slot;

pub use api::{
    ChildError, ChildInfo, ChildState, Counts, DeleteChildError, Msg, RestartChildError,
    StartChildError, count_children, delete_child, get_childspec, restart_child, start_child, stop,
    terminate_child, which_children,
};
pub(crate) use child::{Begun, Then, begun};

pub use child::{Child, ChildKind, ChildSpec, ServerChild};
pub use dynamic::{DynamicMsg, DynamicSupervisor, StartedChild, dynamic_supervisor};
pub use event::{SupervisorEvent, What};
pub use restart::{AutoShutdown, Restart, Shutdown, Strategy};

use crate::process::{Name, Ref, StartError, start};
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
    label: Option<Arc<str>>,
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
            label: None,
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

    /// Registers the supervisor under a name.
    pub fn name(mut self, name: &Name<Msg>) -> Self {
        self.name = Some(name.as_str().into());
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
        Ok(start::start(options, init)?.reference)
    }

    /// Starts it linked to the process that runs on this thread.
    ///
    /// # Errors
    /// As [`start`](Supervisor::start); `NotAProcess` on a plain thread.
    pub fn start_link(self) -> Result<Ref<Msg>, StartError> {
        let (mut options, init) = machine::launch(self);
        options.link = true;
        Ok(start::start(options, init)?.reference)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Supervisor({:?}, {:?})", self.strategy, self.children)
    }
}
