//! Where a process comes from: who started it, who started that one, and on whose behalf. Set when it starts, and true
//! even when those have ended.

use crate::pid::Pid;
use crate::process::core::{Core, Process};
use crate::process::current;
use crate::sync::Arc;

/// How many ancestors, and how many callers, a process remembers: more than any tree is deep that somebody drew. A
/// chain of processes each of which starts the next would remember all of them otherwise.
const LINEAGE_MAX: usize = 256;

/// What the children of one process have in common: it is made when the first of them starts.
pub(crate) struct Family {
    /// The process and its ancestors, itself first.
    pids: Box<[Pid]>,
    /// Who leads the group that it belongs to.
    leader: Pid,
}

/// Whom a process descends from: nobody, if a plain thread started it.
#[derive(Default)]
pub(crate) struct Lineage(Option<Arc<Family>>);

impl Lineage {
    /// Of a process that `parent` starts.
    pub(crate) fn of(parent: Option<&Arc<dyn Process>>) -> Self {
        Lineage(parent.map(|parent| family(parent.core())))
    }

    /// Who started the process; [`Pid::INIT`] if a plain thread did.
    pub(crate) fn parent(&self) -> Pid {
        self.ancestors().first().copied().unwrap_or(Pid::INIT)
    }

    /// Who started the process, who started that one, and so on.
    pub(crate) fn ancestors(&self) -> &[Pid] {
        self.0.as_ref().map_or(&[], |family| &family.pids)
    }

    /// Who leads the group of the parent; [`Pid::INIT`] if there is none.
    pub(crate) fn leader(&self) -> Pid {
        self.0.as_ref().map_or(Pid::INIT, |family| family.leader)
    }
}

fn family(core: &Core) -> Arc<Family> {
    let make = || {
        Arc::new(Family {
            pids: behind(core.pid, core.lineage.ancestors()),
            leader: core.group_leader(),
        })
    };
    core.relations.lock().family(make)
}

/// A chain with one more at its head.
fn behind<C: FromIterator<Pid>>(first: Pid, rest: &[Pid]) -> C {
    let all = [first].into_iter().chain(rest.iter().copied());
    all.take(LINEAGE_MAX).collect()
}

/// On whose behalf a task runs that this thread starts: the running process, and on whose behalf that runs.
pub(crate) fn callers_from_here() -> Option<Arc<[Pid]>> {
    current::with(|process| {
        let core = process?.core();
        Some(behind(core.pid, &core.callers()))
    })
}

/// Who started the process that runs on this thread, who started that one, and so on: OTP's `$ancestors`. Empty on a
/// plain thread, and for a process that one started.
///
/// ```
/// use perennial::process;
/// process::run::<(), _>(|cx| {
///     let me = cx.pid();
///     let child = perennial::Task::spawn(process::ancestors).unwrap();
///     assert_eq!(child.join(), Ok(vec![me]));
/// }).unwrap();
/// ```
pub fn ancestors() -> Vec<Pid> {
    of_current(|core| core.lineage.ancestors().to_vec())
}

/// On whose behalf the process that runs on this thread works, the newest first: Elixir's `$callers`. A task has its
/// owner and the callers of that; any other process has none, and no more has a plain thread.
///
/// ```
/// use perennial::{Task, process, task};
/// process::run::<(), _>(|cx| {
///     let me = cx.pid();
///     let outer = Task::spawn(|| {
///         let inner = Task::spawn(task::callers).unwrap();
///         (process::self_pid().unwrap(), inner.join().unwrap())
///     });
///     let (outer, callers) = outer.unwrap().join().unwrap();
///     assert_eq!(callers, [outer, me]);
/// }).unwrap();
/// ```
pub fn callers() -> Vec<Pid> {
    of_current(Core::callers)
}

fn of_current(chain: impl FnOnce(&Core) -> Vec<Pid>) -> Vec<Pid> {
    current::with(|process| process.map_or_else(Vec::new, |process| chain(process.core())))
}
