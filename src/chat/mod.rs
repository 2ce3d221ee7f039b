//! L7, the chat: rooms, users and history; with feature `chat` also its HTTP, its sockets and its page.
//!
//! A library module that uses only what the layers below make public.

#[cfg(feature = "cli")]
pub mod arguments;
pub mod body;
pub mod config;
#[cfg(feature = "cli")]
pub mod config_file;
pub mod config_key;
pub mod name;
pub mod password;
pub mod store;
mod text;
