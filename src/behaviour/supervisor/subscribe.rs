//! Events of supervisors for whoever wants them: as messages of a process of its own, or as a stream that any
//! thread reads.

use crate::behaviour::supervisor::event::SupervisorEvent;
use crate::pid::Pid;
use crate::process::relations::AtDeath;
use crate::process::runtime::Shared;
use crate::process::watch::park;
use crate::process::{Gone, ProcessId, Recipient, current, runtime};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Parker, Weak};
use crate::telemetry::set_emitting;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How many events wait in a stream before the oldest is lost: a burst of restarts of a large tree, and no more
/// memory than a stack of papers when nobody reads.
const EVENTS_MAX: usize = 4_096;

/// Whose events are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all supervisors of the runtime.
    All,
    /// Those of one supervisor: its own children, and what is below them not.
    One(ProcessId),
    /// Those of a supervisor and of all supervisors below it.
    Tree(ProcessId),
}

impl Scope {
    /// One supervisor.
    pub fn one(supervisor: impl Into<ProcessId>) -> Self {
        Scope::One(supervisor.into())
    }

    /// A supervisor and all below it.
    pub fn tree(supervisor: impl Into<ProcessId>) -> Self {
        Scope::Tree(supervisor.into())
    }

    /// A name leads to whoever has it when the event comes, so that the scope survives restarts.
    fn covers(&self, shared: &Arc<Shared>, supervisor: Pid) -> bool {
        match self {
            Scope::All => true,
            Scope::One(one) => one.clone().resolve(shared).0 == supervisor,
            Scope::Tree(root) => {
                let (root, _, _) = root.clone().resolve(shared);
                let up = |pid: &Pid| Some(shared.process(*pid)?.core().parent());
                std::iter::successors(Some(supervisor), up).any(|pid| pid == root)
            }
        }
    }
}

/// The subscriptions of a runtime.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// How many there are; while it is 0, an event costs one load.
    count: AtomicUsize,
    next: AtomicUsize,
    /// A leaf lock: recipients are called outside of it.
    all: Mutex<Vec<Subscriber>>,
}

#[derive(Clone)]
struct Subscriber {
    id: usize,
    scope: Arc<Scope>,
    to: Reader,
}

#[derive(Clone)]
enum Reader {
    Recipient(Recipient<SupervisorEvent>),
    Stream(Weak<Stream>),
}

impl Reader {
    /// Hands an event over; `false` if the reader is gone. What turns the event into a message is none of the code of
    /// the supervisor: it may panic, and then there are no more for it.
    fn take(&self, event: &SupervisorEvent) -> bool {
        match self {
            Reader::Stream(stream) => {
                let stream = stream.upgrade();
                let lives = stream.is_some();
                if let Some(stream) = stream {
                    stream.push(event.clone());
                }
                lives
            }
            Reader::Recipient(to) => {
                let before = set_emitting(true);
                let sent = catch_unwind(AssertUnwindSafe(|| to.try_cast(event.clone())));
                set_emitting(before);
                matches!(sent, Ok(Ok(()) | Err(Gone::Full)))
            }
        }
    }
}

impl Subscriptions {
    fn add(&self, scope: Scope, to: Reader) -> usize {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let scope = Arc::new(scope);
        let mut all = self.all.lock();
        all.push(Subscriber { id, scope, to });
        self.count.store(all.len(), Ordering::Release);
        id
    }

    fn forget(&self, meant: impl Fn(&Subscriber) -> bool) {
        let mut all = self.all.lock();
        let (gone, stay): (Vec<_>, Vec<_>) = all.drain(..).partition(meant);
        *all = stay;
        self.count.store(all.len(), Ordering::Release);
        drop(all);
        drop(gone);
    }

