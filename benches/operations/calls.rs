//! Calls: from a plain thread, between pooled servers, between threads; the baseline is a round trip over channels.

use crate::server::{Msg, Server, get, inside, start};
use crate::{Group, line, timed};
use criterion::Criterion;
use perennial::prelude::*;
use perennial::process;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    let server = start();
    line(&mut group, "from a plain thread", |n| {
        for _ in 0..n {
            get(&server);
        }
    });
    plain(&mut group);
    group.finish();

    let mut group = criterion.benchmark_group("call between pooled servers");
    let other = server.clone();
    timed(&mut group, "request", move |n| {
        let other = other.clone();
        inside(move |cx, done| ask(cx, other, n, Instant::now(), done))
    });
    let other = server.clone();
    timed(&mut group, "blocking", move |n| {
        let other = other.clone();
        inside(move |_, done| {
            let began = Instant::now();
            for _ in 0..n {
                get(&other);
            }
            done.send(began.elapsed()).expect("somebody waits");
        })
    });
    plain(&mut group);
    group.finish();

    let mut group = criterion.benchmark_group("call between thread processes");
    let server = process::spawn::<ReplyTo<u64>>(|cx| {
        let mut count = 0;
        while let Some(reply) = cx.receive().message() {
            count += 1;
            reply.send(count);
        }
    });
    timed(&mut group, "call", |n| {
        let took = process::run::<(), _>(|_| {
            let began = Instant::now();
            for _ in 0..n {
                server.call(|reply| reply).expect("it answers");
            }
            began.elapsed()
        });
        took.expect("nobody ends it")
    });
    plain(&mut group);
    group.finish();
}

/// Asks again in each answer's continuation, and so never waits.
fn ask(
    cx: &mut Cx<Server>,
    other: perennial::Ref<Msg>,
    left: u64,
    began: Instant,
    done: Sender<Duration>,
) {
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

/// A thread that is asked over one channel and answers over another.
fn plain(group: &mut Group<'_>) {
    timed(group, "plain std::sync::mpsc", |n| {
        let (question, questions) = channel::<u64>();
        let (answer, answers) = channel::<u64>();
        let server = thread::spawn(move || {
            for number in questions {
                answer.send(number + 1).expect("it is waited for");
            }
        });
        let began = Instant::now();
        for number in 0..n {
            question.send(number).expect("it listens");
            assert_eq!(answers.recv(), Ok(number + 1));
        }
        let took = began.elapsed();
        // The end of the questions is the end of the server.
        drop(question);
        server.join().expect("no panic");
        took
    });
}
