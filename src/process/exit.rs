//! Exit signals: to others, to oneself, and the one that nobody survives.

use crate::pid::Pid;
use crate::process::core::{Process, Signal, flag};
use crate::process::error::NotAProcess;
use crate::process::relations::Origin;
use crate::process::signal::Exit;
use crate::process::unwind::{self, By};
use crate::process::{current, death, runtime};
use crate::reason::ExitReason;
use crate::sync::Arc;

/// Sends an exit signal.
///
/// `Kill` ends the process whatever it does, and it is reported as `Killed`. `Normal` does nothing to a process
/// that does not trap exits, unless it is sent to oneself. Any other reason ends a process that does not trap
/// exits; one that does receives an [`Exit`]. To a process that is not there it does nothing.
pub fn exit(to: impl Into<Pid>, reason: ExitReason) {
    let to = to.into();
    let Some(receiver) = runtime::current().process(to) else {
        return;
    };
    if reason == ExitReason::Kill {
        kill(&receiver);
    } else {
        send(&receiver, current::pid(), reason);
    }
    current::checkpoint();
}

/// Ends the process that runs on this thread with `reason`, by unwinding: Erlang's `exit/1`. Does not return,
/// except in a destructor while the process leaves already; then the exit stays pending.
///
/// # Errors
/// `NotAProcess` on a plain thread, which goes on.
pub fn exit_self(reason: ExitReason) -> Result<(), NotAProcess> {
    raise(&current::required()?, reason);
    Ok(())
}

/// Turns exit signals to the process that runs on this thread into messages, or stops doing so; what it was.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn trap_exit(trap: bool) -> Result<bool, NotAProcess> {
    Ok(self::trap(&current::required()?, trap))
}

pub(crate) fn trap(me: &Arc<dyn Process>, trap: bool) -> bool {
    let core = me.core();
    // A signal that was deadly when it came stays so, and one that was a message when it came stays one.
    current::checkpoint();
    let had = if trap {
        core.set(flag::TRAP_EXIT)
    } else {
        // Under the lock, so that an exit signal comes either before this, and is a message, or after it.
        let mut relations = core.relations.lock();
        let had = core.clear(flag::TRAP_EXIT);
        if had & flag::TRAP_EXIT != 0 {
            relations.trap_queued();
        }
        had
    };
    had & flag::TRAP_EXIT != 0
}

/// Has a process tell its parent, which calls this before it tells it to end, when it has ended and everybody else knows:
/// by a [`Signal::Stopped`], which takes the place of the signal of their link. `false` if everybody knows already.
pub(crate) fn is_to_tell_parent(process: &Arc<dyn Process>) -> bool {
    process.core().set(flag::STOPPING) & flag::TOLD == 0
}

/// Puts an exit signal into the mailbox of a process.
pub(crate) fn send(receiver: &Arc<dyn Process>, from: Pid, reason: ExitReason) {
    queue(receiver, Exit { from, reason }, Origin::Sent);
}

/// Sends a process the exit signal of another's end, as a link between the two would.
pub(crate) fn pass_on(receiver: &Arc<dyn Process>, from: Pid, reason: ExitReason) {
    queue(receiver, Exit { from, reason }, Origin::Link);
}

fn queue(receiver: &Arc<dyn Process>, exit: Exit, origin: Origin) {
    let core = receiver.core();
    let mut relations = core.relations.lock();
    if relations.ended().is_some() {
        return;
    }
    let ignored = exit.reason == ExitReason::Normal && exit.from != core.pid;
    if ignored && origin == Origin::Sent && !core.traps_exit() {
        return;
    }
    let mark = relations.queue_exit(exit, origin);
    core.set(flag::EXIT_QUEUED);
    receiver.push_signal(Signal::Exit(mark));
    drop(relations);
    core.interrupt();
    receiver.clone().wake();
}

/// Raises an exit in the running process.
pub(crate) fn raise(me: &Arc<dyn Process>, reason: ExitReason) {
    let core = me.core();
    let exit = Exit {
        from: core.pid,
        reason: reason.clone(),
    };
    // Pending until the kernel catches the unwind: if user code does, or if the thread unwinds already, the
    // process meets it at its next library call.
    let _mark = core.relations.lock().queue_exit(exit, Origin::Raised);
    core.set(flag::EXIT_QUEUED);
    if !current::leaving() {
        unwind::leave(reason, By::Itself);
    }
}

/// Kills a process: what waits in the library unwinds at once, running code has a grace, and then its identity
/// is cut.
pub(crate) fn kill(process: &Arc<dyn Process>) {
    let core = process.core();
    if core.set(flag::KILLED) & (flag::KILLED | flag::GONE) != 0 {
        return;
    }
    core.interrupt();
    let shared = core.runtime.clone();
    if let Some(at) = shared.clock.now().checked_add(shared.settings.kill_grace) {
        let target = Arc::downgrade(process);
        let fire = move || {
            if let Some(target) = target.upgrade() {
                death::cut(&target);
            }
        };
        shared.scheduler().timers().insert(at, Box::new(fire));
    }
    process.clone().wake();
}
