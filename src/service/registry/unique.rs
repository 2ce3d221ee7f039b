//! Registries in which a key leads to one process.

use crate::pid::Pid;
use crate::process::{Ref, RegisterError, runtime};
use crate::service::entries::{self, Entries, Keys, Snapshot};
use crate::service::registry::{Key, Via};
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
    types: PhantomData<fn(K, M, V)>,
}

type Table<K, M, V> = Entries<K, (Ref<M>, V)>;

impl<K, M, V> Registry<K, M, V> {
    /// A registry for a `static`. Two of one name and the same types are the same.
    pub const fn new(name: &'static str) -> Self {
        Registry {
            name: Cow::Borrowed(name),
            types: PhantomData,
        }
    }

    /// A registry whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        Registry {
            name: Cow::Owned(name.into()),
            types: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> Registry<K, M, V> {
    fn table(&self) -> Arc<Table<K, M, V>> {
        entries::table(&runtime::current(), &self.name)
    }

    fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Snapshot<(Ref<M>, V)>>
    where
        K: Borrow<Q>,
    {
        self.table().get(key)
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
        let shared = &process.mailbox().core().runtime;
        let table: Arc<Table<K, M, V>> = entries::table(shared, &self.name);
        let value = (process.clone(), value);
        table.add(&process.process(), key, value, Keys::Unique)
    }

    /// Takes a key back from a process; `false` if it does not have it. A key of another process is left alone.
    pub fn unregister<Q: Eq + Hash + ?Sized>(&self, key: &Q, process: impl Into<Pid>) -> bool
    where
        K: Borrow<Q>,
    {
        self.table().remove(key, process.into()) > 0
    }

    /// The process of a key.
    pub fn whereis<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Ref<M>>
    where
        K: Borrow<Q>,
    {
        Some(self.get(key)?[0].value.0.clone())
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
        Some(self.get(key)?[0].value.clone())
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
        let pid = process.into();
        let table = self.table();
        let entries = table.get(key)?;
        let entry = entries.iter().find(|entry| entry.pid == pid)?;
        let (process, old) = &entry.value;
        let new = change(old);
        let old = old.clone();
        let value = (process.clone(), new.clone());
        // The snapshot goes first, so that nothing needs to be copied.
        drop(entries);
        table.replace(key, pid, value)?;
        Some((new, old))
    }

    /// The keys of a process.
    pub fn keys(&self, process: impl Into<Pid>) -> Vec<K> {
        self.table().keys_of(process.into())
    }

    /// How many keys are taken.
    pub fn count(&self) -> usize {
        self.table().len()
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
    pub fn select<T>(&self, mut choose: impl FnMut(&K, &Ref<M>, &V) -> Option<T>) -> Vec<T> {
        let mut chosen = Vec::new();
        for (key, entries) in self.table().all() {
            for entry in entries.iter() {
                let (process, value) = &entry.value;
                chosen.extend(choose(&key, process, value));
            }
        }
        chosen
    }
}

impl<K, M, V> Clone for Registry<K, M, V> {
    fn clone(&self) -> Self {
        Registry {
            name: self.name.clone(),
            types: PhantomData,
        }
    }
}

impl<K, M, V> fmt::Debug for Registry<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({:?})", self.name)
    }
}
