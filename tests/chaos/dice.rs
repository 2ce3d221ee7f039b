//! What is left to chance, by a seed.

use std::time::Duration;

/// The generator xorshift64.
pub(crate) struct Dice(u64);

impl Dice {
    /// `stream` tells those apart who roll by the same seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mixed = seed.wrapping_add(stream << 32).wrapping_add(1);
        Dice(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.roll() as usize % sides
    }

    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    pub(crate) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = to.saturating_sub(from).as_micros() as u64;
        from + Duration::from_micros(self.roll() % span.max(1))
    }
}
