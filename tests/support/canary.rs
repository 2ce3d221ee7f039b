//! Canaries: programs with one race each, which ThreadSanitizer must report. If it is silent about one of them, then what the façade
//! does for it hides races, and its silence about everything else means nothing.

use perennial::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use perennial::sync::{Arc, Mutex, thread};
use std::cell::UnsafeCell;

/// By name; each races and returns.
pub(crate) const ALL: [(&str, fn()); 4] = [
    ("lock_skipped_on_one_side", lock_skipped_on_one_side),
    ("published_without_order", published_without_order),
    ("counted_down_without_order", counted_down_without_order),
    ("read_after_the_last_drop", read_after_the_last_drop),
];

/// How often each pair of accesses is repeated: a report needs one.
const ROUNDS: u64 = 1_000;

/// A value that anybody may touch at any time.
#[derive(Default)]
struct Bare(UnsafeCell<u64>);

// SAFETY: it is not; that is what a canary is for.
unsafe impl Sync for Bare {}

impl Bare {
    fn add(&self) {
        // SAFETY: none, see above.
        unsafe { *self.0.get() += 1 }
    }

    fn get(&self) -> u64 {
        // SAFETY: none, see above.
        unsafe { *self.0.get() }
    }
}

fn both(left: impl FnOnce() + Send + 'static, right: impl FnOnce() + Send + 'static) {
    let left = thread::spawn("left".into(), None, left).expect("a thread");
    let right = thread::spawn("right".into(), None, right).expect("a thread");
    left.join().expect("no panic");
    right.join().expect("no panic");
}

fn lock_skipped_on_one_side() {
    let shared = Arc::new((Mutex::new(()), Bare::default()));
    let other = shared.clone();
    both(
        move || {
            for _ in 0..ROUNDS {
                let _held = shared.0.lock();
                shared.1.add();
            }
        },
        move || (0..ROUNDS).for_each(|_| other.1.add()),
    );
}

fn published_without_order() {
    let shared = Arc::new((AtomicBool::new(false), Bare::default()));
    let other = shared.clone();
    both(
        move || {
            shared.1.add();
            // The mistake: nothing orders the value before the flag.
            shared.0.store(true, Ordering::Relaxed);
        },
        move || {
            while !other.0.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            assert!(other.1.get() > 0);
        },
    );
}

/// What `Arc` does, without its order: the façade must not lend it one.
fn counted_down_without_order() {
    let shared = Arc::new((AtomicU64::new(2), Bare::default()));
    let other = shared.clone();
    let last = |shared: &(AtomicU64, Bare)| {
        shared.1.add();
        shared.0.fetch_sub(1, Ordering::Relaxed)
    };
    both(
        move || {
            last(&shared);
        },
        move || {
            last(&other);
        },
    );
}

fn read_after_the_last_drop() {
    struct Stale(*const u64);
    // SAFETY: it is not; that is what a canary is for.
    unsafe impl Send for Stale {}
    impl Stale {
        fn read(&self) {
            // SAFETY: none, the value may be gone.
            std::hint::black_box(unsafe { self.0.read_volatile() });
        }
    }
    let shared = Arc::new(7);
    let stale = Stale(Arc::as_ptr(&shared));
    both(move || stale.read(), move || drop(shared));
}
