//! Supervisors whose children come and go: any number, one for one, known by their pids.

use crate::behaviour::served::Served;
use crate::behaviour::supervisor::INTENSITY;
use crate::behaviour::supervisor::api::{ChildError, ChildInfo, Counts, StartChildError};
use crate::behaviour::supervisor::child::{AnyRef, Child, ServerChild};
use crate::behaviour::supervisor::dynamic_machine;
use crate::behaviour::supervisor::restart::{AutoShutdown, Restart};
use crate::pid::Pid;
use crate::process::dest::Dest;
use crate::process::{CallError, Name, Ref, ReplyTo, StartError, start};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// What a dynamic supervisor is sent: made by the functions of [`dynamic_supervisor`].
pub struct DynamicMsg(pub(super) Request);

impl DynamicMsg {
    /// Starts a child, for [`Cx::request`](crate::gen_server::Cx::request): what
    /// [`dynamic_supervisor::start_any`] does, without waiting.
    pub fn start(
        child: impl Into<Child>,
        reply: ReplyTo<Result<StartedChild, StartChildError>>,
    ) -> Self {
        DynamicMsg(Request::Start(Box::new(child.into()), reply))
    }
}

/// A child that was started.
#[derive(Clone)]
pub struct StartedChild {
    pub(super) pid: Pid,
    pub(super) reference: Arc<dyn AnyRef>,
}

impl StartedChild {
    /// Its pid.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its reference, if it takes messages of type `M`.
    pub fn reference<M: Send + 'static>(&self) -> Option<Ref<M>> {
        self.reference.of()
    }
}

impl fmt::Debug for StartedChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StartedChild({})", self.pid)
    }
}

pub(super) enum Request {
    Start(Box<Child>, ReplyTo<Result<StartedChild, StartChildError>>),
    Terminate(Pid, ReplyTo<Result<(), ChildError>>),
    Which(ReplyTo<Vec<ChildInfo>>),
    Count(ReplyTo<Counts>),
}

impl fmt::Debug for DynamicMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynamicMsg")
    }
}

/// A dynamic supervisor to be started. It begins without children; [`dynamic_supervisor`] has the rest.
///
/// When it stops, all its children are told to at once.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::supervisor::dynamic_supervisor;
/// # struct Room(String);
/// # impl GenServer for Room { type Args = String; type Msg = ReplyTo<String>;
/// #   fn init(name: String, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Room(name)) }
/// #   fn handle(&mut self, reply: ReplyTo<String>, _: &mut Cx<Self>) -> Next<Self::Msg> {
/// #     reply.send(self.0.clone()); Next::Loop } }
/// let rooms = DynamicSupervisor::new().max_children(1_000).start()?;
/// let lobby = dynamic_supervisor::start_child(&rooms, Child::server::<Room>("room", "lobby".to_owned()))?;
/// assert_eq!(lobby.call(|reply| reply)?, "lobby");
/// perennial::supervisor::stop(&rooms)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a supervisor starts nothing until start or start_link"]
pub struct DynamicSupervisor {
    pub(super) max_children: usize,
    pub(super) intensity: (usize, Duration),
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) name: Option<Arc<str>>,
    pub(super) label: Option<Arc<str>>,
}

impl Default for DynamicSupervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl DynamicSupervisor {
    /// A supervisor without children and without a limit to them.
    pub fn new() -> Self {
        DynamicSupervisor {
            max_children: usize::MAX,
            intensity: INTENSITY,
            auto_shutdown: AutoShutdown::default(),
            name: None,
            label: None,
        }
    }

    /// How many children there may be, those that wait for a restart among them.
    pub fn max_children(mut self, max: usize) -> Self {
        self.max_children = max;
        self
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

    /// Registers the supervisor under a name.
    pub fn name(mut self, name: &Name<DynamicMsg>) -> Self {
        self.name = Some(name.as_str().into());
        self
    }

    /// What observers and crash reports call it.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Starts it without a link.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Ref<DynamicMsg>, StartError> {
        let (options, init) = dynamic_machine::launch(self);
        Ok(start::start(&options, init)?.reference)
    }

    /// Starts it linked to the process that runs on this thread.
    ///
    /// # Errors
    /// See [`StartError`]; `NotAProcess` on a plain thread.
    pub fn start_link(self) -> Result<Ref<DynamicMsg>, StartError> {
        let (mut options, init) = dynamic_machine::launch(self);
        options.link = true;
        Ok(start::start(&options, init)?.reference)
    }

    /// This supervisor as a child of another.
    pub fn child(self, id: impl Into<Arc<str>>) -> Child {
        dynamic_machine::child(self, id.into())
    }
}

/// Its id is its name, if it has one.
impl From<DynamicSupervisor> for Child {
    fn from(supervisor: DynamicSupervisor) -> Child {
        let name = supervisor.name.clone();
        supervisor.child(name.unwrap_or_else(|| "dynamic supervisor".into()))
    }
}

/// What can be asked of a running [`DynamicSupervisor`].
pub mod dynamic_supervisor {
    use super::*;

    /// What can never be a child is refused before anybody is asked.
    fn checked(child: impl Into<Child>) -> Result<Box<Child>, StartChildError> {
        let child = Box::new(child.into());
        if child.spec.significant && child.spec.restart == Restart::Permanent {
            return Err(StartChildError::BadCombination);
        }
        Ok(child)
    }

    fn ask<T: Send + 'static>(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        make: impl FnOnce(ReplyTo<T>) -> Request,
    ) -> Result<T, CallError> {
        // As in OTP: a supervisor takes as long as its children do.
        supervisor.call_for(Duration::MAX, |reply| DynamicMsg(make(reply)))
    }

    /// Starts a server under the supervisor; returns when its `init` is through.
    ///
    /// # Errors
    /// See [`StartChildError`]; `Failed(Ignored)` if its `init` chose `Ignore`.
    pub fn start_child<S: Served>(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        child: ServerChild<S>,
    ) -> Result<Ref<S::Msg>, StartChildError> {
        let child = checked(child)?;
        let started = ask(supervisor, |reply| Request::Start(child, reply))??;
        match started.reference() {
            Some(reference) => Ok(reference),
            None => unreachable!("a server child has a reference of its server's messages"),
        }
    }

    /// Starts any child under the supervisor.
    ///
    /// # Errors
    /// As [`start_child`].
    pub fn start_any(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        child: impl Into<Child>,
    ) -> Result<Pid, StartChildError> {
        let child = checked(child)?;
        Ok(ask(supervisor, |reply| Request::Start(child, reply))??.pid)
    }

    /// Stops a child and forgets it.
    ///
    /// # Errors
    /// See [`ChildError`].
    pub fn terminate_child(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        child: impl Into<Pid>,
    ) -> Result<(), ChildError> {
        let pid = child.into();
        ask(supervisor, |reply| Request::Terminate(pid, reply))?
    }

    /// All children, in no order.
    ///
    /// # Errors
    /// As any call.
    pub fn which_children(
        supervisor: &impl Dest<Msg = DynamicMsg>,
    ) -> Result<Vec<ChildInfo>, CallError> {
        ask(supervisor, Request::Which)
    }

    /// How many children there are.
    ///
    /// # Errors
    /// As any call.
    pub fn count_children(supervisor: &impl Dest<Msg = DynamicMsg>) -> Result<Counts, CallError> {
        ask(supervisor, Request::Count)
    }
}
