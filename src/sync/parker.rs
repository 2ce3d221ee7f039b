//! One thread waits, any thread wakes: the only way anything in this crate waits.

use super::{Condvar, Mutex};
use std::fmt;
use std::time::Instant;

/// A permit that one thread waits for and any thread may grant.
///
/// Grants do not add up: several before a wait count as one. A wait may not end early without a grant.
#[derive(Debug, Default)]
pub struct Parker {
    permit: Mutex<Permit>,
    condvar: Condvar,
}

#[derive(Default)]
struct Permit {
    is_granted: bool,
    /// Equals `Some` while the thread waits in a call that the condvar does not end, and this does.
    alarm: Option<Alarm>,
}

type Alarm = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({})", self.is_granted)
    }
}

/// Takes the alarm back, and the permit with it, whatever way the wait ends.
struct Waiting<'a>(&'a Parker);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut permit = self.0.permit.lock();
        permit.is_granted = false;
        let alarm = permit.alarm.take();
        drop(permit);
        drop(alarm);
    }
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
        let mut permit = self.permit.lock();
        while !permit.is_granted {
            match deadline {
                None => self.condvar.wait(&mut permit),
                Some(deadline) => {
                    if self.condvar.wait_until(&mut permit, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut permit.is_granted)
    }

    /// Runs `wait`, which waits in a call of its own; whoever grants the permit meanwhile runs `alarm`, which has to
    /// end that call, be it before or after it has begun. If the permit is there already, neither runs.
    pub fn park_outside(&self, alarm: impl FnOnce() + Send + 'static, wait: impl FnOnce()) {
        {
            let mut permit = self.permit.lock();
            if std::mem::take(&mut permit.is_granted) {
                return;
            }
            permit.alarm = Some(Box::new(alarm));
        }
        let _waiting = Waiting(self);
        wait();
    }

    /// Takes the permit if it is there, without waiting.
    pub fn try_take(&self) -> bool {
        std::mem::take(&mut self.permit.lock().is_granted)
    }

    /// Grants the permit and wakes the waiting thread.
    pub fn unpark(&self) {
        let mut permit = self.permit.lock();
        if permit.is_granted {
            return;
        }
        permit.is_granted = true;
        let alarm = permit.alarm.take();
        drop(permit);
        match alarm {
            Some(alarm) => alarm(),
            None => {
                self.condvar.notify_one();
            }
        }
    }
}
