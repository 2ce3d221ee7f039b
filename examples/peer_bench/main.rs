//! What one operation costs, workload by workload, in a form that other runtimes can be set beside.
//!
//! `cargo run --release --example peer_bench WORKLOAD N [K [WORKERS]]` prints one line of JSON: how many nanoseconds each of N
//! operations took, and what else the workload measures. Without arguments it lists the workloads. Everything is done
//! through the public interface, by ordinary servers under ordinary settings, but for the number of workers, which may
//! follow K. Processor time and resident memory are read from `/proc`, so those figures are Linux's.
//!
//! `cargo run --release --example peer_bench curves` measures and draws how these figures grow: see `curves`.
#![allow(clippy::print_stdout, reason = "a bench is read in a terminal")]

mod calls;
mod curves;
mod latency;
mod lives;
mod messages;
mod server;
mod services;
mod system;

use perennial::Runtime;
use std::fmt::Write;
use std::time::Duration;

/// What is to be run: N operations, with K of whatever the workload has several of.
pub(crate) struct Args {
    pub(crate) n: u64,
    pub(crate) k: u64,
}

/// What came of a run.
pub(crate) struct Outcome {
    operations: u64,
    took: Duration,
    more: String,
}

impl Outcome {
    pub(crate) fn new(operations: u64, took: Duration) -> Self {
        Outcome {
            operations,
            took,
            more: String::new(),
        }
    }

    /// Adds a figure to the line.
    pub(crate) fn with(mut self, name: &str, figure: impl std::fmt::Display) -> Self {
        write!(self.more, ",\"{name}\":{figure}").expect("a string grows");
        self
    }
}

type Workload = (&'static str, &'static str, fn(&Args) -> Outcome);

const WORKLOADS: &[Workload] = &[
    ("call", "N calls from a plain thread", calls::call),
    (
        "call_gap",
        "the same, K microseconds apart, with percentiles",
        calls::gap,
    ),
    (
        "raw_gap",
        "the same of a thread behind a channel, with no runtime",
        calls::raw_gap,
    ),
    (
        "call_random",
        "N calls to a random one of K servers",
        latency::random,
    ),
    (
        "hog",
        "N calls to an idle server while K others do not return for 50 ms",
        latency::hog,
    ),
    (
        "timer_load",
        "N timers within a second while the pool is busy K of 100",
        latency::timer_load,
    ),
    (
        "call_pooled",
        "N requests of a pooled server to another",
        calls::pooled,
    ),
    (
        "call_blocking_pooled",
        "N calls of a pooled server to another",
        calls::blocking_pooled,
    ),
    (
        "call_thread",
        "N calls of a thread process to another",
        calls::thread,
    ),
    (
        "call_contended",
        "N calls in all by K threads to one server",
        calls::contended,
    ),
    (
        "call_flooded",
        "N calls to an idle server while K others are flooded",
        calls::flooded,
    ),
    ("cast", "N casts from a plain thread", messages::cast),
    (
        "cast_size",
        "the same, of messages of K bytes (8 to 4096)",
        messages::sized,
    ),
    ("fanin", "N casts in all by K threads", messages::fanin),
    ("ring", "N hops of a token round K servers", messages::ring),
    (
        "big",
        "N pings and answers by each of K servers",
        messages::big,
    ),
    ("fanout", "N broadcasts to K servers", messages::fanout),
    (
        "spawn",
        "N servers started, and then called once",
        lives::spawn,
    ),
    (
        "spawn_link",
        "the same, linked to a pooled server",
        lives::spawn_link,
    ),
    (
        "spawn_thread",
        "N thread servers started, and stopped",
        lives::spawn_thread,
    ),
    (
        "spawn_supervised",
        "N children started by a dynamic supervisor",
        lives::supervised,
    ),
    (
        "restart",
        "N times a child stops, returns and answers",
        lives::restart,
    ),
    (
        "restart_panic",
        "N times a child panics, returns and answers",
        lives::restart_panic,
    ),
    (
        "down",
        "N rounds: K monitored processes killed",
        lives::down,
    ),
    (
        "exit_chain",
        "N rounds: a chain of K linked processes ends",
        lives::exit_chain,
    ),
    (
        "tree_stop",
        "N rounds: a supervisor of K children stops",
        lives::tree_stop,
    ),
    (
        "million",
        "N supervised servers started, called and stopped",
        lives::million,
    ),
    ("timer", "N timers within a second", services::timer),
    (
        "registry_lookup",
        "N lookups among K keys",
        services::lookup,
    ),
    (
        "registry_register",
        "N registrations, each taken back",
        services::register,
    ),
    (
        "idle_cpu",
        "N seconds with K servers and nothing to do",
        services::idle,
    ),
];

fn main() {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        println!("usage: peer_bench WORKLOAD N [K [WORKERS]], or peer_bench curves [brief]");
        for (name, what, _) in WORKLOADS {
            println!("  {name:22}{what}");
        }
        return;
    };
    if name == "curves" {
        return curves::draw(words.next().as_deref());
    }
    let mut number = |what| {
        words.next().map(|word| {
            word.parse::<u64>()
                .unwrap_or_else(|_| panic!("{what} is a number"))
        })
    };
    let n = number("N").expect("usage: peer_bench WORKLOAD N [K]");
    let k = number("K").unwrap_or(0);
    let workers = number("WORKERS").map(|workers| Runtime::builder().workers(workers as usize));
    let own = workers.map(|builder| builder.build().expect("threads"));
    let _entered = own.as_ref().map(Runtime::enter);
    let (_, _, run) = WORKLOADS
        .iter()
        .find(|(known, _, _)| *known == name)
        .unwrap_or_else(|| panic!("there is no workload {name}"));
    let outcome = run(&Args { n, k });
    let each = outcome.took.as_nanos() as f64 / outcome.operations as f64;
    println!(
        "{{\"peer\":\"perennial\",\"workload\":\"{name}\",\"n\":{n},\"k\":{k},\"ns_per_op\":{each:.1},\"ops_per_s\":{:.0}{}}}",
        1e9 / each,
        outcome.more
    );
}
