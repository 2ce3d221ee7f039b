//! The stress, the conformance rows and the chat under ThreadSanitizer. Every scenario, every canary and every module of tests is
//! a process of its own: a canary must end with a report, all others without one. Built without `--cfg tsan` there is nothing in
//! here.
//!
//! ```text
//! RUSTFLAGS="--cfg tsan -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer \
//!   -Clink-arg=-Wl,--wrap=__tsan_atomic64_fetch_sub" \
//!   cargo +nightly test --features chat --test tsan --target x86_64-unknown-linux-gnu --target-dir target/tsan
//! ```
//!
//! Without `--features chat` there is no chat. SQLite reads the head of the index of its log without a lock (`walIndexTryHdr`,
//! `walTryBeginRead`) while a writer copies a new one there; `src/sync/tsan.rs` says why that is suppressed. A mistake in these
//! two functions nobody sees here, nor one in the rest of SQLite but for its copies.
//!
//! What is covered: the scenarios of `tests/tsan`, the modules that `tests/tsan/everything.rs` lists (of the conformance rows all
//! modules of `tests/conformance/main.rs`, played on both kinds), at their default scale, and 18 kills in a chat.
//! What is not: the properties and models that are single threads with many cases (`process::properties`, `registry_model`, …),
//! panic hooks and signals, which are one for a whole program, the store's power cuts, the web's parsers, the seeds of
//! `tests/deterministic` (a scenario and `process::deterministic` pass the baton here), and the few tests in `LEFT_OUT` of
//! `tests/tsan/runner.rs`, each with its reason.
//!
//! libtest is not in the way: the runner is our own, since libtest's, which is not instrumented, would be reported itself. For the
//! same reason the tests have a `std` of their own (`tests/tsan/std.rs`).
//!
//! What decides is the sanitizer: a test of a module whose rule did not hold, tens of times slower than anywhere else, is shown
//! and does not count. A scenario that fails does.
//!
//! `PERENNIAL_TSAN_ONLY=stress` plays what has that in its name, and no canaries unless they have.
#![cfg_attr(tsan, feature(custom_test_frameworks, test), test_runner(runner::run))]

#[cfg(tsan)]
extern crate self as std;
#[cfg(tsan)]
extern crate test;
#[cfg(tsan)]
#[path = "tsan/std.rs"]
mod seen;
#[cfg(tsan)]
pub use seen::*;

#[cfg(tsan)]
#[path = "support/canary.rs"]
mod canary;
#[cfg(tsan)]
#[path = "tsan/churn.rs"]
mod churn;
#[cfg(tsan)]
#[path = "tsan/everything.rs"]
mod everything;
#[cfg(tsan)]
#[path = "tsan/facade.rs"]
mod facade;
#[cfg(tsan)]
#[path = "tsan/processes.rs"]
mod processes;
#[cfg(tsan)]
#[path = "tsan/runner.rs"]
mod runner;
#[cfg(tsan)]
#[path = "tsan/services.rs"]
mod services;
#[cfg(tsan)]
#[path = "stress/storm.rs"]
mod storm;
#[cfg(tsan)]
#[path = "support/mod.rs"]
mod support;

/// What the tests of the layers call by the root of their own binaries.
#[cfg(tsan)]
use everything::behaviour::{actor, clerk, machine, stage, supervisor_model};
#[cfg(all(tsan, feature = "chat"))]
use everything::chat::{checker, faults, http_client, server, socket_client, talker};
#[cfg(tsan)]
use everything::service::{application, registry_partitions};
