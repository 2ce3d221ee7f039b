//! The result of a task, as its owner holds it.

use crate::behaviour::task::{TaskError, spec};
use crate::pid::Pid;
use crate::process::call::{self, Pending, PendingCall, Watched};
use crate::process::core::Process;
use crate::process::{StartError, current, exit, link, wait};
use crate::reason::ExitReason;
use crate::sync::{Arc, Parker};
use std::fmt;
use std::time::{Duration, Instant};

/// How long [`Task::join`] waits, and how long [`Task::shutdown`] lets a task be: Elixir's five seconds.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// A computation in a process of its own. See the [module](crate::behaviour::task) for an example.
///
/// Dropped, the task runs on, still linked to its owner, and its result is forgotten.
#[must_use = "a task whose result nobody needs is started with Task::start"]
pub struct Task<T: Send + 'static> {
    owner: Pid,
    pid: Option<Pid>,
    state: State<T>,
}

enum State<T: Send + 'static> {
    Running(Watched<T>),
    Completed(T),
    Taken,
}

impl<T: Send + 'static> Task<T> {
    /// Starts a task on a thread of its own, linked to the process that runs on this thread: Elixir's
    /// `Task.async`.
    ///
    /// # Errors
    /// `NotAProcess` on a plain thread: see [`process::run`](crate::process::run). `TooManyThreads` if there is
    /// no more to be had.
    ///
    /// ```
    /// use perennial::{Task, process};
    /// process::run::<(), _>(|_| {
    ///     let tasks = ["a", "bc"].map(|word| Task::spawn(move || word.len()).unwrap());
    ///     let lengths = tasks.map(|task| task.join().unwrap());
    ///     assert_eq!(lengths, [1, 2]);
    /// }).unwrap();
    /// ```
    pub fn spawn<F: FnOnce() -> T + Send + 'static>(run: F) -> Result<Task<T>, StartError> {
        spec(run).spawn()
    }

    /// A task that has its result already, without any process.
    ///
    /// ```
    /// let cached = perennial::Task::completed(7);
    /// assert_eq!(cached.join(), Ok(7));
    /// ```
    pub fn completed(value: T) -> Task<T> {
        Task {
            owner: current::pid(),
            pid: None,
            state: State::Completed(value),
        }
    }

    pub(super) fn running(pending: Arc<Pending<T>>, owner: Pid) -> Task<T> {
        Task {
            owner,
            pid: Some(pending.target().core().pid),
            // It has not run yet, but a kill may have been there first.
            state: State::Running(Watched::new(pending)),
        }
    }

    /// The process of the task; `None` if it was [completed](Task::completed) from the beginning.
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Who may wait for it: the process that started it, [`Pid::INIT`] for any plain thread.
    pub fn owner(&self) -> Pid {
        self.owner
    }

    /// Waits for the result, five seconds at most: Elixir's `Task.await`, with an error in place of an exit.
    ///
    /// # Errors
    /// `Timeout`: the task runs on, and its result will be dropped. `Exit`: it ended without one; an owner that
    /// is linked to it and does not trap exits ends here instead, with the same reason.
    ///
    /// ```
    /// use perennial::{Task, TaskError, process};
    /// process::run::<(), _>(|_| {
    ///     process::trap_exit(true).unwrap();
    ///     let task = Task::spawn(|| panic!("out of paper")).unwrap();
    ///     assert!(matches!(task.join(), Err::<(), _>(TaskError::Exit(_))));
    /// }).unwrap();
    /// ```
    pub fn join(self) -> Result<T, TaskError> {
        self.join_for(TIMEOUT)
    }

    /// [`join`](Task::join) with a timeout of one's own; [`Duration::MAX`] is for ever.
    ///
    /// # Errors
    /// As [`join`](Task::join).
    pub fn join_for(mut self, timeout: Duration) -> Result<T, TaskError> {
        self.yield_for(timeout).unwrap_or(Err(TaskError::Timeout))
    }

    /// Waits for the result, so long at most, and may be repeated: `None` if it is not there yet. With
    /// [`Duration::ZERO`] only looks.
    ///
    /// Once it gave the result, or said why there will be none, it says `Exit(NoProc)`.
    ///
    /// ```
    /// use perennial::{Task, process};
    /// use std::time::Duration;
    /// process::run::<(), _>(|_| {
    ///     let (send, receive) = std::sync::mpsc::channel();
    ///     let mut task = Task::spawn(move || receive.recv().unwrap()).unwrap();
    ///     assert_eq!(task.yield_for(Duration::ZERO), None);
    ///     send.send("late").unwrap();
    ///     assert_eq!(task.join(), Ok("late"));
    /// }).unwrap();
    /// ```
    pub fn yield_for(&mut self, timeout: Duration) -> Option<Result<T, TaskError>> {
        if let Err(error) = self.check_owner() {
            return Some(Err(error));
        }
        let State::Running(watched) = &self.state else {
            return Some(self.take());
        };
        let pending = watched.pending.clone();
        let answer = if timeout.is_zero() {
            call::taken(&pending)
        } else {
            let clock = &pending.target().core().runtime.clock;
            match wait(&pending, clock.now().checked_add(timeout)) {
                Ok(answer) => Some(answer),
                Err(TaskError::Timeout) => None,
                Err(error) => return Some(Err(error)),
            }
        };
        let answer = answer?;
        self.state = State::Taken;
        // A linked owner that the end of the task ends does not get to see its reason.
        current::checkpoint();
        Some(answer.map_err(TaskError::from))
    }

    /// Unlinks the task and asks it to end; one that has not after five seconds is killed. Then looks for a
    /// result once more.
    ///
    /// `Some(Ok(value))` if there was one, `None` if the task was stopped by this, `Some(Err(Exit(reason)))` if
    /// it ended for another reason: `Killed` if it would not stop.
    ///
    /// ```
    /// use perennial::{Task, process};
    /// use std::time::Duration;
    /// process::run::<(), _>(|_| {
    ///     let mut task = Task::spawn(|| process::sleep(Duration::from_secs(3600))).unwrap();
    ///     let result = task.yield_for(Duration::from_millis(1)).or_else(|| task.shutdown());
    ///     assert_eq!(result, None);
    /// }).unwrap();
    /// ```
    pub fn shutdown(self) -> Option<Result<T, TaskError>> {
        self.shutdown_for(TIMEOUT)
    }

    /// [`shutdown`](Task::shutdown) with a time of one's own for the task to end by itself; [`Duration::MAX`] is
    /// for ever.
    pub fn shutdown_for(mut self, timeout: Duration) -> Option<Result<T, TaskError>> {
        self.end(ExitReason::Shutdown, timeout)
    }

    /// [`shutdown`](Task::shutdown) by killing it at once.
    pub fn brutal_kill(mut self) -> Option<Result<T, TaskError>> {
        self.end(ExitReason::Kill, Duration::MAX)
    }

    /// Lets the task go: it runs on, unlinked, and its result is dropped. What has come until now comes back.
    ///
    /// ```
    /// use perennial::{Task, process};
    /// process::run::<(), _>(|_| {
    ///     let task = Task::spawn(|| process::sleep(std::time::Duration::from_millis(1))).unwrap();
    ///     let pid = task.pid().unwrap();
    ///     task.ignore();
    ///     process::watch(pid).wait(std::time::Duration::from_secs(5)).unwrap();
    /// }).unwrap();
    /// ```
    pub fn ignore(mut self) -> Option<Result<T, TaskError>> {
        self.let_go()
    }

    /// [`ignore`](Task::ignore): a task that has no result by now never will.
    pub(super) fn let_go(&mut self) -> Option<Result<T, TaskError>> {
        if let Err(error) = self.check_owner() {
            return Some(Err(error));
        }
        if let (Some(owner), Some(pid)) = (current::process(), self.pid) {
            link::unlink_from(&owner, pid);
        }
        let result = self.yield_for(Duration::ZERO);
        self.state = State::Taken;
        result
    }

    pub(super) fn check_owner(&self) -> Result<(), TaskError> {
        let caller = current::pid();
        if caller == self.owner {
            return Ok(());
        }
        Err(TaskError::NotOwner {
            owner: self.owner,
            caller,
        })
    }

    /// Equals `true` if there is no need to wait for what comes of it.
    pub(super) fn is_through(&self) -> bool {
        match &self.state {
            State::Running(watched) if self.owner == current::pid() => {
                watched.pending.slot.is_done()
            }
            _ => true,
        }
    }

    /// Leaves a parker with the task, which is unparked when it is through.
    pub(super) fn leave(&self, parker: &Arc<Parker>) {
        if let State::Running(watched) = &self.state {
            watched.pending.slot.park_with(parker);
        }
    }

    /// Kills the task, and leaves its owner alone.
    pub(super) fn doom(&self) {
        if let State::Running(watched) = &self.state
            && self.owner == current::pid()
        {
            let task = watched.pending.target();
            if let Some(owner) = current::process() {
                link::part(&owner, task.core().pid);
            }
            exit::kill(task);
        }
    }

    /// What a task that does not run any more has left.
    pub(super) fn take(&mut self) -> Result<T, TaskError> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Completed(value) => Ok(value),
            _ => Err(TaskError::Exit(ExitReason::NoProc)),
        }
    }

    pub(super) fn end(
        &mut self,
        with: ExitReason,
        timeout: Duration,
    ) -> Option<Result<T, TaskError>> {
        if let Err(error) = self.check_owner() {
            return Some(Err(error));
        }
        let State::Running(watched) = &self.state else {
            return Some(self.take());
        };
        let pending = watched.pending.clone();
        let task = pending.target().clone();
        let deadline = task.core().runtime.clock.now().checked_add(timeout);
        let sender = Sender {
            task: &task,
            signal: with.clone(),
        };
        if let Some(owner) = current::process() {
            link::unlink_from(&owner, task.core().pid);
        }
        drop(sender);
        let (answer, stopped_with) = match wait(&pending, deadline) {
            Ok(answer) => (answer, stopped_with(&with)),
            Err(TaskError::Timeout) => {
                exit::kill(&task);
                match wait(&pending, None) {
                    Ok(answer) => (answer, ExitReason::Shutdown),
                    Err(error) => return Some(Err(error)),
                }
            }
            Err(error) => return Some(Err(error)),
        };
        self.state = State::Taken;
        match answer.map_err(TaskError::from) {
            Err(TaskError::Exit(reason)) if reason == stopped_with => None,
            other => Some(other),
        }
    }
}

