//! Deterministic runtimes: one thread at a time, by a seed, in virtual time.

use crate::support::LONG;
use crate::support::puppet::{BREEDS, Breed, Msg};
use crate::support::scripted::{KINDS, Script, run, stop};
use crate::support::seeds::on_seed;
use perennial::prelude::*;
use perennial::process::{self, CallError, Counts, DeadlockPolicy, Kind, Received};
use perennial::scheduler::Stalled;
use perennial::time::Clock;
use perennial::{ExitReason, Runtime};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Three of each breed write their number down, twice each with a send in between.
fn scribble() -> Vec<u64> {
    let (sender, written) = mpsc::channel();
    let puppets: Vec<_> = BREEDS
        .into_iter()
        .flat_map(|breed| [breed; 3])
        .map(Breed::puppet)
        .collect();
    for (n, puppet) in (0..).zip(&puppets) {
        let (sender, other) = (sender.clone(), puppets[0].me().clone());
        puppet.order(move |_| {
            sender.send(n).unwrap();
            other.cast(Msg::Tell(n));
            sender.send(n).unwrap();
        });
    }
    process::sleep(SECOND);
    for puppet in puppets {
        puppet.end_and_wait(ExitReason::Normal);
    }
    written.try_iter().collect()
}

#[test]
fn same_seed_gives_the_same_run() {
    for seed in 0..50 {
        let play = || {
            let mut order = Vec::new();
            let trace = on_seed(seed, |_, _| order = scribble());
            (order, trace)
        };
        let first = play();
        assert_eq!(first.0.len(), 18);
        assert_eq!(play(), first, "seed {seed}");
    }
}

#[test]
fn seeds_differ_in_their_order() {
    let (mut orders, mut traces) = (HashSet::new(), HashSet::new());
    for seed in 0..50 {
        traces.insert(on_seed(seed, |_, _| {
            orders.insert(scribble());
        }));
    }
    assert!(orders.len() > 40, "{} orders", orders.len());
    assert!(traces.len() > 40, "{} traces", traces.len());
    // Some seed puts a process aside between the two lines that it writes, some lets it write both.
    let torn = |order: &Vec<u64>| order.chunks(2).any(|pair| pair[0] != pair[1]);
    assert!(orders.iter().any(torn));
    assert!(!orders.iter().all(torn));
}

#[test]
fn nothing_moves_while_nobody_waits() {
    on_seed(7, |_, hand| {
        let puppet = Breed::Thread.puppet();
        let steps = hand.steps();
        puppet.me().cast(Msg::Tell(1));
        assert_eq!((hand.steps(), hand.now()), (steps, Duration::ZERO));
        assert!(hand.step());
        hand.run_until_idle();
        assert!(!hand.step());
        assert_eq!(hand.now(), Duration::ZERO);
        puppet.end_and_wait(ExitReason::Normal);
    });
}

#[test]
fn timeouts_take_no_time() {
    for breed in BREEDS {
        on_seed(1, |_, hand| {
            let began = Instant::now();
            let puppet = breed.puppet();
            assert_eq!(puppet.me().call(Msg::Hold), Err(CallError::Timeout));
            assert_eq!(hand.now(), 5 * SECOND);
            process::sleep(100_000 * SECOND);
            assert_eq!(hand.now(), 100_005 * SECOND);
            assert!(began.elapsed() < LONG);
            puppet.end_and_wait(ExitReason::Normal);
        });
    }
}

#[test]
fn advance_stops_at_each_timer() {
    on_seed(3, |runtime, hand| {
        let seen: Arc<Mutex<Vec<(u64, Duration)>>> = Arc::default();
        let puppet = Breed::Pooled.puppet();
        for n in [3, 1, 2] {
            let (seen, hand) = (seen.clone(), hand.clone());
            let note = Msg::Do(Box::new(move |_| {
                seen.lock().unwrap().push((n, hand.now()))
            }));
            process::send_after(n as u32 * SECOND, puppet.me().clone(), note);
        }
        hand.advance(SECOND / 2);
        assert_eq!(*seen.lock().unwrap(), []);
        hand.advance(2 * SECOND);
        assert_eq!(*seen.lock().unwrap(), [(1, SECOND), (2, 2 * SECOND)]);
        assert_eq!((hand.now(), runtime.counts().timers), (5 * SECOND / 2, 1));
        hand.advance(SECOND / 2);
        assert_eq!(seen.lock().unwrap().len(), 3);
        puppet.end_and_wait(ExitReason::Normal);
    });
}

