//! Receiving by hand, which processes on a thread of their own do: in order, in time, selectively.

use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, Received, ThreadContext};
use perennial::{ExitReason, MonitorRef};
use std::sync::mpsc;
use std::time::Duration;

/// Runs a closure as a process in a runtime of its own.
fn alone(main: impl FnOnce(&mut ThreadContext<u64>)) {
    on_stage(builder(), |_| {
        process::run(main).expect("the closure returns");
    });
}

fn is(wanted: u64) -> impl FnMut(Received<u64>) -> Result<u64, Received<u64>> {
    move |received| match received {
        Received::Message(n) if n == wanted => Ok(n),
        other => Err(other),
    }
}

fn drained(cx: &mut ThreadContext<u64>) -> Vec<u64> {
    let next = || cx.receive_timeout(Duration::ZERO)?.message();
    std::iter::from_fn(next).collect()
}

#[test]
fn what_is_passed_over_stays_in_order() {
    alone(|cx| {
        for n in 1..=5 {
            cx.me().cast(n);
        }
        assert_eq!(cx.receive_match(LONG, is(3)), Some(3));
        assert_eq!(cx.receive_match(LONG, is(5)), Some(5));
        cx.me().cast(6);
        assert_eq!(cx.receive_match(LONG, is(1)), Some(1));
        assert_eq!(drained(cx), [2, 4, 6]);
    });
}

#[test]
fn what_does_not_come_leaves_all_as_it_was() {
    alone(|cx| {
        for n in 1..=3 {
            cx.me().cast(n);
        }
        assert_eq!(cx.receive_match(Duration::ZERO, is(9)), None);
        assert_eq!(cx.receive_match(Duration::from_millis(1), is(9)), None);
        assert_eq!(cx.receive_match(LONG, is(2)), Some(2));
        assert_eq!(cx.receive_match(Duration::ZERO, is(9)), None);
        assert_eq!(drained(cx), [1, 3]);
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
    });
}

#[test]
fn selective_receive_waits_for_what_it_wants() {
    alone(|cx| {
        let me = cx.me().clone();
        let sender = process::spawn::<()>(move |_| (1..=100).for_each(|n| me.cast(n)));
        assert_eq!(cx.receive_match(LONG, is(100)), Some(100));
        assert_eq!(drained(cx), (1..100).collect::<Vec<_>>());
        process::watch(&sender).wait(LONG).expect("it ends");
    });
}

/// A down and an exit can be waited for past all messages, and each is received once.
#[test]
fn signals_are_selected_like_messages() {
    alone(|cx| {
        cx.trap_exit(true);
        let (linked, monitor) = monitored(cx);
        cx.me().cast(1);
        cx.link(&linked).expect("it lives");
        linked.cast(0);
        let down = cx.receive_match(LONG, |received| match received {
            Received::Down(down) if down.monitor == monitor => Ok(down),
            other => Err(other),
        });
        assert_eq!(down.map(|down| down.pid), Some(linked.pid()));
        let exit = cx.receive_match(LONG, |received| match received {
            Received::Exit(exit) => Ok(exit),
            other => Err(other),
        });
        assert_eq!(exit.map(|exit| exit.from), Some(linked.pid()));
        assert_eq!(drained(cx), [1]);
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
    });
}

/// A process that ends at its first message, and the monitor on it.
fn monitored(cx: &ThreadContext<u64>) -> (Ref<u64>, MonitorRef) {
    let child = process::spawn::<u64>(|cx| drop(cx.receive()));
    let monitor = cx.monitor(&child);
    (child, monitor)
}

/// What a selective receive saw and passed over can still be taken back.
#[test]
fn passed_over_signals_are_flushed() {
    alone(|cx| {
        cx.trap_exit(true);
        let (child, monitor) = monitored(cx);
        cx.link(&child).expect("it lives");
        child.cast(0);
        process::watch(&child).wait(LONG).expect("it ends");
        eventually("both signals wait", || {
            process::info(cx.pid()).is_some_and(|info| info.message_queue_len == 2)
        });
        assert_eq!(cx.receive_match(Duration::ZERO, is(9)), None);
        assert!(!cx.demonitor_flush(monitor));
        process::unlink_flush(&child).expect("this is a process");
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
    });
}

/// What a selective receive showed as a message while exits were trapped stays one.
#[test]
fn exit_that_was_seen_is_no_danger_later() {
    alone(|cx| {
        cx.trap_exit(true);
        let me = cx.pid();
        let sender = process::spawn::<()>(move |_| process::exit(me, ExitReason::other("seen")));
        process::watch(&sender).wait(LONG).expect("it ends");
        assert_eq!(cx.receive_match(Duration::ZERO, is(9)), None);
        assert!(cx.trap_exit(false));
        match cx.receive() {
            Received::Exit(exit) => assert_eq!(exit.reason, ExitReason::other("seen")),
            other => panic!("{other:?}"),
        }
    });
}

/// A request that was passed over is answered when it is received, and failed when its receiver ends.
#[test]
fn passed_over_requests_are_not_forgotten() {
    enum Msg {
        Add(u64, ReplyTo<u64>),
        Go,
    }
    on_stage(builder(), |_| {
        for answers in [true, false] {
            let server = process::spawn::<Msg>(move |cx| {
                let go = cx.receive_match(LONG, |received| match received {
                    Received::Message(Msg::Go) => Ok(()),
                    other => Err(other),
                });
                assert_eq!(go, Some(()));
                if answers && let Some(Msg::Add(n, reply)) = cx.receive().message() {
                    reply.send(n + 1);
                }
                cx.exit(ExitReason::other("done"));
            });
            let to = server.clone();
            let (sender, answer) = mpsc::channel();
            let caller = process::spawn::<()>(move |_| {
                let _ = sender.send(to.call(|reply| Msg::Add(1, reply)));
            });
            eventually("the request was passed over", || {
                process::info(&server).is_some_and(|info| {
                    info.message_queue_len == 0 && info.status == process::Status::Waiting
                }) && process::info(&caller)
                    .is_some_and(|info| info.status == process::Status::Waiting)
            });
            server.cast(Msg::Go);
            let answer = answer.recv_timeout(LONG).expect("the call comes to an end");
            if answers {
                assert_eq!(answer, Ok(2));
            } else {
                let done = ExitReason::other("done");
                assert_eq!(answer, Err(process::CallError::Exited(done)));
            }
        }
    });
}

#[test]
fn receive_of_a_request_has_its_answer() {
    alone(|cx| {
        let echo = process::spawn::<(u64, ReplyTo<u64>)>(|cx| {
            for _ in 0..1_000 {
                if let Some((n, reply)) = cx.receive().message() {
                    reply.send(n);
                }
            }
        });
        for n in 0..1_000 {
            assert_eq!(echo.call(|reply| (n, reply)), Ok(n));
        }
        process::watch(&echo).wait(LONG).expect("it ends");
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
    });
}
