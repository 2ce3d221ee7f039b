//! What both kinds of process have in common, and the trait through which the kernel sees either.

use crate::pid::{Pid, RequestId};
use crate::process::call::PendingCall;
use crate::process::error::StartError;
use crate::process::lineage::Lineage;
use crate::process::relations::Relations;
use crate::process::runtime::Shared;
use crate::process::system::SystemMsg;
use crate::reason::ExitReason;
use crate::scheduler::Runnable;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::sync::{Arc, Parker, RankedMutex, rank};
use std::any::Any;
use std::fmt;

/// Which kind of process: on a thread of its own, or run by the scheduler's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Its own OS thread. It may block.
    Thread,
    /// Event driven on the pool: a few hundred bytes.
    Pooled,
}

/// What a process runs, by name: a function, which is one word where a text is two.
#[derive(Clone, Copy)]
pub(crate) struct Initial(pub(crate) fn() -> &'static str);

impl Default for Initial {
    fn default() -> Self {
        Initial(|| "")
    }
}

impl fmt::Debug for Initial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.0)())
    }
}

pub(crate) mod flag {
    /// The process turns exit signals into messages.
    pub(crate) const TRAP_EXIT: u32 = 1;
    /// A kill signal has come.
    pub(crate) const KILLED: u32 = 1 << 1;
    /// An exit signal waits in the mailbox.
    pub(crate) const EXIT_QUEUED: u32 = 1 << 2;
    /// The process has begun to die.
    pub(crate) const ENDING: u32 = 1 << 3;
    /// The identity is gone: released, or cut from a zombie.
    pub(crate) const GONE: u32 = 1 << 4;
    /// The process leads a group of its own.
    pub(crate) const LEADS: u32 = 1 << 5;
    /// The process is a supervisor: a runtime that stops asks it first.
    pub(crate) const SUPERVISOR: u32 = 1 << 6;
    /// The process runs callbacks, and meets system messages between them.
    pub(crate) const SYSTEM: u32 = 1 << 7;
    /// The process has sent requests whose answers come into its mailbox.
    pub(crate) const ASKS: u32 = 1 << 9;
    /// The process lives in a deterministic runtime, where it may be put aside at its library calls.
    pub(crate) const DETERMINISTIC: u32 = 1 << 8;
    /// The process was begun by its parent, which has not been told yet what came of that.
    pub(crate) const STARTING: u32 = 1 << 10;
    /// Its `init` took longer than it had.
    pub(crate) const LATE: u32 = 1 << 11;
    /// Its `init` chose to ignore the start: the end that follows is no failure.
    pub(crate) const IGNORED: u32 = 1 << 12;
    /// The process is being stopped by its parent, which is to be told when it has ended.
    pub(crate) const STOPPING: u32 = 1 << 13;
    /// The process has ended, and everybody has been told.
    pub(crate) const TOLD: u32 = 1 << 14;
}

/// The part of a process that does not depend on its messages.
///
/// The fields are in this order: what seldom changes first, what the running process touches with each message last,
/// so that in a pooled process the former keeps the latter apart from the queue that senders write to.
#[repr(C)]
pub(crate) struct Core {
    pub(crate) pid: Pid,
    pub(crate) kind: Kind,
    /// Grows with each process of a runtime: who is older, whatever slots were reused.
    pub(crate) order: u64,
    /// What the process runs, for reports: names the server's type or that of the closure.
    pub(crate) initial: Initial,
    pub(crate) lineage: Lineage,
    pub(crate) runtime: Arc<Shared>,
    /// Guards links, monitors, names and queued signals. Lock order: name shard, then relations in the order
    /// of pids, then a mailbox. Nothing of the user's runs under it.
    pub(crate) relations: RankedMutex<Relations, { rank::RELATIONS }>,
    /// A leaf lock.
    waiting: RankedMutex<Option<Box<Waiting>>, { rank::WAITING }>,
    /// The address of the call that the running callback received, 0 for none.
    current_call: AtomicUsize,
    pub(crate) flags: AtomicU32,
    /// How many entries the running turn has taken and not yet handled.
    taken: AtomicU32,
}

/// How to reach a process that waits inside the library.
#[derive(Default)]
struct Waiting {
    /// The parker on which it waits at this moment.
    parker: Option<Arc<Parker>>,
    /// The call whose answer it waits for, once it has parked.
    call: Option<Arc<dyn PendingCall>>,
    /// The process that waits on top of its stack: it runs there in its place, or is being started there.
    under: Option<Arc<dyn Process>>,
}

