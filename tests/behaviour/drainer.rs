//! Drainers: nothing new begins, and what has begun has its time.

use crate::actor::{Log, Manner, Tree, by_hand, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{self, ChildStatus, Drainer, Gate, Scope, What};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn one_for_one() -> Supervisor {
    Supervisor::new(Strategy::OneForOne)
}

/// Stops a tree aside; whoever is asked knows when that is through.
fn stop_aside(tree: &Tree) -> process::Watch {
    let sup = tree.sup.clone();
    let stopper = process::spawn::<()>(move |_| supervisor::stop(&sup).unwrap());
    process::watch(&stopper)
}

fn drains(tree: &Tree) {
    eventually("the gate is closed and the drainer waits", || {
        let seen = supervisor::snapshot(&tree.sup).unwrap();
        let drainer = seen.iter().find(|child| &*child.id == "drainer").unwrap();
        matches!(drainer.status, ChildStatus::Stopping(_))
    });
}

fn pieces(events: &mut supervisor::Events) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(event) = events.next(Duration::ZERO) {
        if let What::Draining(_) | What::Drained(_) = event.what {
            all.push(format!("{} {:?}", event.child, event.what));
        }
    }
    all
}

#[test]
fn stop_waits_for_what_has_begun_and_lets_nothing_begin() {
    on_both_kinds(|| {
        let (log, gate) = (Log::default(), Gate::new());
        let mut events = supervisor::events(Scope::All);
        let called = Arc::new(Mutex::new(0));
        let count = called.clone();
        let probe = gate.clone();
        let drainer = Drainer::new("drainer", &gate, LONG).on_drain(move || {
            assert!(!probe.is_open(), "the gate is closed first");
            *count.lock().unwrap() += 1;
        });
        let tree = Tree::of(
            one_for_one()
                .child(log.script("worker").manner(Manner::Traps).child())
                .child(drainer),
        );
        log.take();
        let (first, second) = (gate.enter().unwrap(), gate.enter().unwrap());
        let mut stopped = stop_aside(&tree);
        drains(&tree);
        eventually("the gate is closed", || !gate.is_open());
        assert!(gate.enter().is_none());
        let mut seen = Vec::new();
        eventually("the two inside are counted", || {
            seen.extend(pieces(&mut events));
            !seen.is_empty()
        });
        drop(first);
        assert!(stopped.wait(Duration::ZERO).is_none());
        assert_eq!(log.len(), 0, "the worker is still there for the second");
        drop(second);
        stopped.wait(LONG).expect("the tree ends");
        assert_eq!(log.take(), ["worker ends: shutdown"]);
        assert_eq!(*called.lock().unwrap(), 1);
        seen.extend(pieces(&mut events));
        assert_eq!(seen, ["drainer Draining(2)", "drainer Drained(0)"]);
    });
}

#[test]
fn empty_gate_holds_nobody_up() {
    on_both_kinds(|| {
        let gate = Gate::new();
        let tree = Tree::of(one_for_one().child(Drainer::new("drainer", &gate, Duration::MAX)));
        assert!(gate.is_open());
        tree.stop();
        assert!(!gate.is_open());
        assert_eq!(
            process::counts().timers,
            0,
            "nothing reminds of its patience"
        );
    });
}

#[test]
fn patience_ends_and_the_tree_with_it() {
    by_hand(|hand| {
        let gate = Gate::new();
        let mut events = supervisor::events(Scope::All);
        let patience = Duration::from_secs(30);
        let tree = Tree::of(one_for_one().child(Drainer::new("drainer", &gate, patience)));
        let pass = gate.enter().unwrap();
        let mut stopped = stop_aside(&tree);
        drains(&tree);
        eventually("its time runs", || process::counts().timers == 2);
        hand.advance(patience - Duration::from_millis(1));
        assert!(stopped.wait(Duration::ZERO).is_none());
        hand.advance(Duration::from_millis(1));
        eventually("the tree ends", || stopped.wait(Duration::ZERO).is_some());
        assert_eq!(
            pieces(&mut events),
            ["drainer Draining(1)", "drainer Drained(1)"]
        );
        drop(pass);
        assert_eq!(gate.inside(), 0);
    });
}

#[test]
fn work_that_crashes_has_ended() {
    on_both_kinds(|| {
        let gate = Gate::new();
        let tree = Tree::of(one_for_one().child(Drainer::new("drainer", &gate, LONG)));
        let pass = gate.enter().unwrap();
        let work = process::spawn::<()>(move |cx| {
            let _pass = pass;
            cx.receive();
        });
        let mut stopped = stop_aside(&tree);
        drains(&tree);
        process::exit(&work, ExitReason::Kill);
        stopped.wait(LONG).expect("the tree ends");
    });
}

#[test]
fn tree_that_comes_back_opens_the_gate_again() {
    on_both_kinds(|| {
        let gate = Gate::new();
        let door = gate.clone();
        let tree = Tree::of(one_for_one().child(Child::supervisor("below", move || {
            one_for_one().child(Drainer::new("drainer", &door, LONG))
        })));
        supervisor::terminate_child(&tree.sup, "below").unwrap();
        assert!(gate.enter().is_none());
        supervisor::restart_child(&tree.sup, "below").unwrap();
        assert!(gate.enter().is_some());
        tree.stop();
    });
}

/// A drainer that dies lets work go on: only an end that was asked for closes the gate.
#[test]
fn killed_drainer_comes_back_and_the_gate_stays_open() {
    on_both_kinds(|| {
        let gate = Gate::new();
        let tree = Tree::of(one_for_one().child(Drainer::new("drainer", &gate, LONG)));
        let pass = gate.enter().unwrap();
        crate::actor::end(tree.pid(0), ExitReason::Kill);
        tree.pid(0);
        assert_eq!((gate.is_open(), gate.inside()), (true, 1));
        drop(pass);
        tree.stop();
    });
}

#[test]
fn panic_at_the_beginning_does_not_keep_it_from_waiting() {
    on_both_kinds(|| {
        let gate = Gate::new();
        let drainer = Drainer::new("drainer", &gate, LONG).on_drain(|| panic!("no listener"));
        let tree = Tree::of(one_for_one().child(drainer));
        let pass = gate.enter().unwrap();
        let mut stopped = stop_aside(&tree);
        drains(&tree);
        assert!(stopped.wait(Duration::ZERO).is_none());
        drop(pass);
        stopped.wait(LONG).expect("the tree ends");
    });
}

/// It waits without holding a worker: a hundred of them drain on one.
#[test]
fn many_drainers_need_one_worker() {
    let runtime = perennial::Runtime::builder()
        .workers(1)
        .spare_max(0)
        .build()
        .unwrap();
    let entered = runtime.enter();
    let gate = Gate::new();
    let pass = gate.enter().unwrap();
    let trees: Vec<Tree> = (0..100)
        .map(|_| Tree::of(one_for_one().child(Drainer::new("drainer", &gate, LONG))))
        .collect();
    let mut stopped: Vec<_> = trees.iter().map(stop_aside).collect();
    trees.iter().for_each(drains);
    drop(pass);
    for stopped in &mut stopped {
        stopped.wait(LONG).expect("the tree ends");
    }
    drop(entered);
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
}
