//! The mailbox of a pooled process, and the bound that either kind of mailbox may have.

use crate::process::core::Core;
use crate::process::signal::Entry;
use crate::process::watermark::{self, Watermark};
use crate::sync::{Arc, Mutex, Parker, RankedMutex, rank};
use std::collections::VecDeque;
use std::time::Duration;

/// What happens to a message that comes to a full mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// `try_cast` gives it back with `Full`, a call fails with `Overloaded`, a cast is a dead letter.
    Reject,
    /// It is dropped; a call fails with `Overloaded`. `try_cast` reports success.
    DropNewest,
    /// The oldest message that waits is dropped for it.
    DropOldest,
    /// The sender waits for room, so long at most; then as `Reject`. A sender that is itself a pooled
    /// process never waits, nor does a timer: for them this is `Reject`.
    Block(Duration),
}

/// Why a mailbox did not take a message, which comes back.
pub(crate) enum Refused<M> {
    /// The process has ended.
    Closed(Entry<M>),
    /// The mailbox is full.
    Full(Entry<M>),
}

/// What a mailbox did with a message.
pub(crate) struct Pushed<M> {
    /// The process was idle: it has to be woken.
    pub(crate) wake: bool,
    /// A message that made room, to be dropped with no lock held.
    pub(crate) dropped: Option<Box<Entry<M>>>,
    /// The mark that the mailbox has come to, to be told with no lock held.
    pub(crate) mark: Option<Watermark>,
}

impl<M> Default for Pushed<M> {
    fn default() -> Self {
        Pushed {
            wake: false,
            dropped: None,
            mark: None,
        }
    }
}

/// The queue of a mailbox behind its lock.
pub(crate) type LockedQueue<M> = RankedMutex<Queue<M>, { rank::MAILBOX }>;

/// The bound of a mailbox. Signals do not count and are never refused.
pub(crate) struct Bound {
    pub(crate) max: usize,
    pub(crate) overflow: Overflow,
    /// Senders that wait for room.
    pub(crate) waiting: Mutex<Vec<Arc<Parker>>>,
    /// Taken only under the lock of the queue.
    count: Mutex<Count>,
}

impl Bound {
    pub(crate) fn new(max: usize, overflow: Overflow) -> Self {
        Bound {
            max,
            overflow,
            waiting: Mutex::default(),
            count: Mutex::default(),
        }
    }

    /// Forgets a sender that gave up.
    pub(crate) fn forget(&self, sender: &Arc<Parker>) {
        self.waiting
            .lock()
            .retain(|parker| !Arc::ptr_eq(parker, sender));
    }

    /// Takes the entry that waits longest, and lets those in who wait for its place.
    pub(crate) fn pop<M>(&self, queue: &LockedQueue<M>, core: &Core) -> Option<Entry<M>> {
        let (entry, was_full, mark) = queue.lock().pop(self)?;
        watermark::tell(core, Some(self), mark);
        if was_full {
            self.room();
        }
        Some(entry)
    }

    /// Counts from now on what is taken as still here; or no more. How many of the oldest entries that were put
    /// aside have to make room.
    pub(crate) fn set_aside<M>(&self, queue: &LockedQueue<M>, on: bool) -> usize {
        let held = queue.lock();
        let mut count = self.count.lock();
        if on {
            count.aside.get_or_insert_default();
            return 0;
        }
        let aside = count.aside.take();
        drop(count);
        drop(held);
        self.room();
        aside.map_or(0, |aside| aside.excess)
    }

    /// How many more of those there are since this was last asked.
    pub(crate) fn excess<M>(&self, queue: &LockedQueue<M>) -> usize {
        let _held = queue.lock();
        let mut count = self.count.lock();
        let aside = count.aside.as_mut();
        aside.map_or(0, |aside| std::mem::take(&mut aside.excess))
    }

    /// Lets the senders that wait look again.
    pub(crate) fn room(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for parker in waiting {
            parker.unpark();
        }
    }
}

