//! The gate of a [`Drainer`](crate::supervisor::Drainer): who is inside, and whether more may come.

use crate::sync::{Arc, Mutex};
use std::fmt;

/// All work that passed the gate has ended.
pub(super) struct Emptied;

/// Where work passes on its way in, so that it is known how much is under way and none begins any more once the gate
/// is closed. A clone is the same gate. Open until a [`Drainer`](crate::supervisor::Drainer) closes it.
///
/// ```
/// use perennial::supervisor::Gate;
/// let gate = Gate::new();
/// let pass = gate.enter().unwrap();
/// assert_eq!(gate.inside(), 1);
/// drop(pass);
/// assert_eq!((gate.inside(), gate.is_open()), (0, true));
/// ```
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    closed: bool,
    count: usize,
    /// Told once when the last one leaves: one for each drainer that waits.
    when_empty: Vec<Box<dyn FnOnce() + Send>>,
}

/// Stands for one piece of work that is under way: it ends when this is dropped, in whatever way. It may be sent to
/// another process with the work.
#[must_use = "the work has ended when its pass is dropped"]
pub struct Pass(Gate);

impl Gate {
    /// An open gate with nobody inside.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a piece of work; `None` if the gate is closed.
    pub fn enter(&self) -> Option<Pass> {
        let mut inside = self.0.lock();
        if inside.closed {
            return None;
        }
        inside.count += 1;
        Some(Pass(self.clone()))
    }

    /// How much work is under way.
    pub fn inside(&self) -> usize {
        self.0.lock().count
    }

    /// Whether work may begin.
    pub fn is_open(&self) -> bool {
        !self.0.lock().closed
    }

    pub(super) fn open(&self) {
        self.0.lock().closed = false;
    }

    pub(super) fn close(&self) {
        self.0.lock().closed = true;
    }

    /// Calls `then` once nobody is inside, which may be at once; how many are.
    pub(super) fn when_empty(&self, then: Box<dyn FnOnce() + Send>) -> usize {
        let mut inside = self.0.lock();
        let count = inside.count;
        if count == 0 {
            drop(inside);
            then();
        } else {
            inside.when_empty.push(then);
        }
        count
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.0.0.lock();
        inside.count -= 1;
        let waiting = if inside.count == 0 {
            std::mem::take(&mut inside.when_empty)
        } else {
            Vec::new()
        };
        drop(inside);
        for then in waiting {
            then();
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = self.0.lock();
        let door = if inside.closed { "closed" } else { "open" };
        write!(f, "Gate({door}, {} inside)", inside.count)
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}
