//! Phoenix Channels, version 2.0.0 of the wire: many topics over one WebSocket, spoken with the official
//! `phoenix` client.
//!
//! An application writes a [`Channel`] for each kind of topic and says in a [`UserSocket`] which serves which. For
//! each client there is then one process per connection and one per joined topic:
//!
//! ```text
//! transport ──text──► connection ──event──► channel ──► the application
//!     ▲                 Socket                │
//!     └──────frame────────┴◄──reply, push─────┘
//!                         ▲──────broadcast──────── topic   (the fast lane: past the channel, encoded once)
//! ```
//!
//! Read in this order. What decides is pure: [`message`] (the values), [`codec`] (values to bytes and back),
//! [`router`] (topic to channel), [`socket`] (what one connection owes its client), [`presence`]. What acts: `link`
//! (what the processes say to one another), `callback` (the trait, and the process of one topic of one client),
//! `transport` (the seam), `connection`, `user_socket`, [`request`] and `websocket` (the real thing).

pub mod message;

pub mod codec;

mod scan;

pub mod router;

pub mod socket;

pub mod presence;

mod link;

mod callback;

mod transport;

mod connection;

mod user_socket;

pub mod request;

mod websocket;

pub use callback::{Channel, ChannelCx, Join};
pub use connection::Connection;
pub use link::{Broadcast, Fill, Reply};
pub use message::{Frame, FrameKind, Message, Payload, Status, WireRef};
pub use router::Routes;
pub use socket::{Action, ChannelId, End, Socket, SocketLimits, Stop};
pub use transport::Transport;
pub use user_socket::UserSocket;
