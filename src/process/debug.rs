//! What is watched of a process by whoever debugs it: what it takes from its mailbox, what it answers and what
//! it decides, counted, kept, told, or handed to hooks.

use crate::pid::{MonitorRef, Pid};
use crate::process::behaviour::Flow;
use crate::process::bounded;
use crate::process::core::Process;
use crate::process::system::{SysError, guarded};
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::telemetry::Event;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// How many characters of a reason an event shows at most.
const REASON_MAX: usize = 200;

/// How many hooks a process takes at most: each of them sees each event.
const HOOKS_MAX: usize = 64;

/// Something that a process which is debugged did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SysEvent {
    /// It took this from its mailbox.
    In(Incoming),
    /// It answered, in the callback that got it, a call of this process.
    Out(Pid),
    /// A callback has returned, and this comes next.
    Then(Then),
}

/// What a process took from its mailbox. Messages are shown as
/// [`inspect_message`](crate::GenServer::inspect_message) says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Incoming {
    /// A message.
    Message(Option<Arc<str>>),
    /// A call, and who called; [`Pid::INIT`] if a plain thread did.
    Call(Pid, Option<Arc<str>>),
    /// A trapped exit signal of this process.
    Exit(Pid, ExitReason),
    /// The end of a process that it monitors.
    Down(MonitorRef, Pid, ExitReason),
    /// Nothing came for as long as it had said.
    Timeout,
    /// What its own machinery waited for: the answer of a request, the start of a child, an order to stop.
    Internal,
    /// Nothing: it goes on with what it had asked to, before anything else.
    Continue,
}

/// What comes after a callback.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Then {
    /// It waits for whatever comes.
    Loop,
    /// It waits so long at most.
    Timeout(Duration),
    /// It goes on at once.
    Continue,
    /// It ends.
    Stop(ExitReason),
}

impl Then {
    pub(super) fn of(flow: &Flow) -> Self {
        match flow {
            Flow::Loop => Then::Loop,
            Flow::Timeout(delay) => Then::Timeout(*delay),
            Flow::Continue => Then::Continue,
            Flow::Stop(reason) => Then::Stop(reason.clone()),
        }
    }
}

impl fmt::Display for SysEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SysEvent::In(incoming) => write!(f, "in {incoming}"),
            SysEvent::Out(to) => write!(f, "out to {to}"),
            SysEvent::Then(Then::Loop) => f.write_str("waits"),
            SysEvent::Then(Then::Timeout(delay)) => write!(f, "waits {delay:?} at most"),
            SysEvent::Then(Then::Continue) => f.write_str("goes on"),
            SysEvent::Then(Then::Stop(reason)) => write!(f, "stops: {}", short(reason)),
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incoming::Message(text) => write!(f, "message {}", shown(text)),
            Incoming::Call(from, text) => write!(f, "call from {from}: {}", shown(text)),
            Incoming::Exit(from, reason) => write!(f, "exit from {from}: {}", short(reason)),
            Incoming::Down(_, pid, reason) => write!(f, "down of {pid}: {}", short(reason)),
            Incoming::Timeout => f.write_str("timeout"),
            Incoming::Internal => f.write_str("internal"),
            Incoming::Continue => f.write_str("continue"),
        }
    }
}

fn short(reason: &ExitReason) -> String {
    bounded::display(reason, REASON_MAX)
}

fn shown(text: &Option<Arc<str>>) -> &str {
    text.as_deref().unwrap_or("..")
}

/// What a process that is traced did.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The process.
    pub pid: Pid,
    /// What it did.
    pub event: SysEvent,
}

impl Event for Traced {}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pid, self.event)
    }
}

/// What was counted of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// When the counting began.
    pub start: Instant,
    /// When it was asked for.
    pub now: Instant,
    /// What it took from its mailbox.
    pub messages_in: u64,
    /// Calls that it answered in the callback that got them.
    pub messages_out: u64,
    /// Callbacks that have returned.
    pub callbacks: u64,
}

impl Statistics {
    fn since(start: Instant) -> Self {
        Statistics {
            start,
            now: start,
            messages_in: 0,
            messages_out: 0,
            callbacks: 0,
        }
    }

    fn count(&mut self, event: &SysEvent) {
        match event {
            SysEvent::In(Incoming::Continue) => {}
            SysEvent::In(_) => self.messages_in += 1,
            SysEvent::Out(_) => self.messages_out += 1,
            SysEvent::Then(_) => self.callbacks += 1,
        }
    }
}

/// Names an installed hook.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookId {
    /// By the name under which it was installed.
    Named(Arc<str>),
    /// By a number of its process's own.
    Numbered(u64),
}

