//! A task to be started, with its options.

use crate::behaviour::task::Task;
use crate::behaviour::task::job::Job;
use crate::pid::Pid;
use crate::process::behaviour::InitFn;
use crate::process::call::Pending;
use crate::process::core::Initial;
use crate::process::core::Process;
use crate::process::lineage::callers_from_here;
use crate::process::start::{self, Options};
use crate::process::{Kind, Ref, StartError, current};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::convert::Infallible;
use std::fmt;

/// A task that is about to be started. Made by [`spec`].
///
/// ```
/// use perennial::{process, task};
/// process::run::<(), _>(|_| {
///     let sum = task::spec(|| (1..=100).sum::<u32>()).pooled().label("sum").spawn().unwrap();
///     assert_eq!(sum.join(), Ok(5050));
/// }).unwrap();
/// ```
#[must_use = "a spec starts nothing until spawn, start or start_link"]
pub struct Spec<F> {
    pub(super) run: F,
    pub(super) options: Options,
}

/// A task to be started, with its options.
pub fn spec<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(run: F) -> Spec<F> {
    let options = options::<F>();
    Spec { run, options }
}

/// The options of a task that says nothing about any.
pub(super) fn options<F>() -> Options {
    Options {
        kind: Some(Kind::Thread),
        initial: Initial(std::any::type_name::<F>),
        ..Options::default()
    }
}

impl<F> Spec<F> {
    /// Runs it on the pool, for closures that compute and do not block: a start costs a fraction of a thread's.
    /// One that blocks on something outside the library holds a worker all the while.
    pub fn pooled(mut self) -> Self {
        self.options.kind = Some(Kind::Pooled);
        self
    }

    /// Runs it on a thread of its own, which is the default.
    pub fn thread(mut self) -> Self {
        self.options.kind = Some(Kind::Thread);
        self
    }

    /// What observers and crash reports call it.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.options.label = Some(label.into());
        self
    }
}

impl<T: Send + 'static, F: FnOnce() -> T + Send + 'static> Spec<F> {
    /// Starts it, linked to the process that runs on this thread, which owns it.
    ///
    /// # Errors
    /// `NotAProcess` on a plain thread; others as in [`StartError`].
    pub fn spawn(self) -> Result<Task<T>, StartError> {
        let (run, options) = (self.run, linked(self.options));
        let hire = |process: &_| own(process, current::pid(), Ok(()), run);
        let (_, task) = hired(&options, hire)?;
        Ok(task)
    }

    /// Starts it for its effect alone: nobody is linked to it, nobody waits for it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Pid, StartError> {
        let run = self.run;
        Ok(launch(&on_behalf(self.options), move || drop(run()))?.pid())
    }

    /// Starts it for its effect, linked to the process that runs on this thread.
    ///
    /// # Errors
    /// `NotAProcess` on a plain thread; others as in [`StartError`].
    pub fn start_link(mut self) -> Result<Pid, StartError> {
        self.options = linked(self.options);
        self.start()
    }
}

/// The process that runs on this thread is the newest caller of what is started so.
pub(super) fn on_behalf(options: Options) -> Options {
    Options {
        callers: callers_from_here(),
        ..options
    }
}

/// Linked to whoever starts it, besides.
pub(super) fn linked(options: Options) -> Options {
    Options {
        link: true,
        ..on_behalf(options)
    }
}

/// The two halves of a task: what its process runs, and what its owner holds. `taken_on` says why there is nothing to
/// run, if the owner has ended.
pub(super) fn own<T: Send + 'static>(
    process: &Arc<dyn Process>,
    owner: Pid,
    taken_on: Result<(), ExitReason>,
    run: impl FnOnce() -> T + Send + 'static,
) -> (InitFn<Job>, Task<T>) {
    let pending = Arc::new(Pending::new(process.clone(), None));
    let task = Task::running(pending.clone(), owner);
    match taken_on {
        Ok(()) => (Job::bring(pending, run), task),
        Err(reason) => (Job::orphaned(reason), task),
    }
}

/// Starts a process for whoever gets the other half of what `hire` makes, before its first line runs.
pub(super) fn hired<H>(
    options: &Options,
    hire: impl FnOnce(&Arc<dyn Process>) -> (InitFn<Job>, H),
) -> Result<(Ref<Infallible>, H), StartError> {
    let mut half = None;
    let started = start::spawn::<Job>(options, |job| {
        let (init, other) = hire(&job.process());
        half = Some(other);
        init
    })?;
    let half = half.expect("a process that was started had its first lines made");
    Ok((started.reference, half))
}

/// Starts a process that runs a closure, and of which nobody waits for a result.
pub(super) fn launch(
    options: &Options,
    run: impl FnOnce() + Send + 'static,
) -> Result<Ref<Infallible>, StartError> {
    let (job, ()) = hired(options, |_| (Job::init(run), ()))?;
    Ok(job)
}

impl<F> fmt::Debug for Spec<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec<{:?}>({:?})", self.options.initial, self.options)
    }
}
