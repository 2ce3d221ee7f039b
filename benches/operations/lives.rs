//! Lives: processes that start, end, return, and go down together.

use crate::server::{Msg, Server, start, start_many};
use crate::{line, timed};
use criterion::Criterion;
use perennial::prelude::*;
use perennial::supervisor::dynamic_supervisor;
use perennial::{ExitReason, process};
use std::panic::catch_unwind;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(60);

/// Servers that one round has at the same time, and children of a tree.
const CROWD: usize = 100;

/// Children beside which one is started and stopped: few, and so many that to look at each would be seen.
const CROWDS: [usize; 2] = [100, 10_000];

static WORKER: Name<Msg> = Name::new("worker");

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spawn: started and stopped");
    line(&mut group, "pooled server", |n| {
        (0..n).for_each(|_| gen_server::stop(&start()).expect("it stops"));
    });
    line(&mut group, "thread server", |n| {
        for _ in 0..n {
            let server = gen_server::spec::<Server>(()).thread().start();
            gen_server::stop(&server.expect("it starts")).expect("it stops");
        }
    });
    plain_thread(&mut group);
    group.finish();

    restart(criterion);

    let mut group = criterion.benchmark_group("monitor, killed, and DOWN");
    timed(&mut group, "monitor of a pooled server", down);
    plain_thread(&mut group);
    group.finish();

    let mut group = criterion.benchmark_group("tree stop: 100 children");
    timed(&mut group, "supervisor", |n| (0..n).map(|_| tree()).sum());
    timed(&mut group, "plain threads told and joined", |n| {
        (0..n).map(|_| threads()).sum()
    });
    group.finish();

    one_of_many(criterion);
}

/// What a child costs does not grow with how many others there are.
fn one_of_many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("child: started and stopped beside others");
    for crowd in CROWDS {
        let child = || Child::server::<Server>("child", ()).temporary();
        let tree = DynamicSupervisor::new().start().expect("it starts");
        let start = || dynamic_supervisor::start_child(&tree, child()).expect("it starts");
        (0..crowd).for_each(|_| drop(start()));
        line(&mut group, &format!("dynamic supervisor, {crowd}"), |n| {
            for _ in 0..n {
                dynamic_supervisor::terminate_child(&tree, &start()).expect("it is there");
            }
        });
        supervisor::stop(&tree).expect("it stops");

        let tree = Supervisor::new(Strategy::OneForOne);
        let tree = tree.start().expect("it starts");
        let start = |id: String| {
            let child = Child::server::<Server>(id, ());
            supervisor::start_child(&tree, child).expect("it starts");
        };
        (0..crowd).for_each(|at| start(at.to_string()));
        line(&mut group, &format!("supervisor, {crowd}"), |n| {
            for _ in 0..n {
                start("one more".to_owned());
                supervisor::terminate_child(&tree, "one more").expect("it is there");
                supervisor::delete_child(&tree, "one more").expect("it is stopped");
            }
        });
        supervisor::stop(&tree).expect("it stops");
    }
    group.finish();
}

fn plain_thread(group: &mut crate::Group<'_>) {
    line(group, "plain thread::spawn and join", |n| {
        (0..n).for_each(|_| thread::spawn(|| {}).join().expect("no panic"));
    });
}

fn restart(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("restart: stopped, returned, answered");
    let tree = Supervisor::new(Strategy::OneForOne)
        .intensity(usize::MAX, Duration::from_secs(1))
        .child(Child::server::<Server>("worker", ()).name(&WORKER))
        .start()
        .expect("it starts");
    line(&mut group, "supervised server", |n| {
        for _ in 0..n {
            let mut watch = process::watch(&WORKER);
            WORKER.cast(Msg::Stop);
            watch.wait(SOON).expect("it ends");
            while WORKER.call(Msg::Get).is_err() {
                std::hint::spin_loop();
            }
        }
    });
    supervisor::stop(&tree).expect("it stops");
    line(&mut group, "plain catch_unwind in a new thread", |n| {
        for _ in 0..n {
            let ended = thread::spawn(|| {
                catch_unwind(|| std::panic::resume_unwind(Box::new("stop"))).is_err()
            });
            assert!(ended.join().expect("it is caught"));
        }
    });
    group.finish();
}

/// A thread process monitors servers, kills them, and receives what it is told.
fn down(n: u64) -> Duration {
    let mut took = Duration::ZERO;
    let mut left = n as usize;
    while left > 0 {
        let servers = start_many(left.min(CROWD));
        left -= servers.len();
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
    took
}

fn tree() -> Duration {
    let mut tree = Supervisor::new(Strategy::OneForOne);
    for at in 0..CROWD {
        tree = tree.child(Child::server::<Server>(at.to_string(), ()));
    }
    let tree = tree.start().expect("it starts");
    let began = Instant::now();
    supervisor::stop(&tree).expect("it stops");
    began.elapsed()
}

fn threads() -> Duration {
    let start = |_| {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        (sender, thread::spawn(move || receiver.recv().is_err()))
    };
    let crowd: Vec<_> = (0..CROWD).map(start).collect();
    let began = Instant::now();
    for (sender, thread) in crowd {
        drop(sender);
        assert!(thread.join().expect("no panic"));
    }
    began.elapsed()
}
