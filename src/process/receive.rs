//! Receiving by hand, for processes that run a closure on a thread of their own.

use crate::process::behaviour::StopRequest;
use crate::process::context::Context;
use crate::process::core::Process;
use crate::process::current;
use crate::process::exit;
use crate::process::relations::Effect;
use crate::process::signal::{Entry, Exit, Received};
use crate::process::thread::Thread;
use crate::process::unwind;
use crate::reason::ExitReason;
use crate::sync::{Arc, thread};
use crate::time::later;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// A thread process seen from inside: a [`Context`] that can receive.
pub struct ThreadContext<M: Send + 'static> {
    context: Context<M>,
    thread: Arc<Thread<M>>,
    /// What a selective receive passed over, in order.
    saved: VecDeque<Entry<M>>,
}

/// What a selective receive makes of an entry.
enum Seen<M> {
    Value(Received<M>),
    /// It stands for nothing any more.
    Nothing,
}

impl<M: Send + 'static> ThreadContext<M> {
    pub(crate) fn new(thread: Arc<Thread<M>>) -> Self {
        ThreadContext {
            context: Context::new(thread.reference()),
            thread,
            saved: VecDeque::new(),
        }
    }

    /// Waits for whatever comes next.
    ///
    /// A kill or a deadly exit signal ends the process here. While the thread unwinds, a destructor that waits
    /// gets what is there, and then an `Exit` from the process itself.
    pub fn receive(&mut self) -> Received<M> {
        match self.next_until(None) {
            Some(received) => received,
            None => Received::Exit(Exit {
                from: self.pid(),
                reason: ExitReason::Killed,
            }),
        }
    }

    /// Waits for whatever comes next, so long at most; with [`Duration::ZERO`] only looks.
    pub fn receive_timeout(&mut self, timeout: Duration) -> Option<Received<M>> {
        self.next_until(Some(self.deadline(timeout)))
    }

    /// Waits for the first entry that `wanted` accepts; what it refuses stays in the mailbox, in order.
    ///
    /// `wanted` answers with the value itself if it does not want it: `Err(received)`.
    pub fn receive_match<T>(
        &mut self,
        timeout: Duration,
        mut wanted: impl FnMut(Received<M>) -> Result<T, Received<M>>,
    ) -> Option<T> {
        let deadline = self.deadline(timeout);
        let mut passed = VecDeque::new();
        let found = loop {
            let Some(entry) = self.take(Some(deadline)) else {
                break None;
            };
            match self.select(entry, &mut wanted) {
                Ok(found) => break Some(found),
                Err(Some(entry)) => passed.push_back(entry),
                Err(None) => {}
            }
        };
        passed.append(&mut self.saved);
        self.saved = passed;
        found
    }

    fn deadline(&self, timeout: Duration) -> Instant {
        later(self.thread.core().runtime.clock.now(), timeout)
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Option<Received<M>> {
        loop {
            let entry = self.take(deadline)?;
            if let Seen::Value(received) = self.meet(entry) {
                return Some(received);
            }
        }
    }

    /// The next entry; `None` if none came in time, or if the thread unwinds and there is none.
    fn take(&mut self, deadline: Option<Instant>) -> Option<Entry<M>> {
        current::checkpoint();
        self.thread.core().end_call();
        if let Some(entry) = self.saved.pop_front() {
            return Some(entry);
        }
        let now = || self.thread.core().runtime.clock.now();
        if thread::panicking() {
            self.thread.next(Some(now()))
        } else {
            // What was dropped in the course of a panic that was caught: nobody will answer it.
            current::fail_unanswered(current::end_callback());
            self.thread.next(deadline)
        }
    }

    /// Receives an entry for good.
    fn meet(&mut self, entry: Entry<M>) -> Seen<M> {
        let core = self.thread.core();
        match entry {
            Entry::Message(message) => Seen::Value(Received::Message(message)),
            Entry::Call(message, call) => {
                core.begin_call(&call);
                Seen::Value(Received::Message(message))
            }
            Entry::Aliased(message, alias) => {
                if alias.meets(&self.process()) {
                    Seen::Value(Received::Message(message))
                } else {
                    Seen::Nothing
                }
            }
            Entry::Exit(id) => {
                let met = core
                    .relations
                    .lock()
                    .meet_exit(core.pid, id, core.traps_exit());
                match met {
                    Some(Effect::Deliver(exit)) => Seen::Value(Received::Exit(exit)),
                    Some(Effect::Die(reason)) if !thread::panicking() => unwind::by_signal(reason),
                    _ => Seen::Nothing,
                }
            }
            Entry::Down(monitor) => match core.relations.lock().take_down(monitor) {
                Some(down) => Seen::Value(Received::Down(down)),
                None => Seen::Nothing,
            },
            Entry::Resume(value) => {
                self.hear(value);
                Seen::Nothing
            }
            // Nobody sends system messages to a closure.
            Entry::Started(..)
            | Entry::Stopped(..)
            | Entry::Answer(_)
            | Entry::Cut(_)
            | Entry::Timeout(_)
            | Entry::System(_) => Seen::Nothing,
        }
    }

    /// Shows an entry to `wanted`; back comes the entry if it stays.
    fn select<T>(
        &mut self,
        entry: Entry<M>,
        wanted: &mut impl FnMut(Received<M>) -> Result<T, Received<M>>,
    ) -> Result<T, Option<Entry<M>>> {
        let core = self.thread.core();
        match entry {
            Entry::Message(message) => match wanted(Received::Message(message)) {
                Err(Received::Message(message)) => Err(Some(Entry::Message(message))),
                other => other.map_err(|_| None),
            },
            Entry::Call(message, call) => match wanted(Received::Message(message)) {
                Ok(found) => {
                    core.begin_call(&call);
                    Ok(found)
                }
                Err(Received::Message(message)) => Err(Some(Entry::Call(message, call))),
                Err(_) => Err(None),
            },
            Entry::Aliased(_, alias) if !alias.is_active() => Err(None),
            Entry::Aliased(message, alias) => match wanted(Received::Message(message)) {
                Ok(found) => {
                    alias.meets(&self.process());
                    Ok(found)
                }
                Err(Received::Message(message)) => Err(Some(Entry::Aliased(message, alias))),
                Err(_) => Err(None),
            },
            Entry::Exit(id) => {
                let seen = core
                    .relations
                    .lock()
                    .peek_exit(core.pid, id, core.traps_exit());
                match seen {
                    Some(Effect::Deliver(exit)) => {
                        let found =
                            wanted(Received::Exit(exit)).map_err(|_| Some(Entry::Exit(id)))?;
                        let met = core.relations.lock().meet_exit(core.pid, id, true);
                        drop(met);
                        Ok(found)
                    }
                    Some(Effect::Die(reason)) if !thread::panicking() => unwind::by_signal(reason),
                    _ => Err(None),
                }
            }
            Entry::Down(monitor) => {
                let seen = core.relations.lock().peek_down(monitor);
                let Some(down) = seen else { return Err(None) };
                let found = wanted(Received::Down(down)).map_err(|_| Some(Entry::Down(monitor)))?;
                let taken = core.relations.lock().take_down(monitor);
                drop(taken);
                Ok(found)
            }
            Entry::Resume(value) => {
                self.hear(value);
                Err(None)
            }
            Entry::Started(..)
            | Entry::Stopped(..)
            | Entry::Answer(_)
            | Entry::Cut(_)
            | Entry::Timeout(_)
            | Entry::System(_) => Err(None),
        }
    }

    /// Hears what the library's own machinery has to say: that it is to stop. It leaves then, by itself.
    fn hear(&self, value: Box<dyn Any + Send>) {
        if let Ok(stop) = value.downcast::<StopRequest>() {
            exit::raise(&self.process(), stop.0);
        }
    }

    /// The next entry for what the process has turned into.
    pub(crate) fn next_entry(&mut self) -> Option<Entry<M>> {
        self.saved.pop_front().or_else(|| self.thread.next(None))
    }

    /// Drops what a selective receive had passed over; the process has ended.
    pub(crate) fn into_saved(self) -> VecDeque<Entry<M>> {
        self.saved
    }

    pub(crate) fn process(&self) -> Arc<dyn Process> {
        self.thread.clone()
    }
}

impl<M: Send + 'static> Deref for ThreadContext<M> {
    type Target = Context<M>;

    fn deref(&self) -> &Context<M> {
        &self.context
    }
}

impl<M: Send + 'static> DerefMut for ThreadContext<M> {
    fn deref_mut(&mut self) -> &mut Context<M> {
        &mut self.context
    }
}

impl<M: Send + 'static> fmt::Debug for ThreadContext<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadContext({})", self.pid())
    }
}
