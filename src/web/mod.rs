//! HTTP/1.1 and WebSocket, sans-IO, on a reactor that owns the sockets.
//!
//! Reading order: [`http`] and [`websocket`] decide (no socket, clock, thread or process in them),
//! [`net`] acts.

pub mod http;
pub mod net;
pub mod websocket;
