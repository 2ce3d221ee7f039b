//! Calls: a monitor on the addressed process and a slot for one answer.

use crate::support::puppet::{Breed, Inside, Msg, Puppet, all_pairs, both_kinds, both_kinds_in};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError};
use perennial::{ExitReason, Pid};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(super) type Answer = Result<u64, CallError>;

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// A call of the puppet that is under way.
pub(super) struct Calling(pub(super) mpsc::Receiver<Answer>);

impl Calling {
    #[track_caller]
    pub(super) fn answer(&self) -> Answer {
        self.0.recv_timeout(LONG).expect("the call comes to an end")
    }
}

/// Has a puppet call, and does not wait for it.
pub(super) fn calls(
    caller: &Puppet,
    to: &Puppet,
    make: impl FnOnce(ReplyTo<u64>) -> Msg + Send + 'static,
) -> Calling {
    let (sender, answer) = mpsc::channel();
    let to = to.me();
    caller.order(move |_| {
        let _ = sender.send(to.call_for(3 * LONG, make));
    });
    Calling(answer)
}

/// A request that makes its receiver do something with it.
pub(super) fn with(
    job: impl FnOnce(ReplyTo<u64>, &mut Inside<'_>) + Send + 'static,
) -> impl FnOnce(ReplyTo<u64>) -> Msg {
    move |reply| Msg::Do(Box::new(move |inside| job(reply, inside)))
}

pub(super) fn waits(puppet: &Puppet) -> bool {
    process::info(puppet.pid()).is_some_and(|info| info.status == process::Status::Waiting)
}

#[test]
fn call_gets_its_answer() {
    all_pairs(|one, other| {
        let (caller, server) = (one.puppet(), other.puppet());
        assert_eq!(server.me().call(|reply| Msg::Ask(1, reply)), Ok(2));
        let to = server.me();
        let sum = caller.run(move |_| {
            (0..100)
                .map(|n| to.call(|reply| Msg::Ask(n, reply)))
                .sum::<Result<u64, _>>()
        });
        assert_eq!(sum, Ok(5050));
    });
}

#[test]
fn kept_request_is_answered_later_by_anybody() {
    all_pairs(|one, other| {
        let (caller, server, third) = (one.puppet(), other.puppet(), other.puppet());
        let calling = calls(&caller, &server, Msg::Hold);
        server.holds_one();
        server.run(|inside| inside.held().expect("it holds one").send(7));
        assert_eq!(calling.answer(), Ok(7));

        let calling = calls(&caller, &server, Msg::Hold);
        eventually("the request is held", || held(&server, &third));
        third.run(|inside| {
            let reply = inside.held().expect("it was handed over");
            assert_ne!(reply.caller(), Pid::INIT);
            reply.send(8);
        });
        assert_eq!(calling.answer(), Ok(8));
    });
}

/// Hands a held request over, if there is one.
fn held(from: &Puppet, to: &Puppet) -> bool {
    let to = to.me();
    from.run(move |inside| match inside.held() {
        Some(reply) => {
            to.cast(Msg::Hold(reply));
            true
        }
        None => false,
    })
}

#[test]
fn call_fails_with_the_reason_of_the_one_it_addressed() {
    all_pairs(|one, other| {
        let (caller, server, third) = (one.puppet(), other.puppet(), other.puppet());
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let server = other.puppet();
            let calling = calls(&caller, &server, Msg::Hold);
            server.holds_one();
            server.end(reason.clone());
            let expected = match (other, &reason) {
                // It holds the request on its stack, which is gone before it has ended.
                (Breed::Thread, ExitReason::Normal) => CallError::NoReply,
                _ => CallError::Exited(reason),
            };
            assert_eq!(calling.answer(), Err(expected));
        }
        // Whoever holds the request by then.
        let calling = calls(&caller, &server, Msg::Hold);
        eventually("the request is handed over", || held(&server, &third));
        process::exit(server.pid(), ExitReason::Kill);
        assert_eq!(calling.answer(), Err(CallError::Exited(ExitReason::Killed)));
        third.run(|inside| {
            let reply = inside.held().expect("it was handed over");
            assert!(reply.is_expired());
            reply.send(1);
        });
        let panicking = other.puppet();
        let calling = calls(
            &caller,
            &panicking,
            with(|_reply, _| panic!("out of paper")),
        );
        match calling.answer() {
            Err(CallError::Exited(ExitReason::Panic(panic))) => {
                assert_eq!(panic.message(), "out of paper");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            panicking.me().call(|reply| Msg::Ask(1, reply)),
            Err(CallError::NoProc)
        );
    });
}

/// A request that waits in the mailbox when its receiver ends is failed with the reason as well.
#[test]
fn queued_call_fails_with_the_reason() {
    all_pairs(|one, other| {
        let (caller, server) = (one.puppet(), other.puppet());
        let busy = server.busy();
        server.end(died());
        let calling = calls(&caller, &server, |reply| Msg::Ask(1, reply));
        eventually("the request waits", || server.info().message_queue_len == 2);
        drop(busy);
        assert_eq!(calling.answer(), Err(CallError::Exited(died())));
    });
}

#[test]
fn request_dropped_by_one_that_lives_is_no_reply() {
    all_pairs(|one, other| {
        let (caller, server, third) = (one.puppet(), other.puppet(), other.puppet());
        let calling = calls(&caller, &server, with(|reply, _| drop(reply)));
        assert_eq!(calling.answer(), Err(CallError::NoReply));
        // By another process.
        let calling = calls(&caller, &server, Msg::Hold);
        eventually("the request is handed over", || held(&server, &third));
        third.run(|inside| drop(inside.held()));
        assert_eq!(calling.answer(), Err(CallError::NoReply));
        // In the course of a panic that is caught: the process lives.
        let calling = calls(
            &caller,
            &server,
            with(|reply, _| {
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                    let _reply = reply;
                    panic!("caught");
                }));
                assert!(caught.is_err());
            }),
        );
        assert_eq!(calling.answer(), Err(CallError::NoReply));
        assert!(server.is_alive());
    });
}

