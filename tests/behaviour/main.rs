//! Black box tests of the behaviours.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod actor;
mod agent;
mod clerk;
mod enter_loop;
mod gen_server_calls;
mod gen_server_ends;
mod gen_server_messages;
mod gen_server_requests;
mod gen_server_start;
mod gen_statem_calls;
mod gen_statem_ends;
mod gen_statem_events;
mod gen_statem_property;
mod gen_statem_sys;
mod gen_statem_timeouts;
mod machine;
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod drainer;
mod dynamic;
mod dynamic_owner;
mod partition;
mod requests;
mod supervisor_admin;
mod supervisor_auto;
mod supervisor_backoff;
mod supervisor_end;
mod supervisor_model;
mod supervisor_parallel;
mod supervisor_patience;
mod supervisor_regressions;
mod supervisor_restart;
mod supervisor_robust;
mod supervisor_sequences;
mod supervisor_start;
mod supervisor_stop;
mod supervisor_view;
mod sys;
mod sys_debug;
mod sys_status;
mod task;
mod task_callers;
mod task_many;
mod task_stream;
mod task_stream_ends;
mod task_stream_model;
mod task_supervisor;
