//! Seeded runs: a rule is played once a seed in a deterministic runtime, and the seed that breaks it is printed with the command
//! that plays it again.

use perennial::Runtime;
use perennial::process::Counts;
use perennial::scheduler::Deterministic;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// How many seeds, or which (`17..18`).
const VARIABLE: &str = "PERENNIAL_TEST_SEEDS";

/// How many unless told otherwise.
const SEEDS: u64 = 1_000;

/// Every so many seeds are played twice, to see the same run again.
const TWICE_EVERY: u64 = 50;

/// How long a runtime has, by its own clock, to stop.
const STOP: Duration = Duration::from_secs(60);

/// Plays a rule once for each seed. Afterwards nothing of it may be left, and the same seed gives the same run.
pub(crate) fn each_seed(binary: &str, play: impl Fn(&Runtime, &Deterministic)) {
    // Crashes are part of the play: without a logger they go nowhere.
    log::set_max_level(log::LevelFilter::Error);
    for seed in seeds() {
        let played = catch_unwind(AssertUnwindSafe(|| {
            let trace = on_seed(seed, &play);
            if seed % TWICE_EVERY == 0 {
                assert_eq!(
                    on_seed(seed, &play),
                    trace,
                    "the same seed went another way"
                );
            }
        }));
        if let Err(panic) = played {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or_default();
            println!(
                "seed {seed} breaks it; again: {VARIABLE}={seed}..{} cargo test --test {binary} -- --exact {test}",
                seed + 1
            );
            resume_unwind(panic);
        }
    }
}

/// Plays a rule in a runtime of one seed; the hash of its trace.
pub(crate) fn on_seed(seed: u64, play: impl FnOnce(&Runtime, &Deterministic)) -> u64 {
    let runtime = Runtime::builder()
        .deterministic(seed)
        .build()
        .expect("a runtime starts");
    let hand = runtime.deterministic().expect("it is deterministic");
    let entered = runtime.enter();
    play(&runtime, &hand);
    let clean = hand.run_until(|| runtime.counts() == Counts::default());
    assert_eq!(clean, Ok(()), "the rule left {:?}", runtime.counts());
    drop(entered);
    let trace = hand.trace_hash();
    let report = runtime.shutdown(STOP);
    assert_eq!(
        (report.stopped, report.killed, report.zombies),
        (0, 0, 0),
        "the rule left {report:?}"
    );
    trace
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var(VARIABLE) else {
        return 0..SEEDS;
    };
    let range = match text.split_once("..") {
        None => text.parse().ok().map(|count| 0..count),
        Some((from, to)) => from
            .parse()
            .ok()
            .zip(to.parse().ok())
            .map(|(from, to)| from..to),
    };
    range.unwrap_or_else(|| {
        panic!("{VARIABLE} is {text:?}, neither a number of seeds nor a range of them")
    })
}

/// The generator xorshift64, for what a rule itself leaves to chance.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }
}
