//! The environment of applications: typed values under names, with defaults.

use crate::process::runtime;
use crate::sync::{Arc, RwLock};
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

/// A value of an application's environment: a constant that says where it is and of which type.
///
/// A value that was set wins over the default that the application was loaded with, whichever came first. Each
/// [`Runtime`](crate::Runtime) has values of its own.
///
/// ```
/// use perennial::application::Env;
/// static PORT: Env<u16> = Env::new("chat", "port");
/// assert_eq!(PORT.get(), None);
/// assert_eq!(PORT.get_or(4000), 4000);
/// PORT.set(4001);
/// assert_eq!(PORT.get(), Some(4001));
/// assert!(PORT.unset());
/// assert_eq!(PORT.get(), None);
/// ```
pub struct Env<T> {
    application: &'static str,
    key: &'static str,
    value: PhantomData<fn(T)>,
}

type Value = Arc<dyn Any + Send + Sync>;

/// The values of one runtime, by application and key.
#[derive(Default)]
struct Values(RwLock<HashMap<(&'static str, &'static str), Layers>>);

#[derive(Default)]
struct Layers {
    default: Option<Value>,
    set: Option<Value>,
}

impl<T: Clone + Send + Sync + 'static> Env<T> {
    /// The value of `key` in the environment of `application`.
    pub const fn new(application: &'static str, key: &'static str) -> Self {
        Env {
            application,
            key,
            value: PhantomData,
        }
    }

    /// The application.
    pub fn application(&self) -> &'static str {
        self.application
    }

    /// Its key.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The value: the one that was set, else the default.
    ///
    /// # Panics
    /// If another constant gave the same key a value of another type.
    pub fn get(&self) -> Option<T> {
        let values = runtime::current().service::<Values>();
        let values = values.0.read();
        let layers = values.get(&(self.application, self.key))?;
        let value = layers.set.as_ref().or(layers.default.as_ref())?;
        match value.downcast_ref::<T>() {
            Some(value) => Some(value.clone()),
            None => panic!(
                "{self:?} is a {}, and has a value of another type: use one constant for one key",
                std::any::type_name::<T>()
            ),
        }
    }

    /// [`get`](Env::get), or `default` if there is none.
    pub fn get_or(&self, default: T) -> T {
        self.get().unwrap_or(default)
    }

    /// Sets the value.
    pub fn set(&self, value: T) {
        self.change(|layers| layers.set.replace(Arc::new(value)));
    }

    /// Takes back what was set: the default counts again. `false` if nothing was set.
    pub fn unset(&self) -> bool {
        self.change(|layers| layers.set.take())
    }

    pub(super) fn set_default(&self, value: T) {
        self.change(|layers| layers.default.replace(Arc::new(value)));
    }

    /// Changes a value; whether there was one. What was there is dropped without the lock.
    fn change(&self, change: impl FnOnce(&mut Layers) -> Option<Value>) -> bool {
        let values = runtime::current().service::<Values>();
        let was = change(
            values
                .0
                .write()
                .entry((self.application, self.key))
                .or_default(),
        );
        was.is_some()
    }
}

impl<T> fmt::Debug for Env<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({}, {})", self.application, self.key)
    }
}
