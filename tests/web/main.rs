//! The web layer from outside: tables for what is pure, plain sockets for what is not.
#![cfg(feature = "web")]
#![allow(
    clippy::print_stdout,
    reason = "a test says what it skips, and what an outside suite has found"
)]

mod actor;
mod autobahn;
mod client;
mod door;

mod channel_any;
mod channel_codec;
mod channel_ends;
mod channel_events;
mod channel_joins;
mod channel_long_poll;
mod channel_long_poll_ends;
mod channel_mount;
mod channel_numbered;
mod channel_origin;
mod channel_presence;
mod channel_process;
mod channel_router;
mod channel_sequence;
mod channel_topics;
mod channel_vsn;
mod channel_websocket;
mod cursor;
mod hostile;
mod http_cases;
mod http_decoder;
mod http_origin;
mod http_response;
mod http_talks;
mod http_target;
mod http_wire;
mod net_deadlines;
mod net_flow;
mod net_http;
mod net_limits;
mod net_shutdown;
mod net_websocket;
mod router;
mod server_process;
mod support;
mod websocket_frames;
mod websocket_handshake;
