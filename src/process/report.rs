//! What the kernel tells about processes: starts, ends, crash reports.

use crate::pid::Pid;
use crate::process::core::Process;
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::telemetry::Event;
use std::fmt;
use std::io::Write;

/// How many neighbours and ancestors a report names at most: enough to know where one is.
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
pub struct CrashReport {
    /// The process.
    pub pid: Pid,
    /// Its name, if it had one. The name is free by now.
    pub name: Option<Arc<str>>,
    /// Its label, if it had one.
    pub label: Option<Arc<str>>,
    /// What it ran.
    pub initial: &'static str,
    /// Why it ended.
    pub reason: ExitReason,
    /// Who started it, who started that one, and so on.
    pub ancestors: Vec<Pid>,
    /// Who was linked to it.
    pub links: Vec<Pid>,
    /// How many entries its mailbox held.
    pub mailbox_len: usize,
}

impl Event for Spawned {}
impl Event for Exited {}
impl Event for CrashReport {}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        for called in [&self.name, &self.label].into_iter().flatten() {
            write!(f, " ({called})")?;
        }
        let reason: String = self.reason.to_string().chars().take(REASON_MAX).collect();
        write!(f, " running {} crashed: {reason}", self.initial)?;
        write!(
            f,
            "; ancestors {:?}, links {:?}, {} in its mailbox",
            self.ancestors, self.links, self.mailbox_len
        )
    }
}

/// Reports a crash: as an event, in the log, and on stderr if the program logs nothing at all, so that no crash
/// is ever silent.
pub(crate) fn crash(
    process: &Arc<dyn Process>,
    reason: &ExitReason,
    mut links: Vec<Pid>,
    mailbox_len: usize,
) {
    let core = process.core();
    links.truncate(NAMED_MAX);
    let ancestors = core.lineage.ancestors();
    let (name, label) = {
        let relations = core.relations.lock();
        (relations.last_name(), relations.label())
    };
    let report = CrashReport {
        pid: core.pid,
        name,
        label,
        initial: core.initial,
        reason: reason.clone(),
        ancestors: ancestors.iter().copied().take(NAMED_MAX).collect(),
        links,
        mailbox_len,
    };
    log::error!(target: "perennial::process", "{report}");
    if log::max_level() == log::LevelFilter::Off {
        // One write, or the lines of two threads mix. Nobody is left to tell if stderr is gone.
        let _ = std::io::stderr().write_all(format!("{report}\n").as_bytes());
    }
    core.runtime.telemetry.emit(|| report);
}
