//! L2, the process kernel: Erlang's built-in functions for two kinds of process.
//!
//! A *thread process* has an OS thread of its own, may block, and receives selectively. A *pooled process* is
//! event driven and runs on the scheduler's workers. Links, monitors, exit signals, names and supervision make
//! no difference between them.
//!
//! It imports the vocabulary (`pid`, `reason`, `time`, `telemetry`, `sync`) and the scheduler, nothing else of
//! this crate. Reading order: `signal`, `relations` (pure), `core`, `mailbox`, `reference`, `dest`, `call`,
//! `wait`, `behaviour`, `system`, `pooled`, `thread`, `start`, `death`, `report`, `logger`, `exit`, `runtime`,
//! `shutdown`.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::process::{self, Received};
//!
//! process::run::<(), _>(|cx| {
//!     let (worker, monitor) = process::spawn_monitor::<()>(|_| panic!("out of paper")).unwrap();
//!     match cx.receive() {
//!         Received::Down(down) => {
//!             assert_eq!((down.pid, down.monitor), (worker.pid(), monitor));
//!             println!("{}", down.reason);
//!         }
//!         other => unreachable!("{other:?}"),
//!     }
//! }).unwrap();
//! ```
//! Most programs are written with the [behaviours](crate::behaviour), which are made of this. Functions here act for
//! the process that runs on this thread and say [`NotAProcess`] where there is none: [`watch`](fn@watch) is the monitor
//! of a plain thread, [`run`](fn@run) makes it a process.
//!
//! # How it dies
//! A process ends when its closure returns (`Normal`), when it [exits](exit_self) or panics, and when an [exit
//! signal](fn@exit) is deadly: any reason but `Normal` to one that does not [trap exits](trap_exit), and `Kill` to
//! all. In this order: its state is dropped; its names and keys are given back; its mailbox takes nothing any more;
//! those who are linked get an exit signal with its reason, those who monitor it a [`Down`], those whose calls it
//! owes an answer [`CallError::Exited`]; what was in its mailbox is dropped; an end of its own doing whose reason is
//! not [clean](crate::ExitReason::is_clean) is reported. Whoever hears of the end finds the name free.
//!
//! # Names
//! [`register`] gives a process a name, which is resolved at each send ([`Name`]); a [`Ref`] is one incarnation. For
//! names made of keys there is the [registry](crate::registry).
//!
//! # Timers
//! [`send_after`] and [`send_interval`] send a message later; [`cancel_timer`] and [`read_timer`] go by the
//! [`TimerRef`](crate::TimerRef). A timer outlives whoever set it. None fires early, and one for a process that is
//! gone does nothing.
//!
//! # Options
//! Where processes live is a [`Runtime`], and [`Builder`] has its options: workers, bounds on threads and spare
//! workers, the kind of servers that say nothing, the clock, the grace of a kill, what is done about deadlocks. A
//! program needs none of it: the first use starts one with all defaults.

pub(crate) mod adopt;
mod alias;
pub(crate) mod asked;
pub(crate) mod behaviour;
mod bounded;
pub(crate) mod call;
mod collection;
mod context;
pub(crate) mod core;
pub(crate) mod current;
mod deadlock;
mod death;
pub(crate) mod debug;
pub(crate) mod dest;
mod dictionary;
mod error;
pub(crate) mod exit;
mod few;
mod id;
mod info;
pub(crate) mod lineage;
pub(crate) mod link;
mod links;
pub(crate) mod logger;
mod mailbox;
#[cfg(all(test, loom))]
pub(crate) mod models;
mod monitor;
pub(crate) mod name;
mod oneshot;
mod outside;
mod panic_hook;
pub(crate) mod pooled;
mod quiesce;
mod receive;
mod recipient;
mod reference;
pub(crate) mod relations;
mod report;
pub(crate) mod request;
mod run;
pub(crate) mod runtime;
pub(crate) mod shown;
mod shutdown;
mod signal;
pub(crate) mod start;
pub(crate) mod system;
mod table;
mod thread;
mod threads;
mod timer;
pub(crate) mod tray;
pub(crate) mod unwind;
pub(crate) mod wait;
pub(crate) mod watch;
mod watermark;

pub use alias::{Alias, Unalias};
pub use call::ReplyTo;
pub use collection::{NoResponse, ReqIdCollection};
pub use context::{Context, checkpoint, self_pid, set_label};
pub use core::Kind;
pub use deadlock::DeadlockFound;
pub use dest::{DeadLetter, DeadLetterCause, Dest, Target};
pub use dictionary::{Key, delete, get, keys, put};
pub use error::{CallError, LinkError, NotAProcess, StartError, TryCastError};
pub use exit::{exit, exit_self, trap_exit};
pub use id::ProcessId;
pub use info::{
    Info, Status, info, is_alive, label, processes, register, registered, unregister, whereis,
};
pub(crate) use info::{group, info_of};
pub use lineage::{ancestors, callers};
pub use link::{link, unlink, unlink_flush};
pub use mailbox::Overflow;
pub use monitor::{demonitor, demonitor_flush, monitor, monitor_with_tag};
pub use name::{Name, RegisterError, ServerName};
pub use outside::wait_outside;
pub use quiesce::{ZombieCut, ZombieEnded, wait_quiesced};
pub use receive::ThreadContext;
pub use recipient::{Gone, Recipient};
pub use reference::Ref;
pub use report::{Client, CrashReport, Exited, Neighbour, ServerReport, Spawned};
pub use request::ReqId;
pub(crate) use run::spawn_leader;
pub use run::{run, spawn, spawn_link, spawn_monitor, try_spawn};
pub use runtime::{Builder, Counts, DeadlockPolicy, Guard, Report, Runtime, attach, counts};
pub use signal::{Down, Exit, Received, Tag};
pub use timer::{cancel_timer, exit_after, kill_after, read_timer, send_after, send_interval};
pub(crate) use watch::park;
pub use watch::{Watch, sleep, watch};
pub use watermark::{MailboxWatermark, Watermark};
