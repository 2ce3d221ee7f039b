//! Beyond OTP: a wait before each restart, and what may come in between.

use crate::actor::{Log, Start, Tree, by_hand, crash, end};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{self, ChildState, ChildStatus, RestartChildError, Scope, What};
use perennial::time::ManualClock;
use std::time::Duration;

const MIN: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(60);

fn lots(strategy: Strategy) -> Supervisor {
    Supervisor::new(strategy).intensity(100, LONG)
}

fn running(tree: &Tree, at: usize) -> bool {
    matches!(tree.states()[at], ChildState::Running(_))
}

/// The wait of the next restart that is told of.
fn delay(events: &mut supervisor::Events) -> Duration {
    let mut told = None;
    eventually("a restart is told of", || {
        let event = events.next(Duration::ZERO);
        if let Some(What::Restarting(_, delay)) = event.map(|event| event.what) {
            told = Some(delay);
        }
        told.is_some()
    });
    told.unwrap_or_default()
}

/// A wait for `full`, less a little at random: the hand goes there in two steps, of which the first is too short.
fn wait_out(tree: &Tree, hand: &ManualClock, at: usize, full: Duration, delay: Duration) {
    assert!(
        delay <= full && delay >= full * 3 / 4,
        "{delay:?} of {full:?}"
    );
    hand.advance(delay - Duration::from_millis(1));
    assert_eq!(tree.states()[at], ChildState::Restarting);
    hand.advance(Duration::from_millis(1));
    eventually("it is back", || running(tree, at));
}

#[test]
fn wait_doubles_and_begins_again_after_a_long_life() {
    by_hand(|hand| {
        let mut events = supervisor::events(Scope::All);
        let log = Log::default();
        let tree = Tree::of(
            lots(Strategy::OneForOne)
                .child(log.child("a").backoff(MIN, MAX))
                .child(log.child("b")),
        );
        let b = tree.pid(1);
        for round in [0, 1, 2, 3, 4, 5, 6, 6] {
            end(tree.pid(0), crash());
            assert_eq!(tree.states()[0], ChildState::Restarting);
            assert_eq!(tree.pid(1), b, "the others go on");
            let full = (MIN * 2_u32.pow(round)).min(MAX);
            let delay = delay(&mut events);
            wait_out(&tree, hand, 0, full, delay);
        }
        // It lives for longer than the longest wait, and what was is forgotten.
        hand.advance(MAX + Duration::from_millis(1));
        end(tree.pid(0), crash());
        tree.states();
        let delay = delay(&mut events);
        wait_out(&tree, hand, 0, MIN, delay);
        tree.stop();
    });
}

#[test]
fn waits_of_many_children_differ() {
    by_hand(|_| {
        let mut events = supervisor::events(Scope::All);
        let log = Log::default();
        let sup = lots(Strategy::OneForOne);
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let sup = ids
            .iter()
            .fold(sup, |sup, id| sup.child(log.child(id).backoff(MIN, MAX)));
        let tree = Tree::of(sup);
        let mut delays = Vec::new();
        for at in 0..ids.len() {
            end(tree.pid(at), crash());
            tree.states();
            delays.push(delay(&mut events));
        }
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 1, "{delays:?}");
        tree.stop();
    });
}

#[test]
fn child_that_waits_is_managed_as_one_that_runs() {
    by_hand(|hand| {
        let log = Log::default();
        let child = || log.child("a").backoff(MIN, MAX);
        let tree = Tree::of(lots(Strategy::OneForOne).child(child()));
        end(tree.pid(0), crash());
        assert_eq!(tree.states(), [ChildState::Restarting]);
        let snapshot = supervisor::snapshot(&tree.sup).unwrap();
        assert_eq!(snapshot[0].status, ChildStatus::Restarting);
        assert_eq!(
            supervisor::restart_child(&tree.sup, "a"),
            Err(RestartChildError::Restarting)
        );
        assert_eq!(
            supervisor::start_child(&tree.sup, child()),
            Err(supervisor::StartChildError::AlreadyPresent)
        );
        supervisor::terminate_child(&tree.sup, "a").unwrap();
        hand.advance(MAX);
        assert_eq!(tree.states(), [ChildState::Undefined]);
        assert_eq!(process::counts().timers, 0, "what would start it is gone");
        supervisor::restart_child(&tree.sup, "a").unwrap().unwrap();
        assert_eq!(log.take(), ["a Up", "a Up"]);
        tree.stop();
    });
}

#[test]
fn supervisor_stops_while_a_child_waits() {
    by_hand(|_| {
        let log = Log::default();
        for strategy in [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ] {
            let tree = Tree::of(
                lots(strategy)
                    .child(log.child("a").backoff(MAX, MAX))
                    .child(log.child("b")),
            );
            end(tree.pid(0), crash());
            assert_eq!(tree.states()[0], ChildState::Restarting);
            tree.stop();
            assert_eq!(process::counts().timers, 0);
        }
    });
}

/// The group of a child that waits is down; when another child of the group ends meanwhile, all come back with it.
#[test]
fn group_waits_for_its_member_and_comes_back_with_another() {
    by_hand(|hand| {
        let log = Log::default();
        let tree = Tree::of(
            lots(Strategy::OneForAll)
                .child(log.child("a").backoff(MIN, MAX))
                .child(log.child("b")),
        );
        end(tree.pid(0), crash());
        assert_eq!(
            tree.states(),
            [ChildState::Restarting, ChildState::Undefined]
        );
        supervisor::start_child(&tree.sup, log.child("c")).unwrap();
        end(tree.pid(2), crash());
        for at in 0..3 {
            assert!(running(&tree, at), "{at}");
        }
        let pids = [0, 1, 2].map(|at| tree.pid(at));
        hand.advance(MAX);
        assert_eq!(
            [0, 1, 2].map(|at| tree.pid(at)),
            pids,
            "nothing is left of the wait"
        );
        tree.stop();
    });
}

/// A restart that fails after its wait waits again, for longer, and counts.
#[test]
fn failed_restart_waits_again() {
    by_hand(|hand| {
        let mut events = supervisor::events(Scope::All);
        let log = Log::default();
        let script = log.script("a");
        let sup = Supervisor::new(Strategy::OneForOne).intensity(3, 100 * MAX);
        let tree = Tree::of(sup.child(script.child().backoff(MIN, MAX)));
        let mut watch = process::watch(&tree.sup);
        script.next([Start::Fail; 2]);
        end(tree.pid(0), crash());
        for round in 0..3 {
            tree.states();
            let (delay, full) = (delay(&mut events), MIN * 2_u32.pow(round));
            assert!(delay <= full && delay >= full * 3 / 4, "{round}: {delay:?}");
            let starts = log.len();
            hand.advance(delay);
            eventually("it was tried", || log.len() > starts);
        }
        eventually("it is back", || running(&tree, 0));
        assert_eq!(log.take(), ["a Up", "a Fail", "a Fail", "a Up"]);
        end(tree.pid(0), ExitReason::Kill);
        eventually("three restarts were all it had", || {
            watch.wait(Duration::ZERO).is_some()
        });
        let ended = watch.wait(Duration::ZERO).unwrap();
        assert_eq!(ended.reason, ExitReason::Shutdown);
    });
}
