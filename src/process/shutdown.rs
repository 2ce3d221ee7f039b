//! How a runtime stops: in order, within a deadline, and with an account of what did not.

use crate::pid::Pid;
use crate::process::core::{Process, flag};
use crate::process::runtime::Shared;
use crate::process::{death, exit, watch};
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::time::later;
use std::time::{Duration, Instant};

/// What the scheduler's threads get to end in when the deadline is used up: those without user code in them need
/// a moment, and would be counted as zombies without it.
const SETTLE: Duration = Duration::from_millis(200);

/// For threads that have nothing left to do but end.
const JOIN_MAX: Duration = Duration::from_secs(10);

/// What a shutdown came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Processes that were asked and ended.
    pub stopped: usize,
    /// Processes that had to be killed.
    pub killed: usize,
    /// Threads of processes that were joined at the end.
    pub joined: usize,
    /// Processes whose code did not end in time: their threads, or the workers they hold, run on.
    pub zombies: usize,
}

/// Stops all that runs in a runtime.
pub(crate) fn run(shared: &Arc<Shared>, deadline: Duration) -> Report {
    let mut report = Report::default();
    if shared.stopped.swap(true, Ordering::AcqRel) {
        return report;
    }
    let now = moment(shared);
    let end = later(now, deadline);
    // Half of the time is for those who end when asked, the rest for those who have to be made to.
    let patience = later(now, deadline / 2);
    for supervisor in supervisors(shared) {
        ask(&supervisor);
        await_end(&supervisor, patience);
    }
    let left = alive(shared);
    for process in &left {
        ask(process);
    }
    for process in &left {
        if await_end(process, patience) {
            report.stopped += 1;
        }
    }
    shared.stopping.store(true, Ordering::Release);
    let stubborn = alive(shared);
    for process in &stubborn {
        exit::kill(process);
    }
    let grace = later(moment(shared), shared.settings.kill_grace).min(end);
    for process in &stubborn {
        if !await_end(process, grace) {
            death::cut(process);
        }
        report.killed += 1;
    }
    let (end, settled) = last_moments(shared, end);
    let (joined, threads) = shared.threads.join_all(end);
    let workers = shared.scheduler().shutdown(settled);
    report.joined = joined;
    report.zombies = threads + workers;
    shared.tell_dropped();
    report
}

/// What the deadline of a shutdown goes by: real time, or that of a deterministic runtime.
fn moment(shared: &Shared) -> Instant {
    if shared.is_deterministic() {
        shared.clock.now()
    } else {
        Instant::now()
    }
}

/// Until when threads are joined: those of processes, and those of the scheduler. In a deterministic runtime all
/// of them have come as far as they will when this returns.
fn last_moments(shared: &Shared, end: Instant) -> (Instant, Instant) {
    let now = Instant::now();
    let Some(hand) = shared.scheduler().deterministic() else {
        return (end, end.max(now + SETTLE));
    };
    let through = || shared.threads.live() == 0 && !hand.is_held_up();
    if !hand.is_inside() {
        // What does not come to its end in time is what the joins will count.
        let _ = hand.run(Some(end), through);
    }
    (now, now + JOIN_MAX)
}

fn alive(shared: &Shared) -> Vec<Arc<dyn Process>> {
    let mut all = shared.table.all();
    all.retain(|process| process.core().relations.lock().ended().is_none());
    all
}

/// Supervisors that no other supervisor started, the newest first: they stop what is below them.
fn supervisors(shared: &Shared) -> Vec<Arc<dyn Process>> {
    let mut all = alive(shared);
    let supervises = |pid: Pid| {
        let process = shared.process(pid);
        process.is_some_and(|process| process.core().has(flag::SUPERVISOR))
    };
    all.retain(|process| {
        process.core().has(flag::SUPERVISOR) && !supervises(process.core().parent())
    });
    all.sort_by_key(|process| std::cmp::Reverse(process.core().order));
    all
}

/// On behalf of its parent: from nobody else does a supervisor take it, nor a server that traps exits.
fn ask(process: &Arc<dyn Process>) {
    exit::send(process, process.core().parent(), ExitReason::Shutdown);
}

/// Waits in real time: a runtime with a clock that is moved by hand has to stop as well.
fn await_end(process: &Arc<dyn Process>, until: Instant) -> bool {
    watch::ended_by(process, until)
}
