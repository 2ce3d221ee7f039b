//! What the façade costs: each of its parts beside the part of std, parking_lot or crossbeam that it is made
//! of, in the same run. `cargo bench --bench facade` prints ns per operation, the median of the rounds, and
//! the ratio to the plain part; a ratio near 1 is the aim.
#![allow(clippy::print_stdout, reason = "a bench is read in a terminal")]

use perennial::sync::{Arc, Parker, channel, thread};
use std::hint::black_box;
use std::time::Instant;

/// An odd number, so that there is a middle one; enough to outlast the noise of one.
const ROUNDS: usize = 11;

fn main() {
    compare(
        "lock: one uncontended lock and unlock",
        1_000_000,
        |n| {
            let mutex = perennial::sync::Mutex::new(0_u64);
            (0..n).for_each(|_| *black_box(&mutex).lock() += 1);
        },
        |n| {
            let mutex = parking_lot::Mutex::new(0_u64);
            (0..n).for_each(|_| *black_box(&mutex).lock() += 1);
        },
    );
    compare(
        "channel: one message sent and taken by the same thread",
        1_000_000,
        |n| {
            let (sender, receiver) = channel::unbounded();
            for number in 0..n {
                sender.send(number).expect("the receiver lives");
                assert_eq!(receiver.try_recv(), Ok(number));
            }
        },
        |n| {
            let (sender, receiver) = crossbeam_channel::unbounded();
            for number in 0..n {
                sender.send(number).expect("the receiver lives");
                assert_eq!(receiver.try_recv(), Ok(number));
            }
        },
    );
    compare(
        "wake: one round trip between two threads that wait for one another",
        20_000,
        |n| {
            let (ping, pong) = (Arc::new(Parker::new()), Arc::new(Parker::new()));
            let (wait, answer) = (ping.clone(), pong.clone());
            let echo = thread::spawn("echo".into(), None, move || {
                (0..n).for_each(|_| {
                    wait.park();
                    answer.unpark();
                });
            });
            (0..n).for_each(|_| {
                ping.unpark();
                pong.park();
            });
            echo.expect("a thread").join().expect("no panic");
        },
        |n| {
            let (ping, wait) = std::sync::mpsc::sync_channel(1);
            let (answer, pong) = std::sync::mpsc::sync_channel(1);
            let echo = std::thread::spawn(move || {
                (0..n).for_each(|_| {
                    wait.recv().expect("a ping");
                    answer.send(()).expect("a listener");
                });
            });
            (0..n).for_each(|_| {
                ping.send(()).expect("an echo");
                pong.recv().expect("an answer");
            });
            echo.join().expect("no panic");
        },
    );
}

/// Runs both alternately, each on `n` operations a round, and prints a line.
fn compare(name: &str, n: u64, ours: impl Fn(u64), plain: impl Fn(u64)) {
    let time = |run: &dyn Fn(u64)| {
        let started = Instant::now();
        run(n);
        started.elapsed().as_nanos() as f64 / n as f64
    };
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (time(&ours), time(&plain))).collect();
    let mut median = |part: fn(&(f64, f64)) -> f64| {
        rounds.sort_by(|a, b| part(a).total_cmp(&part(b)));
        part(&rounds[ROUNDS / 2])
    };
    let (ours, plain) = (median(|round| round.0), median(|round| round.1));
    println!(
        "{name}: {ours:.1} ns, plain {plain:.1} ns, ratio {:.2}",
        ours / plain
    );
}
