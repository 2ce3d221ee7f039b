//! System messages: what is asked of a process from outside, whatever it runs. They keep their order in the
//! mailbox, and are met between two callbacks, so they see a state that no callback is at work on.
//!
//! A suspended process meets nothing else but its end; what comes meanwhile is held, in order.

use crate::process::behaviour::{Behaviour, Body, Stage, StopRequest};
use crate::process::call::Pending;
use crate::process::core::{Process, Signal, flag};
use crate::process::death::End;
use crate::process::debug::{Debug, DebugOptions};
use crate::process::error::CallError;
use crate::process::id::ProcessId;
use crate::process::pooled::overflowed;
use crate::process::relations::Effect;
use crate::process::shown::{STATE_MAX, Shown};
use crate::process::signal::Entry;
use crate::process::unwind::{self, By};
use crate::process::{bounded, current, runtime, wait};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How long a system message waits for its answer: as a call.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why nothing came of a system message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SysError {
    /// The process runs a closure, which takes no system messages: [`process::spawn`](crate::process::spawn) and
    /// tasks.
    NotSupported,
    /// The state of the process is of another type, or its behaviour shows none.
    OtherState,
    /// What was to be done with the state panicked or left the process. The state is as it was.
    CallbackFailed(ExitReason),
    /// Nothing is counted: see [`sys::statistics`](crate::sys::statistics).
    NoStatistics,
    /// The process has as many hooks as it takes: 64.
    TooManyHooks,
    /// The file for the events cannot be opened.
    File(std::io::ErrorKind),
    /// The process did not answer.
    Call(CallError),
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SysError::NotSupported => f.write_str("the process runs a closure, not callbacks"),
            SysError::OtherState => f.write_str("the state of the process is of another type"),
            SysError::CallbackFailed(reason) => {
                write!(f, "the closure failed, the state is as it was: {reason}")
            }
            SysError::NoStatistics => f.write_str("nothing is counted of the process"),
            SysError::TooManyHooks => f.write_str("the process has as many hooks as it takes"),
            SysError::File(kind) => write!(f, "opening the file for the events: {kind}"),
            SysError::Call(error) => write!(f, "the process did not answer: {error}"),
        }
    }
}

impl std::error::Error for SysError {}

impl From<CallError> for SysError {
    fn from(error: CallError) -> Self {
        SysError::Call(error)
    }
}

/// A process as a system message sees it.
pub(crate) trait System {
    fn me(&self) -> &Arc<dyn Process>;
    fn is_suspended(&self) -> bool;
    fn suspend(&mut self);
    fn resume(&mut self);
    fn debug(&mut self) -> &mut Debug;
    fn options(&self) -> DebugOptions;
    fn state(&self) -> Option<&dyn Any>;
    fn state_mut(&mut self) -> Option<&mut dyn Any>;
    /// The state as it is, whatever `format_status` would make of it.
    fn inspect(&self) -> Option<String>;
    fn shown(&self) -> Shown;
    /// Ends the process in order, after this.
    fn terminate(&mut self, reason: ExitReason);
}

/// What a system message does.
pub(crate) type SystemMsg = Box<dyn FnOnce(&mut dyn System) + Send>;

/// What is switched on for a process, and what it holds while it is suspended.
pub(crate) struct Watched<M> {
    pub(super) debug: Debug,
    suspended: bool,
    held: VecDeque<Entry<M>>,
}

impl<M> Default for Watched<M> {
    fn default() -> Self {
        Watched {
            debug: Debug::default(),
            suspended: false,
            held: VecDeque::new(),
        }
    }
}

/// Runs a closure of somebody else's in a process. If it fails that is its maker's business, and why is
/// returned; a signal to the process ends that.
pub(crate) fn guarded<R>(run: impl FnOnce() -> R) -> Result<R, ExitReason> {
    match catch_unwind(AssertUnwindSafe(run)).map_err(unwind::reason_of) {
        Ok(value) => Ok(value),
        Err((reason, By::Itself)) => Err(reason),
        Err((reason, By::Signal)) => unwind::by_signal(reason),
    }
}

