//! The generic server: one state, one mailbox, calls and casts.
//!
//! ```
//! use perennial::prelude::*;
//!
//! pub enum CounterMsg { Increment, Get(ReplyTo<u64>) }
//!
//! pub struct Counter(u64);
//! impl GenServer for Counter {
//!     type Args = u64;
//!     type Msg = CounterMsg;
//!     fn init(start: u64, _cx: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter(start)) }
//!     fn handle(&mut self, msg: CounterMsg, _cx: &mut Cx<Self>) -> Next<CounterMsg> {
//!         match msg {
//!             CounterMsg::Increment => self.0 += 1,
//!             CounterMsg::Get(reply) => reply.send(self.0),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! let counter = gen_server::start::<Counter>(41)?;
//! counter.cast(CounterMsg::Increment);
//! assert_eq!(counter.call(CounterMsg::Get)?, 42);
//! gen_server::stop(&counter)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Messages and answers
//! A message without a [`ReplyTo`] is a cast: nobody waits. One with a `ReplyTo` is a call, and the `ReplyTo` may be
//! kept, or sent to another process, and answered later; OTP's `{:noreply, state}` is just not to answer yet. In a
//! server that starts another action when the first is done, [`Next::Continue`] comes before anything that waits.
//!
//! ```
//! use perennial::prelude::*;
//!
//! enum GateMsg { Open, Pass(ReplyTo<&'static str>) }
//!
//! /// Lets nobody pass until it is opened, and then all who wait.
//! struct Gate { open: bool, waiting: Vec<ReplyTo<&'static str>> }
//! impl GenServer for Gate {
//!     type Args = ();
//!     type Msg = GateMsg;
//!     fn init(_: (), _cx: &mut Cx<Self>) -> Init<Self> {
//!         Init::Ok(Gate { open: false, waiting: Vec::new() })
//!     }
//!     fn handle(&mut self, msg: GateMsg, _cx: &mut Cx<Self>) -> Next<GateMsg> {
//!         match msg {
//!             GateMsg::Open => self.open = true,
//!             GateMsg::Pass(reply) => self.waiting.push(reply),
//!         }
//!         if self.open {
//!             self.waiting.drain(..).for_each(|reply| reply.send("passed"));
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! let gate = gen_server::start::<Gate>(())?;
//! let visitor = std::thread::spawn({
//!     let gate = gate.clone();
//!     move || gate.call(GateMsg::Pass)
//! });
//! gate.cast(GateMsg::Open);
//! assert_eq!(visitor.join().unwrap()?, "passed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Asking others
//! A server that runs on the pool, as all do unless told otherwise, does not wait: while it did, a worker would wait
//! with it. It [requests](Cx::request) and goes on, and a closure gets the answer when it is its turn. A server that
//! has to block, on a disk or on many calls, asks for a [thread](Spec::thread).
//!
//! # Time
//! [`Next::Timeout`] is an idle timeout: [`Info::Timeout`] comes if nothing else does for so long, and whatever
//! comes takes it back. Work that is due anyway is a message to oneself, by
//! [`send_after`](crate::process::Context::send_after).
//!
//! # How it dies
//! | what happens | `terminate` runs | the reason is |
//! |---|---|---|
//! | `Next::Stop`, [`Next::stop_reply`], [`stop`](fn@stop) from outside | yes | the one given |
//! | a callback panics | yes | `Panic` |
//! | `init` answers `Stop`, or panics | no | the one given, `Panic` |
//! | an exit signal, and it does not [trap exits](GenServer::TRAP_EXIT) | no | that of the signal |
//! | an exit signal of its parent, and it traps exits | yes | that of the signal |
//! | any other exit signal, and it traps exits | it lives on | [`Info::Exit`] |
//! | a kill | no | `Killed` |
//!
//! Its links, its monitors and all whose calls it has not answered
//! ([`CallError::Exited`](crate::process::CallError)) get that reason. Its state is dropped before they do. A panic
//! in `terminate` takes the place of the reason.
//!
//! # Options
//! [`Spec`] has them for a server that is started by hand, [`ServerChild`](crate::supervisor::ServerChild) for one
//! under a supervisor.
//!
//! | option | what it says | default |
//! |---|---|---|
//! | [`name`](Spec::name), [`via`](Spec::via) | how it is found | by its [`Ref`] alone |
//! | [`pooled`](Spec::pooled), [`thread`](Spec::thread) | where it runs | [the runtime's](crate::process::Builder::default_kind): pooled |
//! | [`mailbox`](Spec::mailbox) | how many messages may wait, and what happens to more | as many as come |
//! | [`timeout`](Spec::timeout) | how long `init` may take | for ever |
//! | [`label`](Spec::label) | what observers and reports call it | none; they show its type |

mod context;
mod enter_loop;
mod server;
mod spec;
mod stop;

pub use crate::behaviour::served::Served;
pub use context::Cx;
pub use enter_loop::{enter_loop, enter_loop_as};
pub use spec::Spec;
pub use stop::{stop, stop_for};

pub(crate) use crate::behaviour::served::options;
pub(crate) use crate::process::behaviour::StopRequest;
pub(crate) use server::{Server, init_fn};

