//! A child: how it is started, restarted and stopped.
//!
//! Give siblings each other's [`Name`], never a [`Ref`]: a `Ref` is one incarnation, and after a restart whoever
//! keeps it speaks to the dead. A name leads to whoever has it now.

use crate::behaviour::gen_server::GenServer;
use crate::behaviour::gen_statem::{GenStatem, Statem};
use crate::behaviour::served::{self, Served};
use crate::behaviour::supervisor::restart::{Backoff, Restart, Shutdown};
use crate::behaviour::supervisor::{Supervisor, machine};
use crate::pid::Pid;
use crate::process::core::Process;
use crate::process::start::{self, Options};
use crate::process::{Kind, Name, Overflow, Ref, ServerName, StartError};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How long a worker has to end unless told otherwise: OTP's five seconds.
const SHUTDOWN: Duration = Duration::from_secs(5);

pub(crate) type Starter = Box<dyn FnMut(How<'_>) -> Result<Begun, StartError> + Send>;

/// How a child is to be begun.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    /// The options that were chosen, if any were.
    options: Option<&'a Options>,
    /// Whether somebody wants its reference.
    refers: bool,
}

/// A child that has a pid.
pub(crate) struct Begun {
    pub(crate) pid: Pid,
    /// Its `Ref<M>`, if somebody wanted it.
    pub(crate) reference: Option<Arc<dyn AnyRef>>,
    /// Equals `true` if it is up; whether it comes up is told later otherwise.
    pub(crate) up: bool,
}

/// A `Ref<M>`, whatever its messages are.
pub(crate) trait AnyRef: Any + Send + Sync {
    fn process(&self) -> Arc<dyn Process>;
}

impl<M: Send + 'static> AnyRef for Ref<M> {
    fn process(&self) -> Arc<dyn Process> {
        Ref::process(self)
    }
}

impl dyn AnyRef {
    /// The reference, if it is one for these messages.
    pub(crate) fn of<M: Send + 'static>(&self) -> Option<Ref<M>> {
        let any: &dyn Any = self;
        any.downcast_ref::<Ref<M>>().cloned()
    }
}

/// Whether a child is a supervisor itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// It is not.
    Worker,
    /// It is.
    Supervisor,
}

/// The rules of a child, without what it runs.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// What its supervisor knows it by.
    pub id: Arc<str>,
    /// When it is restarted.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// Whether it is a supervisor.
    pub kind: ChildKind,
    /// Whether its end may end its supervisor; see [`AutoShutdown`](crate::supervisor::AutoShutdown).
    pub significant: bool,
    /// Whether a successor waits until all code of its predecessor has ended, even if that had to be cut off.
    pub exclusive: bool,
    /// In a box, as most children have none, and a supervisor may have a million.
    limits: Option<Box<Limits>>,
    /// Which children it is started in parallel with.
    pub(crate) group: Option<u32>,
}

/// When a child is restarted, beside what its restart type says.
#[derive(Clone, Debug, Default)]
struct Limits {
    backoff: Option<Backoff>,
    intensity: Option<(usize, Duration)>,
    restart_if: Option<Predicate>,
}

/// A say in which reasons a child is restarted for.
#[derive(Clone)]
struct Predicate(Arc<dyn Fn(&ExitReason) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("restart_if")
    }
}

/// A child of a supervisor: what to run, and the rules for it.
///
/// ```
/// use perennial::prelude::*;
/// # struct Counter; impl GenServer for Counter { type Args = u64; type Msg = ();
/// #   fn init(_: u64, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter) }
/// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
/// static COUNTER: Name<()> = Name::new("counter");
/// let child = Child::server::<Counter>("counter", 0).name(&COUNTER).transient();
/// let supervisor = Supervisor::new(Strategy::OneForOne).child(child).start()?;
/// # perennial::supervisor::stop(&supervisor)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Child {
    pub(crate) spec: ChildSpec,
    start: Starter,
    /// In a box, as most children choose none, and a supervisor may have a million.
    options: Option<Box<Options>>,
}

