//! Conformance: every case of OTP's and Elixir's own suites, played on thread and on pooled processes, and the table
//! of what came of it. `cargo test --all-features --test conformance`
//!
//! # How a row is added
//! A row is a case under its upstream name, such as `link.links_trap`. It is held by an ordinary test in
//! `tests/process`, `tests/behaviour` or `tests/service`:
//!
//! ```text
//! /// Rows: link.links_trap
//! #[test]
//! fn linked_exit_is_a_message_where_exits_are_trapped() {
//!     all_pairs(|one, other| { … });
//! }
//! ```
//!
//! 1. Name the rows in a line of the test's documentation, as above. One test may hold several rows, and one row may
//!    be held by several tests: it passes if each of them does.
//! 2. Play the rule through a stage that knows its kinds: `both_kinds`, `all_pairs`, `both_servers`, `on_both_kinds`,
//!    `in_runtime`. They record the kind and whether the rule held (`tests/support/record.rs`); a stage of one's own
//!    calls `record::play`. Where no process takes part, or it does not matter which, `record::whichever`.
//! 3. If the test's file is new, name it here below, beside its neighbours.
//! 4. A row that is not in `catalogue.rs` yet goes there. One that cannot be written down in Rust goes, with the reason,
//!    into its list `IMPOSSIBLE`.
//!
//! The last test waits for all others, joins what was recorded with the catalogue, prints the table, and fails if a row
//! failed on a kind, was not played, or is forgotten. It needs the whole run: with a filter there is no table.
#![allow(
    dead_code,
    reason = "the binary of each layer uses all of what is shared, this one only a part"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../behaviour/actor.rs"]
mod actor;
mod catalogue;
#[path = "../behaviour/clerk.rs"]
mod clerk;
mod holders;
#[path = "../behaviour/machine.rs"]
mod machine;
mod report;
#[path = "../behaviour/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

#[path = "../process/aliases.rs"]
mod aliases;
#[path = "../process/dictionary.rs"]
mod dictionary;
#[path = "../process/exits.rs"]
mod exits;
#[path = "../process/links.rs"]
mod links;
#[path = "../process/monitors.rs"]
mod monitors;
#[path = "../process/names.rs"]
mod names;
#[path = "../process/order.rs"]
mod order;
#[path = "../process/start.rs"]
mod start;
#[path = "../process/table.rs"]
mod table;
#[path = "../process/timers.rs"]
mod timers;

#[path = "../behaviour/agent.rs"]
mod agent;
#[path = "../behaviour/dynamic.rs"]
mod dynamic;
#[path = "../behaviour/enter_loop.rs"]
mod enter_loop;
#[path = "../behaviour/gen_server_calls.rs"]
mod gen_server_calls;
#[path = "../behaviour/gen_server_ends.rs"]
mod gen_server_ends;
#[path = "../behaviour/gen_server_messages.rs"]
mod gen_server_messages;
#[path = "../behaviour/gen_server_start.rs"]
mod gen_server_start;
#[path = "../behaviour/gen_statem_calls.rs"]
mod gen_statem_calls;
#[path = "../behaviour/gen_statem_ends.rs"]
mod gen_statem_ends;
#[path = "../behaviour/gen_statem_events.rs"]
mod gen_statem_events;
#[path = "../behaviour/gen_statem_sys.rs"]
mod gen_statem_sys;
#[path = "../behaviour/gen_statem_timeouts.rs"]
mod gen_statem_timeouts;
#[path = "../behaviour/partition.rs"]
mod partition;
#[path = "../behaviour/requests.rs"]
mod requests;
#[path = "../behaviour/supervisor_admin.rs"]
mod supervisor_admin;
#[path = "../behaviour/supervisor_auto.rs"]
mod supervisor_auto;
#[path = "../behaviour/supervisor_end.rs"]
mod supervisor_end;
#[path = "../behaviour/supervisor_restart.rs"]
mod supervisor_restart;
#[path = "../behaviour/supervisor_start.rs"]
mod supervisor_start;
#[path = "../behaviour/supervisor_view.rs"]
mod supervisor_view;
#[path = "../behaviour/sys.rs"]
mod sys;
#[path = "../behaviour/sys_debug.rs"]
mod sys_debug;
#[path = "../behaviour/sys_status.rs"]
mod sys_status;
#[path = "../behaviour/task.rs"]
mod task;
#[path = "../behaviour/task_callers.rs"]
mod task_callers;
#[path = "../behaviour/task_many.rs"]
mod task_many;
#[path = "../behaviour/task_stream.rs"]
mod task_stream;
#[path = "../behaviour/task_stream_ends.rs"]
mod task_stream_ends;
#[path = "../behaviour/task_supervisor.rs"]
mod task_supervisor;

#[path = "../service/application.rs"]
mod application;
#[path = "../service/application_env.rs"]
mod application_env;
#[path = "../service/application_life.rs"]
mod application_life;
#[path = "../service/logger.rs"]
mod logger;
#[path = "../service/pg.rs"]
mod pg;
#[path = "../service/registry.rs"]
mod registry;
#[path = "../service/registry_listeners.rs"]
mod registry_listeners;
#[path = "../service/registry_locks.rs"]
mod registry_locks;
#[path = "../service/registry_partitions.rs"]
mod registry_partitions;
#[path = "../service/stop_via.rs"]
mod stop_via;

/// The table; its name has it run last.
#[test]
fn zero_rows_are_forgotten() {
    report::make();
}
