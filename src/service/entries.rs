//! What processes keep under keys, gone when they are: the table behind registries, groups and subscriptions.
//!
//! An entry goes in the death path of its process, before anybody hears of the death; so whoever has heard of it
//! finds nothing. Readers take a snapshot, and nothing is called or dropped under a lock but the keys' own `Hash`,
//! `Eq` and `Clone`, the values' `Clone`, and whoever observes the table.

use crate::pid::Pid;
use crate::process::RegisterError;
use crate::process::core::Process;
use crate::process::relations::AtDeath;
use crate::process::runtime::Shared;
use crate::service::partitions::Partitions;
use crate::sync::{
    Arc, RankedMutex, RankedReadGuard, RankedRwLock, RankedWriteGuard, RwLock, rank,
};
use rustc_hash::FxBuildHasher;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// How many shards a partition has: more than the threads that write to one at a time on most machines.
const SHARDS: usize = 16;

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    pub(crate) pid: Pid,
    pub(crate) value: V,
}

/// All entries of one key in one partition, as they were at one moment.
pub(crate) type Snapshot<V> = Arc<Vec<Entry<V>>>;

/// Whether a key has one entry or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    Unique,
    Duplicate,
}

/// Where an observer looks for those who want to know.
pub(crate) trait Observer {
    /// Equals `true` if it does in a table of its own, whose keys are locked after those of the observed one.
    const HAS_TABLE: bool = false;
}

/// Whoever is told of the changes of a table. The first two run under the lock of the key, so that they come in the
/// order of the changes; they only write down what is to be told when no lock is held.
pub(crate) trait Observe<K, V>: Observer + Send + Sync + 'static {
    fn added(&self, key: &K, entries: &[Entry<V>]);

    fn removed(&self, key: &K, entries: &[Entry<V>]);

    /// A change is through, and this thread holds no lock.
    fn settle(&self);
}

impl Observer for () {}

/// Nobody.
impl<K, V> Observe<K, V> for () {
    fn added(&self, _: &K, _: &[Entry<V>]) {}

    fn removed(&self, _: &K, _: &[Entry<V>]) {}

    fn settle(&self) {}
}

type Keyed<K, V> = HashMap<K, Snapshot<V>>;

/// A shard of keys.
struct Shard<K, V> {
    /// Its place among the shards that one thread locks.
    order: u64,
    keyed: RankedRwLock<Keyed<K, V>, { rank::KEYS }>,
}

impl<K, V> Shard<K, V> {
    fn read(&self) -> RankedReadGuard<'_, Keyed<K, V>> {
        self.keyed.read_in_order(self.order)
    }

    fn write(&self) -> RankedWriteGuard<'_, Keyed<K, V>> {
        self.keyed.write_in_order(self.order)
    }
}

type OwnerShard<K> = RankedMutex<HashMap<Pid, Vec<K>, FxBuildHasher>, { rank::OWNERS }>;

/// Entries by key, and the keys of each process.
///
/// Lock order: a shard of keys, in their order and those with observers before the observers' own, then a shard of
/// owners, then the relations of a process.
pub(crate) struct Entries<K, V, O = ()> {
    hasher: RandomState,
    partitions: Partitions,
    /// The shards of the first partition, then those of the second.
    keys: Vec<Shard<K, V>>,
    /// Invariant E1: while no lock is held, a process is here with a key once for each entry it has under it.
    owners: Vec<OwnerShard<K>>,
    pub(crate) observer: O,
}

impl<K, V, O: Default + Observer> Default for Entries<K, V, O> {
    fn default() -> Self {
        Entries::new(Partitions::ONE)
    }
}

impl<K, V, O: Default + Observer> Entries<K, V, O> {
    pub(crate) fn new(partitions: Partitions) -> Self {
        let keys = 0..SHARDS * partitions.count();
        let first = if O::HAS_TABLE { 0 } else { 1 << 32 };
        let shard = |at| Shard {
            order: first + at as u64,
            keyed: RankedRwLock::default(),
        };
        Entries {
            hasher: RandomState::new(),
            partitions,
            keys: keys.map(shard).collect(),
            owners: (0..SHARDS).map(|_| OwnerShard::default()).collect(),
            observer: O::default(),
        }
    }
}

impl<K, V, O> Entries<K, V, O>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    O: Observe<K, V>,
{
    /// The shard in which a process has its entries of a key.
    fn shard<Q: Hash + ?Sized>(&self, key: &Q, pid: Pid) -> &Shard<K, V> {
        let hash = self.hasher.hash_one(key) as usize;
        &self.keys[self.partitions.of(hash / SHARDS, pid) * SHARDS + hash % SHARDS]
    }

    fn owners(&self, pid: Pid) -> &OwnerShard<K> {
        &self.owners[pid.id() as usize % SHARDS]
    }

