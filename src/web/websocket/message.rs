//! PURE. What comes from a client: messages, control frames, and what breaks the protocol.

use super::CloseCode;
use std::fmt;

/// What a message may cost before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message; a longer one is closed with 1009 when its length is announced. 64 KiB is four chat messages of the longest kind.
    pub message_max: usize,
    /// Frames of a message; more are closed with 1009. Nobody fragments short messages but to burn our time.
    pub fragments_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_max: 64 * 1024,
            fragments_max: 128,
        }
    }
}

/// A whole message.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, which is UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        }
    }

    /// Equals `true` if it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What people write to each other does not belong into logs.
        match self {
            Message::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Message::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// What came from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message(Message),
    /// A ping, to be answered with a pong of the same payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The peer closes; [`CloseCode::NO_STATUS`] if it did not say why. Nothing comes after.
    Close(CloseCode, String),
}

/// The peer broke the protocol; the code is that of the Close to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    /// 1002, 1007 or 1009.
    pub code: CloseCode,
    /// What was wrong.
    pub reason: &'static str,
}

impl ProtocolError {
    pub(super) fn new(reason: &'static str) -> Self {
        ProtocolError {
            code: CloseCode::PROTOCOL,
            reason,
        }
    }

    pub(super) fn not_utf8() -> Self {
        ProtocolError {
            code: CloseCode::INVALID,
            reason: "text is not UTF-8",
        }
    }

    pub(super) fn too_big(reason: &'static str) -> Self {
        ProtocolError {
            code: CloseCode::SIZE,
            reason,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reading a frame: {} ({})", self.reason, self.code)
    }
}

impl std::error::Error for ProtocolError {}
