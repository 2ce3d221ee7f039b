//! Black box tests of the behaviours.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod gen_server_calls;
mod gen_server_ends;
mod gen_server_messages;
mod gen_server_start;
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod supervisor_smoke;
mod task;
mod task_supervisor;
