//! What supervisors tell about their children.

use crate::pid::Pid;
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::telemetry::Event;
use log::Level;
use std::fmt;
use std::time::Duration;

/// Something happened to a child; printed, a sentence of bounded length.
#[derive(Clone, Debug)]
pub struct SupervisorEvent {
    /// The supervisor.
    pub supervisor: Pid,
    /// The child's id.
    pub child: Arc<str>,
    /// What happened.
    pub what: What,
}

/// What happened to a child.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// It is up.
    Started(Pid),
    /// It ended by itself.
    Exited(Pid, ExitReason),
    /// It is about to be restarted: which restart in a row this is, and what is waited before it.
    Restarting(u32, Duration),
    /// Its start failed.
    StartFailed(ExitReason),
    /// It was stopped; the reason is the one it ended with.
    Stopped(Pid, ExitReason),
    /// Restarts came too fast: the supervisor ends.
    GaveUp,
    /// It is a [`Drainer`](crate::supervisor::Drainer) that was told to end, and waits for so many pieces of work.
    Draining(usize),
    /// It is a [`Drainer`](crate::supervisor::Drainer) that has done waiting; so many pieces of work were left when
    /// its time was over.
    Drained(usize),
}

impl Event for SupervisorEvent {}

/// How many characters of a reason are shown at most.
const REASON_MAX: usize = 4_000;

/// A reason as far as it is fit to print: it may hold anything.
struct Bounded<'a>(&'a ExitReason);

impl fmt::Display for Bounded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.char_indices().nth(REASON_MAX) {
            Some((end, _)) => f.write_str(&text[..end]),
            None => f.write_str(&text),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Started(pid) => write!(f, "started as {pid}"),
            What::Exited(pid, reason) => write!(f, "{pid} ended: {}", Bounded(reason)),
            What::Restarting(attempt, delay) if delay.is_zero() => {
                write!(f, "is restarted, attempt {attempt}")
            }
            What::Restarting(attempt, delay) => {
                write!(f, "is restarted in {delay:?}, attempt {attempt}")
            }
            What::StartFailed(reason) => write!(f, "did not start: {}", Bounded(reason)),
            What::Stopped(pid, reason) => write!(f, "{pid} was stopped: {}", Bounded(reason)),
            What::GaveUp => f.write_str("was restarted too often: the supervisor gives up"),
            What::Draining(inside) => write!(f, "waits for {inside} pieces of work to end"),
            What::Drained(0) => f.write_str("has no more work to wait for"),
            What::Drained(left) => write!(f, "gave up waiting for {left} pieces of work"),
        }
    }
}

impl fmt::Display for SupervisorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: child {:?} {}",
            self.supervisor, self.child, self.what
        )
    }
}

impl What {
    /// Where it is reported, and how loud: ends at error level, the rest as information.
    pub(super) fn place(&self) -> (Level, &'static str) {
        let level = match self {
            What::Exited(_, reason) if reason.is_clean() => Level::Info,
            What::Drained(0) => Level::Info,
            What::Exited(..) | What::StartFailed(_) | What::GaveUp | What::Drained(_) => {
                Level::Error
            }
            What::Started(_) | What::Restarting(..) | What::Stopped(..) | What::Draining(_) => {
                Level::Info
            }
        };
        (level, "perennial::supervisor")
    }
}
