//! A stream of tasks: one per item of an input, so many at a time, and their results as an iterator.
//!
//! Lazy: the input is read, and tasks are started, by whoever asks for the next result, on that thread; never more
//! than `max_concurrency` items ahead of the results that were given.

use crate::behaviour::supervisor::{DynamicMsg, StartChildError};
use crate::behaviour::task::crew::{Crew, Ended, Half};
use crate::behaviour::task::owner::Bond;
use crate::behaviour::task::spec::{hired, on_behalf, options};
use crate::behaviour::task::supervisor::hired_under;
use crate::behaviour::task::window::{Order, Window};
use crate::behaviour::task::{StreamError, StreamOptionError};
use crate::process::dest::Dest;
use crate::process::start::Options;
use crate::process::{CallError, Kind, Ref, current, exit_self};
use crate::reason::ExitReason;
use crate::sync::{Arc, thread};
use std::fmt;
use std::iter::FusedIterator;
use std::time::Duration;

/// How long a task may take unless told otherwise: Elixir's five seconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What happens when a task of a stream takes longer than the timeout. In either case it is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnItemTimeout {
    /// The consumer exits with [`ExitReason::Timeout`], and all other tasks are stopped. A consumer that is a plain
    /// thread cannot exit: the stream ends there, with [`StreamError::Timeout`] as its last item.
    #[default]
    Exit,
    /// The item is a [`StreamError::Timeout`], and the stream goes on.
    KillTask,
}

/// Where the tasks of a stream run.
pub(super) enum Place<D> {
    Alone,
    Under(D),
}

type Run<I, T> = Arc<dyn Fn(I) -> T + Send + Sync>;
type Duplicate<I> = fn(&I) -> I;

/// A stream that is about to be made, with its options. Made by [`stream`] and by
/// [`TaskSupervisor::stream`](crate::TaskSupervisor::stream).
#[must_use = "a spec is no stream until build"]
pub struct StreamSpec<J: Iterator, T, D = Ref<DynamicMsg>> {
    input: J,
    run: Run<J::Item, T>,
    place: Place<D>,
    bond: Bond,
    options: Options,
    max_concurrency: usize,
    order: Order,
    timeout: Duration,
    on_timeout: OnItemTimeout,
    copy: Option<Duplicate<J::Item>>,
}

/// Runs a task for each item of an input, a few at a time, and gives their results in the order of the input: Elixir's
/// `Task.async_stream`.
///
/// The input is read by whoever consumes the stream, as far as results are asked for; it may borrow. Items move into
/// their tasks. The consumer is the process that asks first, and nobody else may go on. The crash of a task ends a
/// consumer that does not trap exits, with the same reason; one that does gets it as an item. For a consumer that is to
/// outlive crashes, or is a plain thread, see [`TaskSupervisor::stream_nolink`](crate::TaskSupervisor::stream_nolink).
///
/// ```
/// use perennial::{process, task};
/// process::run::<(), _>(|_| {
///     let words = ["dies", "back", "returns"];
///     let lengths = task::stream(words, str::len).max_concurrency(2).build().unwrap();
///     assert_eq!(lengths.collect::<Result<Vec<_>, _>>(), Ok(vec![4, 4, 7]));
/// }).unwrap();
/// ```
///
/// Each task has a thread of its own, and may block; [`pooled`](StreamSpec::pooled) is for those that compute.
pub fn stream<J, T, F>(input: J, run: F) -> StreamSpec<J::IntoIter, T>
where
    J: IntoIterator,
    F: Fn(J::Item) -> T + Send + Sync + 'static,
{
    StreamSpec::new(Place::Alone, Bond::Linked, input, run)
}

