//! The environment of applications: typed values under names, with defaults.

use crate::process::runtime;
use crate::reason::{Term, Value};
use crate::sync::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

/// A value of an application's environment: a constant that says where it is and of which type.
///
/// A value that was set wins over the default that the application was loaded with, whichever came first, and stays
/// when the application is unloaded: in OTP's words, it is persistent. The default goes with the application. Each
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

/// A value of an environment, whatever its type: one of [`get_all_env`](crate::application::get_all_env).
#[derive(Clone, PartialEq)]
pub struct Setting {
    key: &'static str,
    value: Term,
}

impl Setting {
    /// Its key.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The value, if it is a `T`.
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.key, self.value)
    }
}

/// Where a value is: the application, and the key.
pub(super) type Place = (&'static str, &'static str);

/// The values of one runtime.
#[derive(Default)]
struct Values(RwLock<HashMap<Place, Layers>>);

#[derive(Default)]
struct Layers {
    default: Option<Term>,
    set: Option<Term>,
}

impl Layers {
    /// The value that counts.
    fn value(&self) -> Option<&Term> {
        self.set.as_ref().or(self.default.as_ref())
    }
}

impl<T: Clone + Value> Env<T> {
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

    pub(super) fn place(&self) -> Place {
        (self.application, self.key)
    }

    /// The value: the one that was set, else the default.
    ///
    /// # Panics
    /// If another constant gave the same key a value of another type.
    pub fn get(&self) -> Option<T> {
        let values = runtime::current().service::<Values>();
        let values = values.0.read();
        let value = values.get(&self.place())?.value()?;
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
        change(self.place(), |layers| layers.set.replace(Term::new(value)));
    }

    /// Takes back what was set: the default counts again. `false` if nothing was set.
    pub fn unset(&self) -> bool {
        change(self.place(), |layers| layers.set.take())
    }
}

pub(super) fn set_default(place: Place, value: Term) {
    change(place, |layers| layers.default.replace(value));
}

pub(super) fn forget_default(place: Place) {
    change(place, |layers| layers.default.take());
}

/// Changes a value; whether there was one. What was there is dropped without the lock.
fn change(place: Place, change: impl FnOnce(&mut Layers) -> Option<Term>) -> bool {
    let values = runtime::current().service::<Values>();
    let was = change(values.0.write().entry(place).or_default());
    was.is_some()
}

/// Every value that counts at this moment.
pub(super) fn all() -> HashMap<Place, Term> {
    let values = runtime::current().service::<Values>();
    let values = values.0.read();
    let counting = values
        .iter()
        .filter_map(|(place, layers)| Some((*place, layers.value()?.clone())));
    counting.collect()
}

/// The values of an application among these, in the order of their keys.
pub(super) fn of(application: &str, all: &HashMap<Place, Term>) -> Vec<Setting> {
    let own = all.iter().filter(|((of, _), _)| *of == application);
    let own = own.map(|((_, key), value)| Setting {
        key,
        value: value.clone(),
    });
    let mut own: Vec<Setting> = own.collect();
    own.sort_by_key(Setting::key);
    own
}

impl<T> fmt::Debug for Env<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({}, {})", self.application, self.key)
    }
}
