//! A key of a registry as a destination.

use crate::pid::Pid;
use crate::process::dest::sealed::Sealed;
use crate::process::name::{Claim, Claimable};
use crate::process::{Dest, ProcessId, Ref, RegisterError, ServerName, Target};
use crate::service::registry::{Key, Registry};
use crate::sync::Arc;
use std::any::Any;
use std::fmt;

/// Whichever process has a key of a [`Registry`] at the moment something is sent to it; made by
/// [`Registry::via`]. Also a name to start a server under: [`Spec::via`](crate::gen_server::Spec::via).
pub struct Via<K, M, V = ()> {
    registry: Registry<K, M, V>,
    key: K,
    value: V,
}

impl<K, M, V> Via<K, M, V> {
    pub(super) fn new(registry: Registry<K, M, V>, key: K, value: V) -> Self {
        Via {
            registry,
            key,
            value,
        }
    }

    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The registry.
    pub fn registry(&self) -> &Registry<K, M, V> {
        &self.registry
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> Via<K, M, V> {
    /// The process that has the key now.
    pub fn whereis(&self) -> Option<Ref<M>> {
        self.registry.whereis(&self.key)
    }
}

impl<K, M, V> Sealed for Via<K, M, V> {}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> Dest for Via<K, M, V> {
    type Msg = M;

    fn resolve(&self) -> Target<M> {
        self.whereis().map_or(Target::NoProc, Target::Local)
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> ServerName for Via<K, M, V> {
    fn into_claim(self) -> Claimable {
        Claimable(Arc::new(self))
    }
}

impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> Claim for Via<K, M, V> {
    fn claim(&self, reference: &dyn Any) -> Result<(), RegisterError> {
        match reference.downcast_ref::<Ref<M>>() {
            Some(process) => {
                self.registry
                    .register_with(self.key.clone(), process, self.value.clone())
            }
            None => unreachable!("a server's name takes the server's messages"),
        }
    }
}

/// Whoever has the key at this moment.
impl<K: Key, M: Send + 'static, V: Clone + Send + Sync + 'static> From<&Via<K, M, V>>
    for ProcessId
{
    fn from(via: &Via<K, M, V>) -> Self {
        let process = via.whereis();
        ProcessId::Pid(process.map_or(Pid::INIT, |process| process.pid()))
    }
}

impl<K: Clone, M, V: Clone> Clone for Via<K, M, V> {
    fn clone(&self) -> Self {
        Via {
            registry: self.registry.clone(),
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<K, M, V> fmt::Debug for Via<K, M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Via({:?})", self.registry.name())
    }
}
