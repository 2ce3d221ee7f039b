//! Stopping a supervisor from outside: with a reason, in time, and at a deadline with whatever is left.

use crate::actor::{Log, Manner, Start, Tree, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, CallError};
use perennial::supervisor::{self, Shutdown, StopReport, dynamic_supervisor};
use std::time::Duration;

fn one_for_one() -> Supervisor {
    Supervisor::new(Strategy::OneForOne)
}

const SOON: Duration = Duration::from_millis(50);

fn killed(report: &StopReport) -> Vec<String> {
    let ids = report.killed.iter().map(|killed| killed.id.to_string());
    ids.collect()
}

#[test]
fn supervisor_ends_with_the_reason_it_is_stopped_with() {
    on_both_kinds(|| {
        for reason in [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("update"),
            ExitReason::other("broken"),
        ] {
            let log = Log::default();
            let tree = Tree::of(one_for_one().child(log.script("a").manner(Manner::Traps).child()));
            let mut watch = process::watch(&tree.sup);
            let stopped = supervisor::stop_for(&tree.sup, reason.clone(), LONG);
            assert_eq!(stopped, Ok(()));
            assert_eq!(watch.wait(LONG).unwrap().reason, reason);
            assert_eq!(log.take(), ["a Up", "a ends: shutdown"]);
        }
        let gone = Tree::of(one_for_one()).sup;
        supervisor::stop(&gone).unwrap();
        assert_eq!(supervisor::stop(&gone), Err(CallError::NoProc));
        assert_eq!(supervisor::stop_within(&gone, LONG), Err(CallError::NoProc));
    });
}

#[test]
fn stop_that_takes_too_long_goes_on_without_whoever_asked() {
    on_both_kinds(|| {
        let log = Log::default();
        let stubborn = log.script("s").manner(Manner::Stubborn).child();
        let tree = Tree::of(one_for_one().child(stubborn.shutdown(Shutdown::Infinity)));
        let s = tree.pid(0);
        let stopped = supervisor::stop_for(&tree.sup, ExitReason::Normal, SOON);
        assert_eq!(stopped, Err(CallError::Timeout));
        let mut watch = process::watch(&tree.sup);
        process::exit(s, ExitReason::Kill);
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Normal);
    });
}

#[test]
fn tree_that_ends_in_time_ends_in_order() {
    on_both_kinds(|| {
        let log = Log::default();
        let trapping = |id| log.script(id).manner(Manner::Traps).child();
        let tree = Tree::of(one_for_one().child(trapping("a")).child(trapping("b")));
        log.take();
        let report = supervisor::stop_within(&tree.sup, LONG).unwrap();
        assert_eq!(report.reason, ExitReason::Normal);
        assert_eq!(report.killed, []);
        assert_eq!(log.take(), ["b ends: shutdown", "a ends: shutdown"]);
    });
}

/// A supervisor keeps a new child where it kept the one that left; what counts is when each was added.
#[test]
fn child_that_takes_the_place_of_another_is_the_last_of_its_siblings() {
    on_both_kinds(|| {
        let log = Log::default();
        let trapping = |id| log.script(id).manner(Manner::Traps).child();
        let children = ["a", "b", "c"].map(trapping).into_iter();
        let tree = Tree::of(children.fold(one_for_one(), Supervisor::child));
        for id in ["a", "b"] {
            supervisor::terminate_child(&tree.sup, id).unwrap();
            supervisor::delete_child(&tree.sup, id).unwrap();
        }
        for id in ["d", "e"] {
            supervisor::start_child(&tree.sup, trapping(id)).unwrap();
        }
        let seen = supervisor::snapshot(&tree.sup).unwrap();
        let seen: Vec<_> = seen.iter().map(|child| &*child.id).collect();
        assert_eq!(seen, ["c", "d", "e"]);
        let asked = supervisor::which_children(&tree.sup).unwrap();
        let asked: Vec<_> = asked.iter().map(|child| child.id.as_deref()).collect();
        assert_eq!(asked, [Some("e"), Some("d"), Some("c")], "the newest first");
        log.take();
        tree.stop();
        let stopped = ["e ends: shutdown", "d ends: shutdown", "c ends: shutdown"];
        assert_eq!(log.take(), stopped);
    });
}

