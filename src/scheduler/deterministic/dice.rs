//! PURE: what a seed decides, and the record of what it decided.
//!
//! Picture a player who throws dice for everything that real machines leave to chance, and a clerk who writes each throw down: two
//! games from the same dice have the same record, and two records that differ tell games apart.

/// The generator SplitMix64: one word of state, and no seed is a bad one.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `sides`, of which there is at least one.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        ((u128::from(self.roll()) * sides as u128) >> 64) as usize
    }

    /// Equals `true` once in `times`; never if that is 0.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        times > 0 && self.below(times) == 0
    }
}

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// Who goes first where several might.
#[derive(Clone, Copy)]
enum Taste {
    Any,
    /// As a rule whoever waits longest: nearly the order in which things happened.
    Oldest,
    /// As a rule whoever came last: some wait for very long.
    Newest,
}

/// How one seed plays. Seeds that play alike find alike, so each has habits of its own.
pub(super) struct Habits {
    taste: Taste,
    /// How many messages a turn handles at most.
    budget_max: usize,
    /// A process is put aside at one in so many of the places where it may be; at none if this is 0.
    aside_once_in: usize,
}

impl Habits {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let taste = [Taste::Any, Taste::Any, Taste::Oldest, Taste::Newest][dice.below(4)];
        let budget_max = [1, 3, 16, 256][dice.below(4)];
        let aside_once_in = [0, 2, 4, 16][dice.below(4)];
        Habits {
            taste,
            budget_max,
            aside_once_in,
        }
    }

    /// One of `count`, in order of age.
    pub(super) fn pick(&self, dice: &mut Dice, count: usize) -> usize {
        match self.taste {
            Taste::Oldest if !dice.once_in(4) => 0,
            Taste::Newest if !dice.once_in(4) => count - 1,
            _ => dice.below(count),
        }
    }

    pub(super) fn budget(&self, dice: &mut Dice) -> usize {
        1 + dice.below(self.budget_max)
    }

    pub(super) fn puts_aside(&self, dice: &mut Dice) -> bool {
        dice.once_in(self.aside_once_in)
    }
}

/// All choices so far as one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn add(&mut self, fact: u64) {
        self.0 = mix(self.0.rotate_left(5) ^ fact.wrapping_add(0x9E37_79B9_7F4A_7C15));
    }

    pub(super) fn hash(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_rolls_the_same() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.roll()).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn every_side_comes_up_and_none_beyond() {
        let mut dice = Dice::new(0);
        let mut seen = [0; 6];
        for _ in 0..6_000 {
            seen[dice.below(6)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
        assert!(!dice.once_in(0));
        assert!(dice.once_in(1));
    }

    #[test]
    fn habits_pick_within_bounds() {
        for seed in 0..64 {
            let mut dice = Dice::new(seed);
            let habits = Habits::of(&mut dice);
            for count in 1..20 {
                assert!(habits.pick(&mut dice, count) < count);
            }
            assert!((1..=256).contains(&habits.budget(&mut dice)));
        }
    }

    #[test]
    fn trace_tells_orders_apart() {
        let of = |facts: &[u64]| {
            let mut trace = Trace::default();
            facts.iter().for_each(|&fact| trace.add(fact));
            trace
        };
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[0]), of(&[0, 0]));
    }
}
