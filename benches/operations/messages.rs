//! Messages that nobody waits for: one way, from several at once, in a ring and to many.

use crate::server::{Msg, get_behind_all, start, start_many};
use crate::{line, timed};
use criterion::Criterion;
use perennial::prelude::*;
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// How many send at once, stand in the ring, and get each broadcast.
const SENDERS: u64 = 4;
const RING: usize = 100;
const RECEIVERS: usize = 100;

pub(crate) fn benches(criterion: &mut Criterion) {
    cast(criterion);
    fanin(criterion);
    ring(criterion);
    fanout(criterion);
}

fn cast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cast, and handled");
    let server = start();
    line(&mut group, "cast", |n| {
        (0..n).for_each(|_| server.cast(Msg::Inc));
        get_behind_all(&server);
    });
    line(&mut group, "plain std::sync::mpsc", |n| {
        let (sender, receiver) = channel();
        let reader = thread::spawn(move || receiver.iter().sum::<u64>());
        (0..n).for_each(|_| sender.send(1).expect("it listens"));
        drop(sender);
        assert_eq!(reader.join().expect("no panic"), n);
    });
    line(&mut group, "plain Mutex<VecDeque>, one thread", |n| {
        let queue = Mutex::new(VecDeque::new());
        for number in 0..n {
            queue.lock().expect("no panic").push_back(number);
            assert_eq!(queue.lock().expect("no panic").pop_front(), Some(number));
        }
    });
    group.finish();
}

fn fanin(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanin: cast by 4 threads, and handled");
    let server = start();
    line(&mut group, "cast", |n| {
        from_all(n, |_| server.cast(Msg::Inc));
        get_behind_all(&server);
    });
    line(&mut group, "plain std::sync::mpsc", |n| {
        let (sender, receiver) = channel();
        let reader = thread::spawn(move || receiver.iter().count());
        from_all(n, |number| sender.send(number).expect("it listens"));
        drop(sender);
        black_box(reader.join().expect("no panic"));
    });
    line(&mut group, "plain Mutex<VecDeque>", |n| {
        let queue = Mutex::new(VecDeque::new());
        from_all(n, |number| {
            queue.lock().expect("no panic").push_back(number);
        });
        black_box(queue.into_inner().expect("no panic").drain(..).count());
    });
    group.finish();
}

/// Has all senders share `n` operations.
fn from_all(n: u64, send: impl Fn(u64) + Sync) {
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (send, share) = (&send, n / SENDERS + u64::from(sender < n % SENDERS));
            scope.spawn(move || (0..share).for_each(send));
        }
    });
}

fn ring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring: a hop among 100");
    let servers = start_many(RING);
    for (at, server) in servers.iter().enumerate() {
        server.cast(Msg::Next(servers[(at + 1) % servers.len()].clone()));
    }
    line(&mut group, "pooled servers", |n| {
        let (done, over) = channel();
        servers[0].cast(Msg::Token(n, done));
        over.recv().expect("the token comes to its end");
    });
    timed(&mut group, "plain threads and std::sync::mpsc", |n| {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..RING).map(|_| channel::<u64>()).unzip();
        let (done, over) = channel();
        let mut threads = Vec::new();
        for (at, receiver) in receivers.into_iter().enumerate() {
            let (next, done) = (senders[(at + 1) % RING].clone(), done.clone());
            threads.push(thread::spawn(move || {
                // Once round more, so that each hears that it is over: the last hop goes on as zero.
                while let Ok(hops) = receiver.recv() {
                    if hops == 1 {
                        done.send(()).expect("somebody waits");
                    }
                    let _ = next.send(hops.saturating_sub(1));
                    if hops <= 1 {
                        break;
                    }
                }
            }));
        }
        let began = Instant::now();
        senders[0].send(n).expect("it listens");
        over.recv().expect("the token comes to its end");
        let took = began.elapsed();
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        took
    });
    group.finish();
}

fn fanout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanout: a broadcast to 100, and handled");
    let servers = start_many(RECEIVERS);
    line(&mut group, "pooled servers", |n| {
        for _ in 0..n {
            servers.iter().for_each(|server| server.cast(Msg::Inc));
        }
        servers.iter().for_each(|server| {
            get_behind_all(server);
        });
    });
    line(&mut group, "plain Mutex<VecDeque> each", |n| {
        let queues: Arc<[Mutex<VecDeque<u64>>]> =
            (0..RECEIVERS).map(|_| Mutex::default()).collect();
        for number in 0..n {
            for queue in queues.iter() {
                queue.lock().expect("no panic").push_back(number);
            }
        }
        for queue in queues.iter() {
            black_box(queue.lock().expect("no panic").drain(..).count());
        }
    });
    group.finish();
}
