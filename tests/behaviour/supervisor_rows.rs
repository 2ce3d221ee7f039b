//! The account of OTP's and Elixir's own cases of supervisors: with fixed children, with children that come and go,
//! and with partitions. Each row is held by a test here, or has a reason why there is none.

use crate::support::rows::{Excused, account};

/// The cases of the suites by their names there; `v` are cases seen on the BEAM without a test of that form.
const ROWS: &str = "
    sup.permanent_normal sup.permanent_shutdown sup.permanent_abnormal sup.transient_normal sup.transient_shutdown
    sup.transient_abnormal sup.temporary_normal sup.temporary_shutdown sup.temporary_abnormal sup.one_for_one
    sup.one_for_all sup.rest_for_one sup.multiple_restarts v.window_boundary v.intensity_zero
    v.simultaneous_deaths_ofa v.simultaneous_deaths_ofo v.group_restart_counts_once v.failed_retry_counts
    sup.one_for_one_escalation sup.one_for_all_escalation sup.rest_for_one_escalation
    sup.one_for_all_other_child_fails_restart sup.rest_for_one_other_child_fails_restart sup.hanging_restart_loop
    sup.hanging_restart_loop_rest_for_one sup.sup_start_normal sup.sup_start_ignore_init
    sup.sup_start_ignore_child sup.sup_start_ignore_temporary_child sup.sup_start_error_return sup.sup_start_fail
    sup.sup_start_child_returns_error v.start_fail_order sup.sup_start_map sup.child_specs sup.child_specs_map
    sup.child_specs_significant sup.sup_flags sup.child_adm sup.child_adm_simple sup.extra_return
    sup.sup_stop_infinity sup.sup_stop_timeout sup.sup_stop_brutal_kill sup.sup_stop_timeout_dynamic
    sup.sup_stop_brutal_kill_dynamic sup.sup_stop_non_shutdown_exit_dynamic sup.child_unlink sup.tree
    sup.count_restarting_children sup.do_not_save_start_parameters_for_temporary_children
    sup.do_not_save_child_specs_for_temporary_children sup.simple_one_for_one_scale
    sup.scale_start_stop_many_children sup.simple_global_supervisor sup.nonsignificant_temporary
    sup.nonsignificant_transient sup.significant_temporary sup.significant_transient v.all_significant_last
    sup.significant_simple sup.significant_bystander sup.significant_escalation v.stranger_exit
    v.exit_shutdown_from_stranger v.parent_exit_normal v.api_blocks_during_start sup.format_log_1 sup.format_log_2

    exsup.start_child_invalid exsup.child_life_cycle exsup.name_forms exsup.init_defaults

    dyn.temporary dyn.transient dyn.permanent dyn.restart_values dyn.try_again dyn.max_restarts
    dyn.max_restarts_retry dyn.max_children dyn.max_children_restarting_init dyn.max_children_restarting_exit
    dyn.throw_error_exit dyn.invalid_spec dyn.extra_arguments dyn.restart_extra dyn.terminate_child_brutal
    dyn.terminate_child_integer dyn.terminate_restarting dyn.stop_brutal dyn.stop_infinity dyn.stop_integer
    dyn.stop_abnormal dyn.stop_expired dyn.stop_mixed dyn.init_errors dyn.which_children_order
    dyn.supervised_by_name

    part.start part.with_arguments part.via_name part.resize part.resize_zero part.resize_over part.bad_options
    part.unknown part.which_children
";

const A_VALUE: &str =
    "a supervisor is a value: there is no init of its own that could return anything";
const TYPED: &str = "each option has a type of which every value is accepted: no other compiles";

const EXCUSED: &[Excused] = &[
    ("sup.sup_start_ignore_init", A_VALUE),
    ("sup.sup_start_error_return", A_VALUE),
    ("sup.sup_flags", TYPED),
    (
        "sup.extra_return",
        "a start gives the process and nothing beside it: a start function of another shape does not compile",
    ),
    (
        "exsup.start_child_invalid",
        "a child without an id, a start or a rule for its end does not compile",
    ),
    (
        "dyn.extra_arguments",
        "a child brings its arguments with its closure: there is no list of arguments to put others in front of",
    ),
    ("dyn.init_errors", TYPED),
];

#[test]
fn every_row_is_held_or_excused() {
    let rows: Vec<&str> = ROWS.split_whitespace().collect();
    account(&["behaviour"], &rows, EXCUSED);
}
