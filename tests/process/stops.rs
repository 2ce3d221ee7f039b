//! Stopping a closure that runs on a thread of its own: it hears of it where it receives.

use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, Received};
use perennial::{ExitReason, Ref};
use std::sync::mpsc;
use std::time::Duration;

/// Tells when it is dropped.
struct Teller(mpsc::Sender<&'static str>);

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.send("dropped").unwrap();
    }
}

/// A closure that tells what it receives, and when its values are dropped.
fn listener(traps: bool) -> (Ref<&'static str>, mpsc::Receiver<&'static str>) {
    let (sender, told) = mpsc::channel();
    let listener = process::spawn(move |cx| {
        let teller = Teller(sender);
        cx.trap_exit(traps);
        loop {
            if let Received::Message(text) = cx.receive() {
                teller.0.send(text).unwrap();
            }
        }
    });
    (listener, told)
}

/// It never ended, and whoever stopped it waited for ever: what asks for a stop was dropped by every receive.
#[test]
fn closure_that_receives_is_stopped_after_what_it_was_sent_before() {
    on_stage(builder(), |_| {
        for traps in [false, true] {
            for reason in [
                ExitReason::Normal,
                ExitReason::Shutdown,
                ExitReason::other(7),
            ] {
                let (listener, told) = listener(traps);
                let mut watch = process::watch(&listener);
                listener.cast("before");
                let stopped = gen_server::stop_for(&listener, reason.clone(), LONG);
                assert_eq!(stopped, Ok(()));
                listener.cast("after");
                assert_eq!(told.iter().collect::<Vec<_>>(), ["before", "dropped"]);
                assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(reason));
            }
        }
    });
}

#[test]
fn closure_that_receives_selectively_is_stopped_there() {
    on_stage(builder(), |_| {
        let (ready, is_ready) = mpsc::channel();
        let picky = process::spawn::<u32>(move |cx| {
            ready.send(()).unwrap();
            cx.receive_match(Duration::MAX, Err::<(), _>);
        });
        is_ready.recv_timeout(LONG).unwrap();
        picky.cast(1);
        assert_eq!(
            gen_server::stop_for(&picky, ExitReason::Normal, LONG),
            Ok(())
        );
    });
}

#[test]
fn closure_that_never_receives_does_not_hear_of_a_stop() {
    on_stage(builder(), |_| {
        let (release, gate) = mpsc::channel::<()>();
        let deaf = process::spawn::<()>(move |_| assert!(gate.recv().is_err()));
        let stopped = gen_server::stop_for(&deaf, ExitReason::Normal, Duration::from_millis(1));
        assert_eq!(stopped, Err(CallError::Timeout));
        drop(release);
        process::watch(&deaf).wait(LONG).expect("it ends by itself");
        assert_eq!(gen_server::stop(&deaf), Err(CallError::NoProc));
    });
}

/// A stop that is caught on its way is met again.
#[test]
fn stop_that_is_caught_comes_back() {
    on_stage(builder(), |_| {
        let stubborn = process::spawn::<()>(|cx| {
            let receive = std::panic::AssertUnwindSafe(|| cx.receive());
            assert!(std::panic::catch_unwind(receive).is_err());
            cx.receive();
            unreachable!("it was stopped");
        });
        assert_eq!(
            gen_server::stop_for(&stubborn, ExitReason::Normal, LONG),
            Ok(())
        );
    });
}

/// Whoever ends for another reason meanwhile did not stop.
#[test]
fn stop_of_a_closure_that_ends_otherwise_says_so() {
    on_stage(builder(), |_| {
        let (go, gate) = mpsc::channel::<()>();
        let other = process::spawn::<()>(move |cx| {
            assert!(gate.recv().is_err());
            cx.exit(ExitReason::other("mine"));
        });
        let pid = other.pid();
        let stopper = process::spawn::<ReplyTo<Result<(), CallError>>>(move |cx| {
            let stopped = gen_server::stop(pid);
            if let Some(reply) = cx.receive().message() {
                reply.send(stopped);
            }
        });
        eventually("the stop is under way", || {
            process::info(&stopper).is_some_and(|info| info.status == process::Status::Waiting)
        });
        drop(go);
        let answer = stopper.call_for(LONG, |reply| reply).unwrap();
        assert_eq!(answer, Err(CallError::Exited(ExitReason::other("mine"))));
    });
}
