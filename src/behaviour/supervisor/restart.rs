//! PURE: what a supervisor decides when a child ends.
//!
//! Think of a fuse box. One fuse (intensity) guards the whole board: a few trips in a while are life, more are a
//! fault that switching on again will not mend, and the board goes dark so that somebody above looks. Which
//! lamps go out together when one bulb fails is the wiring, and the wiring is the strategy.

use crate::reason::ExitReason;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What else is restarted when a child is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Nothing.
    #[default]
    OneForOne,
    /// All children.
    OneForAll,
    /// The children that were started after it.
    RestForOne,
}

/// When a child that ended is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Unless it ended with a clean reason.
    Transient,
    /// Never; its specification goes with it.
    Temporary,
}

impl Restart {
    /// Whether a child that ended of itself for this reason is restarted.
    pub(crate) fn is_due(self, reason: &ExitReason) -> bool {
        match self {
            Restart::Permanent => true,
            Restart::Transient => !reason.is_clean(),
            Restart::Temporary => false,
        }
    }
}

/// Whether a supervisor ends when its significant children have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoShutdown {
    /// No.
    #[default]
    Never,
    /// When the first significant child ends by itself and is not restarted.
    AnySignificant,
    /// When the last significant child has.
    AllSignificant,
}

/// How a child is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// It is killed.
    BrutalKill,
    /// It is sent `Shutdown`, and killed if it has not ended after so long.
    Timeout(Duration),
    /// It is sent `Shutdown` and waited for.
    Infinity,
}

/// How many restarts are too many.
#[derive(Clone, Debug)]
pub(crate) struct Intensity {
    max: usize,
    period: Duration,
    stamps: VecDeque<Instant>,
}

impl Intensity {
    pub(crate) fn new(max: usize, period: Duration) -> Self {
        Intensity {
            max,
            period,
            stamps: VecDeque::new(),
        }
    }

    /// Counts a restart; `false` if it is one too many. A restart exactly one period ago still counts.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        while self
            .stamps
            .front()
            .is_some_and(|stamp| now.duration_since(*stamp) > self.period)
        {
            self.stamps.pop_front();
        }
        if self.stamps.len() >= self.max {
            return false;
        }
        // What is never too many needs no memory.
        if self.max < usize::MAX {
            self.stamps.push_back(now);
        }
        true
    }
}

/// Which children to stop and which to start, by their places in start order, each list in the order to follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) stop: Vec<usize>,
    pub(crate) start: Vec<usize>,
}

/// What a restart of the child at `failed` means for all `count` children.
pub(crate) fn plan(strategy: Strategy, count: usize, failed: usize) -> Plan {
    let from = match strategy {
        Strategy::OneForOne => {
            return Plan {
                stop: Vec::new(),
                start: vec![failed],
            };
        }
        Strategy::OneForAll => 0,
        Strategy::RestForOne => failed,
    };
    Plan {
        stop: (from..count).rev().filter(|at| *at != failed).collect(),
        start: (from..count).collect(),
    }
}

/// How long to wait before a restart: doubled with each in a row, between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Backoff {
            min,
            max: max.max(min),
        }
    }

    /// The wait before the restart number `attempt` in a row (from 0). `jitter`, of which any value will do,
    /// takes up to a quarter off, so that children that fell together do not rise together.
    pub(crate) fn delay(self, attempt: u32, jitter: u32) -> Duration {
        let doubled = self
            .min
            .saturating_mul(2_u32.saturating_pow(attempt))
            .min(self.max);
        doubled - doubled / 4_096 * (jitter % 1_024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_too_many_within_the_period_is_refused() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut once = Intensity::new(1, Duration::from_secs(1));
        assert!(once.allows(at(0)));
        assert!(
            !once.allows(at(1_000)),
            "exactly one period apart counts together"
        );
        let mut once = Intensity::new(1, Duration::from_secs(1));
        assert!(once.allows(at(0)));
        assert!(once.allows(at(2_050)));
        assert!(!Intensity::new(0, Duration::from_secs(5)).allows(at(0)));
    }

    #[test]
    fn each_strategy_has_its_plan() {
        let plan_of = |strategy| plan(strategy, 4, 1);
        assert_eq!(
            plan_of(Strategy::OneForOne),
            Plan {
                stop: vec![],
                start: vec![1]
            }
        );
        assert_eq!(
            plan_of(Strategy::OneForAll),
            Plan {
                stop: vec![3, 2, 0],
                start: vec![0, 1, 2, 3]
            }
        );
        assert_eq!(
            plan_of(Strategy::RestForOne),
            Plan {
                stop: vec![3, 2],
                start: vec![1, 2, 3]
            }
        );
    }

    #[test]
    fn restart_types_follow_the_reason() {
        let crash = ExitReason::other("x");
        for (restart, normal, shutdown, abnormal) in [
            (Restart::Permanent, true, true, true),
            (Restart::Transient, false, false, true),
            (Restart::Temporary, false, false, false),
        ] {
            assert_eq!(restart.is_due(&ExitReason::Normal), normal);
            assert_eq!(restart.is_due(&ExitReason::shutdown_with(1)), shutdown);
            assert_eq!(restart.is_due(&crash), abnormal);
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_bound() {
        let backoff = Backoff {
            min: Duration::from_millis(100),
            max: Duration::from_secs(1),
        };
        assert_eq!(backoff.delay(0, 0), Duration::from_millis(100));
        assert_eq!(backoff.delay(2, 0), Duration::from_millis(400));
        assert_eq!(backoff.delay(40, 0), Duration::from_secs(1));
        let jittered = backoff.delay(40, 1_023);
        assert!(jittered >= Duration::from_millis(750) && jittered < Duration::from_secs(1));
    }
}
