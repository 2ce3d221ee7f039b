//! Registries in which a key leads to any number of processes.

use crate::behaviour::task::{Task, TaskError};
use crate::pid::Pid;
use crate::process::runtime::Shared;
use crate::process::{self, Recipient, Ref, RegisterError, current, runtime};
use crate::reason::ExitReason;
use crate::service::entries::{self, Keys};
use crate::service::partitions::{PartitionBy, Partitions};
use crate::service::registry::table::{self, pairs};
use crate::service::registry::{Event, Key, LockError, MetaKey};
use crate::sync::Arc;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// Processes under keys, any number a key; a process may be under one key several times, with a value each.
///
/// It has no [`Via`](crate::Via), because a key does not lead to one process.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::{DuplicateRegistry, process};
/// static LISTENERS: DuplicateRegistry<&str, u32> = DuplicateRegistry::new("listeners");
/// process::run::<u32, _>(|cx| {
///     LISTENERS.register("numbers", cx.me()).unwrap();
///     LISTENERS.dispatch("numbers", |listeners| {
///         for (listener, ()) in listeners {
///             listener.cast(7);
///         }
///     });
///     assert_eq!(cx.receive().message(), Some(7));
/// }).unwrap();
/// ```
pub struct DuplicateRegistry<K, M, V = ()> {
    name: Cow<'static, str>,
    partitions: Partitions,
    types: PhantomData<fn(K, M, V)>,
}

/// Of a type of its own, so that registries of both sorts may share a name.
struct Table<K, M: Send + 'static, V>(table::Table<K, M, V>);

impl<K, M, V> DuplicateRegistry<K, M, V> {
    /// A registry for a `static`. Two of one name and the same types are the same.
    pub const fn new(name: &'static str) -> Self {
        DuplicateRegistry {
            name: Cow::Borrowed(name),
            partitions: Partitions::ONE,
            types: PhantomData,
        }
    }

