//! What a process knows of itself, and the operations that it alone may do.

use crate::pid::{MonitorRef, Pid, TimerRef};
use crate::process::alias::{Alias, Unalias};
use crate::process::core::Signal;
use crate::process::error::{LinkError, NotAProcess};
use crate::process::id::ProcessId;
use crate::process::name::{Name, RegisterError};
use crate::process::reference::Ref;
use crate::process::signal::Tag;
use crate::process::{current, exit, link, monitor, timer};
use crate::reason::ExitReason;
use crate::scheduler::TimerKey;
use crate::sync::Arc;
use std::any::Any;
use std::fmt;
use std::time::Duration;

/// A process seen from inside, while it runs.
///
/// Every behaviour's own context derefs to this one, so that helpers serve them all.
pub struct Context<M: Send + 'static> {
    me: Ref<M>,
    /// Made when the first idle timeout is armed.
    idle: Option<Box<Idle>>,
}

/// The idle timeout of a behaviour: whatever comes first takes it back.
#[derive(Default)]
struct Idle {
    generation: u64,
    timer: Option<TimerKey>,
    armed: bool,
}

impl<M: Send + 'static> Context<M> {
    pub(crate) fn new(me: Ref<M>) -> Self {
        Context { me, idle: None }
    }

    /// The reference to this process.
    pub fn me(&self) -> &Ref<M> {
        &self.me
    }

    /// The pid of this process.
    pub fn pid(&self) -> Pid {
        self.me.pid()
    }

    /// Who started this process; [`Pid::INIT`] if a plain thread did.
    pub fn parent(&self) -> Pid {
        self.me.mailbox().core().parent()
    }

    /// Links this process with another: when one ends, the other is sent an exit signal. Linking twice, or with
    /// oneself, changes nothing.
    ///
    /// # Errors
    /// `NoProc` if there is no such process and this one does not trap exits; if it does, it gets an
    /// [`Exit`](crate::process::Exit) with `NoProc` instead.
    pub fn link(&self, to: impl Into<Pid>) -> Result<(), LinkError> {
        link::link_to(&self.me.process(), to.into())
    }

    /// Takes a link back. After that the other's end has no effect on this process; an exit that a process
    /// which traps exits was sent before may still be received.
    pub fn unlink(&self, from: impl Into<Pid>) {
        link::unlink_from(&self.me.process(), from.into());
    }

    /// Watches a process: when it ends, this one gets one [`Down`](crate::process::Down); at once, with
    /// `NoProc`, if there is no such process. Each call makes a monitor of its own.
    pub fn monitor(&self, what: impl Into<ProcessId>) -> MonitorRef {
        monitor::monitor_by(&self.me.process(), what.into())
    }

    /// [`monitor`](Context::monitor) with a value that comes back with the [`Down`](crate::process::Down): what the
    /// monitor is about, for a process that has many.
    ///
    /// ```
    /// use perennial::process::{self, Received};
    /// process::run::<(), _>(|cx| {
    ///     let worker = process::spawn::<()>(|cx| drop(cx.receive()));
    ///     cx.monitor_with_tag(&worker, "the printer");
    ///     process::exit(&worker, perennial::ExitReason::Kill);
    ///     let Received::Down(down) = cx.receive() else { unreachable!() };
    ///     assert_eq!(down.tag.and_then(|tag| tag.get().copied()), Some("the printer"));
    /// }).unwrap();
    /// ```
    pub fn monitor_with_tag(
        &self,
        what: impl Into<ProcessId>,
        tag: impl Any + Send + Sync,
    ) -> MonitorRef {
        monitor::monitor_tagged(&self.me.process(), what.into(), Tag::new(tag))
    }

    /// Makes an address of this process that can be taken back: [`Alias`] has an example. `convert` turns what is sent
    /// to it into this process's messages.
    pub fn alias<T: Send + 'static>(
        &self,
        convert: impl Fn(T) -> M + Send + Sync + 'static,
    ) -> Alias<T> {
        Alias::new(&self.me, Unalias::Explicit, None, convert)
    }

    /// [`monitor`](Context::monitor) together with an [`alias`](Context::alias), which may go with the monitor: what
    /// an answer of the watched process comes through.
    pub fn monitor_with_alias<T: Send + 'static>(
        &self,
        what: impl Into<ProcessId>,
        unalias: Unalias,
        convert: impl Fn(T) -> M + Send + Sync + 'static,
    ) -> (MonitorRef, Alias<T>) {
        let me = self.me.process();
        let monitor = me.core().runtime.monitor_ref();
        let alias = Alias::new(&self.me, unalias, Some(monitor), convert);
        monitor::watch_as(&me, monitor, what.into(), None, Some(alias.state()));
        (monitor, alias)
    }

    /// Takes a monitor back; `true` if it was there and has not fired. A `Down` that is in the mailbox already
    /// stays there.
    pub fn demonitor(&self, monitor: MonitorRef) -> bool {
        monitor::demonitor_by(&self.me.process(), monitor)
    }

    /// Takes a monitor back together with its `Down`, if that is in the mailbox.
    pub fn demonitor_flush(&self, monitor: MonitorRef) -> bool {
        monitor::demonitor_flush_by(&self.me.process(), monitor)
    }

    /// Turns exit signals into [`Exit`](crate::process::Exit) messages, or stops doing so; what it was before.
    pub fn trap_exit(&self, trap: bool) -> bool {
        exit::trap(&self.me.process(), trap)
    }

    /// Gives this process a name.
    ///
    /// # Errors
    /// See [`RegisterError`]: the name is taken or no name, or this process has one already.
    pub fn register(&self, name: &Name<M>) -> Result<(), RegisterError> {
        let shared = &self.me.mailbox().core().runtime;
        shared
            .names
            .register(&name.as_str().into(), &self.me.process(), self.me.clone())
    }

    /// Gives this process a label, which observers and crash reports show.
    pub fn set_label(&self, label: impl Into<Arc<str>>) {
        self.me
            .mailbox()
            .core()
            .relations
            .lock()
            .set_label(label.into());
    }

    /// Sends a message to this process itself after `delay`.
    pub fn send_after(&self, delay: Duration, message: M) -> TimerRef {
        timer::send_after(delay, self.me.clone(), message)
    }

    /// The time of the runtime.
    pub fn now(&self) -> std::time::Instant {
        self.me.mailbox().core().runtime.clock.now()
    }

    /// Lets a kill or a deadly exit signal take effect here, if one has come: for long computations.
    pub fn checkpoint(&self) {
        current::checkpoint();
    }

    /// Ends this process with `reason`, by unwinding. Returns only if the thread unwinds already.
    pub fn exit(&self, reason: ExitReason) {
        exit::raise(&self.me.process(), reason);
    }

    /// Something came: an idle timeout that was armed is taken back.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        if self.idle.is_some() {
            self.disarm_idle();
        }
    }

    fn disarm_idle(&mut self) {
        if let Some(idle) = &mut self.idle
            && let Some(timer) = idle.disarm()
        {
            let shared = &self.me.mailbox().core().runtime;
            shared.scheduler().timers().cancel(timer);
        }
    }

    /// Arms the idle timeout. One of zero fires when all that waits now has been handled.
    pub(crate) fn arm(&mut self, delay: Duration) {
        self.disarm();
        let idle = self.idle.get_or_insert_default();
        let generation = idle.arm();
        if delay.is_zero() {
            self.me.mailbox().push_signal(Signal::Timeout(generation));
            return;
        }
        let shared = &self.me.mailbox().core().runtime;
        let Some(at) = shared.clock.now().checked_add(delay) else {
            return;
        };
        let process = Arc::downgrade(&self.me.process());
        let fire = move || {
            if let Some(process) = process.upgrade() {
                process.push_signal(Signal::Timeout(generation));
                process.wake();
            }
        };
        idle.timer = Some(shared.scheduler().timers().insert(at, Box::new(fire)));
    }

    /// Equals `true` if the idle timeout of this generation is still meant; it is spent then.
    pub(crate) fn times_out(&mut self, generation: u64) -> bool {
        self.idle
            .as_mut()
            .is_some_and(|idle| idle.times_out(generation))
    }
}

