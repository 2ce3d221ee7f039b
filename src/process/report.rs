//! What the kernel tells about processes: starts, ends, servers that failed, crash reports.
//!
//! A report is bounded whatever its process held: so many names, so many characters, no messages.

use crate::pid::Pid;
use crate::process::bounded;
use crate::process::core::{Core, Kind, Process};
use crate::process::links::Links;
use crate::process::runtime::Shared;
use crate::process::shown::{Last, Shown};
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::telemetry::Event;
use log::Level;
use std::collections::{HashSet, VecDeque};
use std::fmt;

/// How many neighbours, links and ancestors a report names at most: enough to know where one is.
const NAMED_MAX: usize = 16;

/// How many characters of a reason a report shows at most.
const REASON_MAX: usize = 4_000;

/// A process was started.
#[derive(Clone, Copy, Debug)]
pub struct Spawned {
    /// The process.
    pub pid: Pid,
    /// Who started it.
    pub parent: Pid,
}

/// A process ended; everybody who had to be told is told.
#[derive(Clone, Debug)]
pub struct Exited {
    /// The process.
    pub pid: Pid,
    /// Why.
    pub reason: ExitReason,
}

/// A process ended of its own doing with a reason that is not clean.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CrashReport {
    /// The process.
    pub pid: Pid,
    /// Its name, if it had one. The name is free by now.
    pub name: Option<Arc<str>>,
    /// Its label, if it had one.
    pub label: Option<Arc<str>>,
    /// What it ran.
    pub initial: &'static str,
    /// What it ran on.
    pub kind: Kind,
    /// Why it ended.
    pub reason: ExitReason,
    /// Who started it, who started that one, and so on: 16 at most.
    pub ancestors: Vec<Pid>,
    /// Who was linked to it: 16 at most.
    pub links: Vec<Pid>,
    /// How many were linked to it.
    pub links_len: usize,
    /// Who does not trap exits and goes down with it, by links from one to the next: 16 at most.
    pub neighbours: Vec<Neighbour>,
    /// Whether it trapped exits.
    pub trap_exit: bool,
    /// How many entries its mailbox held.
    pub mailbox_len: usize,
}

/// A process that a crash takes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbour {
    /// The process.
    pub pid: Pid,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// Its label, if it has one.
    pub label: Option<Arc<str>>,
    /// What it runs.
    pub initial: &'static str,
    /// How many are linked to it.
    pub links_len: usize,
    /// How many entries wait in its mailbox.
    pub mailbox_len: usize,
}

/// A server ended by its own stop, or a crash, with a reason that is not clean. It comes before the
/// [`CrashReport`] of its process, and has what only the server knew.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerReport {
    /// The process.
    pub pid: Pid,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// Its label, if it has one.
    pub label: Option<Arc<str>>,
    /// Which behaviour it is: `server`.
    pub behaviour: &'static str,
    /// What it runs.
    pub initial: &'static str,
    /// What it shows of its state, its last message and the reason, as its `format_status` says.
    pub shown: Shown,
    /// Who waited for the answer of that message, if it was a call.
    pub client: Option<Client>,
}

/// Who had called a server that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The process; [`Pid::INIT`] for a plain thread.
    pub pid: Pid,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// Whether it is still there.
    pub alive: bool,
}

impl Event for Spawned {}
impl Event for Exited {}
impl Event for CrashReport {}
impl Event for ServerReport {}

/// Who is meant: the pid, and what people call it.
fn called(f: &mut fmt::Formatter<'_>, pid: Pid, called: [&Option<Arc<str>>; 2]) -> fmt::Result {
    write!(f, "{pid}")?;
    for called in called.into_iter().flatten() {
        write!(f, " ({called})")?;
    }
    Ok(())
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process ")?;
        called(f, self.pid, [&self.name, &self.label])?;
        write!(
            f,
            " running {} crashed: {}; ancestors {:?}, links {:?}",
            self.initial,
            reason(&self.reason),
            self.ancestors,
            self.links
        )?;
        let more = self.links_len - self.links.len();
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        write!(f, ", {} in its mailbox", self.mailbox_len)?;
        for (at, neighbour) in self.neighbours.iter().enumerate() {
            f.write_str(if at == 0 { "; takes with it " } else { ", " })?;
            called(f, neighbour.pid, [&neighbour.name, &neighbour.label])?;
            write!(f, " running {}", neighbour.initial)?;
        }
        Ok(())
    }
}

