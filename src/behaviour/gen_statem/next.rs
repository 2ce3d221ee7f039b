//! What callbacks return: a transition, and the actions that go with it.

use crate::behaviour::gen_statem::timeouts::{Change, Changes, Timeout, When};
use crate::behaviour::gen_statem::{Event, GenStatem};
use crate::process::ReplyTo;
use crate::reason::ExitReason;
use std::fmt;

/// What a machine does when it has handled an event. See the [module](super) for the order of things.
///
/// Actions are added to a transition in a chain. Of several that concern the same timeout the last one counts.
#[must_use = "a transition happens when the callback returns it"]
pub struct Next<S: GenStatem> {
    pub(super) step: Step<S>,
    pub(super) postponed: Vec<Event<S>>,
    pub(super) next_events: Vec<Event<S>>,
    pub(super) timeouts: Changes<S::Timer, S::Msg>,
}

pub(super) enum Step<S: GenStatem> {
    Keep,
    Repeat,
    Next(S::State),
    Stop(ExitReason),
}

impl<S: GenStatem> Next<S> {
    fn new(step: Step<S>) -> Self {
        Next {
            step,
            postponed: Vec::new(),
            next_events: Vec::new(),
            timeouts: Vec::new(),
        }
    }

    /// Stays in its state.
    pub fn keep_state() -> Self {
        Next::new(Step::Keep)
    }

    /// Goes to a state. If that equals the one it is in, this is [`keep_state`](Next::keep_state): no enter call,
    /// no postponed event is tried again, the state timeout runs on.
    pub fn next_state(state: S::State) -> Self {
        Next::new(Step::Next(state))
    }

    /// Stays in its state and makes the enter call again. Postponed events stay postponed, the state timeout runs
    /// on.
    pub fn repeat_state() -> Self {
        Next::new(Step::Repeat)
    }

    /// Ends the machine, after `terminate`. With [`reply`](Next::reply), OTP's `stop_and_reply`: the answers are
    /// sent before `terminate`. Other actions come to nothing.
    pub fn stop(reason: ExitReason) -> Self {
        Next::new(Step::Stop(reason))
    }

    /// Keeps an event, the one that is being handled as a rule, until the state changes: then it comes again, behind
    /// the next events of that transition, and after those that were postponed before.
    pub fn postpone(mut self, event: Event<S>) -> Self {
        self.postponed.push(event);
        self
    }

    /// Inserts an event that is handled before anything else that waits; several in the order of the chain.
    pub fn next_event(mut self, event: Event<S>) -> Self {
        self.next_events.push(event);
        self
    }
}

/// What an enter call comes to: the machine stays in the state that it has just entered.
///
/// Timeouts may be set here, and calls that were kept be answered. An event can be neither postponed nor inserted: there
/// is none at hand, and what was inserted by the transition comes first.
///
/// ```compile_fail,E0599
/// use perennial::gen_statem::{Enter, Event, GenStatem};
/// fn enter<S: GenStatem>(event: Event<S>) -> Enter<S> {
///     Enter::keep_state().postpone(event)
/// }
/// ```
///
/// ```compile_fail,E0599
/// use perennial::gen_statem::{Enter, Event, GenStatem};
/// fn enter<S: GenStatem>(event: Event<S>) -> Enter<S> {
///     Enter::keep_state().next_event(event)
/// }
/// ```
#[must_use = "an enter call's actions happen when the callback returns them"]
pub struct Enter<S: GenStatem> {
    pub(super) step: Entered,
    pub(super) timeouts: Changes<S::Timer, S::Msg>,
}

pub(super) enum Entered {
    Keep,
    Repeat,
    Stop(ExitReason),
}

impl<S: GenStatem> Enter<S> {
    fn new(step: Entered) -> Self {
        Enter {
            step,
            timeouts: Vec::new(),
        }
    }

    /// Goes on, in the state that was entered.
    pub fn keep_state() -> Self {
        Enter::new(Entered::Keep)
    }

    /// Makes the enter call again.
    pub fn repeat_state() -> Self {
        Enter::new(Entered::Repeat)
    }

    /// Ends the machine, after `terminate`.
    pub fn stop(reason: ExitReason) -> Self {
        Enter::new(Entered::Stop(reason))
    }
}

