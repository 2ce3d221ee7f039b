//! One counter for each core behind one name; a key leads to the same one each time.
//!
//! Run `cargo run --example partition`. You will see words counted by four counters that share the words between
//! them, one counter crash and lose its share, and the same words spread over two counters when two have gone.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{PartitionSupervisor, Partitions};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(5);

const TEXT: &str =
    "she sells sea shells by the sea shore the shells she sells are sea shells for sure";

// Whoever sends knows this name and a key, and nothing of how many there are.
static COUNTERS: Partitions<CounterMsg> = Partitions::new("counters");

enum CounterMsg {
    Count(String),
    Get(String, ReplyTo<u32>),
    Crash,
}

/// Counts the words that lead to it.
struct Counter(HashMap<String, u32>);

impl GenServer for Counter {
    type Args = usize;
    type Msg = CounterMsg;

    fn init(partition: usize, cx: &mut Cx<Self>) -> Init<Self> {
        cx.set_label(format!("counter {partition}"));
        Init::Ok(Counter(HashMap::new()))
    }

    fn handle(&mut self, msg: CounterMsg, _cx: &mut Cx<Self>) -> Next<CounterMsg> {
        match msg {
            CounterMsg::Count(word) => *self.0.entry(word).or_default() += 1,
            CounterMsg::Get(word, reply) => reply.send(self.0.get(&word).copied().unwrap_or(0)),
            CounterMsg::Crash => panic!("miscounted"),
        }
        Next::Loop
    }
}

fn count(text: &str) {
    for word in text.split(' ') {
        COUNTERS.key(word).cast(CounterMsg::Count(word.to_owned()));
    }
}

fn get(word: &str) -> Result<u32, Box<dyn Error>> {
    let counted = COUNTERS
        .key(word)
        .call(|reply| CounterMsg::Get(word.to_owned(), reply))?;
    println!("  {word}: {counted}, kept by {}", COUNTERS.lookup(word)?);
    Ok(counted)
}

fn main() -> Result<(), Box<dyn Error>> {
    let counters = PartitionSupervisor::new(|at| Child::server::<Counter>("counter", at))
        .partitions(4)
        .name(&COUNTERS)
        .start()?;

    println!("{} counters", COUNTERS.partitions()?);
    count(TEXT);
    assert_eq!((get("sea")?, get("shells")?, get("shore")?), (3, 3, 1));

    println!("the counter of \"sea\" crashes, and begins anew");
    let mut crash = process::watch(&COUNTERS.lookup("sea")?);
    COUNTERS.key("sea").cast(CounterMsg::Crash);
    crash.wait(SOON).ok_or("the counter does not crash")?;
    // Asked now, the supervisor answers when the restart is through.
    COUNTERS.which_children()?;
    assert_eq!(get("sea")?, 0);

    println!("two of {} counters stay", COUNTERS.resize(2)?);
    count(TEXT);
    assert!(get("sea")? >= 3 && get("shells")? >= 3);
    supervisor::stop(&counters)?;
    Ok(())
}
