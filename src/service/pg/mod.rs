//! Process groups: any number of processes under the name of a group, to be sent to one by one or all.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::{pg, process};
//!
//! #[derive(Clone)]
//! struct Job(u32);
//! static WORKERS: pg::Scope<&str, Job> = pg::Scope::new("workers");
//!
//! enum Printer { Print(u32), Stop }
//! let printer = process::spawn::<Printer>(|cx| {
//!     while let Some(Printer::Print(page)) = cx.receive().message() {
//!         println!("page {page}");
//!     }
//! });
//! let counter = process::spawn::<u32>(|cx| drop(cx.receive()));
//!
//! // They take different messages; a group takes jobs.
//! WORKERS.join("printers", printer.recipient(|job: Job| Printer::Print(job.0)))?;
//! WORKERS.join("printers", counter.recipient(|job: Job| job.0))?;
//! for member in WORKERS.get_members("printers") {
//!     member.cast(Job(1));
//! }
//!
//! WORKERS.leave("printers", &printer)?;
//! # let mut watch = process::watch(&counter);
//! # watch.wait(std::time::Duration::from_secs(5)).unwrap();
//! printer.cast(Printer::Stop);
//! assert!(WORKERS.get_members("printers").is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A *scope* is a set of groups that knows of no other; one for each purpose, and for each type of message. A member
//! is a [`Recipient`](crate::process::Recipient), so processes with messages of their own are in one group. One that
//! has joined several times is there as often, and has to leave as often. A group is there while it has members.
//!
//! Who wants to know who comes and goes [monitors](Scope::monitor) a group, or the
//! [whole scope](Scope::monitor_scope): it gets the members as they are, and from then on every change, none twice.
//! That is also what would carry a scope to another node, whose members
//! [`get_members`](Scope::get_members) would show beside the [local](Scope::get_local_members) ones.
//!
//! Each [`Runtime`](crate::Runtime) has groups of its own; a scope in a `static` is only a name with types. There is
//! no process that keeps a scope, so none can fail.
//!
//! # How members leave
//! With their process: they are gone before its links, its monitors and its callers hear of the end.

mod monitors;
mod scope;

pub use monitors::{Change, Event};
pub use scope::{JoinError, Members, NotJoined, Scope};
