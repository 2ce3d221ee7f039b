//! What registries, groups, presence, the logger and applications do otherwise than in OTP and Elixir, and why.
//!
//! # Entries go before anybody hears of the death
//!
//! An Elixir registry learns of a death as everybody else does, so for a moment after a `:DOWN` an entry may still
//! be counted. Here names, registry keys and subscriptions are given back on the way into death, before links,
//! monitors and callers are told: who hears of the end finds the key free.
//!
//! ```
//! use perennial::{ExitReason, Registry, process};
//! static WORKERS: Registry<u32, ()> = Registry::new("workers");
//! let worker = process::spawn::<()>(|cx| drop(cx.receive()));
//! WORKERS.register(7, &worker)?;
//! let mut death = process::watch(&worker);
//! process::exit(&worker, ExitReason::Kill);
//! death.wait(std::time::Duration::from_secs(5)).unwrap();
//! assert_eq!(WORKERS.count(), 0); // now and then 1 in Elixir
//! # Ok::<(), process::RegisterError>(())
//! ```
//!
//! # No process keeps a registry
//!
//! `Registry` and `Phoenix.PubSub` are trees of processes to be supervised. Here a [`Registry`](crate::Registry) and
//! a [`PubSub`](crate::PubSub) are names with types, in a `static` as a rule: there is nothing to start, and nothing
//! whose crash takes the registered along. There is no owner either, the process of a partition that
//! `Registry.register/3` returns and links the registered to. Anybody may register a process, where an Elixir process
//! registers only itself; the table has locks, and no race that would speak against it. A scope of [`pg`](crate::pg)
//! is such a table, too; what the end of its process does in OTP, [`stop`](crate::pg::Scope::stop) does here.
//!
//! # A group tells of what has happened, once
//!
//! `:pg.join` answers `:ok` for a process that has ended, and whoever monitors the group hears it come and go. A
//! process that joined twice leaves with two events when it dies; and whoever is named to `:pg.leave` stands in its
//! event, member or not. Here a process that has ended cannot join
//! ([`NoProc`](crate::pg::JoinError::NoProc)), a death is one [`Event`](crate::pg::Event) for each group, in which the
//! process is there as often as it was a member, and only who has left is in it. So a list of members that is kept by
//! the events is right at any time. A member is a [`Recipient`](crate::process::Recipient), as processes with messages
//! of different types may be in one group.
//!
//! ```
//! use perennial::pg::{Change, JoinError, Scope};
//! use perennial::{ExitReason, process};
//! static JOBS: Scope<&str, u32> = Scope::new("jobs");
//! process::run(|cx| {
//!     let worker = process::spawn::<u32>(|cx| drop(cx.receive()));
//!     let member = worker.recipient(|job: u32| job);
//!     JOBS.join_all("printers", [member.clone(), member.clone()]);
//!     let (_, members) = JOBS.monitor("printers", cx.me().recipient(|event| event)).unwrap();
//!     assert_eq!(members.len(), 2);
//!     process::exit(&worker, ExitReason::Kill);
//!     let event = cx.receive().message().unwrap();
//!     assert_eq!((event.change, event.pids()), (Change::Leave, vec![worker.pid(); 2]));
//!     assert_eq!(JOBS.join("printers", member), Err(JoinError::NoProc));
//! }).unwrap();
//! ```
//!
//! # Presence tells of a crowd in few words
//!
//! Diffs of one topic are held back for [50 ms at most](crate::presence::Config::every): a thousand who enter
//! together would be a million messages otherwise. The first diff after a quiet time is not held back.
//!
//! # Reports are handled where they are made
//!
//! A handler of OTP's logger has a process with a queue, which at one length makes those who log wait, at another drops
//! what comes, and at a third throws away what it has. Here a [handler](crate::logger::Handler) runs on the thread
//! that reports. It is protected by two limits instead: a [burst](crate::logger::Handler::burst), which is OTP's, and
//! how many [threads at once](crate::logger::Handler::concurrent) may be in it. What exceeds them is counted, and the
//! handler is told how much that was ([`EventsDropped`](crate::logger::EventsDropped)). There is no queue that could
//! be lost with the program, and a crash is in the log before whoever is linked to the process hears of it.
//!
//! The default handler gives everything to the `log` crate, which is what Rust programs set up. If nobody has, crash
//! reports go to stderr. A program that wants values and not lines [attaches](crate::process::attach) to
//! [`CrashReport`](crate::process::CrashReport), [`ServerReport`](crate::process::ServerReport) or
//! [`SupervisorEvent`](crate::supervisor::SupervisorEvent).
//!
//! # The end of a permanent application does not end the program
//!
//! It stops all applications, in order, and [`application::wait`](crate::application::wait) returns what happened;
//! `main` decides about the program, as its destructors should run. The environment has [typed
//! keys](crate::application::Env). There are
//! no included applications: a supervisor of one is a child in the tree of another without that.
