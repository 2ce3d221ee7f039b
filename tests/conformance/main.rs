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
//!    into `EXCUSED` of `tests/process/conformance.rs` or `tests/service/conformance.rs`.
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
mod report;
#[path = "../behaviour/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

#[path = "../process/conformance.rs"]
mod process_account;
#[path = "../service/conformance.rs"]
mod service_account;

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
#[path = "../behaviour/task.rs"]
mod task;
#[path = "../behaviour/task_supervisor.rs"]
mod task_supervisor;

#[path = "../service/application.rs"]
mod application;
#[path = "../service/application_env.rs"]
mod application_env;
#[path = "../service/registry.rs"]
mod registry;
#[path = "../service/stop_via.rs"]
mod stop_via;

/// The table; its name has it run last.
#[test]
fn zero_rows_are_forgotten() {
    report::make();
}
