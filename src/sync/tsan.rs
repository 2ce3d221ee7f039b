//! Under ThreadSanitizer: what it has to be told about code that is not ours.
//!
//! # Reference counts
//!
//! An `Arc` counts down with release, and whoever reaches zero makes a stand-alone acquire fence, drops the value and frees it. The
//! sanitizer does not model such fences: each drop of a value that another thread has used would be reported.
//! (`std` does without the fence if it is itself compiled for the sanitizer; a prebuilt one is not.)
//!
//! The linker's `--wrap=__tsan_atomic64_fetch_sub` makes the program call this function wherever it subtracts atomically. A count-down
//! with release becomes one with acquire and release, so the last one is ordered after all others: what the fence
//! says, said in another way. It holds for `Arc` and `Weak` in every crate of the program.
//!
//! What it hides: a race that is one only because a subtraction with release, and no fence after it, was taken for an acquire.
//!
//! # The one suppression
//!
//! A thief of crossbeam-deque reads a place of the ring before it knows whether the place is its own, and forgets what it read if it was
//! not; meanwhile the owner may write there. By the letter that is a race, so crossbeam makes both accesses volatile
//! and says so at `Buffer::read` and `Buffer::write` (<https://github.com/crossbeam-rs/crossbeam/blob/master/crossbeam-deque/src/deque.rs>).
//! Reports with one of these two functions on the stack are suppressed; they call nothing of ours.

use std::ffi::{c_char, c_int};

/// In the pattern, as in the file that `TSAN_OPTIONS=suppressions=` names, `*` stands for anything: here for what a
/// name looks like before and after demangling.
const SUPPRESSIONS: *const c_char = c"race:crossbeam_deque*Buffer\n".as_ptr();

/// Called by the sanitizer at its start, before it can be called itself: so this calls and reads nothing.
#[unsafe(no_mangle)]
extern "C" fn __tsan_default_suppressions() -> *const c_char {
    SUPPRESSIONS
}

/// `memory_order_release` and `memory_order_acq_rel` as the sanitizer's interface counts them.
const RELEASE: c_int = 3;
const ACQ_REL: c_int = 4;

unsafe extern "C" {
    /// The sanitizer's own function, under the name that the linker gives it.
    fn __real___tsan_atomic64_fetch_sub(value: *mut i64, less: i64, order: c_int) -> i64;
}

/// Called by instrumented code for `fetch_sub` on 64 bits.
///
/// # Safety
///
/// `value` points to an atomic, as the compiler sees to that makes the call.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap___tsan_atomic64_fetch_sub(
    value: *mut i64,
    less: i64,
    order: c_int,
) -> i64 {
    let order = if order == RELEASE { ACQ_REL } else { order };
    // SAFETY: the arguments are the caller's; a stronger order is always allowed.
    unsafe { __real___tsan_atomic64_fetch_sub(value, less, order) }
}
