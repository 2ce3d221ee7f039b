//! Supervisors whose children come and go.

use crate::actor::{Actor, ActorMsg, Log, Manner, Start, crash, end, on_both_kinds};
use crate::stage::{LONG, eventually};
use crate::support::record;
use perennial::prelude::*;
use perennial::process::{self, Kind, StartError};
use perennial::supervisor::dynamic_supervisor::{self as dynamic};
use perennial::supervisor::{
    self, AutoShutdown, ChildError, ChildState, DynamicMsg, Restart, ServerChild, Shutdown,
    StartChildError,
};
use perennial::{ExitReason, Pid, Runtime};
use std::time::Duration;

fn start() -> Ref<DynamicMsg> {
    DynamicSupervisor::new()
        .intensity(1_000, LONG)
        .start()
        .unwrap()
}

fn child(sup: &Ref<DynamicMsg>, child: ServerChild<Actor>) -> Ref<ActorMsg> {
    dynamic::start_child(sup, child).unwrap()
}

fn active(sup: &Ref<DynamicMsg>) -> usize {
    dynamic::count_children(sup).unwrap().active
}

/// Rows: dyn.temporary, dyn.transient, dyn.permanent
#[test]
fn restart_type_and_reason_decide() {
    on_both_kinds(|| {
        for (restart, reason, back) in [
            (Restart::Temporary, crash(), false),
            (Restart::Transient, ExitReason::Shutdown, false),
            (Restart::Transient, ExitReason::shutdown_with(1), false),
            (Restart::Transient, crash(), true),
            (Restart::Permanent, ExitReason::Shutdown, true),
            (Restart::Permanent, crash(), true),
        ] {
            let log = Log::default();
            let sup = start();
            end(
                child(&sup, log.child("a").restart(restart)).pid(),
                reason.clone(),
            );
            eventually("it is back or gone", || {
                let counts = dynamic::count_children(&sup).unwrap();
                counts.active == counts.specs && counts.specs == usize::from(back)
            });
            assert_eq!(
                log.take().len(),
                1 + usize::from(back),
                "{restart:?} {reason}"
            );
            supervisor::stop(&sup).unwrap();
        }
    });
}

/// Rows: dyn.restart_values
#[test]
fn failed_restart_is_tried_again_and_an_ignored_one_forgets_the_child() {
    on_both_kinds(|| {
        let log = Log::default();
        let (sup, script) = (start(), log.script("a"));
        let first = child(&sup, script.child());
        script.next([Start::Fail, Start::Panic, Start::Up]);
        end(first.pid(), crash());
        eventually("it is back", || active(&sup) == 1);
        assert_eq!(log.take(), ["a Up", "a Fail", "a Panic", "a Up"]);
        script.next([Start::Ignore]);
        let pid = only(&sup);
        end(pid, crash());
        eventually("it is forgotten", || {
            dynamic::count_children(&sup).unwrap().specs == 0
        });
        supervisor::stop(&sup).unwrap();
    });
}

fn only(sup: &Ref<DynamicMsg>) -> Pid {
    match dynamic::which_children(sup).unwrap()[..] {
        [
            supervisor::ChildInfo {
                state: supervisor::ChildState::Running(pid),
                ..
            },
        ] => pid,
        ref other => panic!("{other:?}"),
    }
}

/// Rows: dyn.max_restarts, dyn.max_restarts_retry
#[test]
fn one_restart_too_many_ends_the_supervisor_and_all_children() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = DynamicSupervisor::new().intensity(2, LONG).start().unwrap();
        let mut watch = process::watch(&sup);
        let bystander = child(&sup, log.script("b").manner(Manner::Traps).child());
        let script = log.script("a");
        let first = child(&sup, script.child());
        script.next([Start::Fail; 10]);
        end(first.pid(), crash());
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
        assert!(!bystander.is_alive());
        assert!(log.take().contains(&"b ends: shutdown".to_owned()));
    });
}

