//! What was played: on which kinds of process, in which test, and whether it held. The stages say so themselves; the
//! conformance binary makes its table of it.

use perennial::process::Kind;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

/// What is known of one test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Test {
    /// Equals `true` once its thread has ended.
    pub(crate) ended: bool,
    /// Equals `true` if it panicked outside of everything that it played.
    pub(crate) failed: bool,
    /// How often it held, and how often it did not, on threads and on the pool.
    pub(crate) thread: Score,
    pub(crate) pooled: Score,
}

/// How often something was played with a kind of process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) held: usize,
    pub(crate) broken: usize,
}

static TESTS: Mutex<BTreeMap<String, Test>> = Mutex::new(BTreeMap::new());

thread_local! {
    static ATTENDS: Attendance = const { Attendance };
    /// How many plays are under way on this thread, one inside the other.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Lives as long as the thread of a test.
struct Attendance;

impl Drop for Attendance {
    fn drop(&mut self) {
        with_test(|test| test.ended = true);
    }
}

fn tests() -> MutexGuard<'static, BTreeMap<String, Test>> {
    TESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread of a test is named after it.
fn with_test(change: impl FnOnce(&mut Test)) {
    let thread = thread::current();
    change(
        tests()
            .entry(thread.name().unwrap_or_default().to_owned())
            .or_default(),
    );
}

/// All that is known so far, by test.
pub(crate) fn all() -> BTreeMap<String, Test> {
    tests().clone()
}

/// One play of a rule, until dropped.
#[must_use = "what is played is over when this is dropped"]
pub(crate) struct Play {
    kinds: Vec<Kind>,
}

/// A rule is played with processes of these kinds. Inside another play it counts as a part of that.
pub(crate) fn play(kinds: &[Kind]) -> Play {
    watch_panics();
    ATTENDS.with(|_| ());
    let inner = DEPTH.replace(DEPTH.get() + 1) > 0;
    Play {
        kinds: if inner { Vec::new() } else { kinds.to_vec() },
    }
}

/// A rule in which no process takes part, or whichever kind: it counts for both.
pub(crate) fn whichever() -> Play {
    play(&[Kind::Thread, Kind::Pooled])
}

impl Drop for Play {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if self.kinds.is_empty() {
            return;
        }
        let broken = thread::panicking();
        with_test(|test| {
            for (kind, score) in [
                (Kind::Thread, &mut test.thread),
                (Kind::Pooled, &mut test.pooled),
            ] {
                if self.kinds.contains(&kind) {
                    score.held += usize::from(!broken);
                    score.broken += usize::from(broken);
                }
            }
        });
    }
}

/// Has a test that panics between its plays counted as failed.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let attends = thread::current()
                .name()
                .is_some_and(|name| tests().contains_key(name));
            if attends && DEPTH.try_with(|depth| depth.get() == 0).unwrap_or(false) {
                with_test(|test| test.failed = true);
            }
            before(panic);
        }));
    });
}