use crate::process::shown::Shown;
use crate::process::{Down, Exit, Ref, ReplyTo, StartError};
use crate::reason::ExitReason;
use std::fmt;
use std::time::Duration;

/// A generic server. See the [module](self) for an example.
///
/// All callbacks run inside the server's process, one after the other. A panic in any of them ends the process,
/// and only that.
pub trait GenServer: Sized + Send + 'static {
    /// What `init` gets.
    type Args: Send + 'static;

    /// What the server is sent: an enum as a rule, whose variants for calls end in a [`ReplyTo`].
    type Msg: Send + 'static;

    /// Whether exit signals become [`Info::Exit`], and an exit of the parent leads to `terminate`. For a server that
    /// has something to bring in order when its supervisor stops it.
    ///
    /// ```
    /// use perennial::{ExitReason, prelude::*};
    /// use std::sync::mpsc::{Sender, channel};
    /// struct Ledger { sum: u32, paper: Sender<u32> }
    /// impl GenServer for Ledger {
    ///     type Args = Sender<u32>;
    ///     type Msg = u32;
    ///     const TRAP_EXIT: bool = true;
    ///     fn init(paper: Sender<u32>, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Ledger { sum: 0, paper }) }
    ///     fn handle(&mut self, n: u32, _: &mut Cx<Self>) -> Next<u32> { self.sum += n; Next::Loop }
    ///     fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) { self.paper.send(self.sum).unwrap() }
    /// }
    /// static LEDGER: Name<u32> = Name::new("ledger");
    /// let (paper, written) = channel();
    /// let child = Child::server::<Ledger>("ledger", paper).name(&LEDGER);
    /// let tree = Supervisor::new(Strategy::OneForOne).child(child).start()?;
    /// LEDGER.cast(40);
    /// LEDGER.cast(2);
    /// supervisor::stop(&tree)?;
    /// assert_eq!(written.recv()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    const TRAP_EXIT: bool = false;

    /// Makes the state. Whoever starts the server waits for this.
    fn init(args: Self::Args, cx: &mut Cx<Self>) -> Init<Self>;

    /// Handles a message.
    fn handle(&mut self, msg: Self::Msg, cx: &mut Cx<Self>) -> Next<Self::Msg>;

    /// Handles the message of a `Continue`, before anything else that waits. As `handle` unless defined.
    fn handle_continue(&mut self, msg: Self::Msg, cx: &mut Cx<Self>) -> Next<Self::Msg> {
        self.handle(msg, cx)
    }

    /// Handles what is no message of its own. Logged and forgotten unless defined.
    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<Self::Msg> {
        log::warn!(target: "perennial::gen_server", "{} got {info:?} and has no handle_info", cx.pid());
        Next::Loop
    }

    /// Cleans up; the state is dropped afterwards. Runs after a stop or a crash of its own, and when the parent
    /// of a server that traps exits ends; never after a kill or an exit signal that is not trapped.
    fn terminate(&mut self, reason: &ExitReason, cx: &mut Cx<Self>) {
        let _ = (reason, cx);
    }

    /// What the state looks like to whoever looks into the server with [`sys`](crate::sys), and in the report of
    /// its failure: `Some(self)` if it has a `Debug` that may be shown. Nothing unless defined.
    ///
    /// It is asked only when somebody looks, and cut where it gets long.
    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        None
    }

    /// What a message looks like to whoever debugs the server with [`sys`](crate::sys), and in the report of its
    /// failure: `Some(msg)` if it has a `Debug` that may be shown. Nothing unless defined.
    ///
    /// A message is gone when its callback fails, so a server that shows its messages writes each of them down
    /// before it handles it, cut where it gets long: that costs what its `Debug` costs. One that does not pays
    /// nothing.
    fn inspect_message(msg: &Self::Msg) -> Option<&dyn fmt::Debug> {
        let _ = msg;
        None
    }

    /// Changes what others are shown: hides a password in the state, shortens a message. Leaves it as it is
    /// unless defined. If it panics they are shown nothing, and the server goes on.
    ///
    /// It changes nothing but that: the reason for which a process ends reaches its links, its monitors and its
    /// [`CrashReport`](crate::process::CrashReport) as it is, and so do events whoever traces the server.
    ///
    /// ```
    /// use perennial::prelude::*;
    /// use perennial::sys::{self, Shown};
    /// #[derive(Debug)]
    /// struct Vault { key: String }
    /// impl GenServer for Vault {
    ///     type Args = ();
    ///     type Msg = ();
    ///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Vault { key: "secret".into() }) }
    ///     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
    ///     fn inspect(&self) -> Option<&dyn std::fmt::Debug> { Some(self) }
    ///     fn format_status(&self, shown: &mut Shown) {
    ///         shown.state = Some(format!("a key of {} characters", self.key.len()));
    ///     }
    /// }
    /// let vault = gen_server::start::<Vault>(()).unwrap();
    /// let status = sys::get_status(&vault).unwrap();
    /// assert_eq!(status.shown.state.as_deref(), Some("a key of 6 characters"));
    /// ```
    fn format_status(&self, shown: &mut Shown) {
        let _ = shown;
    }
}

