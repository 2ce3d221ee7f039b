//! What a supervisor shows of its children: a copy of how they are, kept up to date at each step, that anybody may
//! read at any moment. Nobody who reads it waits for the supervisor, even while that waits for a child.

use crate::behaviour::supervisor::child::ChildKind;
use crate::behaviour::supervisor::children::PLACES_KEPT;
use crate::behaviour::supervisor::event::{SupervisorEvent, What};
use crate::behaviour::supervisor::job::Key;
use crate::behaviour::supervisor::restart::Strategy;
use crate::behaviour::supervisor::routes::Routes;
use crate::behaviour::supervisor::subscribe::Subscriptions;
use crate::pid::{Pid, PidBuildHasher};
use crate::process::core::Process;
use crate::process::relations::AtDeath;
use crate::process::runtime::Shared;
use crate::process::{ProcessId, runtime};
use crate::sync::{Arc, Mutex, RwLock};
use std::collections::HashMap;

/// How a child is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildStatus {
    /// Its `init` is not through.
    Starting(Pid),
    /// It lives.
    Running(Pid),
    /// It has been told to end.
    Stopping(Pid),
    /// It ended and is to be started again.
    Restarting,
    /// It does not run, and will not by itself.
    Undefined,
}

impl ChildStatus {
    /// The pid of the child, if it has one.
    pub fn pid(self) -> Option<Pid> {
        match self {
            ChildStatus::Starting(pid) | ChildStatus::Running(pid) | ChildStatus::Stopping(pid) => {
                Some(pid)
            }
            ChildStatus::Restarting | ChildStatus::Undefined => None,
        }
    }
}

/// A child as [`snapshot`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildSnapshot {
    /// Its id; under a dynamic supervisor several may have the same.
    pub id: Arc<str>,
    /// Whether it is a supervisor.
    pub kind: ChildKind,
    /// How it was at that moment.
    pub status: ChildStatus,
    /// How often it came up again after its first start.
    pub restarts: u32,
}

/// The children of a supervisor as they are at this moment, in start order; `None` if there is no such supervisor.
///
/// Unlike [`which_children`](crate::supervisor::which_children) this asks nobody, so it is answered at once, also
/// while the `init` of a child hangs.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::supervisor::ChildStatus;
/// # struct Counter; impl GenServer for Counter { type Args = (); type Msg = ();
/// #   fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter) }
/// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
/// let counters = Supervisor::new(Strategy::OneForOne)
///     .child(Child::server::<Counter>("counter", ()))
///     .start()?;
/// let children = supervisor::snapshot(&counters).unwrap();
/// assert_eq!(&*children[0].id, "counter");
/// assert!(matches!(children[0].status, ChildStatus::Running(_)));
/// supervisor::stop(&counters)?;
/// assert_eq!(supervisor::snapshot(&counters), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn snapshot(supervisor: impl Into<ProcessId>) -> Option<Vec<ChildSnapshot>> {
    let shared = runtime::current();
    let (pid, _, _) = supervisor.into().resolve(&shared);
    Some(find(&shared, pid)?.children())
}

/// The board of a supervisor that lives.
pub(super) fn find(shared: &Shared, supervisor: Pid) -> Option<Arc<Board>> {
    shared
        .service::<Boards>()
        .0
        .read()
        .get(&supervisor)
        .cloned()
}

/// The boards of a runtime's supervisors. A leaf lock.
#[derive(Default)]
struct Boards(RwLock<HashMap<Pid, Arc<Board>, PidBuildHasher>>);

impl AtDeath for Boards {
    fn at_death(&self, pid: Pid) {
        let board = self.0.write().remove(&pid);
        drop(board);
    }
}

/// What a supervisor does with its children, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Fixed(Strategy),
    Dynamic,
}

/// A child on a board.
struct Shown {
    key: Key,
    child: ChildSnapshot,
}

/// The board of one supervisor.
pub(super) struct Board {
    pub(super) supervisor: Pid,
    pub(super) rule: Rule,
    /// In the places where the supervisor keeps them. Written at each step and seldom read, so it is whoever reads who
    /// puts it in order. A leaf lock.
    children: Mutex<Vec<Option<Shown>>>,
    /// Where its partitions are, if it has any.
    pub(super) routes: Option<Arc<dyn Routes>>,
    shared: Arc<Shared>,
    subscriptions: Arc<Subscriptions>,
}

impl Board {
    /// Puts up the board of a supervisor, which runs this itself; it is taken down when the supervisor dies.
    pub(super) fn put_up(
        supervisor: &Arc<dyn Process>,
        rule: Rule,
        routes: Option<Arc<dyn Routes>>,
    ) -> Arc<Board> {
        let core = supervisor.core();
        let boards = core.runtime.service::<Boards>();
        let board = Arc::new(Board {
            supervisor: core.pid,
            rule,
            children: Mutex::default(),
            routes,
            shared: core.runtime.clone(),
            subscriptions: core.runtime.service::<Subscriptions>(),
        });
        boards.0.write().insert(core.pid, board.clone());
        // 1. The board is up. 2. Its taking down is asked for. A supervisor that has died in between is refused at 2,
        // and its board goes at once.
        let cleanup: Arc<dyn AtDeath> = boards.clone();
        if !core.relations.lock().at_death(&cleanup) {
            boards.at_death(core.pid);
        }
        board
    }

    pub(super) fn children(&self) -> Vec<ChildSnapshot> {
        let mut children: Vec<(Key, ChildSnapshot)> = {
            let children = self.children.lock();
            let copied = |shown: &Shown| (shown.key, shown.child.clone());
            children.iter().flatten().map(copied).collect()
        };
        children.sort_unstable_by_key(|(key, _)| *key);
        children.into_iter().map(|(_, child)| child).collect()
    }

    /// Shows how a child is from now on; `child` is what is shown of one that was not known.
    pub(super) fn show(
        &self,
        key: Key,
        now: ChildStatus,
        restarts: u32,
        child: impl FnOnce() -> ChildSnapshot,
    ) {
        let mut children = self.children.lock();
        let at = key.place as usize;
        if at >= children.len() {
            children.resize_with(at + 1, || None);
        }
        match &mut children[at] {
            Some(shown) if shown.key == key => {
                shown.child.status = now;
                shown.child.restarts = restarts;
            }
            place => {
                let child = child();
                *place = Some(Shown { key, child });
            }
        }
    }

    pub(super) fn forget(&self, key: Key) {
        let mut children = self.children.lock();
        let place = children.get_mut(key.place as usize);
        let is_its = |shown: &mut Shown| shown.key == key;
        let shown = place.and_then(|place| place.take_if(is_its));
        let left = children.iter().rposition(Option::is_some);
        children.truncate(left.map_or(0, |last| last + 1));
        if children.is_empty() {
            children.shrink_to(PLACES_KEPT);
        }
        drop(children);
        drop(shown);
    }

    /// Tells everybody who wants to know what happened to a child.
    pub(super) fn tell(&self, child: &Arc<str>, what: What) {
        let (place, supervisor) = (what.place(), self.supervisor);
        let event = || SupervisorEvent {
            supervisor,
            child: child.clone(),
            what,
        };
        if !self.subscriptions.are_there() {
            return self.shared.report_if_asked(place, supervisor, event);
        }
        let event = event();
        self.subscriptions.publish(&self.shared, &event);
        self.shared.report(place, supervisor, event);
    }
}
