//! The web: sockets, HTTP/1.1, WebSocket, and Phoenix Channels on top of it.

pub mod channel;

pub mod cursor;
