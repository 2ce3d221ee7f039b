//! Black box tests of the service layer.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../behaviour/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod application;
mod application_env;
mod application_life;
mod balancer;
mod churn;
mod limiter;
mod logger;
mod logger_order;
mod logger_reports;
mod pg;
mod presence;
mod pub_sub;
mod registry;
mod registry_listeners;
mod registry_locks;
mod registry_model;
mod registry_partitions;
mod stop_via;

mod rate_limit;
#[cfg(all(feature = "signals", unix))]
mod signals;

mod presence_state;
