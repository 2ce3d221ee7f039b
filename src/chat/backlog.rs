//! PURE. The posts of one room that are on their way to the disk, and how long those have to wait for whom there is no
//! place.
//!
//! Think of a ferry that takes so many cars and no more (R4). Whoever finds it full is told when to come back, and how
//! long that is follows from two things that the ferryman sees: how long a crossing takes now, and how many he has
//! turned away already. The first boatful of those comes back after one crossing, the second after two. So the answer
//! grows with the load and with a disk that has become slow, and they do not all come back at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What somebody waits at least: less than a commit takes on a disk that is doing well, several of them.
pub(super) const WAIT_MIN: Duration = Duration::from_millis(50);

/// What somebody waits at most, so that a disk that comes back is not left alone for long.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// Posts on their way.
#[derive(Debug)]
pub(super) struct Backlog {
    /// So many at a time; 0 for no limit.
    max: usize,
    /// When each was taken, the first in front. Their answers come in the same order.
    taken_at: VecDeque<Instant>,
    /// How long the one that was answered last had taken.
    last_took: Duration,
    /// Turned away, and not known to have come back.
    refused: usize,
}

impl Backlog {
    pub(super) fn new(max: usize) -> Self {
        Backlog {
            max,
            taken_at: VecDeque::new(),
            last_took: Duration::ZERO,
            refused: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken_at.is_empty()
    }

    /// Takes one, or says after how long to come back.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        if self.max != 0 && self.taken_at.len() >= self.max {
            let wait = self.wait(now);
            self.refused = self.refused.saturating_add(1);
            return Err(wait);
        }
        self.taken_at.push_back(now);
        self.refused = self.refused.saturating_sub(1);
        Ok(())
    }

    /// One was answered.
    pub(super) fn done(&mut self, now: Instant) {
        if let Some(taken_at) = self.taken_at.pop_front() {
            self.last_took = now.saturating_duration_since(taken_at);
        }
        if self.taken_at.is_empty() {
            // There is room for all of them.
            self.refused = 0;
        }
    }

    /// How long a crossing takes, times the crossings that it needs to take those who came before.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let age = |taken_at: &Instant| now.saturating_duration_since(*taken_at);
        let oldest = self.taken_at.front().map_or(Duration::ZERO, age);
        let crossing = oldest.max(self.last_took).max(WAIT_MIN);
        let before = u32::try_from(self.refused / self.max.max(1)).unwrap_or(u32::MAX);
        crossing
            .saturating_mul(before.saturating_add(1))
            .min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn without_a_limit_nobody_is_turned_away() {
        let (mut backlog, now) = (Backlog::new(0), Instant::now());
        for _ in 0..10_000 {
            assert_eq!(backlog.admit(now), Ok(()));
        }
    }

    #[test]
    fn the_wait_grows_with_those_who_wait_and_with_the_time_of_the_oldest() {
        let (mut backlog, began) = (Backlog::new(2), Instant::now());
        let waits = |backlog: &mut Backlog, now| -> Vec<Duration> {
            (0..5).map(|_| backlog.admit(now).unwrap_err()).collect()
        };
        assert_eq!([0, 1].map(|_| backlog.admit(began)), [Ok(()), Ok(())]);
        let first = waits(&mut backlog, began);
        assert_eq!(first, [1, 1, 2, 2, 3].map(|times| WAIT_MIN * times));
        // The disk is slow: what is on its way was given to it some time ago.
        assert_eq!(backlog.admit(began + ms(300)), Err(ms(300) * 3));
        assert_eq!(backlog.admit(began + ms(60_000)), Err(WAIT_MAX));
    }

    #[test]
    fn who_comes_back_waits_no_more_and_an_empty_room_has_turned_nobody_away() {
        let (mut backlog, began) = (Backlog::new(1), Instant::now());
        assert_eq!(backlog.admit(began), Ok(()));
        for times in 1..=3 {
            assert_eq!(backlog.admit(began), Err(WAIT_MIN * times));
        }
        // It took 200 ms, and so will the next.
        backlog.taken_at.push_back(began + ms(100));
        backlog.done(began + ms(200));
        assert_eq!(backlog.admit(began + ms(200)), Err(ms(200) * 4));
        backlog.done(began + ms(300));
        assert!(backlog.is_empty());
        assert_eq!(backlog.admit(began + ms(300)), Ok(()));
        assert_eq!(backlog.admit(began + ms(300)), Err(ms(200)));
    }
}
