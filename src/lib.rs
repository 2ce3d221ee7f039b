//! OTP for synchronous Rust: processes, links, monitors, GenServer, state machines, supervisors, tasks, registry
//! and applications on plain OS threads, with no async runtime. What panics, is killed or gives up comes back under
//! its supervisor, and whoever was linked to it or waited for it is told why.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::process;
//! use std::time::Duration;
//!
//! /// What a till is sent. A variant that is answered ends in a `ReplyTo`.
//! enum Sale { Ring(u32), Total(ReplyTo<u32>) }
//!
//! /// A till adds up what is rung in, and breaks when that is nothing.
//! struct Till(u32);
//!
//! impl GenServer for Till {
//!     type Args = u32;
//!     type Msg = Sale;
//!
//!     fn init(float: u32, _cx: &mut Cx<Self>) -> Init<Self> {
//!         Init::Ok(Till(float))
//!     }
//!
//!     fn handle(&mut self, sale: Sale, _cx: &mut Cx<Self>) -> Next<Sale> {
//!         match sale {
//!             Sale::Ring(0) => panic!("the drawer jams"),
//!             Sale::Ring(price) => self.0 += price,
//!             Sale::Total(reply) => reply.send(self.0),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! // A name leads to whoever has it at the moment, so it survives restarts.
//! static TILL: Name<Sale> = Name::new("till");
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let till = Child::server::<Till>("till", 100).name(&TILL);
//!     let shop = Supervisor::new(Strategy::OneForOne).child(till).start()?;
//!
//!     TILL.cast(Sale::Ring(20));
//!     assert_eq!(TILL.call(Sale::Total)?, 120);
//!
//!     let mut death = process::watch(&TILL);
//!     TILL.cast(Sale::Ring(0));
//!     // One process dies, and nothing with it. Whoever watches it is told why.
//!     let down = death.wait(Duration::from_secs(5)).expect("a crash");
//!     assert!(down.reason.to_string().contains("the drawer jams"));
//!
//!     // Asked now, the supervisor answers when the restart is through: a new till, with its float.
//!     supervisor::which_children(&shop)?;
//!     assert_eq!(TILL.call(Sale::Total)?, 100);
//!     supervisor::stop(&shop)?;
//!     Ok(())
//! }
//! ```
//!
//! # The layers
//!
//! Bottom up; a module imports from those below it and never from above. A program begins with [`prelude`].
//!
//! | module | what it is |
//! |---|---|
//! | [`pid`] [`reason`] [`time`] [`telemetry`] | the vocabulary: identities, exit reasons, a clock to hand down, typed events |
//! | [`sync`] | the façade through which everything takes its locks, atomics, channels and threads |
//! | [`scheduler`] | runs turns on a fixed pool of workers; timers; for tests, one thread at a time [by a seed](scheduler::Deterministic); has never heard of processes |
//! | [`process`] | Erlang's primitives for both kinds of process: spawn, send, link, monitor, exit, names, requests, aliases |
//! | [`behaviour`] | [GenServer](gen_server), [state machines](gen_statem), [agents](agent), [supervisors](supervisor), [tasks](task) and [streams](fn@task::stream) of them; [`sys`], a look into a running process |
//! | [`service`] | [Registry](registry), [process groups](pg), [PubSub](pub_sub), [Presence](presence), [`Balancer`], [`RateLimit`], [Application](application), [logger] |
//! | `store` | SQLite: one writer with group commit, readers, migrations (feature `store`) |
//! | `web` | HTTP/1.1, WebSocket and Phoenix Channels v2 on a reactor (feature `web`) |
//! | `chat` | a team chat that loses no message it has acknowledged (feature `chat-core`) |
//!
//! # Features
//!
//! None is on by default: the layers up to `service` need crossbeam, parking_lot and log, nothing else.
//!
//! | feature | what it adds |
//! |---|---|
//! | `store` | the module of that name, with rusqlite |
//! | `web` | the module of that name, with mio, socket2, httparse, tungstenite and serde_json |
//! | `signals` | SIGINT and SIGTERM stop the applications in order, with ctrlc |
//! | `cli` | what the program needs beside it: arguments, a configuration file, a log on stderr |
//! | `chat-core` | the part of `chat` that needs no network, to be embedded |
//! | `chat` | all of the above, and the program `perennial` |
//!
//! # What it is not
//!
//! - **Not async.** There is no executor and no `await`. A process that has to wait for a disk or a password hash asks
//!   for a [thread of its own](gen_server::Spec::thread) and waits; the others share a pool and never block it.
//! - **Not a cage.** Processes share one memory, so they are as safe from one another as safe Rust is. A stack
//!   overflow or an `abort` ends the program, and a kill cannot stop code that never calls the library; it only
//!   [cuts it off](differences#a-kill-has-a-grace). A program is compiled with `panic = "unwind"`.
//! - **Not a memory.** What a process knew is gone when it dies; its successor begins with what `init` makes. What has
//!   to last is kept elsewhere: by another process, or in a `store`.
//! - **Not a cluster.** One [`Runtime`] is one node. [`pub_sub::Adapter`] is where another one could be reached.
//!
//! # How to go on
//!
//! - From Elixir or Erlang: [`coming_from_elixir`] shows the same programs in both languages and has a dictionary;
//!   [`differences`] names everything that is not as in OTP, with its reason.
//! - From Rust: read [`gen_server`], [`supervisor`] and [`process`], in this order, then [`task`], [`gen_statem`],
//!   [`registry`] and [`pub_sub`] when you need them, and [`application`] before you write `main`. Each page says what
//!   the thing is, shows it, and tells how it dies.
//! - To test what you have written: [`scheduler::Deterministic`] plays it by a seed, without waiting for any time. To
//!   see what runs: [`supervisor::tree`](fn@supervisor::tree), [`sys`] and [`telemetry`].
//! - The examples of the repository are short programs to run: `cargo run --example supervision`.
//! - To run the chat: `cargo run --release --features chat`.
#![cfg_attr(not(tsan), forbid(unsafe_code))]

#[cfg(panic = "abort")]
compile_error!(
    "perennial needs panic = \"unwind\": a process that panics ends alone, and so does one that is told to exit"
);

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

pub mod coming_from_elixir;

pub mod differences;

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
