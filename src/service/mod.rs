//! L4, the services: what every application wants, local to one node.
//!
//! Imports the behaviours and what is below them. Reading order: `partitions`, `outbox`, `entries`, `registry`, `pg`,
//! `pub_sub`, `rate_limit`, `limiter`, `balancer`, `presence`, `application`, `logger`, `signals`.

mod partitions;

mod outbox;

mod entries;

pub mod registry;

pub mod pg;

pub mod pub_sub;

pub mod rate_limit;

pub mod limiter;

pub mod balancer;

pub mod presence;

pub mod application;

pub mod logger;

#[cfg(feature = "signals")]
pub mod signals;
