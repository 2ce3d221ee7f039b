//! The dictionary of a process: values that code anywhere in it can put and get without passing them along.
//!
//! It is for what concerns the process as a whole and no single function of it, such as the number of the request that
//! is being served, for a log. What a server works with belongs in its state.

use crate::process::current;
use crate::process::error::NotAProcess;
use crate::sync::Arc;
use std::any::{Any, TypeId};
use std::fmt;
use std::marker::PhantomData;

/// A key of the dictionary with the type of its values; a constant, as a rule. Keys of one name and different types are
/// different keys.
///
/// ```
/// use perennial::process::{self, Key};
/// static REQUEST: Key<u64> = Key::new("request");
/// process::run::<(), _>(|_| {
///     assert_eq!(process::put(&REQUEST, 1), Ok(None));
///     assert_eq!(process::put(&REQUEST, 2), Ok(Some(1)));
///     assert_eq!(process::get(&REQUEST), Ok(Some(2)));
///     assert_eq!(process::keys(), Ok(vec!["request"]));
///     assert_eq!(process::delete(&REQUEST), Ok(Some(2)));
///     assert_eq!(process::get(&REQUEST), Ok(None));
/// }).unwrap();
/// ```
pub struct Key<T> {
    name: &'static str,
    value: PhantomData<fn(T)>,
}

impl<T> Key<T> {
    /// A key for a `static`.
    pub const fn new(name: &'static str) -> Self {
        Key {
            name,
            value: PhantomData,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.name)
    }
}

/// What a process has put; few, so that a list is the quickest.
#[derive(Default)]
pub(crate) struct Dictionary(Vec<Item>);

impl Dictionary {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct Item {
    name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
}

impl Dictionary {
    fn position<T: Any>(&self, name: &str) -> Option<usize> {
        let is_it = |item: &Item| item.name == name && (*item.value).type_id() == TypeId::of::<T>();
        self.0.iter().position(is_it)
    }

    fn put<T: Any + Send + Sync>(&mut self, name: &'static str, value: Arc<T>) -> Option<Item> {
        let had = self.delete::<T>(name);
        self.0.push(Item { name, value });
        had
    }

    fn delete<T: Any>(&mut self, name: &str) -> Option<Item> {
        let at = self.position::<T>(name)?;
        Some(self.0.remove(at))
    }

    fn get<T: Any + Send + Sync>(&self, name: &str) -> Option<Arc<T>> {
        let at = self.position::<T>(name)?;
        self.0[at].value.clone().downcast().ok()
    }

    fn keys(&self) -> Vec<&'static str> {
        self.0.iter().map(|item| item.name).collect()
    }
}

/// Puts a value into the dictionary of the process that runs on this thread; the one that was there. All of them are
/// dropped when the process dies.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn put<T: Any + Send + Sync>(key: &Key<T>, value: T) -> Result<Option<T>, NotAProcess> {
    let value = Arc::new(value);
    let had = with_dictionary(|dictionary| dictionary.put(key.name, value))?;
    Ok(had.and_then(value_of))
}

/// A copy of the value of a key in the dictionary of the process that runs on this thread.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn get<T: Any + Clone + Send + Sync>(key: &Key<T>) -> Result<Option<T>, NotAProcess> {
    let value = with_dictionary(|dictionary| dictionary.get::<T>(key.name))?;
    Ok(value.map(|value| T::clone(&value)))
}

/// Takes the value of a key out of the dictionary of the process that runs on this thread.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn delete<T: Any + Send + Sync>(key: &Key<T>) -> Result<Option<T>, NotAProcess> {
    let had = with_dictionary(|dictionary| dictionary.delete::<T>(key.name))?;
    Ok(had.and_then(value_of))
}

/// The names of all keys in the dictionary of the process that runs on this thread, the newest last.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn keys() -> Result<Vec<&'static str>, NotAProcess> {
    with_dictionary(|dictionary| dictionary.keys())
}

fn value_of<T: Any + Send + Sync>(item: Item) -> Option<T> {
    // Only the process itself looks, so nobody else has it in hand.
    Arc::into_inner(item.value.downcast().ok()?)
}

/// Nothing of the user's runs under the lock: values go in and out behind an `Arc`.
fn with_dictionary<R>(look: impl FnOnce(&mut Dictionary) -> R) -> Result<R, NotAProcess> {
    let me = current::required()?;
    let mut relations = me.core().relations.lock();
    Ok(look(relations.dictionary()))
}