/// Entries behind the first; made when there are two at a time, which most processes never have.
pub(crate) type Batch<M> = Option<Box<VecDeque<Entry<M>>>>;

/// Places for a few entries: most processes that ever have two at a time seldom have three.
pub(crate) fn few<M>() -> VecDeque<Entry<M>> {
    VecDeque::with_capacity(2)
}

/// How many places a queue keeps that has run empty; what a burst took beyond that is given back.
const PLACES_KEPT_MAX: usize = 256;

/// The queue of a pooled process. Entries are taken in batches; what one sender sent stays in order.
pub(crate) struct Queue<M> {
    /// The first entry is kept in place: most processes never have two at a time.
    first: Option<Entry<M>>,
    rest: Batch<M>,
    /// Equals `true` while the process is in a run queue or runs.
    scheduled: bool,
    /// Equals `true` if the process was told to look at its flags while it was scheduled: it may have looked
    /// already, so it has to run once more before it goes idle.
    poked: bool,
    closed: bool,
}

#[derive(Default)]
struct Count {
    /// How many bounded entries there are in the queue.
    bounded: usize,
    /// Equals `true` from the high mark of the mailbox to its low one.
    is_high: bool,
    /// What the process puts aside, if it does.
    aside: Option<Aside>,
}

/// What a suspended process has taken out and put aside. It counts as in the mailbox.
#[derive(Default)]
struct Aside {
    /// How many bounded entries.
    bounded: usize,
    /// How many of those, the oldest, have to make room for newer ones.
    excess: usize,
}

/// What a process that asks for its next entry gets.
pub(crate) enum Next<M> {
    Entry(Entry<M>),
    /// There is none.
    Empty,
    /// There is none, and the process is idle from now on. The places that are not kept, of the queue and of the batch, are
    /// to be given back with no lock held.
    Idle([Batch<M>; 2]),
}

/// The places of an empty batch, if they are more than are kept.
#[inline]
fn surplus<M>(batch: &mut Batch<M>) -> Batch<M> {
    batch.take_if(|batch| batch.capacity() > PLACES_KEPT_MAX)
}

impl Count {
    fn aside(&self) -> usize {
        self.aside.as_ref().map_or(0, |aside| aside.bounded)
    }

    fn mark(&mut self, max: usize) -> Option<Watermark> {
        let waiting = self.bounded + self.aside();
        watermark::crossed(&mut self.is_high, waiting, max)
    }
}

impl<M> Queue<M> {
    /// A queue that counts as scheduled: whoever makes it lets go with [`idle`](Queue::idle).
    pub(crate) fn new() -> Self {
        Queue {
            first: None,
            rest: None,
            scheduled: true,
            poked: false,
            closed: false,
        }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.as_ref().is_none_or(|rest| rest.is_empty())
    }

    /// Appends, and marks the process as to be run; `true` if it was idle.
    ///
    /// Invariant: while `first` is empty so is `rest`, or `first` was taken and `rest` is what follows it.
    #[inline]
    fn append(&mut self, entry: Entry<M>) -> bool {
        if self.is_empty() {
            self.first = Some(entry);
        } else {
            self.rest
                .get_or_insert_with(|| Box::new(few()))
                .push_back(entry);
        }
        !std::mem::replace(&mut self.scheduled, true)
    }

    /// Appends a message or a call, as far as the bound allows.
    #[inline]
    pub(crate) fn push(
        &mut self,
        entry: Entry<M>,
        bound: Option<&Bound>,
    ) -> Result<Pushed<M>, Refused<M>> {
        if self.closed {
            return Err(Refused::Closed(entry));
        }
        match bound {
            None => Ok(Pushed {
                wake: self.append(entry),
                dropped: None,
                mark: None,
            }),
            Some(bound) => self.push_bounded(entry, bound),
        }
    }

