//! Lives: processes that start, end, return, and go down together.

use crate::server::{Msg, Server, get, inside, start, start_many};
use crate::system::resident;
use crate::{Args, Outcome};
use perennial::prelude::*;
use perennial::supervisor::dynamic_supervisor;
use perennial::{ExitReason, logger, process};
use std::time::{Duration, Instant};

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(60);

static WORKER: Name<Msg> = Name::new("worker");

fn per_process(before: u64, count: u64) -> u64 {
    resident().saturating_sub(before) / count
}

pub(crate) fn spawn(args: &Args) -> Outcome {
    // The first one starts the pool.
    get(&start());
    let before = resident();
    let began = Instant::now();
    let servers = start_many(args.n);
    let took = began.elapsed();
    servers.iter().for_each(|server| assert_eq!(get(server), 0));
    Outcome::new(args.n, took).with("bytes_per_process", per_process(before, args.n))
}

pub(crate) fn spawn_link(args: &Args) -> Outcome {
    let n = args.n;
    let took = inside(move |_, done| {
        let began = Instant::now();
        for _ in 0..n {
            gen_server::start_link::<Server>(()).expect("it starts");
        }
        done.send(began.elapsed()).expect("somebody waits");
        Next::Loop
    });
    Outcome::new(args.n, took)
}

pub(crate) fn spawn_thread(args: &Args) -> Outcome {
    let began = Instant::now();
    for _ in 0..args.n {
        let server = gen_server::spec::<Server>(()).thread().start();
        gen_server::stop(&server.expect("it starts")).expect("it stops");
    }
    Outcome::new(args.n, began.elapsed())
}

/// A pooled server has a dynamic supervisor start them, as a room's owner would.
pub(crate) fn supervised(args: &Args) -> Outcome {
    let n = args.n;
    let before = resident();
    let crowd = DynamicSupervisor::new().start().expect("it starts");
    let supervisor = crowd.clone();
    let took = inside(move |_, done| {
        let began = Instant::now();
        for _ in 0..n {
            let child = Child::server::<Server>("server", ());
            dynamic_supervisor::start_child(&supervisor, child).expect("it starts");
        }
        done.send(began.elapsed()).expect("somebody waits");
        Next::Loop
    });
    let bytes = per_process(before, args.n);
    supervisor::stop(&crowd).expect("it stops");
    Outcome::new(args.n, took).with("bytes_per_process", bytes)
}

pub(crate) fn restart(args: &Args) -> Outcome {
    restarts(args, || Msg::Stop)
}

pub(crate) fn restart_panic(args: &Args) -> Outcome {
    restarts(args, || Msg::Panic)
}

fn restarts(args: &Args, end: fn() -> Msg) -> Outcome {
    // Nobody is told of the crashes, as in the programs that this is compared with.
    logger::set_level(log::LevelFilter::Off);
    let child = Child::server::<Server>("worker", ()).name(&WORKER);
    let tree = Supervisor::new(Strategy::OneForOne)
        .intensity(usize::MAX, Duration::from_secs(1))
        .child(child)
        .start()
        .expect("it starts");
    let began = Instant::now();
    for _ in 0..args.n {
        let mut watch = process::watch(&WORKER);
        WORKER.cast(end());
        watch.wait(SOON).expect("it ends");
        while WORKER.call(Msg::Get).is_err() {
            // Whoever is about to take the name may be waiting for this very processor.
            std::thread::yield_now();
        }
    }
    let took = began.elapsed();
    supervisor::stop(&tree).expect("it stops");
    Outcome::new(args.n, took)
}

/// A thread process monitors K servers, kills them, and receives what it is told.
pub(crate) fn down(args: &Args) -> Outcome {
    let mut took = Duration::ZERO;
    for _ in 0..args.n {
        let servers = start_many(args.k);
        let round = process::run::<(), _>(|cx| {
            let began = Instant::now();
            for server in &servers {
                cx.monitor(server);
            }
            for server in &servers {
                process::exit(server, ExitReason::Kill);
            }
            for _ in &servers {
                cx.receive();
            }
            began.elapsed()
        });
        took += round.expect("nobody ends it");
    }
    Outcome::new(args.n * args.k, took)
}

/// K servers, each linked to the one before; the first one ends, and the last one's end is awaited.
pub(crate) fn exit_chain(args: &Args) -> Outcome {
    let mut took = Duration::ZERO;
    for _ in 0..args.n {
        let servers = start_many(args.k);
        for pair in servers.windows(2) {
            let before = pair[0].pid();
            pair[1].cast(Msg::Run(Box::new(move |_, cx| {
                cx.link(before).expect("it lives");
                Next::Loop
            })));
        }
        for server in &servers {
            get(server);
        }
        let mut last = process::watch(servers.last().expect("there are some"));
        let began = Instant::now();
        servers[0].cast(Msg::Stop);
        let down = last.wait(SOON).expect("it ends");
        took += began.elapsed();
        assert_eq!(down.reason, ExitReason::other("stop"));
    }
    Outcome::new(args.n * args.k, took)
}

pub(crate) fn tree_stop(args: &Args) -> Outcome {
    let mut took = Duration::ZERO;
    for _ in 0..args.n {
        let mut tree = Supervisor::new(Strategy::OneForOne);
        for at in 0..args.k {
            tree = tree.child(Child::server::<Server>(at.to_string(), ()));
        }
        let tree = tree.start().expect("it starts");
        let began = Instant::now();
        supervisor::stop(&tree).expect("it stops");
        took += began.elapsed();
    }
    Outcome::new(args.n * args.k, took)
}

/// N servers under a dynamic supervisor: started, each called once, all stopped and their deaths seen.
pub(crate) fn million(args: &Args) -> Outcome {
    let before = resident();
    let crowd = DynamicSupervisor::new().start().expect("it starts");
    let (n, supervisor) = (args.n, crowd.clone());
    let began = Instant::now();
    let servers: Vec<Ref<Msg>> = inside(move |_, done| {
        let start = |_| {
            let child = Child::server::<Server>("server", ());
            dynamic_supervisor::start_child(&supervisor, child).expect("it starts")
        };
        done.send((0..n).map(start).collect())
            .expect("somebody waits");
        Next::Loop
    });
    let started = began.elapsed();
    let bytes = per_process(before, args.n);
    let asked = Instant::now();
    servers.iter().for_each(|server| assert_eq!(get(server), 0));
    let called = asked.elapsed();
    let used = per_process(before, args.n);
    let stopping = Instant::now();
    supervisor::stop_for(&crowd, ExitReason::Normal, SOON).expect("it stops");
    let stopped = stopping.elapsed();
    assert!(servers.iter().all(|server| !server.is_alive()));
    drop(servers);
    let each = |took: Duration| took.as_nanos() / u128::from(args.n);
    Outcome::new(args.n, began.elapsed())
        .with("start_ns", each(started))
        .with("call_ns", each(called))
        .with("stop_ns", each(stopped))
        .with("bytes_per_process", bytes)
        .with("bytes_per_process_used", used)
        .with("resident_after", resident())
}
