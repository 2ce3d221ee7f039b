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
use crate::process::mailbox::{Batch, Bound, LockedQueue, Next, Pushed, Queue, Refused};
use crate::process::reference::{Mailbox, Ref};
use crate::process::signal::Entry;
use crate::process::start::Starter;
use crate::process::wait;
use crate::reason::ExitReason;
use crate::scheduler::{Runnable, Turn};
use crate::sync::{Arc, Brief, Parker};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many entries a turn handles at most, so that neighbours get theirs.
const TURN_MAX: usize = 256;

/// A process that runs on the pool.
///
/// The fields are in this order: what senders write to first, what the running turn writes to last, and what seldom
/// changes in between, so that the two do not meet in one line of the cache.
#[repr(C)]
pub(crate) struct Pooled<B: Behaviour> {
    queue: LockedQueue<B::Msg>,
    bound: Option<Box<Bound>>,
    core: Core,
    /// Held for a turn, and by nobody else for longer than a look; empty after the end. Nobody waits for it.
    body: Brief<Option<Body<B>>>,
}

/// How a turn ended.
enum Outcome {
    /// The process is idle.
    Idle,
    /// Nothing is left, and it is not idle yet.
    Empty,
    Budget,
}

impl<B: Behaviour> Pooled<B> {
    pub(crate) fn new(core: Core, bound: Option<Bound>) -> Arc<Self> {
        Arc::new(Pooled {
            core,
            bound: bound.map(Box::new),
            queue: LockedQueue::new(Queue::new()),
            body: Brief::new(None),
        })
    }

    pub(crate) fn reference(self: &Arc<Self>) -> Ref<B::Msg> {
        Ref::new(self.clone())
    }

    fn new_body(self: &Arc<Self>, init: InitFn<B>, starter: Option<Starter>) -> Body<B> {
        let cx = B::context(Context::new(self.reference()));
        Body::new(cx, init, starter)
    }

    /// Gives the process what it runs, and lets it run.
    pub(crate) fn launch(self: &Arc<Self>, init: InitFn<B>, starter: Option<Starter>) {
        let body = self.new_body(init, starter);
        *self.body.lock() = Some(body);
        self.core.runtime.scheduler().schedule(self.clone());
    }

    /// Runs `init` here, on the thread of the starter, with the process as the current one. If it is not up afterwards,
    /// the end that its `init` came to, and why it ended after all.
    pub(crate) fn launch_inline(
        self: &Arc<Self>,
        init: InitFn<B>,
        starter: Option<Starter>,
    ) -> Result<(), (Failed, ExitReason)> {
        let process: Arc<dyn Process> = self.clone();
        let mut place = self.body.lock();
        let body = place.insert(self.new_body(init, starter));
        let entered = current::enter(process.clone());
        let made = catch_unwind(AssertUnwindSafe(|| body.init(&self.core)));
        let end = match made {
            Ok(Ok(())) => {
                // What `init` asked to go on with runs in a turn, before anything that waits.
                let goes_on = body.goes_on();
                drop(place);
                drop(entered);
                if goes_on || !self.queue.lock().idle() {
                    self.core.runtime.scheduler().schedule(self.clone());
                }
                return Ok(());
            }
            Ok(Err(end)) => end,
            Err(payload) => body.crashed(&self.core, payload),
        };
        let failed = match end.is_quiet() {
            true => Failed::Ignored,
            false => Failed::Ended,
        };
        let body = place.take();
        drop(place);
        Err((failed, self.end(&process, end, body)))
    }

    fn turn(
        &self,
        me: &Arc<dyn Process>,
        body: &mut Body<B>,
        mut budget: usize,
        may_rest: bool,
    ) -> Result<Outcome, End> {
        if body.prepare(me)? && wait::no_more_than_init() {
            return Ok(match body.goes_on() {
                true => Outcome::Budget,
                false => Outcome::Empty,
            });
        }
        loop {
            if body.goes_on() {
                if budget == 0 {
                    return Ok(Outcome::Budget);
                }
                budget -= 1;
                body.go_on(me)?;
                continue;
            }
            let entry = match body.batch.as_mut().and_then(|batch| batch.pop_front()) {
                Some(entry) if budget > 0 => entry,
                Some(entry) => {
                    body.put_back(entry);
                    return Ok(Outcome::Budget);
                }
                None if budget == 0 => return Ok(Outcome::Budget),
                None => match self.next(&mut body.batch, may_rest) {
                    Next::Entry(entry) => entry,
                    // It was told to look at its flags while it ran.
                    Next::Empty if may_rest && self.bound.is_none() => {
                        body.prepare(me)?;
                        continue;
                    }
                    Next::Empty => return Ok(Outcome::Empty),
                    Next::Idle(surplus) => {
                        drop(surplus);
                        return Ok(Outcome::Idle);
                    }
                },
            };
            budget -= 1;
            self.core.note_taken(body.waiting());
            body.handle(me, &self.core, entry)?;
            if body.is_suspended() {
                self.core.note_taken(body.waiting());
            }
        }
    }

