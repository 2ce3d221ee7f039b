//! Registries in which a key leads to any number of processes.

use crate::pid::Pid;
use crate::process::{Ref, RegisterError, runtime};
use crate::service::entries::{self, Entries, Keys};
use crate::service::registry::Key;
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
    types: PhantomData<fn(K, M, V)>,
}

/// Of a type of its own, so that registries of both sorts may share a name.
struct Table<K, M: Send + 'static, V>(Arc<Entries<K, (Ref<M>, V)>>);

impl<K, M: Send + 'static, V> Default for Table<K, M, V> {
    fn default() -> Self {
        Table(Arc::default())
    }
}

impl<K, M, V> DuplicateRegistry<K, M, V> {
    /// A registry for a `static`. Two of one name and the same types are the same.
    pub const fn new(name: &'static str) -> Self {
        DuplicateRegistry {
            name: Cow::Borrowed(name),
            types: PhantomData,
        }
    }

    /// A registry whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        DuplicateRegistry {
            name: Cow::Owned(name.into()),
            types: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> DuplicateRegistry<K, M, V> {
    fn table(&self) -> Arc<Entries<K, (Ref<M>, V)>> {
        let table = entries::table::<Table<K, M, V>>(&runtime::current(), &self.name);
        table.0.clone()
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
        let shared = &process.mailbox().core().runtime;
        let table = entries::table::<Table<K, M, V>>(shared, &self.name);
        let value = (process.clone(), value);
        table.0.add(&process.process(), key, value, Keys::Duplicate)
    }

    /// Takes a process away from a key; how often it was there.
    pub fn unregister<Q: Eq + Hash + ?Sized>(&self, key: &Q, process: impl Into<Pid>) -> usize
    where
        K: Borrow<Q>,
    {
        self.table().remove(key, process.into())
    }

    /// The processes of a key with their values, in no order.
    pub fn lookup<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Vec<(Ref<M>, V)>
    where
        K: Borrow<Q>,
    {
        let entries = self.table().get(key).unwrap_or_default();
        entries.iter().map(|entry| entry.value.clone()).collect()
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

    /// The keys of a process, once for each entry.
    pub fn keys(&self, process: impl Into<Pid>) -> Vec<K> {
        self.table().keys_of(process.into())
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.table().len()
    }
}

impl<K, M, V> Clone for DuplicateRegistry<K, M, V> {
    fn clone(&self) -> Self {
        DuplicateRegistry {
            name: self.name.clone(),
            types: PhantomData,
        }
    }
}

impl<K, M, V> fmt::Debug for DuplicateRegistry<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DuplicateRegistry({:?})", self.name)
    }
}
