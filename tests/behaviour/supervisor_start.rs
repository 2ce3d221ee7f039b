//! How supervisors start, and what becomes of children that do not.

use crate::actor::{Actor, Log, Manner, Start, Tree, on_both_kinds};
use crate::stage::{KINDS, LONG, eventually};
use crate::support::record;
use perennial::prelude::*;
use perennial::process::{self, Received, StartError};
use perennial::supervisor::{
    self, AutoShutdown, ChildKind, ChildState, Restart, Shutdown, SupervisorError,
};
use perennial::{ExitReason, Runtime};
use std::time::Duration;

fn one_for_one() -> Supervisor {
    Supervisor::new(Strategy::OneForOne)
}

fn failed(id: &str, error: StartError) -> StartError {
    StartError::Exit(ExitReason::shutdown_with(
        SupervisorError::FailedToStartChild(id.into(), error),
    ))
}

/// Rows: v.start_fail_order, sup.sup_start_child_returns_error
#[test]
fn failed_child_fails_the_start_and_stops_those_before_it() {
    on_both_kinds(|| {
        for (start, expected) in [
            (Start::Fail, Some(StartError::Exit(ExitReason::other("no")))),
            (Start::Panic, None),
        ] {
            let log = Log::default();
            let trapping = |id| log.script(id).manner(Manner::Traps).child();
            let error = one_for_one()
                .child(trapping("a"))
                .child(trapping("b"))
                .child(log.script("c").starts([start]).child())
                .child(trapping("d"))
                .start()
                .unwrap_err();
            if let Some(expected) = expected {
                assert_eq!(error, failed("c", expected));
            }
            let last = format!("c {start:?}");
            assert_eq!(
                log.take(),
                [
                    "a Up",
                    "b Up",
                    last.as_str(),
                    "b ends: shutdown",
                    "a ends: shutdown"
                ]
            );
            assert_eq!(process::counts().processes, 0);
        }
    });
}

/// Rows: sup.sup_start_normal, sup.sup_stop_infinity
#[test]
fn empty_supervisor_starts_and_stops() {
    on_both_kinds(|| {
        let tree = Tree::of(one_for_one());
        assert_eq!(tree.states(), []);
        let mut watch = process::watch(&tree.sup);
        tree.stop();
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Normal);
    });
}

/// Rows: sup.sup_start_ignore_child, sup.sup_start_ignore_temporary_child
#[test]
fn ignored_child_is_kept_unless_it_is_temporary() {
    on_both_kinds(|| {
        let log = Log::default();
        let ignored = |id| log.script(id).starts([Start::Ignore]).child();
        let tree = Tree::of(
            one_for_one()
                .child(ignored("a"))
                .child(ignored("t").temporary())
                .child(log.child("b")),
        );
        assert_eq!(tree.ids(), ["a", "b"]);
        assert_eq!(tree.states()[0], ChildState::Undefined);
        assert_eq!(supervisor::start_child(&tree.sup, ignored("c")), Ok(None));
        assert_eq!(
            supervisor::start_child(&tree.sup, ignored("u").temporary()),
            Ok(None)
        );
        assert_eq!(tree.ids(), ["a", "b", "c"]);
        let counts = supervisor::count_children(&tree.sup).unwrap();
        assert_eq!((counts.specs, counts.active, counts.workers), (3, 1, 3));
        tree.stop();
    });
}

/// Rows: sup.sup_start_map
#[test]
fn defaults_are_those_of_otp() {
    on_both_kinds(|| {
        let log = Log::default();
        let below = || Supervisor::new(Strategy::OneForOne);
        let tree = Tree::of(
            one_for_one()
                .child(log.child("a"))
                .child(Child::supervisor("s", below)),
        );
        let worker = supervisor::get_childspec(&tree.sup, "a").unwrap().unwrap();
        assert_eq!(
            (worker.restart, worker.kind),
            (Restart::Permanent, ChildKind::Worker)
        );
        assert_eq!(worker.shutdown, Shutdown::Timeout(Duration::from_secs(5)));
        let below = supervisor::get_childspec(&tree.sup, "s").unwrap().unwrap();
        assert_eq!(
            (below.kind, below.shutdown),
            (ChildKind::Supervisor, Shutdown::Infinity)
        );
        assert!(supervisor::get_childspec(&tree.sup, "x").unwrap().is_none());
        tree.stop();
    });
}

