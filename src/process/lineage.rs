//! Where a process comes from: who started it, who started that one, and on whose behalf. Set when it starts, and true
//! even when those have ended.

use crate::pid::Pid;
use crate::process::core::{Core, Process};
use crate::process::current;
use crate::sync::{Arc, OnceLock};

/// How many ancestors, and how many callers, a process remembers: more than any tree is deep that somebody drew. A
/// chain of processes each of which starts the next would remember all of them otherwise.
const LINEAGE_MAX: usize = 256;

/// Whom a process descends from, and what its own children will.
#[derive(Default)]
pub(crate) struct Lineage {
    from: Option<Arc<[Pid]>>,
    /// The process itself and its ancestors: made when it starts its first child, and shared by all.
    family: OnceLock<Arc<[Pid]>>,
    /// On whose behalf it runs; only tasks have any.
    callers: Option<Arc<[Pid]>>,
}

impl Lineage {
    /// Of a process that `parent` starts on behalf of `callers`.
    pub(crate) fn of(parent: Option<&Arc<dyn Process>>, callers: Option<Arc<[Pid]>>) -> Self {
        Lineage {
            from: parent.map(|parent| parent.core().lineage.family(parent.core())),
            family: OnceLock::new(),
            callers,
        }
    }

    fn family(&self, core: &Core) -> Arc<[Pid]> {
        let family = || behind(core.pid, self.ancestors());
        self.family.get_or_init(family).clone()
    }

    /// Who started the process, who started that one, and so on.
    pub(crate) fn ancestors(&self) -> &[Pid] {
        self.from.as_deref().unwrap_or_default()
    }

    /// On whose behalf it runs, the newest first.
    pub(crate) fn callers(&self) -> &[Pid] {
        self.callers.as_deref().unwrap_or_default()
    }
}

/// A chain with one more at its head.
fn behind(first: Pid, rest: &[Pid]) -> Arc<[Pid]> {
    let all = [first].into_iter().chain(rest.iter().copied());
    all.take(LINEAGE_MAX).collect()
}

/// On whose behalf a task runs that this thread starts: the running process, and on whose behalf that runs.
pub(crate) fn callers_from_here() -> Option<Arc<[Pid]>> {
    current::with(|process| {
        let core = process?.core();
        Some(behind(core.pid, core.lineage.callers()))
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
    of_current(Lineage::ancestors)
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
    of_current(Lineage::callers)
}

fn of_current(chain: impl FnOnce(&Lineage) -> &[Pid]) -> Vec<Pid> {
    current::with(|process| {
        let lineage = process.map(|process| &process.core().lineage);
        lineage.map_or_else(Vec::new, |lineage| chain(lineage).to_vec())
    })
}
