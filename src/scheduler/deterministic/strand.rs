//! Strands: the threads among which the baton goes round, each with a gate at which it waits to be handed it.

use super::baton::Baton;
use super::state::Job;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, Parker};
use std::cell::RefCell;
use std::fmt;

thread_local! {
    /// The strand that this thread is, if a deterministic pool or one of its users started it.
    static HERE: RefCell<Option<Arc<Strand>>> = const { RefCell::new(None) };
}

/// What a strand is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Gives turns to tasks and calls timers.
    Worker,
    /// Runs what its starter gave it from beginning to end: a thread process.
    Solo,
    /// A thread from outside, for one wait. While it waits the baton goes round; while it runs the baton rests.
    Driver,
}

/// One thread of a deterministic pool.
pub(super) struct Strand {
    pub(super) baton: Arc<Baton>,
    pub(super) part: Part,
    /// In the order of their making; 0 for drivers, of which there is one a wait.
    pub(super) number: u64,
    pub(super) name: String,
    /// Opened by whoever hands over the baton.
    pub(super) gate: Parker,
    /// What a worker is to do once its gate opens; nothing, if it is to end.
    pub(super) job: Mutex<Option<Job>>,
    /// Equals `true` from before it waits until it is woken: whoever wakes it first makes it ready, once.
    pub(super) awaits: AtomicBool,
    /// Equals `true` within a blocking call that a pooled process makes.
    pub(super) blocked: AtomicBool,
}

impl Strand {
    pub(super) fn new(baton: &Arc<Baton>, part: Part, number: u64, name: String) -> Arc<Self> {
        Arc::new(Strand {
            baton: baton.clone(),
            part,
            number,
            name,
            gate: Parker::new(),
            job: Mutex::default(),
            awaits: AtomicBool::new(true),
            blocked: AtomicBool::new(false),
        })
    }

    /// This thread is the strand from now on.
    pub(super) fn settle(self: &Arc<Self>) {
        HERE.set(Some(self.clone()));
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }
}

/// The strand that the calling thread is, of whichever pool.
pub(super) fn here() -> Option<Arc<Strand>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

/// The strand that the calling thread is, if it is one of this baton's.
pub(super) fn current(baton: &Arc<Baton>) -> Option<Arc<Strand>> {
    here().filter(|here| Arc::ptr_eq(&here.baton, baton))
}

/// A place among the strands for a thread that is about to start.
#[derive(Clone)]
pub(crate) struct Place(Arc<Strand>);

impl Place {
    pub(super) fn new(strand: Arc<Strand>) -> Self {
        Place(strand)
    }

    /// For the starter, once the thread exists: it may be handed the baton.
    pub(crate) fn ready(&self) {
        self.0.baton.wake(&self.0);
    }

    /// For the thread: waits until it is handed the baton, and has it until the guard is dropped.
    pub(crate) fn take(self) -> Held {
        self.0.gate.park();
        self.0.settle();
        Held(self.0)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.0.number)
    }
}

/// The baton in the hand of a thread process.
pub(crate) struct Held(Arc<Strand>);

impl Drop for Held {
    fn drop(&mut self) {
        HERE.set(None);
        self.0.baton.leave();
    }
}