/// Rows: dyn.max_children, dyn.max_children_restarting_init, dyn.max_children_restarting_exit
#[test]
fn limit_of_children_counts_those_that_wait_for_a_restart() {
    on_both_kinds(|| {
        let log = Log::default();
        let none = DynamicSupervisor::new().max_children(0).start().unwrap();
        assert_eq!(
            dynamic::start_child(&none, log.child("a")),
            Err(StartChildError::MaxChildren)
        );
        supervisor::stop(&none).unwrap();
        let one = DynamicSupervisor::new().max_children(1).start().unwrap();
        let first = child(&one, log.child("a").backoff(LONG, LONG));
        assert_eq!(
            dynamic::start_child(&one, log.child("b")),
            Err(StartChildError::MaxChildren)
        );
        end(first.pid(), crash());
        eventually("it waits", || active(&one) == 0);
        assert_eq!(
            dynamic::start_child(&one, log.child("b")),
            Err(StartChildError::MaxChildren)
        );
        supervisor::stop(&one).unwrap();
        // One that is back is one again.
        let one = DynamicSupervisor::new().max_children(1).start().unwrap();
        let (script, full) = (log.script("a"), Err(StartChildError::MaxChildren));
        let first = child(&one, script.child());
        script.next([Start::Fail]);
        end(first.pid(), crash());
        assert_eq!(dynamic::start_child(&one, log.child("b")), full);
        eventually("it is back", || active(&one) == 1);
        assert_eq!(dynamic::start_child(&one, log.child("b")), full);
        supervisor::stop(&one).unwrap();
    });
}

/// Rows: dyn.throw_error_exit, sup.sup_start_ignore_temporary_child
#[test]
fn child_that_does_not_start_is_an_error_and_nothing_else() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = start();
        let bad = |start| log.script("a").starts([start]).child();
        let failed = dynamic::start_child(&sup, bad(Start::Fail)).unwrap_err();
        assert_eq!(
            failed,
            StartChildError::Failed(StartError::Exit(ExitReason::other("no")))
        );
        let panicked = dynamic::start_child(&sup, bad(Start::Panic)).unwrap_err();
        assert!(matches!(
            panicked,
            StartChildError::Failed(StartError::Exit(ExitReason::Panic(_)))
        ));
        let ignored = dynamic::start_child(&sup, bad(Start::Ignore)).unwrap_err();
        assert_eq!(ignored, StartChildError::Failed(StartError::Ignored));
        let args_panic = Child::with::<Actor>("p", || panic!("no arguments"));
        assert!(matches!(
            dynamic::start_child(&sup, args_panic),
            Err(StartChildError::Failed(_))
        ));
        assert_eq!(dynamic::count_children(&sup).unwrap().specs, 0);
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: dyn.terminate_child_brutal, dyn.terminate_child_integer, dyn.terminate_restarting, sup.child_adm_simple
#[test]
fn child_is_stopped_by_its_pid_once() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = start();
        for (rule, reason) in [
            (Shutdown::BrutalKill, ExitReason::Killed),
            (Shutdown::Timeout(LONG), ExitReason::Shutdown),
        ] {
            let it = child(
                &sup,
                log.script("a").manner(Manner::Traps).child().shutdown(rule),
            );
            let mut watch = process::watch(&it);
            assert_eq!(dynamic::terminate_child(&sup, &it), Ok(()));
            assert_eq!(watch.wait(LONG).unwrap().reason, reason);
            assert_eq!(
                dynamic::terminate_child(&sup, &it),
                Err(ChildError::NotFound)
            );
        }
        let stranger = dynamic::terminate_child(&sup, sup.pid());
        assert_eq!(stranger, Err(ChildError::NotFound));
        let waiting = child(&sup, log.child("w").backoff(LONG, LONG));
        end(waiting.pid(), crash());
        eventually("it waits", || active(&sup) == 0);
        assert_eq!(dynamic::terminate_child(&sup, &waiting), Ok(()));
        assert_eq!(
            dynamic::terminate_child(&sup, &waiting),
            Err(ChildError::NotFound)
        );
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: dyn.stop_brutal, dyn.stop_infinity, dyn.stop_integer, dyn.stop_expired, dyn.stop_mixed, dyn.stop_abnormal
/// Rows: sup.sup_stop_timeout_dynamic, sup.sup_stop_brutal_kill_dynamic, sup.sup_stop_non_shutdown_exit_dynamic
#[test]
fn all_children_are_stopped_at_once_each_by_its_rule() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = start();
        let mut watches = [
            (Shutdown::BrutalKill, Manner::Traps, ExitReason::Killed),
            (Shutdown::Infinity, Manner::Traps, ExitReason::Shutdown),
            (Shutdown::Timeout(LONG), Manner::Plain, ExitReason::Shutdown),
            (
                Shutdown::Timeout(Duration::from_millis(20)),
                Manner::Stubborn,
                ExitReason::Killed,
            ),
            (
                Shutdown::Timeout(LONG),
                Manner::Fails,
                ExitReason::other("untidy"),
            ),
        ]
        .map(|(rule, manner, reason)| {
            let it = child(&sup, log.script("a").manner(manner).child().shutdown(rule));
            (process::watch(&it), reason)
        });
        let stopped = supervisor::stop_for(&sup, ExitReason::Shutdown, LONG);
        assert_eq!(
            stopped,
            Ok(()),
            "it ends as it was told to, whatever its children do"
        );
        for (watch, reason) in &mut watches {
            assert_eq!(&watch.wait(LONG).unwrap().reason, reason);
        }
    });
}

