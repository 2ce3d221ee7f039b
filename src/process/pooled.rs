//! Pooled processes: event driven, run by the scheduler's workers, one turn after the other.
//!
//! Invariant P1: a process is in at most one run queue, and runs on at most one worker: `Queue::scheduled` is
//! set by whoever hands it to the scheduler, and cleared only by the turn that found nothing more to do, after
//! it has put the body back.

use crate::process::behaviour::{Behaviour, Body, InitFn};
use crate::process::call::PendingCall;
use crate::process::context::Context;
use crate::process::core::{Core, Process, Signal, flag};
use crate::process::current;
use crate::process::death::{self, End};
use crate::process::error::CallError;
use crate::process::mailbox::{Bound, LockedQueue, Queue, Refused};
use crate::process::reference::{Mailbox, Ref};
use crate::process::signal::Entry;
use crate::process::start::Ack;
use crate::process::watermark;
use crate::reason::ExitReason;
use crate::scheduler::{Runnable, Turn};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Parker};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many entries a turn handles at most, so that neighbours get theirs.
const TURN_MAX: usize = 256;

/// A process that runs on the pool.
pub(crate) struct Pooled<B: Behaviour> {
    core: Core,
    bound: Option<Box<Bound>>,
    queue: LockedQueue<B::Msg>,
    /// How many entries the running turn has taken and not yet handled.
    taken: AtomicUsize,
    /// Empty while a turn runs, and after the end. Never held while anything runs.
    body: Mutex<Option<Box<Body<B>>>>,
}

/// How a turn ended.
enum Outcome {
    Idle,
    Budget,
}

impl<B: Behaviour> Pooled<B> {
    pub(crate) fn new(core: Core, bound: Option<Bound>) -> Arc<Self> {
        Arc::new(Pooled {
            core,
            bound: bound.map(Box::new),
            queue: LockedQueue::new(Queue::new()),
            taken: AtomicUsize::new(0),
            body: Mutex::new(None),
        })
    }

    pub(crate) fn reference(self: &Arc<Self>) -> Ref<B::Msg> {
        Ref::new(self.clone())
    }

    /// Gives the process what it runs, and lets it run.
    pub(crate) fn launch(self: Arc<Self>, init: InitFn<B>, ack: Option<Arc<Ack>>) {
        let cx = B::context(Context::new(self.reference()));
        *self.body.lock() = Some(Box::new(Body::new(cx, init, ack)));
        let scheduler = self.core.runtime.clone();
        scheduler.scheduler().schedule(self);
    }

    /// Runs `init` here, on the thread of the starter, with the process as the current one; the reason of the
    /// end if it is not up afterwards.
    pub(crate) fn launch_inline(self: Arc<Self>, init: InitFn<B>, ack: Arc<Ack>) {
        let process: Arc<dyn Process> = self.clone();
        let cx = B::context(Context::new(self.reference()));
        let mut body = Box::new(Body::new(cx, init, Some(ack)));
        let entered = current::enter(process.clone());
        let made = catch_unwind(AssertUnwindSafe(|| body.init()));
        let end = match made {
            Ok(Ok(())) => None,
            Ok(Err(end)) => Some(end),
            Err(payload) => Some(body.crashed(&process, payload)),
        };
        match end {
            Some(end) => self.end(&process, end, body),
            None => {
                *self.body.lock() = Some(body);
                drop(entered);
                self.rest();
            }
        }
    }

    /// Goes idle, or to a run queue if something came.
    fn rest(self: Arc<Self>) {
        // What `init` asked to go on with runs in a turn, before anything that waits.
        let goes_on = self.body.lock().as_ref().is_some_and(|body| body.goes_on());
        if goes_on || !self.queue.lock().idle() {
            let runtime = self.core.runtime.clone();
            runtime.scheduler().schedule(self);
        }
    }

    fn turn(
        &self,
        me: &Arc<dyn Process>,
        body: &mut Body<B>,
        mut budget: usize,
    ) -> Result<Outcome, End> {
        body.prepare(me)?;
        loop {
            let goes_on = body.goes_on();
            if !goes_on && body.batch.is_empty() && !self.refill(&mut body.batch) {
                return Ok(Outcome::Idle);
            }
            if budget == 0 {
                return Ok(Outcome::Budget);
            }
            budget -= 1;
            if goes_on {
                body.go_on(me)?;
            } else if let Some(entry) = body.batch.pop_front() {
                self.taken.store(body.waiting(), Ordering::Relaxed);
                body.handle(me, entry)?;
                if body.is_suspended() {
                    self.taken.store(body.waiting(), Ordering::Relaxed);
                }
            }
        }
    }

    /// How many entries the turn that begins may handle.
    fn budget(&self, flags: u32) -> usize {
        if flags & flag::DETERMINISTIC == 0 {
            return TURN_MAX;
        }
        self.core.runtime.scheduler().budget().unwrap_or(TURN_MAX)
    }

