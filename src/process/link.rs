//! Links: two processes that do not want to live without each other.

use crate::pid::Pid;
use crate::process::core::{Core, Process, Signal, flag};
use crate::process::current;
use crate::process::error::{LinkError, NotAProcess};
use crate::process::relations::{Origin, Relations};
use crate::process::signal::Exit;
use crate::reason::ExitReason;
use crate::sync::{Arc, RankedGuard};

/// Links the process that runs on this thread with another; see
/// [`Context::link`](crate::process::Context::link).
///
/// # Errors
/// `NotAProcess` on a plain thread; `NoProc` as there.
pub fn link(to: impl Into<Pid>) -> Result<(), LinkError> {
    let me = current::required().map_err(|NotAProcess| LinkError::NotAProcess)?;
    link_to(&me, to.into())
}

/// Takes a link of the process that runs on this thread back; see
/// [`Context::unlink`](crate::process::Context::unlink).
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn unlink(from: impl Into<Pid>) -> Result<(), NotAProcess> {
    unlink_from(&current::required()?, from.into());
    Ok(())
}

/// Takes a link back together with the exit that it may have left in the mailbox.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn unlink_flush(from: impl Into<Pid>) -> Result<(), NotAProcess> {
    unlink_flush_from(&current::required()?, from.into());
    Ok(())
}

pub(crate) fn link_to(me: &Arc<dyn Process>, to: Pid) -> Result<(), LinkError> {
    current::checkpoint();
    let core = me.core();
    if to == core.pid {
        return Ok(());
    }
    if let Some(other) = core.runtime.process(to)
        && join(core, other.core()) != Joined::OtherEnded
    {
        return Ok(());
    }
    if !core.traps_exit() {
        return Err(LinkError::NoProc);
    }
    let mut relations = core.relations.lock();
    let mark = relations.queue_exit(
        Exit {
            from: to,
            reason: ExitReason::NoProc,
        },
        Origin::Link,
    );
    core.set(flag::EXIT_QUEUED);
    me.push_signal(Signal::Exit(mark));
    drop(relations);
    me.clone().wake();
    Ok(())
}

/// What came of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    Linked,
    /// The process that was to be linked has ended, and the other has not.
    ThisEnded,
    OtherEnded,
}

/// Links two processes, unless one of them has ended.
pub(crate) fn join(this: &Core, other: &Core) -> Joined {
    let (mut mine, mut theirs) = both(this, other);
    if theirs.ended().is_some() {
        return Joined::OtherEnded;
    }
    if mine.ended().is_some() {
        return Joined::ThisEnded;
    }
    mine.link(other.pid);
    theirs.link(this.pid);
    Joined::Linked
}

pub(crate) fn unlink_from(me: &Arc<dyn Process>, from: Pid) {
    part(me, from);
    if !me.core().traps_exit() {
        // A signal that was sent and not met has no effect any more.
        let flushed = me.core().relations.lock().flush_exits(from);
        drop(flushed);
    }
    current::checkpoint();
}

pub(crate) fn unlink_flush_from(me: &Arc<dyn Process>, from: Pid) {
    part(me, from);
    let flushed = me.core().relations.lock().flush_exits(from);
    drop(flushed);
}

/// Takes a link away on both sides.
pub(crate) fn part(me: &Arc<dyn Process>, from: Pid) {
    let core = me.core();
    if from == core.pid {
        return;
    }
    match core.runtime.process(from) {
        Some(other) => {
            let (mut mine, mut theirs) = both(core, other.core());
            mine.unlink(from);
            theirs.unlink(core.pid);
        }
        None => drop(core.relations.lock().unlink(from)),
    }
}

/// Locks the relations of two different processes in the order of their pids; the first guard is the first's.
fn both<'a>(
    mine: &'a Core,
    theirs: &'a Core,
) -> (RankedGuard<'a, Relations>, RankedGuard<'a, Relations>) {
    assert_ne!(mine.pid, theirs.pid, "a process is not linked to itself");
    // Both are of this node.
    let order = |pid: Pid| (u64::from(pid.id()) << 32) | u64::from(pid.serial());
    let lock = |core: &'a Core| core.relations.lock_in_order(order(core.pid));
    if mine.pid < theirs.pid {
        let mine = lock(mine);
        (mine, lock(theirs))
    } else {
        let theirs = lock(theirs);
        (lock(mine), theirs)
    }
}