#[test]
fn clock_and_time_of_day_are_virtual() {
    let (clock, _) = Clock::manual();
    let runtime = Runtime::builder()
        .clock(clock)
        .deterministic(0)
        .build()
        .unwrap();
    let begin = runtime.clock().unix_ms();
    runtime.deterministic().unwrap().advance(SECOND);
    assert_eq!(runtime.clock().unix_ms(), begin + 1_000);
    let other = Runtime::builder().deterministic(1).build().unwrap();
    assert_eq!(other.clock().unix_ms(), begin);
    assert!(Runtime::new().unwrap().deterministic().is_none());
}

#[test]
fn run_until_says_that_it_will_not_come() {
    on_seed(5, |_, hand| {
        assert_eq!(hand.run_until(|| false), Err(Stalled::NothingLeft));
        let puppet = Breed::Pooled.puppet();
        process::send_after(SECOND, puppet.me().clone(), Msg::Tell(1));
        assert_eq!(hand.run_until(|| false), Err(Stalled::NothingLeft));
        assert_eq!(hand.now(), SECOND);
        puppet.end_and_wait(ExitReason::Normal);
    });
}

#[test]
fn wait_for_what_cannot_come_is_reported() {
    for breed in BREEDS {
        on_seed(11, |_, _| {
            let puppet = breed.puppet();
            let mut watch = process::watch(puppet.pid());
            let waited = catch_unwind(AssertUnwindSafe(|| watch.wait(Duration::MAX)));
            let panic = waited.expect_err("it waits for ever");
            let text = panic.downcast_ref::<String>().unwrap();
            assert!(text.contains("deadlock"), "{text}");
            assert_eq!(watch.wait(SECOND), None);
            puppet.end_and_wait(ExitReason::Normal);
        });
    }
}

#[test]
fn receive_that_cannot_end_is_a_crash_of_its_process() {
    on_seed(2, |_, _| {
        let died = process::run::<(), _>(|cx| drop(cx.receive()));
        assert!(died.unwrap_err().to_string().contains("deadlock"));
        let value = process::run::<(), _>(|cx| {
            let me = cx.me().clone();
            process::spawn::<()>(move |_| me.cast(()));
            matches!(cx.receive(), Received::Message(()))
        });
        assert_eq!(value, Ok(true));
    });
}

/// Two that call each other: the second looks after ten milliseconds of virtual time, and again.
#[test]
fn deadlock_of_calls_is_found_in_virtual_time() {
    for kind in KINDS {
        for policy in [DeadlockPolicy::Error, DeadlockPolicy::Off] {
            let runtime = Runtime::builder()
                .deterministic(4)
                .deadlock(policy)
                .build()
                .unwrap();
            let _entered = runtime.enter();
            let puppets = [
                Script::new().0.on(kind).start().unwrap(),
                Script::new().0.on(kind).start().unwrap(),
            ];
            let (sender, answers) = mpsc::channel();
            for (me, other) in [(0, 1), (1, 0)] {
                let (sender, other) = (sender.clone(), puppets[other].clone());
                puppets[me].cast(run(move |_, _| {
                    let answer = other.call(crate::support::scripted::echo(1));
                    sender.send(answer).unwrap();
                    Next::Loop
                }));
            }
            let hand = runtime.deterministic().unwrap();
            hand.advance(20 * SECOND);
            let answers: Vec<_> = answers.try_iter().collect();
            let found = answers
                .iter()
                .filter(|answer| matches!(answer, Err(CallError::Deadlock(_))))
                .count();
            let timed_out = answers
                .iter()
                .filter(|answer| **answer == Err(CallError::Timeout))
                .count();
            match policy {
                DeadlockPolicy::Error => assert_eq!((found, timed_out), (1, 0), "{answers:?}"),
                _ => assert_eq!((found, timed_out > 0), (0, true), "{answers:?}"),
            }
            puppets.iter().for_each(stop);
        }
    }
}

