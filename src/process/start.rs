//! How processes start: a pid, a mailbox, a name, a link, and only then the first line of their code.

use crate::pid::{MonitorRef, Pid, TimerRef};
use crate::process::behaviour::{Behaviour, InitFn};
use crate::process::call::{self, Pending};
use crate::process::core::{Core, Initial, Kind, Process, Signal, flag};
use crate::process::death::{self, End};
use crate::process::error::{CallError, StartError};
use crate::process::lineage::Lineage;
use crate::process::link::Joined;
use crate::process::mailbox::{Bound, Overflow};
use crate::process::name::{Claim, RegisterError};
use crate::process::oneshot::Answer;
use crate::process::pooled::{Failed, Pooled};
use crate::process::reference::Ref;
use crate::process::report::Spawned;
use crate::process::runtime::Shared;
use crate::process::thread::{self, Thread};
use crate::process::{current, exit, link, monitor, runtime, threads, wait, watch};
use crate::reason::ExitReason;
use crate::sync::atomic::Ordering;
use crate::sync::{self, Arc};
use std::time::Duration;

/// How a process is to be started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) kind: Option<Kind>,
    pub(crate) mailbox: Option<(usize, Overflow)>,
    pub(crate) name: Option<Arc<str>>,
    /// A name that is kept elsewhere; a process has one or the other.
    pub(crate) via: Option<Arc<dyn Claim>>,
    pub(crate) label: Option<Arc<str>>,
    /// Flags that are set from the beginning.
    pub(crate) flags: u32,
    /// How long `init` may take; for ever if there is none, and then a pooled process runs it on the thread of
    /// its starter.
    pub(crate) timeout: Option<Duration>,
    /// Runs `init` in a turn of its own, even where the starter's thread would do.
    pub(crate) asynchronous: bool,
    pub(crate) link: bool,
    pub(crate) monitor: bool,
    /// Has no parent, whoever starts it.
    pub(crate) orphan: bool,
    /// On whose behalf it runs, the newest first.
    pub(crate) callers: Option<Arc<[Pid]>>,
    /// Leads a group of its own, to which all belong that it starts, and all that those start.
    pub(crate) leads: bool,
    /// What it runs, for reports.
    pub(crate) initial: Initial,
}

/// A process that was started.
pub(crate) struct Started<M: Send + 'static> {
    pub(crate) reference: Ref<M>,
    pub(crate) monitor: Option<MonitorRef>,
}

/// Who waits until a process is up, if it is a thread.
pub(crate) type Starter = Arc<Pending<()>>;

/// Tells that a process is up: whoever waits for that, or, if it was [begun](start_async), its parent.
pub(crate) fn up(core: &Core, starter: Option<&Starter>) {
    if let Some(starter) = starter {
        drop(starter.slot.put(Ok(())));
    } else if core.has(flag::STARTING) && core.comes_up() {
        tell_parent(core, Ok(()));
    }
}

/// A process that was begun has ended, and everybody else has been told. If it was not up, its parent is told what became
/// of the start.
pub(crate) fn ended(core: &Core, reason: &ExitReason) {
    if !core.has(flag::STARTING) {
        return;
    }
    let flags = core.clear(flag::STARTING);
    if flags & flag::STARTING == 0 {
        return;
    }
    let error = match flags {
        late if late & flag::LATE != 0 => StartError::Timeout,
        ignored if ignored & flag::IGNORED != 0 => StartError::Ignored,
        _ => StartError::Exit(reason.clone()),
    };
    tell_parent(core, Err(error));
}

fn tell_parent(core: &Core, result: Result<(), StartError>) {
    if let Some(parent) = core.runtime.process(core.parent()) {
        parent.tell(Signal::Started(core.pid, result.map_err(Box::new)));
    }
}

/// What came of a start, as its starter is told.
fn outcome(core: &Core, answer: Answer<()>) -> Result<(), StartError> {
    match answer {
        Ok(()) => Ok(()),
        Err(CallError::Exited(_)) if core.has(flag::IGNORED) => Err(StartError::Ignored),
        Err(CallError::Exited(reason)) => Err(StartError::Exit(reason)),
        Err(CallError::Timeout) => Err(StartError::Timeout),
        Err(CallError::PoolExhausted) => Err(StartError::PoolExhausted),
        Err(_) => Err(StartError::Exiting),
    }
}

