//! The account of OTP's own cases: signals, links, monitors and names, the start protocol, timers, the generic
//! server, tasks, and what is asked of any process from outside. Each row is held by a test here or in
//! `tests/behaviour`, or has a reason why there is none.

use crate::support::rows::{Excused, account};

/// The cases of OTP's and Elixir's suites by their names there; `v` are cases seen on the BEAM without a test of
/// that form.
const ROWS: &str = "
    proc.t_exit_2_other_normal sig.kill2killed_other sig.kill2killed_exit2_self sig.kill2killed_exit1
    v.kill_untrappable v.link_kill_trappable v.link_normal_no_trap sig.xm_sig_order sig.monitor_order
    sig.monitor_named_order_local mon.named_down v.name_free_before_exit link.links_common link.links_trap
    link.links_notrap link.links_self v.link_twice v.link_dead_trap v.link_dead_notrap link.otp_5772_link
    link.otp_17127_local_simultaneous link.otp_17127_local_random sig.unlink_exit proc.self_exit
    proc.normal_suicide_exit proc.abnormal_suicide_exit proc.exit_twice proc.t_exit_1 exproc.exit_self_normal
    mon.mon_1_normal mon.mon_1_dead mon.mon_1_named mon.demon_2_before mon.demon_2_twice mon.demon_1
    mon.demon_e_1_foreign mon.demonitor_flush mon.local_remove_monitor link.process_monitors_self v.monitor_twice
    mon.case_1 mon.mixer mon.list_cleanup mon.large_exit mon.unexpected_alias_at_demonitor
    mon.down_on_alias_gh5310 exproc.alias_unalias exproc.monitor_alias_explicit proc.monitor_tag proc.bad_register
    v.send_dead v.send_unknown_name proc.processes_term_proc_list proc.process_info_dead
    exproc.info_registered_name exproc.dictionary exproc.label

    plib.init_dont_hang plib.sync_start_nolink plib.sync_start_link plib.sync_start_monitor plib.sync_start_timeout
    plib.sync_start_link_timeout plib.sync_start_monitor_link_timeout plib.crash_clean plib.crash_report
    plib.stacktrace plib.stop plib.stop_noproc plib.stop_timeout plib.t_format_depth

    exproc.cancel timer.send_after7 v.timer_owner_dies v.timer_dead_target timer.apply_interval
    timer.send_interval timer.exit_after timer.kill_after timer.invalid_args

    gs.start_anonymous gs.start_timeout gs.start_ignore gs.start_stop gs.start_link_exit gs.start_monitor
    gs.start_local gs.start_global gs.start_via gs.otp_7669_ignore gs.otp_7669_stop v.init_stop_kills_starter
    v.init_stop_trapping v.init_timeout_no_stray v.init_throw_is_return v.init_bad_return gs.undef_init
    gs.call_reply gs.call_delayed gs.call_timeout v.late_reply_dropped v.reply_twice gs.call_bad_return
    gs.crash_in_call gs.crash_clean_reasons gs.calling_self exgs.calling_self_names exgs.call_exit_messages
    v.stop_reply_order v.stop_noreply v.throw_reply gs.cast exgs.cast_missing gs.cast_fast gs.info
    gs.undef_handle_call gs.undef_handle_cast gs.undef_handle_continue gs.undef_handle_info
    gs.undef_in_handle_info gs.undef_terminate1 gs.undef_terminate2 gs.undef_in_terminate gs.continue_init
    gs.continue_reply gs.continue_noreply gs.continue_cast gs.continue_info gs.continue_continue
    v.continue_before_queue gs.call_within v.timeout_zero_queue v.parent_exit_trapping v.parent_exit_not_trapping
    v.stranger_exit_trapping gs.spec_init_local_registered_parent gs.stop1 gs.stop2 gs.stop3 gs.stop4 gs.stop5
    gs.stop6 gs.stop7 gs.stop8 gs.stop9 gs.stop10 v.stop_timeout exgs.stop_self gs.send_request_timeout
    gs.send_request_errors gs.reqid_receive_collection gs.reqid_receive_timeout gs.reqid_wait_timeout
    gs.reqid_error gs.reqid_check gs.multicall gs.multicall_down gs.abcast gs.call_remote_n1 gs.call_remote_n2
    gs.call_remote_n3 gs.call_with_huge_message_queue gs.replace_state_fail gs.call_format_status
    gs.error_format_status gs.terminate_crash_format gs.format_all_status gs.otp_5854 gs.spec_init exgs.whereis
    exgs.start_name_errors exgs.nil_name

    sys.suspend sys.stats sys.trace sys.log sys.log_to_file sys.install sys.special_process
    task.async v.await_timeout_task_lives v.await_twice v.crash_kills_caller v.caller_normal_exit
    task.await_noconnection task.non_owner task.await_many_order task.await_many_fail_fast
    task.await_many_other_messages task.await_many_timeout task.await_many_empty task.yield_reply_and_down
    task.yield_timeout task.yield_exit task.yield_many_mixed task.yield_many_limit task.yield_many_kill
    task.yield_many_ignore task.shutdown_reply_wins task.shutdown_running task.shutdown_exit
    task.shutdown_shutdown_down task.shutdown_brutal task.shutdown_timeout_kill task.shutdown_brutal_table
    task.shutdown_noproc task.ignore_on_time task.ignore_late task.ignore_failures task.completed task.callers
    task.start_vs_start_link task.stream_ordered task.stream_unordered task.stream_timeout_exit
    task.stream_kill_task task.stream_exits_trap v.stream_crash_notrap task.stream_halt_early
    task.stream_inner_outer_halt task.stream_zip task.stream_zip_input task.stream_bad_options
    task.stream_fake_down task.stream_other_process

    tsup.async tsup.async_nolink tsup.max_children tsup.start_child_restart tsup.terminate_child
    tsup.stream_nolink_exits tsup.callers_ancestors