impl fmt::Display for ServerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.behaviour)?;
        called(f, self.pid, [&self.name, &self.label])?;
        write!(f, " running {} terminates", self.initial)?;
        let parts = [
            (": ", &self.shown.reason),
            ("; last message: ", &self.shown.message),
            ("; state: ", &self.shown.state),
        ];
        for (what, text) in parts {
            if let Some(text) = text {
                write!(f, "{what}{text}")?;
            }
        }
        if let Some(client) = &self.client {
            f.write_str("; client: ")?;
            called(f, client.pid, [&client.name, &None])?;
            f.write_str(if client.alive { "" } else { ", which is gone" })?;
        }
        for (at, event) in self.shown.log.iter().enumerate() {
            write!(f, "{}{event}", if at == 0 { "; log: " } else { ", " })?;
        }
        Ok(())
    }
}

/// A reason as reports show it.
pub(crate) fn reason(reason: &ExitReason) -> String {
    bounded::display(reason, REASON_MAX)
}

/// Where the kernel's reports are from.
const PLACE: (Level, &str) = (Level::Error, "perennial::process");

/// Reports a crash: as an event, and to the handlers of the log. The process has ended, and nobody has been told.
pub(crate) fn crash(
    process: &Arc<dyn Process>,
    reason: &ExitReason,
    links: &Links,
    mailbox_len: usize,
) {
    let core = process.core();
    core.runtime.report_if_asked(PLACE, core.pid, || {
        let links = links.to_vec();
        let ancestors = core.lineage.ancestors();
        let (name, label) = {
            let relations = core.relations.lock();
            (relations.last_name(), relations.label())
        };
        CrashReport {
            pid: core.pid,
            name,
            label,
            initial: (core.initial.0)(),
            kind: core.kind,
            reason: reason.clone(),
            ancestors: ancestors.iter().copied().take(NAMED_MAX).collect(),
            links: links.iter().copied().take(NAMED_MAX).collect(),
            links_len: links.len(),
            neighbours: neighbours(&core.runtime, core.pid, &links),
            trap_exit: core.traps_exit(),
            mailbox_len,
        }
    });
}

/// Reports that a server failed, if it is one whose failures are.
pub(crate) fn server(
    core: &Core,
    behaviour: Option<&'static str>,
    last: Last,
    shown: impl FnOnce() -> Shown,
) {
    let Some(behaviour) = behaviour else { return };
    core.runtime.report_if_asked(PLACE, core.pid, || {
        let (name, label) = {
            let relations = core.relations.lock();
            (relations.name(), relations.label())
        };
        ServerReport {
            pid: core.pid,
            name,
            label,
            behaviour,
            initial: (core.initial.0)(),
            shown: shown(),
            client: last.client().map(|pid| client(&core.runtime, pid)),
        }
    });
}

fn client(shared: &Shared, pid: Pid) -> Client {
    let process = shared.process(pid);
    let relations = process
        .as_ref()
        .map(|process| process.core().relations.lock());
    let alive = |relations: &crate::process::relations::Relations| relations.ended().is_none();
    Client {
        pid,
        name: relations.as_ref().and_then(|relations| relations.name()),
        alive: pid == Pid::INIT || relations.as_deref().is_some_and(alive),
    }
}

/// Those whom the end of a process reaches through links, as long as nobody on the way traps exits.
fn neighbours(shared: &Shared, from: Pid, links: &[Pid]) -> Vec<Neighbour> {
    let mut neighbours = Vec::new();
    let mut seen = HashSet::from([from]);
    let mut next: VecDeque<Pid> = links.iter().copied().take(NAMED_MAX).collect();
    while let Some(pid) = next.pop_front() {
        if neighbours.len() == NAMED_MAX {
            break;
        }
        let process = shared.process(pid).filter(|_| seen.insert(pid));
        let Some(process) = process.filter(|process| !process.core().traps_exit()) else {
            continue;
        };
        let mailbox_len = process.mailbox_len();
        let core = process.core();
        let relations = core.relations.lock();
        if relations.ended().is_some() {
            continue;
        }
        let links = relations.links();
        next.extend(links.iter().copied().take(NAMED_MAX));
        neighbours.push(Neighbour {
            pid,
            name: relations.name(),
            label: relations.label(),
            initial: (core.initial.0)(),
            links_len: links.len(),
            mailbox_len,
        });
    }
    neighbours
}
