//! The chat, seen from outside.
#![cfg(feature = "chat")]

mod arguments;
mod body;
mod config;
mod name;
mod password;
