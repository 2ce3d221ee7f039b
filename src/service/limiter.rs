//! Rate limits that many threads ask at once: the buckets of [`rate_limit`](crate::service::rate_limit), sharded,
//! with a clock.
//!
//! A limit is no process and waits for nobody: it says yes, or how long to wait. It cannot die, and it forgets: a
//! program that is started again begins with full buckets.

use crate::process::runtime;
use crate::service::rate_limit::{Buckets, Limited, Rate};
use crate::sync::Mutex;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

/// How many shards there are: keys of different users rarely wait for one another.
const SHARDS: usize = 16;

/// 100,000 keys: more than the users and addresses of one machine at one time, in a few megabytes.
const KEYS_MAX: usize = 100_000;

/// A token bucket for each key, to be asked from any thread, by the clock of the current runtime.
///
/// ```
/// use perennial::{RateLimit, service::rate_limit::Rate};
/// let posts = RateLimit::new(Rate::per_second(5).burst(2));
/// assert!(posts.check("anna").is_ok());
/// assert!(posts.check("anna").is_ok());
/// let refused = posts.check("anna").unwrap_err();
/// assert!(refused.retry_after <= std::time::Duration::from_millis(200));
/// assert!(posts.check("ben").is_ok());
/// ```
pub struct RateLimit<K> {
    rate: Rate,
    hasher: RandomState,
    /// Leaf locks.
    shards: Vec<Mutex<Buckets<K>>>,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// Full buckets for every key; 100,000 keys are remembered at most.
    pub fn new(rate: Rate) -> Self {
        Self::with_keys_max(rate, KEYS_MAX)
    }

    /// [`new`](RateLimit::new) for about so many keys at most: each of the 16 shards has its part of them. What
    /// happens when there are more, [`Buckets`] says.
    pub fn with_keys_max(rate: Rate, keys_max: usize) -> Self {
        let each = keys_max.div_ceil(SHARDS);
        let shards = (0..SHARDS).map(|_| Mutex::new(Buckets::with_keys_max(rate, each)));
        RateLimit {
            rate,
            hasher: RandomState::new(),
            shards: shards.collect(),
        }
    }

    /// Takes a token of the key's bucket.
    ///
    /// # Errors
    /// [`Limited`] says after which time there will be one.
    pub fn check(&self, key: K) -> Result<(), Limited> {
        self.check_many(key, 1)
    }

    /// Takes several tokens of the key's bucket, or none.
    ///
    /// # Errors
    /// As [`check`](RateLimit::check).
    pub fn check_many(&self, key: K, tokens: u32) -> Result<(), Limited> {
        if self.rate.is_off() {
            return Ok(());
        }
        let now = runtime::current().clock.now();
        let shard = self.hasher.hash_one(&key) as usize % SHARDS;
        self.shards[shard].lock().take_many(key, tokens, now)
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Equals `true` if no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Eq + Hash> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimit({:?}, {} keys)", self.rate, self.len())
    }
}
