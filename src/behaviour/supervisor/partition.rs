//! Supervisors of partitions: so many copies of one child, and each key leads to the same one of them.
//!
//! One process that everybody asks is as fast as one core. Where keys have nothing to do with one another, a copy
//! for each core serves a share of the keys, and whoever sends needs to know only the key.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::supervisor::{PartitionSupervisor, Partitions};
//!
//! enum Msg { Increment, Get(ReplyTo<u64>) }
//! struct Counter(u64);
//! impl GenServer for Counter {
//!     type Args = ();
//!     type Msg = Msg;
//!     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter(0)) }
//!     fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
//!         match msg {
//!             Msg::Increment => self.0 += 1,
//!             Msg::Get(reply) => reply.send(self.0),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! static COUNTERS: Partitions<Msg> = Partitions::new("counters");
//!
//! let counters = PartitionSupervisor::new(|_| Child::server::<Counter>("counter", ()))
//!     .partitions(4)
//!     .name(&COUNTERS)
//!     .start()?;
//! COUNTERS.key("lobby").cast(Msg::Increment);
//! COUNTERS.key(7).cast(Msg::Increment);
//! assert_eq!(COUNTERS.key(7 + 4).call(Msg::Get)?, COUNTERS.key(7).call(Msg::Get)?);
//! supervisor::stop(&counters)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it dies
//! As any supervisor. A partition that is being restarted is `NoProc` to those who send to it, the others go on.

use crate::behaviour::served::Served;
use crate::behaviour::supervisor::api::{self, ChildInfo, Counts, Msg, Request};
use crate::behaviour::supervisor::board;
use crate::behaviour::supervisor::child::{Child, ServerChild};
use crate::behaviour::supervisor::dynamic::{DynamicMsg, DynamicSupervisor};
use crate::behaviour::supervisor::restart::Strategy;
use crate::behaviour::supervisor::routes::{Key, LookupError, ResizeError, Routes, Table};
use crate::behaviour::supervisor::{INTENSITY, Supervisor, SupervisorError};
use crate::process::dest::sealed::Sealed;
use crate::process::name::Claim;
use crate::process::{CallError, Dest, Name, Ref, ServerName, StartError, Target};
use crate::reason::ExitReason;
use crate::sync::{Arc, thread};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A child whose messages are known by type: what partitions can be made of.
pub trait TypedChild: Into<Child> {
    /// The messages it takes.
    type Msg: Send + 'static;
}

impl<S: Served> TypedChild for ServerChild<S> {
    type Msg = <S as Served>::Msg;
}

impl TypedChild for DynamicSupervisor {
    type Msg = DynamicMsg;
}

type Make = Arc<dyn Fn(usize) -> Child + Send + Sync>;

/// A supervisor of partitions to be started; see the [module](self) for an example.
#[must_use = "a supervisor starts nothing until start or start_link"]
pub struct PartitionSupervisor<M: Send + 'static> {
    make: Make,
    partitions: usize,
    strategy: Strategy,
    intensity: (usize, Duration),
    name: Option<Arc<str>>,
    via: Option<Arc<dyn Claim>>,
    label: Option<Arc<str>>,
    message: PhantomData<fn(M)>,
}

impl<M: Send + 'static> Clone for PartitionSupervisor<M> {
    fn clone(&self) -> Self {
        PartitionSupervisor {
            make: self.make.clone(),
            partitions: self.partitions,
            strategy: self.strategy,
            intensity: self.intensity,
            name: self.name.clone(),
            via: self.via.clone(),
            label: self.label.clone(),
            message: PhantomData,
        }
    }
}

