//! Monitors: to hear of the end of a process, without any effect on it.

use crate::pid::MonitorRef;
use crate::process::core::{Process, Signal};
use crate::process::current;
use crate::process::error::NotAProcess;
use crate::process::id::ProcessId;
use crate::process::relations::{Watched, Watcher};
use crate::process::signal::Down;
use crate::reason::ExitReason;
use crate::sync::Arc;

/// Watches a process from the one that runs on this thread; see
/// [`Context::monitor`](crate::process::Context::monitor). A plain thread uses
/// [`watch`](crate::process::watch).
pub fn monitor(what: impl Into<ProcessId>) -> Result<MonitorRef, NotAProcess> {
    Ok(monitor_by(&current::required()?, what.into()))
}

/// Takes a monitor back: `true` if it was there and has not fired. A `Down` that is in the mailbox stays there.
pub fn demonitor(monitor: MonitorRef) -> Result<bool, NotAProcess> {
    Ok(demonitor_by(&current::required()?, monitor))
}

/// Takes a monitor back together with its `Down`: after this none comes. `true` if it had not fired.
pub fn demonitor_flush(monitor: MonitorRef) -> Result<bool, NotAProcess> {
    Ok(demonitor_flush_by(&current::required()?, monitor))
}

pub(crate) fn monitor_by(me: &Arc<dyn Process>, what: ProcessId) -> MonitorRef {
    current::checkpoint();
    let core = me.core();
    let monitor = core.runtime.monitor_ref();
    let (pid, name, target) = what.resolve(&core.runtime);
    if pid == core.pid {
        return monitor;
    }
    // 1. The holder remembers the monitor. 2. The target learns of its watcher. A target that dies between the
    // two has nobody to tell, and step 2 finds it ended; one that dies after step 2 finds step 1 done.
    core.relations.lock().watch(
        monitor,
        Watched {
            pid,
            name: name.clone(),
        },
    );
    let alive = target.is_some_and(|target| {
        let watcher = Watcher::Process(core.pid);
        target
            .core()
            .relations
            .lock()
            .add_watcher(monitor, watcher)
            .is_ok()
    });
    if alive {
        return monitor;
    }
    let mut relations = core.relations.lock();
    if relations.unwatch(monitor).is_some() {
        relations.queue_down(Down {
            monitor,
            pid,
            name,
            reason: ExitReason::NoProc,
        });
        me.push_signal(Signal::Down(monitor));
    }
    drop(relations);
    me.clone().wake();
    monitor
}

pub(crate) fn demonitor_by(me: &Arc<dyn Process>, monitor: MonitorRef) -> bool {
    current::checkpoint();
    let core = me.core();
    let watched = core.relations.lock().unwatch(monitor);
    let Some(watched) = watched else { return false };
    if let Some(target) = core.runtime.process(watched.pid) {
        let watcher = target.core().relations.lock().remove_watcher(monitor);
        drop(watcher);
    }
    true
}

pub(crate) fn demonitor_flush_by(me: &Arc<dyn Process>, monitor: MonitorRef) -> bool {
    let was_there = demonitor_by(me, monitor);
    if !was_there {
        let down = me.core().relations.lock().take_down(monitor);
        drop(down);
    }
    was_there
}
