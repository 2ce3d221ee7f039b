//! What others are shown of a process that runs callbacks: its state, its last message, why it ends, and the
//! events that it kept; and how its behaviour may change that.

use crate::pid::Pid;
use crate::process::bounded;
use crate::sync::Arc;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many characters of a state are shown at most.
pub(crate) const STATE_MAX: usize = 4_000;

/// How many characters of a message are shown at most.
const MESSAGE_MAX: usize = 1_000;

/// What stands for all that a `format_status` which panicked was to change.
const PANICKED: &str = "format_status panicked";

/// What others are shown of a server: whoever asks for its [status](crate::sys::get_status), and whoever reads
/// the report of its failure.
///
/// [`GenServer::format_status`](crate::GenServer::format_status), or that of a [`GenStatem`](crate::GenStatem), may
/// change or hide any of it; if that panics all of it is hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// The state, if [`GenServer::inspect`](crate::GenServer::inspect) shows it. 4,000 characters at most.
    pub state: Option<String>,
    /// What the last callback was given. The message itself is there if
    /// [`GenServer::inspect_message`](crate::GenServer::inspect_message) shows it. 1,000 characters at most.
    pub message: Option<String>,
    /// Why it ends, if it does. 4,000 characters at most.
    pub reason: Option<String>,
    /// The events that [`sys::log`](crate::sys::log) kept, the oldest first.
    pub log: Vec<String>,
}

impl Shown {
    /// Lets `change` have its way with what is shown.
    pub(crate) fn formatted(mut self, change: impl FnOnce(&mut Shown)) -> Self {
        if catch_unwind(AssertUnwindSafe(|| change(&mut self))).is_err() {
            return self.hidden();
        }
        let texts = [&mut self.state, &mut self.message, &mut self.reason];
        for text in texts.into_iter().flatten() {
            *text = bounded::display(text, STATE_MAX);
        }
        for text in &mut self.log {
            *text = bounded::display(text, MESSAGE_MAX);
        }
        self
    }

    fn hidden(self) -> Self {
        let hide = |text: Option<String>| text.map(|_| PANICKED.to_owned());
        Shown {
            state: hide(self.state),
            message: hide(self.message),
            reason: hide(self.reason),
            log: self.log.iter().map(|_| PANICKED.to_owned()).collect(),
        }
    }
}

/// What the last callback of a process was given. Written down for each message, so it owns nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last {
    Nothing,
    Message,
    Call(Pid),
    Exit(Pid),
    Down(Pid),
    Timeout,
    Internal,
    Continue,
}

/// A message as its behaviour shows it, if it does.
#[inline]
pub(crate) fn message(message: Option<&dyn fmt::Debug>) -> Option<Arc<str>> {
    message.map(|message| bounded::debug(message, MESSAGE_MAX).into())
}

impl Last {
    /// Who waits for an answer.
    pub(crate) fn client(self) -> Option<Pid> {
        match self {
            Last::Call(caller) => Some(caller),
            _ => None,
        }
    }

    /// What it was, in words; a message is its text, if it is shown.
    pub(crate) fn describe(self, text: Option<&str>) -> Option<String> {
        match self {
            Last::Nothing => None,
            Last::Message | Last::Call(_) => text.map(str::to_owned),
            Last::Exit(from) => Some(format!("the exit of {from}")),
            Last::Down(pid) => Some(format!("the down of {pid}")),
            Last::Timeout => Some("a timeout".to_owned()),
            Last::Internal => Some("something of its own machinery".to_owned()),
            Last::Continue => Some("what it went on with".to_owned()),
        }
    }
}
