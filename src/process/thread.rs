//! Thread processes: an OS thread with a crossbeam mailbox. They may block, and receive selectively.

use crate::process::behaviour::{Behaviour, Body, InitFn};
use crate::process::context::Context;
use crate::process::core::{Core, Process, Signal, flag};
use crate::process::current;
use crate::process::death::{self, End};
use crate::process::mailbox::{Bound, LockedQueue, Pushed, Queue, Refused};
use crate::process::pooled::close_entries;
use crate::process::reference::{Mailbox, Ref};
use crate::process::signal::Entry;
use crate::process::start::Starter;
use crate::process::wait;
use crate::reason::ExitReason;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::channel::{Receiver, Sender, unbounded};
use crate::sync::{Arc, Parker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// A process with a thread of its own.
pub(crate) struct Thread<M: Send + 'static> {
    core: Core,
    inbox: Inbox<M>,
    parker: Arc<Parker>,
    /// [`SLEEPS`], [`CLOSED`] and [`DETERMINISTIC`]. Every change is a read-modify-write, so all of them have one order: what a sender put into the
    /// inbox before its own is seen by whoever comes after it.
    state: AtomicU8,
}

/// The thread is about to wait for an entry, or does.
const SLEEPS: u8 = 1;
/// The mailbox takes nothing any more.
const CLOSED: u8 = 2;
/// Never changes: the runtime is deterministic.
const DETERMINISTIC: u8 = 4;

/// A crossbeam channel; or, where messages may be refused or thrown away, the queue of pooled processes, which
/// can do that.
enum Inbox<M> {
    Channel(Sender<Entry<M>>, Receiver<Entry<M>>),
    Bounded(Box<Bound>, LockedQueue<M>),
}

impl<M: Send + 'static> Thread<M> {
    pub(crate) fn new(core: Core, bound: Option<Bound>) -> Arc<Self> {
        let inbox = match bound {
            None => {
                let (sender, receiver) = unbounded();
                Inbox::Channel(sender, receiver)
            }
            Some(bound) => Inbox::Bounded(Box::new(bound), LockedQueue::new(Queue::new())),
        };
        let state = match core.has(flag::DETERMINISTIC) {
            true => DETERMINISTIC,
            false => 0,
        };
        Arc::new(Thread {
            core,
            inbox,
            parker: Arc::default(),
            state: AtomicU8::new(state),
        })
    }

    pub(crate) fn reference(self: &Arc<Self>) -> Ref<M> {
        Ref::new(self.clone())
    }

    fn pop(&self) -> Option<Entry<M>> {
        match &self.inbox {
            Inbox::Channel(_, receiver) => receiver.try_recv().ok(),
            Inbox::Bounded(bound, queue) => bound.pop(queue, &self.core),
        }
    }

    /// The next entry, waited for until `deadline` at most. The process meets its signals here.
    ///
    /// No entry is missed: the thread first says that it sleeps and then looks; a sender first puts the entry
    /// there and then looks whether the thread sleeps.
    pub(crate) fn next(&self, deadline: Option<Instant>) -> Option<Entry<M>> {
        if let Some(entry) = self.pop() {
            return Some(entry);
        }
        loop {
            self.put_aside();
            self.core.start_waiting(self.parker.clone(), None);
            self.state.fetch_or(SLEEPS, Ordering::AcqRel);
            let entry = self.pop();
            let late =
                || deadline.is_some_and(|deadline| self.core.runtime.clock.now() >= deadline);
            if entry.is_some() || late() {
                self.awake();
                return entry;
            }
            self.put_aside();
            current::checkpoint();
            wait::park_until(&self.core.runtime, &self.parker, deadline);
            self.awake();
        }
    }

    /// Between any two steps of a wait something may come.
    fn put_aside(&self) {
        if self.core.has(flag::DETERMINISTIC) {
            self.core.runtime.scheduler().put_aside();
        }
    }

    fn awake(&self) {
        self.core.stop_waiting();
        self.state.fetch_and(!SLEEPS, Ordering::AcqRel);
    }

    /// Wakes the thread if it sleeps; what the state was.
    fn wake_up(&self) -> u8 {
        let before = self.state.fetch_and(!SLEEPS, Ordering::AcqRel);
        if before & SLEEPS != 0 {
            self.parker.unpark();
        }
        before
    }

    fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Takes out what came after the mailbox was closed: nobody else will.
    fn drain(&self) {
        let reason = self
            .core
            .relations
            .lock()
            .ended()
            .cloned()
            .unwrap_or(ExitReason::NoProc);
        close_entries(std::iter::from_fn(|| self.pop()), &reason);
    }
}

