//! PURE: what a machine handles next.
//!
//! Picture a desk with a pile in the middle and a tray at the side. What is put on the pile is handled before any
//! new post, from the top. An event that cannot be handled in this state goes to the tray (*postponed*). When the
//! state changes the tray is turned over onto the pile, so that the oldest is on top; and what the clerk wrote down
//! for himself (*next events*) goes on top of that, in the order of the list. When the pile is gone the timeouts of
//! zero are due, one after the other, and only then the post.

use crate::behaviour::gen_statem::timeouts::{Changes, Timeout, Timeouts, When};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::hash::Hash;

/// A machine held more events than its [`EVENTS_MAX`](super::GenStatem::EVENTS_MAX): the reason of its end, inside
/// [`ExitReason::Other`](crate::ExitReason::Other).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyEvents {
    /// How many it held: postponed, inserted, and timeouts.
    pub held: usize,
    /// How many of these were postponed.
    pub postponed: usize,
}

impl fmt::Display for TooManyEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooManyEvents { held, postponed } = self;
        write!(
            f,
            "a machine held {held} events, {postponed} of them postponed"
        )
    }
}

impl Error for TooManyEvents {}

/// What a machine keeps for itself: events `E`, and timeouts with names `T`, payloads `M` and timers `K`.
pub(super) struct Agenda<E, T, M, K> {
    /// Handled before anything that comes in.
    pile: VecDeque<E>,
    /// In the order in which they came.
    postponed: Vec<E>,
    timeouts: Timeouts<T, M, K>,
    max: usize,
}

/// What a machine does before anything that waits in its mailbox.
#[derive(Debug, PartialEq)]
pub(super) enum Due<E, T, M> {
    Event(E),
    Timeout(Timeout<T>, M),
}

impl<E, T: Clone + Eq + Hash, M, K> Agenda<E, T, M, K> {
    /// One that holds so much at most.
    pub(super) fn new(max: usize) -> Self {
        Agenda {
            pile: VecDeque::new(),
            postponed: Vec::new(),
            timeouts: Timeouts::new(),
            max,
        }
    }

    /// An event was handled: it may have been postponed, the state may have changed, others may come first now.
    pub(super) fn handled(&mut self, postponed: Vec<E>, changed: bool, next_events: Vec<E>) {
        self.timeouts.cancel(&Timeout::Event);
        self.postponed.extend(postponed);
        if changed {
            self.timeouts.cancel(&Timeout::State);
            let retried = std::mem::take(&mut self.postponed);
            self.on_top(retried);
        }
        self.on_top(next_events);
    }

    fn on_top(&mut self, events: Vec<E>) {
        for event in events.into_iter().rev() {
            self.pile.push_front(event);
        }
    }

    /// Makes a transition's changes to the timeouts; see [`Timeouts::change`].
    pub(super) fn change_timeouts(
        &mut self,
        changes: Changes<T, M>,
        start: impl FnMut(&Timeout<T>, u64, When) -> Option<K>,
    ) {
        self.timeouts.change(changes, start);
    }

    /// A timer rang; see [`Timeouts::rang`].
    pub(super) fn rang(&mut self, timeout: &Timeout<T>, number: u64) -> Option<M> {
        self.timeouts.rang(timeout, number)
    }

    /// Equals `true` if something is to be done before anything that waits in the mailbox.
    pub(super) fn is_due(&self) -> bool {
        !self.pile.is_empty() || self.timeouts.has_zero()
    }

    /// What is to be done first.
    pub(super) fn next(&mut self) -> Option<Due<E, T, M>> {
        if let Some(event) = self.pile.pop_front() {
            return Some(Due::Event(event));
        }
        let (timeout, payload) = self.timeouts.pop_zero()?;
        Some(Due::Timeout(timeout, payload))
    }

