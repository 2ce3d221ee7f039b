//! A child in its supervisor: its rules, how it is, and what is armed for it.

use crate::behaviour::supervisor::api::ChildState;
use crate::behaviour::supervisor::board::{Board, ChildSnapshot, ChildStatus};
use crate::behaviour::supervisor::child::{Begun, Child};
use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::job::Key;
use crate::behaviour::supervisor::patience::Patience;
use crate::behaviour::supervisor::restart::{Intensity, Restart, Shutdown};
use crate::pid::{Pid, TimerRef};
use crate::process::core::{Process, Signal};
use crate::process::{Context, Ref, StartError, exit, runtime, unwind};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What a supervisor's own machinery sends to it.
pub(super) enum Event {
    /// The time is over that some children had to end.
    Overdue,
    /// A child's restart is due, after a failed one or a wait.
    Due(Key, u32),
    /// Nothing of the predecessor of an exclusive child runs any more.
    Quiesced(Key),
}

/// How a child is, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Undefined,
    /// It ended by itself, which has not been looked at; whether it is to be restarted.
    Dead {
        due: bool,
    },
    Starting(Pid),
    Running(Pid),
    Stopping(Pid),
    Restarting(Option<TimerRef>),
}

impl Status {
    pub(super) fn pid(&self) -> Option<Pid> {
        match self {
            Status::Starting(pid) | Status::Running(pid) | Status::Stopping(pid) => Some(*pid),
            Status::Undefined | Status::Dead { .. } | Status::Restarting(_) => None,
        }
    }

    /// How others see it: a child that died and has not been looked at may be about to be restarted.
    fn shown(&self) -> ChildStatus {
        match *self {
            Status::Starting(pid) => ChildStatus::Starting(pid),
            Status::Running(pid) => ChildStatus::Running(pid),
            Status::Stopping(pid) => ChildStatus::Stopping(pid),
            Status::Restarting(_) | Status::Dead { due: true } => ChildStatus::Restarting,
            Status::Undefined | Status::Dead { due: false } => ChildStatus::Undefined,
        }
    }
}

/// A child in its supervisor.
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) child: Child,
    /// Changed by [`becomes`](Slot::becomes) alone, which shows it to others.
    status: Status,
    /// Why it ended while it was being started or stopped, until that is through.
    died: Option<Box<ExitReason>>,
    /// What came of its start, until those before it in its group are through.
    pub(super) acked: Option<Box<Result<(), StartError>>>,
    /// The incarnation before, until a successor starts.
    pub(super) last: Option<Pid>,
    /// Restarts in a row.
    pub(super) attempt: u32,
    /// In a box, as most children have no rules of their own for that.
    pace: Option<Box<Pace>>,
    /// How often it has come up.
    ups: u32,
    board: Arc<Board>,
}

/// How fast a child may be restarted that has rules of its own for that.
struct Pace {
    /// What is waited before the restart that is due; that one has been counted already.
    wait: Option<Duration>,
    up_since: Option<Instant>,
    /// How often it alone may be restarted, if that is limited.
    intensity: Option<Intensity>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.board.forget(self.key);
    }
}

impl Slot {
    pub(super) fn new(board: &Arc<Board>, key: Key, child: Child) -> Self {
        let (backoff, intensity) = (child.spec.backoff(), child.spec.intensity());
        let pace = || Pace {
            wait: None,
            up_since: None,
            intensity: intensity.map(|(max, period)| Intensity::new(max, period)),
        };
        let has_pace = backoff.is_some() || intensity.is_some();
        Slot {
            key,
            child,
            status: Status::Undefined,
            died: None,
            acked: None,
            last: None,
            attempt: 0,
            pace: has_pace.then(|| Box::new(pace())),
            ups: 0,
            board: board.clone(),
        }
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// It ended while it was being started or stopped; what that came to is told by others.
    pub(super) fn has_died(&mut self, reason: ExitReason) {
        self.died = Some(Box::new(reason));
    }

    /// Why it ended meanwhile, if it did.
    pub(super) fn take_died(&mut self) -> Option<ExitReason> {
        self.died.take().map(|reason| *reason)
    }

    /// Counts a restart; `false` if that is one too many for this child alone.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let pace = self.pace.as_mut();
        let intensity = pace.and_then(|pace| pace.intensity.as_mut());
        intensity.is_none_or(|intensity| intensity.allows(now))
    }

    /// The restart that has been counted is to wait so long.
    pub(super) fn waits(&mut self, delay: Option<Duration>) {
        if let Some(pace) = &mut self.pace {
            pace.wait = delay;
        }
    }

    /// Equals `true` if the restart that is due has been counted, and waited for.
    pub(super) fn has_waited(&mut self) -> bool {
        let pace = self.pace.as_mut();
        pace.is_some_and(|pace| pace.wait.take().is_some())
    }

    /// Changes how the child is, and shows it.
    pub(super) fn becomes(&mut self, status: Status) {
        self.status = status;
        let (spec, shown) = (&self.child.spec, status.shown());
        let restarts = self.ups.saturating_sub(1);
        self.board
            .show(self.key, shown, restarts, || ChildSnapshot {
                id: spec.id.clone(),
                kind: spec.kind,
                status: shown,
                restarts,
            });
    }

    /// The child is up.
    pub(super) fn comes_up(&mut self, pid: Pid, now: impl FnOnce() -> Instant) {
        if let Some(pace) = &mut self.pace {
            pace.up_since = Some(now());
        }
        if self.child.spec.restart == Restart::Temporary {
            self.child.forget_start();
        }
        self.ups = self.ups.saturating_add(1);
        self.becomes(Status::Running(pid));
    }

