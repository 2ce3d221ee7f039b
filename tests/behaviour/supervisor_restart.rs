//! Who is restarted, with whom, and when a supervisor gives up. Ids are those of `supervisor_SUITE` and of what was
//! observed on Erlang/OTP.

use crate::actor::{Log, Start, Tree, crash, end, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{self, ChildState, Restart, Strategy, SupervisorEvent, What};
use perennial::time::Clock;
use perennial::{ExitReason, Runtime};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn lots() -> Supervisor {
    Supervisor::new(Strategy::OneForOne).intensity(100, LONG)
}

// sup.permanent_normal, sup.permanent_shutdown, sup.permanent_abnormal, sup.transient_normal, sup.transient_shutdown,
// sup.transient_abnormal, sup.temporary_normal, sup.temporary_shutdown, sup.temporary_abnormal
#[test]
fn restart_type_and_reason_decide() {
    on_both_kinds(|| {
        for (restart, reason, back, kept) in [
            (Restart::Permanent, ExitReason::Normal, true, true),
            (Restart::Permanent, ExitReason::Shutdown, true, true),
            (Restart::Permanent, crash(), true, true),
            (Restart::Transient, ExitReason::Normal, false, true),
            (Restart::Transient, ExitReason::Shutdown, false, true),
            (
                Restart::Transient,
                ExitReason::shutdown_with(1),
                false,
                true,
            ),
            (Restart::Transient, crash(), true, true),
            (Restart::Temporary, ExitReason::Normal, false, false),
            (Restart::Temporary, ExitReason::Shutdown, false, false),
            (Restart::Temporary, crash(), false, false),
        ] {
            let log = Log::default();
            let script = log.script("a").manner(crate::actor::Manner::Plain);
            let tree = Tree::of(lots().child(script.child().restart(restart)));
            let pid = tree.pid(0);
            // `Normal` has no effect from outside.
            if reason == ExitReason::Normal {
                let mut watch = process::watch(pid);
                supervisor_tests_stop(pid, reason.clone());
                watch.wait(LONG).expect("it ends");
            } else {
                end(pid, reason.clone());
            }
            let states = tree.states();
            match states.first() {
                Some(ChildState::Running(new)) => {
                    assert!(back && *new != pid, "{restart:?} {reason}")
                }
                Some(ChildState::Undefined) => assert!(!back && kept, "{restart:?} {reason}"),
                Some(ChildState::Restarting) => panic!("nothing is under way"),
                None => assert!(!kept, "{restart:?} {reason}"),
            }
            let counts = supervisor::count_children(&tree.sup).unwrap();
            assert_eq!(
                (counts.specs, counts.active),
                (usize::from(kept), usize::from(back))
            );
            tree.stop();
        }
    });
}

/// Lets a server end by itself.
fn supervisor_tests_stop(pid: perennial::Pid, reason: ExitReason) {
    gen_server::stop_for(pid, reason, LONG).expect("it stops");
}

// sup.one_for_one, sup.one_for_all, sup.rest_for_one
#[test]
fn strategy_says_who_else() {
    on_both_kinds(|| {
        for (strategy, kept, record) in [
            (Strategy::OneForOne, [true, false, true], &["b Up"][..]),
            (
                Strategy::OneForAll,
                [false; 3],
                &[
                    "c ends: shutdown",
                    "a ends: shutdown",
                    "a Up",
                    "b Up",
                    "c Up",
                ],
            ),
            (
                Strategy::RestForOne,
                [true, false, false],
                &["c ends: shutdown", "b Up", "c Up"],
            ),
        ] {
            let log = Log::default();
            let trapping = |id| log.script(id).manner(crate::actor::Manner::Traps).child();
            let tree = Tree::of(
                Supervisor::new(strategy)
                    .child(trapping("a"))
                    .child(trapping("b"))
                    .child(trapping("c")),
            );
            let before = tree.states();
            log.take();
            end(tree.pid(1), ExitReason::Kill);
            let after = tree.states();
            let same: Vec<bool> = before
                .iter()
                .zip(&after)
                .map(|(old, new)| old == new)
                .collect();
            assert_eq!(same, kept, "{strategy:?}");
            assert_eq!(log.take(), record, "{strategy:?}");
            tree.stop();
        }
    });
}

fn ends_with(sup: Supervisor, expected: &ExitReason, provoke: impl FnOnce(&Tree)) {
    let tree = Tree::of(sup);
    let mut watch = process::watch(&tree.sup);
    provoke(&tree);
    assert_eq!(
        &watch.wait(LONG).expect("the supervisor ends").reason,
        expected
    );
}

// sup.one_for_one (over intensity), v.intensity_zero
#[test]
fn one_restart_too_many_ends_the_supervisor() {
    on_both_kinds(|| {
        for restarts in [0, 1, 2, 5] {
            let log = Log::default();
            let sup = Supervisor::new(Strategy::OneForOne)
                .intensity(restarts, LONG)
                .child(log.child("a"));
            ends_with(sup, &ExitReason::Shutdown, |tree| {
                for _ in 0..restarts {
                    end(tree.pid(0), crash());
                    tree.states();
                }
                end(tree.pid(0), crash());
            });
            assert_eq!(log.take().len(), 1 + restarts);
        }
    });
}

// v.window_boundary, sup.multiple_restarts
#[test]
fn restarts_count_for_one_period() {
    for (apart, survives) in [(1_000, false), (2_050, true)] {
        let (clock, hand) = Clock::manual();
        let runtime = Runtime::builder().clock(clock).build().unwrap();
        let _entered = runtime.enter();
        let log = Log::default();
        let sup = Supervisor::new(Strategy::OneForOne).intensity(1, Duration::from_secs(1));
        let tree = Tree::of(sup.child(log.child("a")));
        let mut watch = process::watch(&tree.sup);
        end(tree.pid(0), crash());
        tree.states();
        hand.advance(Duration::from_millis(apart));
        end(tree.pid(0), crash());
        if survives {
            tree.pid(0);
            tree.stop();
        } else {
            eventually("the supervisor ends", || {
                watch.wait(Duration::ZERO).is_some()
            });
        }
    }
}

// v.group_restart_counts_once
#[test]
fn group_restart_counts_once() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = Supervisor::new(Strategy::OneForAll).intensity(1, LONG);
        let tree = Tree::of(
            sup.child(log.child("a"))
                .child(log.child("b"))
                .child(log.child("c")),
        );
        end(tree.pid(2), crash());
        assert_eq!(tree.states().len(), 3);
        tree.pid(0);
        tree.stop();
    });
}

