//! Waiting for an event with a deadline, never for a duration.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives it up: far above what it takes on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Looks until `holds` says so; fails the test if it does not within [`LONG`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        std::thread::yield_now();
    }
}
