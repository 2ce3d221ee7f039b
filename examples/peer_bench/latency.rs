//! What others notice: calls to any of many, calls beside callbacks that do not return, timers beside work.

use crate::calls::with_percentiles;
use crate::server::{Msg, get, start, start_many};
use crate::system::Sample;
use crate::{Args, Outcome};
use perennial::prelude::*;
use perennial::{Ref, process};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// How long a callback runs that should not, and the rest between two of them.
const HOG: Duration = Duration::from_millis(50);

/// The time of which a busy server works its share.
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

/// Works without returning, rests, and begins again, so that no work piles up.
fn work_and_rest(me: Ref<Msg>, work: Duration, rest: Duration) -> Msg {
    Msg::Run(Box::new(move |_, _| {
        spin(work);
        process::send_after(rest, me.clone(), work_and_rest(me, work, rest));
        Next::Loop
    }))
}

pub(crate) fn hog(args: &Args) -> Outcome {
    let idle = start();
    for hog in start_many(args.k) {
        hog.cast(work_and_rest(hog.clone(), HOG, HOG));
    }
    let (mut sample, mut took) = (Sample::default(), Duration::ZERO);
    for _ in 0..args.n {
        let asked = Instant::now();
        idle.call_for(FOREVER, Msg::Get).expect("it answers");
        let answered = asked.elapsed();
        took += answered;
        sample.add(answered);
        process::sleep(Duration::from_millis(1));
    }
    with_percentiles(Outcome::new(args.n, took), sample)
}

/// A server for each worker works for its share of a millisecond and rests for the remainder; timers come meanwhile, to another.
pub(crate) fn timer_load(args: &Args) -> Outcome {
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    let share = PERIOD.mul_f64(args.k as f64 / 100.0);
    if !share.is_zero() {
        for busy in start_many(workers as u64) {
            busy.cast(work_and_rest(busy.clone(), share, PERIOD - share));
        }
    }
    let server = start();
    let (done, late) = channel();
    let began = Instant::now();
    let mut sample = Sample::default();
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
    with_percentiles(Outcome::new(args.n, began.elapsed()), sample)
}
