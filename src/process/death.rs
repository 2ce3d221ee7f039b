//! How a process dies: mark, drop the state, give back names, seal the mailbox (whoever hears of the end finds
//! nobody there), report a crash (whoever acts on the end reports later), tell links, tell monitors and callers,
//! drop the mailbox, release the pid; in this order, and told in turn to each of those who are linked, so that a
//! chain of any length needs no deep stack.

use crate::pid::{MonitorRef, Pid};
use crate::process::core::{Core, Kind, Process, Signal, flag};
use crate::process::error::CallError;
use crate::process::few::Few;
use crate::process::relations::{Obituary, Origin, Watcher};
use crate::process::report;
use crate::process::runtime::Shared;
use crate::process::signal::Exit;
use crate::process::{current, start};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a process came to its end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) reason: ExitReason,
    /// Equals `true` if the end is the process's own doing, so that an abnormal one is reported.
    own: bool,
    /// Equals `true` if there is nothing to say of it.
    quiet: bool,
}

impl End {
    /// Equals `true` if the end is the process's own doing.
    pub(crate) fn is_own(&self) -> bool {
        self.own
    }

    /// By what it did itself: a return, a stop, a panic.
    pub(crate) fn by_itself(reason: ExitReason) -> Self {
        End {
            reason,
            own: true,
            quiet: false,
        }
    }

    /// By a signal: whoever sent it has the report.
    pub(crate) fn by_signal(reason: ExitReason) -> Self {
        End {
            reason,
            own: false,
            quiet: false,
        }
    }

    /// Equals `true` if it is to be reported.
    pub(crate) fn is_crash(&self) -> bool {
        self.own && !self.reason.is_clean()
    }

    /// Equals `true` if it was [`quiet`](End::quiet) from the beginning.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Not worth a word.
    pub(crate) fn quiet(reason: ExitReason) -> Self {
        End {
            reason,
            own: false,
            quiet: true,
        }
    }
}

/// The death path of a process, on the thread that ran it. Its identity may have been cut before, by a kill;
/// then only its state is left. Why it ended in the end.
pub(crate) fn die(process: &Arc<dyn Process>, end: End, drop_state: impl FnOnce()) -> ExitReason {
    let core = process.core();
    // Whatever the code came to after a kill, the kill was first.
    let end = if core.set(flag::ENDING) & flag::KILLED == 0 {
        end
    } else {
        End::by_signal(ExitReason::Killed)
    };
    let end = match catch_unwind(AssertUnwindSafe(drop_state)) {
        Ok(()) => end,
        Err(payload) => match crate::process::unwind::reason_of(payload) {
            // A destructor that panics is a crash of its own, unless there was one already.
            (reason, _) if end.reason.is_clean() => End::by_itself(reason),
            _ => end,
        },
    };
    let shared = &core.runtime;
    // In a deterministic runtime anybody may look between any two of these steps, as anybody may in any other.
    current::put_aside(process);
    let given_back = give_back(shared, process);
    current::put_aside(process);
    let Some(obituary) = given_back.then(|| ended(process, &end.reason)).flatten() else {
        shared.zombie_ended(core.pid);
        return end.reason;
    };
    if end.is_crash() {
        let left = process.mailbox_len();
        let report = || report::crash(process, &end.reason, &obituary.links, left);
        // What fails in a report must not keep anybody from hearing of the end.
        drop(catch_unwind(AssertUnwindSafe(report)));
    }
    current::put_aside(process);
    tell(core, obituary, &end.reason);
    current::put_aside(process);
    process.close(&end.reason);
    current::put_aside(process);
    release(shared, process, &end.reason);
    end.reason
}

/// Cuts the identity of a process whose code does not end: all that others see of it dies now, as `Killed`.
pub(crate) fn cut(process: &Arc<dyn Process>) {
    let core = process.core();
    let shared = &core.runtime;
    if core.relations.lock().ended().is_some() {
        return;
    }
    // Known as a zombie before anybody is told of the end, so that whoever hears of it can wait for the rest.
    shared.quiesce.add(core.pid);
    let given_back = give_back(shared, process);
    shared.scheduler().put_aside();
    let Some(obituary) = given_back
        .then(|| ended(process, &ExitReason::Killed))
        .flatten()
    else {
        shared.quiesce.remove(core.pid);
        return;
    };
    core.set(flag::GONE);
    shared.becomes_zombie(core.pid);
    tell(core, obituary, &ExitReason::Killed);
    process.close(&ExitReason::Killed);
    cut_requests(shared, process);
    release(shared, process, &ExitReason::Killed);
}

/// What a pooled process has taken out of its mailbox is in the hand of its code, which does not end; requests that are
/// there are watched only when the callback ends that got them. So whoever has asked anybody anything looks whether it
/// was this one. Those that asked had the flag before their request could be taken, so none is missed.
fn cut_requests(shared: &Shared, process: &Arc<dyn Process>) {
    let core = process.core();
    if core.kind == Kind::Thread {
        return;
    }
    for asker in shared.table.all() {
        if asker.core().has(flag::ASKS) {
            asker.tell(Signal::Cut(core.pid));
        }
    }
}

/// Ends a process that was never started: of this nobody hears who did not look for it in the table.
pub(crate) fn take_back(process: &Arc<dyn Process>) {
    let core = process.core();
    let shared = &core.runtime;
    core.clear(flag::STARTING);
    core.set(flag::ENDING);
    if !give_back(shared, process) {
        return;
    }
    if let Some(obituary) = ended(process, &ExitReason::NoProc) {
        tell(core, obituary, &ExitReason::NoProc);
        process.close(&ExitReason::NoProc);
        core.set(flag::GONE);
        let had = shared.table.remove(core.pid);
        drop(had);
    }
}

