//! What a machine handles.

use crate::behaviour::gen_statem::GenStatem;
use crate::behaviour::gen_statem::agenda::Due;
use crate::behaviour::gen_statem::timeouts::Timeout;
use crate::process::{Down, Exit};
use std::fmt;

/// What a machine handles, by where it came from: OTP's event type together with its content.
///
/// Any of them may be inserted as a next event as well; it is handled as if it had come.
pub enum Event<S: GenStatem> {
    /// A message: a cast, or a call if it holds a [`ReplyTo`](crate::ReplyTo).
    Message(S::Msg),
    /// Something the machine told itself by a next event; nobody else can send one.
    Internal(S::Msg),
    /// A timeout, with what it was set with.
    Timeout(Timeout<S::Timer>, S::Msg),
    /// A process that it monitors has ended.
    Down(Down),
    /// A linked process has ended, or somebody sent an exit signal; only if it traps exits.
    Exit(Exit),
}

/// An event as the agenda keeps it.
pub(super) type Dues<S> = Due<Event<S>, <S as GenStatem>::Timer, <S as GenStatem>::Msg>;

impl<S: GenStatem> From<Dues<S>> for Event<S> {
    fn from(due: Dues<S>) -> Self {
        match due {
            Due::Event(event) => event,
            Due::Timeout(timeout, payload) => Event::Timeout(timeout, payload),
        }
    }
}

impl<S: GenStatem> fmt::Debug for Event<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Message(_) => f.write_str("Message(..)"),
            Event::Internal(_) => f.write_str("Internal(..)"),
            Event::Timeout(Timeout::Event, _) => f.write_str("Timeout(Event, ..)"),
            Event::Timeout(Timeout::State, _) => f.write_str("Timeout(State, ..)"),
            Event::Timeout(Timeout::Named(_), _) => f.write_str("Timeout(Named(..), ..)"),
            Event::Down(down) => write!(f, "{down:?}"),
            Event::Exit(exit) => write!(f, "{exit:?}"),
        }
    }
}
