//! See the crate documentation.

pub mod store;
