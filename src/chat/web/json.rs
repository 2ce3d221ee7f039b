//! PURE. What things look like on the wire; the same on HTTP and on the socket.

use crate::chat::store::{Message, ReadCursor, Room};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::{Value, json};

/// `{"seq","user","body","at","client_id"}`.
pub(super) struct OnWire<'a>(pub(super) &'a Message);

impl Serialize for OnWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OnWire(message) = self;
        let mut object = serializer.serialize_struct("Message", 5)?;
        object.serialize_field("at", &message.at)?;
        object.serialize_field("body", &*message.body)?;
        object.serialize_field("client_id", &message.client_id.as_deref())?;
        object.serialize_field("seq", &message.seq)?;
        object.serialize_field("user", &*message.user)?;
        object.end()
    }
}

/// Messages as they lie, oldest first.
pub(super) fn messages(messages: &[Message]) -> Value {
    let value = |message| json!(OnWire(message));
    messages.iter().map(value).collect()
}

/// `{"name","seq","read_seq","unread"}`.
pub(super) fn room((room, cursor): &(Room, ReadCursor)) -> Value {
    json!({
        "name": &*room.name,
        "seq": room.seq,
        "read_seq": cursor.read_seq,
        "unread": cursor.unread(),
    })
}
