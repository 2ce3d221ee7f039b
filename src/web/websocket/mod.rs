//! WebSocket (RFC 6455) without a socket: the opening handshake, frames out, messages in.
//!
//! Everything here is PURE. No extension is offered or accepted (permessage-deflate costs memory for each client
//! and leaks lengths), so a reserved bit is always an error. What is sent to many is encoded once ([`Frame`]).
//!
//! Reading order: [`Handshake`], [`Frame`], [`CloseCode`], [`Message`], [`MessageDecoder`].

mod close;
mod decoder;
mod frame;
mod handshake;
mod message;

pub use close::CloseCode;
pub use decoder::MessageDecoder;
pub use frame::Frame;
pub use handshake::{Handshake, HandshakeError};
pub use message::{Event, Limits, Message, ProtocolError};
