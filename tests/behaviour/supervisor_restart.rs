//! Who is restarted, with whom, and when a supervisor gives up. Ids are those of `supervisor_SUITE` and of what was
//! observed on Erlang/OTP.

use crate::actor::{Log, Start, Tree, by_hand, crash, end, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{self, ChildState, Restart, Strategy};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn lots() -> Supervisor {
    Supervisor::new(Strategy::OneForOne).intensity(100, LONG)
}

/// Rows: sup.permanent_normal, sup.permanent_shutdown, sup.permanent_abnormal, sup.transient_normal
/// Rows: sup.transient_shutdown, sup.transient_abnormal, sup.temporary_normal, sup.temporary_shutdown
/// Rows: sup.temporary_abnormal
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

/// A temporary child that dies is no restart: it takes nothing of what the supervisor allows.
#[test]
fn deaths_of_temporary_children_are_no_restarts() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne).intensity(0, LONG));
        for _ in 0..3 {
            let child = supervisor::start_child(&tree.sup, log.child("t").temporary());
            end(child.unwrap().unwrap(), crash());
            assert_eq!(tree.states(), []);
        }
        tree.stop();
    });
}

/// Lets a server end by itself.
fn supervisor_tests_stop(pid: perennial::Pid, reason: ExitReason) {
    gen_server::stop_for(pid, reason, LONG).expect("it stops");
}

/// Rows: sup.one_for_one, sup.one_for_all, sup.rest_for_one
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