/// What `init` came to.
///
/// Whoever starts a server waits for its `init`. What takes long is done when the server is up, and before anything
/// that it is sent:
///
/// ```
/// use perennial::prelude::*;
/// enum Msg { Load, Get(ReplyTo<Vec<u32>>) }
/// struct Primes(Vec<u32>);
/// impl GenServer for Primes {
///     type Args = u32;
///     type Msg = Msg;
///     fn init(max: u32, _: &mut Cx<Self>) -> Init<Self> { Init::Continue(Primes((2..max).collect()), Msg::Load) }
///     fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
///         match msg {
///             Msg::Load => self.0.retain(|n| (2..*n).all(|of| n % of != 0)),
///             Msg::Get(reply) => reply.send(self.0.clone()),
///         }
///         Next::Loop
///     }
/// }
/// let primes = gen_server::start::<Primes>(12)?;
/// assert_eq!(primes.call(Msg::Get)?, [2, 3, 5, 7, 11]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Init<S: GenServer> {
    /// The state; the server is up.
    Ok(S),
    /// The state; `Info::Timeout` follows if nothing comes for so long.
    Timeout(S, Duration),
    /// The state; `handle_continue` gets this message before the server gets any other.
    Continue(S, S::Msg),
    /// There is nothing to run, and nothing wrong: the start fails with `StartError::Ignored`.
    Ignore,
    /// The start fails with this reason.
    Stop(ExitReason),
}

/// What a callback wants to happen next.
///
/// A session that nobody uses for half an hour ends by itself:
///
/// ```
/// use perennial::{ExitReason, Runtime, prelude::*, process, time::Clock};
/// use std::time::Duration;
/// const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
///
/// struct Session;
/// impl GenServer for Session {
///     type Args = ();
///     type Msg = ();
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Timeout(Session, IDLE_MAX) }
///     fn handle(&mut self, _used: (), _: &mut Cx<Self>) -> Next<()> { Next::Timeout(IDLE_MAX) }
///     fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<()> {
///         match info {
///             Info::Timeout => Next::Stop(ExitReason::Normal),
///             _ => Next::Timeout(IDLE_MAX),
///         }
///     }
/// }
///
/// let (clock, hand) = Clock::manual();
/// let runtime = Runtime::builder().clock(clock).build()?;
/// let _entered = runtime.enter();
/// let session = gen_server::start::<Session>(())?;
/// let mut end = process::watch(&session);
/// hand.advance(IDLE_MAX);
/// assert_eq!(end.wait(Duration::MAX).unwrap().reason, ExitReason::Normal);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub enum Next<M> {
    /// Wait for the next message.
    Loop,
    /// Wait for the next message; `Info::Timeout` if none comes for so long.
    Timeout(Duration),
    /// `handle_continue` with this message before any other.
    Continue(M),
    /// End, after `terminate`.
    Stop(ExitReason),
    /// End, after `terminate`, and then answer: made by [`Next::stop_reply`].
    #[doc(hidden)]
    StopReply(ExitReason, Deferred),
}

/// An answer that is sent when `terminate` has run.
#[doc(hidden)]
pub struct Deferred(Box<dyn FnOnce() + Send>);

impl<M> Next<M> {
    /// Ends the server and answers a call after `terminate`, even if that panics: OTP's
    /// `{stop, Reason, Reply, State}`. A plain `reply.send` before `Next::Stop` comes before `terminate`.
    pub fn stop_reply<T: Send + 'static>(reason: ExitReason, reply: ReplyTo<T>, value: T) -> Self {
        Next::StopReply(reason, Deferred(Box::new(move || reply.send(value))))
    }
}

impl<M> fmt::Debug for Next<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Next::Loop => f.write_str("Loop"),
            Next::Timeout(delay) => write!(f, "Timeout({delay:?})"),
            Next::Continue(_) => f.write_str("Continue(..)"),
            Next::Stop(reason) => write!(f, "Stop({reason})"),
            Next::StopReply(reason, _) => write!(f, "StopReply({reason})"),
        }
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}

/// What a server gets that is no message of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Info {
    /// A process that it monitors has ended.
    Down(Down),
    /// A linked process has ended, or somebody sent an exit signal; only if it traps exits.
    Exit(Exit),
    /// Nothing came for as long as `Timeout` said.
    Timeout,
}

/// Starts a server without a link; returns when its `init` is through.
///
/// # Errors
/// See [`StartError`].
pub fn start<S: GenServer>(args: S::Args) -> Result<Ref<S::Msg>, StartError> {
    spec::<S>(args).start()
}

/// Starts a server that is linked to the process which runs on this thread.
///
/// # Errors
/// `NotAProcess` on a plain thread. When `init` fails the starter gets the exit signal as well, and ends by it
/// unless it traps exits.
pub fn start_link<S: GenServer>(args: S::Args) -> Result<Ref<S::Msg>, StartError> {
    spec::<S>(args).start_link()
}

/// A server to be started, with its options.
pub fn spec<S: GenServer>(args: S::Args) -> Spec<S> {
    Spec::new(args)
}
