//! L4, the services: what every application wants, local to one node.
//!
//! Imports the behaviours and what is below them. Reading order: `entries`, `registry`, `pub_sub`, `rate_limit`,
//! `limiter`, `balancer`, `presence`, `application`, `logger`, `signals`.

mod entries;

pub mod registry;

pub mod pub_sub;

pub mod rate_limit;

pub mod limiter;

pub mod balancer;

pub mod presence;

pub mod application;

pub mod logger;

#[cfg(feature = "signals")]
pub mod signals;
