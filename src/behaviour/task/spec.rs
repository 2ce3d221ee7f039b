//! A task to be started, with its options.

use crate::behaviour::task::Task;
use crate::behaviour::task::job::Job;
use crate::pid::Pid;
use crate::process::call::Pending;
use crate::process::core::Process;
use crate::process::start::{self, Options};
use crate::process::{Kind, Ref, StartError, current};
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
        initial: std::any::type_name::<F>(),
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
    pub fn spawn(mut self) -> Result<Task<T>, StartError> {
        self.options.link = true;
        let (_, task) = self.own(current::pid(), |_| true)?;
        Ok(task)
    }

    /// Starts it for its effect alone: nobody is linked to it, nobody waits for it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Pid, StartError> {
        self.forget()
    }

    /// Starts it for its effect, linked to the process that runs on this thread.
    ///
    /// # Errors
    /// `NotAProcess` on a plain thread; others as in [`StartError`].
    pub fn start_link(mut self) -> Result<Pid, StartError> {
        self.options.link = true;
        self.forget()
    }

    /// Starts it for an owner. `join` may link the two before the first line runs; where it answers `false` the
    /// owner has ended, and nothing runs.
    pub(super) fn own(
        self,
        owner: Pid,
        join: impl FnOnce(&Arc<dyn Process>) -> bool,
    ) -> Result<(Ref<Infallible>, Task<T>), StartError> {
        let mut task = None;
        let started = start::spawn::<Job>(&self.options, |job| {
            let process = job.process();
            let owned = join(&process);
            let pending = Arc::new(Pending::new(process, None));
            task = Some(Task::running(pending.clone(), owner));
            if owned {
                Job::bring(pending, self.run)
            } else {
                Job::init(|| {})
            }
        })?;
        let task = task.expect("a process that was started had its first lines made");
        Ok((started.reference, task))
    }

    fn forget(self) -> Result<Pid, StartError> {
        let run = self.run;
        Ok(launch(&self.options, move || drop(run()))?.pid())
    }
}

/// Starts a process that runs a closure, and of which nobody waits for a result.
pub(super) fn launch(
    options: &Options,
    run: impl FnOnce() + Send + 'static,
) -> Result<Ref<Infallible>, StartError> {
    Ok(start::spawn::<Job>(options, |_| Job::init(run))?.reference)
}

impl<F> fmt::Debug for Spec<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec<{}>({:?})", self.options.initial, self.options)
    }
}
