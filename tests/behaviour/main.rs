//! Black box tests of the behaviours.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod stage;

mod supervisor_smoke;
mod task;
mod task_supervisor;
