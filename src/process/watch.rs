//! A monitor for plain threads: the end of a process as something to wait for.

use crate::pid::{MonitorRef, Pid};
use crate::process::call::{Pending, PendingCall, Watched};
use crate::process::core::{Kind, Process};
use crate::process::error::CallError;
use crate::process::id::ProcessId;
use crate::process::oneshot::Answer;
use crate::process::relations::Watcher;
use crate::process::runtime::{self, Shared};
use crate::process::signal::Down;
use crate::process::{call, current, unwind, wait};
use crate::reason::ExitReason;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Parker};
use std::fmt;
use std::time::{Duration, Instant};

/// A monitor that is waited for, not received: made by [`watch`].
pub struct Watch {
    shared: Arc<Shared>,
    pid: Pid,
    name: Option<Arc<str>>,
    monitor: MonitorRef,
    state: State,
}

enum State {
    Ended(ExitReason),
    Waiting(Arc<Pending<()>>),
}

/// Watches a process from any thread; [`process::monitor`](fn@crate::process::monitor) is for processes.
///
/// Who watches before the end hears of it after those who are linked. Who comes while the process dies gets
/// `NoProc` at once, as in Erlang, though some who are linked may not have heard yet.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::{ExitReason, process};
/// let worker = process::spawn::<()>(|cx| drop(cx.receive()));
/// let mut watch = process::watch(&worker);
/// worker.cast(());
/// let down = watch.wait(std::time::Duration::from_secs(5)).unwrap();
/// assert_eq!(down.reason, ExitReason::Normal);
/// ```
pub fn watch(what: impl Into<ProcessId>) -> Watch {
    watch_in(&runtime::current(), what)
}

pub(crate) fn watch_in(shared: &Arc<Shared>, what: impl Into<ProcessId>) -> Watch {
    let (pid, name, process) = what.into().resolve(shared);
    let mut watch = Watch {
        shared: shared.clone(),
        pid,
        name,
        monitor: shared.monitor_ref(),
        state: State::Ended(ExitReason::NoProc),
    };
    if let Some(process) = process {
        let pending = Arc::new(Pending::new(process.clone(), None));
        let watcher = Watcher::Call(pending.clone());
        let mut relations = process.core().relations.lock();
        if relations.add_watcher(watch.monitor, watcher).is_ok() {
            watch.state = State::Waiting(pending);
        }
    }
    watch
}

impl Watch {
    /// The process that is watched.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits until the process has ended; `None` if that did not happen in time. May be repeated.
    pub fn wait(&mut self, timeout: Duration) -> Option<Down> {
        if let State::Waiting(pending) = &self.state {
            let soon = (timeout > wait::PATIENCE).then(|| wait::look_on(pending, false));
            let answer = match soon.flatten() {
                Some(answer) => Some(answer),
                None => {
                    let deadline = self.shared.clock.now().checked_add(timeout);
                    let parker = current::parker();
                    while pending.slot.park_with(&parker) {
                        if !park(&self.shared, &parker, deadline) && !pending.slot.is_done() {
                            return None;
                        }
                    }
                    pending.slot.take()
                }
            };
            let reason = match answer {
                Some(Err(CallError::Exited(reason))) => reason,
                _ => ExitReason::NoProc,
            };
            self.state = State::Ended(reason);
        }
        match &self.state {
            State::Ended(reason) => Some(Down {
                monitor: self.monitor,
                pid: self.pid,
                name: self.name.clone(),
                reason: reason.clone(),
                tag: None,
            }),
            State::Waiting(_) => None,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let State::Waiting(pending) = &self.state {
            call::unwatch(pending.target(), self.monitor);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.pid)
    }
}

/// Tells of the end of a process until dropped.
pub(crate) struct EndWatch(Watched<()>);

/// Has `tell` hear why a process ended, once, on whatever thread that happens: after those who are linked to it, and
/// here if it has ended already. No lock is held meanwhile.
pub(crate) fn on_end(
    process: &Arc<dyn Process>,
    tell: impl FnOnce(ExitReason) + Send + 'static,
) -> EndWatch {
    let told = move |answer: Answer<()>| {
        tell(match answer {
            Err(CallError::Exited(reason)) => reason,
            _ => ExitReason::NoProc,
        });
    };
    let pending = Pending::then(process.clone(), None, Box::new(told));
    EndWatch(Watched::new(Arc::new(pending)))
}

impl fmt::Debug for EndWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndWatch({})", self.0.pending.target().core().pid)
    }
}

/// Waits in real time, which in a deterministic runtime is its own, until a process has ended; `false` if it has not by then.
pub(crate) fn ended_by(process: &Arc<dyn Process>, until: Instant) -> bool {
    let shared = &process.core().runtime;
    let parker = Arc::new(Parker::new());
    let waker = parker.clone();
    let told = Arc::new(AtomicBool::new(false));
    let tell = told.clone();
    let _watch = on_end(process, move |_| {
        tell.store(true, Ordering::Release);
        waker.unpark();
    });
    if !shared.is_deterministic() {
        return parker.park_until(Some(until));
    }
    while !told.load(Ordering::Acquire) && shared.clock.now() < until {
        wait::park_until(shared, &parker, Some(until));
    }
    told.load(Ordering::Acquire)
}

/// Parks until something may have happened: the permit was granted, or the process was interrupted; `false` if the
/// deadline has passed. A process that is to end unwinds from here; one that leaves already does not wait.
pub(crate) fn park(shared: &Arc<Shared>, parker: &Arc<Parker>, deadline: Option<Instant>) -> bool {
    let process = current::process();
    if current::leaving() {
        return false;
    }
    if let Some(process) = &process {
        process.core().start_waiting(parker.clone(), None);
        if let Some((reason, by)) = current::doom(process) {
            process.core().stop_waiting();
            unwind::leave(reason, by);
        }
    }
    let in_time = deadline.is_none_or(|deadline| shared.clock.now() < deadline);
    if in_time {
        let pooled = process
            .as_ref()
            .is_some_and(|process| process.core().kind == Kind::Pooled);
        let wait = || wait::park_until(shared, parker, deadline);
        if pooled {
            // Without a spare worker it waits all the same: whoever waits here has no answer to fail.
            if shared.scheduler().block(wait).is_err() {
                wait::park_until(shared, parker, deadline);
            }
        } else {
            wait();
        }
    }
    if let Some(process) = &process {
        process.core().stop_waiting();
        current::checkpoint();
    }
    in_time
}

/// Waits for `duration`, as the process that runs on this thread or as a plain thread. A kill or a deadly exit
/// signal ends the wait, and the process.
pub fn sleep(duration: Duration) {
    let shared = runtime::current();
    // What the clock cannot tell never comes.
    let deadline = shared.clock.now().checked_add(duration);
    let parker = current::parker();
    while deadline.is_none_or(|deadline| shared.clock.now() < deadline)
        && park(&shared, &parker, deadline)
    {}
}
