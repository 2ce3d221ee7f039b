//! WebSocket (RFC 6455) without a socket: the opening handshake, frames out, messages in.
//!
//! ```
//! use perennial::web::websocket::{Event, Frame, Limits, Message, MessageDecoder};
//!
//! let frame = Frame::text("hello");
//! assert_eq!((frame.header(), frame.payload()), (b"\x81\x05".as_slice(), b"hello".as_slice()));
//!
//! // What a client sends is masked.
//! let mut decoder = MessageDecoder::new(Limits::default());
//! let mut input: &[u8] = b"\x81\x82\x01\x02\x03\x04ik";
//! let Ok(Some(Event::Message(message))) = decoder.next(&mut input) else { panic!("a whole frame was fed") };
//! assert_eq!(message, Message::Text("hi".into()));
//! ```
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
