//! What sockets and channels tell whoever listens ([`Telemetry`](crate::telemetry::Telemetry)).
//!
//! The words are Phoenix's. None of these events carries what a client sent beyond the names of topics and events:
//! parameters and payloads are where people's secrets are, so nobody has to filter them out of a log.

use super::request::TransportKind;
use super::vsn::Vsn;
use crate::sync::Arc;
use crate::telemetry::Event;
use std::time::Duration;

/// A client asked to connect, and was let in or not (`[:phoenix, :socket_connected]`).
#[derive(Clone, Debug)]
pub struct SocketConnected {
    /// How long the decision took.
    pub duration: Duration,
    /// By what it came.
    pub transport: TransportKind,
    /// The version of its serializer; `None` if it was none that is spoken.
    pub vsn: Option<Vsn>,
    /// Equals `true` if it was let in.
    pub accepted: bool,
}

impl Event for SocketConnected {}

/// A client asked to join a topic, and the channel has answered (`[:phoenix, :channel_joined]`).
#[derive(Clone, Debug)]
pub struct ChannelJoined {
    /// How long the client's channel took, the time that others took for it included.
    pub duration: Duration,
    /// The topic.
    pub topic: Arc<str>,
    /// Equals `true` if the client is in.
    pub accepted: bool,
}

impl Event for ChannelJoined {}

/// A channel has handled an event of its client (`[:phoenix, :channel_handled_in]`).
#[derive(Clone, Debug)]
pub struct ChannelHandledIn {
    /// How long the callback took.
    pub duration: Duration,
    /// The topic.
    pub topic: Arc<str>,
    /// The name of the event, as the client spelled it.
    pub event: Box<str>,
}

impl Event for ChannelHandledIn {}
