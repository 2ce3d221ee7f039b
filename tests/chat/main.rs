//! The chat, seen from outside.
#![cfg(feature = "chat")]

mod arguments;
mod assets;
mod body;
mod config;
mod name;
mod page;
mod password;