/// The end of the callback decides: the one that dropped the request stops, so its reason is the answer.
#[test]
fn request_dropped_by_one_that_stops_fails_with_the_reason() {
    both_kinds(|kind| {
        let (caller, other) = (kind.puppet(), kind.puppet());
        for through_another in [false, true] {
            let server = kind.puppet();
            let to = other.me();
            let calling = calls(
                &caller,
                &server,
                with(move |reply, inside| {
                    drop(reply);
                    if through_another {
                        // Another process may run on this thread meanwhile, and has requests of its own.
                        assert_eq!(to.call(|reply| Msg::Ask(1, reply)), Ok(2));
                        let child = Breed::Pooled.puppet();
                        child.end(ExitReason::Normal);
                    }
                    inside.exit(died());
                }),
            );
            let expected = match kind {
                // A closure is no callback: what it drops is dropped.
                Breed::Thread => CallError::NoReply,
                _ => CallError::Exited(died()),
            };
            assert_eq!(calling.answer(), Err(expected));
        }
    });
}

/// A request that a server drops is decided by that server, whatever ran on its thread in between.
#[test]
fn request_dropped_before_a_start_that_fails_is_no_reply() {
    struct Broken;
    impl GenServer for Broken {
        type Args = ();
        type Msg = ();
        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            panic!("broken")
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
    }
    both_kinds(|kind| {
        let (caller, server) = (kind.puppet(), kind.puppet());
        let calling = calls(
            &caller,
            &server,
            with(|reply, _| {
                drop(reply);
                let started = gen_server::spec::<Broken>(()).pooled().start();
                assert!(started.is_err());
            }),
        );
        assert_eq!(calling.answer(), Err(CallError::NoReply));
    });
}

#[test]
fn late_answer_is_dropped() {
    all_pairs(|one, other| {
        let (caller, server) = (one.puppet(), other.puppet());
        let to = server.me();
        let answer = caller.run(move |_| to.call_for(Duration::from_millis(1), Msg::Hold));
        assert_eq!(answer, Err(CallError::Timeout));
        let expired = server.run(|inside| {
            let reply = inside.held().expect("it holds one");
            let expired = reply.is_expired();
            reply.send(1);
            expired
        });
        assert!(expired);
        caller.nothing_more();
    });
}

#[test]
fn call_of_no_time_gets_only_what_is_there_at_once() {
    both_kinds(|kind| {
        let server = kind.puppet();
        let busy = server.busy();
        let answer = server
            .me()
            .call_for(Duration::ZERO, |reply| Msg::Ask(1, reply));
        assert_eq!(answer, Err(CallError::Timeout));
        drop(busy);
        assert_eq!(
            server
                .me()
                .call_for(Duration::MAX, |reply| Msg::Ask(1, reply)),
            Ok(2)
        );
    });
}

#[test]
fn call_to_oneself_is_refused() {
    both_kinds(|kind| {
        let name: Name<Msg> = Name::new("narcissus");
        let puppet = kind.named(&name);
        let answers = puppet.run(move |inside| {
            let me = inside.me().clone();
            (
                me.call(|reply| Msg::Ask(1, reply)),
                name.call(|reply| Msg::Ask(1, reply)),
                gen_server::stop(&me),
            )
        });
        let expected = CallError::CallingSelf;
        let refused: (Answer, Answer, Result<(), CallError>) =
            (Err(expected.clone()), Err(expected.clone()), Err(expected));
        assert_eq!(answers, refused);
    });
}

