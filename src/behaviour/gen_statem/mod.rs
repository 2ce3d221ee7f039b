//! The generic state machine: a server whose answer to an event depends on the state it is in, with timeouts that
//! know of states, and events that wait for a better one.
//!
//! ```
//! use perennial::gen_statem::{Cx, Event, Init, Next, Timeout};
//! use perennial::prelude::*;
//! use std::time::Duration;
//!
//! #[derive(PartialEq)]
//! enum Door { Locked, Open }
//! enum Msg { Code(u32, ReplyTo<bool>), Walk(ReplyTo<&'static str>), Relock }
//!
//! struct Lock(u32);
//! impl GenStatem for Lock {
//!     type Args = u32;
//!     type Msg = Msg;
//!     type State = Door;
//!     type Timer = ();
//!     fn init(code: u32, _: &mut Cx<Self>) -> Init<Self> { Init::ok(Door::Locked, Lock(code)) }
//!     fn handle(&mut self, event: Event<Self>, door: &Door, _: &mut Cx<Self>) -> Next<Self> {
//!         match (door, event) {
//!             (Door::Locked, Event::Message(Msg::Code(code, reply))) if code == self.0 => {
//!                 Next::next_state(Door::Open)
//!                     .state_timeout(Duration::from_secs(10), Msg::Relock)
//!                     .reply(reply, true)
//!             }
//!             (_, Event::Message(Msg::Code(_, reply))) => Next::keep_state().reply(reply, false),
//!             // Whoever comes to a locked door waits until it is open.
//!             (Door::Locked, event) => Next::keep_state().postpone(event),
//!             (Door::Open, Event::Message(Msg::Walk(reply))) => {
//!                 Next::keep_state().reply(reply, "after you")
//!             }
//!             (Door::Open, Event::Timeout(Timeout::State, _)) => Next::next_state(Door::Locked),
//!             (Door::Open, _) => Next::keep_state(),
//!         }
//!     }
//! }
//!
//! let lock = gen_statem::start::<Lock>(4711)?;
//! let walker = std::thread::spawn({
//!     let lock = lock.clone();
//!     move || lock.call_for(Duration::MAX, Msg::Walk)
//! });
//! assert_eq!(lock.call(|reply| Msg::Code(1234, reply))?, false);
//! assert_eq!(lock.call(|reply| Msg::Code(4711, reply))?, true);
//! assert_eq!(walker.join().unwrap()?, "after you");
//! gen_statem::stop(&lock)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The state is a value of one enum as a rule, the data is the struct itself, and one `match` over both the state
//! and the event is the machine. A request that cannot be answered yet is kept: in the data, or by
//! [`postpone`](Next::postpone). A [`call`](crate::process::Dest::call) waits five seconds at most, where OTP's
//! `gen_statem:call` waits for ever: for a machine that postpones, use `call_for` with a timeout that fits.
//!
//! | OTP | here |
//! |---|---|
//! | `{next_state, S, D, Actions}`, `keep_state_and_data`, `repeat_state_and_data` | [`Next::next_state`] and its kin, with a chain of actions |
//! | `{stop, Reason, D}`, `{stop_and_reply, Reason, Replies, D}` | [`Next::stop`], with a chain of [`reply`](Next::reply) |
//! | `postpone` | [`postpone(event)`](Next::postpone): the event is given back |
//! | `{next_event, internal, C}`, `{next_event, cast, C}` | [`next_event(Event::Internal(msg))`](Next::next_event), `next_event(Event::Message(msg))` |
//! | `{timeout, T, C}`, `{state_timeout, T, C}`, `{{timeout, Name}, T, C}` | [`event_timeout`](Next::event_timeout), [`state_timeout`](Next::state_timeout), [`timeout`](Next::timeout) |
//! | `{abs, true}` | an `Instant` instead of a `Duration` |
//! | `{state_timeout, cancel}`, `{state_timeout, update, C}` | [`cancel(Timeout::State)`](Next::cancel), [`update(Timeout::State, msg)`](Next::update) |
//! | `sys:get_state`, `sys:replace_state` of `{S, D}` | [`sys`](crate::sys) of `(State, Self)`, and [`inspect`](GenStatem::inspect) |
//! | `enter_loop` | [`enter_loop`](enter_loop()) |
//! | `state_enter` | [`STATE_ENTER`](GenStatem::STATE_ENTER), [`enter`](GenStatem::enter), [`Enter`] |
//!
//! # The order of events
//! After each event, in this order:
//! 1. An event that was postponed goes to those that were before. The event timeout is cancelled.
//! 2. If the state changes, the state timeout is cancelled, and all postponed events come again, the oldest first.
//! 3. The enter call, if the state changed or is repeated, and [`STATE_ENTER`](GenStatem::STATE_ENTER) says so.
//! 4. The transition's timeouts are set, changed and cancelled, together with those of the enter call.
//! 5. The next event is the first there is of: what was inserted, in the order of the list; postponed events that come
//!    again; what was inserted before and not handled; timeouts of zero, in the order in which they were set; the
//!    mailbox, to which timers ring as well.
//!
//! A timeout that is cancelled or set anew is never heard of again, even if it has rung by then.
//!
//! # How it dies
//! With the reason of [`Next::stop`] or [`Enter::stop`], after `terminate`; with `Panic` when a callback panics,
//! after `terminate`; with the reason of an exit signal, without `terminate`, unless it traps exits. An exit signal
//! from its parent stops a machine that traps exits, after `terminate`. With [`TooManyEvents`] when it holds more
//! than [`EVENTS_MAX`](GenStatem::EVENTS_MAX) of them. Its callers, those of postponed calls among them, get
//! `CallError::Exited` with that reason.
//!
//! # Options
//! [`Spec`] has them all: name, kind, mailbox bound, start timeout, label. A postponed event has left the mailbox and
//! does not count against its bound. As a child: [`Child::statem`](crate::supervisor::Child::statem).