    /// Whether there are any.
    pub(super) fn are_there(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Tells all who are meant. The events of one supervisor come in their order.
    pub(super) fn publish(&self, shared: &Arc<Shared>, event: &SupervisorEvent) {
        let all = self.all.lock().clone();
        for subscriber in all {
            if !subscriber.scope.covers(shared, event.supervisor) {
                continue;
            }
            if !subscriber.to.take(event) {
                self.forget(|known| known.id == subscriber.id);
            }
        }
    }
}

impl AtDeath for Subscriptions {
    fn at_death(&self, pid: Pid) {
        self.forget(|known| matches!(&known.to, Reader::Recipient(to) if to.pid() == pid));
    }
}

/// Names a subscription, for [`unsubscribe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subscription(usize);

/// Sends the events of supervisors to a process, until that ends or [`unsubscribe`] is called.
///
/// The events of one supervisor come in their order. A recipient whose mailbox is full misses what comes
/// meanwhile.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process::{self, Received};
/// use perennial::supervisor::{Scope, SupervisorEvent, What};
/// # struct Counter; impl GenServer for Counter { type Args = (); type Msg = ();
/// #   fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter) }
/// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
/// process::run::<SupervisorEvent, _>(|cx| {
///     supervisor::subscribe(Scope::All, cx.me().recipient(|event| event));
///     let child = Child::server::<Counter>("counter", ());
///     let counters = Supervisor::new(Strategy::OneForOne).child(child).start().unwrap();
///     let Received::Message(event) = cx.receive() else { unreachable!() };
///     assert_eq!((event.supervisor, &*event.child), (counters.pid(), "counter"));
///     assert!(matches!(event.what, What::Started(_)));
///     supervisor::stop(&counters).unwrap();
/// }).unwrap();
/// ```
pub fn subscribe(scope: Scope, recipient: Recipient<SupervisorEvent>) -> Subscription {
    let shared = runtime::current();
    let subscriptions = shared.service::<Subscriptions>();
    let pid = recipient.pid();
    let id = subscriptions.add(scope, Reader::Recipient(recipient));
    let cleanup: Arc<dyn AtDeath> = subscriptions.clone();
    let lives = shared
        .process(pid)
        .is_some_and(|process| process.core().relations.lock().at_death(&cleanup));
    if !lives {
        subscriptions.at_death(pid);
    }
    Subscription(id)
}

/// Ends a subscription; one that has ended is ignored.
pub fn unsubscribe(subscription: Subscription) {
    let subscriptions = runtime::current().service::<Subscriptions>();
    subscriptions.forget(|known| known.id == subscription.0);
}

/// The events of supervisors as a stream that any thread may read; it ends when it is dropped.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::supervisor::{Scope, What};
/// use std::time::Duration;
/// # struct Counter; impl GenServer for Counter { type Args = (); type Msg = ();
/// #   fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter) }
/// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
/// let mut events = supervisor::events(Scope::All);
/// let child = Child::server::<Counter>("counter", ());
/// let counters = Supervisor::new(Strategy::OneForOne).child(child).start()?;
/// let first = events.next(Duration::from_secs(5)).unwrap();
/// assert!(matches!(first.what, What::Started(_)));
/// supervisor::stop(&counters)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn events(scope: Scope) -> Events {
    let shared = runtime::current();
    let stream = Arc::new(Stream::default());
    let subscriptions = shared.service::<Subscriptions>();
    let id = subscriptions.add(scope, Reader::Stream(Arc::downgrade(&stream)));
    Events {
        id,
        stream,
        subscriptions,
        shared,
    }
}

/// Events of supervisors in their order; made by [`events`].
///
/// It holds 4,096 events at most: a reader that is too slow loses the oldest, and [`lost`](Events::lost) says how
/// many.
pub struct Events {
    id: usize,
    stream: Arc<Stream>,
    subscriptions: Arc<Subscriptions>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Stream {
    /// A leaf lock.
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<SupervisorEvent>,
    lost: u64,
    reader: Option<Arc<Parker>>,
}

impl Stream {
    fn push(&self, event: SupervisorEvent) {
        let mut queue = self.queue.lock();
        let oldest = if queue.events.len() >= EVENTS_MAX {
            queue.lost += 1;
            queue.events.pop_front()
        } else {
            None
        };
        queue.events.push_back(event);
        let reader = queue.reader.take();
        drop(queue);
        drop(oldest);
        if let Some(reader) = reader {
            reader.unpark();
        }
    }
}

impl Events {
    /// The next event; `None` if none comes in time. A process that waits here ends by a kill as it does in any
    /// other wait.
    pub fn next(&mut self, timeout: Duration) -> Option<SupervisorEvent> {
        let deadline = self.shared.clock.now().checked_add(timeout);
        let parker = current::parker();
        loop {
            {
                let mut queue = self.stream.queue.lock();
                if let Some(event) = queue.events.pop_front() {
                    queue.reader = None;
                    return Some(event);
                }
                queue.reader = Some(parker.clone());
            }
            if !park(&self.shared, &parker, deadline) {
                let mut queue = self.stream.queue.lock();
                queue.reader = None;
                return queue.events.pop_front();
            }
        }
    }

    /// How many events were lost because nobody read them in time.
    pub fn lost(&self) -> u64 {
        self.stream.queue.lock().lost
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let id = self.id;
        self.subscriptions.forget(|known| known.id == id);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.stream.queue.lock();
        write!(
            f,
            "Events({} wait, {} lost)",
            queue.events.len(),
            queue.lost
        )
    }
}
