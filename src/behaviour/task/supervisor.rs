//! Supervisors of tasks: tasks that fail alone, or outlive who started them.

use crate::behaviour::supervisor::{
    Begun, Child, ChildError, ChildKind, ChildSpec, ChildState, DynamicMsg, DynamicSupervisor,
    Restart, Shutdown, StartChildError, dynamic_supervisor, is_up,
};
use crate::behaviour::task::job::Job;
use crate::behaviour::task::owner::{Bond, Owner};
use crate::behaviour::task::spec::{hired, launch, linked, options, own};
use crate::behaviour::task::stream::{Place, StreamSpec};
use crate::behaviour::task::{Spec, Task, spec};
use crate::pid::Pid;
use crate::process::behaviour::InitFn;
use crate::process::core::Process;
use crate::process::dest::Dest;
use crate::process::start::Options;
use crate::process::{CallError, Name, Ref, StartError};
use crate::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a task has to end when its supervisor does: OTP's five seconds.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// A supervisor of tasks to be started: a [`DynamicSupervisor`] whose children run closures.
///
/// ```
/// use perennial::{TaskError, TaskSupervisor, process};
/// let tasks = TaskSupervisor::new().start().unwrap();
/// process::run::<(), _>(|_| {
///     let risky = TaskSupervisor::spawn_nolink(&tasks, || -> u32 { panic!("out of paper") });
///     assert!(matches!(risky.unwrap().join(), Err(TaskError::Exit(_))));
/// }).unwrap();
/// perennial::supervisor::stop(&tasks).unwrap();
/// ```
///
/// # How it dies
/// As any supervisor; all its tasks are told to end at once.
#[derive(Clone, Debug, Default)]
#[must_use = "a supervisor starts nothing until start or start_link"]
pub struct TaskSupervisor(DynamicSupervisor);

impl TaskSupervisor {
    /// A supervisor without tasks and without a limit to them.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tasks there may be at once.
    pub fn max_children(self, max: usize) -> Self {
        TaskSupervisor(self.0.max_children(max))
    }

    /// Gives up when there are more than `restarts` restarts within `period`; only tasks of
    /// [`start_child_with`](TaskSupervisor::start_child_with) are ever restarted. Default: 3 in 5 seconds.
    pub fn intensity(self, restarts: usize, period: Duration) -> Self {
        TaskSupervisor(self.0.intensity(restarts, period))
    }

    /// Registers the supervisor under a name.
    ///
    /// ```
    /// use perennial::{Name, TaskSupervisor, supervisor::DynamicMsg};
    /// static TASKS: Name<DynamicMsg> = Name::new("tasks");
    /// let supervisor = TaskSupervisor::new().name(&TASKS).start().unwrap();
    /// TaskSupervisor::start_child(&TASKS, || println!("done")).unwrap();
    /// # perennial::supervisor::stop(&supervisor).unwrap();
    /// ```
    pub fn name(self, name: &Name<DynamicMsg>) -> Self {
        TaskSupervisor(self.0.name(name))
    }

    /// What observers and crash reports call it.
    pub fn label(self, label: impl Into<Arc<str>>) -> Self {
        TaskSupervisor(self.0.label(label))
    }