/// Rows: sup.one_for_one, sup.one_for_all, v.intensity_zero
#[test]
fn one_restart_too_many_ends_the_supervisor() {
    on_both_kinds(|| {
        let strategies = [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ];
        for (restarts, strategy) in [0, 1, 2, 5].into_iter().zip(strategies.into_iter().cycle()) {
            let log = Log::default();
            let sup = Supervisor::new(strategy)
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

/// Rows: v.window_boundary, sup.multiple_restarts
#[test]
fn restarts_count_for_one_period() {
    by_hand(|hand| {
        for (apart, survives) in [(1_000, false), (2_050, true)] {
            let log = Log::default();
            let sup = Supervisor::new(Strategy::OneForOne).intensity(1, Duration::from_secs(1));
            let tree = Tree::of(sup.child(log.child("a")));
            let mut watch = process::watch(&tree.sup);
            for _ in 0..if survives { 5 } else { 1 } {
                end(tree.pid(0), crash());
                tree.states();
                hand.advance(Duration::from_millis(apart));
            }
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
    });
}

/// Rows: v.group_restart_counts_once
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

/// Rows: v.failed_retry_counts, sup.one_for_one_escalation, sup.one_for_all_escalation
/// Rows: sup.rest_for_one_escalation
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

/// Rows: sup.one_for_all_other_child_fails_restart
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

/// Rows: sup.rest_for_one_other_child_fails_restart
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

/// Rows: v.simultaneous_deaths_ofa, v.simultaneous_deaths_ofo
#[test]
fn deaths_at_the_same_time_are_one_group_restart() {
    on_both_kinds(|| {
        for (strategy, survives) in [(Strategy::OneForAll, true), (Strategy::OneForOne, false)] {
            let log = Log::default();
            let sup = Supervisor::new(strategy).intensity(1, LONG);
            let sup = sup.child(log.child("a")).child(log.child("b"));
            let tree = Tree::of(sup);
            let mut watch = process::watch(&tree.sup);
            let (a, b) = (tree.pid(0), tree.pid(1));
            // Both are dead before the supervisor looks at either: it is busy in its own process.
            let (begins, begun) = std::sync::mpsc::channel();
            let (go, gate) = std::sync::mpsc::channel::<()>();
            let script = log.script("slow");
            let slow = Child::with::<crate::actor::Actor>("slow", move || {
                begins.send(()).unwrap();
                let _ = gate.recv_timeout(LONG);
                script.clone()
            });
            let asked = tree.sup.clone();
            let asker = process::spawn::<()>(move |_| {
                let _ = supervisor::start_child(&asked, slow.temporary());
            });
            begun.recv_timeout(LONG).unwrap();
            end(a, crash());
            end(b, crash());
            drop(go);
            process::watch(&asker).wait(LONG).expect("it has started");
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

/// Rows: sup.do_not_save_child_specs_for_temporary_children
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

/// A permanent child that says itself which reasons are worth a restart, and a transient one.
#[test]
fn reason_decides_where_somebody_asks_for_it() {
    on_both_kinds(|| {
        let hopeless = || ExitReason::other("wrong password");
        for (restart, reason, back) in [
            (Restart::Permanent, ExitReason::Shutdown, true),
            (Restart::Permanent, crash(), true),
            (Restart::Permanent, hopeless(), false),
            (Restart::Transient, ExitReason::Shutdown, false),
            (Restart::Transient, crash(), true),
            (Restart::Transient, hopeless(), false),
            (Restart::Temporary, crash(), false),
        ] {
            let log = Log::default();
            let child = log.child("a").restart(restart).restart_if({
                let hopeless = hopeless();
                move |reason| *reason != hopeless
            });
            let tree = Tree::of(lots().child(child));
            end(tree.pid(0), reason.clone());
            let states = tree.states();
            match states.first() {
                Some(ChildState::Running(_)) => assert!(back, "{restart:?} {reason}"),
                Some(ChildState::Undefined) => assert!(!back, "{restart:?} {reason}"),
                Some(ChildState::Restarting) => panic!("nothing is under way"),
                None => assert_eq!(restart, Restart::Temporary),
            }
            tree.stop();
        }
    });
}

#[test]
fn question_that_panics_leaves_it_to_the_restart_type() {
    on_both_kinds(|| {
        let log = Log::default();
        let child = log.child("a").restart_if(|_| panic!("who knows"));
        let tree = Tree::of(lots().child(child));
        let first = tree.pid(0);
        end(first, crash());
        assert_ne!(tree.pid(0), first);
        tree.stop();
    });
}

/// Once asked, it is restarted however often that fails.
#[test]
fn restart_that_fails_is_tried_again_without_asking() {
    on_both_kinds(|| {
        let log = Log::default();
        let script = log.script("a");
        let asked = Arc::new(Mutex::new(0));
        let count = asked.clone();
        let child = script.child().restart_if(move |_| {
            *count.lock().unwrap() += 1;
            true
        });
        let tree = Tree::of(lots().child(child));
        script.next([Start::Fail, Start::Panic]);
        end(tree.pid(0), crash());
        eventually("it is back", || {
            matches!(tree.states()[0], ChildState::Running(_))
        });
        assert_eq!(*asked.lock().unwrap(), 1);
        tree.stop();
    });
}

/// Rows: exsup.init_defaults
#[test]
fn three_restarts_in_five_seconds_are_allowed_unless_told_otherwise() {
    by_hand(|hand| {
        let log = Log::default();
        let tree = Tree::of(Supervisor::new(Strategy::default()).child(log.child("a")));
        let mut watch = process::watch(&tree.sup);
        for _ in 0..3 {
            end(tree.pid(0), crash());
            tree.pid(0);
        }
        hand.advance(Duration::from_millis(5_001));
        for _ in 0..3 {
            end(tree.pid(0), crash());
            tree.pid(0);
        }
        hand.advance(Duration::from_secs(5));
        end(tree.pid(0), crash());
        eventually("it gives up", || watch.wait(Duration::ZERO).is_some());
        let ended = watch.wait(Duration::ZERO).unwrap();
        assert_eq!(ended.reason, ExitReason::Shutdown);
    });
}

/// Rows: sup.simple_global_supervisor
#[test]
fn names_are_registered_again_by_those_who_come_back() {
    static TOP: Name<supervisor::Msg> = Name::new("below");
    static WORKER: Name<crate::actor::ActorMsg> = Name::new("worker");
    on_both_kinds(|| {
        let log = Log::default();
        let below = log.clone();
        let child = Child::supervisor("below", move || {
            lots().name(&TOP).child(below.child("worker").name(&WORKER))
        });
        let short = Duration::from_millis(1);
        let tree = Tree::of(lots().child(child.backoff(short, 10 * short)));
        for _ in 0..3 {
            let (top, worker) = (TOP.whereis().unwrap(), WORKER.whereis().unwrap());
            end(worker.pid(), ExitReason::Kill);
            supervisor::which_children(&TOP).unwrap();
            let again = WORKER.whereis().unwrap();
            assert_ne!(again, worker);
            end(top.pid(), ExitReason::Kill);
            process::watch(&again).wait(LONG).expect("it went along");
            // It may take a few tries: until the worker has heard of the end, it has its name. So there is a wait
            // before each, or they were used up before that.
            eventually("both are back", || {
                let back = |sup: &Ref<_>| *sup != top && supervisor::which_children(sup).is_ok();
                TOP.whereis().is_some_and(|sup| back(&sup)) && WORKER.whereis().is_some()
            });
            assert_ne!(WORKER.whereis().unwrap(), again);
        }
        tree.stop();
    });
}

/// Rows: sup.hanging_restart_loop_rest_for_one
#[test]
fn siblings_after_a_child_that_cannot_come_back_stay_down() {
    on_both_kinds(|| {
        let log = Log::default();
        let b = log.script("b");
        let (min, max) = (Duration::from_secs(60), Duration::from_secs(60));
        let sup = Supervisor::new(Strategy::RestForOne).intensity(1_000, LONG);
        let tree = Tree::of(
            sup.child(log.child("a"))
                .child(b.child().backoff(min, max))
                .child(log.child("c")),
        );
        let first = tree.pid(0);
        end(tree.pid(1), crash());
        let states = [
            ChildState::Running(first),
            ChildState::Restarting,
            ChildState::Undefined,
        ];
        assert_eq!(tree.states(), states);
        let restarting = Err(supervisor::RestartChildError::Restarting);
        assert_eq!(supervisor::restart_child(&tree.sup, "b"), restarting);
        supervisor::restart_child(&tree.sup, "c").unwrap().unwrap();
        supervisor::terminate_child(&tree.sup, "b").unwrap();
        assert_eq!(tree.states()[1], ChildState::Undefined);
        supervisor::restart_child(&tree.sup, "b").unwrap().unwrap();
        assert_eq!(tree.pid(0), first);
        tree.stop();
    });
}
