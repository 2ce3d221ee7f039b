//! Registries in which a key leads to one process.

use crate::pid::Pid;
use crate::process::runtime::Shared;
use crate::process::{Recipient, Ref, RegisterError, runtime};
use crate::service::entries::{self, Keys, Snapshot};
use crate::service::partitions::{PartitionBy, Partitions};
use crate::service::registry::table::{Filed, Table};
use crate::service::registry::{Event, Key, LockError, MetaKey, Via};
use crate::sync::Arc;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// Processes that take messages of type `M`, each under a key of type `K` with a value of type `V`. One process a
/// key; a process may have several keys.
///
/// ```
/// use perennial::{Registry, process};
/// static WORKERS: Registry<u32, &str> = Registry::new("workers");
/// let worker = process::spawn::<&str>(|cx| { cx.receive(); });
/// WORKERS.register(7, &worker).unwrap();
/// assert_eq!(WORKERS.whereis(&7), Some(worker.clone()));
/// assert!(WORKERS.register(7, &worker).is_err());
/// let mut watch = process::watch(&worker);
/// perennial::process::exit(&worker, perennial::ExitReason::Kill);
/// watch.wait(std::time::Duration::from_secs(5)).unwrap();
/// assert_eq!(WORKERS.whereis(&7), None);
/// ```
pub struct Registry<K, M, V = ()> {
    name: Cow<'static, str>,
    partitions: Partitions,
    types: PhantomData<fn(K, M, V)>,
}

impl<K, M, V> Registry<K, M, V> {
    /// A registry for a `static`. Two of one name and the same types are the same.
    pub const fn new(name: &'static str) -> Self {
        Registry {
            name: Cow::Borrowed(name),
            partitions: Partitions::ONE,
            types: PhantomData,
        }
    }

