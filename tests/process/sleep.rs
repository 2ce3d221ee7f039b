//! Sleeping, which is waiting inside the library.

use crate::support::eventually;
use perennial::process::{self, Status};
use perennial::{ExitReason, Runtime};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// A duration beyond what the clock can tell is for ever, not no time at all.
#[test]
fn sleep_of_all_time_ends_by_a_signal_only() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let sleeper = process::spawn::<()>(|_| process::sleep(Duration::MAX));
    let mut watch = process::watch(&sleeper);
    eventually("it waits", || {
        process::info(&sleeper).is_some_and(|info| info.status == Status::Waiting)
    });
    process::exit(&sleeper, ExitReason::Shutdown);
    assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
}
