//! What is said to clients from anywhere: broadcasts on topics, and the word that they are to go.
//!
//! A channel that [subscribes](super::ChannelCx::subscribe) hears what is broadcast on its topic, encoded once for all
//! who do. A socket that was given an [id](super::UserSocket::id) hears when it is told to disconnect. Both belong to the
//! current runtime, whichever sockets it has.
//!
//! ```
//! use perennial::web::channel::endpoint;
//! endpoint::broadcast("room:lobby", "new_msg", serde_json::json!({ "body": "tea is ready" }))?;
//! endpoint::disconnect("users:7");
//! # Ok::<(), perennial::web::channel::codec::EncodeError>(())
//! ```

use super::codec::{self, EncodeError};
use super::link::Broadcast;
use super::message::Payload;
use crate::pid::Pid;
use crate::process::Recipient;
use crate::service::pub_sub::PubSub;
use crate::web::websocket::CloseCode;

static TOPICS: PubSub<Broadcast> = PubSub::new("web.channel.topics");

static IDS: PubSub<Disconnect> = PubSub::new("web.channel.ids");

/// Sockets with an id are to go, and this is what their clients are told.
#[derive(Clone, Debug)]
pub(super) struct Disconnect {
    pub(super) code: u16,
    pub(super) reason: String,
}

/// Sends an event to every client that follows a topic.
///
/// # Errors
/// [`EncodeError`] if the payload is no object (or bytes that do not fit their frame): a bug of the caller.
pub fn broadcast(topic: &str, event: &str, payload: impl Into<Payload>) -> Result<(), EncodeError> {
    let frame = codec::broadcast(topic, event, &payload.into())?;
    TOPICS.broadcast(topic, Broadcast::Event(frame));
    Ok(())
}

/// [`broadcast`] to all but the client of one channel.
///
/// # Errors
/// As [`broadcast`].
pub fn broadcast_from(
    from: impl Into<Pid>,
    topic: &str,
    event: &str,
    payload: impl Into<Payload>,
) -> Result<(), EncodeError> {
    let frame = codec::broadcast(topic, event, &payload.into())?;
    TOPICS.broadcast_from(from, topic, Broadcast::Event(frame));
    Ok(())
}

/// Sends what is broadcast on a topic to a process too, or to a channel by
/// [`ChannelCx::recipient`](super::ChannelCx::recipient): for one that wants to look at what its client is told.
pub fn subscribe(topic: &str, to: Recipient<Broadcast>) {
    TOPICS.subscribe(topic, to);
}

/// Ends all subscriptions of a process to a topic; how many there were.
pub fn unsubscribe(topic: &str, subscriber: impl Into<Pid>) -> usize {
    TOPICS.unsubscribe(topic, subscriber)
}

/// Disconnects every socket with this id, with 1001: the clients come back if they are let in. All their channels end.
pub fn disconnect(id: &str) {
    disconnect_with(id, CloseCode::AWAY, "");
}

/// Disconnects every socket with this id with a code of the application's own. The official client stays away after
/// 1000 and comes back after any other.
pub fn disconnect_with(id: &str, code: CloseCode, reason: &str) {
    let reason = reason.to_owned();
    let code = code.get();
    IDS.broadcast(id, Disconnect { code, reason });
}

/// A socket hears what is said to its id for as long as its process lives.
pub(super) fn follow(id: &str, socket: Recipient<Disconnect>) {
    IDS.subscribe(id, socket);
}