// v.failed_retry_counts, sup.one_for_one_escalation, sup.one_for_all_escalation, sup.rest_for_one_escalation
#[test]
fn failed_restarts_count_until_the_supervisor_gives_up() {
    on_both_kinds(|| {
        for strategy in [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ] {
            for how in [Start::Fail, Start::Panic] {
                let log = Log::default();
                let script = log.script("a");
                let sup = Supervisor::new(strategy).intensity(5, LONG);
                let sup = sup
                    .child(script.child())
                    .child(log.script("b").manner(crate::actor::Manner::Traps).child());
                ends_with(sup, &ExitReason::Shutdown, |tree| {
                    script.next([how; 100]);
                    end(tree.pid(0), crash());
                });
                let record = log.take();
                let attempts = record
                    .iter()
                    .filter(|line| **line == format!("a {how:?}"))
                    .count();
                assert_eq!(attempts, 5, "{strategy:?}: {record:?}");
                assert!(
                    record.contains(&"b ends: shutdown".to_owned()),
                    "{strategy:?}: {record:?}"
                );
            }
        }
    });
}

// sup.one_for_all_other_child_fails_restart
#[test]
fn one_for_all_starts_again_from_the_first_when_a_later_one_fails() {
    on_both_kinds(|| {
        let log = Log::default();
        let a = log.script("a").manner(crate::actor::Manner::Traps);
        let b = log.script("b");
        let sup = Supervisor::new(Strategy::OneForAll).intensity(10, LONG);
        let tree = Tree::of(sup.child(a.child()).child(b.child()));
        log.take();
        b.next([Start::Fail]);
        end(tree.pid(0), ExitReason::Kill);
        tree.states();
        eventually("both run again", || {
            tree.states()
                .iter()
                .all(|state| matches!(state, ChildState::Running(_)))
        });
        assert_eq!(
            log.take(),
            ["a Up", "b Fail", "a ends: shutdown", "a Up", "b Up"]
        );
        tree.stop();
    });
}

// sup.rest_for_one_other_child_fails_restart
#[test]
fn rest_for_one_goes_on_from_the_one_that_failed() {
    on_both_kinds(|| {
        let log = Log::default();
        let b = log.script("b");
        let sup = Supervisor::new(Strategy::RestForOne).intensity(10, LONG);
        let tree = Tree::of(
            sup.child(log.child("a"))
                .child(b.child())
                .child(log.child("c")),
        );
        log.take();
        b.next([Start::Fail]);
        end(tree.pid(0), crash());
        eventually("all run again", || {
            tree.states()
                .iter()
                .all(|state| matches!(state, ChildState::Running(_)))
        });
        assert_eq!(log.take(), ["a Up", "b Fail", "b Up", "c Up"]);
        tree.stop();
    });
}