mod agenda;
mod context;
mod enter_loop;
mod event;
mod machine;
mod next;
mod timeouts;
mod timer;

pub use crate::behaviour::gen_server::{stop, stop_for};
pub use agenda::TooManyEvents;
pub use context::Cx;
pub use enter_loop::{enter_loop, enter_loop_as};
pub use event::Event;
pub use next::{Enter, Init, Next};
pub use timeouts::{Timeout, When};

use crate::behaviour::gen_server;
use crate::process::shown::Shown;
use crate::process::{Ref, StartError};
use crate::reason::ExitReason;
use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// A generic state machine. See the [module](self) for an example.
///
/// All callbacks run inside the machine's process, one after the other. A panic in any of them ends the process,
/// and only that.
pub trait GenStatem: Sized + Send + 'static {
    /// What `init` gets.
    type Args: Send + 'static;

    /// What the machine is sent, and what it tells itself by next events and timeouts: an enum as a rule, whose
    /// variants for calls end in a [`ReplyTo`](crate::ReplyTo).
    type Msg: Send + 'static;

    /// The states: an enum as a rule. Going to one that equals the state it is in is no change; two values of one
    /// variant that differ are two states.
    type State: PartialEq + Send + 'static;

    /// The names of its generic timeouts: an enum, or `()` if there is one at most.
    type Timer: Clone + Eq + Hash + Send + 'static;

    /// Whether exit signals become [`Event::Exit`], and an exit of the parent leads to `terminate`.
    const TRAP_EXIT: bool = false;

    /// Whether there are enter calls: OTP's `state_enter`.
    const STATE_ENTER: bool = false;

    /// How many events it may hold itself: postponed and inserted ones, and timeouts that are set. With one more it
    /// ends, for [`TooManyEvents`]: a machine that does not leave the state in which it postpones, or inserts faster
    /// than it handles, would hold all the memory in the end. A million is more than one that works comes to.
    const EVENTS_MAX: usize = 1_000_000;

    /// Makes the first state and the data. Whoever starts the machine waits for this, and not for the enter call that
    /// follows.
    fn init(args: Self::Args, cx: &mut Cx<Self>) -> Init<Self>;

    /// Handles an event in a state.
    fn handle(&mut self, event: Event<Self>, state: &Self::State, cx: &mut Cx<Self>) -> Next<Self>;

    /// The machine has come to a state, from another one, or from itself when it begins or the state is repeated.
    /// Runs before any event is handled there, only with [`STATE_ENTER`](GenStatem::STATE_ENTER). If it panics, the
    /// state that `terminate` gets is the one that was being entered.
    fn enter(&mut self, old: &Self::State, state: &Self::State, cx: &mut Cx<Self>) -> Enter<Self> {
        let _ = (old, state, cx);
        Enter::keep_state()
    }

    /// Cleans up; data and state are dropped afterwards. Runs after a stop or a crash of its own, and when the parent
    /// of a machine that traps exits ends; never after a kill or an exit signal that is not trapped.
    fn terminate(&mut self, reason: &ExitReason, state: &Self::State, cx: &mut Cx<Self>) {
        let _ = (reason, state, cx);
    }

    /// What state and data look like to whoever looks into the machine with [`sys`](crate::sys), and in the report of
    /// its failure: `Some(current)` if both have a `Debug` that may be shown. Nothing unless defined.
    ///
    /// It is asked only when somebody looks, and cut where it gets long.
    ///
    /// ```
    /// use perennial::gen_statem::{Cx, Event, Init, Next};
    /// use perennial::{prelude::*, sys};
    /// #[derive(Debug, PartialEq)]
    /// enum Door { Open, Shut }
    /// #[derive(Debug)]
    /// struct Visits(u32);
    /// impl GenStatem for Visits {
    ///     type Args = ();
    ///     type Msg = ();
    ///     type State = Door;
    ///     type Timer = ();
    ///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::ok(Door::Shut, Visits(0)) }
    ///     fn handle(&mut self, _: Event<Self>, _: &Door, _: &mut Cx<Self>) -> Next<Self> {
    ///         self.0 += 1;
    ///         Next::next_state(Door::Open)
    ///     }
    ///     fn inspect(current: &(Door, Self)) -> Option<&dyn std::fmt::Debug> { Some(current) }
    /// }
    /// let door = gen_statem::start::<Visits>(())?;
    /// door.cast(());
    /// assert_eq!(sys::get_state(&door)?.as_deref(), Some("(Open, Visits(1))"));
    /// let before = sys::replace_state(&door, |_: &(Door, Visits)| (Door::Shut, Visits(7)))?;
    /// assert_eq!((before.0, before.1.0), (Door::Open, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn inspect(current: &(Self::State, Self)) -> Option<&dyn fmt::Debug> {
        let _ = current;
        None
    }

    /// What a message looks like to whoever debugs the machine with [`sys`](crate::sys), and in the report of its
    /// failure: `Some(msg)` if it has a `Debug` that may be shown. Nothing unless defined; what it costs is said at
    /// [`GenServer::inspect_message`](crate::GenServer::inspect_message).
    fn inspect_message(msg: &Self::Msg) -> Option<&dyn fmt::Debug> {
        let _ = msg;
        None
    }

    /// Changes what others are shown: hides a password in the data, shortens a message. Leaves it as it is unless
    /// defined. If it panics they are shown nothing, and the machine goes on. It changes nothing but that, as
    /// [`GenServer::format_status`](crate::GenServer::format_status).
    fn format_status(&self, state: &Self::State, shown: &mut Shown) {
        let _ = (state, shown);
    }
}

