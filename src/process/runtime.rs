//! A runtime as a value: scheduler, process table, names, timers, and what services keep.

use crate::pid::{MonitorRef, Pid, TimerRef};
use crate::process::core::{Kind, Process, flag};
use crate::process::logger::Logger;
use crate::process::name::Names;
use crate::process::quiesce::Quiesce;
use crate::process::shutdown;
use crate::process::table::Table;
use crate::process::threads::{self, Threads};
use crate::process::timer::Timers;
use crate::process::{current, panic_hook};
use crate::scheduler::{self, Deterministic, Scheduler};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, Lazy, RankedMutex, RwLock, rank, thread};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::Duration;

pub use crate::process::shutdown::Report;

/// How long running code may go on after a kill before its process's identity is cut from it.
const KILL_GRACE: Duration = Duration::from_millis(100);

/// How many pooled processes may wait in calls at the same time: each holds a worker, and 64 stacks of which
/// a few pages are touched cost next to nothing.
const SPARE_MAX: usize = 64;

/// The time of day at which a deterministic runtime begins: the year 2000, as good as any and the same each time.
const DETERMINISTIC_UNIX_MS: i64 = 946_684_800_000;

/// What to do about a deadlock of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadlockPolicy {
    /// Do not look for any; the calls end by their timeouts.
    Off,
    /// Log it and emit [`DeadlockFound`](crate::process::DeadlockFound).
    Report,
    /// Report it, and fail the call that closed the circle with `CallError::Deadlock`.
    #[default]
    Error,
}

/// How a [`Runtime`] is to be. All values have defaults.
///
/// ```
/// use perennial::Runtime;
/// let runtime = Runtime::builder().workers(2).build().unwrap();
/// let report = runtime.shutdown(std::time::Duration::from_secs(5));
/// assert_eq!(report.zombies, 0);
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) settings: Settings,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) workers: usize,
    pub(crate) thread_max: usize,
    pub(crate) spare_max: usize,
    pub(crate) default_kind: Kind,
    pub(crate) clock: Clock,
    pub(crate) deadlock: DeadlockPolicy,
    pub(crate) kill_grace: Duration,
    pub(crate) stack_size: Option<usize>,
    pub(crate) panic_hook: bool,
    pub(crate) seed: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(1, |cores| cores.get());
        Builder {
            settings: Settings {
                workers,
                thread_max: threads::default_max(),
                spare_max: SPARE_MAX,
                default_kind: Kind::Pooled,
                clock: Clock::system(),
                deadlock: DeadlockPolicy::default(),
                kill_grace: KILL_GRACE,
                stack_size: None,
                panic_hook: true,
                seed: None,
            },
        }
    }
}

impl Builder {
    /// How many worker threads run pooled processes. Default: as many as there are cores.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers.max(1);
        self
    }

    /// How many thread processes may live at once. Default: an eighth of what the system's limit of memory
    /// mappings allows, because a program that runs out of them is aborted.
    pub fn thread_max(mut self, thread_max: usize) -> Self {
        self.settings.thread_max = thread_max;
        self
    }

    /// How many pooled processes may wait in blocking calls at once. Default: 64.
    pub fn spare_max(mut self, spare_max: usize) -> Self {
        self.settings.spare_max = spare_max;
        self
    }

    /// The kind of every server that does not say which. Default: pooled.
    pub fn default_kind(mut self, kind: Kind) -> Self {
        self.settings.default_kind = kind;
        self
    }

    /// Where the runtime reads the time. Default: the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// What to do about a deadlock of calls. Default: fail the call that closed it.
    pub fn deadlock(mut self, policy: DeadlockPolicy) -> Self {
        self.settings.deadlock = policy;
        self
    }

    /// How long running code may go on after a kill before its process's identity is cut. Default: 100 ms.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.settings.kill_grace = grace;
        self
    }

    /// The stack of each thread, in bytes. Default: the platform's, 2 MiB, of which untouched pages are free.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Whether panics of processes go to the crash report instead of the panic hook. Default: `true`.
    pub fn panic_hook(mut self, install: bool) -> Self {
        self.settings.panic_hook = install;
        self
    }

    /// Makes the runtime deterministic, for tests: one thread runs at a time, `seed` says which is next, and time is virtual, whatever
    /// [`clock`](Builder::clock) was given. [`Deterministic`] says how a test drives it.
    ///
    /// ```
    /// use perennial::Runtime;
    /// use perennial::process;
    /// use std::time::Duration;
    /// let runtime = Runtime::builder().deterministic(42).build().unwrap();
    /// let _entered = runtime.enter();
    /// process::sleep(Duration::from_secs(3600));
    /// assert_eq!(runtime.deterministic().unwrap().now(), Duration::from_secs(3600));
    /// ```
    pub fn deterministic(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// What the system says if it has no threads for it.
    pub fn build(self) -> std::io::Result<Runtime> {
        let shared = Shared::start(self.settings)?;
        Ok(Runtime { shared })
    }
}

