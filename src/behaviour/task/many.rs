//! Several tasks, waited for together: with one deadline for all.

use crate::behaviour::task::TaskError;
use crate::behaviour::task::result::{TIMEOUT, Task};
use crate::process::{runtime, wait};
use crate::reason::ExitReason;
use crate::sync::{Arc, Parker};
use std::time::{Duration, Instant};

/// What [`Task::yield_many`] does with a task that has no result when the time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnYieldTimeout {
    /// Nothing: it may be waited for again.
    #[default]
    Nothing,
    /// It is let go, as by [`Task::ignore`].
    Ignore,
    /// It is killed, as by [`Task::brutal_kill`].
    KillTask,
}

/// How long [`Task::yield_many`] waits, for how many, and what happens to the rest.
///
/// ```
/// use perennial::task::{OnYieldTimeout, YieldMany};
/// use std::time::{Duration, Instant};
/// let first_of_them = YieldMany::new().limit(1).timeout(Duration::from_millis(100));
/// let all_or_none = YieldMany::new().on_timeout(OnYieldTimeout::KillTask);
/// # let _ = (first_of_them, all_or_none);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct YieldMany {
    timeout: Duration,
    limit: usize,
    on_timeout: OnYieldTimeout,
}

impl Default for YieldMany {
    fn default() -> Self {
        Self::new()
    }
}

impl YieldMany {
    /// Five seconds, for all of them, and whoever has no result by then is left alone.
    pub fn new() -> Self {
        YieldMany {
            timeout: TIMEOUT,
            limit: usize::MAX,
            on_timeout: OnYieldTimeout::default(),
        }
    }

    /// How long to wait for all together; [`Duration::MAX`] is for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// For how many to wait: when so many have a result or have failed, the rest is not waited for, and nothing happens
    /// to it.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// What happens to those that have no result in time.
    pub fn on_timeout(mut self, on_timeout: OnYieldTimeout) -> Self {
        self.on_timeout = on_timeout;
        self
    }
}

impl<T: Send + 'static> Task<T> {
    /// Waits for the results of all, five seconds for all together: Elixir's `Task.await_many`. They come in the order
    /// of the tasks. At once, if there are no tasks.
    ///
    /// # Errors
    /// As [`join`](Task::join), of the first task that fails, as soon as it does. The others run on, and their results
    /// are dropped.
    ///
    /// ```
    /// use perennial::{Task, process};
    /// process::run::<(), _>(|_| {
    ///     let tasks = [1, 2, 3].map(|n| Task::spawn(move || n * n).unwrap());
    ///     assert_eq!(Task::join_many(tasks), Ok(vec![1, 4, 9]));
    /// }).unwrap();
    /// ```
    pub fn join_many(tasks: impl IntoIterator<Item = Task<T>>) -> Result<Vec<T>, TaskError> {
        Self::join_many_for(tasks, TIMEOUT)
    }

    /// [`join_many`](Task::join_many) with a timeout of one's own; [`Duration::MAX`] is for ever.
    ///
    /// # Errors
    /// As there.
    pub fn join_many_for(
        tasks: impl IntoIterator<Item = Task<T>>,
        timeout: Duration,
    ) -> Result<Vec<T>, TaskError> {
        let mut tasks: Vec<Task<T>> = tasks.into_iter().collect();
        for task in &tasks {
            task.check_owner()?;
        }
        let mut round = Round::new(tasks.len());
        while let Some(result) = round.next(&mut tasks, timeout)? {
            if let Err(error) = result {
                return Err(error.clone());
            }
        }
        let results = round.results.into_iter().flatten();
        results.collect()
    }

    /// Waits for several, and says of each what came of it, in the order of the tasks: Elixir's `Task.yield_many`.
    /// `None` stands for one that has no result.
    ///
    /// ```
    /// use perennial::task::{OnYieldTimeout, YieldMany};
    /// use perennial::{Task, process};
    /// use std::time::{Duration, Instant};
    /// process::run::<(), _>(|_| {
    ///     let rest = [Duration::ZERO, Duration::from_secs(3600)];
    ///     let mut tasks = rest.map(|rest| Task::spawn(move || process::sleep(rest)).unwrap());
    ///     let soon = YieldMany::new().timeout(Duration::from_millis(50));
    ///     let results = Task::yield_many(&mut tasks, soon.on_timeout(OnYieldTimeout::KillTask));
    ///     assert_eq!(results, [Some(Ok(())), None]);
    /// }).unwrap();
    /// ```
    pub fn yield_many(
        tasks: &mut [Task<T>],
        options: YieldMany,
    ) -> Vec<Option<Result<T, TaskError>>> {
        let mut round = Round::new(tasks.len());
        let mut had = 0;
        let failed = loop {
            if had >= options.limit {
                return round.results;
            }
            match round.next(tasks, options.timeout) {
                Ok(Some(_)) => had += 1,
                Ok(None) => return round.results,
                Err(error) => break error,
            }
        };
        if failed != TaskError::Timeout {
            // There was no waiting, so nobody knows of the rest.
            let unknown = round.open.iter().map(|at| (*at, failed.clone()));
            for (at, error) in unknown {
                round.results[at] = Some(Err(error));
            }
            return round.results;
        }
        if options.on_timeout == OnYieldTimeout::KillTask {
            // All at once: each may take as long as the grace of a kill.
            for at in &round.open {
                tasks[*at].doom();
            }
        }
        for at in round.open {
            round.results[at] = match options.on_timeout {
                OnYieldTimeout::Nothing => None,
                OnYieldTimeout::Ignore => tasks[at].let_go(),
                OnYieldTimeout::KillTask => tasks[at].end(ExitReason::Kill, Duration::MAX),
            };
        }
        round.results
    }
}

/// One wait for several tasks.
struct Round<T> {
    results: Vec<Option<Result<T, TaskError>>>,
    /// Who has no result yet, in order.
    open: Vec<usize>,
    /// Equals `true` once the parker of this thread is left with all of them.
    has_parked: bool,
    /// Equals `None` before the wait has begun, and `Some(None)` if it is for ever.
    deadline: Option<Option<Instant>>,
}

impl<T: Send + 'static> Round<T> {
    fn new(tasks: usize) -> Self {
        Round {
            results: (0..tasks).map(|_| None).collect(),
            open: (0..tasks).collect(),
            has_parked: false,
            deadline: None,
        }
    }

    /// The next result that is there; `None` if there are all.
    fn next(
        &mut self,
        tasks: &mut [Task<T>],
        timeout: Duration,
    ) -> Result<Option<&Result<T, TaskError>>, TaskError> {
        if self.open.is_empty() {
            return Ok(None);
        }
        let shared = runtime::current();
        let deadline = *self
            .deadline
            .get_or_insert_with(|| shared.clock.now().checked_add(timeout));
        let look = |parker: &Arc<Parker>| {
            if !std::mem::replace(&mut self.has_parked, true) {
                for at in &self.open {
                    tasks[*at].leave(parker);
                }
            }
            self.open.iter().position(|at| tasks[*at].is_through())
        };
        let place = wait::for_any(&shared, None, deadline, look)?;
        let at = self.open.remove(place);
        let result = tasks[at].yield_for(Duration::ZERO);
        let result = result.unwrap_or(Err(TaskError::Timeout));
        Ok(Some(self.results[at].insert(result)))
    }
}