    #[cold]
    fn push_bounded(&mut self, entry: Entry<M>, bound: &Bound) -> Result<Pushed<M>, Refused<M>> {
        let mut count = bound.count.lock();
        let aside = count.aside();
        if count.bounded + aside < bound.max {
            count.bounded += 1;
            let mark = count.mark(bound.max);
            return Ok(Pushed {
                wake: self.append(entry),
                dropped: None,
                mark,
            });
        }
        match bound.overflow {
            Overflow::Reject | Overflow::Block(_) => Err(Refused::Full(entry)),
            Overflow::DropNewest => Ok(Pushed {
                wake: false,
                dropped: Some(Box::new(entry)),
                mark: None,
            }),
            Overflow::DropOldest if aside > 0 => {
                if let Some(aside) = &mut count.aside {
                    aside.bounded -= 1;
                    aside.excess += 1;
                }
                count.bounded += 1;
                Ok(Pushed {
                    wake: self.append(entry),
                    dropped: None,
                    mark: None,
                })
            }
            Overflow::DropOldest => match self.remove_oldest() {
                Some(oldest) => Ok(Pushed {
                    wake: self.append(entry),
                    dropped: Some(Box::new(oldest)),
                    mark: None,
                }),
                None => Err(Refused::Full(entry)),
            },
        }
    }

    fn remove_oldest(&mut self) -> Option<Entry<M>> {
        if self.first.as_ref().is_some_and(Entry::is_bounded) {
            return self.first.take();
        }
        let rest = self.rest.as_mut()?;
        let at = rest.iter().position(Entry::is_bounded)?;
        rest.remove(at)
    }

    /// Appends a signal without waking; nothing if the queue is closed.
    pub(crate) fn push_signal(&mut self, entry: Entry<M>) {
        if !self.closed {
            let scheduled = self.scheduled;
            self.append(entry);
            self.scheduled = scheduled;
        }
    }

    /// Appends a signal, and marks the process as to be run; `true` if it was idle and open.
    pub(crate) fn tell(&mut self, entry: Entry<M>) -> bool {
        !self.closed && self.append(entry)
    }

    /// Takes the entry that waits longest, and moves all behind it into `batch`, which is empty. If there is none
    /// and the process `may_rest`, it goes idle.
    pub(crate) fn next(&mut self, batch: &mut Batch<M>, may_rest: bool) -> Next<M> {
        let first = match self.first.take() {
            Some(first) => first,
            None => match self.rest.as_mut().and_then(|rest| rest.pop_front()) {
                Some(first) => first,
                None if may_rest && self.idle() => {
                    return Next::Idle([surplus(&mut self.rest), surplus(batch)]);
                }
                None => return Next::Empty,
            },
        };
        std::mem::swap(&mut self.rest, batch);
        Next::Entry(first)
    }

    /// Takes the entry that waits longest; whether the mailbox was full until now, and the mark it has come to.
    fn pop(&mut self, bound: &Bound) -> Option<(Entry<M>, bool, Option<Watermark>)> {
        let from_rest = || self.rest.as_mut().and_then(|rest| rest.pop_front());
        let entry = self.first.take().or_else(from_rest)?;
        let mut count = bound.count.lock();
        let counts = entry.is_bounded();
        let was_full = counts && count.bounded == bound.max;
        count.bounded -= usize::from(counts);
        if let Some(aside) = &mut count.aside {
            aside.bounded += usize::from(counts);
            return Some((entry, false, None));
        }
        let mark = count.mark(bound.max);
        Some((entry, was_full, mark))
    }

    /// Marks the process as to be run, whatever waits; `true` if it was idle and open.
    pub(crate) fn schedule(&mut self) -> bool {
        if self.closed {
            return false;
        }
        self.poked = std::mem::replace(&mut self.scheduled, true);
        !self.poked
    }

    /// Goes idle if nothing waits; `false`, and still scheduled, if something does.
    pub(crate) fn idle(&mut self) -> bool {
        self.scheduled = std::mem::take(&mut self.poked) || !self.is_empty();
        !self.scheduled
    }

    /// Refuses whatever comes from now on.
    pub(crate) fn seal(&mut self) {
        self.closed = true;
    }

