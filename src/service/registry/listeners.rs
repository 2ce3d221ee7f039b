//! Who is told of the changes of a registry.

use crate::pid::Pid;
use crate::process::runtime;
use crate::process::{Recipient, Ref, RegisterError};
use crate::service::entries::{Entries, Entry, Keys, Observe, Observer};
use crate::service::outbox::Outbox;
use crate::service::registry::table::Filed;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use std::fmt;

/// What a listener is told, once for each entry.
#[non_exhaustive]
pub enum Event<K, M: Send + 'static, V> {
    /// A process was registered.
    Register {
        /// Under this key.
        key: K,
        /// This one.
        process: Ref<M>,
        /// With this value.
        value: V,
    },
    /// A process was unregistered, or has ended.
    Unregister {
        /// From this key.
        key: K,
        /// This one.
        process: Ref<M>,
    },
}

impl<K: Clone, M: Send + 'static, V: Clone> Clone for Event<K, M, V> {
    fn clone(&self) -> Self {
        match self {
            Event::Register {
                key,
                process,
                value,
            } => Event::Register {
                key: key.clone(),
                process: process.clone(),
                value: value.clone(),
            },
            Event::Unregister { key, process } => Event::Unregister {
                key: key.clone(),
                process: process.clone(),
            },
        }
    }
}

impl<K: PartialEq, M: Send + 'static, V: PartialEq> PartialEq for Event<K, M, V> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Event::Register {
                    key,
                    process,
                    value,
                },
                Event::Register {
                    key: other_key,
                    process: other_process,
                    value: other_value,
                },
            ) => key == other_key && process == other_process && value == other_value,
            (
                Event::Unregister { key, process },
                Event::Unregister {
                    key: other_key,
                    process: other_process,
                },
            ) => key == other_key && process == other_process,
            _ => false,
        }
    }
}

impl<K: fmt::Debug, M: Send + 'static, V: fmt::Debug> fmt::Debug for Event<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Register {
                key,
                process,
                value,
            } => write!(f, "Register({key:?}, {process}, {value:?})"),
            Event::Unregister { key, process } => write!(f, "Unregister({key:?}, {process})"),
        }
    }
}

type Listener<K, M, V> = Recipient<Event<K, M, V>>;

/// The listeners of a registry, and what is on its way to them.
pub(super) struct Listeners<K, M: Send + 'static, V> {
    listeners: Arc<Entries<(), Listener<K, M, V>, Count>>,
    outbox: Outbox<Event<K, M, V>>,
}

impl<K, M: Send + 'static, V> Default for Listeners<K, M, V> {
    fn default() -> Self {
        Listeners {
            listeners: Arc::default(),
            outbox: Outbox::default(),
        }
    }
}

impl<K, M, V> Listeners<K, M, V>
where
    K: Clone + Send + 'static,
    M: Send + 'static,
    V: Clone + Send + 'static,
{
    pub(super) fn add(&self, listener: Listener<K, M, V>) -> Result<(), RegisterError> {
        let process = runtime::current()
            .process(listener.pid())
            .ok_or(RegisterError::NoProc)?;
        self.listeners.add(&process, (), listener, Keys::Duplicate)
    }

    pub(super) fn remove(&self, pid: Pid) -> usize {
        self.listeners.remove(&(), pid)
    }

    fn put(
        &self,
        make: impl Fn(&Entry<Filed<M, V>>) -> Event<K, M, V>,
        entries: &[Entry<Filed<M, V>>],
    ) {
        if self.listeners.observer.0.load(Ordering::Acquire) == 0 {
            return;
        }
        let Some(listeners) = self.listeners.get(&()) else {
            return;
        };
        for entry in entries {
            for listener in listeners.iter() {
                self.outbox.put(listener.value.clone(), make(entry));
            }
        }
    }
}

impl<K, M: Send + 'static, V> Observer for Listeners<K, M, V> {
    const HAS_TABLE: bool = true;
}

impl<K, M, V> Observe<K, Filed<M, V>> for Listeners<K, M, V>
where
    K: Clone + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn added(&self, key: &K, entries: &[Entry<Filed<M, V>>]) {
        let event = |entry: &Entry<Filed<M, V>>| Event::Register {
            key: key.clone(),
            process: entry.value.process.clone(),
            value: entry.value.value.clone(),
        };
        self.put(event, entries);
    }

    fn removed(&self, key: &K, entries: &[Entry<Filed<M, V>>]) {
        let event = |entry: &Entry<Filed<M, V>>| Event::Unregister {
            key: key.clone(),
            process: entry.value.process.clone(),
        };
        self.put(event, entries);
    }

    fn settle(&self) {
        self.outbox.deliver();
    }
}

/// How many there are, to be asked without a lock.
#[derive(Default)]
struct Count(AtomicUsize);

impl Observer for Count {}

impl<V> Observe<(), V> for Count {
    fn added(&self, (): &(), entries: &[Entry<V>]) {
        self.0.fetch_add(entries.len(), Ordering::AcqRel);
    }

    fn removed(&self, (): &(), entries: &[Entry<V>]) {
        self.0.fetch_sub(entries.len(), Ordering::AcqRel);
    }

    fn settle(&self) {}
}
