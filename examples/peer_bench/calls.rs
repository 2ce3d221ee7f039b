//! Calls: from plain threads, between pooled servers, between thread processes, and past a crowd.

use crate::server::{Msg, Server, get, inside, start, start_many};
use crate::system::Sample;
use crate::{Args, Outcome};
use perennial::prelude::*;
use perennial::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any run takes.
const FOREVER: Duration = Duration::MAX;

pub(crate) fn call(args: &Args) -> Outcome {
    let server = start();
    let began = Instant::now();
    for _ in 0..args.n {
        get(&server);
    }
    Outcome::new(args.n, began.elapsed())
}

/// Calls with a pause between two of them, each timed. Up to 50 µs the caller keeps its processor busy meanwhile; for
/// longer it sleeps, and so does the pool.
pub(crate) fn gap(args: &Args) -> Outcome {
    let server = start();
    apart(args, || {
        get(&server);
    })
}

/// What [`gap`] is beside: a thread with a channel of the standard library, and one more for each answer.
pub(crate) fn raw_gap(args: &Args) -> Outcome {
    let (requests, asked) = channel::<SyncSender<u64>>();
    let server = thread::spawn(move || {
        for (count, reply) in (0..).zip(asked) {
            reply.send(count).expect("somebody waits");
        }
    });
    let outcome = apart(args, || {
        let (reply, answer) = sync_channel(1);
        requests.send(reply).expect("it lives");
        answer.recv().expect("it answers");
    });
    drop(requests);
    server.join().expect("it ends");
    outcome
}

fn apart(args: &Args, mut call: impl FnMut()) -> Outcome {
    let gap = Duration::from_micros(args.k);
    let (mut sample, mut took) = (Sample::default(), Duration::ZERO);
    for _ in 0..args.n {
        let asked = Instant::now();
        call();
        let answered = asked.elapsed();
        took += answered;
        sample.add(answered);
        if gap > Duration::from_micros(50) {
            process::sleep(gap);
        } else {
            let until = Instant::now() + gap;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
    }
    with_percentiles(Outcome::new(args.n, took), sample)
}

pub(crate) fn with_percentiles(outcome: Outcome, mut sample: Sample) -> Outcome {
    outcome
        .with("p50_ns", sample.percentile(50.0))
        .with("p99_ns", sample.percentile(99.0))
        .with("p999_ns", sample.percentile(99.9))
}

/// Asks again in each answer's continuation, and so never waits.
pub(crate) fn pooled(args: &Args) -> Outcome {
    let (other, n) = (start(), args.n);
    let took = inside(move |cx, done| {
        ask(cx, other, n, Instant::now(), done);
        Next::Loop
    });
    Outcome::new(args.n, took)
}

fn ask(cx: &mut Cx<Server>, other: Ref<Msg>, left: u64, began: Instant, done: Sender<Duration>) {
    if left == 0 {
        return done.send(began.elapsed()).expect("somebody waits");
    }
    let next = other.clone();
    cx.request(&other, Msg::Get, move |_, answer, cx| {
        answer.expect("it answers");
        ask(cx, next, left - 1, began, done);
        Next::Loop
    });
}

pub(crate) fn blocking_pooled(args: &Args) -> Outcome {
    let (other, n) = (start(), args.n);
    let took = inside(move |_, done| {
        let began = Instant::now();
        for _ in 0..n {
            get(&other);
        }
        done.send(began.elapsed()).expect("somebody waits");
        Next::Loop
    });
    Outcome::new(args.n, took)
}

pub(crate) fn thread(args: &Args) -> Outcome {
    let server = process::spawn::<ReplyTo<u64>>(|cx| {
        let mut count = 0;
        while let Some(reply) = cx.receive().message() {
            count += 1;
            reply.send(count);
        }
    });
    let took = process::run::<(), _>(|_| {
        let began = Instant::now();
        for _ in 0..args.n {
            server.call(|reply| reply).expect("it answers");
        }
        began.elapsed()
    });
    Outcome::new(args.n, took.expect("nobody ends it"))
}

pub(crate) fn contended(args: &Args) -> Outcome {
    let server = start();
    let each = args.n / args.k;
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..args.k {
            scope.spawn(|| {
                for _ in 0..each {
                    get(&server);
                }
            });
        }
    });
    Outcome::new(each * args.k, began.elapsed())
}

/// K servers send one another all that the pool can carry; meanwhile an idle one is called.
pub(crate) fn flooded(args: &Args) -> Outcome {
    static FLOOD: AtomicBool = AtomicBool::new(true);
    fn keep_going(me: Ref<Msg>) -> Msg {
        Msg::Run(Box::new(move |server, _| {
            server.count += 1;
            if FLOOD.load(Ordering::Relaxed) {
                me.cast(keep_going(me.clone()));
            }
            Next::Loop
        }))
    }
    let idle = start();
    let crowd = start_many(args.k);
    for server in &crowd {
        // Several at a time, so that each has always something to do.
        for _ in 0..8 {
            server.cast(keep_going(server.clone()));
        }
    }
    let (mut sample, mut took) = (Sample::default(), Duration::ZERO);
    for _ in 0..args.n {
        let asked = Instant::now();
        idle.call_for(FOREVER, Msg::Get).expect("it answers");
        let answered = asked.elapsed();
        took += answered;
        sample.add(answered);
        process::sleep(Duration::from_micros(200));
    }
    FLOOD.store(false, Ordering::Relaxed);
    let flood: u64 = crowd.iter().map(get).sum();
    with_percentiles(Outcome::new(args.n, took), sample).with("flood_messages", flood)
}
