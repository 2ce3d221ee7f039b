//! Phoenix Channels, version 2.0.0 of the wire: many topics over one WebSocket, spoken with the official
//! `phoenix` client.
//!
//! Read in this order: [`message`] (the values), [`codec`] (values to bytes and back), [`router`] (topic to
//! channel), [`socket`] (what one connection owes its client).

pub mod message;

pub mod codec;

mod scan;

pub mod router;

pub mod socket;

pub mod presence;

pub use message::{Frame, FrameKind, Message, Payload, Status, WireRef};
pub use router::Routes;
pub use socket::{Action, ChannelId, End, Socket, SocketLimits, Stop};
