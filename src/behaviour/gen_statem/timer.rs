//! The timers of a machine on the runtime's wheel.

use crate::behaviour::gen_statem::timeouts::{Timeout, When};
use crate::process::core::{Process, Signal};
use crate::process::runtime::Shared;
use crate::scheduler::TimerKey;
use crate::sync::Arc;

/// A timer that runs, for as long as this is kept.
pub(super) struct Timer {
    key: TimerKey,
    shared: Arc<Shared>,
}

/// A timer's ring in the mailbox of its machine.
pub(super) struct Rang<T> {
    pub(super) timeout: Timeout<T>,
    pub(super) number: u64,
}

impl Timer {
    /// Starts a timer for a machine; none if its moment is beyond what the clock can tell.
    pub(super) fn start<T: Clone + Send + 'static>(
        machine: &Arc<dyn Process>,
        timeout: &Timeout<T>,
        number: u64,
        when: When,
    ) -> Option<Self> {
        let shared = machine.core().runtime.clone();
        let at = match when {
            When::At(at) => at,
            When::After(delay) => shared.clock.now().checked_add(delay)?,
        };
        let timeout = timeout.clone();
        let machine = Arc::downgrade(machine);
        let ring = move || {
            if let Some(machine) = machine.upgrade() {
                machine.push_signal(Signal::Resume(Box::new(Rang { timeout, number })));
                machine.wake();
            }
        };
        let key = shared.scheduler().timers().insert(at, Box::new(ring));
        Some(Timer { key, shared })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.scheduler().timers().discard(self.key);
    }
}