impl Child {
    /// A server whose arguments are cloned at each start.
    pub fn server<S: GenServer>(id: impl Into<Arc<str>>, args: S::Args) -> ServerChild<S>
    where
        S::Args: Clone,
    {
        Child::with(id, move || args.clone())
    }

    /// A server whose arguments are made at each start, in the supervisor's process.
    pub fn with<S: GenServer>(
        id: impl Into<Arc<str>>,
        args: impl FnMut() -> S::Args + Send + 'static,
    ) -> ServerChild<S> {
        ServerChild::new(id.into(), args)
    }

    /// A state machine whose arguments are cloned at each start.
    pub fn statem<S: GenStatem>(id: impl Into<Arc<str>>, args: S::Args) -> ServerChild<Statem<S>>
    where
        S::Args: Clone,
    {
        Child::statem_with(id, move || args.clone())
    }

    /// A state machine whose arguments are made at each start, in the supervisor's process.
    pub fn statem_with<S: GenStatem>(
        id: impl Into<Arc<str>>,
        args: impl FnMut() -> S::Args + Send + 'static,
    ) -> ServerChild<Statem<S>> {
        ServerChild::new(id.into(), args)
    }

    /// A supervisor that is built anew at each start, with all its children.
    pub fn supervisor(
        id: impl Into<Arc<str>>,
        mut build: impl FnMut() -> Supervisor + Send + 'static,
    ) -> Child {
        let spec = ChildSpec::new(id.into(), ChildKind::Supervisor, Shutdown::Infinity);
        Child::new(spec, move || {
            let (mut options, init) = machine::launch(build());
            options.link = true;
            Ok(begun(start::start_async(&options, init)?.reference))
        })
    }

    /// A closure on a thread of its own, run once: temporary by nature.
    pub fn task(id: impl Into<Arc<str>>, run: impl FnOnce() + Send + 'static) -> Child {
        let mut spec = ChildSpec::new(id.into(), ChildKind::Worker, Shutdown::Timeout(SHUTDOWN));
        spec.restart = Restart::Temporary;
        let mut run = Some(run);
        Child::new(spec, move || {
            let Some(run) = run.take() else {
                return Err(StartError::Ignored);
            };
            Ok(is_up(crate::process::spawn_link::<()>(move |_| run())?))
        })
    }

    /// Sets the rules of a child that is not a server.
    pub fn spec(mut self, change: impl FnOnce(&mut ChildSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// Restarts it only for reasons of which `says` is true; see [`ServerChild::restart_if`].
    pub fn restart_if(
        mut self,
        says: impl Fn(&ExitReason) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.spec.limits().restart_if = Some(Predicate(Arc::new(says)));
        self
    }

    /// Waits before a restart; see [`ServerChild::backoff`].
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.spec.limits().backoff = Some(Backoff::new(min, max));
        self
    }

    /// Allows this child alone no more than so many restarts in a period; see [`ServerChild::intensity`].
    pub fn intensity(mut self, restarts: usize, period: Duration) -> Self {
        self.spec.limits().intensity = Some((restarts, period));
        self
    }

    /// Begins a start, and makes a reference if that is wanted. Runs in the supervisor's process; user code in it may
    /// panic.
    pub(crate) fn begin(&mut self, refers: bool) -> Result<Begun, StartError> {
        let options = self.options.as_deref();
        (self.start)(How { options, refers })
    }

    /// Lets go of what it would be started with again: of a temporary child, which never is.
    pub(crate) fn forget_start(&mut self) {
        self.start = Box::new(|_| Err(StartError::Ignored));
        self.options = None;
    }

    /// A child of which nothing is chosen but its rules.
    pub(crate) fn new(
        spec: ChildSpec,
        mut start: impl FnMut() -> Result<Begun, StartError> + Send + 'static,
    ) -> Self {
        Child {
            spec,
            start: Box::new(move |_| start()),
            options: None,
        }
    }

    /// The same child, with something done around each of its starts.
    pub(crate) fn around(
        self,
        mut around: impl FnMut(
            &mut dyn FnMut() -> Result<Begun, StartError>,
        ) -> Result<Begun, StartError>
        + Send
        + 'static,
    ) -> Self {
        let mut start = self.start;
        Child {
            start: Box::new(move |how| {
                let refers = true;
                around(&mut || start(How { refers, ..how }))
            }),
            ..self
        }
    }
}

/// A child whose `init` may not be through.
pub(crate) fn begun<M: Send + 'static>(reference: Ref<M>) -> Begun {
    begun_as(reference, true)
}

