//! How long a batch waits for company. PURE.
//!
//! Intuition: a ferry. Each crossing costs the same, with one car or with a hundred. When the last ferry let
//! twenty cars off a moment ago, most of them will be back at the pier in a moment: the next one had better
//! wait for them than leave with the first. When the last crossing was long ago, or carried a single car, the
//! next car leaves at once.

use std::time::{Duration, Instant};

/// Commits come fast if one begins to gather within this time of the end of the last. 1 ms: clients that were
/// answered need a few hundred microseconds to read the answer and write again.
const FAST: Duration = Duration::from_millis(1);

/// Remembers what the last commits carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    wait_max: Duration,
    batch_max: usize,
    last_end: Option<Instant>,
    /// The sizes of the last two batches. Two, because a batch that left too early is followed by a large
    /// one, and the other way round.
    sizes: [usize; 2],
}

impl Pace {
    pub(super) fn new(wait_max: Duration, batch_max: usize) -> Self {
        Pace {
            wait_max,
            batch_max,
            last_end: None,
            sizes: [0; 2],
        }
    }

    /// A batch of `size` items was committed.
    pub(super) fn committed(&mut self, size: usize, now: Instant) {
        self.sizes = [self.sizes[1], size];
        self.last_end = Some(now);
    }

    /// How much longer a batch should wait that began to gather at `began` and has `gathered` items now;
    /// `None` if it should be committed.
    pub(super) fn patience(
        &self,
        gathered: usize,
        began: Instant,
        now: Instant,
    ) -> Option<Duration> {
        let expected = self.sizes[0].max(self.sizes[1]).min(self.batch_max);
        if gathered >= expected {
            return None;
        }
        let last_end = self.last_end?;
        if began.saturating_duration_since(last_end) > FAST {
            return None;
        }
        let left = self
            .wait_max
            .checked_sub(now.saturating_duration_since(began))?;
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn us(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    #[test]
    fn patience_by_table() {
        let end = Instant::now();
        let table = [
            // sizes of the last two, gathered, began after the end, waited already: patience
            ([0, 0], 1, us(0), us(0), None),
            ([1, 1], 1, us(50), us(0), None),
            ([1, 20], 1, us(50), us(0), Some(us(300))),
            ([20, 1], 1, us(50), us(0), Some(us(300))),
            ([20, 1], 1, us(50), us(100), Some(us(200))),
            ([20, 1], 1, us(50), us(300), None),
            ([20, 1], 1, us(50), us(900), None),
            ([20, 1], 20, us(50), us(0), None),
            ([20, 20], 19, us(1_000), us(0), Some(us(300))),
            ([20, 20], 19, us(1_001), us(0), None),
            ([256, 256], 256, us(50), us(0), None),
        ];
        for (sizes, gathered, after, waited, expected) in table {
            let mut pace = Pace::new(us(300), 256);
            pace.committed(sizes[0], end);
            pace.committed(sizes[1], end);
            let began = end + after;
            let patience = pace.patience(gathered, began, began + waited);
            assert_eq!(
                patience, expected,
                "{sizes:?} {gathered} {after:?} {waited:?}"
            );
        }
    }

    #[test]
    fn the_first_batch_of_all_never_waits() {
        let now = Instant::now();
        assert_eq!(Pace::new(us(300), 256).patience(1, now, now), None);
    }

    /// Commits needed for `rounds` answers to each of `clients`, who write again `think` after an answer.
    fn commits(
        clients: usize,
        think: Duration,
        wait_max: Duration,
        rounds: usize,
    ) -> (usize, Duration) {
        let begin = Instant::now();
        let mut now = begin;
        let mut pace = Pace::new(wait_max, 256);
        // When each client's next write arrives: not all at the same moment.
        let mut next: Vec<Instant> = (0..clients)
            .map(|n| now + think + us(n as u64 * 3))
            .collect();
        let (mut done, mut commits) = (0, 0);
        while done < clients * rounds {
            let began = now.max(*next.iter().min().expect("there are clients"));
            now = began;
            let gathered = loop {
                let gathered = next.iter().filter(|at| **at <= now).count();
                let Some(patience) = pace.patience(gathered, began, now) else {
                    break gathered;
                };
                let arrival = next.iter().filter(|at| **at > now).min();
                now = arrival.map_or(now + patience, |at| (now + patience).min(*at));
            };
            let start = now;
            now += us(120) + us(4) * u32::try_from(gathered).expect("few clients");
            for (n, at) in next.iter_mut().filter(|at| **at <= start).enumerate() {
                *at = now + think + us(n as u64 * 3);
            }
            pace.committed(gathered, now);
            done += gathered;
            commits += 1;
        }
        (commits, now - begin)
    }

    #[test]
    fn waiting_for_clients_who_come_back_saves_a_third_of_the_commits_for_a_tenth_of_the_time() {
        let (eager, eager_took) = commits(32, us(60), us(0), 200);
        let (patient, patient_took) = commits(32, us(60), us(300), 200);
        assert!(patient * 3 < eager * 2, "{patient} commits against {eager}");
        // The other third of the clients think while a commit runs; waiting gives that up.
        let allowed = eager_took + eager_took / 10;
        assert!(
            patient_took <= allowed,
            "{patient_took:?} against {eager_took:?}"
        );
    }

    #[test]
    fn a_lone_client_is_never_kept_waiting() {
        assert_eq!(
            commits(1, us(60), us(300), 100),
            commits(1, us(60), us(0), 100)
        );
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_allowed(
            sizes in proptest::array::uniform2(0usize..500),
            gathered in 1usize..500,
            after in 0u64..3_000,
            waited in 0u64..600,
        ) {
            let end = Instant::now();
            let mut pace = Pace::new(us(300), 256);
            pace.committed(sizes[0], end);
            pace.committed(sizes[1], end);
            let began = end + us(after);
            if let Some(patience) = pace.patience(gathered, began, began + us(waited)) {
                prop_assert!(!patience.is_zero());
                prop_assert!(us(waited) + patience <= us(300));
                prop_assert!(gathered < 256);
            }
        }
    }
}
