//! Registries: processes under keys of any type, found by many, gone when they die.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::{Registry, Via};
//!
//! struct Room(String);
//! impl GenServer for Room {
//!     type Args = String;
//!     type Msg = ReplyTo<String>;
//!     fn init(name: String, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Room(name)) }
//!     fn handle(&mut self, reply: ReplyTo<String>, _: &mut Cx<Self>) -> Next<Self::Msg> {
//!         reply.send(format!("welcome to {}", self.0));
//!         Next::Loop
//!     }
//! }
//!
//! static ROOMS: Registry<String, ReplyTo<String>> = Registry::new("rooms");
//!
//! let lobby: Via<String, ReplyTo<String>> = ROOMS.via("lobby");
//! gen_server::spec::<Room>("the lobby".into()).via(lobby.clone()).start()?;
//! assert_eq!(lobby.call(|reply| reply)?, "welcome to the lobby");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each [`Runtime`](crate::Runtime) has entries of its own; a registry in a `static` is only a name with types, as
//! a [`Name`](crate::Name) is. There is no process that keeps a registry, so none can fail.
//!
//! Who wants to know what changes is a [listener](Registry::add_listener); what one at a time may do goes under a
//! [lock](Registry::lock); what belongs to a registry as a whole is its [meta](Registry::meta).
//!
//! # How entries die
//! With their process: they are gone before its links, its monitors and its callers hear of the end. So whoever
//! got a `Down` can register the key anew at once.
//!
//! # Options
//! [`Registry`] has one process a key and a [`Via`] for it, [`DuplicateRegistry`] any number; either may keep a value
//! beside each process.

mod duplicate;
mod listeners;
mod lock;
mod meta;
mod table;
mod unique;
mod via;

pub use crate::service::partitions::PartitionBy;
pub use duplicate::DuplicateRegistry;
pub use listeners::Event;
pub use lock::LockError;
pub use meta::MetaKey;
pub use unique::Registry;
pub use via::Via;

use std::hash::Hash;

/// What a registry can have for a key: any value that can be compared, hashed and cloned.
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Key for K {}
