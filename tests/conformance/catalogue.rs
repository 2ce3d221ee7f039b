//! The list of cases: every one that OTP's and Elixir's own suites have for what this crate offers, by suite. A row is
//! `suite.case`, with the upstream name; `v` are cases seen on the BEAM without a test of that form.

/// The cases of this crate, those of other nodes among them.
pub(crate) const CASES: &str = "
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

    reg.unique reg.unique_other reg.unique_delayed v.dead_lookup reg.cleanup_on_crash
    reg.no_leak_on_already_registered reg.links v.owner_crash reg.unregister v.unregister_foreign reg.duplicate
    reg.duplicate_dispatch_serial reg.duplicate_dispatch_parallel reg.dispatch_empty reg.update_value reg.via
    reg.via_duplicate reg.listeners reg.match_guards reg.unregister_match reg.count_match reg.select
    reg.count_select reg.reserved_keys reg.meta reg.unknown reg.bad_keys_option reg.lock_same_key
    reg.lock_other_key reg.lock_raise reg.lock_holder_dies reg.lock_waiter_dies reg.count reg.partitions

    agent.named agent.supervised v.update_panics
    app.ensure_all_started app.start_dep_missing app.optional_applications app.otp_2973 app.otp_2718_abnormal
    app.otp_4227 app.otp_5363 app.otp_1586 app.start_phases app.set_env app.set_env_persistent app.set_env_errors
    app.get_env app.get_key app.config_change app.shutdown_func app.shutdown_timeout app.shutdown_deadlock
    app.permanent_dies app.temporary_dies app.group_leader_sweep app.failover app.takeover app.permissions

    statem.start1 statem.start2 statem.start3 statem.start4 statem.start5 statem.start6 statem.start7
    statem.start8 statem.start9 statem.start10 statem.start11 statem.start12 statem.stop1 statem.stop2
    statem.stop3 statem.stop4 statem.stop5 statem.stop6 statem.stop7 statem.stop8 statem.stop9 statem.stop10
    statem.abnormal1 statem.abnormal1clean statem.abnormal1dirty statem.abnormal2 statem.abnormal3
    statem.abnormal4 statem.shutdown statem.stop_and_reply statem.state_enter statem.event_order
    statem.next_events statem.state_timeout statem.timeout_cancel_and_update statem.generic_timers
    statem.event_types statem.undef_terminate1 statem.undef_terminate2 statem.undef_in_terminate
    statem.pop_too_many statem.sys1 statem.get_state statem.replace_state statem.format_status statem.reqid
    statem.enter_loop statem.reply_by_alias

    sys.suspend sys.stats sys.trace sys.log sys.log_to_file sys.install sys.special_process
    exproc.cancel timer.send_after7 v.timer_owner_dies v.timer_dead_target timer.exit_after timer.kill_after
    timer.apply_interval timer.send_interval timer.invalid_args
    log.sasl_progress log.crash_chain log.bounded_crash_report

    pg.single pg.leave_exit_race pg.two pg.initial pg.netsplit pg.trisplit pg.foursplit pg.exchange
    pg.process_owner_check pg.double pg.empty_group_by_remote_leave pg.scope_restart pg.missing_scope_join
    pg.overlay_missing pg.group_leave pg.monitor pg.monitor_scope pg.demonitor pg.thundering_herd pg.errors
    global.names global.name_die global.name_exit global.mass_death global.locks global.lock_die global.otp_1849
    global.otp_3162 global.otp_5737 global.otp_5640 global.basic_partition global.basic_name_partition
    global.advanced_partition global.stress_partition global.simple_resolve1 global.simple_resolve2
    global.simple_resolve3 global.ring global.line global.simple_ring global.simple_line global.names_hidden
    global.locks_hidden global.leftover_name global.lost_unregister global.re_register_name global.register_1
    global.both_known_1 global.lost_connection1 global.lost_connection2 global.flaw1 global.garbage_messages
    global.sync_0 global.many_nodes global.global_disconnect
    link.dist_links link.dist_process_monitors mon.demon_3 link.busy_dist_port sig.busy_dist
    sig.monitor_nodes_order link.otp_7946 dist.cookie_mismatch dist.hidden dist.set_cookie
";

/// What needs a second node: it comes with distribution. Whole suites by `suite.*`.
pub(crate) const LATER: &[&str] = &[
    "pg.two",
    "pg.initial",
    "pg.netsplit",
    "pg.trisplit",
    "pg.foursplit",
    "pg.exchange",
    "pg.empty_group_by_remote_leave",
    "pg.missing_scope_join",
    "pg.overlay_missing",
    "global.*",
    "dist.*",
    "gs.start_global",
    "gs.cast_fast",
    "gs.stop6",
    "gs.stop8",
    "gs.stop9",
    "gs.stop10",
    "gs.multicall",
    "gs.multicall_down",
    "gs.abcast",
    "gs.call_remote_n1",
    "gs.call_remote_n2",
    "gs.call_remote_n3",
    "task.await_noconnection",
    "app.failover",
    "app.takeover",
    "app.permissions",
    "statem.start7",
    "statem.start9",
    "statem.stop6",
    "statem.stop8",
    "statem.stop9",
    "statem.stop10",
    "link.dist_links",
    "link.dist_process_monitors",
    "link.busy_dist_port",
    "link.otp_7946",
    "mon.demon_3",
    "sig.busy_dist",
    "sig.monitor_nodes_order",
];