impl<M: Send + 'static> Process for Thread<M> {
    fn core(&self) -> &Core {
        &self.core
    }

    fn push_signal(&self, signal: Signal) {
        match &self.inbox {
            // Nobody would take it out, and what it holds may hold this process.
            Inbox::Channel(..) if self.is_closed() => {}
            // The receiver lives as long as this process.
            Inbox::Channel(sender, _) => drop(sender.send(signal.into())),
            Inbox::Bounded(_, queue) => queue.lock().push_signal(signal.into()),
        }
    }

    fn wake(self: Arc<Self>) {
        self.wake_up();
    }

    fn seal(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if let Inbox::Bounded(_, queue) = &self.inbox {
            queue.lock().seal();
        }
    }

    fn close(&self, reason: &ExitReason) {
        self.seal();
        match &self.inbox {
            Inbox::Channel(..) => close_entries(std::iter::from_fn(|| self.pop()), reason),
            Inbox::Bounded(bound, queue) => {
                let entries = queue.lock().close();
                bound.room();
                close_entries(entries, reason);
            }
        }
    }

    fn mailbox_len(&self) -> usize {
        let inside = match &self.inbox {
            Inbox::Channel(_, receiver) => receiver.len(),
            Inbox::Bounded(_, queue) => queue.lock().len(),
        };
        inside + self.core.taken()
    }

    fn is_scheduled(&self) -> bool {
        self.state.load(Ordering::Acquire) & SLEEPS == 0
    }

    fn run_in_place(self: Arc<Self>) {}

    fn fall_asleep(&self) -> Option<Arc<Parker>> {
        self.core.start_waiting(self.parker.clone(), None);
        self.state.fetch_or(SLEEPS, Ordering::AcqRel);
        if self.mailbox_len() > 0 {
            Thread::awake(self);
            return None;
        }
        Some(self.parker.clone())
    }

    fn awake(&self) {
        Thread::awake(self);
    }

    fn set_aside(&self, on: bool) -> usize {
        match &self.inbox {
            Inbox::Bounded(bound, queue) => bound.set_aside(queue, on),
            Inbox::Channel(..) => 0,
        }
    }

    fn excess(&self) -> usize {
        match &self.inbox {
            Inbox::Bounded(bound, queue) => bound.excess(queue),
            Inbox::Channel(..) => 0,
        }
    }
}

impl<M: Send + 'static> Mailbox<M> for Thread<M> {
    fn push(&self, entry: Entry<M>) -> Result<Pushed<M>, Refused<M>> {
        let state = self.state.load(Ordering::Acquire);
        if state & CLOSED != 0 {
            return Err(Refused::Closed(entry));
        }
        if state & DETERMINISTIC != 0 {
            current::another_may_go_first();
        }
        match &self.inbox {
            Inbox::Channel(sender, _) => {
                // The receiver lives as long as this process.
                drop(sender.send(entry));
                // 1. The process closes its mailbox and empties it. 2. This entry comes in. Nobody would ever
                // take it out, and if it is a call its caller would wait: so whoever put it there does.
                if self.wake_up() & CLOSED != 0 {
                    self.drain();
                }
                Ok(Pushed::default())
            }
            Inbox::Bounded(bound, queue) => {
                let pushed = queue.lock().push(entry, Some(bound))?;
                self.wake_up();
                Ok(Pushed {
                    wake: false,
                    ..pushed
                })
            }
        }
    }

    fn bound(&self) -> Option<&Bound> {
        match &self.inbox {
            Inbox::Bounded(bound, _) => Some(bound),
            Inbox::Channel(..) => None,
        }
    }
}

/// What the thread of a behaviour runs from its first moment to its last.
pub(crate) fn run_behaviour<B: Behaviour>(
    thread: &Arc<Thread<B::Msg>>,
    init: InitFn<B>,
    starter: Option<Starter>,
) {
    let me: Arc<dyn Process> = thread.clone();
    let _entered = current::enter(me.clone());
    let cx = B::context(Context::new(thread.reference()));
    let mut body = Box::new(Body::new(cx, init, starter));
    let ended = catch_unwind(AssertUnwindSafe(|| -> Result<(), End> {
        body.prepare(&me)?;
        loop {
            if body.goes_on() {
                body.go_on(&me)?;
                continue;
            }
            // What was held while it was suspended comes before what is in the mailbox.
            let entry = match body.batch.as_mut().and_then(|batch| batch.pop_front()) {
                Some(entry) => {
                    thread.core.note_taken(body.waiting());
                    Some(entry)
                }
                None => thread.next(None),
            };
            if let Some(entry) = entry {
                body.handle(&me, &thread.core, entry)?;
                if body.is_suspended() {
                    thread.core.note_taken(body.waiting());
                }
            }
        }
    }));
    let end = match ended {
        Ok(Ok(())) => End::by_itself(ExitReason::Normal),
        Ok(Err(end)) => end,
        Err(payload) => body.crashed(&thread.core, payload),
    };
    let waiting = body.take_waiting();
    thread.core.note_taken(waiting.len());
    let reason = death::die(&me, end, || drop(body));
    close_entries(waiting, &reason);
}