";

const NO_OTHER_RETURN: &str =
    "a callback returns Init or Next; nothing else compiles, and nothing is thrown";
const NO_MISSING_CALLBACK: &str =
    "a server without that callback does not compile, or has the trait's own";
const NO_NODES: &str = "there is one node";

pub(crate) const EXCUSED: &[Excused] = &[
    (
        "timer.invalid_args",
        "a Duration is never negative, and a destination takes its own messages only",
    ),
    ("gs.start_global", NO_NODES),
    ("v.init_throw_is_return", NO_OTHER_RETURN),
    ("v.init_bad_return", NO_OTHER_RETURN),
    ("gs.undef_init", NO_MISSING_CALLBACK),
    (
        "v.reply_twice",
        "ReplyTo::send takes the ReplyTo: a second answer does not compile",
    ),
    ("gs.call_bad_return", NO_OTHER_RETURN),
    ("v.throw_reply", NO_OTHER_RETURN),
    ("gs.cast_fast", NO_NODES),
    ("gs.undef_handle_call", NO_MISSING_CALLBACK),
    ("gs.undef_handle_cast", NO_MISSING_CALLBACK),
    ("gs.undef_handle_continue", NO_MISSING_CALLBACK),
    ("gs.stop6", NO_NODES),
    ("gs.stop8", NO_NODES),
    ("gs.stop9", NO_NODES),
    ("gs.stop10", NO_NODES),
    ("task.await_noconnection", NO_NODES),
    ("gs.multicall", NO_NODES),
    ("gs.multicall_down", NO_NODES),
    ("gs.abcast", NO_NODES),
    ("gs.call_remote_n1", NO_NODES),
    ("gs.call_remote_n2", NO_NODES),
    ("gs.call_remote_n3", NO_NODES),
];

#[test]
fn every_row_is_held_or_excused() {
    let rows: Vec<&str> = ROWS.split_whitespace().collect();
    account(&["process", "behaviour", "service"], &rows, EXCUSED);
}
