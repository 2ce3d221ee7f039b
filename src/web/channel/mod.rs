//! Phoenix Channels, version 2.0.0 of the wire: many topics over one WebSocket, spoken with the official
//! `phoenix` client.
//!
//! Read in this order: [`message`] (the values), [`codec`] (values to bytes and back).

pub mod message;

pub mod codec;

mod scan;

pub use message::{Frame, FrameKind, Message, Payload, Status, WireRef};
