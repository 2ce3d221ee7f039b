//! OTP for synchronous Rust: processes, links, monitors, GenServer, supervisors, tasks, registry
//! and applications on plain OS threads, with no async runtime.
#![cfg_attr(not(tsan), forbid(unsafe_code))]

pub mod pid;

pub mod reason;

pub mod time;

pub mod telemetry;

pub mod sync;

pub mod scheduler;

pub mod process;

pub mod behaviour;

pub mod service;

#[cfg(feature = "store")]
pub mod store;

#[cfg(feature = "web")]
pub mod web;

#[cfg(feature = "chat-core")]
pub mod chat;

pub use behaviour::agent::{self, Agent};
pub use behaviour::gen_server::{self, Cx, GenServer, Info, Init, Next};
pub use behaviour::gen_statem::{self, GenStatem};
pub use behaviour::supervisor::{self, Child, DynamicSupervisor, Strategy, Supervisor};
pub use behaviour::supervisor::{PartitionSupervisor, Partitions};
pub use behaviour::sys;
pub use behaviour::task::{self, StreamError, StreamOptionError, Task, TaskError, TaskSupervisor};
pub use pid::{MonitorRef, Pid, RequestId, TimerRef};
pub use process::{Name, Ref, ReplyTo, ReqId, ReqIdCollection, Runtime};
pub use reason::ExitReason;
pub use service::application::{self, Application};
pub use service::balancer::{self, Balance, Balancer};
pub use service::limiter::RateLimit;
pub use service::logger;
pub use service::pg;
pub use service::presence;
pub use service::pub_sub::{self, PubSub};
pub use service::registry::{self, DuplicateRegistry, Registry, Via};
#[cfg(feature = "signals")]
pub use service::signals;

/// What a program that uses processes needs: `use perennial::prelude::*`.
pub mod prelude {
    pub use crate::behaviour::gen_server::{self, Cx, GenServer, Info, Init, Next};
    pub use crate::behaviour::gen_statem::{self, GenStatem};
    pub use crate::behaviour::supervisor::{self, Child, DynamicSupervisor, Strategy, Supervisor};
    pub use crate::process::{Dest, Name, Ref, ReplyTo};
}

/// The README's example is run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
