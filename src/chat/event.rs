//! What a room tells everybody in it.

use super::store::Message;
use crate::sync::{Arc, Mutex};
use std::any::Any;
use std::fmt;

/// What a room tells everybody in it. A clone is the same event.
#[derive(Clone, Debug)]
pub enum RoomEvent {
    /// Messages are committed (R1), and this is the first that is heard of them. Those that were committed together
    /// are told together, as many as were known when it was said.
    Messages(Committed),
    /// Everything up to this number is committed: whoever has not seen it all reads the store.
    Sync(u64),
}

/// Committed messages, numbered one after another, and what they look like on a wire, made by the first that needs it.
#[derive(Clone)]
pub struct Committed(Arc<Inner>);

struct Inner {
    messages: Vec<Message>,
    /// A leaf lock, held while the first encodes and the others wait for that.
    encoded: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Committed {
    /// Wraps messages that are committed, with numbers that have no gap.
    pub(super) fn new(messages: Vec<Message>) -> Self {
        Committed(Arc::new(Inner {
            messages,
            encoded: Mutex::default(),
        }))
    }

    /// The messages, at least one, in the order of their numbers.
    pub fn messages(&self) -> &[Message] {
        &self.0.messages
    }

    /// The messages in another form, of which there is one: the first caller makes it, all others share it.
    ///
    /// # Panics
    /// If another caller asked for another type.
    pub fn encoded<T: Send + Sync + 'static>(
        &self,
        encode: impl FnOnce(&[Message]) -> T,
    ) -> Arc<T> {
        let mut place = self.0.encoded.lock();
        let encoded = place
            .get_or_insert_with(|| Arc::new(encode(&self.0.messages)))
            .clone();
        drop(place);
        match encoded.downcast() {
            Ok(encoded) => encoded,
            Err(_) => panic!("messages are encoded in one way"),
        }
    }
}

impl fmt::Debug for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.0.messages.iter().map(|message| message.seq));
        list.finish()
    }
}
