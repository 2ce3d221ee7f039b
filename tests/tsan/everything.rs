//! The tests of the other binaries, as modules of this one.

/// All storms.
#[path = "../stress"]
pub(crate) mod stress {
    mod links;
    mod mailboxes;
    mod pool;
    mod processes;
    mod registries;
    mod supervisors;
    mod timers;
    mod trees;
}

#[path = "../process"]
pub(crate) mod kernel {
    mod aliases;
    mod calls;
    mod deadlocks;
    mod deterministic;
    mod dictionary;
    mod exits;
    mod kill;
    mod links;
    mod mailbox;
    mod monitors;
    mod names;
    mod order;
    mod outside;
    mod receive;
    mod regressions;
    mod robust;
    mod runtimes;
    mod start;
    mod stops;
    mod table;
    mod timers;
    mod trap_exit;
    mod unwinding;
    mod wakeups;
}

#[path = "../behaviour"]
pub(crate) mod behaviour {
    pub(crate) mod actor;
    mod agent;
    pub(crate) mod clerk;
    mod drainer;
    mod dynamic;
    mod enter_loop;
    mod gen_server_calls;
    mod gen_server_ends;
    mod gen_server_messages;
    mod gen_server_start;
    mod gen_statem_calls;
    mod gen_statem_ends;
    mod gen_statem_events;
    mod gen_statem_sys;
    mod gen_statem_timeouts;
    pub(crate) mod machine;
    mod partition;
    mod requests;
    pub(crate) mod stage;
    mod supervisor_admin;
    mod supervisor_auto;
    mod supervisor_backoff;
    mod supervisor_end;
    pub(crate) mod supervisor_model;
    mod supervisor_parallel;
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
    mod task_supervisor;
}

#[path = "../service"]
pub(crate) mod service {
    pub(crate) mod application;
    mod application_env;
    mod application_life;
    mod balancer;
    mod churn;
    mod limiter;
    mod logger;
    mod pg;
    mod presence;
    mod pub_sub;
    mod registry;
    mod registry_listeners;
    mod registry_locks;
    pub(crate) mod registry_partitions;
    mod stop_via;
}

/// A whole chat in this process, with real sockets.
#[cfg(feature = "chat")]
#[allow(
    dead_code,
    reason = "the kills use a part of what the chat's tests share"
)]
#[path = "../chat"]
pub(crate) mod chat {
    pub(crate) mod checker;
    pub(crate) mod faults;
    pub(crate) mod http_client;
    mod kills;
    pub(crate) mod server;
    pub(crate) mod socket_client;
    pub(crate) mod talker;
}
