//! Services that every application wants, local to one node.

pub mod presence;

pub mod rate_limit;
