//! PURE: what a socket answers itself, when there is no channel to ask.

use crate::web::channel::codec;
use crate::web::channel::message::{Frame, Message, Payload, Status, WireRef};
use serde_json::json;

/// After how long a client whose join is not decided may try again. A join takes milliseconds.
const BUSY_MS: u32 = 1_000;

/// The `phoenix` topic is the socket's own; it knows one event.
pub(super) fn heartbeat(message: &Message) -> Frame {
    match &*message.event {
        "heartbeat" => ok(message, &WireRef::Null),
        _ => unmatched(message),
    }
}

/// What is asked for is so already.
pub(super) fn ok(message: &Message, join_ref: &WireRef) -> Frame {
    left(join_ref, &message.msg_ref, &message.topic)
}

/// The client that left is out.
pub(super) fn left(join_ref: &WireRef, msg_ref: &WireRef, topic: &str) -> Frame {
    reply(join_ref, msg_ref, topic, &Status::OK, &Payload::empty())
}

/// There is no channel to ask; the client knows that by the missing `join_ref`.
pub(super) fn unmatched(message: &Message) -> Frame {
    let reason = Payload::reason("unmatched topic");
    let (msg_ref, topic) = (&message.msg_ref, &message.topic);
    reply(&WireRef::Null, msg_ref, topic, &Status::ERROR, &reason)
}

/// The connection has as many channels as it may.
pub(super) fn too_many(message: &Message) -> Frame {
    refusal(message, &Payload::reason("too many channels joined"))
}

/// Too much waits for joins already.
pub(super) fn busy(message: &Message) -> Frame {
    let busy = json!({"reason": "busy", "retry_after_ms": BUSY_MS});
    refusal(message, &busy.into())
}

/// The client has not read yet what it joined before.
pub(super) fn join_busy(join_ref: &WireRef, msg_ref: &WireRef, topic: &str) -> Frame {
    let busy = json!({"reason": "busy", "retry_after_ms": BUSY_MS});
    reply(join_ref, msg_ref, topic, &Status::ERROR, &busy.into())
}

/// The channel ended before it had decided.
pub(super) fn join_crashed(join_ref: &WireRef, msg_ref: &WireRef, topic: &str) -> Frame {
    let reason = Payload::reason("join crashed");
    reply(join_ref, msg_ref, topic, &Status::ERROR, &reason)
}

fn refusal(message: &Message, response: &Payload) -> Frame {
    let (join_ref, msg_ref) = (&message.join_ref, &message.msg_ref);
    reply(join_ref, msg_ref, &message.topic, &Status::ERROR, response)
}

fn reply(
    join_ref: &WireRef,
    msg_ref: &WireRef,
    topic: &str,
    status: &Status,
    response: &Payload,
) -> Frame {
    codec::reply(join_ref, msg_ref, topic, status, response)
        .expect("only binary payloads can be too long for their frame")
}