/// Scheduler, process table, names, timers: everything that processes live in.
///
/// Free functions use the *current* runtime: that of the running process, else the one
/// [entered](Runtime::enter), else a global one that starts when it is first needed. A program as a rule needs
/// no other; tests make one each. Dropped, it is shut down at once.
pub struct Runtime {
    pub(super) shared: Arc<Shared>,
}

impl Runtime {
    /// The choices there are.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A runtime with all defaults.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> std::io::Result<Runtime> {
        Builder::default().build()
    }

    /// Makes this runtime the current one of this thread until the guard is dropped.
    pub fn enter(&self) -> Guard {
        enter(&self.shared)
    }

    /// Where this runtime tells what happens in it.
    pub fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    /// Where this runtime reads the time.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// How many processes live in it, and how many zombies run on.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// What the scheduler has done so far.
    pub fn scheduler_stats(&self) -> scheduler::Stats {
        self.shared.scheduler().stats()
    }

    /// The hand on a runtime that was made [deterministic](Builder::deterministic); `None` for any other.
    pub fn deterministic(&self) -> Option<Deterministic> {
        self.shared.scheduler().deterministic()
    }

    /// Stops everything in order: supervisors that are no children of others first, the newest before the older,
    /// with the exit signal `Shutdown` as from their parents; then every other process; what is left half way to the deadline is killed. Joins
    /// all threads that end in time and says which did not.
    pub fn shutdown(self, deadline: Duration) -> Report {
        shutdown::run(&self.shared, deadline)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.shared.stopped.load(Ordering::Acquire) {
            shutdown::run(&self.shared, Duration::from_secs(5));
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({:?})", self.counts())
    }
}

/// Makes a runtime the current one of this thread until the guard is dropped.
pub(crate) fn enter(shared: &Arc<Shared>) -> Guard {
    current::push_runtime(shared.clone());
    shared.scheduler().comes_in();
    Guard {
        shared: shared.clone(),
        not_send: std::marker::PhantomData,
    }
}

/// Keeps a runtime current on this thread; see [`Runtime::enter`].
#[must_use = "the runtime is left when the guard is dropped"]
pub struct Guard {
    shared: Arc<Shared>,
    not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        current::pop_runtime(&self.shared);
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// How many of what there is in a runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes of both kinds.
    pub processes: usize,
    /// Threads of thread processes, zombies among them.
    pub threads: usize,
    /// Processes whose identity was cut while their code ran on.
    pub zombies: usize,
    /// Registered names.
    pub names: usize,
    /// Timers that have not fired.
    pub timers: usize,
}