/// What a process waits for.
pub(crate) enum Edge {
    /// The answer of a call.
    Call(Arc<dyn PendingCall>),
    /// That a process which waits on top of its stack goes on.
    Under(Arc<dyn Process>),
}

impl Core {
    pub(crate) fn new(
        pid: Pid,
        lineage: Lineage,
        kind: Kind,
        runtime: Arc<Shared>,
        initial: Initial,
    ) -> Self {
        Core {
            pid,
            kind,
            order: runtime.next_reference(),
            initial,
            lineage,
            flags: AtomicU32::new(runtime.process_flags),
            runtime,
            relations: RankedMutex::default(),
            waiting: RankedMutex::default(),
            current_call: AtomicUsize::new(0),
            taken: AtomicU32::new(0),
        }
    }

    /// Who started the process; [`Pid::INIT`] if a plain thread did.
    pub(crate) fn parent(&self) -> Pid {
        self.lineage.parent()
    }

    /// Who leads the group that it belongs to: its parent's leader as a rule, itself if it leads one, nobody
    /// ([`Pid::INIT`]) for what no process started.
    pub(crate) fn group_leader(&self) -> Pid {
        if self.has(flag::LEADS) {
            self.pid
        } else {
            self.lineage.leader()
        }
    }

    /// On whose behalf it runs, the newest first.
    pub(crate) fn callers(&self) -> Vec<Pid> {
        let relations = self.relations.lock();
        relations
            .callers()
            .map_or_else(Vec::new, |callers| callers.to_vec())
    }