fn begun_as<M: Send + 'static>(reference: Ref<M>, refers: bool) -> Begun {
    Begun {
        pid: reference.pid(),
        reference: refers.then(|| -> Arc<dyn AnyRef> { Arc::new(reference) }),
        up: false,
    }
}

/// A child that has no `init` to wait for.
pub(crate) fn is_up<M: Send + 'static>(reference: Ref<M>) -> Begun {
    Begun {
        up: true,
        ..begun(reference)
    }
}

impl ChildSpec {
    pub(crate) fn new(id: Arc<str>, kind: ChildKind, shutdown: Shutdown) -> Self {
        ChildSpec {
            id,
            restart: Restart::default(),
            shutdown,
            kind,
            significant: false,
            exclusive: false,
            limits: None,
            group: None,
        }
    }

    fn limits(&mut self) -> &mut Limits {
        self.limits.get_or_insert_default()
    }

    /// The waits before its restarts.
    pub(crate) fn backoff(&self) -> Option<Backoff> {
        self.limits.as_ref()?.backoff
    }

    /// How many restarts of this child alone are allowed in which time.
    pub(crate) fn intensity(&self) -> Option<(usize, Duration)> {
        self.limits.as_ref()?.intensity
    }

    /// Whether a child that ended of itself for this reason is restarted. User code in it may panic; a supervisor
    /// that cannot ask goes by the restart type alone.
    pub(crate) fn is_due(&self, reason: &ExitReason) -> bool {
        if !self.restart.is_due(reason) {
            return false;
        }
        let limits = self.limits.as_ref();
        let Some(Predicate(says)) = limits.and_then(|limits| limits.restart_if.as_ref()) else {
            return true;
        };
        catch_unwind(AssertUnwindSafe(|| says(reason))).unwrap_or_else(|_| {
            log::error!(target: "perennial::supervisor", "restart_if of child {:?} panicked: restarted", self.id);
            true
        })
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({:?})", self.spec)
    }
}

/// A [`Child`] that is a server or a state machine, while its options are chosen.
#[must_use = "a child does nothing until a supervisor has it"]
pub struct ServerChild<S: Served> {
    spec: ChildSpec,
    start: Starter,
    /// Those that were chosen, if any were.
    options: Option<Box<Options>>,
    server: PhantomData<fn() -> S>,
}

impl<S: Served> ServerChild<S> {
    fn new(id: Arc<str>, mut args: impl FnMut() -> S::Args + Send + 'static) -> Self {
        ServerChild {
            spec: ChildSpec::new(id, ChildKind::Worker, Shutdown::Timeout(SHUTDOWN)),
            start: Box::new(move |how| {
                let reference = match how.options {
                    Some(options) => begin::<S>(options, args()),
                    None => begin::<S>(&linked::<S>(), args()),
                };
                Ok(begun_as(reference?, how.refers))
            }),
            options: None,
            server: PhantomData,
        }
    }

    fn options(&mut self) -> &mut Options {
        self.options.get_or_insert_with(|| Box::new(linked::<S>()))
    }

    /// Registers the server under a name at each start.
    pub fn name(mut self, name: &Name<S::Msg>) -> Self {
        let options = self.options();
        options.name = Some(name.as_str().into());
        options.via = None;
        self
    }

    /// Registers the server in a registry instead, before its `init` runs; a second server there fails with
    /// `AlreadyStarted`.
    pub fn via(mut self, via: impl ServerName<Msg = S::Msg>) -> Self {
        let options = self.options();
        options.via = Some(via.into_claim().0);
        options.name = None;
        self
    }

