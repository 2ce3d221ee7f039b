//! L7, the chat: rooms, users and history; with feature `chat` also its HTTP, its sockets and its page.
//!
//! A library module that uses only what the layers below make public. Reading order: `application` (the tree),
//! `users`, `rooms`, `room` (what becomes of a post), `store` (what is on the disk).

mod account;
mod application;
#[cfg(feature = "cli")]
pub mod arguments;
#[cfg(feature = "chat")]
pub mod assets;
pub mod body;
pub mod config;
#[cfg(feature = "cli")]
pub mod config_file;
pub mod config_key;
mod event;
mod hasher;
pub mod name;
pub mod password;
#[cfg(feature = "chat")]
mod program;
mod room;
mod rooms;
pub mod store;
mod text;
mod users;
#[cfg(feature = "chat")]
pub mod web;

pub use account::{Account, Token};
pub use application::Chat;
pub use event::{Committed, RoomEvent};
#[cfg(feature = "chat")]
pub use program::{Opened, Program, ProgramError};
pub use room::{NewPost, PostError, RoomMsg};
pub use rooms::{CreateRoomError, OpenRoomError, RoomsMsg};
pub use users::{SignInError, SignUpError, Unavailable, UsersMsg};
