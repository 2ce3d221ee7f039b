//! The web layer from outside: tables for what is pure, plain sockets for what is not.
#![cfg(feature = "web")]

mod http_cases;
mod http_decoder;
mod http_origin;
mod http_response;
mod http_target;
mod websocket_frames;
mod websocket_handshake;
