//! Timers, the registry, and what nothing costs.

use crate::server::{Msg, start, start_many};
use crate::system::{Sample, pause, processor_time};
use crate::{Args, Outcome};
use perennial::prelude::*;
use perennial::{Registry, process};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// N timers spread over a second: what setting one costs, and how late they are.
pub(crate) fn timer(args: &Args) -> Outcome {
    let server = start();
    let (done, late) = channel();
    let began = Instant::now();
    for at in 0..args.n {
        let delay = Duration::from_secs(1).mul_f64(at as f64 / args.n as f64);
        let due = Instant::now() + delay;
        let done = done.clone();
        let note = Msg::Run(Box::new(move |_, _| {
            done.send(due.elapsed()).expect("somebody waits");
            Next::Loop
        }));
        process::send_after(delay, server.clone(), note);
    }
    let took = began.elapsed();
    let mut sample = Sample::default();
    late.iter()
        .take(args.n as usize)
        .for_each(|late| sample.add(late));
    Outcome::new(args.n, took)
        .with("late_p50_ns", sample.percentile(50.0))
        .with("late_p99_ns", sample.percentile(99.0))
}

pub(crate) fn lookup(args: &Args) -> Outcome {
    static REGISTRY: Registry<u64, Msg> = Registry::new("lookup");
    let keys = args.k.max(1);
    let servers = start_many(keys);
    for (key, server) in (0..).zip(&servers) {
        REGISTRY.register(key, server).expect("the key is free");
    }
    let began = Instant::now();
    for at in 0..args.n {
        REGISTRY.whereis(&(at % keys)).expect("it is there");
    }
    Outcome::new(args.n, began.elapsed())
}

pub(crate) fn register(args: &Args) -> Outcome {
    static REGISTRY: Registry<u64, Msg> = Registry::new("register");
    let server = start();
    let began = Instant::now();
    for key in 0..args.n {
        REGISTRY.register(key, &server).expect("the key is free");
        REGISTRY.unregister(&key, &server);
    }
    Outcome::new(args.n, began.elapsed())
}

/// Processor time in N seconds, K servers being there that have each answered once.
pub(crate) fn idle(args: &Args) -> Outcome {
    let servers = start_many(args.k);
    for server in &servers {
        server.call(Msg::Get).expect("it answers");
    }
    // What the last call left running comes to rest.
    pause(Duration::from_millis(200));
    let before = processor_time();
    let seconds = Duration::from_secs(args.n);
    pause(seconds);
    let used = processor_time() - before;
    Outcome::new(args.n, seconds).with("processor_ms", used.as_secs_f64() * 1e3)
}