/// What waits within a turn hands the baton on, and as many may as in any other runtime.
#[test]
fn turns_that_wait_are_bounded() {
    let runtime = Runtime::builder()
        .deterministic(9)
        .spare_max(3)
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let holder = Breed::Thread.puppet();
    let (sender, answers) = mpsc::channel();
    let puppets: Vec<_> = (0..5).map(|_| Breed::Pooled.puppet()).collect();
    for puppet in &puppets {
        let (sender, holder) = (sender.clone(), holder.me().clone());
        puppet.order(move |_| sender.send(holder.call(Msg::Hold)).unwrap());
    }
    runtime.deterministic().unwrap().run_until_idle();
    let refused: Vec<_> = answers.try_iter().collect();
    assert_eq!(
        refused,
        [Err(CallError::PoolExhausted), Err(CallError::PoolExhausted)]
    );
    let stats = runtime.scheduler_stats();
    assert_eq!((stats.workers, stats.blocked), (1, 3));
    assert!((3..10).contains(&stats.threads), "{stats:?}");
    holder.end_and_wait(ExitReason::other("gone"));
    runtime.deterministic().unwrap().run_until_idle();
    let gone = Err(CallError::Exited(ExitReason::other("gone")));
    assert_eq!(
        answers.try_iter().collect::<Vec<_>>(),
        [gone.clone(), gone.clone(), gone]
    );
}

#[test]
fn panics_and_kills_are_what_they_are_elsewhere() {
    for breed in BREEDS {
        for seed in 0..20 {
            on_seed(seed, |_, hand| {
                let puppet = breed.puppet();
                let mut watch = process::watch(puppet.pid());
                puppet.order(|_| panic!("out of paper"));
                let down = watch.wait(SECOND).expect("it crashed");
                assert!(
                    down.reason.to_string().contains("out of paper"),
                    "{}",
                    down.reason
                );
                let killed = breed.puppet();
                let mut watch = process::watch(killed.pid());
                killed.order(|_| process::sleep(1_000 * SECOND));
                hand.run_until_idle();
                process::exit(killed.pid(), ExitReason::Kill);
                assert_eq!(
                    watch.wait(SECOND).map(|down| down.reason),
                    Some(ExitReason::Killed)
                );
                assert_eq!(hand.now(), Duration::ZERO);
            });
        }
    }
}

/// A process on whose stack another one waits does not come to its end: it is cut when its grace, which is
/// virtual as well, is over.
#[test]
fn grace_of_a_kill_is_virtual() {
    on_seed(6, |runtime, hand| {
        let starter = Breed::Pooled.puppet();
        let (sender, inner) = mpsc::channel();
        starter.order(move |_| {
            let (script, _log) = Script::new();
            let script = script.init(move |cx| {
                sender.send(cx.pid()).unwrap();
                process::sleep(1_000 * SECOND);
                crate::support::scripted::Step::Ignore
            });
            let _ = script.on(Kind::Pooled).start();
        });
        hand.run_until_idle();
        let _inner = inner.try_recv().expect("it runs");
        let (mut watch, pid) = (process::watch(starter.pid()), starter.pid());
        process::exit(pid, ExitReason::Kill);
        assert_eq!(
            watch.wait(SECOND).map(|down| down.reason),
            Some(ExitReason::Killed)
        );
        assert_eq!(hand.now(), Duration::from_millis(100));
        assert_eq!(runtime.counts().zombies, 1);
        assert!(process::wait_quiesced(pid, Duration::MAX));
        assert_eq!(hand.now(), 1_000 * SECOND);
    });
}

