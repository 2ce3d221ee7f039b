//! A runtime of its own for each run of a rule, and a look at what the rule left behind.

use super::{LONG, eventually, record};
use perennial::Runtime;
use perennial::process::{Builder, Counts};

/// More than the cores there are, so that a puppet which keeps a worker busy leaves others to run.
const WORKERS: usize = 4;

/// A runtime with its defaults, but for the number of workers.
pub(crate) fn builder() -> Builder {
    Runtime::builder().workers(WORKERS)
}

/// Runs `play` in a runtime made by `builder`; afterwards nothing of it may be left: no process, thread, name,
/// timer or zombie, and nothing for the shutdown to stop.
pub(crate) fn on_stage(builder: Builder, play: impl FnOnce(&Runtime)) {
    // Whoever knows the kinds that play here has said so before.
    let _play = record::play(&[]);
    let runtime = builder.build().expect("a runtime starts");
    let entered = runtime.enter();
    play(&runtime);
    eventually("everything is back to the base line", || {
        runtime.counts() == Counts::default()
    });
    if !runtime.clock().is_manual() {
        // The timers of kills end by themselves, within their grace.
        eventually("no timer of the scheduler is left", || {
            runtime.scheduler_stats().timers == 0
        });
    }
    drop(entered);
    let report = runtime.shutdown(LONG);
    assert_eq!(
        (report.stopped, report.killed, report.zombies),
        (0, 0, 0),
        "the rule left processes behind: {report:?}"
    );
}
