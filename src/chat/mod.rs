//! See the crate documentation.

pub mod body;
pub mod name;
pub mod password;
mod text;
