//! A counter that any thread may count on: the smallest generic server.
//!
//! Run `cargo run --example counter`. You will see eight threads count to 8000 on one server, what the server
//! answers, and what a caller is told once it has stopped.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use std::error::Error;

/// What the counter is sent. A variant that is answered ends in a `ReplyTo`.
enum CounterMsg {
    Add(u64),
    Get(ReplyTo<u64>),
}

struct Counter(u64);

impl GenServer for Counter {
    type Args = u64;
    type Msg = CounterMsg;

    fn init(start: u64, _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Counter(start))
    }

    // One message after another: the state needs no lock.
    fn handle(&mut self, msg: CounterMsg, _cx: &mut Cx<Self>) -> Next<CounterMsg> {
        match msg {
            CounterMsg::Add(n) => self.0 += n,
            CounterMsg::Get(reply) => reply.send(self.0),
        }
        Next::Loop
    }

    fn terminate(&mut self, reason: &perennial::ExitReason, _cx: &mut Cx<Self>) {
        println!("the counter stops at {} ({reason})", self.0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let counter = gen_server::start::<Counter>(0)?;
    println!("the counter is process {}", counter.pid());

    let threads: Vec<_> = (0..8)
        .map(|_| {
            let counter = counter.clone();
            std::thread::spawn(move || (0..1000).for_each(|_| counter.cast(CounterMsg::Add(1))))
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread that only counts");
    }

    let count = counter.call(CounterMsg::Get)?;
    println!("eight threads counted to {count}");
    assert_eq!(count, 8000);

    gen_server::stop(&counter)?;
    let refused = counter.call(CounterMsg::Get);
    println!("after that a call says: {refused:?}");
    assert!(refused.is_err());
    Ok(())
}
