//! Everything at once, for a while: processes that come, are registered, join, are looked up and die on several
//! threads, while listeners and monitors follow. In the end nothing may be left. The choices come from a
//! fixed seed; which thread comes first does not.

use crate::registry_partitions::idle;
use crate::stage::{eventually, in_runtime, reason};
use perennial::pg::{Event, Scope};
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::{DuplicateRegistry, ExitReason, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long each plays.
const WHILE: Duration = Duration::from_secs(1);

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) as u32) % n
    }
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Runs `play` again and again on four processes until the time is over, and what watches in a fifth.
fn churn(play: impl Fn(&mut Dice) + Send + Sync + 'static, check: impl Fn() + Send + 'static) {
    let (play, over) = (Arc::new(play), Arc::new(AtomicBool::new(false)));
    let players = (0..4).map(|n| {
        let (play, over) = (play.clone(), over.clone());
        process::spawn::<()>(move |_| {
            let mut dice = Dice(SEED ^ n);
            while !over.load(Ordering::Relaxed) {
                play(&mut dice);
            }
        })
    });
    let mut all: Vec<Ref<()>> = players.collect();
    let own = over.clone();
    all.push(process::spawn::<()>(move |_| {
        while !own.load(Ordering::Relaxed) {
            check();
        }
    }));
    let watches: Vec<_> = all.iter().map(process::watch).collect();
    let end = Instant::now() + WHILE;
    eventually("the time is over", || Instant::now() > end);
    over.store(true, Ordering::Relaxed);
    for watch in watches {
        assert_eq!(reason(watch), ExitReason::Normal);
    }
}

fn kind(dice: &mut Dice) -> Kind {
    if dice.below(8) == 0 {
        Kind::Thread
    } else {
        Kind::Pooled
    }
}

fn signal(dice: &mut Dice) -> ExitReason {
    if dice.below(2) == 0 {
        ExitReason::Kill
    } else {
        ExitReason::Shutdown
    }
}

#[test]
fn registries_survive_the_churn_of_those_who_are_in_them() {
    static KEYS: Registry<u32, u32, u32> = Registry::new("keys").partitions(2);
    static GROUPS: DuplicateRegistry<u32, u32, u32> =
        DuplicateRegistry::new("groups").partitions(2);
    in_runtime(|| {
        let deaf = idle(Kind::Pooled);
        KEYS.add_listener(deaf.recipient(|_| 0)).unwrap();
        GROUPS.add_listener(deaf.recipient(|_| 0)).unwrap();
        churn(
            |dice| {
                let process = idle(kind(dice));
                let own = dice.below(1000);
                for _ in 0..dice.below(6) {
                    // Somebody else may have the key.
                    let _ = KEYS.register_with(dice.below(8), &process, own);
                    GROUPS.register_with(dice.below(4), &process, own).unwrap();
                }
                KEYS.unregister(&dice.below(8), &process);
                GROUPS.unregister_match(&dice.below(4), &process, |value| *value == own);
                KEYS.lock(dice.below(4), || {
                    KEYS.update_value(&dice.below(8), &process, |it| it + 1)
                })
                .unwrap();
                let late = process.clone();
                let watch = process::watch(&process);
                process::exit(&process, signal(dice));
                // In time, or too late.
                let _ = KEYS.register_with(dice.below(8), &late, own);
                let _ = GROUPS.register_with(dice.below(4), &late, own);
                reason(watch);
                assert!(KEYS.keys(&late).is_empty() && GROUPS.keys(&late).is_empty());
                assert_eq!(KEYS.count_select(|_, process, _| *process == late), 0);
                assert_eq!(GROUPS.count_select(|_, process, _| *process == late), 0);
            },
            || {
                for key in 0..8 {
                    let _ = KEYS.lookup(&key);
                    GROUPS.dispatch(&key, |entries| assert!(!entries.is_empty()));
                }
            },
        );
        assert_eq!((KEYS.count(), GROUPS.count()), (0, 0));
        gen_server::stop(&deaf).unwrap();
    });
}

#[test]
fn groups_survive_the_churn_of_their_members_and_monitors() {
    static GROUPS: Scope<u32, u32> = Scope::new("groups");
    in_runtime(|| {
        churn(
            |dice| {
                let process = idle(kind(dice));
                let member = || process.recipient(|n| n);
                let watcher = process::spawn::<Event<u32, u32>>(|_| process::sleep(Duration::MAX));
                let to = || watcher.recipient(|event| event);
                let (monitor, _) = GROUPS.monitor(dice.below(4), to()).unwrap();
                if dice.below(2) == 0 {
                    assert!(GROUPS.demonitor(monitor));
                }
                GROUPS.monitor_scope(to()).unwrap();
                for _ in 0..dice.below(6) {
                    assert_eq!(GROUPS.join_all(dice.below(4), [member(), member()]), 2);
                }
                let _ = GROUPS.leave(&dice.below(4), &process);
                for process in [process.pid(), watcher.pid()] {
                    let watch = process::watch(process);
                    process::exit(process, signal(dice));
                    let _ = GROUPS.join(dice.below(4), member());
                    reason(watch);
                }
                let there = |group| {
                    GROUPS
                        .get_members(&group)
                        .iter()
                        .any(|it| it.pid() == process.pid())
                };
                assert!(!(0..4).any(there));
                // One that is taken back late is gone.
                assert!(!GROUPS.demonitor(monitor));
            },
            || {
                for group in GROUPS.which_groups() {
                    GROUPS
                        .get_members(&group)
                        .iter()
                        .for_each(|member| member.cast(1));
                }
            },
        );
        assert_eq!((GROUPS.count(), GROUPS.monitors()), (0, 0));
        assert!(GROUPS.which_groups().is_empty());
    });
}