impl Idle {
    /// Takes the timeout back; its timer is to be cancelled.
    fn disarm(&mut self) -> Option<TimerKey> {
        if !std::mem::take(&mut self.armed) {
            return None;
        }
        self.generation += 1;
        self.timer.take()
    }

    fn arm(&mut self) -> u64 {
        self.armed = true;
        self.generation += 1;
        self.generation
    }

    fn times_out(&mut self, generation: u64) -> bool {
        if !self.armed || self.generation != generation {
            return false;
        }
        self.timer = None;
        self.armed = false;
        true
    }
}

impl<M: Send + 'static> Drop for Context<M> {
    fn drop(&mut self) {
        // An idle timeout goes with its process, or its timer would be kept for as long as it was to be.
        self.disarm();
    }
}

impl<M: Send + 'static> fmt::Debug for Context<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.pid())
    }
}

/// The pid of the process that runs on this thread; `None` on a plain thread.
pub fn self_pid() -> Option<Pid> {
    current::with(|process| process.map(|process| process.core().pid))
}

/// Lets a kill or a deadly exit signal take effect here, if one has come for the process that runs on this
/// thread: for long computations. Every library operation does the same.
pub fn checkpoint() {
    current::checkpoint();
}

/// Gives the process that runs on this thread a label.
///
/// # Errors
/// `NotAProcess` on a plain thread.
pub fn set_label(label: impl Into<Arc<str>>) -> Result<(), NotAProcess> {
    current::required()?
        .core()
        .relations
        .lock()
        .set_label(label.into());
    Ok(())
}
