//! The chat's tables through the store: what is written reads back, numbered and in order.
#![cfg(feature = "chat-core")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../store/scratch.rs"]
mod scratch;

mod desk;
mod messages;
mod plans;
mod read_cursors;
mod rooms;
mod sessions;
mod users;