impl<M: Send + 'static> PartitionSupervisor<M> {
    /// A supervisor of as many partitions as there are cores. `make` gives the child of each partition, which it is
    /// told: 0, 1, 2 and so on. That is also the child's id, whatever id `make` gives it.
    pub fn new<C: TypedChild<Msg = M>>(make: impl Fn(usize) -> C + Send + Sync + 'static) -> Self {
        PartitionSupervisor {
            make: Arc::new(move |partition| make(partition).into()),
            partitions: thread::available_parallelism().map_or(1, |cores| cores.get()),
            strategy: Strategy::OneForOne,
            intensity: INTENSITY,
            name: None,
            via: None,
            label: None,
            message: PhantomData,
        }
    }

    /// How many partitions there are at the start, and at most ever. Default: as many as there are cores.
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.partitions = partitions;
        self
    }

    /// What else is restarted when a partition is. Default: nothing.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Gives up when there are more than `restarts` restarts within `period`. Default: 3 in 5 seconds.
    pub fn intensity(mut self, restarts: usize, period: Duration) -> Self {
        self.intensity = (restarts, period);
        self
    }

    /// Registers the supervisor under the name by which its partitions are found.
    pub fn name(mut self, name: &Partitions<M>) -> Self {
        self.name = Some(name.supervisor.as_str().into());
        self.via = None;
        self
    }

    /// Registers the supervisor in a registry instead; its partitions are found with [`Partitions::at`].
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

    /// Starts it without a link; returns when all partitions are up.
    ///
    /// # Errors
    /// As [`Supervisor::start`]; with [`SupervisorError::NoPartitions`] if there are to be none.
    pub fn start(self) -> Result<Ref<Msg>, StartError> {
        self.checked()?.supervisor().start()
    }

    /// Starts it linked to the process that runs on this thread.
    ///
    /// # Errors
    /// As [`start`](PartitionSupervisor::start); `NotAProcess` on a plain thread.
    pub fn start_link(self) -> Result<Ref<Msg>, StartError> {
        self.checked()?.supervisor().start_link()
    }

    /// This supervisor as a child of another.
    pub fn child(self, id: impl Into<Arc<str>>) -> Child {
        let none = self.partitions == 0;
        let child = Child::supervisor(id, move || self.clone().supervisor());
        child.around(move |start| {
            if none {
                return Err(no_partitions());
            }
            start()
        })
    }

    fn checked(self) -> Result<Self, StartError> {
        if self.partitions == 0 {
            return Err(no_partitions());
        }
        Ok(self)
    }

    fn supervisor(self) -> Supervisor {
        let table = Table::<M>::new(self.partitions);
        let children = (0..self.partitions).map(|at| {
            let child = (self.make)(at).spec(|spec| spec.id = at.to_string().into());
            table.partition(at, child)
        });
        let mut supervisor = Supervisor::new(self.strategy);
        supervisor.children = children.collect();
        supervisor.intensity = self.intensity;
        supervisor.name = self.name;
        supervisor.via = self.via;
        supervisor.label = self.label;
        supervisor.routes = Some(table);
        supervisor
    }
}

fn no_partitions() -> StartError {
    StartError::Exit(ExitReason::shutdown_with(SupervisorError::NoPartitions))
}

impl<M: Send + 'static> fmt::Debug for PartitionSupervisor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartitionSupervisor({} partitions)", self.partitions)
    }
}

/// The partitions of a supervisor, found through its name or whatever else leads to it; a constant, as a rule.
///
/// What it says of them comes from a table, without asking the supervisor.
pub struct Partitions<M: Send + 'static, D = Name<Msg>> {
    supervisor: D,
    message: PhantomData<fn(M)>,
}

impl<M: Send + 'static> Partitions<M> {
    /// Those of the supervisor of that name.
    pub const fn new(name: &'static str) -> Self {
        Partitions {
            supervisor: Name::new(name),
            message: PhantomData,
        }
    }
}

