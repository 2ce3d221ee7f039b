//! What storms share: how long they are, dice, a crowd of threads, and a look at what is left.

use crate::support::eventually;
use crate::support::stage::on_stage;
use perennial::Runtime;
use perennial::process::Builder;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many times a storm is as long as it is by default: `PERENNIAL_STRESS`.
pub(crate) fn scale() -> usize {
    let wanted = std::env::var("PERENNIAL_STRESS").ok();
    wanted.and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// A number of rounds, scaled.
pub(crate) fn rounds(count: usize) -> usize {
    count * scale()
}

/// The generator xorshift64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }
}

/// Runs `f` on several plain threads of a runtime, and waits for them.
pub(crate) fn crowd(runtime: &Runtime, members: usize, f: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for member in 0..members {
            let f = &f;
            scope.spawn(move || {
                let _entered = runtime.enter();
                f(member);
            });
        }
    });
}

/// Something that one thread does.
pub(crate) type Act<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Runs each of these on a plain thread of its own in a runtime, and waits for them.
pub(crate) fn together(runtime: &Runtime, acts: Vec<Act<'_>>) {
    thread::scope(|scope| {
        for act in acts {
            scope.spawn(move || {
                let _entered = runtime.enter();
                act();
            });
        }
    });
}

/// Waits for a moment of random length.
pub(crate) fn dawdle(dice: &mut Dice) {
    for _ in 0..dice.roll(60) {
        thread::yield_now();
    }
}

/// How many threads this program has beside those that run its tests, which come and go by themselves and are named
/// after the tests.
#[cfg(target_os = "linux")]
pub(crate) fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("linux");
    let names = tasks.flatten().map(|task| {
        // One that has gone since has no name.
        std::fs::read_to_string(task.path().join("comm")).unwrap_or_else(|_| "::".to_owned())
    });
    names.filter(|name| !name.contains("::")).count()
}

/// How many threads this program has: nobody says.
#[cfg(not(target_os = "linux"))]
pub(crate) fn threads() -> usize {
    0
}

/// Plays a storm in a runtime of its own, one storm at a time. Nothing of it may be left: what a runtime counts is
/// looked at before its shutdown, and the threads of the program after it.
pub(crate) fn storm(builder: Builder, play: impl FnOnce(&Runtime)) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let base = threads();
    on_stage(builder, play);
    // The system lists a thread that was joined for another moment.
    eventually("no thread is left", || threads() <= base);
}