#[test]
fn nested_calls_inherit_the_deadline() {
    all_pairs(|one, other| {
        let (middle, last) = (one.puppet(), other.puppet());
        let (sender, seen) = mpsc::channel();
        let to = last.me();
        let begun = Instant::now();
        let patience = Duration::from_millis(50);
        // A closure received the request, but nothing says when it is through with it: it inherits nothing.
        let inherits = one != Breed::Thread;
        let own_patience = if inherits { LONG } else { 2 * patience };
        let answer = middle.me().call_for(
            patience,
            with(move |reply, _| {
                let own = reply.deadline();
                let nested = to.call_for(own_patience, |nested| {
                    let _ = sender.send((own, nested.deadline()));
                    Msg::Hold(nested)
                });
                assert_eq!(nested, Err(CallError::Timeout));
            }),
        );
        assert!(
            matches!(answer, Err(CallError::Timeout | CallError::NoReply)),
            "{answer:?}"
        );
        let (own, nested) = seen.recv_timeout(LONG).expect("the nested call was made");
        assert!(own.is_some_and(|own| own >= begun + patience));
        assert_eq!(nested == own, inherits);
        // What is no part of the request has no deadline of it.
        middle.sync();
        let to = last.me();
        assert_eq!(
            middle.run(move |_| to.call(|reply| Msg::Ask(1, reply))),
            Ok(2)
        );
    });
}

/// A caller that is killed or told to end while it waits does so at once.
#[test]
fn signals_reach_a_caller_that_waits() {
    all_pairs(|one, other| {
        let server = other.puppet();
        for reason in [ExitReason::Kill, died()] {
            let caller = one.puppet();
            let mut watch = process::watch(caller.pid());
            let calling = calls(&caller, &server, Msg::Hold);
            server.holds_one();
            eventually("it waits", || waits(&caller));
            process::exit(caller.pid(), reason.clone());
            let ended = if reason == ExitReason::Kill {
                ExitReason::Killed
            } else {
                reason
            };
            assert_eq!(caller.ended(&mut watch), ended);
            assert!(
                calling.0.recv_timeout(LONG).is_err(),
                "the call has no answer"
            );
            let expired = server.run(|inside| inside.held().map(|reply| reply.is_expired()));
            assert_eq!(expired, Some(true));
        }
    });
}

/// Where one that traps waits for an answer, an exit is a message that waits.
#[test]
fn exit_does_not_disturb_a_caller_that_traps() {
    all_pairs(|one, other| {
        let (caller, server) = (one.puppet().traps(), other.puppet());
        let calling = calls(&caller, &server, Msg::Hold);
        server.holds_one();
        server.run({
            let to = caller.pid();
            move |_| process::exit(to, died())
        });
        server.run(|inside| inside.held().expect("it holds one").send(3));
        assert_eq!(calling.answer(), Ok(3));
        assert_eq!(caller.next_exit(), (server.pid(), died()));
    });
}

#[test]
fn call_into_an_exhausted_pool_fails_at_once() {
    let small = || builder().workers(2).spare_max(1);
    both_kinds_in(small, |kind, _| {
        let server = kind.puppet();
        let holder = Breed::Thread.puppet();
        let waiting: Vec<_> = (0..1)
            .map(|_| {
                let caller = Breed::Pooled.puppet();
                let calling = calls(&caller, &holder, Msg::Hold);
                eventually("it waits", || waits(&caller));
                (caller, calling)
            })
            .collect();
        let late = Breed::Pooled.puppet();
        let to = holder.me();
        let answer = late.run(move |_| to.call_for(LONG, Msg::Hold));
        assert_eq!(answer, Err(CallError::PoolExhausted));
        // The pool still runs what does not wait, and plain threads may wait as they like.
        assert_eq!(server.me().call(|reply| Msg::Ask(1, reply)), Ok(2));
        holder.run(|inside| {
            while let Some(reply) = inside.held() {
                reply.send(4);
            }
        });
        for (_, calling) in &waiting {
            assert_eq!(calling.answer(), Ok(4));
        }
        let to = server.me();
        assert_eq!(
            late.run(move |_| to.call(|reply| Msg::Ask(1, reply))),
            Ok(2)
        );
    });
}

/// More callers than workers wait, one for the other, in a row.
#[test]
fn chain_of_calls_is_longer_than_the_pool_is_wide() {
    const LENGTH: usize = 24;
    let narrow = || builder().workers(1);
    both_kinds_in(narrow, |kind, _| {
        let puppets: Vec<_> = (0..LENGTH).map(|_| kind.puppet()).collect();
        let refs: Vec<_> = puppets.iter().map(Puppet::me).collect();
        assert_eq!(relay(refs), Ok(LENGTH as u64));
    });
}

fn relay(mut rest: Vec<Ref<Msg>>) -> Answer {
    let Some(next) = rest.pop() else { return Ok(0) };
    next.call_for(
        LONG,
        with(move |reply, _| {
            if let Ok(n) = relay(rest) {
                reply.send(n + 1);
            }
        }),
    )
}

/// The mailbox of a caller plays no part in its calls.
#[test]
fn answers_do_not_go_through_the_mailbox() {
    all_pairs(|one, other| {
        use crate::support::puppet::{Record, Tell};
        let (caller, server) = (one.puppet(), other.puppet());
        let (me, to) = (caller.me(), server.me());
        let answer = caller.run(move |_| {
            for n in 0..10_000 {
                me.tell(n);
            }
            (0..100)
                .map(|n| to.call(|reply| Msg::Ask(n, reply)))
                .sum::<Result<u64, _>>()
        });
        assert_eq!(answer, Ok(5050));
        for n in 0..10_000 {
            assert_eq!(caller.next(), Record::Told(n));
        }
    });
}