    /// Runs the server on a thread of its own.
    pub fn thread(mut self) -> Self {
        self.options().kind = Some(Kind::Thread);
        self
    }

    /// Runs the server on the pool, whatever the runtime's default is.
    pub fn pooled(mut self) -> Self {
        self.options().kind = Some(Kind::Pooled);
        self
    }

    /// Bounds the mailbox; see [`Spec::mailbox`](crate::gen_server::Spec::mailbox).
    pub fn mailbox(mut self, max: usize, overflow: Overflow) -> Self {
        self.options().mailbox = Some((max.max(1), overflow));
        self
    }

    /// How long `init` may take; then the child is killed, and its start has failed. For ever unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options().timeout = Some(timeout);
        self
    }

    /// What observers and crash reports call it.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.options().label = Some(label.into());
        self
    }

    /// When it is restarted. Default: permanent.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.spec.restart = restart;
        self
    }

    /// Restarted unless it ends with a clean reason.
    pub fn transient(self) -> Self {
        self.restart(Restart::Transient)
    }

    /// Never restarted.
    pub fn temporary(self) -> Self {
        self.restart(Restart::Temporary)
    }

    /// How it is stopped. Default: five seconds to end, then a kill.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.spec.shutdown = shutdown;
        self
    }

    /// Its end may end its supervisor; see [`AutoShutdown`](crate::supervisor::AutoShutdown).
    pub fn significant(mut self) -> Self {
        self.spec.significant = true;
        self
    }

    /// A successor starts only when all code of its predecessor has ended, even if a kill had to cut that off:
    /// for what owns something outside the program, a file or a port.
    pub fn exclusive(mut self) -> Self {
        self.spec.exclusive = true;
        self
    }

    /// Restarts it only for reasons of which `says` is true, beside what its restart type says: a permanent child
    /// is restarted for those reasons and no others, a transient one for those of them that are not clean, and a
    /// temporary one never. A child that is not restarted keeps its specification, and does not run; a dynamic
    /// supervisor forgets it.
    ///
    /// `says` runs in the supervisor's process, so it should be quick. If it panics the restart type decides alone.
    /// A restart that fails is tried again without asking.
    ///
    /// ```
    /// use perennial::prelude::*;
    /// # struct Counter; impl GenServer for Counter { type Args = u64; type Msg = ();
    /// #   fn init(_: u64, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter) }
    /// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
    /// // A wrong password will not get better by trying again.
    /// let child = Child::server::<Counter>("login", 0)
    ///     .restart_if(|reason| reason.downcast_ref::<&str>() != Some(&"wrong password"));
    /// ```
    pub fn restart_if(
        mut self,
        says: impl Fn(&ExitReason) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.spec.limits().restart_if = Some(Predicate(Arc::new(says)));
        self
    }

    /// Waits before a restart: `min`, doubled with each restart in a row up to `max`, less a little at random.
    /// A child that has lived longer than `max` begins again at `min`.
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.spec.limits().backoff = Some(Backoff::new(min, max));
        self
    }

    /// Allows this child alone no more than so many restarts in a period, beside the supervisor's own limit.
    pub fn intensity(mut self, restarts: usize, period: Duration) -> Self {
        self.spec.limits().intensity = Some((restarts, period));
        self
    }
}

/// The options of a child that chooses none.
fn linked<S: Served>() -> Options {
    Options {
        link: true,
        ..served::options::<S>()
    }
}

fn begin<S: Served>(options: &Options, args: S::Args) -> Result<Ref<S::Msg>, StartError> {
    Ok(served::start_async::<S>(options, args)?.reference)
}

impl<S: Served> From<ServerChild<S>> for Child {
    fn from(child: ServerChild<S>) -> Child {
        Child {
            spec: child.spec,
            start: child.start,
            options: child.options,
        }
    }
}

impl<S: Served> fmt::Debug for ServerChild<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerChild({:?})", self.spec)
    }
}
