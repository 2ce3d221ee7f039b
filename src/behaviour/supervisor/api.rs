//! What can be asked of a running supervisor. Requests wait while it starts or stops something.

use crate::behaviour::supervisor::child::{Child, ChildKind, ChildSpec};
use crate::behaviour::supervisor::routes::ResizeError;
use crate::pid::Pid;
use crate::process::dest::Dest;
use crate::process::{CallError, ReplyTo, StartError};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// What a supervisor is sent: made by the functions of this module.
pub struct Msg(pub(super) Request);

pub(super) enum Request {
    StartChild(Box<Child>, ReplyTo<Result<Option<Pid>, StartChildError>>),
    Terminate(Arc<str>, ReplyTo<Result<(), ChildError>>),
    Restart(Arc<str>, ReplyTo<Result<Option<Pid>, RestartChildError>>),
    Delete(Arc<str>, ReplyTo<Result<(), DeleteChildError>>),
    Which(ReplyTo<Vec<ChildInfo>>),
    Count(ReplyTo<Counts>),
    Spec(Arc<str>, ReplyTo<Option<ChildSpec>>),
    Resize(usize, ReplyTo<Result<usize, ResizeError>>),
}

impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("supervisor::Msg")
    }
}

/// How a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildState {
    /// It lives.
    Running(Pid),
    /// It ended and is to be started again.
    Restarting,
    /// It does not run, and will not by itself.
    Undefined,
}

/// A child as [`which_children`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildInfo {
    /// Its id; `None` under a dynamic supervisor.
    pub id: Option<Arc<str>>,
    /// How it is.
    pub state: ChildState,
    /// Whether it is a supervisor.
    pub kind: ChildKind,
}

/// How many children there are, as [`count_children`] shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All, alive or not.
    pub specs: usize,
    /// Those that live.
    pub active: usize,
    /// Those that are supervisors, alive or not.
    pub supervisors: usize,
    /// Those that are not, alive or not.
    pub workers: usize,
}

impl Counts {
    pub(super) fn add(&mut self, kind: ChildKind, running: bool) {
        self.specs += 1;
        self.active += usize::from(running);
        match kind {
            ChildKind::Supervisor => self.supervisors += 1,
            ChildKind::Worker => self.workers += 1,
        }
    }
}

/// Why a child was not added.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StartChildError {
    /// A child of this id runs.
    AlreadyStarted(Pid),
    /// A child of this id is known and does not run.
    AlreadyPresent,
    /// There are as many children as allowed.
    MaxChildren,
    /// A significant child is permanent, or the supervisor never shuts down by itself.
    BadCombination,
    /// It did not start; the supervisor has forgotten it.
    Failed(StartError),
    /// The supervisor did not answer.
    Call(CallError),
}

/// Why a child was not stopped.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChildError {
    /// There is no such child.
    NotFound,
    /// The supervisor did not answer.
    Call(CallError),
}

/// Why a child was not deleted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeleteChildError {
    /// There is no such child.
    NotFound,
    /// It runs: stop it first.
    Running,
    /// It is about to be restarted: stop it first.
    Restarting,
    /// The supervisor did not answer.
    Call(CallError),
}

/// Why a child was not started again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RestartChildError {
    /// There is no such child.
    NotFound,
    /// It runs.
    Running,
    /// It is about to be restarted anyway.
    Restarting,
    /// It did not start.
    Failed(StartError),
    /// The supervisor did not answer.
    Call(CallError),
}

macro_rules! error {
    ($name:ident, $self:ident, $f:ident, $($pattern:pat => $text:expr),+ $(,)?) => {
        impl fmt::Display for $name {
            fn fmt(&$self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match $self { $($pattern => $text,)+ }
            }
        }

        impl std::error::Error for $name {}

        impl From<CallError> for $name {
            fn from(error: CallError) -> Self {
                $name::Call(error)
            }
        }
    };
}

