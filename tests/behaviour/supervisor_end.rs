//! How supervisors and their children end.

use crate::actor::{Log, Manner, Tree, crash, end, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, Received};
use perennial::supervisor::{self, Shutdown, SupervisorEvent, What};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn one_for_one() -> Supervisor {
    Supervisor::new(Strategy::OneForOne)
}

#[test]
fn children_end_in_reverse_order() {
    on_both_kinds(|| {
        let log = Log::default();
        let trapping = |id| log.script(id).manner(Manner::Traps).child();
        let tree = Tree::of(
            one_for_one()
                .child(trapping("a"))
                .child(trapping("b"))
                .child(trapping("c")),
        );
        log.take();
        tree.stop();
        assert_eq!(
            log.take(),
            ["c ends: shutdown", "b ends: shutdown", "a ends: shutdown"]
        );
    });
}

/// Rows: sup.sup_stop_timeout, sup.sup_stop_brutal_kill, sup.sup_stop_infinity
#[test]
fn shutdown_rule_decides_how_a_child_ends() {
    on_both_kinds(|| {
        for (rule, manner, reason) in [
            (
                Shutdown::Timeout(Duration::from_millis(20)),
                Manner::Stubborn,
                ExitReason::Killed,
            ),
            (Shutdown::Timeout(LONG), Manner::Traps, ExitReason::Shutdown),
            (Shutdown::Timeout(LONG), Manner::Plain, ExitReason::Shutdown),
            (Shutdown::BrutalKill, Manner::Traps, ExitReason::Killed),
            (Shutdown::Infinity, Manner::Traps, ExitReason::Shutdown),
        ] {
            let log = Log::default();
            let child = log.script("a").manner(manner).child().shutdown(rule);
            let tree = Tree::of(one_for_one().child(child).child(log.child("sibling")));
            let mut watches = [0, 1].map(|at| process::watch(tree.pid(at)));
            tree.stop();
            assert_eq!(
                watches[0].wait(LONG).unwrap().reason,
                reason,
                "{rule:?} {manner:?}"
            );
            assert_eq!(watches[1].wait(LONG).unwrap().reason, ExitReason::Shutdown);
        }
    });
}

/// Rows: sup.child_unlink
#[test]
fn child_that_unlinked_itself_does_not_hang_the_supervisor() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.script("a").manner(Manner::Unlinks).child()));
        supervisor::terminate_child(&tree.sup, "a").unwrap();
        let gone = tree.pid_is_undefined();
        assert!(gone);
        tree.stop();
    });
}

impl Tree {
    fn pid_is_undefined(&self) -> bool {
        self.states()[0] == supervisor::ChildState::Undefined
    }
}

/// Rows: v.stranger_exit, v.exit_shutdown_from_stranger
#[test]
fn strangers_do_not_end_a_supervisor() {
    on_both_kinds(|| {
        process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let sup = one_for_one()
                .child(Log::default().child("a"))
                .start_link()
                .unwrap();
            let stranger = sup.clone();
            let (_, down) = process::spawn_monitor::<()>(move |cx| {
                cx.link(&stranger).unwrap();
                process::exit(&stranger, ExitReason::Shutdown);
                process::exit(&stranger, crash());
                cx.exit(crash());
            })
            .unwrap();
            match cx.receive_timeout(LONG) {
                Some(Received::Down(ended)) => assert_eq!(ended.monitor, down),
                other => panic!("{other:?}"),
            }
            assert_eq!(supervisor::count_children(&sup).unwrap().active, 1);
            process::exit(&sup, ExitReason::Shutdown);
            match cx.receive_timeout(LONG) {
                Some(Received::Exit(exit)) => {
                    assert_eq!((exit.from, exit.reason), (sup.pid(), ExitReason::Shutdown))
                }
                other => panic!("{other:?}"),
            }
        })
        .unwrap();
    });
}

/// Rows: v.parent_exit_normal
#[test]
fn end_of_the_parent_ends_the_tree_whatever_the_reason() {
    on_both_kinds(|| {
        for reason in [ExitReason::Normal, crash()] {
            let log = Log::default();
            let record = log.clone();
            let ends = reason.clone();
            let parent = process::spawn::<()>(move |cx| {
                one_for_one()
                    .child(record.script("a").manner(Manner::Traps).child())
                    .start_link()
                    .unwrap();
                cx.exit(ends);
            });
            process::watch(&parent).wait(LONG).unwrap();
            eventually("all are gone", || process::counts().processes == 0);
            assert_eq!(log.take(), ["a Up", "a ends: shutdown"], "{reason}");
        }
    });
}

#[test]
fn killed_supervisor_takes_its_children_with_it() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")).child(log.child("b")));
        end(tree.sup.pid(), ExitReason::Kill);
        eventually("all are gone", || process::counts().processes == 0);
    });
}

/// Escalation rebuilds the subtree, and a sibling does not notice.
///
/// Rows: sup.tree
#[test]
fn subtree_that_gives_up_is_rebuilt_by_the_one_above() {
    on_both_kinds(|| {
        let log = Log::default();
        let below = log.clone();
        let tree = Tree::of(
            one_for_one()
                .child(log.child("sibling"))
                .child(Child::supervisor("below", move || {
                    one_for_one().intensity(0, LONG).child(below.child("leaf"))
                })),
        );
        let (sibling, first) = (tree.pid(0), tree.pid(1));
        let leaf = process::info(first).unwrap().links;
        let leaf = *leaf.iter().find(|pid| **pid != tree.sup.pid()).unwrap();
        // From before: to one that is ending already it would say so before those above have heard of it.
        let mut watch = process::watch(first);
        end(leaf, crash());
        watch.wait(LONG).unwrap();
        assert_ne!(tree.pid(1), first);
        assert_eq!(tree.pid(0), sibling);
        assert_eq!(log.take(), ["sibling Up", "leaf Up", "leaf Up"]);
        tree.stop();
    });
}

// A transient supervisor that gives up ends clean, so it is not restarted.
#[test]
fn transient_subtree_that_gives_up_stays_down() {
    on_both_kinds(|| {
        let log = Log::default();
        let below = log.clone();
        let child = Child::supervisor("below", move || {
            one_for_one().intensity(0, LONG).child(below.child("leaf"))
        });
        let tree = Tree::of(
            one_for_one().child(child.spec(|spec| spec.restart = supervisor::Restart::Transient)),
        );
        let first = tree.pid(0);
        let leaf = *process::info(first)
            .unwrap()
            .links
            .iter()
            .find(|pid| **pid != tree.sup.pid())
            .unwrap();
        // From before: to one that is ending already it would say so before those above have heard of it.
        let mut watch = process::watch(first);
        end(leaf, crash());
        watch.wait(LONG).unwrap();
        assert!(tree.pid_is_undefined());
        tree.stop();
    });
}

#[test]
fn every_step_is_told() {
    on_both_kinds(|| {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tell = told.clone();
        process::attach(move |event: &SupervisorEvent| {
            let what = match &event.what {
                What::Started(_) => "started".to_owned(),
                What::Exited(_, reason) => format!("exited {reason}"),
                What::Restarting(..) => "restarting".to_owned(),
                What::Stopped(_, reason) => format!("stopped {reason}"),
                other => format!("{other:?}"),
            };
            tell.lock().unwrap().push(format!("{} {what}", event.child));
        });
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        end(tree.pid(0), crash());
        tree.states();
        tree.stop();
        let told = told.lock().unwrap().clone();
        assert_eq!(
            told,
            [
                "a started",
                "a exited \"crash\"",
                "a restarting",
                "a started",
                "a stopped shutdown"
            ]
        );
    });
}
