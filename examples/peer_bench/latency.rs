//! What others notice: calls to any of many, calls beside callbacks that do not return, timers beside work.

use crate::calls::with_percentiles;
use crate::server::{Msg, get, start, start_many};
use crate::system::Sample;
use crate::{Args, Outcome};
use perennial::prelude::*;
use perennial::{Ref, process};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// How long a callback runs that should not, and the rest between two of them.
const HOG: Duration = Duration::from_millis(50);

/// The time of which a busy pool works its share.
const PERIOD: Duration = Duration::from_millis(1);

/// However long the queue is that a call waits behind.
const FOREVER: Duration = Duration::MAX;

pub(crate) fn random(args: &Args) -> Outcome {
    let servers = start_many(args.k);
    servers.iter().for_each(|server| server.cast(Msg::Inc));
    servers.last().map(get).expect("there is one");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let began = Instant::now();
    for _ in 0..args.n {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        get(&servers[(seed % args.k) as usize]);
    }
    Outcome::new(args.n, began.elapsed())
}

/// Keeps the worker that runs it, as a computation would.
fn spin(how_long: Duration) {
    let until = Instant::now() + how_long;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Runs `other` while a thread of its own has `each_period` cast something, once a period.
fn beside<T>(
    period: Duration,
    each_period: impl Fn() + Send + Sync,
    other: impl FnOnce() -> T,
) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = Instant::now();
            while !over.load(Ordering::Relaxed) {
                each_period();
                next += period;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let result = other();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// A hog works for 50 ms, rests for as long, and begins again.
fn work_and_rest(me: Ref<Msg>) -> Msg {
    Msg::Run(Box::new(move |_, _| {
        spin(HOG);
        process::send_after(HOG, me.clone(), work_and_rest(me));
        Next::Loop
    }))
}

pub(crate) fn hog(args: &Args) -> Outcome {
    let idle = start();
    for hog in start_many(args.k) {
        hog.cast(work_and_rest(hog.clone()));
    }
    let (mut sample, mut took) = (Sample::default(), Duration::ZERO);
    for _ in 0..args.n {
        let asked = Instant::now();
        idle.call_for(FOREVER, Msg::Get).expect("it answers");
        let answered = asked.elapsed();
        took += answered;
        sample.add(answered);
        thread::sleep(Duration::from_millis(1));
    }
    with_percentiles(Outcome::new(args.n, took), sample)
}

/// A server for each worker has its share of every millisecond to work; timers come meanwhile, to another.
pub(crate) fn timer_load(args: &Args) -> Outcome {
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    let busy = start_many(workers as u64);
    let share = PERIOD.mul_f64(args.k as f64 / 100.0);
    let work = || {
        for server in &busy {
            server.cast(Msg::Run(Box::new(move |_, _| {
                spin(share);
                Next::Loop
            })));
        }
    };
    let server = start();
    let (done, late) = channel();
    let began = Instant::now();
    let mut sample = Sample::default();
    beside(PERIOD, work, || {
        for at in 0..args.n {
            let delay = Duration::from_secs(1).mul_f64((at + 1) as f64 / args.n as f64);
            let (due, done) = (Instant::now() + delay, done.clone());
            let note = Msg::Run(Box::new(move |_, _| {
                done.send(due.elapsed()).expect("somebody waits");
                Next::Loop
            }));
            process::send_after(delay, server.clone(), note);
        }
        late.iter()
            .take(args.n as usize)
            .for_each(|late| sample.add(late));
    });
    with_percentiles(Outcome::new(args.n, began.elapsed()), sample)
}
