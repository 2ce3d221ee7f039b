//! Timers that fire while they are cancelled: each does one of the two.

use crate::storm::{Dice, crowd, rounds, storm};
use crate::support::puppet::{BREEDS, Msg, Record};
use crate::support::stage::builder;
use perennial::process;
use std::collections::HashSet;
use std::time::Duration;

#[test]
fn timer_fires_or_is_cancelled() {
    storm(builder(), |runtime| {
        for breed in BREEDS {
            crowd(runtime, 3, |member| {
                let mut dice = Dice::new(member as u64 + 20);
                for _ in 0..rounds(4) {
                    let puppet = breed.puppet();
                    let mut expected: HashSet<u64> = HashSet::new();
                    let timers: Vec<_> = (0..300)
                        .map(|n| {
                            let delay = Duration::from_micros(dice.roll(1_500) as u64);
                            (n, process::send_after(delay, puppet.me(), Msg::Tell(n)))
                        })
                        .collect();
                    for (n, timer) in timers {
                        let cancels = dice.roll(2) == 0;
                        let left = cancels.then(|| process::cancel_timer(timer)).flatten();
                        if left.is_none() {
                            expected.insert(n);
                        } else {
                            assert_eq!(process::cancel_timer(timer), None);
                        }
                    }
                    for _ in 0..expected.len() {
                        match puppet.next() {
                            Record::Told(n) => assert!(expected.remove(&n), "{n} was cancelled"),
                            other => panic!("{other:?}"),
                        }
                    }
                    puppet.nothing_more();
                }
            });
        }
    });
}

/// Intervals whose targets end under them, and timers that end targets.
#[test]
fn timers_of_the_dead_end_with_them() {
    storm(builder(), |runtime| {
        for breed in BREEDS {
            crowd(runtime, 3, |member| {
                let mut dice = Dice::new(member as u64 + 30);
                for _ in 0..rounds(30) {
                    let puppet = breed.puppet();
                    let to = puppet.me();
                    process::send_interval(Duration::from_millis(1), to, || Msg::Tell(1));
                    let delay = Duration::from_micros(dice.roll(3_000) as u64);
                    process::kill_after(delay, puppet.pid());
                    puppet.gone();
                }
            });
        }
    });
}