    /// Adds an entry; it stays until it is removed or the process ends.
    pub(crate) fn add(
        self: &Arc<Self>,
        process: &Arc<dyn Process>,
        key: K,
        value: V,
        keys: Keys,
    ) -> Result<(), RegisterError> {
        let pid = process.core().pid;
        let mut shard = self.shard(&key, pid).write();
        if keys == Keys::Unique
            && let Some(entries) = shard.get(&key)
        {
            return Err(RegisterError::Taken(entries[0].pid));
        }
        // One copy of a key serves all: a thousand subscribers share the text of their topic.
        let key = shard
            .get_key_value(&key)
            .map_or(key, |(key, _)| key.clone());
        if !self.own(process, &key) {
            return Err(RegisterError::NoProc);
        }
        let entry = Entry { pid, value };
        self.observer.added(&key, std::slice::from_ref(&entry));
        Arc::make_mut(shard.entry(key).or_default()).push(entry);
        drop(shard);
        self.observer.settle();
        Ok(())
    }

    /// Adds entries under a key of a table with one partition, as one change; those of processes that have ended
    /// are left out. How many were added.
    pub(crate) fn add_all(self: &Arc<Self>, key: K, entries: &[(Arc<dyn Process>, V)]) -> usize {
        let mut shard = self.shard(&key, Pid::INIT).write();
        let mut added = Vec::new();
        for (process, value) in entries {
            if self.own(process, &key) {
                let pid = process.core().pid;
                let value = value.clone();
                added.push(Entry { pid, value });
            }
        }
        let count = added.len();
        if count > 0 {
            self.observer.added(&key, &added);
            Arc::make_mut(shard.entry(key).or_default()).append(&mut added);
        }
        drop(shard);
        self.observer.settle();
        count
    }

    /// Says that a process has an entry under a key, whose shard is locked; `false` if it has ended.
    fn own(self: &Arc<Self>, process: &Arc<dyn Process>, key: &K) -> bool {
        // 1. The process begins to die and takes the clean-ups it has. 2. It asks for one more here. Either this
        // comes before 1, and then the clean-up waits for the shard of the key and finds it; or it is refused.
        let core = process.core();
        let cleanup: Arc<dyn AtDeath> = self.clone();
        let mut owners = self.owners(core.pid).lock();
        if !core.relations.lock().at_death(&cleanup) {
            return false;
        }
        owners.entry(core.pid).or_default().push(key.clone());
        true
    }