    /// Its start failed, and what was there of it has gone: the pid it had, if it had one.
    pub(super) fn failed(&mut self) -> Option<Pid> {
        let pid = self.status.pid();
        self.last = pid.or(self.last);
        self.died = None;
        self.becomes(Status::Undefined);
        pid
    }

    /// Tells everybody who wants to know what happened to it.
    pub(super) fn tell(&self, what: What) {
        self.board.tell(&self.child.spec.id, what);
    }

    /// How others see it, in the words of OTP.
    pub(super) fn state(&self) -> ChildState {
        match self.status.shown() {
            ChildStatus::Starting(pid) | ChildStatus::Running(pid) | ChildStatus::Stopping(pid) => {
                ChildState::Running(pid)
            }
            ChildStatus::Restarting => ChildState::Restarting,
            ChildStatus::Undefined => ChildState::Undefined,
        }
    }

    /// Begins a start, and makes a reference if that is wanted. Unless the child is up at once, the supervisor, which
    /// runs this, is told when that is through.
    pub(super) fn begin(&mut self, refers: bool) -> Result<Begun, StartError> {
        let child = &mut self.child;
        match catch_unwind(AssertUnwindSafe(|| child.begin(refers))) {
            Ok(begun) => begun,
            Err(payload) => match unwind::reason_of(payload) {
                (reason, unwind::By::Itself) => Err(StartError::Exit(reason)),
                (reason, unwind::By::Signal) => unwind::by_signal(reason),
            },
        }
    }

    /// Tells a child to end, by the rules it has for that. The supervisor is told when it has.
    pub(super) fn stop<M: Send + 'static>(
        &mut self,
        cx: &Context<M>,
        pid: Pid,
        now: Instant,
        patience: &mut Patience,
    ) {
        self.becomes(Status::Stopping(pid));
        let me = cx.me();
        let child = me.mailbox().core().runtime.process(pid);
        let Some(child) = child.filter(exit::is_to_tell_parent) else {
            // What its link had to say is in the mailbox.
            let gone = Box::new(ExitReason::NoProc);
            me.process().tell(Signal::Stopped(pid, gone));
            return patience.begins(me, pid, None);
        };
        match self.child.spec.shutdown {
            Shutdown::BrutalKill => exit::kill(&child),
            Shutdown::Timeout(_) | Shutdown::Infinity => {
                exit::send(&child, me.pid(), ExitReason::Shutdown);
            }
        }
        let until = match self.child.spec.shutdown {
            Shutdown::Timeout(limit) => now.checked_add(limit),
            Shutdown::BrutalKill | Shutdown::Infinity => None,
        };
        patience.begins(me, pid, until);
    }

    /// The wait before the next restart, if it has one.
    pub(super) fn next_delay(&mut self, now: Instant) -> Option<Duration> {
        let Some(backoff) = self.child.spec.backoff() else {
            self.attempt = self.attempt.wrapping_add(1);
            return None;
        };
        let since = self.pace.as_mut().and_then(|pace| pace.up_since.take());
        if since.is_some_and(|since| now.duration_since(since) > backoff.max) {
            self.attempt = 0;
        }
        let jitter = runtime::current().chance();
        let delay = backoff.delay(self.attempt, jitter as u32);
        self.attempt = self.attempt.saturating_add(1);
        Some(delay).filter(|delay| !delay.is_zero())
    }

    /// Marks the child as about to be restarted: after its wait if that is what was counted, else as soon as the
    /// supervisor has looked at what came in the meantime.
    pub(super) fn put_off<M: Send + 'static>(&mut self, supervisor: &Ref<M>) {
        let event = Event::Due(self.key, self.attempt);
        let timer = match self.pace.as_ref().and_then(|pace| pace.wait) {
            Some(delay) => Some(remind(supervisor, delay, event)),
            None => {
                send(&supervisor.process(), event);
                None
            }
        };
        self.becomes(Status::Restarting(timer));
    }

    /// Lets `begin` be tried again once the code of the predecessor of an exclusive child has ended; `false` if
    /// there is nothing to wait for.
    pub(super) fn awaits_predecessor<M: Send + 'static>(&mut self, supervisor: &Ref<M>) -> bool {
        let Some(last) = self.last.take().filter(|_| self.child.spec.exclusive) else {
            return false;
        };
        let (me, key) = (Arc::downgrade(&supervisor.process()), self.key);
        let tell = move || {
            if let Some(me) = me.upgrade() {
                send(&me, Event::Quiesced(key));
            }
        };
        supervisor
            .mailbox()
            .core()
            .runtime
            .quiesce
            .on_end(last, Box::new(tell));
        true
    }

    /// Takes back what would start the child later.
    pub(super) fn forget_timer(&mut self) {
        if let Status::Restarting(Some(timer)) = self.status {
            crate::process::cancel_timer(timer);
        }
    }
}

/// Sends an event to the supervisor after `delay`.
pub(super) fn remind<M: Send + 'static>(
    supervisor: &Ref<M>,
    delay: Duration,
    event: Event,
) -> TimerRef {
    let me = Arc::downgrade(&supervisor.process());
    supervisor.mailbox().core().runtime.after(delay, move |_| {
        if let Some(me) = me.upgrade() {
            send(&me, event);
        }
    })
}

/// Puts an event into the supervisor's mailbox.
pub(super) fn send(supervisor: &Arc<dyn Process>, event: Event) {
    supervisor.push_signal(Signal::Resume(Box::new(event)));
    supervisor.clone().wake();
}