    /// Takes what waits, from a bounded mailbox one at a time: what is out of the queue can make no room any more.
    fn refill(&self, batch: &mut VecDeque<Entry<B::Msg>>) -> bool {
        match &self.bound {
            None => self.queue.lock().take(batch),
            Some(bound) => {
                batch.extend(bound.pop(&self.queue, &self.core));
                !batch.is_empty()
            }
        }
    }

    fn end(&self, me: &Arc<dyn Process>, end: End, mut body: Box<Body<B>>) {
        let waiting = body.take_waiting();
        self.taken.store(waiting.len(), Ordering::Relaxed);
        let reason = death::die(me, end, || drop(body));
        close_entries(waiting, &reason);
    }
}

impl<B: Behaviour> Runnable for Pooled<B> {
    fn run(self: Arc<Self>) -> Turn {
        let Some(mut body) = self.body.lock().take() else {
            return Turn::Done;
        };
        let me: Arc<dyn Process> = self.clone();
        let entered = current::enter(me.clone());
        let budget = self.budget(self.core.set(flag::RUNNING));
        let outcome = catch_unwind(AssertUnwindSafe(|| self.turn(&me, &mut body, budget)));
        let end = match outcome {
            Ok(Ok(outcome)) => {
                if self.core.clear(flag::RUNNING) & flag::DETERMINISTIC != 0 {
                    current::put_aside(&me);
                }
                *self.body.lock() = Some(body);
                drop(entered);
                return match outcome {
                    Outcome::Budget => Turn::Again(self),
                    Outcome::Idle if self.queue.lock().idle() => Turn::Done,
                    Outcome::Idle => Turn::Again(self),
                };
            }
            Ok(Err(end)) => end,
            Err(payload) => body.crashed(&me, payload),
        };
        self.end(&me, end, body);
        Turn::Done
    }

    fn number(&self) -> u64 {
        self.core.order
    }
}

impl<B: Behaviour> Process for Pooled<B> {
    fn core(&self) -> &Core {
        &self.core
    }

    fn push_signal(&self, signal: Signal) {
        self.queue.lock().push_signal(signal.into());
    }

    fn wake(self: Arc<Self>) {
        let idle = self.queue.lock().schedule();
        if idle {
            let runtime = self.core.runtime.clone();
            runtime.scheduler().schedule(self);
        }
    }

    fn seal(&self) {
        self.queue.lock().seal();
    }

    fn close(&self, reason: &ExitReason) {
        let entries = self.queue.lock().close();
        if let Some(bound) = &self.bound {
            bound.room();
        }
        close_entries(entries, reason);
    }

    fn mailbox_len(&self) -> usize {
        self.queue.lock().len() + self.taken.load(Ordering::Relaxed)
    }

    fn is_scheduled(&self) -> bool {
        self.queue.lock().is_scheduled()
    }

    fn run_in_place(self: Arc<Self>) {
        let runtime = self.core.runtime.clone();
        let task: Arc<dyn Runnable> = self;
        runtime.scheduler().run_in_place(&task);
    }

    fn fall_asleep(&self) -> Option<Arc<Parker>> {
        panic!("a pooled process cannot wait in a call of its own: make it a thread process");
    }

    fn awake(&self) {}

    fn set_aside(&self, on: bool) -> usize {
        let bound = self.bound.as_ref();
        bound.map_or(0, |bound| bound.set_aside(&self.queue, on))
    }

    fn excess(&self) -> usize {
        self.bound
            .as_ref()
            .map_or(0, |_| self.queue.lock().excess())
    }
}

impl<B: Behaviour> Mailbox<B::Msg> for Pooled<B> {
    fn push(self: Arc<Self>, entry: Entry<B::Msg>) -> Result<(), Refused<B::Msg>> {
        let pushed = self.queue.lock().push(entry, self.bound.as_deref())?;
        watermark::tell(&self.core, self.bound.as_deref(), pushed.mark);
        if pushed.wake {
            let runtime = self.core.runtime.clone();
            runtime.scheduler().schedule(self);
        }
        overflowed(pushed.dropped);
        Ok(())
    }

    fn bound(&self) -> Option<&Bound> {
        self.bound.as_deref()
    }
}

/// A message that had to make room is dropped; the call that it was fails.
pub(crate) fn overflowed<M>(entry: Option<Entry<M>>) {
    if let Some(Entry::Call(message, call)) = entry {
        call.fail(CallError::Overloaded);
        drop(message);
    }
}

/// Drops what a process that ended had in its mailbox, each entry by itself, so that one destructor that panics
/// takes nothing else with it.
pub(crate) fn close_entries<M>(entries: impl IntoIterator<Item = Entry<M>>, reason: &ExitReason) {
    for entry in entries {
        let drop_it = || {
            if let Entry::Call(_, call) = &entry {
                fail(call, reason);
            }
            drop(entry);
        };
        if catch_unwind(AssertUnwindSafe(drop_it)).is_err() {
            log::error!(target: "perennial::process", "the destructor of a message panicked");
        }
    }
}

fn fail(call: &Arc<dyn PendingCall>, reason: &ExitReason) {
    call.fail(CallError::Exited(reason.clone()));
}
