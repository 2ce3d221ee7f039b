//! Deadlocks of calls: found where they are, and nowhere else.

use super::calls::{Answer, Calling, calls, waits, with};
use crate::support::puppet::{Breed, Msg, Puppet, all_pairs, both_kinds_in};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, DeadlockFound, DeadlockPolicy};
use perennial::{ExitReason, Pid};
use std::sync::mpsc;
use std::time::Duration;

/// Puppets in a circle, each of which calls the next one; their answers.
fn circle(puppets: &[Puppet]) -> Vec<Calling> {
    let gates: Vec<_> = puppets.iter().map(Puppet::busy).collect();
    let callings = (0..puppets.len())
        .map(|at| {
            let next = &puppets[(at + 1) % puppets.len()];
            calls(&puppets[at], next, move |reply| Msg::Ask(at as u64, reply))
        })
        .collect();
    drop(gates);
    callings
}

#[test]
fn deadlock_of_two_and_of_three_fails_one_call_and_answers_the_others() {
    for size in [2, 3] {
        both_kinds_in(builder, |kind, runtime| {
            let (sender, found) = mpsc::channel();
            runtime.telemetry().attach(move |deadlock: &DeadlockFound| {
                let _ = sender.send(deadlock.path.clone());
            });
            let puppets: Vec<_> = (0..size).map(|_| kind.puppet()).collect();
            let callings = circle(&puppets);
            let answers: Vec<Answer> = callings.iter().map(Calling::answer).collect();
            let path = found.try_recv().expect("it was told");
            let mut failed = 0;
            for (at, answer) in answers.iter().enumerate() {
                match answer {
                    Err(CallError::Deadlock(path)) => {
                        failed += 1;
                        assert_eq!(path[0], puppets[at].pid());
                        assert_eq!(path.len(), size);
                        let mut whole: Vec<Pid> = puppets.iter().map(Puppet::pid).collect();
                        // The circle as it is walked, from the one that found it.
                        whole.rotate_left(at);
                        assert_eq!(*path, whole);
                    }
                    answer => assert_eq!(*answer, Ok(at as u64 + 1)),
                }
            }
            assert_eq!(failed, 1, "{answers:?}");
            assert_eq!(path.len(), size);
            assert!(found.try_recv().is_err(), "it was told once");
        });
    }
}

#[test]
fn deadlock_across_kinds_is_found() {
    all_pairs(|one, other| {
        if one == other {
            return;
        }
        let puppets = [one.puppet(), other.puppet()];
        let answers: Vec<Answer> = circle(&puppets).iter().map(Calling::answer).collect();
        assert!(
            answers
                .iter()
                .any(|one| matches!(one, Err(CallError::Deadlock(_)))),
            "{answers:?}"
        );
    });
}

#[test]
fn deadlock_is_only_reported_if_that_is_the_policy() {
    let reports = || builder().deadlock(DeadlockPolicy::Report);
    both_kinds_in(reports, |kind, runtime| {
        let (sender, found) = mpsc::channel();
        runtime.telemetry().attach(move |deadlock: &DeadlockFound| {
            let _ = sender.send(deadlock.path.clone());
        });
        let puppets = [kind.puppet(), kind.puppet()];
        let callings = circle(&puppets);
        let mut path = found.recv_timeout(LONG).expect("it is told");
        path.sort_unstable();
        let mut both = [puppets[0].pid(), puppets[1].pid()];
        both.sort_unstable();
        assert_eq!(path, both);
        assert!(callings[0].0.try_recv().is_err() && callings[1].0.try_recv().is_err());
        process::exit(puppets[0].pid(), ExitReason::Kill);
        assert_eq!(
            callings[1].answer(),
            Err(CallError::Exited(ExitReason::Killed))
        );
    });
}

