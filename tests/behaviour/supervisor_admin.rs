//! What can be asked of a running supervisor.

use crate::actor::{Log, Start, Tree, crash, end, on_both_kinds};
use crate::stage::LONG;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::StartError;
use perennial::supervisor::{
    self, ChildError, ChildState, DeleteChildError, RestartChildError, StartChildError,
};
use std::time::Duration;

/// Rows: sup.child_adm, exsup.child_life_cycle
#[test]
fn child_is_started_stopped_restarted_and_deleted() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne));
        let sup = &tree.sup;
        let pid = supervisor::start_child(sup, log.child("a"))
            .unwrap()
            .unwrap();
        assert_eq!(
            supervisor::start_child(sup, log.child("a")),
            Err(StartChildError::AlreadyStarted(pid))
        );
        assert_eq!(
            supervisor::restart_child(sup, "a"),
            Err(RestartChildError::Running)
        );
        assert_eq!(
            supervisor::delete_child(sup, "a"),
            Err(DeleteChildError::Running)
        );
        assert_eq!(supervisor::terminate_child(sup, "a"), Ok(()));
        assert_eq!(
            supervisor::terminate_child(sup, "a"),
            Ok(()),
            "again is fine"
        );
        assert_eq!(
            supervisor::start_child(sup, log.child("a")),
            Err(StartChildError::AlreadyPresent)
        );
        let again = supervisor::restart_child(sup, "a").unwrap().unwrap();
        assert_ne!(again, pid);
        assert_eq!(supervisor::terminate_child(sup, "a"), Ok(()));
        assert_eq!(supervisor::delete_child(sup, "a"), Ok(()));
        assert_eq!(
            supervisor::delete_child(sup, "a"),
            Err(DeleteChildError::NotFound)
        );
        assert_eq!(
            supervisor::restart_child(sup, "a"),
            Err(RestartChildError::NotFound)
        );
        assert_eq!(
            supervisor::terminate_child(sup, "a"),
            Err(ChildError::NotFound)
        );
        tree.stop();
    });
}

/// Rows: sup.sup_start_child_returns_error
#[test]
fn child_that_does_not_start_is_forgotten() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne));
        let bad = log.script("a").starts([Start::Fail]);
        let error = StartError::Exit(ExitReason::other("no"));
        assert_eq!(
            supervisor::start_child(&tree.sup, bad.child()),
            Err(StartChildError::Failed(error.clone()))
        );
        assert_eq!(tree.states(), []);
        supervisor::start_child(&tree.sup, bad.child()).unwrap();
        supervisor::terminate_child(&tree.sup, "a").unwrap();
        bad.next([Start::Fail]);
        assert_eq!(
            supervisor::restart_child(&tree.sup, "a"),
            Err(RestartChildError::Failed(error))
        );
        assert_eq!(tree.states(), [ChildState::Undefined]);
        tree.stop();
    });
}

/// Rows: sup.hanging_restart_loop, sup.count_restarting_children
#[test]
fn child_that_cannot_be_restarted_can_be_managed() {
    on_both_kinds(|| {
        let log = Log::default();
        let script = log.script("a");
        let (min, max) = (Duration::from_secs(60), Duration::from_secs(60));
        let sup = Supervisor::new(Strategy::OneForOne).intensity(1_000, LONG);
        let tree = Tree::of(
            sup.child(script.child().backoff(min, max))
                .child(log.child("b")),
        );
        script.next([Start::Fail; 1_000]);
        end(tree.pid(0), crash());
        assert_eq!(tree.states()[0], ChildState::Restarting);
        let counts = supervisor::count_children(&tree.sup).unwrap();
        assert_eq!((counts.specs, counts.active, counts.workers), (2, 1, 2));
        let sup = &tree.sup;
        assert_eq!(
            supervisor::start_child(sup, log.child("a")),
            Err(StartChildError::AlreadyPresent)
        );
        assert_eq!(
            supervisor::restart_child(sup, "a"),
            Err(RestartChildError::Restarting)
        );
        assert_eq!(
            supervisor::delete_child(sup, "a"),
            Err(DeleteChildError::Restarting)
        );
        assert_eq!(supervisor::terminate_child(sup, "a"), Ok(()));
        assert_eq!(tree.states()[0], ChildState::Undefined);
        script.next([]);
        supervisor::restart_child(sup, "a").unwrap().unwrap();
        tree.stop();
    });
}

#[test]
fn supervisor_in_a_restart_loop_can_be_stopped() {
    on_both_kinds(|| {
        let log = Log::default();
        let script = log.script("a");
        let sup = Supervisor::new(Strategy::OneForAll).intensity(usize::MAX, LONG);
        let tree = Tree::of(sup.child(log.child("b")).child(script.child()));
        script.next(std::iter::repeat_n(Start::Fail, 1_000_000));
        end(tree.pid(1), crash());
        tree.stop();
    });
}

#[test]
fn children_are_listed_newest_first() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(
            Supervisor::new(Strategy::OneForOne)
                .child(log.child("a"))
                .child(log.child("b")),
        );
        supervisor::start_child(&tree.sup, log.child("c")).unwrap();
        let all = supervisor::which_children(&tree.sup).unwrap();
        let ids: Vec<_> = all.iter().map(|info| info.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["c", "b", "a"]);
        tree.stop();
    });
}

/// Rows: sup.do_not_save_child_specs_for_temporary_children
#[test]
fn temporary_child_leaves_its_id_free_however_it_ends() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne));
        for reason in [crash(), ExitReason::Kill, ExitReason::Shutdown] {
            let pid = supervisor::start_child(&tree.sup, log.child("t").temporary())
                .unwrap()
                .unwrap();
            end(pid, reason);
            assert_eq!(tree.states(), []);
        }
        supervisor::start_child(&tree.sup, log.child("t").temporary()).unwrap();
        supervisor::terminate_child(&tree.sup, "t").unwrap();
        assert_eq!(tree.states(), []);
        // Another kind of child keeps its id.
        let kept = || log.child("k").transient();
        let pid = supervisor::start_child(&tree.sup, kept()).unwrap().unwrap();
        assert_eq!(
            supervisor::start_child(&tree.sup, kept()),
            Err(StartChildError::AlreadyStarted(pid))
        );
        end(pid, ExitReason::Shutdown);
        assert_eq!(
            supervisor::start_child(&tree.sup, kept()),
            Err(StartChildError::AlreadyPresent)
        );
        tree.stop();
    });
}

#[test]
fn task_child_runs_once() {
    on_both_kinds(|| {
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne));
        let (send, receive) = std::sync::mpsc::channel();
        let task = Child::task("once", move || send.send(7).unwrap());
        supervisor::start_child(&tree.sup, task).unwrap();
        assert_eq!(receive.recv_timeout(LONG), Ok(7));
        crate::stage::eventually("it is forgotten", || tree.states().is_empty());
        tree.stop();
    });
}
