//! Black box tests of the behaviours.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod actor;
mod stage;

mod dynamic;
mod stress;
mod supervisor_admin;
mod supervisor_auto;
mod supervisor_end;
mod supervisor_restart;
mod supervisor_robust;
mod supervisor_start;
mod task;
mod task_supervisor;
