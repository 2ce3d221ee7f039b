//! What is known about processes from outside.

use crate::pid::Pid;
use crate::process::core::{Kind, Process, flag};
use crate::process::id::ProcessId;
use crate::process::name::{Name, RegisterError};
use crate::process::reference::Ref;
use crate::process::runtime;
use crate::sync::Arc;

/// What a process does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It runs a callback, or its closure.
    Running,
    /// It has something to do and waits for a worker.
    Runnable,
    /// It waits for a message or an answer.
    Waiting,
    /// It has begun to die.
    Exiting,
}

/// A snapshot of one process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// Its pid.
    pub pid: Pid,
    /// On a thread of its own, or on the pool.
    pub kind: Kind,
    /// What it does.
    pub status: Status,
    /// Its name, if it has one.
    pub registered_name: Option<Arc<str>>,
    /// Its label, if it has one.
    pub label: Option<Arc<str>>,
    /// Who started it.
    pub parent: Pid,
    /// Who started it, who started that one, and so on.
    pub ancestors: Vec<Pid>,
    /// On whose behalf it runs, the newest first; only tasks have any.
    pub callers: Vec<Pid>,
    /// Who leads its group: the process of the application to which it belongs, or [`Pid::INIT`].
    pub group_leader: Pid,
    /// What it runs.
    pub initial: &'static str,
    /// Whom it is linked to.
    pub links: Vec<Pid>,
    /// Whom it monitors; once for each monitor.
    pub monitors: Vec<Pid>,
    /// Who monitors it.
    pub monitored_by: Vec<Pid>,
    /// Whether exit signals become messages.
    pub trap_exit: bool,
    /// How many entries wait in its mailbox.
    pub message_queue_len: usize,
}

/// A snapshot of a process; `None` if it is not alive.
pub fn info(what: impl Into<ProcessId>) -> Option<Info> {
    let (_, _, process) = what.into().resolve(&runtime::current());
    info_of(&process?)
}

pub(crate) fn info_of(process: &Arc<dyn Process>) -> Option<Info> {
    let message_queue_len = process.mailbox_len();
    let core = process.core();
    let waits = core.waits();
    let scheduled = process.is_scheduled();
    let relations = core.relations.lock();
    if relations.ended().is_some() {
        return None;
    }
    let status = if core.has(flag::ENDING) {
        Status::Exiting
    } else if waits || !scheduled {
        Status::Waiting
    } else if process.is_running() {
        Status::Running
    } else {
        Status::Runnable
    };
    Some(Info {
        pid: core.pid,
        kind: core.kind,
        status,
        registered_name: relations.name(),
        label: relations.label(),
        parent: core.parent(),
        ancestors: core.lineage.ancestors().to_vec(),
        callers: relations
            .callers()
            .map_or_else(Vec::new, |callers| callers.to_vec()),
        group_leader: core.group_leader(),
        initial: (core.initial.0)(),
        links: relations.links(),
        monitors: relations.watching(),
        monitored_by: relations.watchers(),
        trap_exit: core.traps_exit(),
        message_queue_len,
    })
}

/// Whether a process is alive: it was started, and its links and monitors have not been told of its end.
pub fn is_alive(what: impl Into<ProcessId>) -> bool {
    let (_, _, process) = what.into().resolve(&runtime::current());
    process.is_some_and(|process| process.core().relations.lock().ended().is_none())
}

/// The pids of all processes that were alive at some moment of the call.
pub fn processes() -> Vec<Pid> {
    let all = runtime::current().table.all();
    let alive = |process: &Arc<dyn Process>| process.core().relations.lock().ended().is_none();
    all.iter()
        .filter(|process| alive(process))
        .map(|process| process.core().pid)
        .collect()
}

/// The processes of a group that are alive, without its leader.
pub(crate) fn group(leader: Pid) -> Vec<Pid> {
    let belongs = |process: &Arc<dyn Process>| {
        let core = process.core();
        core.group_leader() == leader
            && core.pid != leader
            && core.relations.lock().ended().is_none()
    };
    let all = runtime::current().table.all();
    let group = all.iter().filter(|process| belongs(process));
    group.map(|process| process.core().pid).collect()
}

/// The process of a name, if there is one.
pub fn whereis(name: &str) -> Option<Pid> {
    runtime::current()
        .whereis(name)
        .map(|process| process.core().pid)
}

/// All names that processes have, in order.
pub fn registered() -> Vec<Arc<str>> {
    let mut names = runtime::current().names.all();
    names.sort_unstable();
    names
}

/// Gives a process a name. One name a process, one process a name.
///
/// # Errors
/// See [`RegisterError`]: the name is taken or no name, or the process has one already or has ended.
pub fn register<M: Send + 'static>(name: &Name<M>, process: &Ref<M>) -> Result<(), RegisterError> {
    let shared = &process.mailbox().core().runtime;
    shared
        .names
        .register(&name.as_str().into(), &process.process(), process.clone())
}

/// Takes a name away from whoever has it; the process that had it.
pub fn unregister(name: &str) -> Option<Pid> {
    runtime::current().names.unregister(name)
}

/// The label of a process, if it lives and has one.
pub fn label(what: impl Into<ProcessId>) -> Option<Arc<str>> {
    info(what)?.label
}
