//! The chat: rooms, users and history; with feature `chat` also its HTTP, its sockets and its page.
//!
//! A message that was acknowledged is on the disk, numbered in its room without gaps, and comes to everybody who
//! listens in that order, whatever is killed meanwhile. It can be embedded in a sync program without any network:
//!
//! ```
//! use perennial::chat::body::Body;
//! use perennial::chat::config::Config;
//! use perennial::chat::name::Name;
//! use perennial::chat::password::Password;
//! use perennial::chat::store::Page;
//! use perennial::chat::Chat;
//!
//! # let data = std::env::temp_dir().join(format!("perennial-doc-application-{}", std::process::id()));
//! # let config = Config { data: data.clone(), ..Config::default() };
//! let chat = Chat::open(&config)?;
//! let supervisor = chat.start()?;
//! let (ada, lobby) = (Name::new("ada")?, Name::new("lobby")?);
//! chat.sign_up(ada.clone(), Password::new("correct horse")?)?;
//! let (_token, account) = chat.sign_in(ada, Password::new("correct horse")?)?;
//! chat.create_room(lobby.clone())?;
//! let posted = chat.post(&account, &lobby, Body::new("hello")?, None)?;
//! assert_eq!(posted.seq, 1); // it is on the disk
//! let messages = chat.history(&lobby, Page::Newest, 50)?.unwrap();
//! assert_eq!(&*messages[0].body, "hello");
//! perennial::supervisor::stop(&supervisor)?;
//! # drop(chat);
//! # std::fs::remove_dir_all(&data)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it dies
//! It is a tree: what dies in it comes back, and only what dies too often ends the tree. A room that dies has lost
//! nothing that was acknowledged: its successor asks the writer how far it is. A post that was under way is answered
//! with an error, and one that is repeated with the same [`ClientId`](body::ClientId) is there once. A store whose
//! disk fails takes no posts until the disk is back, and says so.
//!
//! # Options
//! [`config`] has every key with its default; the program reads them from a file, the environment and its arguments.
//!
//! # Inside
//! L7, a library module that uses only what the layers below make public. Reading order: `application` (the tree),
//! `users` with `sessions`, `rooms`, `room` (what becomes of a post), `store` (what is on the disk).

mod account;
mod application;
#[cfg(feature = "cli")]
pub mod arguments;
#[cfg(feature = "chat")]
pub mod assets;
mod backlog;
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
mod sessions;
pub mod store;
mod text;
mod users;
#[cfg(feature = "chat")]
pub mod web;

pub use account::{Account, Token};
pub use application::{Chat, MarkReadError};
pub use event::{Committed, RoomEvent};
#[cfg(feature = "chat")]
pub use program::{Opened, Program, ProgramError};
pub use room::{NewPost, PostError, RoomMsg};
pub use rooms::{CreateRoomError, OpenRoomError, RoomsMsg};
pub use users::{SignInError, SignUpError, Unavailable, UsersMsg};