impl<M: Send + 'static, D: Dest<Msg = Msg>> Partitions<M, D> {
    /// Those of the supervisor to which a reference or a key of a registry leads.
    pub fn at(supervisor: D) -> Self {
        Partitions {
            supervisor,
            message: PhantomData,
        }
    }

    /// The supervisor.
    pub fn supervisor(&self) -> &D {
        &self.supervisor
    }

    /// The partition that a key leads to, as a destination: it is looked up at each send, so it survives restarts
    /// and follows a resize.
    pub fn key(&self, key: impl Into<Key>) -> Partition<M, &D> {
        Partition {
            supervisor: &self.supervisor,
            key: key.into(),
            message: PhantomData,
        }
    }

    /// [`key`](Partitions::key) for keeping.
    pub fn to_key(&self, key: impl Into<Key>) -> Partition<M, D>
    where
        D: Clone,
    {
        Partition {
            supervisor: self.supervisor.clone(),
            key: key.into(),
            message: PhantomData,
        }
    }

    /// The process that a key leads to at this moment. It may have ended, and be about to be restarted.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub fn lookup(&self, key: impl Into<Key>) -> Result<Ref<M>, LookupError> {
        lookup(&self.supervisor, key.into())
    }

    /// How many partitions there are.
    ///
    /// # Errors
    /// `NoSupervisor`; never `NoPartitions`.
    pub fn partitions(&self) -> Result<usize, LookupError> {
        Ok(routes(&self.supervisor)?.routed())
    }

    /// Starts or stops partitions until there are so many, which may be none; how many there were. Nobody is sent to
    /// a partition that is stopped, nor to a new one before all new ones are up. Which keys lead where changes for
    /// most keys.
    ///
    /// # Errors
    /// See [`ResizeError`]: there are never more than at the start.
    pub fn resize(&self, partitions: usize) -> Result<usize, ResizeError> {
        api::ask(&self.supervisor, |reply| Request::Resize(partitions, reply))?
    }

    /// All partitions, the last first; those that are stopped among them. An id is the partition's number.
    ///
    /// # Errors
    /// As any call.
    pub fn which_children(&self) -> Result<Vec<ChildInfo>, CallError> {
        api::which_children(&self.supervisor)
    }

    /// How many partitions there are; `specs` counts those that are stopped, too.
    ///
    /// # Errors
    /// As any call.
    pub fn count_children(&self) -> Result<Counts, CallError> {
        api::count_children(&self.supervisor)
    }
}

fn routes(supervisor: &impl Dest<Msg = Msg>) -> Result<Arc<dyn Routes>, LookupError> {
    let Target::Local(supervisor) = supervisor.resolve() else {
        return Err(LookupError::NoSupervisor);
    };
    let shared = &supervisor.mailbox().core().runtime;
    let board = board::find(shared, supervisor.pid()).ok_or(LookupError::NoSupervisor)?;
    board.routes.clone().ok_or(LookupError::NoSupervisor)
}

fn lookup<M: Send + 'static>(
    supervisor: &impl Dest<Msg = Msg>,
    key: Key,
) -> Result<Ref<M>, LookupError> {
    let routes: Arc<dyn Any + Send + Sync> = routes(supervisor)?;
    match routes.downcast_ref::<Table<M>>() {
        Some(table) => table.lookup(key),
        None => Err(LookupError::WrongMessageType),
    }
}

impl<M: Send + 'static, D: Clone> Clone for Partitions<M, D> {
    fn clone(&self) -> Self {
        Partitions {
            supervisor: self.supervisor.clone(),
            message: PhantomData,
        }
    }
}

impl<M: Send + 'static, D: fmt::Debug> fmt::Debug for Partitions<M, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partitions({:?})", self.supervisor)
    }
}

/// One partition as a destination; made by [`Partitions::key`].
pub struct Partition<M: Send + 'static, D = Name<Msg>> {
    supervisor: D,
    key: Key,
    message: PhantomData<fn(M)>,
}

impl<M: Send + 'static, D> Sealed for Partition<M, D> {}

impl<M: Send + 'static, D: Dest<Msg = Msg>> Dest for Partition<M, D> {
    type Msg = M;

    fn resolve(&self) -> Target<M> {
        match lookup(&self.supervisor, self.key) {
            Ok(partition) => Target::Local(partition),
            Err(LookupError::WrongMessageType) => match self.supervisor.resolve() {
                Target::Local(supervisor) => Target::WrongMessageType(supervisor.pid()),
                _ => Target::NoProc,
            },
            Err(_) => Target::NoProc,
        }
    }
}

impl<M: Send + 'static, D: Clone> Clone for Partition<M, D> {
    fn clone(&self) -> Self {
        Partition {
            supervisor: self.supervisor.clone(),
            key: self.key,
            message: PhantomData,
        }
    }
}

impl<M: Send + 'static, D: fmt::Debug> fmt::Debug for Partition<M, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition({:?}, {:?})", self.supervisor, self.key)
    }
}