    /// A registry whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        Registry {
            name: Cow::Owned(name.into()),
            partitions: Partitions::ONE,
            types: PhantomData,
        }
    }

    /// The same registry in so many partitions, by key; default: one. Processes that register under keys of
    /// different partitions do not wait for one another. Of two constants of one name the first that is used in a
    /// runtime decides.
    ///
    /// # Panics
    /// If there are none or more than 1024; in a `static` that does not compile.
    pub const fn partitions(mut self, count: usize) -> Self {
        self.partitions = Partitions::new(count, PartitionBy::Key);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> Registry<K, M, V> {
    fn table(&self) -> Arc<Table<K, M, V>> {
        self.table_in(&runtime::current())
    }

    fn table_in(&self, shared: &Shared) -> Arc<Table<K, M, V>> {
        entries::table_or(shared, &self.name, || Table::new(self.partitions))
    }

    fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Snapshot<Filed<M, V>>>
    where
        K: Borrow<Q>,
    {
        self.table().entries.get(key)
    }

    /// The key as a destination: it is looked up at each send, so it survives restarts.
    pub fn via(&self, key: impl Into<K>) -> Via<K, M, V>
    where
        V: Default,
    {
        self.via_with(key, V::default())
    }

    /// [`via`](Registry::via); a server that is started under it is registered with this value.
    pub fn via_with(&self, key: impl Into<K>, value: V) -> Via<K, M, V> {
        Via::new(self.clone(), key.into(), value)
    }

    /// Registers a process under a key, until it is [unregistered](Registry::unregister) or dies.
    ///
    /// # Errors
    /// `Taken` with whoever has the key, be it the process itself; `NoProc` if the process is dead or dying.
    pub fn register(&self, key: K, process: &Ref<M>) -> Result<(), RegisterError>
    where
        V: Default,
    {
        self.register_with(key, process, V::default())
    }

    /// [`register`](Registry::register) with a value beside the process.
    ///
    /// # Errors
    /// As [`register`](Registry::register).
    pub fn register_with(&self, key: K, process: &Ref<M>, value: V) -> Result<(), RegisterError> {
        let table = self.table_in(&process.mailbox().core().runtime);
        table.register(key, process, value, Keys::Unique)
    }

    /// Takes a key back from a process; `false` if it does not have it. A key of another process is left alone.
    pub fn unregister<Q: Eq + Hash + ?Sized>(&self, key: &Q, process: impl Into<Pid>) -> bool
    where
        K: Borrow<Q>,
    {
        self.table().entries.remove(key, process.into()) > 0
    }

    /// The process of a key.
    pub fn whereis<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Ref<M>>
    where
        K: Borrow<Q>,
    {
        Some(self.get(key)?[0].value.process.clone())
    }

    /// The process of a key with its value.
    ///
    /// ```
    /// use perennial::{Registry, process};
    /// static ROLES: Registry<&str, (), u8> = Registry::new("roles");
    /// process::run::<(), _>(|cx| {
    ///     ROLES.register_with("first", cx.me(), 1).unwrap();
    ///     assert_eq!(ROLES.update_value("first", cx.pid(), |level| level + 1), Some((2, 1)));
    ///     assert_eq!(ROLES.lookup("first"), Some((cx.me().clone(), 2)));
    /// }).unwrap();
    /// ```
    pub fn lookup<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<(Ref<M>, V)>
    where
        K: Borrow<Q>,
    {
        Some(self.get(key)?[0].value.pair())
    }

    /// Changes the value of a key that the process has: the new and the old one. `None` if it does not have the
    /// key. Two changes at a time are the caller's to keep apart, as only the process itself should make them.
    pub fn update_value<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        process: impl Into<Pid>,
        change: impl FnOnce(&V) -> V,
    ) -> Option<(V, V)>
    where
        K: Borrow<Q>,
    {
        let shared = runtime::current();
        self.table_in(&shared)
            .update(&shared, key, process.into(), change)
    }

    /// The keys of a process.
    pub fn keys(&self, process: impl Into<Pid>) -> Vec<K> {
        self.table().entries.keys_of(process.into())
    }

    /// The value of a key, in a list that is empty if the process does not have the key: Elixir's `values`.
    pub fn values<Q: Eq + Hash + ?Sized>(&self, key: &Q, process: impl Into<Pid>) -> Vec<V>
    where
        K: Borrow<Q>,
    {
        self.table().values(key, process.into())
    }

    /// How many keys are taken.
    pub fn count(&self) -> usize {
        self.table().entries.len()
    }

    /// How many partitions it has in the current runtime.
    pub fn partition_count(&self) -> usize {
        self.table().entries.partitions()
    }

    /// What `choose` makes of each entry, where it makes something. Entries that come or go meanwhile may be
    /// missing or there.
    ///
    /// ```
    /// use perennial::{Registry, process};
    /// static SQUARES: Registry<u32, (), u32> = Registry::new("squares");
    /// process::run::<(), _>(|cx| {
    ///     for n in 0..10 {
    ///         SQUARES.register_with(n, cx.me(), n * n).unwrap();
    ///     }
    ///     let mut even = SQUARES.select(|n, _, square| (n % 2 == 0).then_some(*square));
    ///     even.sort();
    ///     assert_eq!(even, [0, 4, 16, 36, 64]);
    /// }).unwrap();
    /// ```
    pub fn select<T>(&self, choose: impl FnMut(&K, &Ref<M>, &V) -> Option<T>) -> Vec<T> {
        self.table().select(choose)
    }

    /// How many entries are chosen: [`select`](Registry::select) for those who only count.
    pub fn count_select(&self, chosen: impl FnMut(&K, &Ref<M>, &V) -> bool) -> usize {
        self.table().count_select(chosen)
    }

    /// The process of a key with its value, if `wanted` says so. It runs without a lock.
    ///
    /// ```
    /// use perennial::{Registry, process};
    /// static LEVELS: Registry<&str, (), u8> = Registry::new("matched levels");
    /// process::run::<(), _>(|cx| {
    ///     LEVELS.register_with("first", cx.me(), 7).unwrap();
    ///     assert_eq!(LEVELS.match_value("first", |_, level| *level > 7), None);
    ///     assert!(!LEVELS.unregister_match("first", cx.pid(), |level| *level > 7));
    ///     assert!(LEVELS.unregister_match("first", cx.pid(), |level| *level == 7));
    /// }).unwrap();
    /// ```
    pub fn match_value<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        wanted: impl FnOnce(&Ref<M>, &V) -> bool,
    ) -> Option<(Ref<M>, V)>
    where
        K: Borrow<Q>,
    {
        let found = self.lookup(key)?;
        wanted(&found.0, &found.1).then_some(found)
    }

    /// [`unregister`](Registry::unregister) if `gone` says so of the value. It runs without a lock; a value that
    /// changes meanwhile stays.
    pub fn unregister_match<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        process: impl Into<Pid>,
        gone: impl FnMut(&V) -> bool,
    ) -> bool
    where
        K: Borrow<Q>,
    {
        self.table().unregister_match(key, process.into(), gone) > 0
    }

    /// Tells a recipient of each change from now on, in the order of the changes, until it is
    /// [removed](Registry::remove_listener) or its process ends. One that is full misses an event. A change of a
    /// value is none.
    ///
    /// ```
    /// use perennial::{Registry, process, registry::Event};
    /// static ROOMS: Registry<&str, (), u8> = Registry::new("rooms that are listened to");
    /// process::run::<Event<&str, (), u8>, _>(|cx| {
    ///     ROOMS.add_listener(cx.me().recipient(|event| event)).unwrap();
    ///     let room = process::spawn::<()>(|cx| ROOMS.register_with("lobby", cx.me(), 1).unwrap());
    ///     let registered = Event::Register { key: "lobby", process: room.clone(), value: 1 };
    ///     assert_eq!(cx.receive().message(), Some(registered));
    ///     assert_eq!(cx.receive().message(), Some(Event::Unregister { key: "lobby", process: room }));
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoProc` if its process has ended.
    pub fn add_listener(&self, listener: Recipient<Event<K, M, V>>) -> Result<(), RegisterError> {
        self.table().listeners().add(listener)
    }

    /// Tells a process of nothing more; how many times it was a listener. What has been sent stays in its mailbox.
    pub fn remove_listener(&self, listener: impl Into<Pid>) -> usize {
        self.table().listeners().remove(listener.into())
    }

    /// Runs `run` here, while nobody else runs anything under the same key of this registry's locks; others wait,
    /// who came first first. These keys have nothing to do with those of processes.
    ///
    /// The lock comes free when `run` returns or panics, or when the process is told to end in it. A process that is
    /// killed in code which goes on keeps the lock until that has ended, so there are never two. A pooled process
    /// that waits holds a worker, as in a call.
    ///
    /// ```
    /// use perennial::{Registry, registry::LockError};
    /// static ROOMS: Registry<&str, ()> = Registry::new("rooms with locks");
    /// let again = ROOMS.lock("lobby", || ROOMS.lock("lobby", || ()));
    /// assert_eq!(again, Ok(Err(LockError::Held)));
    /// assert_eq!(ROOMS.lock("lobby", || 7), Ok(7));
    /// ```
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn lock<T>(&self, key: impl Into<K>, run: impl FnOnce() -> T) -> Result<T, LockError> {
        let shared = runtime::current();
        let table = self.table_in(&shared);
        table.locks.lock(&shared, key.into(), run)
    }

    /// What is kept beside the registry under a key. See [`MetaKey`].
    pub fn meta<T: Clone + Send + Sync + 'static>(&self, key: &MetaKey<T>) -> Option<T> {
        self.table().meta.get(key)
    }

    /// Keeps a value beside the registry; the value that was there.
    pub fn put_meta<T: Clone + Send + Sync + 'static>(
        &self,
        key: &MetaKey<T>,
        value: T,
    ) -> Option<T> {
        self.table().meta.put(key, value)
    }

    /// Forgets what is kept beside the registry under a key; the value that was there.
    pub fn delete_meta<T: Clone + Send + Sync + 'static>(&self, key: &MetaKey<T>) -> Option<T> {
        self.table().meta.delete(key)
    }
}

impl<K, M, V> Clone for Registry<K, M, V> {
    fn clone(&self) -> Self {
        Registry {
            name: self.name.clone(),
            partitions: self.partitions,
            types: PhantomData,
        }
    }
}

impl<K, M, V> fmt::Debug for Registry<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({:?})", self.name)
    }
}
