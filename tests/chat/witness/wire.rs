//! PURE. What witnesses say, and how they recognise it.

use crate::history::{Id, Post};
use serde_json::{Value, json};

/// What is said in a message: always the same, so that whoever hears it knows whether it came whole. Some are short,
/// some have letters of several bytes, some need escapes.
pub(crate) fn body_of(id: Id) -> String {
    let rest = match id.nth % 4 {
        0 => "x".repeat(id.nth as usize % 97),
        1 => "\u{bc29} \u{1F33F} ".repeat(id.nth as usize % 13),
        2 => "\"\\\n\t</script>".to_owned(),
        _ => String::new(),
    };
    format!("{id} says {rest}.")
}

/// The message as one of ours, if it is as it was said.
pub(super) fn post_of(message: &Value, name_of: impl Fn(u32) -> String) -> Result<Post, u64> {
    let seq = message["seq"].as_u64().unwrap_or(0);
    let id = message["client_id"].as_str().and_then(Id::parse);
    match id {
        Some(id)
            if message["body"] == body_of(id).as_str()
                && message["user"] == name_of(id.client).as_str() =>
        {
            Ok(Post { seq, id })
        }
        _ => Err(seq),
    }
}

/// A post on the wire.
pub(super) fn payload(id: Id) -> Value {
    json!({"body": body_of(id), "client_id": id.to_string()})
}

/// One that is always refused.
pub(super) fn payload_refused(id: Id) -> Value {
    json!({"body": " \n ", "client_id": id.to_string()})
}

/// Texts that are no messages of the protocol.
pub(crate) const NO_MESSAGES: [&str; 10] = [
    "",
    "[",
    "null",
    "[1,2,3]",
    "[null,null,\"room\",\"new_msg\"]",
    "[null,null,7,\"new_msg\",{}]",
    "{\"topic\":\"phoenix\",\"event\":\"heartbeat\"}",
    "[null,\"1\",\"phoenix\",\"heartbeat\",{}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "[\"\\ud800\",\"1\",\"phoenix\",\"heartbeat\",{}]",
];
