//! See the crate documentation.

#[cfg(feature = "cli")]
pub mod arguments;
#[cfg(feature = "web")]
pub mod assets;
pub mod body;
pub mod config;
#[cfg(feature = "cli")]
pub mod config_file;
pub mod config_key;
pub mod name;
pub mod password;
mod text;
