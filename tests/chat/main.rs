//! The chat, seen from outside.
#![cfg(feature = "chat")]

mod body;
mod name;
mod password;