/// A process that has a pid, a mailbox and its names, and has not run yet.
struct Prepared<B: Behaviour> {
    body: Kinds<B>,
    started: Started<B::Msg>,
}

enum Kinds<B: Behaviour> {
    Pooled(Arc<Pooled<B>>),
    Thread(Arc<Thread<B::Msg>>),
}

/// Starts a process and waits until its `init` is through.
pub(crate) fn start<B: Behaviour>(
    options: &Options,
    init: InitFn<B>,
) -> Result<Started<B::Msg>, StartError> {
    current::checkpoint();
    if current::leaving() {
        return Err(StartError::Exiting);
    }
    let timeout = options.timeout;
    let prepared = prepare::<B>(options, 0)?;
    // While a plain thread unwinds, `init` would find its own process unwinding.
    let inline = timeout.is_none() && !options.asynchronous && !sync::thread::panicking();
    if inline && let Kinds::Pooled(pooled) = &prepared.body {
        let up = start_inline(pooled, init);
        // A start that failed may have ended its linked starter.
        current::checkpoint();
        return up.map(|()| prepared.started);
    }
    let process = prepared.started.reference.process();
    let shared = process.core().runtime.clone();
    let deadline = timeout.and_then(|timeout| shared.clock.now().checked_add(timeout));
    let starter = Arc::new(Pending::new(process.clone(), deadline));
    let watch = call::watch(&starter);
    launch(&prepared, init, Some(starter.clone()))?;
    let answer = wait::for_start(&starter, watch);
    let outcome = outcome(process.core(), answer);
    if let Err(StartError::Timeout | StartError::PoolExhausted | StartError::Exiting) = &outcome {
        abandon(&process, &prepared.started);
    }
    current::checkpoint();
    outcome.map(|()| prepared.started)
}

/// Runs `init` on the thread of the starter. Only a behaviour that tells later that it is up is waited for.
fn start_inline<B: Behaviour>(pooled: &Arc<Pooled<B>>, init: InitFn<B>) -> Result<(), StartError> {
    if !B::UP_LATER {
        return pooled
            .launch_inline(init, None)
            .map_err(|(failed, reason)| match failed {
                Failed::Ignored => StartError::Ignored,
                Failed::Ended => StartError::Exit(reason),
            });
    }
    let process: Arc<dyn Process> = pooled.clone();
    let starter = Arc::new(Pending::new(process.clone(), None));
    let up = pooled.launch_inline(init, Some(starter.clone()));
    let answer = match (starter.slot.take(), up) {
        (Some(answer), _) => answer,
        (None, Err((_, reason))) => Err(CallError::Exited(reason)),
        (None, Ok(())) => {
            let ended = process.core().relations.lock().ended().cloned();
            Err(CallError::Exited(ended.unwrap_or(ExitReason::Killed)))
        }
    };
    outcome(process.core(), answer)
}

/// Begins a process, whose `init` runs in its own time: its parent, which calls this, gets a [`Signal::Started`] when that
/// is through. If it never is, that comes after the end, of which whoever is linked has heard by then.
pub(crate) fn start_async<B: Behaviour>(
    options: &Options,
    init: InitFn<B>,
) -> Result<Started<B::Msg>, StartError> {
    let prepared = prepare::<B>(options, flag::STARTING)?;
    let init = match options.timeout {
        Some(timeout) => in_time(&prepared.started.reference.process(), timeout, init),
        None => init,
    };
    launch(&prepared, init, None)?;
    Ok(prepared.started)
}

/// An `init` that has so long; then its process is killed, and its start has failed.
fn in_time<B: Behaviour>(
    process: &Arc<dyn Process>,
    timeout: Duration,
    init: InitFn<B>,
) -> InitFn<B> {
    struct Timer(Arc<Shared>, TimerRef);
    impl Drop for Timer {
        fn drop(&mut self) {
            self.0.cancel(self.1);
        }
    }
    let shared = &process.core().runtime;
    let late = Arc::downgrade(process);
    let timer = shared.after(timeout, move |_| {
        if let Some(process) = late.upgrade()
            && process.core().is_late()
        {
            exit::kill(&process);
        }
    });
    // Whatever becomes of `init`, the timer goes with it.
    let timer = Timer(shared.clone(), timer);
    Box::new(move |cx| {
        let _timer = timer;
        init(cx)
    })
}

