//! Timers and the registry, beside a heap and a map behind a lock.

use crate::line;
use crate::server::{Msg, start, start_many};
use criterion::Criterion;
use perennial::{Registry, process};
use std::collections::{BinaryHeap, HashMap};
use std::hint::black_box;
use std::sync::mpsc::channel;
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

const KEYS: u64 = 1_000;

static LOOKUP: Registry<u64, Msg> = Registry::new("lookup");
static REGISTER: Registry<u64, Msg> = Registry::new("register");

pub(crate) fn benches(criterion: &mut Criterion) {
    timers(criterion);

    let mut group = criterion.benchmark_group("registry: a lookup among 1000 keys");
    let servers = start_many(KEYS as usize);
    for (key, server) in (0..).zip(&servers) {
        LOOKUP.register(key, server).expect("the key is free");
    }
    line(&mut group, "whereis", |n| {
        for at in 0..n {
            black_box(LOOKUP.whereis(&(at % KEYS)).expect("it is there"));
        }
    });
    let map: RwLock<HashMap<u64, u64>> = RwLock::new((0..KEYS).map(|key| (key, key)).collect());
    line(&mut group, "plain HashMap behind an RwLock", |n| {
        for at in 0..n {
            black_box(map.read().expect("no panic").get(&(at % KEYS)).copied());
        }
    });
    group.finish();

    let mut group = criterion.benchmark_group("registry: registered and taken back");
    let server = start();
    line(&mut group, "register and unregister", |n| {
        for key in 0..n {
            REGISTER.register(key, &server).expect("the key is free");
            REGISTER.unregister(&key, &server);
        }
    });
    line(&mut group, "plain HashMap behind an RwLock", |n| {
        for key in (0..n).map(|key| key + KEYS) {
            map.write().expect("no panic").insert(key, key);
            black_box(map.write().expect("no panic").remove(&key));
        }
    });
    group.finish();
}

fn timers(criterion: &mut Criterion) {
    const HOUR: Duration = Duration::from_secs(3600);
    let server = start();

    let mut group = criterion.benchmark_group("timer: set and cancelled");
    line(&mut group, "send_after and cancel_timer", |n| {
        for _ in 0..n {
            let timer = process::send_after(HOUR, server.clone(), Msg::Inc);
            black_box(process::cancel_timer(timer));
        }
    });
    let heap = Mutex::new(BinaryHeap::new());
    line(&mut group, "plain Mutex<BinaryHeap>", |n| {
        for at in 0..n {
            let due = Instant::now() + HOUR;
            heap.lock().expect("no panic").push((due, at));
            black_box(heap.lock().expect("no panic").pop());
        }
    });
    group.finish();

    let mut group = criterion.benchmark_group("timer: a millisecond awaited");
    let moment = Duration::from_millis(1);
    line(&mut group, "send_after", |n| {
        for _ in 0..n {
            let (done, over) = channel();
            process::send_after(moment, server.clone(), Msg::Note(done));
            over.recv().expect("it comes");
        }
    });
    line(&mut group, "plain std::sync::mpsc, recv_timeout", |n| {
        let (_open, never) = channel::<()>();
        (0..n).for_each(|_| assert!(never.recv_timeout(moment).is_err()));
    });
    group.finish();
}
