//! The network: reactor threads that own all sockets, so that a connection costs no thread.
//!
//! A [`Listener`] is bound; a [`Reactor`] runs on a thread that is given to it. Each connection begins as HTTP: whole
//! requests go to the application's [`Service`], which answers through a [`Responder`] from any thread, at once or
//! later. A responder may answer with an upgrade; then the connection is a WebSocket, whose messages go to a [`Sink`]
//! and which is sent to through a [`Connection`]. Neither callback may block: they run on the reactor's thread.
//!
//! What a stranger can fill has a bound, each in [`Config`]: connections, heads, bodies, messages under way, frames
//! that wait. What a stranger can hold up has a deadline, which no trickle of bytes moves.
//!
//! What may wait for a slow client is bounded too, and the sender decides what happens then:
//! [`Connection::send`] gives the client up (4408), [`Connection::try_send`] gives the frame back.
//!
//! A [`Server`](crate::web::Server) runs reactors as processes; its [page](crate::web#how-it-dies) says how they die.
//!
//! Reading order: [`Config`], `service`, `handle`, `line` (what threads share), `post` (who wakes whom), `http_side`
//! and `socket_side` (PURE), `drain` (PURE), `conn`, `reactor`.

mod config;
mod conn;
mod deadlines;
mod drain;
mod event;
mod gate;
mod handle;
mod http_side;
mod line;
mod listener;
mod post;
mod reactor;
mod service;
mod socket_side;
mod table;
mod write_queue;

pub use config::{Config, InvalidConfig};
pub use event::{AcceptFailed, CallbackPanicked, ConnectionRefused, SocketDrain};
pub use gate::{Refusal, network_of};
pub use handle::{Connection, Incoming, Responder};
pub use line::SendError;
pub use listener::{BindError, Listener};
pub use reactor::{Reactor, Remote, Turn};
pub use service::{Closed, ClosedBy, Service, Sink};
pub use table::ConnectionId;