/// Starts a process and goes on at once; nobody is told when its `init` is through. `init` is made around the
/// reference to the process, before that runs.
pub(crate) fn spawn<B: Behaviour>(
    options: &Options,
    init: impl FnOnce(&Ref<B::Msg>) -> InitFn<B>,
) -> Result<Started<B::Msg>, StartError> {
    current::checkpoint();
    let prepared = prepare::<B>(options, 0)?;
    let init = init(&prepared.started.reference);
    launch(&prepared, init, None)?;
    Ok(prepared.started)
}

/// A process without any acknowledgement: it runs, and nobody waits.
pub(crate) fn prepare_thread<M: Send + 'static>(
    options: &Options,
) -> Result<(Arc<Thread<M>>, Option<MonitorRef>), StartError> {
    let (shared, parent) = origin(options)?;
    let core = core(shared, options, Kind::Thread, parent.as_ref(), 0)?;
    let thread = Thread::new(core, bound(options));
    let monitor = enrol(options, parent.as_ref(), &thread.reference())?;
    Ok((thread, monitor))
}

/// A reference to a process that is dead from the beginning.
pub(crate) fn dead<M: Send + 'static>(options: &Options) -> Ref<M> {
    // No process ever has the serial 0.
    let pid = Pid::from_parts(0, u32::MAX, 0);
    let core = Core::new(
        pid,
        Lineage::of(current::process().as_ref()),
        Kind::Thread,
        runtime::current(),
        options.initial,
    );
    core.set(flag::ENDING | flag::GONE);
    drop(core.relations.lock().end(ExitReason::NoProc));
    let thread = Thread::new(core, None);
    thread.close(&ExitReason::NoProc);
    thread.reference()
}

/// Starts the thread of a prepared process; it dies at once if there is none to be had.
pub(crate) fn launch_thread<M: Send + 'static>(
    thread: &Arc<Thread<M>>,
    main: impl FnOnce() + Send + 'static,
) -> Result<(), StartError> {
    let process: Arc<dyn Process> = thread.clone();
    let core = process.core();
    let started = threads::spawn(&core.runtime, core.pid, thread_name(&process), main);
    if let Err(error) = &started {
        stillborn(&process, error);
    }
    started
}

fn thread_name(process: &Arc<dyn Process>) -> String {
    let core = process.core();
    let relations = core.relations.lock();
    let called = relations.name().or_else(|| relations.label());
    called.map_or_else(
        || format!("process {}", core.pid),
        |called| called.to_string(),
    )
}

/// Ends a process that never ran. Whoever started it has the error, so it leaves neither an exit signal nor a down
/// behind.
fn stillborn(process: &Arc<dyn Process>, error: &StartError) {
    let core = process.core();
    core.clear(flag::STARTING);
    let links = core.relations.lock().links();
    for linked in links {
        link::part(process, linked);
    }
    let monitors = core.relations.lock().remove_watchers_of(core.parent());
    if let Some(parent) = core.runtime.process(core.parent()) {
        let mut relations = parent.core().relations.lock();
        for monitor in monitors {
            relations.unwatch(monitor);
        }
    }
    death::die(process, End::quiet(ExitReason::other(error.clone())), || {});
}

fn launch<B: Behaviour>(
    prepared: &Prepared<B>,
    init: InitFn<B>,
    starter: Option<Starter>,
) -> Result<(), StartError> {
    match &prepared.body {
        Kinds::Pooled(pooled) => {
            pooled.launch(init, starter);
            Ok(())
        }
        Kinds::Thread(thread) => {
            let running = thread.clone();
            launch_thread(thread, move || {
                thread::run_behaviour::<B>(&running, init, starter)
            })
        }
    }
}

/// Ends a process whose starter waits no longer, and leaves no trace of it with the starter: not even its name is
/// taken any more when the starter hears of the failure. That takes as long as the grace of the kill at most.
fn abandon<M: Send + 'static>(process: &Arc<dyn Process>, started: &Started<M>) {
    if let Some(starter) = current::process() {
        link::unlink_flush_from(&starter, process.core().pid);
        if let Some(monitor) = started.monitor {
            monitor::demonitor_flush_by(&starter, monitor);
        }
    }
    let core = process.core();
    let mut watch = watch::watch_in(&core.runtime, core.pid);
    exit::kill(process);
    let _ended = watch.wait(Duration::MAX);
}

/// The runtime in which a process starts, and who is its parent.
type Origin = (Arc<Shared>, Option<Arc<dyn Process>>);