impl<J: Iterator, T, D> StreamSpec<J, T, D> {
    pub(super) fn new<F: Fn(J::Item) -> T + Send + Sync + 'static>(
        place: Place<D>,
        bond: Bond,
        input: impl IntoIterator<IntoIter = J, Item = J::Item>,
        run: F,
    ) -> Self {
        StreamSpec {
            input: input.into_iter(),
            run: Arc::new(run),
            place,
            bond,
            options: options::<F>(),
            max_concurrency: thread::available_parallelism().map_or(1, |cores| cores.get()),
            order: Order::Input,
            timeout: TIMEOUT,
            on_timeout: OnItemTimeout::default(),
            copy: None,
        }
    }

    /// How many tasks run at the same time at most, and how far the input is read ahead of the results. Default: as many
    /// as there are cores.
    pub fn max_concurrency(mut self, max: usize) -> Self {
        self.max_concurrency = max;
        self
    }

    /// Gives results as they come, and not in the order of the input: a slow task holds up none that is quicker.
    pub fn unordered(mut self) -> Self {
        self.order = Order::Completion;
        self
    }

    /// How long each task may take, counted from its start; [`Duration::MAX`] is for ever. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What happens to one that takes longer. Default: the consumer exits.
    pub fn on_timeout(mut self, on_timeout: OnItemTimeout) -> Self {
        self.on_timeout = on_timeout;
        self
    }

    /// Gives the input item back with the error of its task.
    ///
    /// ```
    /// use perennial::{StreamError, TaskSupervisor};
    /// let tasks = TaskSupervisor::new().start().unwrap();
    /// let stream = TaskSupervisor::stream_nolink(&tasks, [2, 0], |n| 12 / n);
    /// let mut results = stream.zip_input_on_exit().build().unwrap();
    /// assert_eq!(results.next(), Some(Ok(6)));
    /// assert!(matches!(results.next(), Some(Err(StreamError::Exit { input: Some(0), .. }))));
    /// # perennial::supervisor::stop(&tasks).unwrap();
    /// ```
    pub fn zip_input_on_exit(mut self) -> Self
    where
        J::Item: Clone,
    {
        self.copy = Some(Clone::clone);
        self
    }

    /// Runs the tasks on the pool, for closures that compute and do not block.
    pub fn pooled(mut self) -> Self {
        self.options.kind = Some(Kind::Pooled);
        self
    }

    /// Runs each task on a thread of its own, which is the default.
    pub fn thread(mut self) -> Self {
        self.options.kind = Some(Kind::Thread);
        self
    }

    /// What observers and crash reports call the tasks.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.options.label = Some(label.into());
        self
    }

    /// The stream. Nothing is read and nothing runs until its first result is asked for.
    ///
    /// # Errors
    /// See [`StreamOptionError`].
    ///
    /// ```
    /// use perennial::{StreamOptionError, task};
    /// let refused = task::stream([1], |n| n).max_concurrency(0).build();
    /// assert_eq!(refused.err(), Some(StreamOptionError::MaxConcurrency));
    /// ```
    pub fn build(self) -> Result<Stream<J, T, D>, StreamOptionError> {
        if self.max_concurrency == 0 {
            return Err(StreamOptionError::MaxConcurrency);
        }
        Ok(Stream {
            crew: None,
            window: Window::new(self.order, self.max_concurrency),
            input: Some(self.input),
            run: self.run,
            place: self.place,
            bond: self.bond,
            options: self.options,
            timeout: self.timeout,
            on_timeout: self.on_timeout,
            copy: self.copy,
            has_ended: false,
        })
    }
}

/// The results of a stream of tasks, one by one.
///
/// An item is a result, or says why there is none: [`StreamError::Exit`], or [`StreamError::Timeout`] with
/// [`OnItemTimeout::KillTask`], and the stream goes on; any other error is its last item.
///
/// Dropped before its end, or when the input panics, it kills the tasks that run, and waits until they have ended; a
/// consumer that unwinds does not wait for that. One that is killed takes its tasks along too. Nothing is left of a
/// stream with its consumer: no message, no link, no monitor.
///
/// # In a callback
/// Asking for a result waits as a call does: in a callback of a pooled process a spare worker takes the place of the
/// one that waits, and where there is none the last item is [`StreamError::PoolExhausted`]. A server that has anything
/// else to do leaves the stream to a task of its own.
#[must_use = "a stream is lazy: it does nothing until its results are asked for"]
pub struct Stream<J: Iterator, T, D = Ref<DynamicMsg>> {
    // Dropped first: tasks are stopped before the input goes.
    crew: Option<Crew<J::Item, T>>,
    window: Window<Outcome<J::Item, T>>,
    /// Equals `None` once it was read to its end, or panicked.
    input: Option<J>,
    run: Run<J::Item, T>,
    place: Place<D>,
    bond: Bond,
    options: Options,
    timeout: Duration,
    on_timeout: OnItemTimeout,
    copy: Option<Duplicate<J::Item>>,
    has_ended: bool,
}

type Outcome<I, T> = Result<T, StreamError<I>>;