    /// Starts it without a link.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Ref<DynamicMsg>, StartError> {
        self.0.start()
    }

    /// Starts it linked to the process that runs on this thread.
    ///
    /// # Errors
    /// See [`StartError`]; `NotAProcess` on a plain thread.
    pub fn start_link(self) -> Result<Ref<DynamicMsg>, StartError> {
        self.0.start_link()
    }

    /// This supervisor as a child of another.
    pub fn child(self, id: impl Into<Arc<str>>) -> Child {
        self.0.child(id)
    }

    /// Starts a task under the supervisor, linked to the process that runs on this thread, which owns it.
    ///
    /// # Errors
    /// `Failed(NotAProcess)` on a plain thread; `MaxChildren` if there are as many tasks as allowed.
    pub fn spawn<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        run: F,
    ) -> Result<Task<T>, StartChildError> {
        spec(run).spawn_under(supervisor)
    }

    /// Starts a task under the supervisor and not linked to its owner, who is told of a crash only by the result.
    /// A plain thread may own one too.
    ///
    /// # Errors
    /// `MaxChildren` if there are as many tasks as allowed.
    pub fn spawn_nolink<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        run: F,
    ) -> Result<Task<T>, StartChildError> {
        spec(run).spawn_nolink_under(supervisor)
    }

    /// Starts a task for its effect alone.
    ///
    /// # Errors
    /// `MaxChildren` if there are as many tasks as allowed.
    pub fn start_child<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        run: F,
    ) -> Result<Pid, StartChildError> {
        spec(run).start_under(supervisor)
    }

    /// Starts a task for its effect, and starts it again when it ends as `restart` says.
    ///
    /// # Errors
    /// `MaxChildren` if there are as many tasks as allowed.
    ///
    /// ```
    /// use perennial::{TaskSupervisor, process, supervisor::Restart};
    /// let tasks = TaskSupervisor::new().start().unwrap();
    /// TaskSupervisor::start_child_with(&tasks, Restart::Transient, || {
    ///     println!("started again if this panics");
    /// }).unwrap();
    /// # perennial::supervisor::stop(&tasks).unwrap();
    /// ```
    pub fn start_child_with<F: Fn() + Send + Sync + 'static>(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        restart: Restart,
        run: F,
    ) -> Result<Pid, StartChildError> {
        let run = Arc::new(run);
        let options = linked(options::<F>());
        let begin = move || {
            let run = run.clone();
            Ok(is_up(launch(&options, move || run())?))
        };
        dynamic_supervisor::start_any(supervisor, child(restart, begin))
    }

    /// [`task::stream`](fn@crate::task::stream) with its tasks under the supervisor: Elixir's
    /// `Task.Supervisor.async_stream`. The crash of one ends a consumer that does not trap exits.
    ///
    /// The supervisor is asked for each task, which makes one more trip to it per item. One that is full ends the
    /// stream with [`StreamError::Start`](crate::task::StreamError::Start).
    ///
    /// ```
    /// use perennial::{TaskSupervisor, process};
    /// let tasks = TaskSupervisor::new().start().unwrap();
    /// process::run::<(), _>(|_| {
    ///     let lengths = TaskSupervisor::stream(&tasks, ["a", "bc"], str::len).build().unwrap();
    ///     assert_eq!(lengths.collect::<Result<Vec<_>, _>>(), Ok(vec![1, 2]));
    /// }).unwrap();
    /// # perennial::supervisor::stop(&tasks).unwrap();
    /// ```
    pub fn stream<D, J, T, F>(supervisor: D, input: J, run: F) -> StreamSpec<J::IntoIter, T, D>
    where
        D: Dest<Msg = DynamicMsg>,
        J: IntoIterator,
        F: Fn(J::Item) -> T + Send + Sync + 'static,
    {
        StreamSpec::new(Place::Under(supervisor), Bond::Linked, input, run)
    }

    /// [`stream`](TaskSupervisor::stream) whose consumer outlives the crash of a task, and gets it as an item. A plain
    /// thread may consume it too.
    ///
    /// ```
    /// use perennial::TaskSupervisor;
    /// let tasks = TaskSupervisor::new().start().unwrap();
    /// let divide = |n: u32| 12 / n;
    /// let results = TaskSupervisor::stream_nolink(&tasks, [1, 0, 3], divide).build().unwrap();
    /// let good: Vec<u32> = results.filter_map(Result::ok).collect();
    /// assert_eq!(good, [12, 4]);
    /// # perennial::supervisor::stop(&tasks).unwrap();
    /// ```
    pub fn stream_nolink<D, J, T, F>(
        supervisor: D,
        input: J,
        run: F,
    ) -> StreamSpec<J::IntoIter, T, D>
    where
        D: Dest<Msg = DynamicMsg>,
        J: IntoIterator,
        F: Fn(J::Item) -> T + Send + Sync + 'static,
    {
        StreamSpec::new(Place::Under(supervisor), Bond::Unlinked, input, run)
    }

    /// The tasks that run.
    ///
    /// # Errors
    /// As any call.
    pub fn children(supervisor: &impl Dest<Msg = DynamicMsg>) -> Result<Vec<Pid>, CallError> {
        let all = dynamic_supervisor::which_children(supervisor)?;
        let running = all.iter().filter_map(|child| match child.state {
            ChildState::Running(pid) => Some(pid),
            _ => None,
        });
        Ok(running.collect())
    }

    /// Stops a task.
    ///
    /// # Errors
    /// See [`ChildError`].
    pub fn terminate_child(
        supervisor: &impl Dest<Msg = DynamicMsg>,
        task: Pid,
    ) -> Result<(), ChildError> {
        dynamic_supervisor::terminate_child(supervisor, task)
    }
}