fn origin(options: &Options) -> Result<Origin, StartError> {
    let here = current::process();
    let shared = here.as_ref().map(|here| here.core().runtime.clone());
    let parent = here.filter(|_| !options.orphan);
    if parent.is_none() && (options.link || options.monitor) {
        return Err(StartError::NotAProcess);
    }
    Ok((shared.unwrap_or_else(runtime::current), parent))
}

fn bound(options: &Options) -> Option<Bound> {
    options
        .mailbox
        .map(|(max, overflow)| Bound::new(max, overflow))
}

/// What a new process has that does not depend on its messages, with flags that are set from the beginning.
fn core(
    shared: Arc<Shared>,
    options: &Options,
    kind: Kind,
    parent: Option<&Arc<dyn Process>>,
    flags: u32,
) -> Result<Core, StartError> {
    if shared.stopping.load(Ordering::Acquire) {
        return Err(StartError::RuntimeStopped);
    }
    let pid = shared.table.reserve().ok_or(StartError::TooManyProcesses)?;
    let core = Core::new(pid, Lineage::of(parent), kind, shared, options.initial);
    let leads = if options.leads { flag::LEADS } else { 0 };
    let before = core.flags.load(Ordering::Relaxed);
    // Nobody else sees it yet.
    core.flags
        .store(before | options.flags | leads | flags, Ordering::Relaxed);
    if let Some(callers) = &options.callers {
        core.relations.lock().set_callers(callers.clone());
    }
    Ok(core)
}

fn prepare<B: Behaviour>(options: &Options, flags: u32) -> Result<Prepared<B>, StartError> {
    let (shared, parent) = origin(options)?;
    let kind = options.kind.unwrap_or(shared.settings.default_kind);
    let system = if B::SYSTEM { flag::SYSTEM } else { 0 };
    let core = core(shared, options, kind, parent.as_ref(), flags | system)?;
    let (body, reference) = match kind {
        Kind::Pooled => {
            let pooled = Pooled::<B>::new(core, bound(options));
            let reference = pooled.reference();
            (Kinds::Pooled(pooled), reference)
        }
        Kind::Thread => {
            let thread = Thread::new(core, bound(options));
            let reference = thread.reference();
            (Kinds::Thread(thread), reference)
        }
    };
    let monitor = enrol(options, parent.as_ref(), &reference)?;
    Ok(Prepared {
        body,
        started: Started { reference, monitor },
    })
}

/// A process that is in the table and has not been started; dropped, it is taken out again.
struct Unborn<'a, M: Send + 'static>(&'a Ref<M>);

impl<M: Send + 'static> Drop for Unborn<'_, M> {
    fn drop(&mut self) {
        death::take_back(&self.0.process());
    }
}

/// Puts a process into the table, under its name, and links it.
fn enrol<M: Send + 'static>(
    options: &Options,
    parent: Option<&Arc<dyn Process>>,
    reference: &Ref<M>,
) -> Result<Option<MonitorRef>, StartError> {
    let core = reference.mailbox().core();
    let (shared, pid) = (&core.runtime, core.pid);
    if let Some(label) = &options.label {
        core.relations.lock().set_label(label.clone());
    }
    shared.table.insert(reference.process());
    let unborn = Unborn(reference);
    // 1. A shutdown says that the runtime stops. 2. It looks who is in the table. So a process that comes into the
    // table after 2 sees 1 here.
    if shared.stopping.load(Ordering::Acquire) {
        return Err(StartError::RuntimeStopped);
    }
    let named = match (&options.name, &options.via) {
        (Some(name), _) => {
            let process = reference.process();
            shared.names.register(name, &process, reference.clone())
        }
        (None, Some(via)) => via.claim(reference),
        (None, None) => Ok(()),
    };
    if let Err(error) = named {
        return Err(match error {
            RegisterError::Taken(pid) => StartError::AlreadyStarted(pid),
            _ => StartError::BadName,
        });
    }
    // A parent whose identity was cut has no links, and would never take the child with it.
    if let Some(parent) = parent
        && options.link
        && link::join(parent.core(), core) == Joined::ThisEnded
    {
        return Err(StartError::Exiting);
    }
    std::mem::forget(unborn);
    let monitor = match parent {
        Some(parent) if options.monitor => Some(monitor::monitor_by(parent, pid.into())),
        _ => None,
    };
    let parent = core.parent();
    shared.telemetry.emit(|| Spawned { pid, parent });
    Ok(monitor)
}