// v.simultaneous_deaths_ofa, v.simultaneous_deaths_ofo
#[test]
fn deaths_at_the_same_time_are_one_group_restart() {
    on_both_kinds(|| {
        for (strategy, survives) in [(Strategy::OneForAll, true), (Strategy::OneForOne, false)] {
            let log = Log::default();
            let slow = log.script("slow");
            let sup = Supervisor::new(strategy).intensity(1, LONG);
            let sup = sup
                .child(log.child("a"))
                .child(log.child("b"))
                .child(slow.child().temporary());
            let tree = Tree::of(sup);
            let mut watch = process::watch(&tree.sup);
            let (a, b) = (tree.pid(0), tree.pid(1));
            // Both are dead before the supervisor hears of either: one is linked to the other.
            let (send, receive) = std::sync::mpsc::channel();
            process::spawn::<()>(move |cx| {
                cx.link(a).unwrap();
                cx.link(b).unwrap();
                send.send(()).unwrap();
                cx.receive();
            });
            receive.recv_timeout(LONG).unwrap();
            end(a, crash());
            process::watch(b).wait(LONG).expect("the other ends");
            if survives {
                tree.pid(0);
                tree.pid(1);
                tree.stop();
            } else {
                watch.wait(LONG).expect("it gives up");
            }
        }
    });
}

// sup.do_not_save_child_specs_for_temporary_children
#[test]
fn temporary_sibling_does_not_come_back_with_its_group() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = Supervisor::new(Strategy::OneForAll);
        let tree = Tree::of(
            sup.child(log.child("a"))
                .child(log.child("t").temporary())
                .child(log.child("c")),
        );
        end(tree.pid(0), crash());
        assert_eq!(tree.states().len(), 2);
        assert_eq!(tree.ids(), ["a", "c"]);
        tree.stop();
    });
}

// Beyond OTP: a wait before each restart, doubled, and what may come in between.
#[test]
fn backoff_waits_and_hears_of_everything_meanwhile() {
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().clock(clock).build().unwrap();
    let _entered = runtime.enter();
    let delays: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let seen = delays.clone();
    process::attach(move |event: &SupervisorEvent| {
        if let What::Restarting(_, delay) = &event.what {
            seen.lock().unwrap().push(*delay);
        }
    });
    let log = Log::default();
    let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
    let tree = Tree::of(
        lots()
            .child(log.child("a").backoff(min, max))
            .child(log.child("b")),
    );
    for round in 0..3_u32 {
        end(tree.pid(0), crash());
        assert_eq!(tree.states()[0], ChildState::Restarting);
        assert_eq!(
            supervisor::restart_child(&tree.sup, "a"),
            Err(supervisor::RestartChildError::Restarting)
        );
        tree.pid(1);
        let delay = *delays.lock().unwrap().last().unwrap();
        let full = min * 2_u32.pow(round);
        assert!(
            delay <= full && delay > full * 3 / 4 - Duration::from_millis(1),
            "{round}: {delay:?}"
        );
        hand.advance(delay);
        eventually("it is back", || {
            matches!(tree.states()[0], ChildState::Running(_))
        });
    }
    end(tree.pid(0), crash());
    assert_eq!(tree.states()[0], ChildState::Restarting);
    supervisor::terminate_child(&tree.sup, "a").unwrap();
    hand.advance(max);
    assert_eq!(tree.states()[0], ChildState::Undefined);
    assert_eq!(log.take().iter().filter(|line| *line == "a Up").count(), 4);
    tree.stop();
}

// Beyond OTP: a budget of one child's own.
#[test]
fn child_has_a_limit_of_its_own() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = lots()
            .child(log.child("a").intensity(1, LONG))
            .child(log.child("b"));
        ends_with(sup, &ExitReason::Shutdown, |tree| {
            for _ in 0..5 {
                end(tree.pid(1), crash());
                tree.states();
            }
            end(tree.pid(0), crash());
            tree.states();
            end(tree.pid(0), crash());
        });
    });
}

// Beyond OTP: the successor of what owns something outside the program waits for the code of its predecessor.
#[test]
fn exclusive_child_starts_when_its_zombie_has_ended() {
    on_both_kinds(|| {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(Some(held)));
        let log = Log::default();
        let record = log.clone();
        struct Owner(Log);
        impl GenServer for Owner {
            type Args = (Log, Arc<Mutex<Option<std::sync::mpsc::Receiver<()>>>>);
            type Msg = std::sync::mpsc::Receiver<()>;
            fn init((log, held): Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
                log.write("starts");
                match held.lock().unwrap().take() {
                    Some(held) => {
                        cx.me().cast(held);
                        Init::Ok(Owner(log))
                    }
                    None => Init::Ok(Owner(log)),
                }
            }
            fn handle(&mut self, held: Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
                // Outside of the library: nothing can end it here.
                let _ = held.recv_timeout(LONG);
                self.0.write("lets go");
                Next::Loop
            }
        }
        let args = (record, held);
        let tree = Tree::of(lots().child(Child::server::<Owner>("owner", args).exclusive()));
        let first = tree.pid(0);
        eventually("it holds", || {
            process::info(first).is_some_and(|info| info.message_queue_len == 0)
        });
        end(first, ExitReason::Kill);
        assert_eq!(log.take(), ["starts"]);
        assert!(!process::is_alive(first));
        hold.send(()).unwrap();
        tree.pid(0);
        assert_eq!(log.take(), ["lets go", "starts"]);
        tree.stop();
    });
}