/// Has a process answer a question between two callbacks.
pub(crate) fn ask<T: Send + 'static>(
    what: ProcessId,
    question: impl FnOnce(&mut dyn System) -> Result<T, SysError> + Send + 'static,
) -> Result<T, SysError> {
    current::checkpoint();
    if current::leaving() {
        return Err(CallError::Exiting.into());
    }
    let shared = runtime::current();
    let (pid, _, process) = what.resolve(&shared);
    let process = process.ok_or(CallError::NoProc)?;
    if pid == current::pid() {
        return Err(CallError::CallingSelf.into());
    }
    if !process.core().has(flag::SYSTEM) {
        return Err(SysError::NotSupported);
    }
    let latest = shared.clock.now().checked_add(TIMEOUT);
    let deadline = [latest, current::deadline()].into_iter().flatten().min();
    let pending = Arc::new(Pending::new(process.clone(), deadline));
    let asked = pending.clone();
    let message: SystemMsg = Box::new(move |system| {
        let answer = question(system);
        // Whoever asked may have given up. What is dropped then is theirs.
        drop(guarded(|| drop(asked.slot.put(Ok(answer)))));
    });
    send(&process, message)?;
    wait::for_answer(&pending, false)?
}

/// Puts a system message into a mailbox. It is there before the process ends, or not at all.
fn send(process: &Arc<dyn Process>, message: SystemMsg) -> Result<(), CallError> {
    let relations = process.core().relations.lock();
    if relations.ended().is_some() {
        // What the message owns is the user's, so it is dropped with no lock held.
        drop(relations);
        return Err(CallError::NoProc);
    }
    process.push_signal(Signal::System(message));
    drop(relations);
    process.clone().wake();
    Ok(())
}

impl<B: Behaviour> Body<B> {
    pub(crate) fn is_suspended(&self) -> bool {
        let suspended = |watched: &Watched<B::Msg>| watched.suspended;
        self.watched.as_deref().is_some_and(suspended)
    }

    /// How many entries were taken from the mailbox and not handled.
    pub(crate) fn waiting(&self) -> usize {
        let held = self
            .watched
            .as_ref()
            .map_or(0, |watched| watched.held.len());
        self.batch.as_ref().map_or(0, |batch| batch.len()) + held
    }

    /// What was taken from the mailbox and not handled; the process has ended.
    pub(crate) fn take_waiting(&mut self) -> VecDeque<Entry<B::Msg>> {
        let watched = self.watched.as_mut();
        let mut waiting =
            watched.map_or_else(VecDeque::new, |watched| std::mem::take(&mut watched.held));
        if let Some(mut batch) = self.batch.take() {
            waiting.append(&mut batch);
        }
        waiting
    }

    /// What others are shown, if the process ends for a reason or goes on.
    pub(super) fn shown(&self, reason: Option<String>) -> Shown {
        let Stage::Up(state) = &self.stage else {
            return Shown::default();
        };
        let debug = self.watched.as_ref().map(|watched| &watched.debug);
        let events = debug.map(Debug::log).unwrap_or_default();
        let shown = Shown {
            state: inspect(state),
            message: self.describe_last(),
            reason,
            log: events.iter().map(ToString::to_string).collect(),
        };
        shown.formatted(|shown| state.format_status(shown))
    }

    /// Lets a system message look and change.
    pub(super) fn system(&mut self, me: &Arc<dyn Process>, message: SystemMsg) -> Result<(), End> {
        current::begin_callback(None);
        let mut seen = Seen {
            body: self,
            me,
            ends: None,
        };
        message(&mut seen);
        let ends = seen.ends;
        current::fail_unanswered(current::end_callback());
        if let Some(end) = self.overtaken(me.core()) {
            return Err(end);
        }
        let is_idle = |watched: &Watched<B::Msg>| !watched.suspended && watched.debug.is_off();
        if self.watched.as_deref().is_some_and(is_idle) {
            self.watched = None;
        }
        match ends {
            Some(reason) => self.meet(me, me.core(), Entry::Resume(Box::new(StopRequest(reason)))),
            None => Ok(()),
        }
    }

