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
//! ```
//! use perennial::gen_server::Next;
//! use perennial::web::channel::{
//!     Channel, ChannelCx, Frame, Join, Payload, Reply, Transport, UserSocket,
//! };
//! use std::sync::mpsc;
//!
//! struct Lobby;
//! impl Channel for Lobby {
//!     type Assigns = ();
//!     type Args = &'static str;
//!     type Msg = ();
//!     fn join(greeting: &'static str, _: Payload, _: &mut ChannelCx<'_, Self>) -> Join<Self> {
//!         Join::Ok(Lobby, serde_json::json!({ "say": greeting }).into())
//!     }
//!     fn handle_in(&mut self, _: &str, _: Payload, _: Reply, _: &mut ChannelCx<'_, Self>) -> Next<()> {
//!         Next::Loop
//!     }
//! }
//!
//! struct Wire(mpsc::Sender<Frame>);
//! impl Transport for Wire {
//!     fn send(&mut self, frame: &Frame) { let _ = self.0.send(frame.clone()); }
//!     fn is_lagging(&mut self) -> bool { false }
//!     fn close(&mut self, _: u16, _: &str) {}
//! }
//!
//! let sockets = UserSocket::new().channel::<Lobby>("lobby", "hello");
//! let (wire, written) = mpsc::channel();
//! let connection = sockets.connect((), Wire(wire))?;
//! connection.text(r#"["1","1","lobby","phx_join",{}]"#.into());
//! let frame = written.recv()?;
//! assert_eq!(frame.bytes(), br#"["1","1","lobby","phx_reply",{"response":{"say":"hello"},"status":"ok"}]"#);
//! connection.closed();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it dies
//! A channel dies on `leave`, on a second join of its topic, and when its connection is gone, with
//! [`ShutdownWith`](crate::ExitReason::ShutdownWith) a [`Stop`], after `terminate`; with the reason it stops itself
//! with, after `terminate`; with `Panic` when a callback panics, and then its client is told `phx_error` and joins
//! again. No other channel of the connection and no other connection notices. A connection dies with its transport,
//! and takes its channels along.
//!
//! # Options
//! [`SocketLimits`] bounds how much one client may have under way, [`codec`] how large a message may be. What a
//! broadcast that must not be missed needs, numbers and a store to ask, is a [`cursor`](crate::web::cursor)'s.
//!
//! # Inside
//! Read in this order. What decides is pure: [`message`] (the values), [`codec`] (values to bytes and back),
//! [`router`] (topic to channel), [`socket`] (what one connection owes its client), [`presence`]. What acts: `link`
//! (what the processes say to one another), `callback` (the trait, and the process of one topic of one client),
//! `transport` (the seam), `connection`, `user_socket`, [`request`] and `websocket` (the real thing).

pub mod message;

pub mod codec;

pub mod request;

mod scan;

mod vsn;

mod check_origin;

pub mod router;

pub mod socket;

pub mod presence;

pub mod event;

mod link;

pub mod endpoint;

mod callback;

mod transport;

mod connection;

mod user_socket;

mod websocket;

mod long_poll;

mod mount;

pub use callback::{Channel, ChannelCx, Join};
pub use check_origin::{CheckOrigin, OriginUri};
pub use connection::Connection;
pub use link::{Broadcast, Fill, Reply};
pub use long_poll::LongPoll;
pub use message::{Frame, FrameKind, Message, Payload, Status, WireRef};
pub use mount::Connecting;
pub use request::TransportKind;
pub use router::Routes;
pub use socket::{Action, ChannelId, End, Socket, SocketLimits, Stop};
pub use transport::Transport;
pub use user_socket::UserSocket;
pub use vsn::Vsn;
