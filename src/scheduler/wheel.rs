//! PURE. What is due when: a hierarchical timing wheel (Varghese and Lauck, scheme 7) with something to hand out at each
//! deadline.
//!
//! Picture the drums of an odometer. What is due within the present millisecond lies sorted on the table. What is due
//! within the present turn of the fastest drum hangs on that drum, one peg for each millisecond; what is due later hangs on
//! a slower one, whose pegs stand for longer. Whenever the odometer comes to a peg, what hangs there moves to a faster drum
//! or to the table. Most timers are taken back long before: they were hung up in one step and are taken off in one, and
//! nobody ever asked in which order they hang. Only the few that become due are sorted, so order and moment are exact.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Names one entry. Keys of one wheel never repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerKey {
    /// Counts insertions, which orders entries of the same deadline.
    number: u64,
    node: u32,
}

impl TimerKey {
    /// The key of what [`parts`](TimerKey::parts) gave.
    pub(crate) fn from_parts((number, node): (u64, u32)) -> Self {
        TimerKey { number, node }
    }

    pub(crate) fn parts(self) -> (u64, u32) {
        (self.number, self.node)
    }
}

/// 2^20 ns, about a millisecond: what the pegs of the fastest drum stand for.
const TICK_BITS: u32 = 20;
/// 64 pegs a drum, whose occupation fits into a word.
const PEG_BITS: u32 = 6;
const PEGS: usize = 1 << PEG_BITS;
/// As many drums as reach as far as nanoseconds in 64 bits do.
const DRUMS: usize = (u64::BITS - TICK_BITS).div_ceil(PEG_BITS) as usize;
/// An empty wheel keeps as many nodes, 48 KiB of them.
const NODES_KEPT: usize = 1024;
/// No node.
const NONE: u32 = u32::MAX;

/// Entries by deadline.
pub(super) struct Wheel<T> {
    /// Deadlines are counted from here; an earlier one counts as this.
    began: Instant,
    /// Invariant W1: what is due in this tick or before is in `near`; everything else hangs on the drum of the highest
    /// digit in which its tick differs from this one.
    tick: u64,
    near: BTreeMap<(u64, u64), u32>,
    /// For each drum a bit for each peg that something hangs on.
    used: [u64; DRUMS],
    /// The node that was hung up last on each peg.
    pegs: [[u32; PEGS]; DRUMS],
    nodes: Vec<Node<T>>,
    /// The first node that is free; each knows the next.
    free: u32,
    len: usize,
    next_number: u64,
}

struct Node<T> {
    /// Nanoseconds from the beginning.
    at: u64,
    number: u64,
    /// Neighbours on the same peg.
    before: u32,
    after: u32,
    /// `None` while the node is free.
    entry: Option<T>,
}

/// Where an entry belongs.
enum Place {
    Near,
    Peg(usize, usize),
}

/// Which drum is the fastest one that something hangs on, and its first peg in use.
struct First {
    drum: usize,
    peg: usize,
    /// The tick at which that peg is come to.
    tick: u64,
}

impl<T> Wheel<T> {
    /// A wheel that stands at this moment.
    pub(super) fn new(began: Instant) -> Self {
        Wheel {
            began,
            tick: 0,
            near: BTreeMap::new(),
            used: [0; DRUMS],
            pegs: [[NONE; PEGS]; DRUMS],
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            next_number: 0,
        }
    }

    /// Adds an entry.
    pub(super) fn insert(&mut self, at: Instant, entry: T) -> TimerKey {
        let at = self.nanos(at);
        let number = self.next_number;
        self.next_number += 1;
        let node = self.node(Node {
            at,
            number,
            before: NONE,
            after: NONE,
            entry: Some(entry),
        });
        self.len += 1;
        self.hang(node);
        TimerKey { number, node }
    }

    /// Removes an entry that has not been handed out.
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<T> {
        let at = self.find(key)?.at;
        match self.place(at) {
            Place::Near => drop(self.near.remove(&(at, key.number))),
            Place::Peg(drum, peg) => self.unhang(key.node, drum, peg),
        }
        self.release(key.node)
    }

    /// The deadline of an entry that is still to be handed out.
    pub(super) fn deadline(&self, key: TimerKey) -> Option<Instant> {
        Some(self.moment(self.find(key)?.at))
    }

