//! Supervisors of tasks: tasks that fail alone, or outlive who started them.

use crate::behaviour::supervisor::{
    Begun, Child, ChildError, ChildKind, ChildSpec, ChildState, DynamicMsg, DynamicSupervisor,
    Restart, Shutdown, StartChildError, Then, begun, dynamic_supervisor,
};
use crate::behaviour::task::spec::{launch, options};
use crate::behaviour::task::{Spec, Task, spec};
use crate::pid::Pid;
use crate::process::dest::Dest;
use crate::process::start::Options;
use crate::process::{CallError, Name, Ref, StartError, current, link};
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
        let options = Options {
            link: true,
            ..options::<F>()
        };
        let begin = move |then: Then| {
            let run = run.clone();
            let job = launch(&options, move || run())?;
            then(Ok(()));
            Ok(begun(job))
        };
        dynamic_supervisor::start_any(supervisor, child(restart, begin))
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
    begin: impl FnMut(Then) -> Result<Begun, StartError> + Send + 'static,
) -> Child {
    let shutdown = Shutdown::Timeout(SHUTDOWN);
    let mut spec = ChildSpec::new("task".into(), ChildKind::Worker, shutdown);
    spec.restart = restart;
    Child::new(spec, Box::new(begin))
}

/// Whether a supervised task is linked to its owner too.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Linked,
    Unlinked,
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
        self.under(supervisor, Owner::Linked)
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
        self.under(supervisor, Owner::Unlinked)
    }

    /// [`TaskSupervisor::start_child`] with these options.
    ///
    /// # Errors
    /// As there.
    pub fn start_under(
        mut self,
        supervisor: &impl Dest<Msg = DynamicMsg>,
    ) -> Result<Pid, StartChildError> {
        self.options.link = true;
        let mut spec = Some(self);
        let begin = move |then: Then| {
            let spec = spec.take().ok_or(StartError::Ignored)?;
            let run = spec.run;
            let job = launch(&spec.options, move || drop(run()))?;
            then(Ok(()));
            Ok(begun(job))
        };
        dynamic_supervisor::start_any(supervisor, child(Restart::Temporary, begin))
    }

    /// The supervisor starts the process; in the same breath, before its first line runs, it is linked to its
    /// owner, and the owner's half of it is made, which the owner picks up when the supervisor has answered. An
    /// owner that ends in between leaves a task that nobody waits for, and if it was to be linked one that ends.
    fn under(
        mut self,
        supervisor: &impl Dest<Msg = DynamicMsg>,
        linked: Owner,
    ) -> Result<Task<T>, StartChildError> {
        let (owner, me) = (current::pid(), current::process());
        if linked == Owner::Linked && me.is_none() {
            return Err(StartChildError::Failed(StartError::NotAProcess));
        }
        let mut me = me.filter(|_| linked == Owner::Linked);
        self.options.link = true;
        let mut spec = Some(self);
        let handed: Arc<Mutex<Option<Task<T>>>> = Arc::default();
        let place = handed.clone();
        let begin = move |then: Then| {
            let spec = spec.take().ok_or(StartError::Ignored)?;
            let (job, task) =
                spec.own(owner, |job| me.take().is_none_or(|me| link::join(job, &me)))?;
            *place.lock() = Some(task);
            then(Ok(()));
            Ok(begun(job))
        };
        dynamic_supervisor::start_any(supervisor, child(Restart::Temporary, begin))?;
        let task = handed.lock().take();
        Ok(task.expect("a supervisor that answered has started the task"))
    }
}