const CODE: &str = "hot code upgrade";
const HEAP: &str = "a feature of the BEAM's heaps or priorities";
const EMULATOR: &str = "the inside of the emulator";
const SYMBOLS: &str = "symbols of Erlang";
const FILES: &str = "Erlang's configuration files or C nodes";
const LEGACY: &str = "an old mode of distribution";

/// What is no case of this crate, with the reason; a name stands for all that begin like it.
pub(crate) const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("sup.code_change", CODE),
    ("sup.significant_upgrade", CODE),
    ("dyn.code_change", CODE),
    ("gs.undef_code_change", CODE),
    ("statem.code_change", CODE),
    ("agent.change_code", CODE),
    ("app.otp_1586_reload", CODE),
    ("app.otp_2012", CODE),
    ("gs.hibernate", HEAP),
    ("gs.auto_hibernate", HEAP),
    ("statem.hibernate", HEAP),
    ("statem.auto_hibernate", HEAP),
    ("plib.hibernate", HEAP),
    ("dyn.spawn_opt_priority", HEAP),
    (
        "sup.simple_one_for_one_corruption",
        "probes the heap size of a map inside",
    ),
    ("proc.reductions", EMULATOR),
    ("proc.low_prio", EMULATOR),
    ("proc.yield", EMULATOR),
    ("proc.heap_size", EMULATOR),
    ("proc.garbage", EMULATOR),
    ("proc.system_task", EMULATOR),
    ("proc.processes_tab", EMULATOR),
    ("sig.literal_area", EMULATOR),
    ("sig.move_msgs_off_heap", EMULATOR),
    ("mon.monitor_tag_storage", EMULATOR),
    ("mon.monitor_time_offset", EMULATOR),
    ("task.await_undef", SYMBOLS),
    ("sup.get_callback_module", SYMBOLS),
    ("plib.translate_initial_call", SYMBOLS),
    ("global.external_nodes", FILES),
    ("global.spawn_against_node", FILES),
    ("app.configfd", FILES),
    ("app.config_relative_paths", FILES),
    ("app.handle_many_config_files", FILES),
    ("pg.dyn_distribution", LEGACY),
    ("global.global_groups_change", LEGACY),
];

const NO_OTHER_RETURN: &str =
    "a callback returns the enum of its trait, nothing else compiles, and nothing is thrown";
const NO_MISSING_CALLBACK: &str =
    "a server without that callback does not compile, or has the trait's own";
const A_VALUE: &str =
    "a supervisor is a value: there is no init of its own that could return anything";
const TYPED: &str = "each option has a type of which every value is accepted: no other compiles";
const NO_OWNER: &str = "a registry is a value, and no process keeps it: there is none to be linked to, or to be killed";
const A_CONSTANT: &str =
    "a registry is a constant with types: it is always there, and has the keys it says";

/// What cannot be written down in Rust, with the reason.
pub(crate) const IMPOSSIBLE: &[(&str, &str)] = &[
    (
        "timer.invalid_args",
        "a Duration is never negative, and a destination takes its own messages only",
    ),
    ("v.init_throw_is_return", NO_OTHER_RETURN),
    ("v.init_bad_return", NO_OTHER_RETURN),
    ("gs.undef_init", NO_MISSING_CALLBACK),
    (
        "v.reply_twice",
        "ReplyTo::send takes the ReplyTo: a second answer does not compile",
    ),
    ("gs.call_bad_return", NO_OTHER_RETURN),
    ("v.throw_reply", NO_OTHER_RETURN),
    ("gs.undef_handle_call", NO_MISSING_CALLBACK),
    ("gs.undef_handle_cast", NO_MISSING_CALLBACK),
    ("gs.undef_handle_continue", NO_MISSING_CALLBACK),
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
    ("reg.links", NO_OWNER),
    ("v.owner_crash", NO_OWNER),
    (
        "reg.via_duplicate",
        "only a registry with unique keys has a via: another does not compile",
    ),
    ("reg.unknown", A_CONSTANT),
    ("reg.bad_keys_option", A_CONSTANT),
    (
        "app.otp_1586",
        "loading is a value handed over: nothing is read, so nothing is read again",
    ),
    (
        "app.set_env_errors",
        "a key is a constant with a type: other input does not compile",
    ),
    ("statem.abnormal2", NO_OTHER_RETURN),
    ("statem.abnormal3", NO_OTHER_RETURN),
    (
        "statem.abnormal4",
        "a timeout is a Duration, which is never negative, or an Instant",
    ),
    (
        "statem.pop_too_many",
        "a machine has the callbacks of its type, to the end: there is no stack of modules",
    ),
];

pub(crate) fn suite(row: &str) -> &str {
    row.split('.').next().unwrap_or(row)
}

/// Equals `true` if a list names the row, or its whole suite.
pub(crate) fn names(list: &[&str], row: &str) -> bool {
    list.iter().any(|named| {
        *named == row
            || named
                .strip_suffix(".*")
                .is_some_and(|whole| whole == suite(row))
    })
}