    /// A turn from its first step to its last; `true` if no other is to follow at once.
    fn whole_turn(me: &Arc<dyn Process>) -> bool {
        // The one handle there is, seen as what it is.
        let any: &dyn Any = &**me;
        let Some(this) = any.downcast_ref::<Self>() else {
            return true;
        };
        let Some(mut place) = this.body.try_lock() else {
            // Whoever ran it before is on its last steps, or somebody looks whether it runs.
            return false;
        };
        let Some(body) = place.as_mut() else {
            return true;
        };
        // In a deterministic runtime another one may go first between the turn and its last look.
        let may_rest = !this.core.has(flag::DETERMINISTIC);
        let budget = this.budget();
        let outcome = catch_unwind(AssertUnwindSafe(|| this.turn(me, body, budget, may_rest)));
        let end = match outcome {
            Ok(Ok(outcome)) => {
                if !may_rest {
                    current::put_aside(me);
                }
                // From here on another worker may run it.
                drop(place);
                return match outcome {
                    Outcome::Idle => true,
                    Outcome::Empty => this.queue.lock().idle(),
                    Outcome::Budget => false,
                };
            }
            Ok(Err(end)) => end,
            Err(payload) => body.crashed(&this.core, payload),
        };
        let body = place.take();
        drop(place);
        this.end(me, end, body);
        true
    }

    /// How many entries the turn that begins may handle.
    fn budget(&self) -> usize {
        if !self.core.has(flag::DETERMINISTIC) {
            return TURN_MAX;
        }
        self.core.runtime.scheduler().budget().unwrap_or(TURN_MAX)
    }

    /// The entry that waits longest, and what is behind it; from a bounded mailbox one at a time: what is out of the
    /// queue can make no room any more.
    fn next(&self, batch: &mut Batch<B::Msg>, may_rest: bool) -> Next<B::Msg> {
        match &self.bound {
            None => self.queue.lock().next(batch, may_rest),
            Some(bound) => match bound.pop(&self.queue, &self.core) {
                Some(entry) => Next::Entry(entry),
                None => Next::Empty,
            },
        }
    }

    fn end(&self, me: &Arc<dyn Process>, end: End, body: Option<Body<B>>) -> ExitReason {
        let mut body = body;
        let waiting = body.as_mut().map(Body::take_waiting).unwrap_or_default();
        self.core.note_taken(waiting.len());
        let reason = death::die(me, end, || drop(body));
        close_entries(waiting, &reason);
        reason
    }
}

/// What a start came to whose process is not up.
pub(crate) enum Failed {
    /// Its `init` chose to ignore the start.
    Ignored,
    Ended,
}

impl<B: Behaviour> Runnable for Pooled<B> {
    fn run(self: Arc<Self>) -> Turn {
        let (is_done, me) = current::occupy(self, Self::whole_turn);
        match is_done {
            true => Turn::Done,
            false => me.into_task().map_or(Turn::Done, Turn::Again),
        }
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
            self.core.runtime.scheduler().schedule(self.clone());
        }
    }

    fn tell(self: Arc<Self>, signal: Signal) {
        let idle = self.queue.lock().tell(signal.into());
        if idle {
            self.core.runtime.scheduler().schedule(self.clone());
        }
    }

    fn into_task(self: Arc<Self>) -> Option<Arc<dyn Runnable>> {
        Some(self)
    }

    fn is_running(&self) -> bool {
        self.body.try_lock().is_none()
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
        self.queue.lock().len() + self.core.taken()
    }

    fn is_scheduled(&self) -> bool {
        self.queue.lock().is_scheduled()
    }

    fn run_in_place(self: Arc<Self>) {
        let task: Arc<dyn Runnable> = self.clone();
        self.core.runtime.scheduler().run_in_place(&task);
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
        let bound = self.bound.as_ref();
        bound.map_or(0, |bound| bound.excess(&self.queue))
    }
}

impl<B: Behaviour> Mailbox<B::Msg> for Pooled<B> {
    fn push(&self, entry: Entry<B::Msg>) -> Result<Pushed<B::Msg>, Refused<B::Msg>> {
        self.queue.lock().push(entry, self.bound.as_deref())
    }

    fn bound(&self) -> Option<&Bound> {
        self.bound.as_deref()
    }
}

/// Where the parts of a process lie: the end of the queue, the flags, the body, and the end of all.
#[cfg(test)]
pub(crate) fn layout<B: Behaviour>() -> [usize; 4] {
    use std::mem::{offset_of, size_of};
    let queue = offset_of!(Pooled<B>, queue) + size_of::<LockedQueue<B::Msg>>();
    let flags = offset_of!(Pooled<B>, core) + offset_of!(Core, flags);
    [
        queue,
        flags,
        offset_of!(Pooled<B>, body),
        size_of::<Pooled<B>>(),
    ]
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
