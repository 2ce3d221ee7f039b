//! Supervisors that end when their significant children have.

use crate::actor::{Log, Tree, crash, end, on_both_kinds};
use crate::stage::LONG;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, Watch};
use perennial::supervisor::{self, AutoShutdown};

fn sup(auto: AutoShutdown) -> Supervisor {
    Supervisor::new(Strategy::OneForOne)
        .auto_shutdown(auto)
        .intensity(100, LONG)
}

fn ends_shutdown(watch: &mut Watch) {
    assert_eq!(
        watch.wait(LONG).expect("the supervisor ends").reason,
        ExitReason::Shutdown
    );
}

/// Rows: sup.significant_temporary
#[test]
fn first_significant_temporary_child_ends_it_however_it_ends() {
    on_both_kinds(|| {
        for reason in [ExitReason::Kill, crash(), ExitReason::Shutdown] {
            let log = Log::default();
            let child = |id| log.child(id).temporary().significant();
            let tree = Tree::of(
                sup(AutoShutdown::AnySignificant)
                    .child(child("a"))
                    .child(child("b")),
            );
            let mut watch = process::watch(&tree.sup);
            end(tree.pid(0), reason);
            ends_shutdown(&mut watch);
        }
        let log = Log::default();
        let tree = Tree::of(
            sup(AutoShutdown::AnySignificant).child(log.child("a").temporary().significant()),
        );
        supervisor::terminate_child(&tree.sup, "a").unwrap();
        assert_eq!(tree.states(), []);
        tree.stop();
    });
}

/// Rows: sup.significant_transient
#[test]
fn significant_transient_child_counts_only_when_it_stays_down() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(
            sup(AutoShutdown::AnySignificant).child(log.child("a").transient().significant()),
        );
        let mut watch = process::watch(&tree.sup);
        end(tree.pid(0), crash());
        end(tree.pid(0), ExitReason::Shutdown);
        ends_shutdown(&mut watch);
        assert_eq!(log.take().len(), 2);
    });
}

/// Rows: v.all_significant_last
#[test]
fn last_significant_child_ends_it() {
    on_both_kinds(|| {
        let log = Log::default();
        let child = |id| log.child(id).transient().significant();
        let tree = Tree::of(
            sup(AutoShutdown::AllSignificant)
                .child(child("a"))
                .child(child("b"))
                .child(log.child("bystander")),
        );
        let mut watch = process::watch(&tree.sup);
        end(tree.pid(0), ExitReason::Shutdown);
        assert_eq!(tree.states().len(), 3);
        end(tree.pid(1), ExitReason::Shutdown);
        ends_shutdown(&mut watch);
    });
}

/// Rows: sup.nonsignificant_temporary, sup.nonsignificant_transient
#[test]
fn other_children_never_end_it() {
    on_both_kinds(|| {
        for auto in [
            AutoShutdown::Never,
            AutoShutdown::AnySignificant,
            AutoShutdown::AllSignificant,
        ] {
            let log = Log::default();
            let tree = Tree::of(
                sup(auto)
                    .child(log.child("t").temporary())
                    .child(log.child("u").transient()),
            );
            end(tree.pid(0), crash());
            end(tree.pid(0), ExitReason::Shutdown);
            assert_eq!(tree.states().len(), 1);
            tree.stop();
        }
    });
}

/// Rows: sup.significant_bystander
#[test]
fn significant_child_stopped_by_a_sibling_does_not_count() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(
            Supervisor::new(Strategy::OneForAll)
                .auto_shutdown(AutoShutdown::AnySignificant)
                .child(log.child("a"))
                .child(log.child("b").transient().significant()),
        );
        end(tree.pid(0), crash());
        tree.pid(1);
        tree.stop();
    });
}

/// Rows: sup.significant_escalation
#[test]
fn inner_shutdown_of_a_significant_subtree_ends_the_outer_one() {
    on_both_kinds(|| {
        let log = Log::default();
        let below = log.clone();
        let inner = Child::supervisor("inner", move || {
            sup(AutoShutdown::AnySignificant).child(below.child("leaf").temporary().significant())
        });
        let inner = inner.spec(|spec| {
            spec.restart = supervisor::Restart::Transient;
            spec.significant = true;
        });
        let tree = Tree::of(sup(AutoShutdown::AnySignificant).child(inner));
        let mut watch = process::watch(&tree.sup);
        let links = process::info(tree.pid(0)).unwrap().links;
        let leaf = *links.iter().find(|pid| **pid != tree.sup.pid()).unwrap();
        end(leaf, crash());
        ends_shutdown(&mut watch);
    });
}
