//! What processes keep under keys, gone when they are: the table behind registries and subscriptions.
//!
//! An entry goes in the death path of its process, before anybody hears of the death; so whoever has heard of it
//! finds nothing. Readers take a snapshot, and nothing is called or dropped under a lock but the keys' own `Hash`,
//! `Eq` and `Clone`.

use crate::pid::Pid;
use crate::process::RegisterError;
use crate::process::core::Process;
use crate::process::relations::AtDeath;
use crate::process::runtime::Shared;
use crate::sync::{Arc, RankedMutex, RankedRwLock, RwLock, rank};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// How many shards a table has: more than the threads that write to one at a time on most machines.
const SHARDS: usize = 16;

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    pub(crate) pid: Pid,
    pub(crate) value: V,
}

/// All entries of one key, as they were at one moment.
pub(crate) type Snapshot<V> = Arc<Vec<Entry<V>>>;

/// Whether a key has one entry or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    Unique,
    Duplicate,
}

type KeyShard<K, V> = RankedRwLock<HashMap<K, Snapshot<V>>, { rank::KEYS }>;

type OwnerShard<K> = RankedMutex<HashMap<Pid, Vec<K>>, { rank::OWNERS }>;

/// Entries by key, and the keys of each process.
///
/// Lock order: a shard of keys, then a shard of owners, then the relations of a process.
pub(crate) struct Entries<K, V> {
    hasher: RandomState,
    keys: Vec<KeyShard<K, V>>,
    /// Invariant E1: while no lock is held, a process is here with a key once for each entry it has under it.
    owners: Vec<OwnerShard<K>>,
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Entries {
            hasher: RandomState::new(),
            keys: (0..SHARDS).map(|_| RankedRwLock::default()).collect(),
            owners: (0..SHARDS).map(|_| RankedMutex::default()).collect(),
        }
    }
}

impl<K, V> Entries<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn keys<Q: Hash + ?Sized>(&self, key: &Q) -> &KeyShard<K, V> {
        &self.keys[self.hasher.hash_one(key) as usize % SHARDS]
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
        let core = process.core();
        let pid = core.pid;
        let cleanup: Arc<dyn AtDeath> = self.clone();
        let mut shard = self.keys(&key).write();
        if keys == Keys::Unique
            && let Some(entries) = shard.get(&key)
        {
            return Err(RegisterError::Taken(entries[0].pid));
        }
        // 1. The process begins to die and takes the clean-ups it has. 2. It asks for one more here. Either this
        // comes before 1, and then the clean-up waits for this shard and finds the key; or it is refused.
        let mut owners = self.owners(pid).lock();
        if !core.relations.lock().at_death(&cleanup) {
            return Err(RegisterError::NoProc);
        }
        // One copy of a key serves all: a thousand subscribers share the text of their topic.
        let key = shard
            .get_key_value(&key)
            .map_or(key, |(key, _)| key.clone());
        owners.entry(pid).or_default().push(key.clone());
        drop(owners);
        Arc::make_mut(shard.entry(key).or_default()).push(Entry { pid, value });
        Ok(())
    }

    /// The entries of a key.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Snapshot<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.keys(key).read().get(key).cloned()
    }

    /// Replaces the value of the first entry that a process has under a key; the value that was there.
    pub(crate) fn replace<Q>(&self, key: &Q, pid: Pid, value: V) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut shard = self.keys(key).write();
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
        let removed = self.take(key, pid);
        if removed.count == 0 {
            return 0;
        }
        let mut owners = self.owners(pid).lock();
        let mut gone = Vec::new();
        if let Some(keys) = owners.get_mut(&pid) {
            for _ in 0..removed.count {
                if let Some(at) = keys.iter().position(|one| one.borrow() == key) {
                    gone.push(keys.swap_remove(at));
                }
            }
            if keys.is_empty() {
                owners.remove(&pid);
            }
        }
        drop(owners);
        removed.count
    }

    fn take<Q>(&self, key: &Q, pid: Pid) -> Removed<K, V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut removed = Removed {
            count: 0,
            entries: Vec::new(),
            key: None,
        };
        let mut shard = self.keys(key).write();
        let Some(snapshot) = shard.get_mut(key) else {
            return removed;
        };
        removed.count = snapshot.iter().filter(|entry| entry.pid == pid).count();
        if removed.count == snapshot.len() {
            removed.key = shard.remove_entry(key);
        } else if removed.count > 0 {
            // Only a broadcast that is under way has a snapshot, so a copy is rare.
            let entries = Arc::make_mut(snapshot);
            while let Some(at) = entries.iter().position(|entry| entry.pid == pid) {
                removed.entries.push(entries.swap_remove(at));
            }
        }
        removed
    }

    /// The keys of a process, once for each entry.
    pub(crate) fn keys_of(&self, pid: Pid) -> Vec<K> {
        let owners = self.owners(pid).lock();
        owners.get(&pid).cloned().unwrap_or_default()
    }

    /// All keys with their entries, each as it is at some moment of the call.
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
        let shards = self.keys.iter();
        shards
            .map(|shard| {
                shard
                    .read()
                    .values()
                    .map(|entries| entries.len())
                    .sum::<usize>()
            })
            .sum()
    }
}

/// What was taken out under a lock, to be dropped without one.
struct Removed<K, V> {
    count: usize,
    entries: Vec<Entry<V>>,
    key: Option<(K, Snapshot<V>)>,
}

impl<K, V> AtDeath for Entries<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn at_death(&self, pid: Pid) {
        let keys = self.owners(pid).lock().remove(&pid);
        for key in keys.into_iter().flatten() {
            drop(self.take(&key, pid));
        }
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
    let tables = shared.service::<Tables<T>>();
    if let Some(table) = tables.0.read().get(name) {
        return table.clone();
    }
    tables.0.write().entry(name.into()).or_default().clone()
}
