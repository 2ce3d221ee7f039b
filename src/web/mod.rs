//! L5, the web: HTTP/1.1 and WebSocket on a reactor that owns the sockets, and Phoenix Channels on top of it.
//!
//! Reading order: [`http`] and [`websocket`] decide (no socket, clock, thread or process in them), [`net`] acts,
//! [`router`] says who answers what, [`Server`] makes processes of it; [`cursor`] and [`channel`] speak to browsers.

pub mod http;

pub mod websocket;

pub mod net;

pub mod router;

mod server;

pub mod cursor;

pub mod channel;

pub use router::Router;
pub use server::Server;
