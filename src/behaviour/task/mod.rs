//! Tasks: a computation in a process of its own, and its result.
//!
//! ```
//! use perennial::{Task, process};
//!
//! let answer = process::run::<(), _>(|_| {
//!     let task = Task::spawn(|| 6 * 7).unwrap();
//!     task.join().unwrap()
//! });
//! assert_eq!(answer, Ok(42));
//! ```
//!
//! The result goes to a slot of its own, never to the mailbox of the *owner*, which is the process that started
//! the task. Only the owner may wait for it.
//!
//! # How it dies
//! With `Normal` when its closure has returned, with `Panic` when that panics. A [spawned](Task::spawn) task is
//! linked to its owner, as in Elixir: if it crashes, an owner that does not trap exits ends with it, and if the
//! owner crashes, the task ends. The *normal* end of an owner leaves its tasks running. To let a task fail alone,
//! start it under a [`TaskSupervisor`]. A [`stream`](fn@stream) runs one for each item of an input.
//!
//! # Options
//! A task runs on a thread of its own and may block. [`spec`](fn@spec) has the options: one that only computes may run
//! [on the pool](Spec::pooled).

mod crew;
mod error;
mod job;
mod many;
mod owner;
mod result;
mod spec;
mod stream;
mod supervisor;
mod window;

pub use crate::process::callers;
pub use error::{StreamError, StreamOptionError, TaskError};
pub use many::{OnYieldTimeout, YieldMany};
pub use result::Task;
pub use spec::{Spec, spec};
pub use stream::{OnItemTimeout, Stream, StreamSpec, stream};
pub use supervisor::TaskSupervisor;
