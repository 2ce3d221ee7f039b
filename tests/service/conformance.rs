//! The account of OTP's and Elixir's own cases: tasks and their supervisors, registries, process groups,
//! applications, agents, and what is logged. Each row is held by a test here or in `tests/behaviour`, or has a reason
//! why there is none.

use crate::support::rows::{Excused, account};

/// The cases of the suites by their names there; `v` are cases seen on the BEAM without a test of that form.
const ROWS: &str = "
    task.async v.await_timeout_task_lives v.await_twice v.crash_kills_caller v.caller_normal_exit
    task.await_noconnection task.non_owner task.yield_reply_and_down task.yield_timeout task.yield_exit
    task.shutdown_reply_wins task.shutdown_running task.shutdown_exit task.shutdown_shutdown_down
    task.shutdown_brutal task.shutdown_timeout_kill task.shutdown_brutal_table task.shutdown_noproc
    task.ignore_on_time task.ignore_late task.ignore_failures task.completed task.callers
    task.start_vs_start_link

    tsup.async tsup.async_nolink tsup.max_children tsup.start_child_restart tsup.terminate_child
    tsup.callers_ancestors

    reg.unique reg.unique_other reg.unique_delayed v.dead_lookup reg.cleanup_on_crash
    reg.no_leak_on_already_registered reg.links v.owner_crash reg.unregister v.unregister_foreign reg.duplicate
    reg.duplicate_dispatch_serial reg.duplicate_dispatch_parallel reg.dispatch_empty reg.update_value reg.via
    reg.via_duplicate reg.listeners reg.match_guards reg.unregister_match reg.count_match reg.select
    reg.count_select reg.reserved_keys reg.meta reg.unknown reg.bad_keys_option reg.lock_same_key
    reg.lock_other_key reg.lock_raise reg.lock_holder_dies reg.lock_waiter_dies reg.count reg.partitions

    pg.single pg.leave_exit_race pg.two pg.initial pg.netsplit pg.trisplit pg.foursplit pg.exchange
    pg.process_owner_check pg.double pg.empty_group_by_remote_leave pg.scope_restart pg.missing_scope_join
    pg.overlay_missing pg.group_leave pg.monitor pg.monitor_scope pg.demonitor pg.thundering_herd pg.errors

    app.ensure_all_started app.start_dep_missing app.optional_applications app.otp_2973
    app.otp_2718_abnormal app.otp_4227 app.otp_5363 app.otp_1586 app.start_phases app.set_env
    app.set_env_persistent app.set_env_errors app.get_env app.get_key app.config_change app.shutdown_func
    app.shutdown_timeout app.shutdown_deadlock app.permanent_dies app.temporary_dies app.group_leader_sweep
    app.failover app.takeover app.permissions

    agent.named agent.supervised v.update_panics

    log.sasl_progress log.crash_chain log.bounded_crash_report
";

const NO_NODES: &str = "there is one node";
const NO_OWNER: &str =
    "no process keeps a registry: entries go in the death path of their own process";
const A_CONSTANT: &str =
    "a registry is a constant with types: it is always there, and has the keys it says";

pub(crate) const EXCUSED: &[Excused] = &[
    ("task.await_noconnection", NO_NODES),
    (
        "task.yield_reply_and_down",
        "a result and the end of a task meet in one slot, of which the first is kept; neither is a message",
    ),
    (
        "task.callers",
        "there is no dictionary to carry them: a process knows its parent, and a crash report names the ancestors",
    ),
    ("reg.links", NO_OWNER),
    ("v.owner_crash", NO_OWNER),
    (
        "reg.via_duplicate",
        "only a registry with unique keys has a via: another does not compile",
    ),
    ("reg.unknown", A_CONSTANT),
    ("reg.bad_keys_option", A_CONSTANT),
    ("pg.two", NO_NODES),
    ("pg.initial", NO_NODES),
    ("pg.netsplit", NO_NODES),
    ("pg.trisplit", NO_NODES),
    ("pg.foursplit", NO_NODES),
    ("pg.exchange", NO_NODES),
    ("pg.empty_group_by_remote_leave", NO_NODES),
    ("pg.missing_scope_join", NO_NODES),
    ("pg.overlay_missing", NO_NODES),
    (
        "app.otp_1586",
        "loading is a value handed over: nothing is read, so nothing is read again",
    ),
    (
        "app.set_env_errors",
        "a key is a constant with a type: other input does not compile",
    ),
    ("app.failover", NO_NODES),
    ("app.takeover", NO_NODES),
    ("app.permissions", NO_NODES),
];

#[test]
fn every_row_is_held_or_excused() {
    let rows: Vec<&str> = ROWS.split_whitespace().collect();
    account(&["behaviour", "service"], &rows, EXCUSED);
}