/// Three that never end of themselves: one that is asked, one that has to be killed, one that is stuck.
#[test]
fn shutdown_keeps_its_deadline_in_virtual_time() {
    for breed in BREEDS {
        let began = Instant::now();
        let runtime = Runtime::builder().deterministic(8).build().unwrap();
        let entered = runtime.enter();
        let (_quiet, stubborn) = (breed.puppet(), breed.puppet());
        stubborn.order(|inside| {
            inside.trap_exit(true);
            loop {
                process::sleep(SECOND);
            }
        });
        let hand = runtime.deterministic().unwrap();
        hand.advance(10 * SECOND);
        drop(entered);
        let report = runtime.shutdown(100 * SECOND);
        assert_eq!((report.stopped, report.killed, report.zombies), (1, 1, 0));
        assert_eq!(report.joined, if breed == Breed::Pooled { 0 } else { 2 });
        assert!(hand.now() <= 111 * SECOND);
        assert!(began.elapsed() < LONG);
    }
}

/// Whoever keeps himself busy for ever still lets others run, and sees deadlines come.
#[test]
fn time_passes_for_what_never_rests() {
    for breed in BREEDS {
        on_seed(15, |_, _| {
            let (busy, other) = (breed.puppet(), Breed::Pooled.puppet());
            busy.order(|_| {
                loop {
                    process::checkpoint();
                }
            });
            assert_eq!(other.me().call(|reply| Msg::Ask(1, reply)), Ok(2));
            let (mut watch, asked) = (process::watch(busy.pid()), busy.me());
            assert_eq!(asked.call_for(SECOND, Msg::Hold), Err(CallError::Timeout));
            process::exit(busy.pid(), ExitReason::Kill);
            assert_eq!(
                watch.wait(SECOND).map(|down| down.reason),
                Some(ExitReason::Killed)
            );
            other.end_and_wait(ExitReason::Normal);
        });
    }
}

#[test]
fn process_does_not_drive_what_runs_it() {
    on_seed(0, |_, hand| {
        let hand = hand.clone();
        let puppet = Breed::Thread.puppet();
        let mut watch = process::watch(puppet.pid());
        puppet.order(move |_| hand.run_until_idle());
        let down = watch.wait(SECOND).expect("it crashed");
        assert!(
            down.reason.to_string().contains("does not drive"),
            "{}",
            down.reason
        );
    });
}

/// Threads of the test's own may call in: each drives while it waits.
#[test]
fn several_threads_may_drive() {
    on_seed(13, |runtime, _| {
        let puppet = Breed::Pooled.puppet();
        std::thread::scope(|scope| {
            for n in 0..4 {
                let me = puppet.me().clone();
                scope.spawn(move || {
                    let _entered = runtime.enter();
                    for _ in 0..100 {
                        assert_eq!(
                            me.call_for(Duration::MAX, |reply| Msg::Ask(n, reply)),
                            Ok(n + 1)
                        );
                    }
                });
            }
        });
        puppet.end_and_wait(ExitReason::Normal);
        assert_eq!(runtime.counts(), Counts::default());
    });
}

/// What waits in a call of the system is woken as elsewhere, and the others run meanwhile.
#[test]
fn wait_outside_lets_others_run() {
    on_seed(14, |_, hand| {
        let (bell, bells) = mpsc::channel::<()>();
        let waits = process::spawn::<u32>(move |cx| {
            let mut received = None;
            while received.is_none() {
                let bell = bell.clone();
                process::wait_outside(move || bell.send(()).unwrap(), || bells.recv().unwrap());
                received = cx.receive_timeout(Duration::ZERO);
            }
            assert_eq!(received, Some(Received::Message(7)));
        });
        let puppet = Breed::Thread.puppet();
        assert_eq!(puppet.me().call(|reply| Msg::Ask(1, reply)), Ok(2));
        hand.run_until_idle();
        let mut watch = process::watch(&waits);
        waits.cast(7);
        assert_eq!(
            watch.wait(SECOND).map(|down| down.reason),
            Some(ExitReason::Normal)
        );
        puppet.end_and_wait(ExitReason::Normal);
    });
}