error!(StartChildError, self, f,
    StartChildError::AlreadyStarted(pid) => write!(f, "the child runs already as {pid}"),
    StartChildError::AlreadyPresent => f.write_str("the child is known and does not run"),
    StartChildError::MaxChildren => f.write_str("as many children as allowed"),
    StartChildError::BadCombination => f.write_str("a significant child that can never be the last word"),
    StartChildError::Failed(error) => write!(f, "the child did not start: {error}"),
    StartChildError::Call(error) => write!(f, "the supervisor did not answer: {error}"),
);
error!(ChildError, self, f,
    ChildError::NotFound => f.write_str("no such child"),
    ChildError::Call(error) => write!(f, "the supervisor did not answer: {error}"),
);
error!(DeleteChildError, self, f,
    DeleteChildError::NotFound => f.write_str("no such child"),
    DeleteChildError::Running => f.write_str("the child runs"),
    DeleteChildError::Restarting => f.write_str("the child is about to be restarted"),
    DeleteChildError::Call(error) => write!(f, "the supervisor did not answer: {error}"),
);
error!(RestartChildError, self, f,
    RestartChildError::NotFound => f.write_str("no such child"),
    RestartChildError::Running => f.write_str("the child runs"),
    RestartChildError::Restarting => f.write_str("the child is about to be restarted"),
    RestartChildError::Failed(error) => write!(f, "the child did not start: {error}"),
    RestartChildError::Call(error) => write!(f, "the supervisor did not answer: {error}"),
);

pub(super) fn ask<T: Send + 'static>(
    supervisor: &impl Dest<Msg = Msg>,
    make: impl FnOnce(ReplyTo<T>) -> Request,
) -> Result<T, CallError> {
    // As in OTP: a supervisor takes as long as its children do.
    supervisor.call_for(Duration::MAX, |reply| Msg(make(reply)))
}

/// Adds a child after the others and starts it: its pid, or `None` if its `init` chose `Ignore`.
///
/// # Errors
/// See [`StartChildError`].
pub fn start_child(
    supervisor: &impl Dest<Msg = Msg>,
    child: impl Into<Child>,
) -> Result<Option<Pid>, StartChildError> {
    let child = Box::new(child.into());
    ask(supervisor, |reply| Request::StartChild(child, reply))?
}

/// Stops a child; its specification stays unless it is temporary. Fine if it does not run.
///
/// # Errors
/// See [`ChildError`].
pub fn terminate_child(
    supervisor: &impl Dest<Msg = Msg>,
    id: impl Into<Arc<str>>,
) -> Result<(), ChildError> {
    let id = id.into();
    ask(supervisor, |reply| Request::Terminate(id, reply))?
}

/// Starts a child that is known and does not run.
///
/// # Errors
/// See [`RestartChildError`].
pub fn restart_child(
    supervisor: &impl Dest<Msg = Msg>,
    id: impl Into<Arc<str>>,
) -> Result<Option<Pid>, RestartChildError> {
    let id = id.into();
    ask(supervisor, |reply| Request::Restart(id, reply))?
}

/// Forgets a child that does not run.
///
/// # Errors
/// See [`DeleteChildError`].
pub fn delete_child(
    supervisor: &impl Dest<Msg = Msg>,
    id: impl Into<Arc<str>>,
) -> Result<(), DeleteChildError> {
    let id = id.into();
    ask(supervisor, |reply| Request::Delete(id, reply))?
}

/// All children, the newest first.
///
/// # Errors
/// As any call.
pub fn which_children(supervisor: &impl Dest<Msg = Msg>) -> Result<Vec<ChildInfo>, CallError> {
    ask(supervisor, Request::Which)
}

/// How many children there are.
///
/// # Errors
/// As any call.
pub fn count_children(supervisor: &impl Dest<Msg = Msg>) -> Result<Counts, CallError> {
    ask(supervisor, Request::Count)
}

/// The rules of a child; `None` if there is no such child.
///
/// # Errors
/// As any call.
pub fn get_childspec(
    supervisor: &impl Dest<Msg = Msg>,
    id: impl Into<Arc<str>>,
) -> Result<Option<ChildSpec>, CallError> {
    let id = id.into();
    ask(supervisor, |reply| Request::Spec(id, reply))
}