    /// A registry whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        DuplicateRegistry {
            name: Cow::Owned(name.into()),
            partitions: Partitions::ONE,
            types: PhantomData,
        }
    }

    /// The same registry in so many partitions, by process; default: one. Processes of different partitions do not
    /// wait for one another, even under the same key, and a
    /// [dispatch in parallel](DuplicateRegistry::dispatch_parallel) has a task for each. Of two constants of one
    /// name the first that is used in a runtime decides.
    ///
    /// # Panics
    /// If there are none or more than 1024; in a `static` that does not compile.
    pub const fn partitions(self, count: usize) -> Self {
        self.partitions_by(PartitionBy::Pid, count)
    }

    /// [`partitions`](DuplicateRegistry::partitions) by process or by key: by key is better where there are many keys
    /// with few processes each.
    ///
    /// # Panics
    /// As [`partitions`](DuplicateRegistry::partitions).
    pub const fn partitions_by(mut self, by: PartitionBy, count: usize) -> Self {
        self.partitions = Partitions::new(count, by);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> DuplicateRegistry<K, M, V> {
    fn table(&self) -> Arc<Table<K, M, V>> {
        self.table_in(&runtime::current())
    }

    fn table_in(&self, shared: &Shared) -> Arc<Table<K, M, V>> {
        entries::table_or(shared, &self.name, || {
            Table(table::Table::new(self.partitions))
        })
    }

    /// Registers a process under a key, once more if it is there, until it is
    /// [unregistered](DuplicateRegistry::unregister) or dies.
    ///
    /// # Errors
    /// `NoProc` if the process is dead or dying.
    pub fn register(&self, key: K, process: &Ref<M>) -> Result<(), RegisterError>
    where
        V: Default,
    {
        self.register_with(key, process, V::default())
    }

    /// [`register`](DuplicateRegistry::register) with a value beside the process.
    ///
    /// # Errors
    /// As [`register`](DuplicateRegistry::register).
    pub fn register_with(&self, key: K, process: &Ref<M>, value: V) -> Result<(), RegisterError> {
        let table = self.table_in(&process.mailbox().core().runtime);
        table.0.register(key, process, value, Keys::Duplicate)
    }

    /// Takes a process away from a key; how often it was there.
    pub fn unregister<Q: Eq + Hash + ?Sized>(&self, key: &Q, process: impl Into<Pid>) -> usize
    where
        K: Borrow<Q>,
    {
        self.table().0.entries.remove(key, process.into())
    }

    /// The processes of a key with their values, in no order.
    pub fn lookup<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Vec<(Ref<M>, V)>
    where
        K: Borrow<Q>,
    {
        let snapshots = self.table().0.entries.snapshots(key);
        snapshots
            .iter()
            .flat_map(|entries| pairs(entries))
            .collect()
    }

    /// Calls `each` with all entries of a key, here and at once, if there are any. It may use the registry.
    pub fn dispatch<Q: Eq + Hash + ?Sized>(&self, key: &Q, each: impl FnOnce(&[(Ref<M>, V)]))
    where
        K: Borrow<Q>,
    {
        let entries = self.lookup(key);
        if !entries.is_empty() {
            each(&entries);
        }
    }

    /// [`dispatch`](DuplicateRegistry::dispatch) in a task for each partition that has entries of the key, at the
    /// same time; returns when all are through. With one partition `each` runs here.
    ///
    /// ```
    /// use perennial::{DuplicateRegistry, process};
    /// static LISTENERS: DuplicateRegistry<&str, u32> = DuplicateRegistry::new("many listeners").partitions(4);
    /// process::run::<u32, _>(|cx| {
    ///     LISTENERS.register("numbers", cx.me()).unwrap();
    ///     LISTENERS.dispatch_parallel("numbers", |listeners| listeners[0].0.cast(7)).unwrap();
    ///     assert_eq!(cx.receive().message(), Some(7));
    /// }).unwrap();
    /// # use perennial::process::Dest;
    /// ```
    ///
    /// # Errors
    /// The first task's that came to no end, once all have ended. The tasks are linked to the process that runs here,
    /// which ends with one that crashes unless it traps exits; a plain thread is only told.
    pub fn dispatch_parallel<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        each: impl Fn(&[(Ref<M>, V)]) + Send + Sync + 'static,
    ) -> Result<(), TaskError>
    where
        K: Borrow<Q>,
    {
        let table = self.table();
        if table.0.entries.partitions() == 1 {
            self.dispatch(key, each);
            return Ok(());
        }
        let snapshots = table.0.entries.snapshots(key);
        let parts: Vec<_> = snapshots.iter().map(|entries| pairs(entries)).collect();
        if parts.is_empty() {
            return Ok(());
        }
        if current::process().is_some() {
            return in_tasks(parts, each);
        }
        // Tasks have an owner, so this thread is a process for as long as they run.
        let ran = process::run::<(), _>(|_| in_tasks(parts, each));
        ran.unwrap_or_else(|reason| Err(TaskError::Exit(reason)))
    }

    /// The keys of a process, once for each entry.
    pub fn keys(&self, process: impl Into<Pid>) -> Vec<K> {
        self.table().0.entries.keys_of(process.into())
    }

    /// The values that a process has under a key.
    pub fn values<Q: Eq + Hash + ?Sized>(&self, key: &Q, process: impl Into<Pid>) -> Vec<V>
    where
        K: Borrow<Q>,
    {
        self.table().0.values(key, process.into())
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.table().0.entries.len()
    }

    /// How many partitions it has in the current runtime.
    pub fn partition_count(&self) -> usize {
        self.table().0.entries.partitions()
    }

    /// The entries of a key of which `wanted` says so. It runs without a lock.
    ///
    /// ```
    /// use perennial::{DuplicateRegistry, process};
    /// static LEVELS: DuplicateRegistry<&str, (), u8> = DuplicateRegistry::new("matched levels");
    /// process::run::<(), _>(|cx| {
    ///     for level in 1..=5 {
    ///         LEVELS.register_with("all", cx.me(), level).unwrap();
    ///     }
    ///     assert_eq!(LEVELS.match_values("all", |_, level| *level > 3).len(), 2);
    ///     assert_eq!(LEVELS.unregister_match("all", cx.pid(), |level| *level > 3), 2);
    ///     assert_eq!(LEVELS.count_match("all", |_, level| level % 2 == 1), 2);
    /// }).unwrap();
    /// ```
    pub fn match_values<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        mut wanted: impl FnMut(&Ref<M>, &V) -> bool,
    ) -> Vec<(Ref<M>, V)>
    where
        K: Borrow<Q>,
    {
        let mut found = self.lookup(key);
        found.retain(|(process, value)| wanted(process, value));
        found
    }

    /// How many entries of a key [`match_values`](DuplicateRegistry::match_values) would give.
    pub fn count_match<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        wanted: impl FnMut(&Ref<M>, &V) -> bool,
    ) -> usize
    where
        K: Borrow<Q>,
    {
        self.match_values(key, wanted).len()
    }

    /// Takes those entries of a process away from a key of whose values `gone` says so; how many there were. It runs
    /// without a lock, on the entries that are there at the beginning.
    pub fn unregister_match<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        process: impl Into<Pid>,
        gone: impl FnMut(&V) -> bool,
    ) -> usize
    where
        K: Borrow<Q>,
    {
        self.table().0.unregister_match(key, process.into(), gone)
    }

    /// What `choose` makes of each entry, where it makes something. Entries that come or go meanwhile may be
    /// missing or there.
    pub fn select<T>(&self, choose: impl FnMut(&K, &Ref<M>, &V) -> Option<T>) -> Vec<T> {
        self.table().0.select(choose)
    }

    /// How many entries are chosen: [`select`](DuplicateRegistry::select) for those who only count.
    pub fn count_select(&self, chosen: impl FnMut(&K, &Ref<M>, &V) -> bool) -> usize {
        self.table().0.count_select(chosen)
    }

    /// Tells a recipient of each change from now on, as [`Registry::add_listener`](crate::Registry::add_listener)
    /// does; once for each entry.
    ///
    /// # Errors
    /// `NoProc` if its process has ended.
    pub fn add_listener(&self, listener: Recipient<Event<K, M, V>>) -> Result<(), RegisterError> {
        self.table().0.listeners().add(listener)
    }

    /// Tells a process of nothing more; how many times it was a listener.
    pub fn remove_listener(&self, listener: impl Into<Pid>) -> usize {
        self.table().0.listeners().remove(listener.into())
    }

    /// Runs `run` here, while nobody else runs anything under the same key of this registry's locks. See
    /// [`Registry::lock`](crate::Registry::lock).
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn lock<T>(&self, key: impl Into<K>, run: impl FnOnce() -> T) -> Result<T, LockError> {
        let shared = runtime::current();
        let table = self.table_in(&shared);
        table.0.locks.lock(&shared, key.into(), run)
    }

    /// What is kept beside the registry under a key. See [`MetaKey`].
    pub fn meta<T: Clone + Send + Sync + 'static>(&self, key: &MetaKey<T>) -> Option<T> {
        self.table().0.meta.get(key)
    }

    /// Keeps a value beside the registry; the value that was there.
    pub fn put_meta<T: Clone + Send + Sync + 'static>(
        &self,
        key: &MetaKey<T>,
        value: T,
    ) -> Option<T> {
        self.table().0.meta.put(key, value)
    }

    /// Forgets what is kept beside the registry under a key; the value that was there.
    pub fn delete_meta<T: Clone + Send + Sync + 'static>(&self, key: &MetaKey<T>) -> Option<T> {
        self.table().0.meta.delete(key)
    }
}

/// Runs `each` on every part in a task of its own, which this process owns; what the first came to that came to no
/// end.
fn in_tasks<T: Send + 'static>(
    parts: Vec<Vec<T>>,
    each: impl Fn(&[T]) + Send + Sync + 'static,
) -> Result<(), TaskError> {
    let each = Arc::new(each);
    let start = |part: Vec<T>| {
        let each = each.clone();
        Task::spawn(move || each(&part))
    };
    let tasks: Vec<_> = parts.into_iter().map(start).collect();
    let mut outcome = Ok(());
    for task in tasks {
        let joined = match task {
            Ok(task) => task.join(),
            Err(error) => Err(TaskError::Exit(ExitReason::other(error))),
        };
        outcome = outcome.and(joined);
    }
    outcome
}

impl<K, M, V> Clone for DuplicateRegistry<K, M, V> {
    fn clone(&self) -> Self {
        DuplicateRegistry {
            name: self.name.clone(),
            partitions: self.partitions,
            types: PhantomData,
        }
    }
}

impl<K, M, V> fmt::Debug for DuplicateRegistry<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DuplicateRegistry({:?})", self.name)
    }
}
