//! What the system says of this program, and figures of many measurements.

use std::time::Duration;

/// Resident memory in bytes.
pub(crate) fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = (statm.split(' ').nth(1))
        .and_then(|word| word.parse().ok())
        .expect("the second figure is the resident pages");
    pages * 4096
}

/// Processor time that all threads have used so far.
pub(crate) fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let each = tasks.flatten().filter_map(|task| {
        let schedstat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(each.sum())
}

/// Does nothing for a while: a caller's time between two calls, or what is measured itself.
#[expect(clippy::disallowed_methods, reason = "no event is waited for")]
pub(crate) fn pause(how_long: Duration) {
    std::thread::sleep(how_long);
}

/// Many measurements, to be asked for the middle one and the worst.
#[derive(Default)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    pub(crate) fn add(&mut self, measured: Duration) {
        self.0.push(measured);
    }

    /// The measurement that so many of a hundred do not exceed, in nanoseconds.
    pub(crate) fn percentile(&mut self, of_hundred: f64) -> u128 {
        self.0.sort_unstable();
        let at = (self.0.len() as f64 * of_hundred / 100.0) as usize;
        self.0[at.min(self.0.len() - 1)].as_nanos()
    }
}
