//! Rate limits asked by many threads, by the clock of the runtime. What a bucket decides, `rate_limit` tests.

use perennial::service::rate_limit::{Limited, Rate};
use perennial::time::Clock;
use perennial::{RateLimit, Runtime};
use std::sync::Arc;
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn time_is_that_of_the_runtime() {
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().clock(clock).build().unwrap();
    let _entered = runtime.enter();
    let limit = RateLimit::new(Rate::per_second(5).burst(2));
    assert_eq!(limit.check_many("a", 2), Ok(()));
    let retry_after = ms(200);
    assert_eq!(limit.check("a"), Err(Limited { retry_after }));
    assert_eq!(limit.check("b"), Ok(()));
    hand.advance(retry_after);
    assert_eq!(limit.check("a"), Ok(()));
    assert_eq!(limit.check("a"), Err(Limited { retry_after }));
}

#[test]
fn threads_together_get_no_more_than_one_would() {
    let (clock, _hand) = Clock::manual();
    let runtime = Arc::new(Runtime::builder().clock(clock).build().unwrap());
    let limit = Arc::new(RateLimit::new(Rate::per_second(1).burst(100)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (runtime, limit) = (runtime.clone(), limit.clone());
            std::thread::spawn(move || {
                let _entered = runtime.enter();
                (0..1000).filter(|n| limit.check(n % 3).is_ok()).count()
            })
        })
        .collect();
    let passed: usize = threads.into_iter().map(|it| it.join().unwrap()).sum();
    assert_eq!(passed, 300);
}

#[test]
fn keys_stay_within_their_limit() {
    let limit = RateLimit::with_keys_max(Rate::per_second(1), 160);
    for key in 0..10_000 {
        assert!(limit.check(key).is_ok());
    }
    assert!(limit.len() <= 160 && !limit.is_empty(), "{limit:?}");
}

#[test]
fn rate_of_zero_is_no_limit() {
    let limit = RateLimit::new(Rate::per_second(0));
    assert!((0..1000).all(|_| limit.check("a").is_ok()));
    assert!(limit.is_empty());
}
