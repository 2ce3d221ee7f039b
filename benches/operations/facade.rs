//! What the façade costs: each of its parts beside the part of std, parking_lot or crossbeam that it is made of.

use crate::line;
use criterion::Criterion;
use perennial::sync::{Arc, Parker, channel, thread};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("façade: an uncontended lock and unlock");
    line(&mut group, "perennial::sync::Mutex", |n| {
        let mutex = perennial::sync::Mutex::new(0_u64);
        (0..n).for_each(|_| *black_box(&mutex).lock() += 1);
    });
    line(&mut group, "plain parking_lot::Mutex", |n| {
        let mutex = parking_lot::Mutex::new(0_u64);
        (0..n).for_each(|_| *black_box(&mutex).lock() += 1);
    });
    group.finish();

    let mut group = criterion.benchmark_group("façade: sent and taken by one thread");
    line(&mut group, "perennial::sync::channel", |n| {
        let (sender, receiver) = channel::unbounded();
        for number in 0..n {
            sender.send(number).expect("the receiver lives");
            assert_eq!(receiver.try_recv(), Ok(number));
        }
    });
    line(&mut group, "plain crossbeam_channel", |n| {
        let (sender, receiver) = crossbeam_channel::unbounded();
        for number in 0..n {
            sender.send(number).expect("the receiver lives");
            assert_eq!(receiver.try_recv(), Ok(number));
        }
    });
    group.finish();

    let mut group = criterion.benchmark_group("façade: two threads wait for one another");
    line(&mut group, "perennial::sync::Parker", parkers);
    line(&mut group, "plain std::sync::mpsc", channels);
    group.finish();
}

fn parkers(n: u64) {
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
}

fn channels(n: u64) {
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
}