#[test]
fn thousands_of_children_come_and_go() {
    let runtime = perennial::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let log = Log::default();
    let sup = start();
    let children: Vec<_> = (0..5_000)
        .map(|_| child(&sup, log.child("a").transient()))
        .collect();
    assert_eq!(active(&sup), 5_000);
    for it in &children[..2_500] {
        it.cast(ActorMsg::Stop(ExitReason::Normal));
    }
    eventually("half of them has ended", || active(&sup) == 2_500);
    supervisor::stop(&sup).unwrap();
    assert_eq!(process::counts().processes, 0);
}

/// Its children do not come back with it.
///
/// Rows: sup.tree
#[test]
fn dynamic_supervisor_is_a_child_like_any_other() {
    static ROOMS: Name<DynamicMsg> = Name::new("rooms");
    on_both_kinds(|| {
        let log = Log::default();
        let rooms = DynamicSupervisor::new().name(&ROOMS).child("rooms");
        let top = Supervisor::new(Strategy::OneForOne)
            .child(rooms)
            .start()
            .unwrap();
        let first = dynamic::start_child(&ROOMS, log.child("a")).unwrap();
        let before = ROOMS.whereis().unwrap();
        end(before.pid(), ExitReason::Kill);
        process::watch(&first).wait(LONG).unwrap();
        supervisor::which_children(&top).unwrap();
        assert_eq!(dynamic::count_children(&ROOMS).unwrap().specs, 0);
        supervisor::stop(&top).unwrap();
    });
}

/// Rows: dyn.try_again
#[test]
fn failed_restart_counts_as_one() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = DynamicSupervisor::new().intensity(2, LONG).start().unwrap();
        let mut watch = process::watch(&sup);
        let script = log.script("a");
        let first = child(&sup, script.child());
        script.next([Start::Fail]);
        end(first.pid(), crash());
        eventually("it is back", || active(&sup) == 1);
        assert_eq!(log.take(), ["a Up", "a Fail", "a Up"]);
        end(only(&sup), crash());
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
    });
}

