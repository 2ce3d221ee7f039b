//! Events on their way to recipients, in the order in which they came about.
//!
//! What happens under a lock is told when no lock is held, and two threads could then tell it in the wrong order. So
//! it is written down here under the lock, and told by one thread at a time:
//!
//! 1. A thread changes something and puts the event here. 2. It lets go of its lock. 3. It finds nobody delivering,
//!    and delivers all that is here; or somebody does, who finds the event before it looks away.
//!
//! So whoever made a change may go on before its event has been sent, and whoever got an event got all before it.

use crate::process::{Recipient, current};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::telemetry;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Events of type `E` on their way.
pub(crate) struct Outbox<E> {
    /// How many events wait; whoever has just put one here sees that it is not 0.
    waiting: AtomicUsize,
    /// A leaf lock.
    queue: Mutex<Queue<E>>,
}

struct Queue<E> {
    /// As long as the changes of other threads are quicker than one push to a mailbox.
    events: VecDeque<(Recipient<E>, E)>,
    delivering: bool,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Outbox {
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(Queue {
                events: VecDeque::new(),
                delivering: false,
            }),
        }
    }
}

impl<E: Send + 'static> Outbox<E> {
    /// Writes down an event, which [`deliver`](Outbox::deliver) sends.
    pub(crate) fn put(&self, to: Recipient<E>, event: E) {
        let mut queue = self.queue.lock();
        queue.events.push_back((to, event));
        self.waiting.store(queue.events.len(), Ordering::Release);
    }

    /// Sends what is here, unless another thread does.
    pub(crate) fn deliver(&self) {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut next = self.next(false);
        if next.is_none() {
            return;
        }
        // Others wait for what comes after: a full mailbox misses an event, and this process ends when it is through.
        let hurry = current::forbid_waiting();
        let before = telemetry::set_emitting(true);
        while let Some((to, event)) = next {
            let pid = to.pid();
            if catch_unwind(AssertUnwindSafe(move || to.cast(event))).is_err() {
                log::error!(target: "perennial::service", "a recipient of {pid} panicked over an event");
            }
            next = self.next(true);
        }
        telemetry::set_emitting(before);
        drop(hurry);
    }

    /// The next event for a thread that delivers, or begins to if nobody does; without one it is through.
    fn next(&self, delivers: bool) -> Option<(Recipient<E>, E)> {
        let mut queue = self.queue.lock();
        if queue.delivering && !delivers {
            return None;
        }
        let next = queue.events.pop_front();
        queue.delivering = next.is_some();
        self.waiting.store(queue.events.len(), Ordering::Release);
        next
    }
}
