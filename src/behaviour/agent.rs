//! An agent: a state in a process of its own, and closures that look at it and change it.
//!
//! ```
//! use perennial::agent;
//!
//! let counter = agent::start(|| 41)?;
//! agent::update(&counter, |n| *n += 1)?;
//! assert_eq!(agent::get(&counter, |n| *n)?, 42);
//! assert_eq!(agent::get_and_update(&counter, |n| std::mem::replace(n, 0))?, 42);
//! agent::cast(&counter, |n| *n += 7); // Does not wait.
//! assert_eq!(agent::get(&counter, |n| *n)?, 7);
//! agent::stop(&counter)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The closures run in the agent, one after the other: what takes long there keeps the others waiting. Under a
//! supervisor it is [`Child::agent`](crate::Child::agent), permanent unless told otherwise.
//!
//! # How it dies
//! By [`stop`]; with `Panic` when a closure panics, and whoever waits for that gets `CallError::Exited` with the
//! same reason; by an exit signal, as any server that does not trap exits.
//!
//! # Options
//! [`spec`] has those of a server: name, kind, mailbox bound, start timeout, label. For what an agent shows of its state see
//! [`sys`](crate::sys): its state is an [`Agent`].

use crate::behaviour::gen_server::{self, Cx, GenServer, Init, Next, Spec};
use crate::behaviour::supervisor::{Child, ServerChild};
use crate::process::dest::Dest;
use crate::process::{CallError, Ref, StartError};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

pub use crate::behaviour::gen_server::{stop, stop_for};

/// The server behind an agent, with its state.
#[derive(Debug)]
pub struct Agent<S>(S);

impl<S> Agent<S> {
    /// The state, for [`sys::with_state`](crate::sys::with_state).
    pub fn state(&self) -> &S {
        &self.0
    }
}

/// What an agent is sent: made by the functions of this module.
pub struct Msg<S>(Box<dyn FnOnce(&mut S) + Send>);

impl<S> fmt::Debug for Msg<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("agent::Msg")
    }
}

/// Makes the state of an agent, in its process.
pub struct Start<S>(Box<dyn FnOnce() -> S + Send>);

impl<S> fmt::Debug for Start<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("agent::Start")
    }
}

impl<S: Send + 'static> GenServer for Agent<S> {
    type Args = Start<S>;
    type Msg = Msg<S>;

    fn init(Start(make): Start<S>, _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Agent(make()))
    }

    fn handle(&mut self, Msg(run): Msg<S>, _cx: &mut Cx<Self>) -> Next<Msg<S>> {
        run(&mut self.0);
        Next::Loop
    }
}

/// An agent to be started, with its options. `init` makes the state, inside of the agent.
///
/// ```
/// use perennial::{Name, agent};
/// static SEEN: Name<agent::Msg<Vec<String>>> = Name::new("seen");
/// let seen = agent::spec(Vec::new).name(&SEEN).start()?;
/// agent::update(&SEEN, |seen| seen.push("a fox".to_owned()))?;
/// assert_eq!(agent::get(&SEEN, Vec::len)?, 1);
/// # agent::stop(&seen)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spec<S: Send + 'static>(init: impl FnOnce() -> S + Send + 'static) -> Spec<Agent<S>> {
    gen_server::spec(Start(Box::new(init)))
}

/// Starts an agent without a link; returns when it has its state.
///
/// # Errors
/// See [`StartError`].
pub fn start<S: Send + 'static>(
    init: impl FnOnce() -> S + Send + 'static,
) -> Result<Ref<Msg<S>>, StartError> {
    spec(init).start()
}

/// Starts an agent that is linked to the process which runs on this thread.
///
/// # Errors
/// See [`StartError`]; `NotAProcess` on a plain thread.
pub fn start_link<S: Send + 'static>(
    init: impl FnOnce() -> S + Send + 'static,
) -> Result<Ref<Msg<S>>, StartError> {
    spec(init).start_link()
}

/// What a closure makes of the state.
///
/// # Errors
/// As any call; `Exited` if the closure panics, with the panic.
pub fn get<S: Send + 'static, T: Send + 'static>(
    agent: &impl Dest<Msg = Msg<S>>,
    look: impl FnOnce(&S) -> T + Send + 'static,
) -> Result<T, CallError> {
    get_and_update(agent, |state| look(state))
}

/// Changes the state, and returns when that is done.
///
/// # Errors
/// As [`get`].
pub fn update<S: Send + 'static>(
    agent: &impl Dest<Msg = Msg<S>>,
    change: impl FnOnce(&mut S) + Send + 'static,
) -> Result<(), CallError> {
    get_and_update(agent, change)
}

/// Changes the state; what the closure returned.
///
/// # Errors
/// As [`get`].
pub fn get_and_update<S: Send + 'static, T: Send + 'static>(
    agent: &impl Dest<Msg = Msg<S>>,
    change: impl FnOnce(&mut S) -> T + Send + 'static,
) -> Result<T, CallError> {
    agent.call(|reply| Msg(Box::new(|state| reply.send(change(state)))))
}

/// [`get_and_update`] with a timeout of one's own, where five seconds are not enough; [`Duration::MAX`] is for
/// ever.
///
/// # Errors
/// As [`get`].
pub fn get_and_update_for<S: Send + 'static, T: Send + 'static>(
    timeout: Duration,
    agent: &impl Dest<Msg = Msg<S>>,
    change: impl FnOnce(&mut S) -> T + Send + 'static,
) -> Result<T, CallError> {
    agent.call_for(timeout, |reply| {
        Msg(Box::new(|state| reply.send(change(state))))
    })
}

/// Has the state changed, and waits for nothing. What reaches no agent is forgotten.
pub fn cast<S: Send + 'static>(
    agent: &impl Dest<Msg = Msg<S>>,
    change: impl FnOnce(&mut S) + Send + 'static,
) {
    agent.cast(Msg(Box::new(change)));
}

impl Child {
    /// An [agent](crate::agent) whose state is made anew at each start, inside of it.
    ///
    /// ```
    /// use perennial::{agent, prelude::*};
    /// static HITS: Name<agent::Msg<u64>> = Name::new("hits");
    /// let tree = Supervisor::new(Strategy::OneForOne)
    ///     .child(Child::agent("hits", || 0).name(&HITS))
    ///     .start()?;
    /// agent::update(&HITS, |hits| *hits += 1)?;
    /// assert_eq!(agent::get(&HITS, |hits| *hits)?, 1);
    /// # supervisor::stop(&tree)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn agent<S: Send + 'static>(
        id: impl Into<Arc<str>>,
        init: impl Fn() -> S + Send + Sync + 'static,
    ) -> ServerChild<Agent<S>> {
        let init = Arc::new(init);
        Child::with(id, move || {
            let init = init.clone();
            Start(Box::new(move || init()))
        })
    }
}
