//! How a supervisor is stopped from outside: in order, and with a deadline if there is one.

use crate::behaviour::gen_server::{self, StopRequest};
use crate::behaviour::supervisor::{board, tree};
use crate::pid::Pid;
use crate::process::core::{Process, Signal, flag};
use crate::process::runtime::Shared;
use crate::process::{CallError, ProcessId, current, exit, runtime, watch::watch_in};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Stops a supervisor of any kind and all below it, and waits until it has ended.
///
/// # Errors
/// As [`gen_server::stop`].
pub fn stop(supervisor: impl Into<ProcessId>) -> Result<(), CallError> {
    gen_server::stop(supervisor)
}

/// [`stop`] with a reason, waiting so long at most ([`Duration::MAX`] is for ever).
///
/// # Errors
/// As [`gen_server::stop_for`]; after `Timeout` it goes on ending. [`stop_within`] makes an end of it.
pub fn stop_for(
    supervisor: impl Into<ProcessId>,
    reason: ExitReason,
    timeout: Duration,
) -> Result<(), CallError> {
    gen_server::stop_for(supervisor, reason, timeout)
}

/// What the stop of a tree came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StopReport {
    /// Why the supervisor ended: `Normal`, unless something else was first.
    pub reason: ExitReason,
    /// Who was left at the deadline and had to be killed, supervisors before their children. Empty if all ended in
    /// order.
    pub killed: Vec<KilledProcess>,
}

/// A process that was left when the deadline of its tree was over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KilledProcess {
    /// Which one it was.
    pub pid: Pid,
    /// What its supervisor knew it by; empty for the root.
    pub id: Arc<str>,
    /// Its label, if it had one.
    pub label: Option<Arc<str>>,
    /// Who supervised it; `None` for the root.
    pub supervisor: Option<Pid>,
}

impl fmt::Display for KilledProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let called = match &self.label {
            Some(label) if self.id.is_empty() => label,
            _ => &self.id,
        };
        write!(f, "{called} {}", self.pid)
    }
}

/// Stops a supervisor of any kind and all below it in order, as [`stop`] does, but has done after `deadline`:
/// whatever is left of the tree then is killed, and the report says who that was.
///
/// Each child still has the time of its own [`Shutdown`](crate::supervisor::Shutdown); the deadline is for all of
/// them together. It returns when nobody of the tree is alive any more.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::{ExitReason, process, supervisor::Shutdown};
/// use std::time::Duration;
/// struct Stubborn;
/// impl GenServer for Stubborn {
///     type Args = ();
///     type Msg = ();
///     const TRAP_EXIT: bool = true;
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Stubborn) }
///     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
///     fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) { process::sleep(Duration::MAX) }
/// }
/// let child = Child::server::<Stubborn>("stubborn", ()).shutdown(Shutdown::Infinity);
/// let tree = Supervisor::new(Strategy::OneForOne).child(child).start()?;
/// let report = supervisor::stop_within(&tree, Duration::from_millis(50))?;
/// assert_eq!(&*report.killed.last().unwrap().id, "stubborn");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `NoProc` if it is not there, `CallingSelf` from inside the supervisor, `Exiting` in a destructor of a process
/// that ends.
pub fn stop_within(
    supervisor: impl Into<ProcessId>,
    deadline: Duration,
) -> Result<StopReport, CallError> {
    current::checkpoint();
    let shared = runtime::current();
    let (pid, _, process) = supervisor.into().resolve(&shared);
    let alive = |process: &Arc<dyn Process>| process.core().relations.lock().ended().is_none();
    let Some(process) = process.filter(alive) else {
        return Err(CallError::NoProc);
    };
    if pid == current::pid() {
        return Err(CallError::CallingSelf);
    }
    if current::leaving() {
        return Err(CallError::Exiting);
    }
    let mut watch = watch_in(&shared, pid);
    process.push_signal(Signal::Resume(Box::new(StopRequest(ExitReason::Normal))));
    process.clone().wake();
    let mut killed = Vec::new();
    if watch.wait(deadline).is_none() {
        kill_tree(&shared, &process, &mut killed);
    }
    let reason = watch
        .wait(Duration::MAX)
        .map_or(ExitReason::Killed, |down| down.reason);
    Ok(StopReport { reason, killed })
}

/// Kills all that is left of a tree, the root first so that nothing starts anything again, and waits until nobody of
/// it is alive.
fn kill_tree(shared: &Arc<Shared>, root: &Arc<dyn Process>, killed: &mut Vec<KilledProcess>) {
    let root = root.core().pid;
    let mut known: HashMap<Pid, (Arc<str>, Option<Pid>)> =
        HashMap::from([(root, ("".into(), None))]);
    let mut supervisors = HashSet::from([root]);
    let mut done = HashSet::new();
    loop {
        for node in tree::of(shared, root).iter().flat_map(|tree| tree.nodes()) {
            if let Some(pid) = node.status.pid() {
                known
                    .entry(pid)
                    .or_insert((node.id.clone(), node.supervisor));
                if board::find(shared, pid).is_some() {
                    supervisors.insert(pid);
                }
            }
        }
        let mut left = remains(shared, &known, &mut supervisors);
        left.retain(|process| done.insert(process.core().pid));
        if left.is_empty() {
            return;
        }
        let mut watches = Vec::new();
        for process in left {
            let core = process.core();
            let (id, supervisor) = known
                .get(&core.pid)
                .cloned()
                .unwrap_or_else(|| ("".into(), Some(core.parent())));
            killed.push(KilledProcess {
                pid: core.pid,
                id,
                label: core.relations.lock().label(),
                supervisor,
            });
            watches.push(watch_in(shared, core.pid));
            exit::kill(&process);
        }
        // That takes as long as the grace of the kills at most. Then one more look: a child that was being started
        // when its supervisor was killed may have come up since.
        for watch in &mut watches {
            watch.wait(Duration::MAX);
        }
    }
}

/// Who of a tree is alive: whom its boards show, and whom its supervisors started. Parents before children.
fn remains(
    shared: &Arc<Shared>,
    known: &HashMap<Pid, (Arc<str>, Option<Pid>)>,
    supervisors: &mut HashSet<Pid>,
) -> Vec<Arc<dyn Process>> {
    let mut all = shared.table.all();
    all.sort_by_key(|process| process.core().order);
    all.retain(|process| {
        let core = process.core();
        let of_tree = known.contains_key(&core.pid) || supervisors.contains(&core.parent());
        if of_tree && core.has(flag::SUPERVISOR) {
            supervisors.insert(core.pid);
        }
        of_tree && core.relations.lock().ended().is_none()
    });
    all
}
