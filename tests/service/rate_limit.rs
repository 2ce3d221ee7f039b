//! Token buckets: who gets a token when, and what is forgotten.

use perennial::service::rate_limit::{Bucket, Buckets, Limited, Rate};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limited(after: Duration) -> Result<(), Limited> {
    Err(Limited { retry_after: after })
}

#[test]
fn burst_passes_at_once_and_then_one_by_one() {
    let start = Instant::now();
    // (when, expected) for 5 per second with a burst of 3.
    let table = [
        (0, Ok(())),
        (0, Ok(())),
        (0, Ok(())),
        (0, limited(ms(200))),
        (50, limited(ms(150))),
        (199, limited(ms(1))),
        (200, Ok(())),
        (200, limited(ms(200))),
        (399, limited(ms(1))),
        (800, Ok(())),
        (800, Ok(())),
        (800, Ok(())),
        (800, limited(ms(200))),
        (60_000, Ok(())),
        (60_000, Ok(())),
        (60_000, Ok(())),
        (60_000, limited(ms(200))),
    ];
    let mut buckets = Buckets::new(Rate::per_second(5).burst(3));
    for (row, (at, expected)) in table.into_iter().enumerate() {
        assert_eq!(buckets.take("k", start + ms(at)), expected, "row {row}");
    }
}

#[test]
fn keys_do_not_share_tokens() {
    let now = Instant::now();
    let mut buckets = Buckets::new(Rate::per_second(1));
    assert_eq!(buckets.take(1, now), Ok(()));
    assert_eq!(buckets.take(2, now), Ok(()));
    assert_eq!(buckets.take(1, now), limited(ms(1000)));
}

#[test]
fn refusal_takes_nothing() {
    let now = Instant::now();
    let mut buckets = Buckets::new(Rate::per_second(10));
    assert_eq!(buckets.take("k", now), Ok(()));
    for _ in 0..1000 {
        assert_eq!(buckets.take("k", now), limited(ms(100)));
    }
    assert_eq!(buckets.take("k", now + ms(100)), Ok(()));
}

#[test]
fn several_tokens_come_together_or_not_at_all() {
    let start = Instant::now();
    let mut buckets = Buckets::new(Rate::per_second(10).burst(5));
    assert_eq!(buckets.take_many("k", 3, start), Ok(()));
    assert_eq!(buckets.take_many("k", 3, start), limited(ms(100)));
    assert_eq!(buckets.take_many("k", 2, start), Ok(()));
    // Eight are more than a bucket holds: a full one gives them, and owes three.
    assert_eq!(buckets.take_many("k", 8, start), limited(ms(500)));
    assert_eq!(buckets.take_many("k", 8, start + ms(500)), Ok(()));
    assert_eq!(buckets.take("k", start + ms(500)), limited(ms(400)));
    assert_eq!(buckets.take_many("k", 0, start + ms(500)), Ok(()));
}

#[test]
fn rate_of_zero_is_no_limit_and_remembers_nobody() {
    let now = Instant::now();
    let mut buckets = Buckets::new(Rate::per_second(0).burst(1));
    for key in 0..1000 {
        assert_eq!(buckets.take(key % 2, now), Ok(()));
    }
    assert!(buckets.is_empty());
    assert!(Rate::OFF.is_off());
}

#[test]
fn slow_rates_are_exact() {
    let start = Instant::now();
    let mut typing = Buckets::new(Rate::per(1, Duration::from_secs(3)));
    assert_eq!(typing.take("k", start), Ok(()));
    assert_eq!(typing.take("k", start + ms(2999)), limited(ms(1)));
    assert_eq!(typing.take("k", start + ms(3000)), Ok(()));
}

#[test]
fn clock_that_stands_still_or_goes_back_gives_nothing_away() {
    let start = Instant::now() + ms(1000);
    let mut buckets = Buckets::new(Rate::per_second(10));
    assert_eq!(buckets.take("k", start), Ok(()));
    assert_eq!(buckets.take("k", start - ms(500)), limited(ms(600)));
}

#[test]
fn sweep_forgets_exactly_the_full_buckets() {
    let start = Instant::now();
    let mut buckets = Buckets::new(Rate::per_second(10).burst(10));
    for key in 0..10 {
        buckets.take_many(key, key + 1, start).unwrap();
    }
    buckets.sweep(start + ms(500));
    assert_eq!(buckets.len(), 5);
}

#[test]
fn number_of_keys_stays_within_its_limit() {
    let now = Instant::now();
    for keys_max in [1, 2, 7, 8, 100] {
        let mut buckets = Buckets::with_keys_max(Rate::per_second(1), keys_max);
        for key in 0..1000 {
            assert_eq!(buckets.take(key, now), Ok(()));
            assert!(buckets.len() <= keys_max, "{keys_max}");
        }
    }
}

#[test]
fn flood_of_other_keys_does_not_free_a_refused_one() {
    let start = Instant::now();
    let mut buckets = Buckets::with_keys_max(Rate::per_second(1).burst(5), 100);
    for _ in 0..5 {
        buckets.take(0, start).unwrap();
    }
    for key in 1..10_000 {
        buckets.take(key, start).unwrap();
        assert!(buckets.take(0, start).is_err(), "after {key} other keys");
    }
}

#[test]
#[should_panic(expected = "at least a nanosecond")]
fn rate_too_fast_to_measure_is_refused() {
    Rate::per(10, Duration::from_nanos(5));
}

#[test]
fn a_bucket_on_its_own_is_one_of_many() {
    for rate in [Rate::per_second(5).burst(3), Rate::OFF] {
        let (mut one, mut many) = (Bucket::new(rate), Buckets::new(rate));
        assert_eq!(one.is_off(), rate.is_off());
        let mut now = Instant::now();
        for step in 0..50 {
            now += ms(step % 7 * 40);
            assert_eq!(one.take(now), many.take("one", now), "{rate:?} {step}");
        }
    }
}

proptest! {
    /// No window of any length sees more than `burst` + what came back within it, and whoever waits as told
    /// is served.
    #[test]
    fn no_window_exceeds_the_rate(
        tokens in 1_u32..20,
        burst in 1_u32..10,
        steps in prop::collection::vec((0_u64..400, 0_u8..3), 1..120),
    ) {
        let rate = Rate::per_second(tokens).burst(burst);
        let interval = Duration::from_secs(1) / tokens;
        let mut buckets = Buckets::new(rate);
        let mut now = Instant::now();
        let mut passed: HashMap<u8, Vec<Instant>> = HashMap::new();
        for (wait, key) in steps {
            now += ms(wait);
            match buckets.take(key, now) {
                Ok(()) => passed.entry(key).or_default().push(now),
                Err(refused) => {
                    prop_assert!(refused.retry_after > Duration::ZERO);
                    prop_assert!(refused.retry_after <= interval);
                    let just_before = now + refused.retry_after - Duration::from_nanos(1);
                    prop_assert!(buckets.take(key, just_before).is_err());
                    now += refused.retry_after;
                    prop_assert_eq!(buckets.take(key, now), Ok(()));
                    passed.entry(key).or_default().push(now);
                }
            }
        }
        for times in passed.values() {
            for (from, first) in times.iter().enumerate() {
                for (to, last) in times.iter().enumerate().skip(from) {
                    let count = (to - from + 1) as u128;
                    let back = (*last - *first).as_nanos() / interval.as_nanos();
                    prop_assert!(count <= u128::from(burst) + back);
                }
            }
        }
    }
}