    /// Handles one entry of a suspended process: system messages, and what ends it. All else has to wait.
    pub(super) fn handle_suspended(
        &mut self,
        me: &Arc<dyn Process>,
        entry: Entry<B::Msg>,
    ) -> Result<(), End> {
        match entry {
            Entry::System(message) => return self.system(me, message),
            Entry::Resume(value) if value.is::<StopRequest>() => {
                self.wake_up(me);
                return self.meet(me, me.core(), Entry::Resume(value));
            }
            Entry::Exit(id) => {
                let core = me.core();
                let mut relations = core.relations.lock();
                let seen = relations.peek_exit(core.pid, id, core.traps_exit());
                drop(relations);
                match seen {
                    Some(Effect::Deliver(exit)) if exit.from == core.parent() => {
                        self.wake_up(me);
                        return self.meet(me, me.core(), Entry::Exit(id));
                    }
                    Some(Effect::Deliver(_)) => self.hold(me, Entry::Exit(id)),
                    Some(Effect::Die(reason)) => return Err(End::by_signal(reason)),
                    Some(Effect::Ignore) | None => {}
                }
            }
            entry => self.hold(me, entry),
        }
        Ok(())
    }

    /// Keeps an entry until the process is resumed. What has to make room for it is dropped.
    fn hold(&mut self, me: &Arc<dyn Process>, entry: Entry<B::Msg>) {
        let Some(watched) = &mut self.watched else {
            return;
        };
        watched.held.push_back(entry);
        make_room(&mut watched.held, me.excess());
    }

    /// Goes on, first with what was held, in order.
    fn wake_up(&mut self, me: &Arc<dyn Process>) {
        let Some(watched) = self.watched.as_mut().filter(|watched| watched.suspended) else {
            return;
        };
        watched.suspended = false;
        let mut held = std::mem::take(&mut watched.held);
        make_room(&mut held, me.set_aside(false));
        if let Some(mut batch) = self.batch.take() {
            held.append(&mut batch);
        }
        if !held.is_empty() {
            self.batch = Some(Box::new(held));
        }
    }
}

/// Drops the oldest messages that are held, so many of them. A destructor that panics is its message's own
/// trouble.
fn make_room<M>(held: &mut VecDeque<Entry<M>>, excess: usize) {
    for _ in 0..excess {
        let oldest = held.iter().position(Entry::is_bounded);
        let oldest = oldest.and_then(|at| held.remove(at));
        drop(guarded(|| overflowed(oldest)));
    }
}

fn inspect<B: Behaviour>(state: &B) -> Option<String> {
    // What `inspect` itself does is the user's, as is the `Debug` that it returns.
    let text = || Some(bounded::debug(state.inspect()?, STATE_MAX));
    catch_unwind(AssertUnwindSafe(text)).unwrap_or_else(|_| Some("inspect panicked".to_owned()))
}

/// A process while a system message is at it.
struct Seen<'a, B: Behaviour> {
    body: &'a mut Body<B>,
    me: &'a Arc<dyn Process>,
    ends: Option<ExitReason>,
}

impl<B: Behaviour> System for Seen<'_, B> {
    fn me(&self) -> &Arc<dyn Process> {
        self.me
    }

    fn is_suspended(&self) -> bool {
        self.body.is_suspended()
    }

    fn suspend(&mut self) {
        self.body.watched.get_or_insert_default().suspended = true;
        self.me.set_aside(true);
    }

    fn resume(&mut self) {
        self.body.wake_up(self.me);
    }

    fn debug(&mut self) -> &mut Debug {
        &mut self.body.watched.get_or_insert_default().debug
    }

    fn options(&self) -> DebugOptions {
        let watched = self.body.watched.as_ref();
        watched.map_or_else(DebugOptions::default, |watched| watched.debug.options())
    }

    fn state(&self) -> Option<&dyn Any> {
        match &self.body.stage {
            Stage::Up(state) => state.state(),
            _ => None,
        }
    }

    fn state_mut(&mut self) -> Option<&mut dyn Any> {
        match &mut self.body.stage {
            Stage::Up(state) => state.state_mut(),
            _ => None,
        }
    }

    fn inspect(&self) -> Option<String> {
        match &self.body.stage {
            Stage::Up(state) => inspect(state),
            _ => None,
        }
    }

    fn shown(&self) -> Shown {
        self.body.shown(None)
    }

    fn terminate(&mut self, reason: ExitReason) {
        self.body.wake_up(self.me);
        self.ends = Some(reason);
    }
}