    /// The entries of a key, in a table in which all of them are in one partition.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Snapshot<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.shard(key, Pid::INIT).read().get(key).cloned()
    }

    /// The entries of a key in each partition that has any.
    pub(crate) fn snapshots<Q>(&self, key: &Q) -> Vec<Snapshot<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let hash = self.hasher.hash_one(key) as usize;
        let partitions = self.partitions.holding(hash / SHARDS);
        let snapshots = partitions.filter_map(|partition| {
            let shard = &self.keys[partition * SHARDS + hash % SHARDS];
            shard.read().get(key).cloned()
        });
        snapshots.collect()
    }

    /// The entries of a key, and what `look` makes of them while they cannot change; in a table with one partition.
    pub(crate) fn look<Q, T>(&self, key: &Q, look: impl FnOnce() -> T) -> (Option<Snapshot<V>>, T)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let shard = self.shard(key, Pid::INIT).read();
        (shard.get(key).cloned(), look())
    }

    /// All keys with their entries, and what `look` makes of them while none can change.
    pub(crate) fn look_at_all<T>(&self, look: impl FnOnce() -> T) -> (Vec<(K, Snapshot<V>)>, T) {
        // Whoever writes holds one shard, so the order of these does not matter.
        let shards: Vec<_> = self.keys.iter().map(|shard| shard.read()).collect();
        let all = shards.iter().flat_map(|shard| shard.iter());
        let all = all.map(|(key, entries)| (key.clone(), entries.clone()));
        (all.collect(), look())
    }

    /// Replaces the value of the first entry that a process has under a key; the value that was there.
    pub(crate) fn replace<Q>(&self, key: &Q, pid: Pid, value: V) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut shard = self.shard(key, pid).write();
        let entries = shard.get_mut(key)?;
        let at = entries.iter().position(|entry| entry.pid == pid)?;
        Some(std::mem::replace(
            &mut Arc::make_mut(entries)[at].value,
            value,
        ))
    }

    /// Removes all entries of a process under a key; how many there were.
    pub(crate) fn remove<Q>(&self, key: &Q, pid: Pid) -> usize
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.remove_where(key, pid, |entry| entry.pid == pid)
    }

    /// Removes those entries that `gone` says; how many there were. They are entries of `pid`, or the table has one
    /// partition. `gone` runs under the lock of the key.
    pub(crate) fn remove_where<Q>(
        &self,
        key: &Q,
        pid: Pid,
        gone: impl FnMut(&Entry<V>) -> bool,
    ) -> usize
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let removed = self.take(self.shard(key, pid), key, gone);
        for entry in &removed {
            self.disown(key, entry.pid);
        }
        self.observer.settle();
        removed.len()
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        for shard in &self.keys {
            let keys: Vec<K> = shard.read().keys().cloned().collect();
            for key in keys {
                for entry in self.take(shard, &key, |_| true) {
                    self.disown(&key, entry.pid);
                }
                self.observer.settle();
            }
        }
    }

    fn disown<Q>(&self, key: &Q, pid: Pid)
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut owners = self.owners(pid).lock();
        let Some(keys) = owners.get_mut(&pid) else {
            return;
        };
        let at = keys.iter().position(|one| one.borrow() == key);
        let gone = at.map(|at| keys.swap_remove(at));
        if keys.is_empty() {
            owners.remove(&pid);
        }
        drop(owners);
        drop(gone);
    }

    /// Takes entries out of a shard; they are dropped without a lock, by the caller.
    fn take<Q>(
        &self,
        shard: &Shard<K, V>,
        key: &Q,
        mut gone: impl FnMut(&Entry<V>) -> bool,
    ) -> Vec<Entry<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut shard = shard.write();
        let Some((found, _)) = shard.get_key_value(key) else {
            return Vec::new();
        };
        let found = found.clone();
        let Some(snapshot) = shard.get_mut(key) else {
            return Vec::new();
        };
        let mut at: Vec<usize> = Vec::new();
        at.extend((0..snapshot.len()).filter(|at| gone(&snapshot[*at])));
        if at.is_empty() {
            drop(shard);
            return Vec::new();
        }
        let mut removed = Vec::with_capacity(at.len());
        let mut emptied = None;
        if at.len() == snapshot.len() {
            emptied = shard.remove_entry(key);
            let entries = emptied.as_ref().map(|(_, entries)| entries.iter());
            removed.extend(entries.into_iter().flatten().cloned());
        } else {
            // Only a broadcast that is under way has a snapshot, so a copy is rare.
            let entries = Arc::make_mut(snapshot);
            // From the back, so that those before stay where they are.
            removed.extend(at.into_iter().rev().map(|at| entries.swap_remove(at)));
            removed.reverse();
        }
        self.observer.removed(&found, &removed);
        drop(shard);
        drop((found, emptied));
        removed
    }

    /// The keys of a process, once for each entry.
    pub(crate) fn keys_of(&self, pid: Pid) -> Vec<K> {
        let owners = self.owners(pid).lock();
        owners.get(&pid).cloned().unwrap_or_default()
    }

    /// All keys with their entries, each as it is at some moment of the call; a key once for each partition.
    pub(crate) fn all(&self) -> Vec<(K, Snapshot<V>)> {
        let mut all = Vec::new();
        for shard in &self.keys {
            let shard = shard.read();
            all.extend(
                shard
                    .iter()
                    .map(|(key, entries)| (key.clone(), entries.clone())),
            );
        }
        all
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        let entries = |shard: &Shard<K, V>| -> usize {
            shard.read().values().map(|entries| entries.len()).sum()
        };
        self.keys.iter().map(entries).sum()
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> usize {
        self.partitions.count()
    }
}

impl<K, V, O> AtDeath for Entries<K, V, O>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    O: Observe<K, V>,
{
    fn at_death(&self, pid: Pid) {
        let keys = self.owners(pid).lock().remove(&pid);
        for key in keys.into_iter().flatten() {
            drop(self.take(self.shard(&key, pid), &key, |entry| entry.pid == pid));
        }
        self.observer.settle();
    }
}

/// The tables of a kind in one runtime, by name.
pub(crate) struct Tables<T>(RwLock<HashMap<Box<str>, Arc<T>>>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Tables(RwLock::default())
    }
}

/// The table of a name in a runtime, made when it is first asked for.
pub(crate) fn table<T: Default + Send + Sync + 'static>(shared: &Shared, name: &str) -> Arc<T> {
    table_or(shared, name, T::default)
}

/// [`table`], made by `make` when it is first asked for.
pub(crate) fn table_or<T: Send + Sync + 'static>(
    shared: &Shared,
    name: &str,
    make: impl FnOnce() -> T,
) -> Arc<T> {
    let tables = shared.service::<Tables<T>>();
    if let Some(table) = tables.0.read().get(name) {
        return table.clone();
    }
    let mut tables = tables.0.write();
    let table = tables.entry(name.into());
    table.or_insert_with(|| Arc::new(make())).clone()
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use crate::process::models::{Stage, join};
    use crate::sync::model::explore;

    /// Whoever registers while it dies is refused, or its entry goes with it.
    #[test]
    fn loom_an_entry_of_the_dying_is_not_left() {
        explore(|| {
            let stage = Stage::new();
            let table: Arc<Entries<u8, u8>> = Arc::default();
            let death = stage.other_dies();
            let added = table.add(&stage.other(), 1, 1, Keys::Unique);
            join(death);
            assert!(matches!(added, Ok(()) | Err(RegisterError::NoProc)));
            assert_eq!(table.len(), 0);
        });
    }
}
