//! What the network tells whoever listens ([`Telemetry`](crate::telemetry::Telemetry)).

use super::gate::Refusal;
use crate::telemetry::Event;
use std::io;
use std::net::SocketAddr;

/// A connection was accepted, told 503 and closed.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRefused {
    /// Who came.
    pub peer: SocketAddr,
    /// Why it was turned away.
    pub why: Refusal,
}

impl Event for ConnectionRefused {}

/// The system could not give us a connection that waits. It is tried again.
#[derive(Clone, Copy, Debug)]
pub struct AcceptFailed {
    /// The system's error.
    pub error: Option<i32>,
    /// Its kind.
    pub kind: io::ErrorKind,
}

impl Event for AcceptFailed {}

/// A reactor that shuts down has told a round of its WebSockets that the service restarts (`[:phoenix, :socket_drain]`).
#[derive(Clone, Copy, Debug)]
pub struct SocketDrain {
    /// How many were told in this round.
    pub count: usize,
    /// How many are told in later ones.
    pub left: usize,
}

impl Event for SocketDrain {}

/// A service or a sink panicked. Its client got 500 or 1011; everybody else noticed nothing.
#[derive(Clone, Copy, Debug)]
pub struct CallbackPanicked {
    /// Whose connection it was.
    pub peer: SocketAddr,
}

impl Event for CallbackPanicked {}
