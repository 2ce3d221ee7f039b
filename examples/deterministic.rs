//! A race that a thousand quiet runs do not show: `cargo run --example deterministic`.
//!
//! Two customers book the last seat. The desk asks who has it, and books in a second step, so both may be told that it is free. In a
//! deterministic runtime a seed says who goes first wherever several could. You will see how many seeds sell the seat
//! twice, one of them played again with the same end, and that a minute of patience takes no time.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use perennial::prelude::*;
use perennial::{ExitReason, Runtime, process, task};
use std::time::{Duration, Instant};

enum Desk {
    IsFree(ReplyTo<bool>),
    Book(&'static str),
    Sold(ReplyTo<Vec<&'static str>>),
}

struct Seat(Vec<&'static str>);

static DESK: Name<Desk> = Name::new("desk");

impl GenServer for Seat {
    type Args = ();
    type Msg = Desk;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Seat(Vec::new()))
    }

    fn handle(&mut self, msg: Desk, _: &mut Cx<Self>) -> Next<Desk> {
        match msg {
            Desk::IsFree(reply) => reply.send(self.0.is_empty()),
            Desk::Book(who) => self.0.push(who),
            Desk::Sold(reply) => reply.send(self.0.clone()),
        }
        Next::Loop
    }
}

/// One evening at the desk: who has the seat, and the hash of how it came to that.
fn evening(seed: u64) -> (Vec<&'static str>, u64) {
    let runtime = Runtime::builder().deterministic(seed).build().unwrap();
    let hand = runtime.deterministic().unwrap();
    let _entered = runtime.enter();
    let desk = gen_server::spec::<Seat>(()).name(&DESK).start().unwrap();
    for who in ["Anna", "Ben"] {
        let book = move || {
            if DESK.call(Desk::IsFree) == Ok(true) {
                DESK.cast(Desk::Book(who));
            }
        };
        task::spec(book).start().unwrap();
    }
    // Nothing has moved so far. Now all of it does, and a minute passes.
    hand.advance(Duration::from_secs(60));
    let sold = desk.call(Desk::Sold).unwrap();
    process::exit(&desk, ExitReason::Kill);
    (sold, hand.trace_hash())
}

fn main() {
    let began = Instant::now();
    let twice: Vec<u64> = (0..200)
        .filter(|seed| evening(*seed).0.len() == 2)
        .collect();
    println!("{} of 200 seeds sell the seat twice", twice.len());
    assert!(!twice.is_empty() && twice.len() < 200);
    let (sold, trace) = evening(twice[0]);
    println!("seed {}: {sold:?}, trace {trace:016x}", twice[0]);
    assert_eq!(evening(twice[0]), (sold, trace));
    println!("200 evenings of a minute each took {:?}", began.elapsed());
}
