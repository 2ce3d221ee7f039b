//! One thread waits, any thread wakes: the only way anything in this crate waits.

use super::{Condvar, Mutex};
use std::time::Instant;

/// A permit that one thread waits for and any thread may grant.
///
/// Grants do not add up: several before a wait count as one. A wait may not end early without a grant.
#[derive(Debug, Default)]
pub struct Parker {
    granted: Mutex<bool>,
    condvar: Condvar,
}

impl Parker {
    /// A parker without a permit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the permit and takes it.
    pub fn park(&self) {
        self.park_until(None);
    }

    /// Waits for the permit until `deadline` at most (for ever if there is none); `true` if it was taken.
    pub fn park_until(&self, deadline: Option<Instant>) -> bool {
        let mut granted = self.granted.lock();
        while !*granted {
            match deadline {
                None => self.condvar.wait(&mut granted),
                Some(deadline) => {
                    if self.condvar.wait_until(&mut granted, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *granted)
    }

    /// Takes the permit if it is there, without waiting.
    pub fn try_take(&self) -> bool {
        std::mem::take(&mut *self.granted.lock())
    }

    /// Grants the permit and wakes the waiting thread.
    pub fn unpark(&self) {
        let mut granted = self.granted.lock();
        if !*granted {
            *granted = true;
            drop(granted);
            self.condvar.notify_one();
        }
    }
}
