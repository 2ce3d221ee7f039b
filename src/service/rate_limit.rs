//! How often something may happen, for each of many keys: a token bucket per key, all of them in bounded
//! memory.
//!
//! PURE. Think of a turnstile with a spring: every passage winds it up by one notch, time unwinds it, and it
//! blocks while it is wound up further than `burst` notches. All there is to remember of a key is the moment
//! at which its spring will be at rest; a key whose moment has passed need not be remembered at all.
//! (This is the virtual scheduling form of the generic cell rate algorithm, ITU-T I.371.)
//!
//! ```
//! use perennial::service::rate_limit::{Buckets, Rate};
//! use std::time::{Duration, Instant};
//!
//! let mut sends = Buckets::new(Rate::per_second(5).burst(2));
//! let now = Instant::now();
//! assert_eq!(sends.take("anna", now), Ok(()));
//! assert_eq!(sends.take("anna", now), Ok(()));
//! let refused = sends.take("anna", now).unwrap_err();
//! assert_eq!(refused.retry_after, Duration::from_millis(200));
//! assert_eq!(sends.take("anna", now + refused.retry_after), Ok(()));
//! assert_eq!(sends.take("ben", now), Ok(()));
//! ```
//!
//! This half has no clock and no lock; [`RateLimit`](crate::RateLimit) is the other, to be asked from any thread.
//!
//! # Options
//! [`Rate`] has the number in a time and the burst, [`Buckets::with_keys_max`] how many keys are remembered.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How many tokens a bucket gains in which time, and how many it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one token comes back; zero for no limit.
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// No limit at all.
    pub const OFF: Rate = Rate {
        interval: Duration::ZERO,
        burst: 1,
    };

    /// `tokens` in each second, one at a time (see [`burst`](Rate::burst)); 0 switches the limit off.
    pub fn per_second(tokens: u32) -> Self {
        Rate::per(tokens, Duration::from_secs(1))
    }

    /// `tokens` in each `period`; 0 switches the limit off.
    ///
    /// # Panics
    /// If a token would come back in less than a nanosecond.
    pub fn per(tokens: u32, period: Duration) -> Self {
        if tokens == 0 {
            return Rate::OFF;
        }
        let interval = period / tokens;
        assert!(
            !interval.is_zero(),
            "Rate::per({tokens}, {period:?}): give at least a nanosecond for each token, or 0 tokens for no limit"
        );
        Rate { interval, burst: 1 }
    }

    /// How many may come at once after a quiet time; at least 1.
    #[must_use]
    pub fn burst(self, tokens: u32) -> Self {
        Rate {
            burst: tokens.max(1),
            ..self
        }
    }

    /// Equals `true` if nothing is ever refused.
    pub fn is_off(&self) -> bool {
        self.interval.is_zero()
    }

    /// When a bucket that would have been full at a moment is full after so many tokens were taken.
    fn take(self, full_at: Option<Instant>, tokens: u32, now: Instant) -> Result<Instant, Limited> {
        let full_at = full_at.map_or(now, |at| at.max(now));
        let missing = full_at.duration_since(now);
        let room = self.interval * self.burst.saturating_sub(tokens);
        if missing > room {
            return Err(Limited {
                retry_after: missing - room,
            });
        }
        Ok(full_at + self.interval * tokens)
    }
}

/// No token is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// After this time the same request finds its tokens, if nobody else takes them.
    pub retry_after: Duration,
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "taking a token before {:?} have passed",
            self.retry_after
        )
    }
}

impl Error for Limited {}

/// A bucket on its own, for whoever has one thing to count: it takes two words beside its rate.
///
/// ```
/// use perennial::service::rate_limit::{Bucket, Rate};
/// let mut frames = Bucket::new(Rate::per_second(2));
/// let now = std::time::Instant::now();
/// assert!(frames.take(now).is_ok());
/// assert!(frames.take(now).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    full_at: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate) -> Self {
        Bucket {
            rate,
            full_at: None,
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// [`Limited`] if there is none; nothing is taken then.
    pub fn take(&mut self, now: Instant) -> Result<(), Limited> {
        if !self.rate.is_off() {
            self.full_at = Some(self.rate.take(self.full_at, 1, now)?);
        }
        Ok(())
    }

    /// Equals `true` if nothing is ever refused.
    pub fn is_off(&self) -> bool {
        self.rate.is_off()
    }
}

/// One bucket for each key.
///
/// At most [`keys_max`](Buckets::with_keys_max) keys are remembered. When a new one finds no room, the buckets
/// that are full again are forgotten, which changes nothing; if these are few, those nearest to full, which
/// gives their keys a few tokens. A key that was refused is the last to be forgotten, so nobody gets rid of a
/// refusal by flooding the limiter with other keys unless each of those is at its limit too.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    /// The moment at which a bucket will be full.
    full_at: HashMap<K, Instant>,
}

/// 100,000 keys: about 5 MB for user names, more than the users and addresses of one machine at one time.
const KEYS_MAX: usize = 100_000;

impl<K: Eq + Hash> Buckets<K> {
    /// Full buckets for every key.
    pub fn new(rate: Rate) -> Self {
        Buckets::with_keys_max(rate, KEYS_MAX)
    }

    /// As [`new`](Buckets::new), for at most `keys_max` (at least 1) keys at a time instead of 100,000.
    pub fn with_keys_max(rate: Rate, keys_max: usize) -> Self {
        Buckets {
            rate,
            keys_max: keys_max.max(1),
            full_at: HashMap::new(),
        }
    }

    /// Takes one token of the key's bucket.
    ///
    /// # Errors
    /// [`Limited`] if the bucket is empty; nothing is taken then.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Limited> {
        self.take_many(key, 1, now)
    }

    /// Takes `tokens` at once or none. More than the burst can never be had at once: they are given when the
    /// bucket is full, and the next wait is longer for it.
    ///
    /// # Errors
    /// [`Limited`] if there are fewer in the bucket.
    pub fn take_many(&mut self, key: K, tokens: u32, now: Instant) -> Result<(), Limited> {
        if self.rate.is_off() || tokens == 0 {
            return Ok(());
        }
        let full_at = self.full_at.get(&key).copied();
        let full_at = self.rate.take(full_at, tokens, now)?;
        self.make_room(&key, now);
        self.full_at.insert(key, full_at);
        Ok(())
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// Equals `true` if no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.full_at.is_empty()
    }

    /// Forgets all buckets that are full again.
    pub fn sweep(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
    }

    /// Sweeps at most once for every eighth of `keys_max` insertions, so that an insertion costs O(1) in the mean.
    fn make_room(&mut self, key: &K, now: Instant) {
        if self.full_at.len() < self.keys_max || self.full_at.contains_key(key) {
            return;
        }
        self.sweep(now);
        let keep = self.keys_max - self.keys_max.div_ceil(8);
        if self.full_at.len() > keep {
            self.keep_emptiest(keep);
        }
    }

    fn keep_emptiest(&mut self, keep: usize) {
        let mut forget = self.full_at.len() - keep;
        let mut moments: Vec<Instant> = self.full_at.values().copied().collect();
        let (_, last, _) = moments.select_nth_unstable(forget - 1);
        let last = *last;
        // Several may share the last moment: of those, no more than needed go.
        let before = self.full_at.values().filter(|at| **at < last).count();
        forget -= before;
        self.full_at.retain(|_, full_at| {
            if *full_at == last && forget > 0 {
                forget -= 1;
                return false;
            }
            *full_at >= last
        });
    }
}