    /// Hands out the first entry that is due at `now`: earliest deadline first, then in order of insertion.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let now = self.nanos(now);
        self.advance(now >> TICK_BITS);
        let first = self.near.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let node = first.remove();
        self.release(node)
    }

    /// The earliest deadline. The wheel turns to it, and is slower until that moment has come: for those who let time
    /// jump there.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while self.near.is_empty() {
            self.advance(self.first()?.tick);
        }
        self.near
            .first_key_value()
            .map(|(&(at, _), _)| self.moment(at))
    }

    /// When to look again: nothing is due earlier. It costs a look at each drum and turns nothing.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let near = self.near.first_key_value().map(|(&(at, _), _)| at);
        let far = || self.first().map(|first| first.tick << TICK_BITS);
        near.or_else(far).map(|at| self.moment(at))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes out everything.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        let taken = std::mem::replace(self, Wheel::new(self.began));
        self.next_number = taken.next_number;
        self.tick = taken.tick;
        let mut nodes = taken.nodes;
        nodes.sort_unstable_by_key(|node| (node.at, node.number));
        nodes.into_iter().filter_map(|node| node.entry)
    }

    // ## Time

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began);
        let seconds = since.as_secs().saturating_mul(1_000_000_000);
        seconds.saturating_add(u64::from(since.subsec_nanos()))
    }

    fn moment(&self, at: u64) -> Instant {
        self.began + Duration::from_nanos(at)
    }

    /// Turns to `tick`, and moves what hangs on the way.
    ///
    /// Each step goes to the first peg in use, whose tick no other entry precedes, so W1 holds for all that stays: between
    /// the old tick and the new one lies none of them, and so the highest digit that tells them apart is the same.
    fn advance(&mut self, tick: u64) {
        while let Some(first) = self.first().filter(|first| first.tick <= tick) {
            self.tick = first.tick;
            self.used[first.drum] &= !(1 << first.peg);
            let mut node = std::mem::replace(&mut self.pegs[first.drum][first.peg], NONE);
            while node != NONE {
                let after = self.nodes[node as usize].after;
                self.hang(node);
                node = after;
            }
        }
        self.tick = self.tick.max(tick);
    }

    /// The first peg that something hangs on. All that hangs on a faster drum is due before all on a slower one, and pegs
    /// of one drum that were passed are empty.
    fn first(&self) -> Option<First> {
        let drum = self.used.iter().position(|used| *used != 0)?;
        let peg = self.used[drum].trailing_zeros();
        let shift = drum as u32 * PEG_BITS;
        let passed = (self.tick >> shift >> PEG_BITS) << PEG_BITS;
        Some(First {
            drum,
            peg: peg as usize,
            tick: (passed | u64::from(peg)) << shift,
        })
    }

    // ## Places

    fn place(&self, at: u64) -> Place {
        let tick = at >> TICK_BITS;
        if tick <= self.tick {
            return Place::Near;
        }
        let drum = (tick ^ self.tick).ilog2() / PEG_BITS;
        let peg = (tick >> (drum * PEG_BITS)) as usize % PEGS;
        Place::Peg(drum as usize, peg)
    }

    fn hang(&mut self, node: u32) {
        let Node { at, number, .. } = self.nodes[node as usize];
        match self.place(at) {
            Place::Near => drop(self.near.insert((at, number), node)),
            Place::Peg(drum, peg) => {
                self.used[drum] |= 1 << peg;
                let after = std::mem::replace(&mut self.pegs[drum][peg], node);
                let hung = &mut self.nodes[node as usize];
                (hung.before, hung.after) = (NONE, after);
                if after != NONE {
                    self.nodes[after as usize].before = node;
                }
            }
        }
    }

    fn unhang(&mut self, node: u32, drum: usize, peg: usize) {
        let Node { before, after, .. } = self.nodes[node as usize];
        if after != NONE {
            self.nodes[after as usize].before = before;
        }
        if before != NONE {
            self.nodes[before as usize].after = after;
            return;
        }
        self.pegs[drum][peg] = after;
        if after == NONE {
            self.used[drum] &= !(1 << peg);
        }
    }

    // ## Nodes

    /// The node of a key, if it is still the key's.
    fn find(&self, key: TimerKey) -> Option<&Node<T>> {
        let node = self.nodes.get(key.node as usize)?;
        (node.number == key.number && node.entry.is_some()).then_some(node)
    }

    fn node(&mut self, node: Node<T>) -> u32 {
        let at = self.free;
        if at == NONE {
            let at = u32::try_from(self.nodes.len()).expect("fewer timers than fit into memory");
            assert_ne!(at, NONE, "fewer timers than fit into memory");
            self.nodes.push(node);
            return at;
        }
        let place = &mut self.nodes[at as usize];
        self.free = place.after;
        *place = node;
        at
    }

    fn release(&mut self, node: u32) -> Option<T> {
        self.len -= 1;
        let place = &mut self.nodes[node as usize];
        place.after = std::mem::replace(&mut self.free, node);
        let entry = place.entry.take();
        if self.len == 0 && self.nodes.len() > NODES_KEPT {
            // A peak is not kept for ever.
            self.nodes = Vec::new();
            self.free = NONE;
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[derive(Clone, Debug)]
    enum Step {
        /// Adds an entry, so many units from the start.
        Insert(u64),
        /// Removes the entry of this insertion, counted round.
        Remove(usize),
        /// Lets so many units pass and takes what is due.
        Advance(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Deadlines near one another, so that many are equal, and some far away; in the past as well.
        let at =
            prop_oneof![4 => 0..40u64, 2 => 0..3_000u64, 1 => any::<u32>().prop_map(u64::from)];
        let step = prop_oneof![
            5 => at.prop_map(Step::Insert),
            2 => any::<usize>().prop_map(Step::Remove),
            2 => (0..30u64).prop_map(Step::Advance),
            1 => (0..100_000u64).prop_map(Step::Advance),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// The model: everything that was ever inserted, in order of insertion.
    struct Entry {
        key: TimerKey,
        at: u64,
        waits: bool,
    }

    proptest! {
        #[test]
        fn wheel_hands_out_what_a_sorted_list_would(steps in steps(), unit in prop_oneof![Just(1u64), Just(700), Just(1_000_000)], jumps: bool) {
            let start = Instant::now();
            let moment = |units: u64| start + Duration::from_nanos(units * unit);
            let mut wheel = Wheel::new(start);
            let mut model: Vec<Entry> = Vec::new();
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Insert(at) => {
                        let key = wheel.insert(moment(at), model.len());
                        prop_assert_eq!(wheel.deadline(key), Some(moment(at)));
                        prop_assert!(model.iter().all(|entry| entry.key != key));
                        model.push(Entry { key, at, waits: true });
                    }
                    Step::Remove(number) if !model.is_empty() => {
                        let number = number % model.len();
                        let entry = &mut model[number];
                        let deadline = moment(entry.at);
                        prop_assert_eq!(wheel.deadline(entry.key), entry.waits.then_some(deadline));
                        let removed = wheel.remove(entry.key);
                        prop_assert_eq!(removed, entry.waits.then_some(number));
                        entry.waits = false;
                    }
                    Step::Remove(_) => {}
                    Step::Advance(by) => {
                        now += by;
                        loop {
                            let due = (0..model.len())
                                .filter(|&number| model[number].waits && model[number].at <= now)
                                .min_by_key(|&number| (model[number].at, number));
                            prop_assert_eq!(wheel.pop_due(moment(now)), due);
                            let Some(due) = due else { break };
                            model[due].waits = false;
                        }
                    }
                }
                let waiting = model.iter().filter(|entry| entry.waits);
                prop_assert_eq!(wheel.len(), waiting.clone().count());
                let next = waiting.map(|entry| moment(entry.at)).min();
                let wake_at = wheel.wake_at();
                prop_assert_eq!(wake_at.is_some(), next.is_some());
                prop_assert!(wake_at <= next, "it would sleep past a deadline");
                prop_assert!(wake_at > Some(moment(now)) || wake_at == next, "it would not sleep");
                if jumps {
                    prop_assert_eq!(wheel.next(), next);
                }
            }
            let mut left: Vec<_> = wheel.take_all().collect();
            left.sort_unstable();
            let waiting: Vec<_> = (0..model.len()).filter(|&number| model[number].waits).collect();
            prop_assert_eq!(left, waiting);
            prop_assert_eq!(wheel.len(), 0);
        }
    }
}
