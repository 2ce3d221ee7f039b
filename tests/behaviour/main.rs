//! Black box tests of the behaviours.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod actor;
mod gen_server_calls;
mod gen_server_ends;
mod gen_server_messages;
mod gen_server_start;
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod drainer;
mod dynamic;
mod partition;
mod stress;
mod supervisor_admin;
mod supervisor_auto;
mod supervisor_backoff;
mod supervisor_end;
mod supervisor_model;
mod supervisor_parallel;
mod supervisor_regressions;
mod supervisor_restart;
mod supervisor_robust;
mod supervisor_rows;
mod supervisor_sequences;
mod supervisor_start;
mod supervisor_stop;
mod supervisor_view;
mod task;
mod task_supervisor;