    /// Whether it holds no more than it may.
    pub(super) fn check(&self) -> Result<(), TooManyEvents> {
        let held = self.pile.len() + self.postponed.len() + self.timeouts.len();
        if held <= self.max {
            return Ok(());
        }
        Err(TooManyEvents {
            held,
            postponed: self.postponed.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::gen_statem::timeouts::Change;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::rc::{Rc, Weak};
    use std::time::{Duration, Instant};

    type Label = Timeout<u8>;

    /// What a machine comes to with one event.
    #[derive(Clone, Debug)]
    struct Reaction {
        /// Which of the timers that were ever started rings, if nothing is due; else a message comes.
        rings: Option<usize>,
        postpones: bool,
        changes: bool,
        inserts: usize,
        timeouts: Vec<(Label, Act)>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Act {
        Zero,
        After(u64),
        Never,
        Cancel,
        Update,
    }

    fn label() -> impl Strategy<Value = Label> {
        prop_oneof![
            Just(Timeout::Event),
            Just(Timeout::State),
            (0..3u8).prop_map(Timeout::Named),
        ]
    }

    fn reaction() -> impl Strategy<Value = Reaction> {
        let act = prop_oneof![
            3 => Just(Act::Zero),
            3 => (1..9u64).prop_map(Act::After),
            1 => Just(Act::Never),
            2 => Just(Act::Cancel),
            2 => Just(Act::Update),
        ];
        let timeouts = prop::collection::vec((label(), act), 0..4);
        let rings = prop::option::of(any::<usize>());
        let inserts = prop_oneof![4 => Just(0usize), 2 => 1..3usize];
        (
            rings,
            any::<bool>(),
            prop::bool::weighted(0.3),
            inserts,
            timeouts,
        )
            .prop_map(|(rings, postpones, changes, inserts, timeouts)| Reaction {
                rings,
                postpones,
                changes,
                inserts,
                timeouts,
            })
    }

    /// What is handled: an event by its number, or a timeout with the number that is its payload.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Item {
        Event(u32),
        Timeout(Label, u32),
    }

    impl From<Due<Item, u8, u32>> for Item {
        fn from(due: Due<Item, u8, u32>) -> Self {
            match due {
                Due::Event(item) => item,
                Due::Timeout(timeout, payload) => Item::Timeout(timeout, payload),
            }
        }
    }

    /// The model: lists that are searched from one end to the other.
    #[derive(Default)]
    struct Model {
        pile: Vec<Item>,
        postponed: Vec<Item>,
        /// In the order in which they were set; with the number of the timer, if there is one.
        set: Vec<(Label, u32, Option<u64>)>,
    }

    impl Model {
        fn next(&mut self) -> Option<Item> {
            if !self.pile.is_empty() {
                return Some(self.pile.remove(0));
            }
            let at = self.set.iter().position(|(.., timer)| timer.is_none())?;
            let (timeout, payload, _) = self.set.remove(at);
            Some(Item::Timeout(timeout, payload))
        }

        fn rang(&mut self, number: u64) -> Option<Item> {
            let rings = |(.., timer): &(Label, u32, Option<u64>)| *timer == Some(number);
            let at = self.set.iter().position(rings)?;
            let (timeout, payload, _) = self.set.remove(at);
            Some(Item::Timeout(timeout, payload))
        }

        fn forget(&mut self, timeout: Label) {
            self.set.retain(|(set, ..)| *set != timeout);
        }

        fn handled(&mut self, postponed: Option<Item>, changed: bool, inserted: &[Item]) {
            self.forget(Timeout::Event);
            self.postponed.extend(postponed);
            let mut pile = inserted.to_vec();
            if changed {
                self.forget(Timeout::State);
                pile.append(&mut self.postponed);
            }
            pile.append(&mut self.pile);
            self.pile = pile;
        }

        /// `timers` has the numbers under which timers were started, by label.
        fn change(&mut self, changes: &[(Label, Act, u32)], timers: &[(Label, u64)]) {
            for (at, &(timeout, act, payload)) in changes.iter().enumerate() {
                if changes[at + 1..]
                    .iter()
                    .any(|(later, ..)| *later == timeout)
                {
                    continue;
                }
                let is_set = self.set.iter().any(|(set, ..)| *set == timeout);
                if act == Act::Update && is_set {
                    for set in self.set.iter_mut().filter(|(set, ..)| *set == timeout) {
                        set.1 = payload;
                    }
                    continue;
                }
                self.forget(timeout);
                let timer = timers.iter().find(|(started, _)| *started == timeout);
                match act {
                    Act::Zero | Act::Update => self.set.push((timeout, payload, None)),
                    Act::After(_) => {
                        let number = timer.expect("a timer was started").1;
                        self.set.push((timeout, payload, Some(number)));
                    }
                    Act::Never | Act::Cancel => {}
                }
            }
        }
    }

    fn change(act: Act, payload: u32) -> Change<u32> {
        match act {
            Act::Zero => Change::Set(When::After(Duration::ZERO), payload),
            Act::After(n) => Change::Set(Duration::from_secs(n).into(), payload),
            Act::Never => Change::Set(Duration::MAX.into(), payload),
            Act::Cancel => Change::Cancel,
            Act::Update => Change::Update(payload),
        }
    }

    proptest! {
        #[test]
        fn agenda_does_what_lists_would(script in prop::collection::vec(reaction(), 1..120)) {
            let mut agenda: Agenda<Item, u8, u32, Rc<()>> = Agenda::new(usize::MAX);
            let mut model = Model::default();
            let timers: RefCell<Vec<(Label, u64, Weak<()>)>> = RefCell::default();
            let mut last = 0;
            let mut number = || { last += 1; last };
            for reaction in script {
                let due = agenda.is_due();
                let item = agenda.next().map(Item::from);
                prop_assert_eq!(item, model.next());
                prop_assert_eq!(due, item.is_some());
                let started = timers.borrow().len();
                let item = match (item, reaction.rings) {
                    (Some(item), _) => item,
                    (None, Some(which)) if started > 0 => {
                        // Any that was ever started: one that was taken back is not heard.
                        let (timeout, rings, timer) = timers.borrow()[which % started].clone();
                        let runs = timer.upgrade().is_some();
                        let rang = agenda.rang(&timeout, rings);
                        prop_assert_eq!(rang.is_some(), runs);
                        let rang = rang.map(|payload| Item::Timeout(timeout, payload));
                        prop_assert_eq!(rang, model.rang(rings));
                        let Some(rang) = rang else { continue };
                        rang
                    }
                    (None, _) => Item::Event(number()),
                };
                let postponed = reaction.postpones.then_some(item);
                let inserted: Vec<Item> =
                    (0..reaction.inserts).map(|_| Item::Event(number())).collect();
                let timeouts: Vec<(Label, Act, u32)> =
                    reaction.timeouts.iter().map(|(label, act)| (*label, *act, number())).collect();
                agenda.handled(postponed.into_iter().collect(), reaction.changes, inserted.clone());
                let changes = timeouts.iter().map(|&(label, act, payload)| (label, change(act, payload)));
                agenda.change_timeouts(changes.collect(), |timeout, number, when| {
                    let timer = Rc::new(());
                    let never = matches!(when, When::After(after) if Instant::now().checked_add(after).is_none());
                    if never {
                        return None;
                    }
                    timers.borrow_mut().push((*timeout, number, Rc::downgrade(&timer)));
                    Some(timer)
                });
                model.handled(postponed, reaction.changes, &inserted);
                let new: Vec<_> = timers.borrow()[started..].iter().map(|(label, number, _)| (*label, *number)).collect();
                model.change(&timeouts, &new);
                // No more timers run than are set.
                let run = timers.borrow().iter().filter(|(.., timer)| timer.upgrade().is_some()).count();
                prop_assert_eq!(run, model.set.iter().filter(|(.., timer)| timer.is_some()).count());
                let held = model.pile.len() + model.postponed.len() + model.set.len();
                agenda.max = held;
                prop_assert_eq!(agenda.check(), Ok(()));
                if held > 0 {
                    agenda.max = held - 1;
                    let error = TooManyEvents { held, postponed: model.postponed.len() };
                    prop_assert_eq!(agenda.check(), Err(error));
                }
            }
        }
    }
}