#[test]
fn whatever_is_left_at_the_deadline_is_killed_and_named() {
    on_both_kinds(|| {
        let log = Log::default();
        let child = |id, manner| {
            let child = log.script(id).manner(manner).child();
            child.shutdown(Shutdown::Infinity)
        };
        let (below, deep) = (child("below", Manner::Stubborn), log.script("deep"));
        let mut below = Some(below);
        let tree = Tree::of(
            one_for_one()
                .child(child("first", Manner::Traps))
                .child(Child::supervisor("tree", move || {
                    let sup = one_for_one();
                    let below = below.take().expect("it is started once");
                    sup.child(deep.clone().manner(Manner::Traps).child())
                        .child(below)
                }))
                .child(child("last", Manner::Plain)),
        );
        let root = tree.sup.pid();
        let inner = tree.pid(1);
        let report = supervisor::stop_within(&tree.sup, SOON).unwrap();
        // The last ended in order; then one below held up the rest.
        assert_eq!(killed(&report), ["", "first", "tree", "deep", "below"]);
        assert_eq!(report.reason, ExitReason::Killed);
        let below = report.killed.last().unwrap();
        assert_eq!(below.supervisor, Some(inner));
        assert_eq!(below.label.as_deref(), Some("below"));
        assert_eq!(report.killed[0].pid, root);
        assert_eq!(process::counts().processes, 0, "nobody is alive any more");
    });
}

#[test]
fn children_of_dynamic_supervisors_are_killed_at_the_deadline_too() {
    on_both_kinds(|| {
        let log = Log::default();
        let rooms = DynamicSupervisor::new().start().unwrap();
        for manner in [
            Manner::Plain,
            Manner::Stubborn,
            Manner::Traps,
            Manner::Stubborn,
        ] {
            let child = log.script("room").manner(manner).child();
            let child = child.shutdown(Shutdown::Infinity);
            dynamic_supervisor::start_child(&rooms, child).unwrap();
        }
        let report = supervisor::stop_within(&rooms, SOON).unwrap();
        assert_eq!(killed(&report), ["", "room", "room"]);
        assert_eq!(process::counts().processes, 0);
    });
}

/// A child whose `init` hangs is part of the tree, and killed with it.
#[test]
fn child_that_hangs_in_its_start_is_killed_at_the_deadline() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let hangs = log
            .script("hangs")
            .starts([Start::Hang])
            .manner(Manner::Traps);
        let (sup, child) = (tree.sup.clone(), hangs.child().shutdown(Shutdown::Infinity));
        let starter = process::spawn::<()>(move |_| {
            assert!(supervisor::start_child(&sup, child).is_err());
        });
        eventually("it hangs", || log.len() == 2);
        let report = supervisor::stop_within(&tree.sup, SOON).unwrap();
        assert_eq!(killed(&report).last().unwrap(), "hangs");
        process::watch(&starter)
            .wait(LONG)
            .expect("it has its answer");
    });
}

#[test]
fn process_does_not_stop_its_own_supervisor_and_wait() {
    on_both_kinds(|| {
        let log = Log::default();
        let (send, stopped) = std::sync::mpsc::channel();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let sup = tree.sup.clone();
        let task = Child::task("stops", move || {
            // It is told to end like all others, and ends here.
            send.send(supervisor::stop_within(&sup, LONG)).unwrap();
        });
        let mut watch = process::watch(&tree.sup);
        // Its answer may come after the end of whom was asked.
        let _ = supervisor::start_child(&tree.sup, task);
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Normal);
        assert!(stopped.recv_timeout(LONG).is_err());
    });
}
