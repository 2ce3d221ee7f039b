//! Names: one name a process, one process a name, resolved anew at each send.

use crate::pid::Pid;
use crate::process::core::{Process, flag};
use crate::process::dest::Dest;
use crate::process::reference::Ref;
use crate::process::runtime::{self, Shared};
use crate::sync::{Arc, RankedRwLock, rank};
use rustc_hash::FxBuildHasher;
use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::BuildHasher;
use std::marker::PhantomData;

/// How many shards the table of names has.
const SHARDS: usize = 16;

/// The name of a process that takes messages of type `M`; a constant, as a rule.
///
/// A name is resolved at each send, so it survives restarts where a [`Ref`] goes stale.
///
/// ```
/// use perennial::prelude::*;
/// pub static PRINTER: Name<String> = Name::new("printer");
/// assert_eq!(PRINTER.whereis(), None);
/// ```
pub struct Name<M> {
    text: Cow<'static, str>,
    message: PhantomData<fn(M)>,
}

impl<M: Send + 'static> Name<M> {
    /// A name for a `static`.
    pub const fn new(text: &'static str) -> Self {
        Name {
            text: Cow::Borrowed(text),
            message: PhantomData,
        }
    }

    /// A name made at run time.
    pub fn owned(text: impl Into<String>) -> Self {
        Name {
            text: Cow::Owned(text.into()),
            message: PhantomData,
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The process of that name in the current runtime, if it lives and takes these messages.
    pub fn whereis(&self) -> Option<Ref<M>> {
        runtime::with(|shared| shared.names.find_reference(&self.text)).ok()?
    }
}

impl<M> Clone for Name<M> {
    fn clone(&self) -> Self {
        Name {
            text: self.text.clone(),
            message: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({:?})", self.text)
    }
}

/// Why a name could not be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name belongs to this process.
    Taken(Pid),
    /// The process has this name already; it may have one.
    HasName(Arc<str>),
    /// The process is not alive.
    NoProc,
    /// The name is empty or reserved (`undefined`).
    BadName,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::Taken(pid) => write!(f, "registering a name that belongs to {pid}"),
            RegisterError::HasName(name) => {
                write!(
                    f,
                    "registering a second name for a process that is named {name:?}"
                )
            }
            RegisterError::NoProc => f.write_str("registering a process that is not alive"),
            RegisterError::BadName => f.write_str("registering an empty or reserved name"),
        }
    }
}

impl std::error::Error for RegisterError {}

/// A destination under which a server can be started: OTP's `{via, …}`.
pub trait ServerName: Dest {
    #[doc(hidden)]
    fn into_claim(self) -> Claimable;
}

/// A name on its way to the start of a process.
#[doc(hidden)]
#[derive(Debug)]
pub struct Claimable(pub(crate) Arc<dyn Claim>);

/// A name that is kept elsewhere than in the table of names, and taken for a process before its first line runs.
pub(crate) trait Claim: fmt::Debug + Send + Sync {
    /// Takes the name for a process, which is given as its `Ref<M>`.
    fn claim(&self, reference: &dyn Any) -> Result<(), RegisterError>;
}

type Shard = RankedRwLock<HashMap<Arc<str>, Named>, { rank::NAMES }>;

/// The names of a runtime.
pub(crate) struct Names {
    /// Lock order: a shard before the relations of a process.
    shards: Vec<Shard>,
}

/// A process under its name.
struct Named {
    process: Arc<dyn Process>,
    /// Its `Ref<M>`.
    reference: Box<dyn Any + Send + Sync>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Names {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }

    fn shard(&self, name: &str) -> &Shard {
        // Which shard it is need not be hard to guess; the place in it is.
        &self.shards[FxBuildHasher.hash_one(name) as usize % SHARDS]
    }

    /// The process of a name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn Process>> {
        Some(self.shard(name).read().get(name)?.process.clone())
    }

    /// The process of a name, if there is one, as one that takes messages of this type; its pid if it does not.
    pub(crate) fn find_reference<M: Send + 'static>(
        &self,
        name: &str,
    ) -> Result<Option<Ref<M>>, Pid> {
        let shard = self.shard(name).read();
        let Some(named) = shard.get(name) else {
            return Ok(None);
        };
        match named.reference.downcast_ref::<Ref<M>>() {
            Some(reference) => Ok(Some(reference.clone())),
            None => Err(named.process.core().pid),
        }
    }

    /// Gives a name to a process.
    pub(crate) fn register<M: Send + 'static>(
        &self,
        name: &Arc<str>,
        process: &Arc<dyn Process>,
        reference: Ref<M>,
    ) -> Result<(), RegisterError> {
        if name.is_empty() || &**name == "undefined" {
            return Err(RegisterError::BadName);
        }
        let named = Named {
            process: process.clone(),
            reference: Box::new(reference),
        };
        let mut shard = self.shard(name).write();
        let place = match shard.entry(name.clone()) {
            Entry::Vacant(place) => place,
            Entry::Occupied(taken) => {
                return Err(RegisterError::Taken(taken.get().process.core().pid));
            }
        };
        let core = process.core();
        if core.has(flag::GONE) {
            return Err(RegisterError::NoProc);
        }
        core.relations
            .lock()
            .take_name(name.clone())
            .map_err(|had| match had {
                Some(name) => RegisterError::HasName(name),
                None => RegisterError::NoProc,
            })?;
        place.insert(named);
        Ok(())
    }

    /// Takes a name away from whoever has it; the process that had it.
    pub(crate) fn unregister(&self, name: &str) -> Option<Pid> {
        let mut shard = self.shard(name).write();
        let named = shard.remove(name)?;
        named.process.core().relations.lock().drop_name();
        Some(named.process.core().pid)
    }

    /// Takes a name away from a process that is ending and has given it back.
    pub(crate) fn release(&self, name: &str, pid: Pid) {
        let released = {
            let mut shard = self.shard(name).write();
            let named = shard.remove_entry(name);
            match named {
                Some((name, another)) if another.process.core().pid != pid => {
                    shard.insert(name, another);
                    None
                }
                released => released,
            }
        };
        drop(released);
    }

    pub(crate) fn all(&self) -> Vec<Arc<str>> {
        self.shards
            .iter()
            .flat_map(|shard| shard.read().keys().cloned().collect::<Vec<_>>())
            .collect()
    }
}

impl Shared {
    /// The process of a name, whatever messages it takes.
    pub(crate) fn whereis(&self, name: &str) -> Option<Arc<dyn Process>> {
        self.names.find(name)
    }
}
