//! What is written beside a registry, for all who use it.

use crate::sync::{Arc, RwLock};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

/// Under what a registry keeps a value of type `T` beside its entries: a constant that says where and of which type.
/// Two constants of one text and different types are different keys.
///
/// ```
/// use perennial::{Registry, registry::MetaKey};
/// static LIMIT: MetaKey<u32> = MetaKey::new("limit");
/// static ROOMS: Registry<&str, ()> = Registry::new("rooms with a limit");
/// assert_eq!(ROOMS.meta(&LIMIT), None);
/// assert_eq!(ROOMS.put_meta(&LIMIT, 7), None);
/// assert_eq!(ROOMS.meta(&LIMIT), Some(7));
/// assert_eq!(ROOMS.delete_meta(&LIMIT), Some(7));
/// ```
pub struct MetaKey<T> {
    text: &'static str,
    value: PhantomData<fn(T)>,
}

impl<T> MetaKey<T> {
    /// A key for a `static`.
    pub const fn new(text: &'static str) -> Self {
        MetaKey {
            text,
            value: PhantomData,
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &'static str {
        self.text
    }
}

impl<T> fmt::Debug for MetaKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetaKey({:?})", self.text)
    }
}

type Values = HashMap<(TypeId, &'static str), Arc<dyn Any + Send + Sync>>;

/// The values beside one registry. A leaf lock.
#[derive(Default)]
pub(super) struct Meta(RwLock<Values>);

impl Meta {
    pub(super) fn get<T: Clone + Send + Sync + 'static>(&self, key: &MetaKey<T>) -> Option<T> {
        let value = self.0.read().get(&at(key)).cloned();
        value.as_ref().and_then(of)
    }

    /// The value that was there.
    pub(super) fn put<T: Clone + Send + Sync + 'static>(
        &self,
        key: &MetaKey<T>,
        value: T,
    ) -> Option<T> {
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let before = self.0.write().insert(at(key), value);
        before.as_ref().and_then(of)
    }

    /// The value that was there.
    pub(super) fn delete<T: Clone + Send + Sync + 'static>(&self, key: &MetaKey<T>) -> Option<T> {
        let before = self.0.write().remove(&at(key));
        before.as_ref().and_then(of)
    }
}

fn at<T: 'static>(key: &MetaKey<T>) -> (TypeId, &'static str) {
    (TypeId::of::<T>(), key.text)
}

/// A value whose type its key has.
fn of<T: Clone + 'static>(value: &Arc<dyn Any + Send + Sync>) -> Option<T> {
    value.downcast_ref().cloned()
}