impl From<&str> for HookId {
    fn from(name: &str) -> Self {
        HookId::Named(name.into())
    }
}

/// Whether a hook goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// It wants the next event as well.
    Stays,
    /// It has seen what it waited for, and is removed.
    Done,
}

/// A hook: sees each event, and the state of the process if its behaviour has one.
pub(crate) type HookFn = Box<dyn FnMut(&SysEvent, Option<&dyn Any>) -> Hook + Send>;

/// The last events, of which only so many are kept.
struct Ring {
    max: usize,
    events: VecDeque<SysEvent>,
}

impl Ring {
    fn push(&mut self, event: SysEvent) {
        if self.events.len() == self.max {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// What is switched on for one process.
#[derive(Default)]
pub(crate) struct Debug {
    statistics: Option<Statistics>,
    log: Option<Ring>,
    trace: bool,
    /// The newest first, as they are called.
    hooks: VecDeque<(HookId, HookFn)>,
    hook_next: u64,
}

/// What is switched on for a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DebugOptions {
    /// Whether it is counted what it does.
    pub statistics: bool,
    /// Whether it is told what it does.
    pub trace: bool,
    /// How many of its last events are kept, if any.
    pub log: Option<usize>,
    /// Its hooks, the newest first.
    pub hooks: Vec<HookId>,
}

impl Debug {
    /// Equals `true` if nothing is switched on.
    pub(crate) fn is_off(&self) -> bool {
        self.statistics.is_none() && self.log.is_none() && !self.trace && self.hooks.is_empty()
    }

    pub(crate) fn options(&self) -> DebugOptions {
        DebugOptions {
            statistics: self.statistics.is_some(),
            trace: self.trace,
            log: self.log.as_ref().map(|ring| ring.max),
            hooks: self.hooks.iter().map(|(id, _)| id.clone()).collect(),
        }
    }

    pub(crate) fn set_statistics(&mut self, since: Option<Instant>) {
        self.statistics = since.map(Statistics::since);
    }

    pub(crate) fn statistics(&self, now: Instant) -> Option<Statistics> {
        self.statistics
            .clone()
            .map(|counted| Statistics { now, ..counted })
    }

    pub(crate) fn set_trace(&mut self, on: bool) {
        self.trace = on;
    }

    /// Keeps so many events from now on; those that are kept already stay, as far as there is room.
    pub(crate) fn set_log(&mut self, max: Option<usize>) {
        self.log = max.map(|max| {
            let mut events = self.log.take().map(|ring| ring.events).unwrap_or_default();
            events.drain(..events.len().saturating_sub(max));
            Ring { max, events }
        });
    }

    pub(crate) fn log(&self) -> Vec<SysEvent> {
        let kept = self.log.iter().flat_map(|ring| &ring.events);
        kept.cloned().collect()
    }

    /// Installs a hook under a name, or under a number if there is none; `Ok(None)` if there is a hook of that
    /// name, which stays.
    pub(crate) fn install(
        &mut self,
        name: Option<Arc<str>>,
        hook: HookFn,
    ) -> Result<Option<HookId>, SysError> {
        let id = match name {
            Some(name) => HookId::Named(name),
            None => HookId::Numbered(self.hook_next),
        };
        if self.hooks.iter().any(|(known, _)| *known == id) {
            return Ok(None);
        }
        if self.hooks.len() == HOOKS_MAX {
            return Err(SysError::TooManyHooks);
        }
        self.hook_next += 1;
        self.hooks.push_front((id.clone(), hook));
        Ok(Some(id))
    }

    /// Removes a hook; `None` if there is none of that name.
    pub(crate) fn remove(&mut self, id: &HookId) -> Option<HookFn> {
        let at = self.hooks.iter().position(|(known, _)| known == id)?;
        self.hooks.remove(at).map(|(_, hook)| hook)
    }

    /// Counts, keeps and tells an event. A hook that panics is removed.
    pub(crate) fn event(&mut self, me: &dyn Process, state: Option<&dyn Any>, event: SysEvent) {
        if let Some(statistics) = &mut self.statistics {
            statistics.count(&event);
        }
        if self.trace {
            let core = me.core();
            let traced = Traced {
                pid: core.pid,
                event: event.clone(),
            };
            let place = (log::Level::Info, "perennial::sys");
            core.runtime.report(place, core.pid, traced);
        }
        self.hooks
            .retain_mut(|(_, hook)| guarded(|| hook(&event, state)) == Ok(Hook::Stays));
        if let Some(ring) = &mut self.log {
            ring.push(event);
        }
    }
}