/// What a child is made of comes anew at each start.
///
/// Rows: dyn.restart_extra
#[test]
fn arguments_are_made_at_each_start() {
    on_both_kinds(|| {
        let (sup, log) = (start(), Log::default());
        let script = log.script("a");
        let record = log.clone();
        let made = Child::with::<Actor>("a", move || {
            record.write("made");
            script.clone()
        });
        let first = child(&sup, made);
        end(first.pid(), crash());
        eventually("it is back", || log.len() == 4);
        assert_eq!(log.take(), ["made", "a Up", "made", "a Up"]);
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: dyn.which_children_order
#[test]
fn children_are_listed_without_ids() {
    on_both_kinds(|| {
        let (sup, log) = (start(), Log::default());
        let up = child(&sup, log.child("a"));
        let waits = child(&sup, log.child("b").backoff(LONG, LONG));
        end(waits.pid(), crash());
        let all = dynamic::which_children(&sup).unwrap();
        assert!(all.iter().all(|child| child.id.is_none()));
        let states: Vec<_> = all.iter().map(|child| child.state).collect();
        assert_eq!(states.len(), 2);
        assert!(states.contains(&supervisor::ChildState::Running(up.pid())));
        assert!(states.contains(&supervisor::ChildState::Restarting));
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: dyn.supervised_by_name
#[test]
fn dynamic_supervisors_have_their_names_for_ids() {
    static FIRST: Name<DynamicMsg> = Name::new("first rooms");
    static SECOND: Name<DynamicMsg> = Name::new("second rooms");
    on_both_kinds(|| {
        let top = Supervisor::new(Strategy::OneForOne)
            .child(DynamicSupervisor::new().name(&FIRST))
            .child(DynamicSupervisor::new().name(&SECOND))
            .child(DynamicSupervisor::new())
            .start()
            .unwrap();
        let all = supervisor::which_children(&top).unwrap();
        let ids: Vec<_> = all.iter().rev().map(|child| child.id.as_deref()).collect();
        let expected = ["first rooms", "second rooms", "dynamic supervisor"];
        assert_eq!(ids, expected.map(Some));
        let supervisor::ChildState::Running(unnamed) = all[0].state else {
            panic!("{all:?}");
        };
        assert_eq!(
            supervisor::start_child(&top, DynamicSupervisor::new()),
            Err(StartChildError::AlreadyStarted(unnamed))
        );
        supervisor::stop(&top).unwrap();
    });
}

/// Rows: dyn.invalid_spec
#[test]
fn what_can_never_be_a_child_is_refused_before_anybody_is_asked() {
    static NOBODY: Name<DynamicMsg> = Name::new("nobody");
    on_both_kinds(|| {
        let log = Log::default();
        let never = || log.child("a").significant();
        let refused = StartChildError::BadCombination;
        assert_eq!(dynamic::start_child(&NOBODY, never()), Err(refused.clone()));
        let sup = start();
        let started = sup.call(|reply| DynamicMsg::start(never(), reply));
        assert_eq!(started.unwrap().unwrap_err(), refused);
        // This one would be a child elsewhere.
        let elsewhere = dynamic::start_child(&sup, log.child("a").transient().significant());
        assert_eq!(elsewhere, Err(refused));
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: sup.significant_simple
#[test]
fn significant_children_end_a_dynamic_supervisor_that_says_so() {
    on_both_kinds(|| {
        let log = Log::default();
        for (auto, ends) in [
            (AutoShutdown::AnySignificant, 1),
            (AutoShutdown::AllSignificant, 3),
        ] {
            let sup = DynamicSupervisor::new()
                .auto_shutdown(auto)
                .start()
                .unwrap();
            let mut watch = process::watch(&sup);
            let bystander = child(&sup, log.child("b").temporary());
            let significant = || log.child("s").temporary().significant();
            let all: Vec<_> = (0..4).map(|_| child(&sup, significant())).collect();
            end(bystander.pid(), crash());
            dynamic::terminate_child(&sup, &all[3]).unwrap();
            for (at, it) in all[..ends].iter().enumerate() {
                assert_eq!(active(&sup), 3 - at, "{auto:?}");
                end(it.pid(), ExitReason::Shutdown);
            }
            assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
        }
        // One that is restarted has not ended.
        let sup = DynamicSupervisor::new().auto_shutdown(AutoShutdown::AnySignificant);
        let sup = sup.start().unwrap();
        let mut watch = process::watch(&sup);
        let it = child(&sup, log.child("t").transient().significant());
        end(it.pid(), crash());
        eventually("it is back", || active(&sup) == 1);
        end(only(&sup), ExitReason::Shutdown);
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
    });
}

/// Plays a case with as many children as one seldom has. What each costs is a line of `cargo bench -- child`: it must not
/// grow with how many there are.
fn on_a_crowd(case: impl Fn(usize)) {
    // A thread is dear: of them there are fewer.
    for (kind, count) in [(Kind::Pooled, 4_000), (Kind::Thread, 600)] {
        let _play = record::play(&[kind]);
        let runtime = Runtime::builder().default_kind(kind).build().unwrap();
        let _entered = runtime.enter();
        case(count);
    }
}

/// Rows: sup.simple_one_for_one_scale
#[test]
fn each_of_many_children_of_a_dynamic_supervisor_is_found() {
    on_a_crowd(|count| {
        let (sup, log) = (start(), Log::default());
        let new = || log.child("a").temporary();
        let all: Vec<_> = (0..count).map(|_| child(&sup, new())).collect();
        assert_eq!((active(&sup), log.len()), (count, count));
        // From the middle, from either end, and from the middle again.
        let (early, late) = all.split_at(count / 2);
        let mut left = count;
        for it in late.iter().step_by(2).chain(early.iter().rev()) {
            dynamic::terminate_child(&sup, it).unwrap();
            assert!(!process::is_alive(it));
            left -= 1;
        }
        assert_eq!(active(&sup), left);
        let mut alive: Vec<Pid> = dynamic::which_children(&sup)
            .unwrap()
            .iter()
            .map(|child| match child.state {
                ChildState::Running(pid) => pid,
                _ => panic!("{child:?}"),
            })
            .collect();
        alive.sort_unstable();
        let mut others: Vec<Pid> = late.iter().skip(1).step_by(2).map(Ref::pid).collect();
        others.sort_unstable();
        assert_eq!(alive, others);
        for it in late.iter().skip(1).step_by(2) {
            dynamic::terminate_child(&sup, it).unwrap();
        }
        let gone = dynamic::terminate_child(&sup, &all[0]);
        assert_eq!(gone, Err(ChildError::NotFound));
        assert_eq!((active(&sup), log.len()), (0, count), "none was restarted");
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: sup.scale_start_stop_many_children
#[test]
fn each_of_many_children_of_a_supervisor_is_found() {
    on_a_crowd(|count| {
        let log = Log::default();
        let sup = Supervisor::new(Strategy::OneForOne).start().unwrap();
        let ids = || (0..count).map(|n| n.to_string());
        for id in ids() {
            let script = log.script("a");
            let child = Child::with::<Actor>(id, move || script.clone());
            supervisor::start_child(&sup, child).unwrap();
        }
        let listed = || {
            let children = supervisor::which_children(&sup).unwrap();
            let ids = children.into_iter().map(|child| child.id.unwrap());
            ids.rev().map(|id| id.to_string())
        };
        assert!(listed().eq(ids()), "the youngest comes first");
        for (at, id) in ids().enumerate() {
            supervisor::terminate_child(&sup, id.as_str()).unwrap();
            supervisor::restart_child(&sup, id.as_str()).unwrap();
            if at % 2 == 0 {
                supervisor::terminate_child(&sup, id.as_str()).unwrap();
                supervisor::delete_child(&sup, id.as_str()).unwrap();
            }
        }
        assert!(listed().eq(ids().skip(1).step_by(2)), "and so are the rest");
        let counts = supervisor::count_children(&sup).unwrap();
        let half = count / 2;
        assert_eq!((counts.active, counts.specs), (half, half));
        assert_eq!(log.len(), 2 * count);
        supervisor::stop(&sup).unwrap();
    });
}