/// What `init` came to.
///
/// Actions are added to [`Init::ok`] in a chain; elsewhere they come to nothing.
#[must_use = "init returns it"]
pub struct Init<S: GenStatem> {
    pub(super) made: Made<S>,
    pub(super) next_events: Vec<Event<S>>,
    pub(super) timeouts: Changes<S::Timer, S::Msg>,
}

pub(super) enum Made<S: GenStatem> {
    Ok(S::State, S),
    Ignore,
    Stop(ExitReason),
}

impl<S: GenStatem> Init<S> {
    fn new(made: Made<S>) -> Self {
        Init {
            made,
            next_events: Vec::new(),
            timeouts: Vec::new(),
        }
    }

    /// The first state, and the data; the machine is up. Its enter call comes next, if it has them, and then what was
    /// inserted here.
    pub fn ok(state: S::State, data: S) -> Self {
        Init::new(Made::Ok(state, data))
    }

    /// There is nothing to run, and nothing wrong: the start fails with `StartError::Ignored`.
    pub fn ignore() -> Self {
        Init::new(Made::Ignore)
    }

    /// The start fails with this reason.
    pub fn stop(reason: ExitReason) -> Self {
        Init::new(Made::Stop(reason))
    }

    /// Inserts an event that is handled before anything that comes in; several in the order of the chain.
    pub fn next_event(mut self, event: Event<S>) -> Self {
        self.next_events.push(event);
        self
    }
}

/// The actions that each of them takes.
macro_rules! actions {
    ($of:ident) => {
        impl<S: GenStatem> $of<S> {
            /// Sets the event timeout: [`Event::Timeout`] with [`Timeout::Event`], unless another event is handled
            /// before.
            pub fn event_timeout(self, when: impl Into<When>, payload: S::Msg) -> Self {
                self.change(Timeout::Event, Change::Set(when.into(), payload))
            }

            /// Sets the state timeout: [`Event::Timeout`] with [`Timeout::State`], unless the state changes before.
            pub fn state_timeout(self, when: impl Into<When>, payload: S::Msg) -> Self {
                self.change(Timeout::State, Change::Set(when.into(), payload))
            }

            /// Sets a generic timeout: [`Event::Timeout`] with its name, unless it is cancelled or set anew before.
            pub fn timeout(self, name: S::Timer, when: impl Into<When>, payload: S::Msg) -> Self {
                self.change(Timeout::Named(name), Change::Set(when.into(), payload))
            }

            /// Cancels a timeout. Nothing, if it is not set.
            pub fn cancel(self, timeout: Timeout<S::Timer>) -> Self {
                self.change(timeout, Change::Cancel)
            }

            /// Gives a timeout that is set another payload, and lets it run on. One that is not set comes at once, as
            /// if set to zero.
            pub fn update(self, timeout: Timeout<S::Timer>, payload: S::Msg) -> Self {
                self.change(timeout, Change::Update(payload))
            }

            /// Answers a call, in the chain and at once: `reply.send(value)`.
            pub fn reply<T: Send + 'static>(self, reply: ReplyTo<T>, value: T) -> Self {
                reply.send(value);
                self
            }

            fn change(mut self, timeout: Timeout<S::Timer>, change: Change<S::Msg>) -> Self {
                self.timeouts.push((timeout, change));
                self
            }
        }
    };
}

actions!(Next);
actions!(Enter);
actions!(Init);

impl<S: GenStatem> fmt::Debug for Next<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Step::Keep => f.write_str("Next::keep_state"),
            Step::Repeat => f.write_str("Next::repeat_state"),
            Step::Next(_) => f.write_str("Next::next_state(..)"),
            Step::Stop(reason) => write!(f, "Next::stop({reason})"),
        }
    }
}

impl<S: GenStatem> fmt::Debug for Enter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Entered::Keep => f.write_str("Enter::keep_state"),
            Entered::Repeat => f.write_str("Enter::repeat_state"),
            Entered::Stop(reason) => write!(f, "Enter::stop({reason})"),
        }
    }
}

impl<S: GenStatem> fmt::Debug for Init<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.made {
            Made::Ok(..) => f.write_str("Init::ok(..)"),
            Made::Ignore => f.write_str("Init::ignore"),
            Made::Stop(reason) => write!(f, "Init::stop({reason})"),
        }
    }
}
