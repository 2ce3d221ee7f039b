//! PURE: the timeouts of a machine.
//!
//! Picture a shelf of kitchen timers, each with a label. Winding up the one of a label takes back whatever it was
//! wound up for before; there are no two of the same label. One timer says *event*, and is put back by whatever
//! comes in; one says *state*, and is put back by the change to another state; the others wear names, and are put
//! back by hand. A timer that is set to zero is not wound up at all: it waits in a line, and rings when nothing
//! else is left to do here and before the door is opened for what waits outside.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Which of a machine's timeouts: there is one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout<T> {
    /// The event timeout. Any event cancels it.
    Event,
    /// The state timeout. A change to another state cancels it.
    State,
    /// A generic timeout. Nothing cancels it but the machine.
    Named(T),
}

/// When a timeout is due, by the clock of the runtime: a [`Duration`] from now on, or an [`Instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So much later. Zero is no timer: the event comes when all that is queued inside the machine has been
    /// handled, and before anything that waits in the mailbox. What is later than a clock can tell never comes,
    /// and is as if cancelled.
    After(Duration),
    /// At that moment; at once, by way of the mailbox, if it has passed.
    At(Instant),
}

impl From<Duration> for When {
    fn from(delay: Duration) -> Self {
        When::After(delay)
    }
}

impl From<Instant> for When {
    fn from(at: Instant) -> Self {
        When::At(at)
    }
}

/// What a transition does to one timeout.
pub(super) enum Change<M> {
    Set(When, M),
    Cancel,
    Update(M),
}

/// Changes in the order in which they were listed.
pub(super) type Changes<T, M> = Vec<(Timeout<T>, Change<M>)>;

/// The timeouts that are set. `K` keeps a timer running; dropped, it stops the timer.
pub(super) struct Timeouts<T, M, K> {
    set: HashMap<Timeout<T>, Set<M, K>>,
    /// Those of zero by their number, which is the order in which they were set.
    zero: BTreeMap<u64, Timeout<T>>,
    /// Each setting has a number of its own, so that a timer which rings too late is known.
    last_number: u64,
}

struct Set<M, K> {
    number: u64,
    payload: M,
    /// None for one of zero.
    _timer: Option<K>,
}

impl<T, M, K> Timeouts<T, M, K> {
    pub(super) fn new() -> Self {
        Timeouts {
            set: HashMap::new(),
            zero: BTreeMap::new(),
            last_number: 0,
        }
    }

    /// How many are set.
    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    /// Equals `true` if one of zero waits.
    pub(super) fn has_zero(&self) -> bool {
        !self.zero.is_empty()
    }
}

impl<T: Clone + Eq + Hash, M, K> Timeouts<T, M, K> {
    /// Makes the changes of one transition. Of several to the same timeout the last one counts, and the others are
    /// as if they had not been listed. `start` starts the timer of a number; none, if its moment never comes.
    pub(super) fn change(
        &mut self,
        changes: Changes<T, M>,
        mut start: impl FnMut(&Timeout<T>, u64, When) -> Option<K>,
    ) {
        for (timeout, change) in last_of_each(changes) {
            match change {
                Change::Cancel => self.cancel(&timeout),
                Change::Update(payload) => match self.set.get_mut(&timeout) {
                    Some(set) => set.payload = payload,
                    None => self.set_zero(timeout, payload),
                },
                Change::Set(When::After(Duration::ZERO), payload) => {
                    self.set_zero(timeout, payload)
                }
                Change::Set(when, payload) => self.set_timer(timeout, when, payload, &mut start),
            }
        }
    }

    fn set_zero(&mut self, timeout: Timeout<T>, payload: M) {
        self.cancel(&timeout);
        let number = self.number();
        self.zero.insert(number, timeout.clone());
        self.insert(timeout, number, payload, None);
    }

    fn set_timer(
        &mut self,
        timeout: Timeout<T>,
        when: When,
        payload: M,
        start: &mut impl FnMut(&Timeout<T>, u64, When) -> Option<K>,
    ) {
        self.cancel(&timeout);
        let number = self.number();
        if let Some(timer) = start(&timeout, number, when) {
            self.insert(timeout, number, payload, Some(timer));
        }
    }

    fn insert(&mut self, timeout: Timeout<T>, number: u64, payload: M, timer: Option<K>) {
        let set = Set {
            number,
            payload,
            _timer: timer,
        };
        self.set.insert(timeout, set);
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Takes a timeout back, if it is set.
    pub(super) fn cancel(&mut self, timeout: &Timeout<T>) {
        // Most machines have none, and then nothing is hashed.
        if !self.set.is_empty()
            && let Some(set) = self.set.remove(timeout)
        {
            self.zero.remove(&set.number);
        }
    }

    /// A timer rang: its payload, unless it was cancelled or set anew meanwhile.
    pub(super) fn rang(&mut self, timeout: &Timeout<T>, number: u64) -> Option<M> {
        if self.set.get(timeout)?.number != number {
            return None;
        }
        self.set.remove(timeout).map(|set| set.payload)
    }

    /// The timeout of zero that waits longest.
    pub(super) fn pop_zero(&mut self) -> Option<(Timeout<T>, M)> {
        let (_, timeout) = self.zero.pop_first()?;
        let set = self.set.remove(&timeout)?;
        Some((timeout, set.payload))
    }
}

/// The last change to each timeout, in the order of the list.
fn last_of_each<T: Clone + Eq + Hash, M>(mut changes: Changes<T, M>) -> Changes<T, M> {
    if changes.len() > 1 {
        let mut later = HashSet::new();
        changes.reverse();
        changes.retain(|(timeout, _)| later.insert(timeout.clone()));
        changes.reverse();
    }
    changes
}
