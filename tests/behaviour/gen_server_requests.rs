//! GenServer: what becomes of requests that do not block, whoever ends, and what they leave behind.

use crate::support::scripted::{
    Msg, Scripted, ask, both_servers, both_servers_in, busy, gate, plain, run, stop, sync,
};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind};
use perennial::{ExitReason, RequestId, Runtime};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

type Answer = Result<u64, CallError>;

fn failed(reason: ExitReason) -> Answer {
    Err(CallError::Exited(reason))
}

/// A request that the server keeps.
fn hold() -> impl FnOnce(ReplyTo<u64>) -> Msg {
    ask(|server, reply, _| {
        server.held.push_back(reply);
        Next::Loop
    })
}

/// Has a server ask another and say what came of it, under a label.
fn asks(
    (from, to): (&Ref<Msg>, &Ref<Msg>),
    timeout: Duration,
    answers: &mpsc::Sender<(&'static str, Answer)>,
    label: &'static str,
    make: impl FnOnce(ReplyTo<u64>) -> Msg + Send + 'static,
) {
    let (to, answers) = (to.clone(), answers.clone());
    from.cast(run(move |_, cx| {
        cx.request_for(timeout, &to, make, move |_, answer, _| {
            let _ = answers.send((label, answer));
            Next::Loop
        });
        Next::Loop
    }));
    sync(from);
}

fn server(kind: Kind) -> Ref<Msg> {
    plain(kind, None).0
}

fn kept(server: &Ref<Msg>) -> u64 {
    let count = ask(|server: &mut Scripted, reply: ReplyTo<u64>, _: &mut _| {
        reply.send(server.held.len() as u64);
        Next::Loop
    });
    server.call(count).expect("it answers")
}

/// Equals `true` if nobody waits any more for what the server keeps.
fn expired(server: &Ref<Msg>) -> bool {
    let look = ask(|server: &mut Scripted, reply: ReplyTo<u64>, _: &mut _| {
        reply.send(u64::from(server.held.iter().all(ReplyTo::is_expired)));
        Next::Loop
    });
    server.call(look).expect("it answers") == 1
}

fn timers(runtime: &Runtime) -> usize {
    runtime.scheduler_stats().timers
}

/// One request is in the hand of a callback that does not end, one was taken out with it, and one came later: all three
/// hear of the kill when the grace is over, and the code is none the wiser.
#[test]
fn requests_to_code_that_does_not_end_fail_when_it_is_cut() {
    let grace = Duration::from_millis(20);
    both_servers_in(
        || builder().kill_grace(grace),
        |kind, _| {
            let (from, to) = (server(kind), server(kind));
            let (sender, answers) = mpsc::channel();
            let (stuck, wait) = gate();
            let (say, in_hand) = mpsc::channel();
            let gate = busy(&to);
            let block = ask(move |_, reply, _| {
                let _ = say.send(());
                wait();
                reply.send(1);
                Next::Loop
            });
            asks((&from, &to), Duration::MAX, &sender, "in hand", block);
            asks((&from, &to), Duration::MAX, &sender, "taken", hold());
            drop(gate);
            in_hand.recv_timeout(LONG).expect("the callback runs");
            asks((&from, &to), Duration::MAX, &sender, "queued", hold());
            process::exit(&to, ExitReason::Kill);
            let mut told: Vec<_> = (0..3)
                .map(|_| answers.recv_timeout(LONG).expect("each hears of the end"))
                .collect();
            told.sort_by_key(|(label, _)| *label);
            let killed = || failed(ExitReason::Killed);
            let all = ["in hand", "queued", "taken"].map(|label| (label, killed()));
            assert_eq!(told, all);
            drop(stuck);
            assert!(process::wait_quiesced(to.pid(), LONG));
            sync(&from);
            assert!(answers.try_recv().is_err(), "each hears of it once");
            stop(&from);
        },
    );
}

/// The same, where the one that is cut lives in another runtime.
#[test]
fn request_to_another_runtime_fails_when_the_code_there_is_cut() {
    both_servers(|kind| {
        let grace = Duration::from_millis(20);
        let there = builder().kill_grace(grace).build().expect("it starts");
        let from = server(kind);
        let entered = there.enter();
        let to = server(kind);
        let (sender, answers) = mpsc::channel();
        let (stuck, wait) = gate();
        let (say, in_hand) = mpsc::channel();
        let block = ask(move |_, reply, _| {
            let _ = say.send(());
            wait();
            reply.send(1);
            Next::Loop
        });
        asks((&from, &to), Duration::MAX, &sender, "in hand", block);
        in_hand.recv_timeout(LONG).expect("the callback runs");
        process::exit(&to, ExitReason::Kill);
        let answer = answers.recv_timeout(LONG);
        assert_eq!(answer, Ok(("in hand", failed(ExitReason::Killed))));
        drop(stuck);
        assert!(process::wait_quiesced(to.pid(), LONG));
        drop(entered);
        stop(&from);
        assert_eq!(there.shutdown(LONG).zombies, 0);
    });
}

/// A kill that is met at the end of a callback is the answer of what was taken out with its message.
#[test]
fn requests_that_were_taken_out_fail_with_the_kill() {
    both_servers(|kind| {
        let (from, to) = (server(kind), server(kind));
        let (sender, answers) = mpsc::channel();
        let first = busy(&to);
        let (second, wait) = gate();
        let (say, taken) = mpsc::channel();
        to.cast(run(move |_, _| {
            let _ = say.send(());
            wait();
            Next::Loop
        }));
        asks((&from, &to), Duration::MAX, &sender, "first", hold());
        asks((&from, &to), Duration::MAX, &sender, "second", hold());
        drop(first);
        taken.recv_timeout(LONG).expect("the callback runs");
        process::exit(&to, ExitReason::Kill);
        drop(second);
        for label in ["first", "second"] {
            let answer = answers.recv_timeout(LONG);
            assert_eq!(answer, Ok((label, failed(ExitReason::Killed))));
        }
        stop(&from);
    });
}

/// Whoever holds the reply when the one that was asked ends, the end is the answer, and what comes later is not.
#[test]
fn request_fails_with_the_end_of_the_one_that_was_asked_wherever_its_reply_is() {
    both_servers(|kind| {
        let (from, to, third) = (server(kind), server(kind), server(kind));
        let (sender, answers) = mpsc::channel();
        let heir = third.clone();
        let hand_on = ask(move |_, reply: ReplyTo<u64>, _| {
            heir.cast(run(move |server, _| {
                server.held.push_back(reply);
                Next::Loop
            }));
            Next::Loop
        });
        asks((&from, &to), Duration::MAX, &sender, "elsewhere", hand_on);
        asks((&from, &to), Duration::MAX, &sender, "kept", hold());
        eventually("both are kept", || kept(&to) + kept(&third) == 2);
        to.cast(run(|_, _| Next::Stop(ExitReason::other("died"))));
        let mut told: Vec<_> = (0..2)
            .map(|_| answers.recv_timeout(LONG).expect("each hears of the end"))
            .collect();
        told.sort_by_key(|(label, _)| *label);
        let died = || failed(ExitReason::other("died"));
        assert_eq!(told, [("elsewhere", died()), ("kept", died())]);
        assert!(expired(&third));
        third.cast(run(|server, _| {
            server.held.drain(..).for_each(|reply| reply.send(1));
            Next::Loop
        }));
        sync(&third);
        sync(&from);
        assert!(answers.try_recv().is_err());
        stop(&from);
        stop(&third);
    });
}

/// The answer of another process counts while the one that was asked lives, and its end is none any more.
#[test]
fn request_that_was_handed_on_is_answered_once() {
    both_servers(|kind| {
        let (from, to, third) = (server(kind), server(kind), server(kind));
        let (sender, answers) = mpsc::channel();
        let heir = third.clone();
        let hand_on = ask(move |_, reply: ReplyTo<u64>, _| {
            heir.cast(run(move |_, _| {
                reply.send(7);
                Next::Loop
            }));
            Next::Loop
        });
        asks((&from, &to), LONG, &sender, "asked", hand_on);
        assert_eq!(answers.recv_timeout(LONG), Ok(("asked", Ok(7))));
        stop(&to);
        sync(&from);
        assert!(answers.try_recv().is_err());
        stop(&from);
        stop(&third);
    });
}

#[test]
fn cancelled_request_leaves_no_timer_and_nobody_waits_for_it() {
    both_servers_in(builder, |kind, runtime| {
        let (from, to) = (server(kind), server(kind));
        let asked = to.clone();
        let (sender, id) = mpsc::channel::<RequestId>();
        from.cast(run(move |_, cx| {
            let id = cx.request(&asked, hold(), |_, _, _| unreachable!("it was cancelled"));
            let _ = sender.send(id);
            Next::Loop
        }));
        let id = id.recv_timeout(LONG).expect("it asks");
        eventually("it is kept", || kept(&to) == 1);
        assert!(!expired(&to));
        // Those of the calls above are over.
        assert_eq!(timers(runtime), 1);
        from.cast(run(move |_, cx| {
            assert!(cx.cancel_request(id));
            Next::Loop
        }));
        sync(&from);
        assert!(expired(&to));
        assert_eq!(timers(runtime), 0);
        stop(&from);
        stop(&to);
    });
}

#[test]
fn requests_of_a_server_that_ends_leave_no_timers_and_nobody_waits_for_them() {
    both_servers_in(builder, |kind, runtime| {
        let (from, to) = (server(kind), server(kind));
        let (sender, answers) = mpsc::channel();
        for label in ["a", "b"] {
            asks((&from, &to), LONG, &sender, label, hold());
        }
        drop(sender);
        eventually("both are kept", || kept(&to) == 2);
        assert_eq!(timers(runtime), 2);
        stop(&from);
        assert!(expired(&to));
        assert_eq!(timers(runtime), 0);
        assert_eq!(answers.recv_timeout(LONG).map_err(|_| ()), Err(()));
        stop(&to);
    });
}

/// Answered from the middle, some of them cancelled, some late: each continuation runs once, and its own.
#[test]
fn many_requests_are_told_apart() {
    const COUNT: u64 = 300;
    both_servers(|kind| {
        let (from, to) = (server(kind), server(kind));
        let told = Arc::new(Mutex::new(Vec::new()));
        let (asked, tell) = (to.clone(), told.clone());
        from.cast(run(move |_, cx| {
            let ids: Vec<_> = (0..COUNT)
                .map(|n| {
                    let told = tell.clone();
                    cx.request(&asked, hold(), move |_, answer, _| {
                        told.lock().unwrap().push((n, answer));
                        Next::Loop
                    })
                })
                .collect();
            let cancelled = ids.iter().step_by(3);
            assert!(cancelled.cloned().all(|id| cx.cancel_request(id)));
            assert!(!cx.cancel_request(ids[0]));
            assert_eq!(cx.requests() as u64, COUNT - COUNT / 3);
            Next::Loop
        }));
        sync(&from);
        eventually("all are kept", || kept(&to) == COUNT);
        to.cast(run(|server, _| {
            let mut held: Vec<_> = server.held.drain(..).enumerate().collect();
            // From both ends in turn, in steps that leave gaps.
            held.sort_by_key(|(n, _)| (n % 7, n * 31 % 300));
            held.into_iter().for_each(|(n, reply)| reply.send(n as u64));
            Next::Loop
        }));
        sync(&to);
        sync(&from);
        let mut told = std::mem::take(&mut *told.lock().unwrap());
        told.sort_by_key(|(n, _)| *n);
        let wanted = (0..COUNT).filter(|n| n % 3 != 0).map(|n| (n, Ok(n)));
        assert_eq!(told, wanted.collect::<Vec<_>>());
        let left = ask(|_, reply: ReplyTo<u64>, cx: &mut Cx<Scripted>| {
            reply.send(cx.requests() as u64);
            Next::Loop
        });
        assert_eq!(from.call(left), Ok(0));
        stop(&from);
        stop(&to);
    });
}