/// The reason with which a task ends that does as a signal says.
fn stopped_with(signal: &ExitReason) -> ExitReason {
    match signal {
        ExitReason::Kill => ExitReason::Killed,
        other => other.clone(),
    }
}

/// Sends a task the signal to end when it is dropped: an owner that is ended itself between taking its link back
/// and sending the signal must not leave the task behind.
struct Sender<'a> {
    task: &'a Arc<dyn Process>,
    signal: ExitReason,
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        if self.signal == ExitReason::Kill {
            exit::kill(self.task);
        } else {
            exit::send(self.task, current::pid(), self.signal.clone());
        }
    }
}

/// Waits until a task has brought its result or ended; the error says why there is no knowing yet.
fn wait<T: Send + 'static>(
    pending: &Arc<Pending<T>>,
    deadline: Option<Instant>,
) -> Result<Result<T, crate::process::CallError>, TaskError> {
    if let Some(answer) = call::taken(pending) {
        return Ok(answer);
    }
    if current::leaving() {
        return Err(TaskError::Exiting);
    }
    wait::for_result(pending, deadline).map_err(TaskError::from)
}

impl Task<()> {
    /// Starts a task for its effect alone, on a thread of its own: nobody is linked to it, nobody waits for it.
    ///
    /// # Errors
    /// See [`StartError`].
    ///
    /// ```
    /// use perennial::{Task, process};
    /// let pid = Task::start(|| println!("done")).unwrap();
    /// process::watch(pid).wait(std::time::Duration::from_secs(5)).unwrap();
    /// ```
    pub fn start<R: Send + 'static, F: FnOnce() -> R + Send + 'static>(
        run: F,
    ) -> Result<Pid, StartError> {
        spec(run).start()
    }

    /// Starts a task for its effect, linked to the process that runs on this thread.
    ///
    /// # Errors
    /// `NotAProcess` on a plain thread; others as in [`StartError`].
    pub fn start_link<R: Send + 'static, F: FnOnce() -> R + Send + 'static>(
        run: F,
    ) -> Result<Pid, StartError> {
        spec(run).start_link()
    }
}

impl<T: Send + 'static> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "Task({pid})"),
            None => f.write_str("Task(completed)"),
        }
    }
}
