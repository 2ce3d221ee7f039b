//! Who is told of the changes of groups.

use crate::pid::{MonitorRef, Pid};
use crate::process::Recipient;
use crate::process::core::Process;
use crate::service::entries::{Entries, Entry, Keys, Observe, Observer};
use crate::service::outbox::Outbox;
use crate::service::registry::Key;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};
use std::collections::HashMap;
use std::fmt;

/// What happened to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Members came.
    Join,
    /// Members went, or have ended.
    Leave,
}

/// What a monitor is told.
#[non_exhaustive]
pub struct Event<G, T> {
    /// The monitor, as [`Scope::monitor`](crate::pg::Scope::monitor) gave it.
    pub monitor: MonitorRef,
    /// Whether members came or went.
    pub change: Change,
    /// The group.
    pub group: G,
    /// The members; one that came or went several times at once is there as often.
    pub members: Vec<Recipient<T>>,
    active: Arc<AtomicBool>,
}

impl<G, T: Send + 'static> Event<G, T> {
    /// Equals `false` once the monitor was taken back. An event that was under way then may still be in the mailbox;
    /// whoever asks here before it looks at the event never acts on one of a monitor that it has taken back.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// The pids of the members.
    pub fn pids(&self) -> Vec<Pid> {
        self.members.iter().map(Recipient::pid).collect()
    }
}

impl<G: Clone, T> Clone for Event<G, T> {
    fn clone(&self) -> Self {
        Event {
            monitor: self.monitor,
            change: self.change,
            group: self.group.clone(),
            members: self.members.clone(),
            active: self.active.clone(),
        }
    }
}

impl<G: fmt::Debug, T> fmt::Debug for Event<G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event {
            change,
            group,
            members,
            ..
        } = self;
        write!(f, "{change:?}({group:?}, {members:?})")
    }
}

type ByGroup<G, T> = Entries<Option<G>, Monitor<G, T>, Index<G>>;

/// The monitors of a scope, and what is on its way to them.
pub(super) struct Monitors<G, T> {
    /// By the group that is monitored; without one all are.
    monitors: Arc<ByGroup<G, T>>,
    outbox: Outbox<Event<G, T>>,
}

struct Monitor<G, T> {
    reference: MonitorRef,
    to: Recipient<Event<G, T>>,
    active: Arc<AtomicBool>,
}

impl<G, T> Clone for Monitor<G, T> {
    fn clone(&self) -> Self {
        Monitor {
            reference: self.reference,
            to: self.to.clone(),
            active: self.active.clone(),
        }
    }
}

impl<G, T> Default for Monitors<G, T> {
    fn default() -> Self {
        Monitors {
            monitors: Arc::default(),
            outbox: Outbox::default(),
        }
    }
}

impl<G: Key, T: Send + 'static> Monitors<G, T> {
    /// Adds a monitor of a group or of all; `false` if the watcher is not alive any more.
    pub(super) fn add(
        &self,
        watcher: &Arc<dyn Process>,
        reference: MonitorRef,
        group: Option<G>,
        to: Recipient<Event<G, T>>,
    ) -> bool {
        let monitor = Monitor {
            reference,
            to,
            active: Arc::new(AtomicBool::new(true)),
        };
        let added = self.monitors.add(watcher, group, monitor, Keys::Duplicate);
        added.is_ok()
    }

    /// Takes a monitor away; `false` if there is none.
    pub(super) fn remove(&self, reference: MonitorRef) -> bool {
        let Some((group, watcher)) = self.monitors.observer.of(reference) else {
            return false;
        };
        let gone = |entry: &Entry<Monitor<G, T>>| {
            let gone = entry.value.reference == reference;
            if gone {
                entry.value.active.store(false, Ordering::Release);
            }
            gone
        };
        self.monitors.remove_where(&group, watcher, gone) > 0
    }

    /// Takes all monitors away. What is on its way arrives.
    pub(super) fn clear(&self) {
        self.monitors.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.monitors.observer.count.load(Ordering::Acquire)
    }

    fn put(&self, change: Change, group: &G, entries: &[Entry<Recipient<T>>]) {
        if self.len() == 0 {
            return;
        }
        let one = self.monitors.get(&Some(group.clone()));
        let all = self.monitors.get(&None);
        for monitor in [one, all].iter().flatten().flat_map(|some| some.iter()) {
            let Monitor {
                reference,
                to,
                active,
            } = &monitor.value;
            let event = Event {
                monitor: *reference,
                change,
                group: group.clone(),
                members: entries.iter().map(|entry| entry.value.clone()).collect(),
                active: active.clone(),
            };
            self.outbox.put(to.clone(), event);
        }
    }
}

impl<G, T> Observer for Monitors<G, T> {
    const HAS_TABLE: bool = true;
}

impl<G: Key, T: Send + 'static> Observe<G, Recipient<T>> for Monitors<G, T> {
    fn added(&self, group: &G, entries: &[Entry<Recipient<T>>]) {
        self.put(Change::Join, group, entries);
    }

    fn removed(&self, group: &G, entries: &[Entry<Recipient<T>>]) {
        self.put(Change::Leave, group, entries);
    }

    fn settle(&self) {
        self.outbox.deliver();
    }
}

/// Which group a monitor is for, and whose it is.
struct Index<G> {
    /// How many monitors there are, to be asked without a lock.
    count: AtomicUsize,
    /// A leaf lock.
    references: Mutex<HashMap<MonitorRef, (Option<G>, Pid)>>,
}

impl<G> Default for Index<G> {
    fn default() -> Self {
        Index {
            count: AtomicUsize::new(0),
            references: Mutex::default(),
        }
    }
}

impl<G: Clone> Index<G> {
    fn of(&self, reference: MonitorRef) -> Option<(Option<G>, Pid)> {
        self.references.lock().get(&reference).cloned()
    }
}

impl<G> Observer for Index<G> {}

impl<G: Key, T: Send + 'static> Observe<Option<G>, Monitor<G, T>> for Index<G> {
    fn added(&self, group: &Option<G>, entries: &[Entry<Monitor<G, T>>]) {
        let mut references = self.references.lock();
        for entry in entries {
            references.insert(entry.value.reference, (group.clone(), entry.pid));
        }
        self.count.store(references.len(), Ordering::Release);
    }

    fn removed(&self, _: &Option<G>, entries: &[Entry<Monitor<G, T>>]) {
        let mut references = self.references.lock();
        for entry in entries {
            // A group that goes here is one of many copies of a name.
            references.remove(&entry.value.reference);
        }
        self.count.store(references.len(), Ordering::Release);
    }

    fn settle(&self) {}
}