/// What a specification says is held by types; that no two have one id, and which combinations make sense, is not.
///
/// Rows: sup.child_specs, sup.child_specs_map, sup.child_specs_significant
#[test]
fn impossible_children_are_refused_before_anything_starts() {
    on_both_kinds(|| {
        let log = Log::default();
        let error = one_for_one()
            .child(log.child("a"))
            .child(log.child("a"))
            .start()
            .unwrap_err();
        let duplicate = ExitReason::shutdown_with(SupervisorError::DuplicateChild("a".into()));
        assert_eq!(error, StartError::Exit(duplicate));
        for auto in [
            AutoShutdown::Never,
            AutoShutdown::AnySignificant,
            AutoShutdown::AllSignificant,
        ] {
            for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
                let sup = one_for_one().auto_shutdown(auto);
                let started = sup
                    .child(log.child("s").restart(restart).significant())
                    .start();
                let fits = auto != AutoShutdown::Never && restart != Restart::Permanent;
                assert_eq!(started.is_ok(), fits, "{auto:?} {restart:?}: {started:?}");
                if let Ok(sup) = started {
                    supervisor::stop(&sup).unwrap();
                }
            }
        }
        assert!(!log.take().contains(&"a Up".to_owned()));
    });
}

#[test]
fn child_that_takes_too_long_is_killed_and_has_failed() {
    on_both_kinds(|| {
        let log = Log::default();
        let slow = log
            .script("slow")
            .starts([Start::Hang])
            .child()
            .timeout(Duration::from_millis(20));
        let error = one_for_one().child(slow).start().unwrap_err();
        assert_eq!(error, failed("slow", StartError::Timeout));
        eventually("it is gone", || process::counts().processes == 0);
    });
}

#[test]
fn supervisor_that_is_stopped_while_a_child_hangs_does_not_wait_for_it() {
    on_both_kinds(|| {
        let log = Log::default();
        let hangs = log
            .script("hangs")
            .starts([Start::Hang])
            .child()
            .shutdown(Shutdown::BrutalKill);
        let record = log.clone();
        let parent = process::spawn::<()>(move |cx| {
            let sup = one_for_one()
                .child(record.script("a").manner(Manner::Traps).child())
                .child(hangs);
            let _ = sup.start_link();
            cx.receive();
        });
        eventually("it hangs", || log.len() == 2);
        process::exit(&parent, ExitReason::Shutdown);
        eventually("all are gone", || process::counts().processes == 0);
        assert_eq!(log.take(), ["a Up", "hangs Hang", "a ends: shutdown"]);
    });
}

/// Rows: v.api_blocks_during_start
#[test]
fn request_waits_for_a_start_that_is_under_way() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let slow = log
            .script("slow")
            .starts([Start::Hang])
            .child()
            .timeout(Duration::from_millis(50));
        let sup = tree.sup.clone();
        let starter = process::spawn::<()>(move |_| {
            let failed = supervisor::start_child(&sup, slow).unwrap_err();
            assert_eq!(
                failed,
                supervisor::StartChildError::Failed(StartError::Timeout)
            );
        });
        let mut watch = process::watch(&starter);
        eventually("it hangs", || log.len() == 2);
        // Answered when the start has failed, and the child is forgotten.
        assert_eq!(tree.ids(), ["a"]);
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Normal);
        tree.stop();
    });
}

// plib: a name that is taken
#[test]
fn taken_name_fails_the_child() {
    static NAME: Name<crate::actor::ActorMsg> = Name::new("taken");
    on_both_kinds(|| {
        let log = Log::default();
        let first = gen_server::spec::<Actor>(log.script("x"))
            .name(&NAME)
            .start()
            .unwrap();
        let error = one_for_one()
            .child(log.child("a").name(&NAME))
            .start()
            .unwrap_err();
        assert_eq!(error, failed("a", StartError::AlreadyStarted(first.pid())));
        gen_server::stop(&first).unwrap();
    });
}

#[test]
fn start_link_needs_a_process_and_links() {
    on_both_kinds(|| {
        assert_eq!(
            one_for_one().start_link().unwrap_err(),
            StartError::NotAProcess
        );
        let ended = process::run::<(), _>(|cx| {
            let sup = one_for_one().start_link().unwrap();
            process::exit(&sup, ExitReason::Kill);
            cx.receive_timeout(LONG)
        });
        assert_eq!(ended, Err(ExitReason::Killed));
        process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let log = Log::default();
            let error = one_for_one()
                .child(log.script("a").starts([Start::Fail]).child())
                .start_link()
                .unwrap_err();
            assert!(
                matches!(error, StartError::Exit(ExitReason::ShutdownWith(_))),
                "{error}"
            );
            assert!(matches!(cx.receive_timeout(LONG), Some(Received::Exit(_))));
        })
        .unwrap();
    });
}

