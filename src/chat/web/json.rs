//! PURE. What things look like on the wire; the same on HTTP and on the socket.

use crate::chat::store::{Message, Room};
use serde_json::{Value, json};

/// `{"seq","user","body","at","client_id"}`.
pub(super) fn message(message: &Message) -> Value {
    json!({
        "seq": message.seq,
        "user": &*message.user,
        "body": &*message.body,
        "at": message.at,
        "client_id": message.client_id.as_deref(),
    })
}

/// Messages as they lie, oldest first.
pub(super) fn messages(messages: &[Message]) -> Value {
    messages.iter().map(message).collect()
}

/// `{"name","seq"}`.
pub(super) fn room(room: &Room) -> Value {
    json!({"name": &*room.name, "seq": room.seq})
}
