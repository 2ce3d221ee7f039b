//! The chat, seen from outside.
#![cfg(feature = "chat")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod arguments;
mod assets;
mod body;
mod checker;
mod config;
mod exit_codes;
mod faults;
mod hostile;
mod http;
mod http_client;
mod killed_program;
mod kills;
mod name;
mod page;
mod password;
mod program;
mod server;
mod socket;
mod socket_client;
#[cfg(unix)]
mod stopping;
mod talker;