/// It never blocks, or this would need a worker for each level.
///
/// Rows: sup.tree
#[test]
fn tree_of_two_hundred_levels_needs_one_worker() {
    fn below(log: Log, depth: usize) -> Supervisor {
        let sup = Supervisor::new(Strategy::OneForOne);
        if depth == 0 {
            sup.child(log.child("leaf"))
        } else {
            sup.child(Child::supervisor("below", move || {
                below(log.clone(), depth - 1)
            }))
        }
    }
    for kind in KINDS {
        let _play = record::play(&[kind]);
        let runtime = Runtime::builder()
            .workers(1)
            .spare_max(0)
            .default_kind(kind);
        let runtime = runtime.build().unwrap();
        let entered = runtime.enter();
        let tree = Tree::of(below(Log::default(), 200));
        assert_eq!(process::counts().processes, 202);
        tree.stop();
        assert_eq!(process::counts().processes, 0);
        let _left = Tree::of(below(Log::default(), 200));
        drop(entered);
        let report = runtime.shutdown(LONG);
        assert_eq!((report.zombies, report.killed), (0, 0), "{report:?}");
    }
}

/// Rows: sup.sup_start_fail
#[test]
fn supervisor_that_cannot_be_built_is_a_child_that_failed() {
    on_both_kinds(|| {
        let log = Log::default();
        let error = one_for_one()
            .child(log.script("a").manner(Manner::Traps).child())
            .child(Child::supervisor("below", || panic!("no plan")))
            .start()
            .unwrap_err();
        let StartError::Exit(reason) = error else {
            panic!("{error:?}");
        };
        match reason.downcast_ref() {
            Some(SupervisorError::FailedToStartChild(id, StartError::Exit(reason))) => {
                assert_eq!(&**id, "below");
                assert!(matches!(reason, ExitReason::Panic(_)), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(log.take(), ["a Up", "a ends: shutdown"]);
    });
}

/// Rows: exsup.name_forms
#[test]
fn supervisor_has_a_name_of_the_runtime_or_of_a_registry() {
    static LOCAL: Name<supervisor::Msg> = Name::new("a supervisor");
    static TREES: perennial::Registry<u32, supervisor::Msg> = perennial::Registry::new("trees");
    on_both_kinds(|| {
        let log = Log::default();
        let named = one_for_one().name(&LOCAL).start().unwrap();
        supervisor::start_child(&LOCAL, log.child("a")).unwrap();
        assert_eq!(supervisor::count_children(&LOCAL).unwrap().active, 1);
        let taken = one_for_one().child(log.child("b")).name(&LOCAL).start();
        assert_eq!(taken.unwrap_err(), StartError::AlreadyStarted(named.pid()));
        let kept = one_for_one().via(TREES.via(7_u32)).start().unwrap();
        supervisor::start_child(&TREES.via(7_u32), log.child("c")).unwrap();
        let taken = one_for_one().via(TREES.via(7_u32)).start();
        assert_eq!(taken.unwrap_err(), StartError::AlreadyStarted(kept.pid()));
        for bad in ["", "undefined"] {
            let malformed = one_for_one().name(&Name::owned(bad)).start().unwrap_err();
            assert_eq!(malformed, StartError::BadName);
        }
        assert_eq!(log.take(), ["a Up", "c Up"], "b never began");
        supervisor::stop(&LOCAL).unwrap();
        supervisor::stop(&kept).unwrap();
        assert_eq!(TREES.whereis(&7), None);
    });
}

/// Rows: sup.do_not_save_start_parameters_for_temporary_children
#[test]
fn temporary_child_that_is_up_holds_nothing_to_be_started_with() {
    on_both_kinds(|| {
        let tree = Tree::of(one_for_one());
        let rooms = DynamicSupervisor::new().start().unwrap();
        for (restart, kept) in [
            (Restart::Temporary, 1),
            (Restart::Transient, 2),
            (Restart::Permanent, 2),
        ] {
            let log = Log::default();
            let large = std::sync::Arc::new(vec![0_u8; 1_000_000]);
            let child = || {
                let (large, script) = (large.clone(), log.script("t"));
                let make = move || {
                    assert_eq!(large.len(), 1_000_000);
                    script.clone()
                };
                Child::with::<Actor>("t", make).restart(restart)
            };
            supervisor::start_child(&tree.sup, child()).unwrap();
            assert_eq!(std::sync::Arc::strong_count(&large), kept, "{restart:?}");
            supervisor::terminate_child(&tree.sup, "t").unwrap();
            let _ = supervisor::delete_child(&tree.sup, "t");
            supervisor::dynamic_supervisor::start_child(&rooms, child()).unwrap();
            assert_eq!(std::sync::Arc::strong_count(&large), kept, "{restart:?}");
        }
        supervisor::stop(&rooms).unwrap();
        tree.stop();
    });
}
