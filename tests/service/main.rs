//! Black box tests of the service layer.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../behaviour/stage.rs"]
mod stage;

mod application;
mod balancer;
mod limiter;
mod presence;
mod pub_sub;
mod registry;

mod rate_limit;
#[cfg(all(feature = "signals", unix))]
mod signals;

mod presence_state;
