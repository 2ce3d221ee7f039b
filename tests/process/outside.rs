//! Waiting outside the library: whatever comes for the process ends the wait.

use perennial::prelude::*;
use perennial::process::{self, Received, wait_outside, watch};
use perennial::{ExitReason, Runtime};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A thread process that waits for a bell which only the alarm rings, and tells what it receives.
fn waiter(told: Sender<u32>) -> Ref<u32> {
    process::spawn::<u32>(move |cx| {
        let (bell, bells) = mpsc::channel();
        loop {
            let bell = bell.clone();
            wait_outside(
                // The waiter lives as long as its bell.
                move || {
                    let _ = bell.send(());
                },
                || bells.recv_timeout(PATIENCE).expect("the alarm rings"),
            );
            while let Some(received) = cx.receive_timeout(Duration::ZERO) {
                if let Received::Message(message) = received {
                    told.send(message).expect("the test listens");
                }
            }
        }
    })
}

fn on_stage(act: impl FnOnce(Ref<u32>, Receiver<u32>)) {
    let runtime = Runtime::builder()
        .kill_grace(Duration::from_secs(3600))
        .build();
    let runtime = runtime.expect("a runtime");
    let entered = runtime.enter();
    let (sender, told) = mpsc::channel();
    act(waiter(sender), told);
    drop(entered);
    runtime.shutdown(PATIENCE);
}

#[test]
fn message_ends_the_wait() {
    on_stage(|waiter, told| {
        for number in 0..2000 {
            waiter.cast(number);
            assert_eq!(told.recv_timeout(PATIENCE), Ok(number));
        }
        for number in 0..2000 {
            waiter.cast(number);
        }
        for number in 0..2000 {
            assert_eq!(told.recv_timeout(PATIENCE), Ok(number));
        }
    });
}

#[test]
fn kill_ends_the_process_in_its_wait() {
    on_stage(|waiter, told| {
        waiter.cast(1);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
        let mut watch = watch(waiter.pid());
        process::exit(waiter.pid(), ExitReason::Kill);
        let down = watch.wait(PATIENCE).expect("it ends");
        assert_eq!(down.reason, ExitReason::Killed);
    });
}

#[test]
fn exit_signal_ends_the_process_in_its_wait() {
    on_stage(|waiter, told| {
        waiter.cast(1);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
        let mut watch = watch(waiter.pid());
        process::exit(waiter.pid(), ExitReason::other("enough"));
        let down = watch.wait(PATIENCE).expect("it ends");
        assert_eq!(down.reason, ExitReason::other("enough"));
    });
}

#[test]
fn plain_thread_just_waits() {
    let mut waited = false;
    wait_outside(|| unreachable!("nothing comes"), || waited = true);
    assert!(waited);
}
