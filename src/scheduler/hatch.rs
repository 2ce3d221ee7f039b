//! A hatch in the wall between plain threads and the pool: while a worker looks for work, a task is handed to it directly.
//!
//! What goes through the hatch needs neither the injector nor the word of sleepers and searchers, both of which would have to
//! come over from another processor. Whoever opens the hatch shuts it before it does anything else, and then has what was
//! put in: so a task that was put in is somebody's, who is awake.

use crate::sync::Brief;
use crate::sync::atomic::{AtomicU8, Ordering};

const SHUT: u8 = 0;
const OPEN: u8 = 1;
const FULL: u8 = 2;

/// On lines of its own, as one side looks at it all the time; and on one of them, as each line that comes over costs more
/// than a look at it disturbs.
#[repr(align(128))]
pub(super) struct Hatch<T> {
    /// What is inside, to look at without the lock; written under it.
    state: AtomicU8,
    inside: Brief<Inside<T>>,
}

enum Inside<T> {
    Shut,
    Open,
    Full(T),
}

impl<T> Hatch<T> {
    pub(super) fn new() -> Self {
        Hatch {
            state: AtomicU8::new(SHUT),
            inside: Brief::new(Inside::Shut),
        }
    }

    /// Opens it; `false` if somebody else has it open.
    pub(super) fn open(&self) -> bool {
        if self.state.load(Ordering::Relaxed) != SHUT {
            return false;
        }
        let mut inside = self.inside.lock();
        let opens = matches!(*inside, Inside::Shut);
        if opens {
            *inside = Inside::Open;
            self.state.store(OPEN, Ordering::Release);
        }
        opens
    }

    /// Puts a task in; back it comes if nobody waits for one.
    #[inline]
    pub(super) fn put(&self, task: T) -> Result<(), T> {
        if self.state.load(Ordering::Relaxed) != OPEN {
            return Err(task);
        }
        let mut inside = self.inside.lock();
        if !matches!(*inside, Inside::Open) {
            return Err(task);
        }
        *inside = Inside::Full(task);
        self.state.store(FULL, Ordering::Release);
        Ok(())
    }

    /// Whether there is something to take.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.state.load(Ordering::Relaxed) == FULL
    }

    /// Takes what was put in, on behalf of whoever has it open.
    pub(super) fn take(&self) -> Option<T> {
        if !self.is_full() {
            return None;
        }
        let mut inside = self.inside.lock();
        if !matches!(*inside, Inside::Full(_)) {
            return None;
        }
        self.state.store(OPEN, Ordering::Release);
        content(std::mem::replace(&mut *inside, Inside::Open))
    }

    /// Shuts it; what was put in. Only whoever opened it does this.
    pub(super) fn shut(&self) -> Option<T> {
        let mut inside = self.inside.lock();
        self.state.store(SHUT, Ordering::Release);
        content(std::mem::replace(&mut *inside, Inside::Shut))
    }
}

fn content<T>(inside: Inside<T>) -> Option<T> {
    match inside {
        Inside::Full(task) => Some(task),
        Inside::Open | Inside::Shut => None,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn task_goes_in_only_while_it_is_open_and_empty() {
        let hatch = Hatch::new();
        assert_eq!(hatch.put(1), Err(1));
        assert!(hatch.open());
        assert_eq!(hatch.put(2), Ok(()));
        assert_eq!(hatch.put(3), Err(3));
        assert_eq!(hatch.shut(), Some(2));
        assert_eq!(hatch.put(4), Err(4));
    }

    #[test]
    fn what_was_put_in_comes_out_once() {
        let hatch = Hatch::new();
        assert!(hatch.open());
        assert_eq!(hatch.take(), None);
        assert_eq!(hatch.put(1), Ok(()));
        assert!(hatch.is_full());
        assert_eq!(hatch.take(), Some(1));
        // Taken by whoever came by, it is still open for the next one.
        assert_eq!(hatch.take(), None);
        assert_eq!(hatch.put(2), Ok(()));
        assert_eq!(hatch.shut(), Some(2));
        assert_eq!(hatch.shut(), None);
    }

    #[test]
    fn one_at_a_time_has_it_open() {
        let hatch = Hatch::new();
        assert!(hatch.open());
        assert!(!hatch.open());
        assert_eq!(hatch.put(1), Ok(()));
        assert!(!hatch.open(), "it is full");
        assert_eq!(hatch.shut(), Some(1));
        assert!(hatch.open());
    }
}
