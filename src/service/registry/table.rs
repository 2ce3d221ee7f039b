//! What both sorts of registries keep in a runtime.

use crate::pid::Pid;
use crate::process::runtime::Shared;
use crate::process::{Ref, RegisterError};
use crate::service::entries::{Entries, Entry, Keys, Snapshot};
use crate::service::partitions::Partitions;
use crate::service::registry::Key;
use crate::service::registry::listeners::Listeners;
use crate::service::registry::lock::Locks;
use crate::service::registry::meta::Meta;
use crate::sync::Arc;
use std::borrow::Borrow;
use std::hash::Hash;

/// A process under a key.
pub(super) struct Filed<M: Send + 'static, V> {
    pub(super) process: Ref<M>,
    pub(super) value: V,
    /// Of this value alone, so that whoever has looked at it without a lock can say later which one it was.
    serial: u64,
}

impl<M: Send + 'static, V: Clone> Clone for Filed<M, V> {
    fn clone(&self) -> Self {
        Filed {
            process: self.process.clone(),
            value: self.value.clone(),
            serial: self.serial,
        }
    }
}

impl<M: Send + 'static, V: Clone> Filed<M, V> {
    pub(super) fn pair(&self) -> (Ref<M>, V) {
        (self.process.clone(), self.value.clone())
    }
}

type Filing<K, M, V> = Entries<K, Filed<M, V>, Listeners<K, M, V>>;

/// The entries of a registry in one runtime, and what stands beside them.
pub(super) struct Table<K, M: Send + 'static, V> {
    pub(super) entries: Arc<Filing<K, M, V>>,
    pub(super) meta: Meta,
    pub(super) locks: Locks<K>,
}

impl<K, M: Send + 'static, V> Table<K, M, V> {
    pub(super) fn new(partitions: Partitions) -> Self {
        Table {
            entries: Arc::new(Entries::new(partitions)),
            meta: Meta::default(),
            locks: Locks::default(),
        }
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> Table<K, M, V> {
    pub(super) fn listeners(&self) -> &Listeners<K, M, V> {
        &self.entries.observer
    }

    pub(super) fn register(
        &self,
        key: K,
        process: &Ref<M>,
        value: V,
        keys: Keys,
    ) -> Result<(), RegisterError> {
        let shared = &process.mailbox().core().runtime;
        let filed = Filed {
            process: process.clone(),
            value,
            serial: shared.next_reference(),
        };
        self.entries.add(&process.process(), key, filed, keys)
    }

    /// Removes the entries that a process has under a key and of whose values `gone` says so, which it does without
    /// a lock; how many there were.
    pub(super) fn unregister_match<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        pid: Pid,
        mut gone: impl FnMut(&V) -> bool,
    ) -> usize
    where
        K: Borrow<Q>,
    {
        let mut serials = Vec::new();
        for snapshot in self.entries.snapshots(key) {
            for entry in snapshot.iter().filter(|entry| entry.pid == pid) {
                if gone(&entry.value.value) {
                    serials.push(entry.value.serial);
                }
            }
        }
        if serials.is_empty() {
            return 0;
        }
        self.entries.remove_where(key, pid, |entry| {
            entry.pid == pid && serials.contains(&entry.value.serial)
        })
    }

    /// Replaces a value; the new and the old one. `change` runs without a lock.
    pub(super) fn update<Q: Eq + Hash + ?Sized>(
        &self,
        shared: &Shared,
        key: &Q,
        pid: Pid,
        change: impl FnOnce(&V) -> V,
    ) -> Option<(V, V)>
    where
        K: Borrow<Q>,
    {
        let entries = self.entries.get(key)?;
        let entry = entries.iter().find(|entry| entry.pid == pid)?;
        let Filed { process, value, .. } = &entry.value;
        let new = change(value);
        let old = value.clone();
        let filed = Filed {
            process: process.clone(),
            value: new.clone(),
            serial: shared.next_reference(),
        };
        // The snapshot goes first, so that nothing needs to be copied.
        drop(entries);
        self.entries.replace(key, pid, filed)?;
        Some((new, old))
    }

    /// Shows all entries, each as it is at some moment of the call.
    pub(super) fn each(&self, mut show: impl FnMut(&K, &Ref<M>, &V)) {
        for (key, entries) in self.entries.all() {
            for entry in entries.iter() {
                show(&key, &entry.value.process, &entry.value.value);
            }
        }
    }

    /// What `choose` makes of each entry, where it makes something.
    pub(super) fn select<T>(&self, mut choose: impl FnMut(&K, &Ref<M>, &V) -> Option<T>) -> Vec<T> {
        let mut chosen = Vec::new();
        self.each(|key, process, value| chosen.extend(choose(key, process, value)));
        chosen
    }

    pub(super) fn count_select(&self, mut chosen: impl FnMut(&K, &Ref<M>, &V) -> bool) -> usize {
        let mut count = 0;
        self.each(|key, process, value| count += usize::from(chosen(key, process, value)));
        count
    }

    /// The values that a process has under a key.
    pub(super) fn values<Q: Eq + Hash + ?Sized>(&self, key: &Q, pid: Pid) -> Vec<V>
    where
        K: Borrow<Q>,
    {
        let own = |snapshot: &Snapshot<Filed<M, V>>| -> Vec<V> {
            let own = snapshot.iter().filter(|entry| entry.pid == pid);
            own.map(|entry| entry.value.value.clone()).collect()
        };
        self.entries.snapshots(key).iter().flat_map(own).collect()
    }
}

/// The entries of a snapshot as registries give them out.
pub(super) fn pairs<M: Send + 'static, V: Clone>(
    entries: &[Entry<Filed<M, V>>],
) -> Vec<(Ref<M>, V)> {
    entries.iter().map(|entry| entry.value.pair()).collect()
}
