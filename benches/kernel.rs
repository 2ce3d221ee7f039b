//! What the kernel costs: a call, a cast, a start, for both kinds of process. `cargo bench --bench kernel` prints ns per
//! operation, the median of the rounds; the first line is a plain baseline of the same machine in the same run.
#![allow(clippy::print_stdout, reason = "a bench is read in a terminal")]

use perennial::Runtime;
use perennial::prelude::*;
use perennial::process::Kind;
use perennial::sync::Mutex;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// An odd number, so that there is a middle one.
const ROUNDS: usize = 9;

enum Msg {
    Add(u64),
    Get(ReplyTo<u64>),
    /// Calls the other, so often.
    CallOther(Ref<Msg>, u64, ReplyTo<u64>),
}

struct Counter(u64);

impl GenServer for Counter {
    type Args = ();
    type Msg = Msg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Counter(0))
    }

    fn handle(&mut self, msg: Msg, _cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Add(n) => self.0 += n,
            Msg::Get(reply) => reply.send(self.0),
            Msg::CallOther(other, times, reply) => {
                let sum = (0..times)
                    .map(|_| other.call(Msg::Get).expect("it lives"))
                    .sum();
                reply.send(sum);
            }
        }
        Next::Loop
    }
}

fn main() {
    measure("baseline: an uncontended lock", 1_000_000, |n| {
        let mutex = Mutex::new(0_u64);
        (0..n).for_each(|_| *black_box(&mutex).lock() += 1);
    });
    for (kind, name) in [(Kind::Pooled, "pooled"), (Kind::Thread, "thread")] {
        let runtime = Runtime::builder()
            .default_kind(kind)
            .build()
            .expect("threads");
        let _entered = runtime.enter();
        let start = || gen_server::start::<Counter>(()).expect("it starts");
        let (one, other) = (start(), start());
        measure(
            &format!("{name}: cast, and one call at the end"),
            200_000,
            |n| {
                (0..n).for_each(|_| one.cast(Msg::Add(1)));
                black_box(one.call(Msg::Get).expect("it lives"));
            },
        );
        measure(&format!("{name}: call from a plain thread"), 20_000, |n| {
            (0..n).for_each(|_| {
                black_box(one.call(Msg::Get).expect("it lives"));
            });
        });
        measure(
            &format!("{name}: call from a server to a server"),
            20_000,
            |n| {
                let forever = Duration::MAX;
                let ask = |reply| Msg::CallOther(other.clone(), n, reply);
                black_box(one.call_for(forever, ask).expect("it lives"));
            },
        );
        let starts = if kind == Kind::Pooled { 20_000 } else { 500 };
        measure(&format!("{name}: start and stop a server"), starts, |n| {
            (0..n).for_each(|_| gen_server::stop(&start()).expect("it stops"));
        });
    }
}

/// Prints ns per operation: the median of the rounds.
fn measure(what: &str, operations: u64, run: impl Fn(u64)) {
    run(operations / 10);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            run(operations);
            began.elapsed().as_nanos() as f64 / operations as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{:>12.1} ns  {what}", rounds[ROUNDS / 2]);
}