/// A task as a child. It is linked to its supervisor, which starts it.
fn child(
    restart: Restart,
    begin: impl FnMut() -> Result<Begun, StartError> + Send + 'static,
) -> Child {
    let shutdown = Shutdown::Timeout(SHUTDOWN);
    let mut spec = ChildSpec::new("task".into(), ChildKind::Worker, shutdown);
    spec.restart = restart;
    Child::new(spec, begin)
}

impl<T: Send + 'static, F: FnOnce() -> T + Send + 'static> Spec<F> {
    /// [`TaskSupervisor::spawn`] with these options.
    ///
    /// # Errors
    /// As there.
    pub fn spawn_under(
        self,
        supervisor: &impl Dest<Msg = DynamicMsg>,
    ) -> Result<Task<T>, StartChildError> {
        self.under(supervisor, Bond::Linked)
    }

    /// [`TaskSupervisor::spawn_nolink`] with these options.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use perennial::{TaskSupervisor, task};
    /// let tasks = TaskSupervisor::new().start().unwrap();
    /// let sum = task::spec(|| (1..=100).sum::<u32>()).pooled().spawn_nolink_under(&tasks).unwrap();
    /// assert_eq!(sum.join(), Ok(5050));
    /// # perennial::supervisor::stop(&tasks).unwrap();
    /// ```
    pub fn spawn_nolink_under(
        self,
        supervisor: &impl Dest<Msg = DynamicMsg>,
    ) -> Result<Task<T>, StartChildError> {
        self.under(supervisor, Bond::Unlinked)
    }

    /// [`TaskSupervisor::start_child`] with these options.
    ///
    /// # Errors
    /// As there.
    pub fn start_under(
        self,
        supervisor: &impl Dest<Msg = DynamicMsg>,
    ) -> Result<Pid, StartChildError> {
        let run = self.run;
        let hire = move |process: &Arc<dyn Process>| {
            let pid = process.core().pid;
            (Job::init(move || drop(run())), pid)
        };
        hired_under(supervisor, self.options, hire)
    }

    /// An owner that ends before the task begins leaves a task that does nothing.
    fn under(
        self,
        supervisor: &impl Dest<Msg = DynamicMsg>,
        bond: Bond,
    ) -> Result<Task<T>, StartChildError> {
        let owner = Owner::here(bond).map_err(StartChildError::Failed)?;
        let run = self.run;
        let hire = move |process: &_| own(process, owner.pid, owner.take_on(process), run);
        hired_under(supervisor, self.options, hire)
    }
}

/// Has the supervisor start a process; in the same breath, before its first line runs, `hire` makes the half of it that
/// its owner picks up when the supervisor has answered.
pub(super) fn hired_under<H: Send + 'static>(
    supervisor: &impl Dest<Msg = DynamicMsg>,
    options: Options,
    hire: impl FnOnce(&Arc<dyn Process>) -> (InitFn<Job>, H) + Send + 'static,
) -> Result<H, StartChildError> {
    let options = linked(options);
    let mut hire = Some(hire);
    let handed: Arc<Mutex<Option<H>>> = Arc::default();
    let place = handed.clone();
    let begin = move || {
        let hire = hire.take().ok_or(StartError::Ignored)?;
        let (job, half) = hired(&options, hire)?;
        *place.lock() = Some(half);
        Ok(is_up(job))
    };
    dynamic_supervisor::start_any(supervisor, child(Restart::Temporary, begin))?;
    let half = handed.lock().take();
    Ok(half.expect("a supervisor that answered has started the task"))
}