/// A machine where a server is meant: as a [`Spec`], or as a
/// [`ServerChild<Statem<S>>`](crate::supervisor::ServerChild). It has no values.
///
/// ```
/// use perennial::gen_statem::{Cx, Event, Init, Next, Statem};
/// use perennial::prelude::*;
/// use perennial::supervisor::ServerChild;
///
/// enum Msg { Press(ReplyTo<bool>) }
/// struct Switch;
/// impl GenStatem for Switch {
///     type Args = ();
///     type Msg = Msg;
///     type State = bool;
///     type Timer = ();
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::ok(false, Switch) }
///     fn handle(&mut self, event: Event<Self>, on: &bool, _: &mut Cx<Self>) -> Next<Self> {
///         match event {
///             Event::Message(Msg::Press(reply)) => Next::next_state(!on).reply(reply, !on),
///             _ => Next::keep_state(),
///         }
///     }
/// }
///
/// static SWITCH: Name<Msg> = Name::new("switch");
/// let switch: ServerChild<Statem<Switch>> = Child::statem("switch", ()).name(&SWITCH);
/// let tree = Supervisor::new(Strategy::OneForOne).child(switch).start()?;
/// assert_eq!(SWITCH.call(Msg::Press)?, true);
/// assert_eq!(SWITCH.call(Msg::Press)?, false);
/// supervisor::stop(&tree)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Statem<S>(Infallible, PhantomData<fn() -> S>);

/// A machine that is about to be started, with the options of a server. Made by [`spec`].
pub type Spec<S> = gen_server::Spec<Statem<S>>;

/// Starts a machine without a link; returns when its `init` is through.
///
/// # Errors
/// See [`StartError`].
pub fn start<S: GenStatem>(args: S::Args) -> Result<Ref<S::Msg>, StartError> {
    spec::<S>(args).start()
}

/// Starts a machine that is linked to the process which runs on this thread.
///
/// # Errors
/// `NotAProcess` on a plain thread. When `init` fails the starter gets the exit signal as well, and ends by it
/// unless it traps exits.
pub fn start_link<S: GenStatem>(args: S::Args) -> Result<Ref<S::Msg>, StartError> {
    spec::<S>(args).start_link()
}

/// A machine to be started, with its options.
pub fn spec<S: GenStatem>(args: S::Args) -> Spec<S> {
    Spec::new(args)
}