/// The moment at which a process is dead; whom to tell, unless it was before.
fn ended(process: &Arc<dyn Process>, reason: &ExitReason) -> Option<Obituary> {
    let core = process.core();
    let obituary = core.relations.lock().end(reason.clone())?;
    core.runtime.table.ended();
    process.seal();
    Some(obituary)
}

/// Names and whatever services keep; `false` if somebody else has given them back, and ends the process.
fn give_back(shared: &Shared, process: &Arc<dyn Process>) -> bool {
    let core = process.core();
    let given = core.relations.lock().give_back();
    let Some((name, cleanups)) = given else {
        return false;
    };
    if let Some(name) = name {
        shared.names.release(&name, core.pid);
    }
    for cleanup in cleanups {
        // A service that fails to forget a process must not keep it from dying.
        if catch_unwind(AssertUnwindSafe(|| cleanup.at_death(core.pid))).is_err() {
            log::error!(target: "perennial::process", "a clean-up after {} panicked", core.pid);
        }
    }
    true
}

/// Tells all who are linked, who watch, and who wait for an answer.
fn tell(core: &Core, obituary: Obituary, reason: &ExitReason) {
    let (shared, pid) = (&*core.runtime, core.pid);
    let another_may_go_first = || shared.scheduler().put_aside();
    let stops = core.has(flag::STOPPING);
    let stopped_by = stops.then(|| shared.process(core.parent())).flatten();
    obituary.links.for_each(|link| {
        another_may_go_first();
        match &stopped_by {
            // It hears by other means.
            Some(parent) if parent.core().pid == link => {
                parent.core().relations.lock().unlink(pid);
            }
            _ => tell_link(shared, pid, link, reason),
        }
    });
    tell_watchers(core, obituary.watchers, reason);
    let late = core.relations.lock().told();
    tell_watchers(core, late, reason);
    for (monitor, watched) in obituary.watching {
        if let Some(watched) = shared.process(watched.pid) {
            let watcher = watched.core().relations.lock().remove_watcher(monitor);
            drop(watcher);
        }
    }
    let (unmet, dictionary) = (obituary.unmet, obituary.dictionary);
    if catch_unwind(AssertUnwindSafe(|| drop(unmet))).is_err() {
        log::error!(target: "perennial::process", "the destructor of an exit reason panicked");
    }
    if catch_unwind(AssertUnwindSafe(|| drop(dictionary))).is_err() {
        log::error!(target: "perennial::process", "the destructor of a value in a dictionary panicked");
    }
    start::ended(core, reason);
    tell_parent(core, stopped_by, reason);
}

fn tell_watchers(core: &Core, watchers: Few<Watcher>, reason: &ExitReason) {
    let shared = &*core.runtime;
    for (monitor, watcher) in watchers {
        shared.scheduler().put_aside();
        match watcher {
            Watcher::Process(watcher) => tell_watcher(shared, core.pid, watcher, monitor, reason),
            Watcher::Call(call) => call.fail(CallError::Exited(reason.clone())),
        }
    }
}

/// Who stops a process hears of its end after everybody else.
fn tell_parent(core: &Core, parent: Option<Arc<dyn Process>>, reason: &ExitReason) {
    if core.set(flag::TOLD) & flag::STOPPING == 0 {
        return;
    }
    // It may have begun to stop the process only just now.
    if let Some(parent) = parent.or_else(|| core.runtime.process(core.parent())) {
        parent.tell(Signal::Stopped(core.pid, Box::new(reason.clone())));
    }
}

/// The link counts only if the other side still has it: an unlink may have come first.
fn tell_link(shared: &Shared, pid: Pid, to: Pid, reason: &ExitReason) {
    let Some(receiver) = shared.process(to) else {
        return;
    };
    let core = receiver.core();
    let mut relations = core.relations.lock();
    if relations.ended().is_some() || !relations.unlink(pid) {
        return;
    }
    // A process that does not trap exits never hears of a normal end, so nothing is left in its mailbox: an
    // owner of many short-lived tasks that seldom receives would gather them there.
    if *reason == ExitReason::Normal && !core.traps_exit() {
        return;
    }
    let exit = Exit {
        from: pid,
        reason: reason.clone(),
    };
    let mark = relations.queue_exit(exit, Origin::Link);
    core.set(flag::EXIT_QUEUED);
    receiver.push_signal(Signal::Exit(mark));
    drop(relations);
    core.interrupt();
    receiver.wake();
}

/// The monitor counts only if its holder still has it: a demonitor may have come first.
fn tell_watcher(shared: &Shared, pid: Pid, to: Pid, monitor: MonitorRef, reason: &ExitReason) {
    let Some(receiver) = shared.process(to) else {
        return;
    };
    let mut relations = receiver.core().relations.lock();
    let Some(watched) = relations.unwatch(monitor) else {
        return;
    };
    relations.queue_down(watched.down(monitor, pid, reason.clone()));
    receiver.push_signal(Signal::Down(monitor));
    drop(relations);
    receiver.wake();
}

/// The pid leads nowhere from now on, and is never given again.
fn release(shared: &Shared, process: &Arc<dyn Process>, reason: &ExitReason) {
    let core = process.core();
    core.set(flag::GONE);
    let had = shared.table.remove(core.pid);
    drop(had);
    shared.telemetry.emit(|| report::Exited {
        pid: core.pid,
        reason: reason.clone(),
    });
}
