//! Chaos: two hundred people talk in twenty rooms while everything that can go wrong does, and in the end nothing is
//! lost, doubled or out of order, everybody has heard everything, and nothing is left behind.
//!
//! ```text
//! cargo test --features chat --test chaos                                # some ten seconds
//! PERENNIAL_CHAOS_SECONDS=180 cargo test --features chat --test chaos    # as the gate runs it
//! PERENNIAL_CHAOS_SEED=7 cargo test --features chat --test chaos         # the same faults again, or nearly
//! ```
//!
//! What goes wrong: the program is killed with -9 and started again on what it left; it is stopped and goes on; inside
//! of it processes are killed, supervisors, the writer and the registry's rooms among them, and handlers panic; lines
//! are reset at some byte, left half open, not read; others send what is no frame. The seed decides what and when; when
//! that meets which message, the machine does.
#![cfg(all(feature = "chat", unix))]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]
#![allow(clippy::print_stdout, reason = "a long run says what it has come to")]
#![allow(
    dead_code,
    reason = "what the chat's tests share is included whole, and used in part"
)]

#[path = "../chat/history/mod.rs"]
mod history;
#[path = "../chat/http_client.rs"]
mod http_client;
#[path = "../chat/program.rs"]
mod program;
#[path = "../chat/server.rs"]
mod server;
#[path = "../chat/socket_client.rs"]
mod socket_client;
#[path = "../chat/witness/mod.rs"]
mod witness;

mod dice;
mod inside;
mod life;
mod nemesis;
mod storm;
mod town;
mod vandal;