    #[inline]
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.flags.load(Ordering::Acquire) & flags != 0
    }

    /// Sets flags; the ones that were set before.
    #[inline]
    pub(crate) fn set(&self, flags: u32) -> u32 {
        self.flags.fetch_or(flags, Ordering::AcqRel)
    }

    #[inline]
    pub(crate) fn clear(&self, flags: u32) -> u32 {
        self.flags.fetch_and(!flags, Ordering::AcqRel)
    }

    /// A process that was begun is up; `false` if that is no news, or too late.
    pub(crate) fn comes_up(&self) -> bool {
        let up = |flags: u32| {
            let in_time = flags & (flag::STARTING | flag::LATE) == flag::STARTING;
            in_time.then_some(flags & !flag::STARTING)
        };
        self.change(up)
    }

    /// The time is over that a process has to come up; `false` if it is up.
    pub(crate) fn is_late(&self) -> bool {
        self.change(|flags| (flags & flag::STARTING != 0).then_some(flags | flag::LATE))
    }

    fn change(&self, flags: impl FnMut(u32) -> Option<u32>) -> bool {
        self.flags
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, flags)
            .is_ok()
    }

    /// How many entries the process has taken from its mailbox and not yet handled.
    #[inline]
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed) as usize
    }

    /// Only the process itself writes this.
    #[inline]
    pub(crate) fn note_taken(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if self.taken.load(Ordering::Relaxed) != count {
            self.taken.store(count, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn traps_exit(&self) -> bool {
        self.has(flag::TRAP_EXIT)
    }

    /// Publishes where this process waits, and for which call's answer.
    pub(crate) fn start_waiting(&self, parker: Arc<Parker>, call: Option<Arc<dyn PendingCall>>) {
        let waiting = Box::new(Waiting {
            parker: Some(parker),
            call,
            under: None,
        });
        let had = self.waiting.lock().replace(waiting);
        drop(had);
    }

    pub(crate) fn stop_waiting(&self) {
        let had = self.waiting.lock().take();
        drop(had);
    }

    /// Publishes that a process waits on top of the stack of this one.
    pub(crate) fn start_lying_under(&self, top: &Arc<dyn Process>) {
        self.waiting.lock().get_or_insert_default().under = Some(top.clone());
    }

    /// What this process waits for, once it has parked, or somebody has on top of its stack.
    pub(crate) fn waits_for(&self) -> Option<Edge> {
        let waiting = self.waiting.lock();
        let waiting = waiting.as_ref()?;
        let call = waiting.call.clone().map(Edge::Call);
        call.or_else(|| waiting.under.clone().map(Edge::Under))
    }

    /// The address of the call that the running callback received, 0 for none.
    #[inline]
    pub(crate) fn current_call(&self) -> usize {
        self.current_call.load(Ordering::Acquire)
    }

    /// Equals `true` while the process waits inside the library.
    pub(crate) fn waits(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting
            .as_ref()
            .is_some_and(|waiting| waiting.parker.is_some())
    }

    /// Wakes the process if it waits inside the library, so that it looks at its flags.
    pub(crate) fn interrupt(&self) {
        let waiting = self.waiting.lock();
        let parker = waiting.as_ref().and_then(|waiting| waiting.parker.clone());
        drop(waiting);
        if let Some(parker) = parker {
            parker.unpark();
        }
    }

    /// Remembers which call the running callback received; a deadlock is looked for along these.
    #[inline]
    pub(crate) fn begin_call(&self, call: &Arc<dyn PendingCall>) {
        call.received();
        self.current_call.store(address(call), Ordering::Release);
    }

    #[inline]
    pub(crate) fn end_call(&self) {
        self.current_call.store(0, Ordering::Release);
    }

    /// The call of this address is being answered: the running callback has it in hand no more, if it had.
    #[inline]
    pub(crate) fn answers(&self, call: usize) {
        if self.current_call() == call {
            self.end_call();
        }
    }
}

/// The identity of a pending call while somebody holds it.
#[inline]
pub(crate) fn address(call: &Arc<dyn PendingCall>) -> usize {
    Arc::as_ptr(call).cast::<()>() as usize
}

/// A process as the kernel sees it, whatever messages it takes.
pub(crate) trait Process: Any + Send + Sync {
    fn core(&self) -> &Core;

    /// Appends an entry that every process understands. Called with the relations of this process locked, so
    /// nothing is woken here; the answer says whether [`wake`](Process::wake) has to follow.
    fn push_signal(&self, signal: Signal);

    /// Makes the process look at its mailbox and its flags.
    fn wake(self: Arc<Self>);

    /// Appends an entry that every process understands, and makes the process look at its mailbox.
    fn tell(self: Arc<Self>, signal: Signal) {
        self.push_signal(signal);
        self.wake();
    }

    /// What the scheduler runs; only a pooled process is something of the kind.
    fn into_task(self: Arc<Self>) -> Option<Arc<dyn Runnable>> {
        None
    }

    /// Equals `true` while it runs, be it that it waits inside the library meanwhile.
    fn is_running(&self) -> bool {
        true
    }

    /// Refuses messages from now on; what is in the mailbox stays for [`close`](Process::close).
    fn seal(&self);

    /// Closes the mailbox, fails the calls that were in it with `reason`, and drops the rest. Called with no
    /// lock held.
    fn close(&self, reason: &ExitReason);

    fn mailbox_len(&self) -> usize;

    /// Equals `true` unless the process waits for its next entry.
    fn is_scheduled(&self) -> bool;

    /// Runs one turn on the stack of the caller, if this process is the next one of this worker.
    fn run_in_place(self: Arc<Self>);

    /// The process, which calls this itself, is about to wait: the parker that is unparked for whatever comes.
    /// `None` if something is in the mailbox already.
    fn fall_asleep(&self) -> Option<Arc<Parker>>;

    /// The wait is over.
    fn awake(&self);

    /// What is taken from a bounded mailbox counts as in it from now on, because its process only puts it aside;
    /// or no more. How many of the oldest messages that were put aside have to make room for others.
    fn set_aside(&self, _on: bool) -> usize {
        0
    }

    /// How many more of those there are since this was last asked.
    fn excess(&self) -> usize {
        0
    }
}

/// The entries that do not depend on the message type.
pub(crate) enum Signal {
    Exit(u64),
    Down(crate::pid::MonitorRef),
    Resume(Box<dyn Any + Send>),
    Started(Pid, Result<(), Box<StartError>>),
    Stopped(Pid, Box<ExitReason>),
    Answer(RequestId),
    Cut(Pid),
    Timeout(u64),
    System(SystemMsg),
}

impl<M> From<Signal> for crate::process::signal::Entry<M> {
    fn from(signal: Signal) -> Self {
        use crate::process::signal::Entry;
        match signal {
            Signal::Exit(id) => Entry::Exit(id),
            Signal::Down(monitor) => Entry::Down(monitor),
            Signal::Resume(value) => Entry::Resume(value),
            Signal::Started(pid, result) => Entry::Started(pid, result),
            Signal::Stopped(pid, reason) => Entry::Stopped(pid, reason),
            Signal::Answer(request) => Entry::Answer(request),
            Signal::Cut(pid) => Entry::Cut(pid),
            Signal::Timeout(generation) => Entry::Timeout(generation),
            Signal::System(message) => Entry::System(message),
        }
    }
}
