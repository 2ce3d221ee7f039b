//! PURE. Who is told when, while a reactor shuts down.
//!
//! Like a theatre that closes: the doors open row by row, and each guest is told when to be back, or all of them would
//! stand at the entrance at once. WebSockets are closed in rounds over the first half of the time there is, and each is
//! advised to wait a little longer than the one before.

use super::table::ConnectionId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Rounds at most: enough to spread ten thousand clients, too few to notice for a hundred.
const ROUNDS_MAX: usize = 8;

/// Sockets in a round at least: what a server lets in at once without anybody noticing.
const ROUND_MIN: usize = 500;

/// How much later each client is advised to come than the one before: a thousand in a second.
const ADVICE_STEP: Duration = Duration::from_millis(1);

/// How long a client is advised to wait at most.
const ADVICE_MAX: Duration = Duration::from_secs(10);

/// The WebSockets that are still to be told.
#[derive(Debug)]
pub(super) struct Drain {
    /// When everything that is left is cut off.
    pub(super) until: Instant,
    waiting: VecDeque<ConnectionId>,
    per_round: usize,
    interval: Duration,
    next_at: Instant,
    told: u32,
}

impl Drain {
    pub(super) fn new(sockets: VecDeque<ConnectionId>, until: Instant, now: Instant) -> Self {
        let per_round = sockets.len().div_ceil(ROUNDS_MAX).max(ROUND_MIN);
        let interval = until.saturating_duration_since(now) / 2 / ROUNDS_MAX as u32;
        Drain {
            until,
            waiting: sockets,
            per_round,
            interval,
            next_at: now,
            told: 0,
        }
    }

    /// Who is to be told now.
    pub(super) fn round(&mut self, now: Instant) -> Vec<ConnectionId> {
        if now < self.next_at || self.waiting.is_empty() {
            return Vec::new();
        }
        self.next_at = now + self.interval;
        let count = self.per_round.min(self.waiting.len());
        self.waiting.drain(..count).collect()
    }

    /// When the next round is; `None` after the last.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// How many are still to be told.
    pub(super) fn left(&self) -> usize {
        self.waiting.len()
    }

    /// How long the next client is to wait before it comes back.
    pub(super) fn advice(&mut self) -> Duration {
        let advice = ADVICE_STEP * self.told;
        self.told = if advice < ADVICE_MAX {
            self.told + 1
        } else {
            0
        };
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u32) -> VecDeque<ConnectionId> {
        let id = |index| ConnectionId {
            index,
            generation: 0,
        };
        (0..count).map(id).collect()
    }

    #[test]
    fn a_few_are_told_at_once_and_many_in_rounds() {
        let start = Instant::now();
        let until = start + Duration::from_secs(16);
        let mut few = Drain::new(ids(500), until, start);
        assert_eq!(
            (few.round(start).len(), few.left(), few.next_at()),
            (500, 0, None)
        );
        let mut many = Drain::new(ids(10_001), until, start);
        let mut seen = Vec::new();
        for round in 0..8 {
            let at = start + Duration::from_secs(round);
            let told = many.round(at);
            assert!(many.round(at).is_empty(), "once a second");
            assert_eq!(told.len(), if round == 7 { 1_244 } else { 1_251 });
            seen.extend(told);
        }
        assert_eq!((seen, many.next_at()), (ids(10_001).into(), None));
    }

    #[test]
    fn advice_spreads_a_thousand_a_second_and_never_more_than_ten_seconds() {
        let start = Instant::now();
        let mut drain = Drain::new(ids(1), start, start);
        let advice: Vec<u128> = (0..20_003).map(|_| drain.advice().as_millis()).collect();
        assert_eq!(advice[..3], [0, 1, 2]);
        assert_eq!(advice.iter().max(), Some(&10_000));
        assert_eq!(advice[10_001..10_003], [0, 1]);
    }
}