    /// Closes the queue; what was in it.
    pub(crate) fn close(&mut self) -> VecDeque<Entry<M>> {
        self.closed = true;
        let mut entries = self.rest.take().map_or_else(VecDeque::new, |rest| *rest);
        if let Some(first) = self.first.take() {
            entries.push_front(first);
        }
        entries
    }

    pub(crate) fn is_scheduled(&self) -> bool {
        self.scheduled
    }

    pub(crate) fn len(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len());
        rest + usize::from(self.first.is_some())
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use crate::sync::model::explore;
    use crate::sync::thread;

    /// A pooled process as the rules of `pooled` have it: whoever finds it idle runs it, in place of a worker.
    struct Model {
        queue: LockedQueue<usize>,
        /// Held for a turn, as the body of a process is.
        body: Mutex<Batch<usize>>,
        running: AtomicBool,
        handled: AtomicUsize,
        /// Set before the process is told to look at its flags, which the beginning of a turn does.
        flag: AtomicBool,
        seen: AtomicBool,
    }

    impl Model {
        fn new() -> Arc<Self> {
            let mut queue = Queue::new();
            assert!(queue.idle());
            Arc::new(Model {
                queue: LockedQueue::new(queue),
                body: Mutex::new(None),
                running: AtomicBool::new(false),
                handled: AtomicUsize::new(0),
                flag: AtomicBool::new(false),
                seen: AtomicBool::new(false),
            })
        }

        fn send(&self, message: usize) {
            let pushed = self.queue.lock().push(Entry::Message(message), None);
            if pushed.is_ok_and(|pushed| pushed.wake) {
                self.run();
            }
        }

        fn kill(&self) {
            self.flag.store(true, Ordering::Release);
            let idle = self.queue.lock().schedule();
            if idle {
                self.run();
            }
        }

        /// Idle from the moment that nothing is left; another turn may begin before this one has let go of the body.
        fn run(&self) {
            loop {
                let mut batch = self.body.lock();
                assert!(
                    !self.running.swap(true, Ordering::AcqRel),
                    "two turns at once"
                );
                if self.flag.load(Ordering::Acquire) {
                    self.seen.store(true, Ordering::Release);
                }
                loop {
                    // As a turn does that the lock of the body keeps from others beyond its last look.
                    self.running.store(false, Ordering::Release);
                    match self.queue.lock().next(&mut batch, true) {
                        Next::Entry(_) => {
                            self.running.store(true, Ordering::Release);
                            let behind = batch.as_mut().map_or(0, |batch| batch.drain(..).count());
                            self.handled.fetch_add(1 + behind, Ordering::AcqRel);
                        }
                        Next::Idle(_) => return,
                        Next::Empty => break,
                    }
                }
            }
        }

        /// Everything was handled, and the process is idle.
        fn rests(&self, messages: usize) {
            assert_eq!(self.handled.load(Ordering::Acquire), messages);
            assert!(!self.queue.lock().is_scheduled());
        }
    }

    fn aside(model: &Arc<Model>, f: fn(&Model)) -> thread::JoinHandle<()> {
        let model = model.clone();
        thread::spawn("other".into(), None, move || f(&model)).expect("a model has threads")
    }

    #[test]
    fn loom_no_message_is_lost_and_no_turn_doubled() {
        explore(|| {
            let model = Model::new();
            let others = [1, 2].map(|_| aside(&model, |model| model.send(1)));
            model.send(3);
            for other in others {
                other.join().expect("no panic");
            }
            model.rests(3);
        });
    }

    /// A flag that is set while a turn runs, which may have looked already, is seen by another one.
    #[test]
    fn loom_flag_is_seen_before_the_process_rests() {
        explore(|| {
            let model = Model::new();
            let other = aside(&model, Model::kill);
            model.send(1);
            other.join().expect("no panic");
            model.rests(1);
            assert!(model.seen.load(Ordering::Acquire));
        });
    }
}
