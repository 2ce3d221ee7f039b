//! What each operation costs, and what the plain parts of std or crossbeam cost that one would use instead.
//!
//! `cargo bench` measures all of it in less than three minutes and says what has changed since the last run;
//! `cargo bench -- call` measures the groups with that word in their name. In every group the first lines are ours and
//! the lines that begin with `plain` are the baseline. An operation is whatever the group's name says, once.
#![allow(missing_docs, reason = "nobody imports a bench")]

mod calls;
mod facade;
mod lives;
mod messages;
mod server;
mod services;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use std::time::{Duration, Instant};

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(20)
        .nresamples(10_000)
        .configure_from_args();
    calls::benches(&mut criterion);
    messages::benches(&mut criterion);
    lives::benches(&mut criterion);
    services::benches(&mut criterion);
    facade::benches(&mut criterion);
    criterion.final_summary();
}

/// A line of a group: `run` does so many operations, and all of it counts.
fn line(group: &mut Group<'_>, name: &str, mut run: impl FnMut(u64)) {
    timed(group, name, |operations| {
        let began = Instant::now();
        run(operations);
        began.elapsed()
    });
}

/// A line of a group: `run` does so many operations and says how long they took without what came before and after.
fn timed(group: &mut Group<'_>, name: &str, mut run: impl FnMut(u64) -> Duration) {
    group.bench_function(name, |bencher| bencher.iter_custom(&mut run));
}
