//! What a room tells everybody in it.

use super::store::Message;
use crate::sync::{Arc, Mutex};
use std::any::Any;
use std::fmt;

/// What a room tells everybody in it. A clone is the same event.
#[derive(Clone, Debug)]
pub enum RoomEvent {
    /// A message is committed (R1), and this is the first that is heard of it.
    Message(Committed),
    /// Everything up to this number is committed: whoever has not seen it all reads the store.
    Sync(u64),
}

/// A committed message, and what it looks like on a wire, made by the first that needs it.
#[derive(Clone)]
pub struct Committed(Arc<Inner>);

struct Inner {
    message: Message,
    /// A leaf lock, held while the first encodes and the others wait for that.
    encoded: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Committed {
    /// Wraps a message that is committed.
    pub(super) fn new(message: Message) -> Self {
        Committed(Arc::new(Inner {
            message,
            encoded: Mutex::default(),
        }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The message in another form, of which there is one: the first caller makes it, all others share it.
    ///
    /// # Panics
    /// If another caller asked for another type.
    pub fn encoded<T: Send + Sync + 'static>(&self, encode: impl FnOnce(&Message) -> T) -> Arc<T> {
        let mut place = self.0.encoded.lock();
        let encoded = place
            .get_or_insert_with(|| Arc::new(encode(&self.0.message)))
            .clone();
        drop(place);
        match encoded.downcast() {
            Ok(encoded) => encoded,
            Err(_) => panic!("a message is encoded in one way"),
        }
    }
}

impl fmt::Debug for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Committed({})", self.0.message.seq)
    }
}