/// What a runtime's handles share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) telemetry: Telemetry,
    pub(crate) logger: Logger,
    pub(crate) table: Table,
    pub(crate) names: Names,
    pub(crate) threads: Threads,
    pub(crate) timers: Timers,
    pub(crate) quiesce: Quiesce,
    /// Held by whoever breaks a deadlock. Lock order: before everything that a call touches.
    pub(crate) deadlocks: RankedMutex<(), { rank::DEADLOCKS }>,
    /// Equals `true` once no process may start any more.
    pub(crate) stopping: AtomicBool,
    pub(crate) stopped: AtomicBool,
    /// Flags that every process has from the beginning.
    pub(crate) process_flags: u32,
    scheduler: Scheduler,
    reference: AtomicU64,
    /// What services keep, by its type.
    services: RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Shared {
    fn start(mut settings: Settings) -> std::io::Result<Arc<Shared>> {
        if settings.panic_hook {
            panic_hook::install();
        }
        let telemetry = Telemetry::new();
        let deterministic = settings.seed.map(|seed| {
            let (clock, hand) = Clock::manual_from(DETERMINISTIC_UNIX_MS);
            settings.clock = clock;
            (seed, hand)
        });
        let process_flags = match deterministic {
            Some(_) => flag::DETERMINISTIC,
            None => 0,
        };
        let scheduler = Scheduler::start(scheduler::Config {
            workers: settings.workers,
            spare_max: settings.spare_max,
            clock: settings.clock.clone(),
            telemetry: telemetry.clone(),
            stack_size: settings.stack_size,
            deterministic,
            ..scheduler::Config::default()
        })?;
        Ok(Arc::new(Shared {
            clock: settings.clock.clone(),
            telemetry,
            logger: Logger::new(),
            table: Table::new(),
            names: Names::new(),
            threads: Threads::new(settings.thread_max),
            timers: Timers::default(),
            quiesce: Quiesce::default(),
            deadlocks: RankedMutex::default(),
            stopping: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            process_flags,
            scheduler,
            reference: AtomicU64::new(1),
            services: RwLock::default(),
            settings,
        }))
    }

    #[inline]
    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    pub(crate) fn process(&self, pid: Pid) -> Option<Arc<dyn Process>> {
        self.table.get(pid)
    }

    pub(crate) fn next_reference(&self) -> u64 {
        self.reference.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn monitor_ref(&self) -> MonitorRef {
        MonitorRef::from_raw(self.next_reference())
    }

    pub(crate) fn timer_ref(&self) -> TimerRef {
        TimerRef::new(self.next_reference(), None)
    }

    /// As many numbers as that, which are nobody else's.
    pub(crate) fn references(&self, count: u64) -> Range<u64> {
        let first = self.reference.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    /// What a service keeps in this runtime, made when it is first asked for.
    pub(crate) fn service<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let kept = self.services.read().get(&TypeId::of::<T>()).cloned();
        let kept = kept.unwrap_or_else(|| {
            let mut services = self.services.write();
            let kept = services.entry(TypeId::of::<T>());
            kept.or_insert_with(|| Arc::new(T::default())).clone()
        });
        match kept.downcast() {
            Ok(service) => service,
            Err(_) => unreachable!("what a service keeps is found by its type"),
        }
    }

    pub(crate) fn is_deterministic(&self) -> bool {
        self.settings.seed.is_some()
    }

    /// A number that nobody expects; in a deterministic runtime, one that the seed decides.
    pub(crate) fn chance(&self) -> u64 {
        let rolled = self.scheduler.roll();
        rolled.unwrap_or_else(|| RandomState::new().hash_one(()))
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            processes: self.table.alive(),
            threads: self.threads.live(),
            zombies: self.quiesce.zombies(),
            names: self.names.all().len(),
            timers: self.timers.len(),
        }
    }
}

static GLOBAL: Lazy<Arc<Shared>> = Lazy::new(global);

fn global() -> Arc<Shared> {
    let mut builder = Builder::default();
    match std::env::var("PERENNIAL_DEFAULT_KIND").as_deref() {
        Ok("thread") => builder = builder.default_kind(Kind::Thread),
        Ok("pooled") | Err(_) => {}
        Ok(other) => {
            log::warn!("PERENNIAL_DEFAULT_KIND is {other:?}, neither thread nor pooled: ignored")
        }
    }
    match Shared::start(builder.settings) {
        Ok(shared) => shared,
        Err(error) => panic!("the global runtime found no threads to start on: {error}"),
    }
}

/// The current runtime.
pub(crate) fn current() -> Arc<Shared> {
    current::runtime().unwrap_or_else(|| GLOBAL.clone())
}

/// Looks into the current runtime without counting a reference to it. `look` runs nothing of the user's.
#[inline]
pub(crate) fn with<R>(look: impl FnOnce(&Arc<Shared>) -> R) -> R {
    current::with_runtime(|shared| match shared {
        Some(shared) => look(shared),
        None => look(&GLOBAL),
    })
}

/// How many of what there is in the current runtime.
pub fn counts() -> Counts {
    current().counts()
}

/// Calls `handler` for each event of type `E` in the current runtime.
pub fn attach<E: crate::telemetry::Event>(
    handler: impl Fn(&E) + Send + Sync + 'static,
) -> crate::telemetry::HandlerId {
    current().telemetry.attach(handler)
}