impl<J, T, D> Iterator for Stream<J, T, D>
where
    J: Iterator,
    J::Item: Send + 'static,
    T: Send + 'static,
    D: Dest<Msg = DynamicMsg>,
{
    type Item = Result<T, StreamError<J::Item>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let item = self.advance();
        if !matches!(item, Ok(Some(_))) {
            self.halt();
        }
        if let Err(StreamError::Timeout { .. }) = item {
            // Without effect on a plain thread, and in a process that leaves already.
            let _ = exit_self(ExitReason::Timeout);
        }
        item.unwrap_or_else(|error| Some(Err(error)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may end it at any moment.
        if self.has_ended {
            return (0, Some(0));
        }
        let input = self
            .input
            .as_ref()
            .map_or((0, Some(0)), Iterator::size_hint);
        let most = input.1.and_then(|most| most.checked_add(self.window.len()));
        // One more for an error that belongs to no item.
        (0, most.and_then(|most| most.checked_add(1)))
    }
}

impl<J, T, D> FusedIterator for Stream<J, T, D>
where
    J: Iterator,
    J::Item: Send + 'static,
    T: Send + 'static,
    D: Dest<Msg = DynamicMsg>,
{
}

impl<J, T, D> Stream<J, T, D>
where
    J: Iterator,
    J::Item: Send + 'static,
    T: Send + 'static,
    D: Dest<Msg = DynamicMsg>,
{
    /// The next item; an error is the last.
    fn advance(&mut self) -> Result<Option<<Self as Iterator>::Item>, StreamError<J::Item>> {
        current::checkpoint();
        self.attend()?;
        while self.window.has_room()
            && let Some((item, copy)) = self.pull()
        {
            self.begin(item, copy)?;
        }
        loop {
            if let Some(outcome) = self.window.give() {
                return Ok(Some(outcome));
            }
            if self.window.len() == 0 {
                return Ok(None);
            }
            self.gather()?;
        }
    }

    /// Whoever comes first is the consumer, and nobody else is.
    fn attend(&mut self) -> Result<(), StreamError<J::Item>> {
        if current::leaving() {
            return Err(StreamError::Exiting);
        }
        let caller = current::pid();
        let owner = match &self.crew {
            Some(crew) => crew.owner().pid,
            None => {
                let crew = Crew::new(self.bond).map_err(StartChildError::Failed);
                self.crew = Some(crew.map_err(StreamError::Start)?);
                caller
            }
        };
        if owner != caller {
            return Err(StreamError::NotOwner { owner, caller });
        }
        Ok(())
    }

    /// The next item of the input, with a copy of it if that is wanted. The input is the user's and may panic: it and
    /// the tasks are on this stack meanwhile, so that a panic takes all of them along.
    fn pull(&mut self) -> Option<(J::Item, Option<J::Item>)> {
        let (mut input, crew) = (self.input.take()?, self.crew.take());
        self.has_ended = true;
        let item = input.next();
        let copy = self.copy.zip(item.as_ref()).map(|(copy, item)| copy(item));
        self.has_ended = false;
        self.crew = crew;
        let item = item?;
        self.input = Some(input);
        Some((item, copy))
    }

    fn begin(&mut self, item: J::Item, copy: Option<J::Item>) -> Result<(), StreamError<J::Item>> {
        let (run, position) = (self.run.clone(), self.window.begin());
        let crew = self.crew.as_mut().expect("hired before anything begins");
        let hire = crew.hire(position, self.timeout, move || run(item));
        let halves = move |process: &_| hire.halves(process);
        let options = self.options.clone();
        let half: Result<Half, StartChildError> = match &self.place {
            Place::Alone => hired(&on_behalf(options), halves)
                .map(|(_, half)| half)
                .map_err(StartChildError::Failed),
            Place::Under(supervisor) => hired_under(supervisor, options, halves),
        };
        crew.join(position, half.map_err(StreamError::Start)?, copy);
        Ok(())
    }

    /// Waits for the end of a task.
    fn gather(&mut self) -> Result<(), StreamError<J::Item>> {
        let crew = self.crew.as_mut().expect("hired before anything begins");
        let (position, ended, input) = crew.wait().map_err(|error| match error {
            CallError::Exiting => StreamError::Exiting,
            _ => StreamError::PoolExhausted,
        })?;
        let outcome = match ended {
            Ended::Done(value) => Ok(value),
            Ended::Late if self.on_timeout == OnItemTimeout::Exit => {
                return Err(StreamError::Timeout { input });
            }
            Ended::Late => Err(StreamError::Timeout { input }),
            Ended::Exit(reason) => Err(StreamError::Exit { reason, input }),
        };
        self.window.arrive(position, outcome);
        Ok(())
    }

    fn halt(&mut self) {
        self.has_ended = true;
        self.crew = None;
        self.input = None;
    }
}

impl<J: Iterator, T, D> fmt::Debug for StreamSpec<J, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSpec")
            .field("max_concurrency", &self.max_concurrency)
            .field("order", &self.order)
            .field("timeout", &self.timeout)
            .field("on_timeout", &self.on_timeout)
            .finish_non_exhaustive()
    }
}

impl<J: Iterator, T, D> fmt::Debug for Stream<J, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} on their way)", self.window.len())
    }
}
