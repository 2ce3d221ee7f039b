//! Processes that run a closure: on a thread of their own, or on the thread that is there.

use crate::pid::MonitorRef;
use crate::process::core::{Initial, Process, flag};
use crate::process::current;
use crate::process::death::{self, End};
use crate::process::error::StartError;
use crate::process::receive::ThreadContext;
use crate::process::reference::Ref;
use crate::process::start::{self, Options};
use crate::process::thread::Thread;
use crate::process::unwind::{self, By};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Starts a process that runs `main` on a thread of its own, and returns at once.
///
/// It ends with `Normal` when `main` returns, with `Panic` when that panics. If no thread is to be had the
/// process is dead from the beginning; [`try_spawn`] says why.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process;
/// let echo = process::spawn::<(u32, ReplyTo<u32>)>(|cx| {
///     while let Some((n, reply)) = cx.receive().message() {
///         reply.send(n);
///     }
/// });
/// assert_eq!(echo.call(|reply| (7, reply)), Ok(7));
/// ```
pub fn spawn<M: Send + 'static>(
    main: impl FnOnce(&mut ThreadContext<M>) + Send + 'static,
) -> Ref<M> {
    let options = options(&main);
    match prepare(&options) {
        Ok((thread, _)) => {
            let reference = thread.reference();
            // A process that found no thread is dead, and whoever looks can see that.
            drop(launch(&thread, main));
            reference
        }
        Err(error) => unborn(&options, &error),
    }
}

/// [`spawn`] that says why no process could be started.
///
/// # Errors
/// `TooManyThreads` or `TooManyProcesses` if there is no more to be had, `RuntimeStopped` at the end.
pub fn try_spawn<M: Send + 'static>(
    main: impl FnOnce(&mut ThreadContext<M>) + Send + 'static,
) -> Result<Ref<M>, StartError> {
    let (thread, _) = prepare(&options(&main))?;
    launch(&thread, main)?;
    Ok(thread.reference())
}

/// Starts a process that is linked to the one that runs on this thread.
///
/// # Errors
/// `NotAProcess` on a plain thread; `TooManyThreads` if there is no more to be had.
pub fn spawn_link<M: Send + 'static>(
    main: impl FnOnce(&mut ThreadContext<M>) + Send + 'static,
) -> Result<Ref<M>, StartError> {
    let (thread, _) = prepare(&Options {
        link: true,
        ..options(&main)
    })?;
    launch(&thread, main)?;
    Ok(thread.reference())
}

/// [`spawn_link`] for a process that leads a group of its own, and that sees to it itself that those end whom it has
/// started when it is told to.
pub(crate) fn spawn_leader<M: Send + 'static>(
    main: impl FnOnce(&mut ThreadContext<M>) + Send + 'static,
) -> Result<Ref<M>, StartError> {
    let (thread, _) = prepare(&Options {
        link: true,
        leads: true,
        flags: flag::SUPERVISOR,
        ..options(&main)
    })?;
    launch(&thread, main)?;
    Ok(thread.reference())
}

/// Starts a process that the one which runs on this thread monitors.
///
/// # Errors
/// As [`spawn_link`].
pub fn spawn_monitor<M: Send + 'static>(
    main: impl FnOnce(&mut ThreadContext<M>) + Send + 'static,
) -> Result<(Ref<M>, MonitorRef), StartError> {
    let (thread, monitor) = prepare(&Options {
        monitor: true,
        ..options(&main)
    })?;
    launch(&thread, main)?;
    match monitor {
        Some(monitor) => Ok((thread.reference(), monitor)),
        None => Err(StartError::NotAProcess),
    }
}

/// Makes this thread a process for as long as `main` runs.
///
/// # Errors
/// The reason for which the process ended, if `main` did not return; `StartError::Exiting` as the reason if this
/// is a destructor of a process that leaves.
///
/// # Panics
/// If the current runtime is shutting down or holds as many processes as it can, and if this thread runs a
/// process already.
///
/// ```
/// use perennial::{ExitReason, process};
/// let died = process::run::<(), _>(|cx| {
///     process::spawn_link::<()>(|cx| cx.exit(ExitReason::other("gone")));
///     cx.receive();
/// });
/// assert_eq!(died, Err(ExitReason::other("gone")));
/// ```
pub fn run<M: Send + 'static, T>(
    main: impl FnOnce(&mut ThreadContext<M>) -> T,
) -> Result<T, ExitReason> {
    if current::leaving() {
        // A panic in a destructor that runs during an unwind would abort the program.
        return Err(ExitReason::other(StartError::Exiting));
    }
    assert!(
        current::process().is_none(),
        "process::run on a thread that runs a process"
    );
    let thread = match prepare(&options(&main)) {
        Ok((thread, _)) => thread,
        Err(error) => panic!("process::run: {error}"),
    };
    let mut value = None;
    let reason = body(&thread, |cx| value = Some(main(cx)));
    match value {
        Some(value) if reason == ExitReason::Normal => Ok(value),
        _ => Err(reason),
    }
}

fn options<F>(_main: &F) -> Options {
    Options {
        initial: Initial(std::any::type_name::<F>),
        ..Options::default()
    }
}

fn prepare<M: Send + 'static>(
    options: &Options,
) -> Result<(Arc<Thread<M>>, Option<MonitorRef>), StartError> {
    current::checkpoint();
    start::prepare_thread(options)
}

fn launch<M: Send + 'static>(
    thread: &Arc<Thread<M>>,
    main: impl FnOnce(&mut ThreadContext<M>) + Send + 'static,
) -> Result<(), StartError> {
    let running = thread.clone();
    start::launch_thread(thread, move || drop(body(&running, main)))
}

/// Runs a closure as a process, from its first line to the end of the death path; why it ended.
fn body<M: Send + 'static>(
    thread: &Arc<Thread<M>>,
    main: impl FnOnce(&mut ThreadContext<M>),
) -> ExitReason {
    let mut cx = ThreadContext::new(thread.clone());
    let process: Arc<dyn Process> = cx.process();
    let _entered = current::enter(process.clone());
    let ran = catch_unwind(AssertUnwindSafe(|| {
        current::checkpoint();
        main(&mut cx);
        // A signal that came before the return counts: the process was told to end before it did.
        current::checkpoint();
    }));
    let end = match ran.map_err(unwind::reason_of) {
        Ok(()) => End::by_itself(ExitReason::Normal),
        Err((reason, By::Itself)) => End::by_itself(reason),
        Err((reason, By::Signal)) => End::by_signal(reason),
    };
    let mut saved = VecDeque::new();
    let reason = death::die(&process, end, || saved = cx.into_saved());
    crate::process::pooled::close_entries(saved, &reason);
    reason
}

/// A reference to a process that could not even be given a pid of its own.
fn unborn<M: Send + 'static>(options: &Options, error: &StartError) -> Ref<M> {
    log::error!(target: "perennial::process", "spawn of {:?}: {error}", options.initial);
    start::dead(options)
}
