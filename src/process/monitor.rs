//! Monitors: to hear of the end of a process, without any effect on it.

use crate::pid::MonitorRef;
use crate::process::alias::AliasState;
use crate::process::core::{Process, Signal};
use crate::process::current;
use crate::process::error::NotAProcess;
use crate::process::id::ProcessId;
use crate::process::relations::{Watched, Watcher};
use crate::process::signal::Tag;
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;

/// Watches a process from the one that runs on this thread; see
/// [`Context::monitor`](crate::process::Context::monitor). A plain thread uses
/// [`watch`](fn@crate::process::watch).
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn monitor(what: impl Into<ProcessId>) -> Result<MonitorRef, NotAProcess> {
    Ok(monitor_by(&current::required()?, what.into()))
}

/// [`monitor`] with a value that comes back with the `Down`; see
/// [`Context::monitor_with_tag`](crate::process::Context::monitor_with_tag).
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn monitor_with_tag(
    what: impl Into<ProcessId>,
    tag: impl Any + Send + Sync,
) -> Result<MonitorRef, NotAProcess> {
    let me = current::required()?;
    Ok(monitor_tagged(&me, what.into(), Tag::new(tag)))
}

/// Takes a monitor back: `true` if it was there and has not fired. A `Down` that is in the mailbox stays there.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn demonitor(monitor: MonitorRef) -> Result<bool, NotAProcess> {
    Ok(demonitor_by(&current::required()?, monitor))
}

/// Takes a monitor back together with its `Down`: after this none comes. `true` if it had not fired.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn demonitor_flush(monitor: MonitorRef) -> Result<bool, NotAProcess> {
    Ok(demonitor_flush_by(&current::required()?, monitor))
}

pub(crate) fn monitor_by(me: &Arc<dyn Process>, what: ProcessId) -> MonitorRef {
    let monitor = me.core().runtime.monitor_ref();
    watch_as(me, monitor, what, None, None)
}

pub(crate) fn monitor_tagged(me: &Arc<dyn Process>, what: ProcessId, tag: Tag) -> MonitorRef {
    let monitor = me.core().runtime.monitor_ref();
    watch_as(me, monitor, what, Some(tag), None)
}

/// Sets a monitor whose reference is known already, with what goes along with it.
pub(crate) fn watch_as(
    me: &Arc<dyn Process>,
    monitor: MonitorRef,
    what: ProcessId,
    tag: Option<Tag>,
    alias: Option<Arc<AliasState>>,
) -> MonitorRef {
    current::checkpoint();
    let core = me.core();
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
            name,
            tag,
            alias,
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
    if let Some(watched) = relations.unwatch(monitor) {
        relations.queue_down(watched.down(monitor, pid, ExitReason::NoProc));
        me.push_signal(Signal::Down(monitor));
    }
    drop(relations);
    me.clone().wake();
    monitor
}

pub(crate) fn demonitor_by(me: &Arc<dyn Process>, monitor: MonitorRef) -> bool {
    current::checkpoint();
    take_back(me, monitor)
}

fn take_back(me: &Arc<dyn Process>, monitor: MonitorRef) -> bool {
    let core = me.core();
    let watched = core.relations.lock().unwatch(monitor);
    let Some(watched) = watched else { return false };
    if let Some(alias) = &watched.alias {
        alias.monitor_is_gone();
    }
    if let Some(target) = core.runtime.process(watched.pid) {
        let watcher = target.core().relations.lock().remove_watcher(monitor);
        drop(watcher);
    }
    true
}

pub(crate) fn demonitor_flush_by(me: &Arc<dyn Process>, monitor: MonitorRef) -> bool {
    current::checkpoint();
    take_back_flush(me, monitor)
}

/// Takes a monitor back together with its `Down`, and does nothing else.
pub(crate) fn take_back_flush(me: &Arc<dyn Process>, monitor: MonitorRef) -> bool {
    let was_there = take_back(me, monitor);
    if !was_there {
        let down = me.core().relations.lock().take_down(monitor);
        drop(down);
    }
    was_there
}