#[test]
fn deadlock_is_not_looked_for_if_that_is_the_policy() {
    let off = || builder().deadlock(DeadlockPolicy::Off);
    both_kinds_in(off, |kind, runtime| {
        let (sender, found) = mpsc::channel();
        runtime.telemetry().attach(move |_: &DeadlockFound| {
            let _ = sender.send(());
        });
        let puppets = [kind.puppet(), kind.puppet()];
        let (a, b) = (puppets[0].me(), puppets[1].me());
        let gate = puppets[0].busy();
        let (sender, answer) = mpsc::channel();
        puppets[0].order(move |_| {
            let _ = sender.send(b.call_for(Duration::from_millis(60), |reply| Msg::Ask(1, reply)));
        });
        let second = puppets[1].busy();
        let (sender, other) = mpsc::channel();
        puppets[1].order(move |_| {
            let _ = sender.send(a.call_for(LONG, |reply| Msg::Ask(1, reply)));
        });
        drop((gate, second));
        // Only the time of the one that gave up first resolves it.
        assert_eq!(answer.recv_timeout(LONG), Ok(Err(CallError::Timeout)));
        assert_eq!(other.recv_timeout(LONG), Ok(Ok(2)));
        assert!(found.try_recv().is_err());
    });
}

/// A chain that leads back only through a request which was handed on is no circle.
#[test]
fn detached_request_is_no_part_of_a_deadlock() {
    all_pairs(|one, other| {
        let (a, b, helper) = (one.puppet(), other.puppet(), other.puppet());
        let (first, third) = (a.me(), helper.me());
        let (sender, nested) = mpsc::channel();
        let gate = b.busy();
        let calling = calls(
            &a,
            &b,
            with(move |reply, _| {
                reply.detach();
                third.cast(Msg::Hold(reply));
                // The one that waits for the answer is asked something: without the note above, a circle.
                let _ = sender.send(first.call_for(3 * LONG, |reply| Msg::Ask(1, reply)));
            }),
        );
        eventually("one waits", || waits(&a));
        drop(gate);
        eventually("both wait", || waits(&b));
        // Long enough for two looks, by events: two other deadlocks are found and resolved meanwhile.
        for _ in 0..2 {
            let others = [one.puppet(), other.puppet()];
            let answers: Vec<Answer> = circle(&others).iter().map(Calling::answer).collect();
            assert!(answers.iter().any(Result::is_err));
        }
        assert!(nested.try_recv().is_err());
        helper.run(|inside| inside.held().expect("it was handed over").send(5));
        assert_eq!(calling.answer(), Ok(5));
        assert_eq!(nested.recv_timeout(LONG), Ok(Ok(2)));
    });
}

/// One that has answered and then calls its caller back finds it free, or is told at once that it is not: the
/// pool may have run it on the stack of its caller.
#[test]
fn callback_after_the_answer_never_hangs() {
    all_pairs(|one, other| {
        for _ in 0..20 {
            let (a, b) = (one.puppet(), other.puppet());
            let (back, both) = (a.me(), [b.pid(), a.pid()]);
            let (sender, called_back) = mpsc::channel();
            let calling = calls(
                &a,
                &b,
                with(move |reply, _| {
                    reply.send(1);
                    let _ = sender.send(back.call_for(3 * LONG, |reply| Msg::Ask(1, reply)));
                }),
            );
            assert_eq!(calling.answer(), Ok(1));
            match called_back.recv_timeout(LONG) {
                Ok(Ok(2)) => {}
                Ok(Err(CallError::Deadlock(path))) => {
                    assert_eq!((one, other), (Breed::Pooled, Breed::Pooled));
                    assert_eq!(path, both);
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

/// A start waits for `init`, so an `init` that calls its starter waits for itself.
#[test]
fn init_that_calls_its_starter_is_a_deadlock() {
    struct Caller;
    impl GenServer for Caller {
        type Args = (Ref<Msg>, mpsc::Sender<Answer>);
        type Msg = ();
        fn init((starter, sender): Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            let _ = sender.send(starter.call_for(3 * LONG, |reply| Msg::Ask(1, reply)));
            Init::Ok(Caller)
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
    }
    all_pairs(|one, other| {
        let starter = one.puppet();
        let (sender, answer) = mpsc::channel();
        let child = starter.run(move |inside| {
            let spec = gen_server::spec::<Caller>((inside.me().clone(), sender));
            match other {
                Breed::Pooled => spec.pooled().start(),
                _ => spec.thread().start(),
            }
        });
        match answer.recv_timeout(LONG) {
            Ok(Err(CallError::Deadlock(path))) => assert_eq!(path.len(), 2),
            other => panic!("{other:?}"),
        }
        gen_server::stop(&child.expect("the child is up")).expect("it stops");
    });
}
