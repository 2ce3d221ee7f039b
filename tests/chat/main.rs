//! The chat, seen from outside.
#![cfg(feature = "chat")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]
#![allow(
    clippy::print_stdout,
    reason = "a test says what it skips, and what a long run has come to"
)]

#[path = "../support/vfs.rs"]
#[allow(dead_code, reason = "the store's tests use what is left")]
mod vfs;

mod arguments;
mod assets;
mod body;
mod checker;
mod config;
mod damage;
mod damaged_files;
mod disk;
mod exit_codes;
mod faults;
mod history;
mod history_lies;
mod hostile;
mod http;
mod http_client;
mod killed_program;
mod kills;
mod liar;
mod name;
mod official;
mod page;
mod password;
mod program;
mod promises;
mod reminder;
mod repeated;
mod server;
mod socket;
mod socket_client;
#[cfg(unix)]
mod stopping;
mod switched_off;
mod talker;
mod witness;
