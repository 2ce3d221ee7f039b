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
//! # The three suppressions
//!
//! Each is for accesses that are races by the letter and that their authors made on purpose. The sanitizer finds the names of
//! functions with `llvm-symbolizer`; without it, nothing is suppressed. Whatever else races with one of these accesses is not
//! reported either: for what they touch, the sanitizer is blind.
//!
//! * `Buffer` of crossbeam-deque. A thief reads a place of the ring before it knows whether the place is its own, and forgets what
//!   it read if it was not; meanwhile the owner may write there. Crossbeam makes both accesses volatile and says so at
//!   `Buffer::read` and `Buffer::write` (<https://github.com/crossbeam-rs/crossbeam/blob/master/crossbeam-deque/src/deque.rs>).
//!   They call nothing of ours.
//! * `walIndexTryHdr` of SQLite. The head of the index of a log is there twice. A writer (`walIndexWriteHdr`) copies the second
//!   first, a reader the first first, each with a barrier in between and without a lock; what a reader got counts only if both
//!   are equal and the checksum is right. SQLite says at both functions, under tag-20200519-1, that the sanitizer is wrong here,
//!   and leaves them out itself where clang compiles it. SQLite is not instrumented, so the sanitizer sees these copies and
//!   nothing else of the function.
//! * `walTryBeginRead` of SQLite. Once a reader has its read lock and made a barrier, it compares the first head with the copy
//!   that it took before, and begins again if a writer has changed it meanwhile, or is changing it: a torn head is a changed one.
//!   These two comparisons are all that the sanitizer sees of the function.
//!
//! The list is no place for a race of ours: nothing in it is a function of this crate.

use std::ffi::{c_char, c_int};

/// In a pattern, as in the file that `TSAN_OPTIONS=suppressions=` names, `*` stands for anything: here for what a
/// name looks like before and after demangling. `^` and `$` are its beginning and its end.
const SUPPRESSIONS: *const c_char =
    c"race:crossbeam_deque*Buffer\nrace:^walIndexTryHdr$\nrace:^walTryBeginRead$\n".as_ptr();

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
