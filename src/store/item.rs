//! One operation on its way through the writer, with whoever waits for its answer.

use crate::store::error::Error;
use crate::store::operation::{Operation, WriteError};
use rusqlite::Connection;
use std::fmt;

/// An operation and what to do with its answer. Items of any operation share one batch.
///
/// An item that is dropped before it was answered drops its `answer` unused: a writer that dies says nothing.
pub struct Item(Box<dyn Pending>);

impl Item {
    /// `answer` is called once, on the writer, after the commit that carries the operation or after that
    /// failed. It must neither block nor panic.
    pub fn new<O, F>(operation: O, answer: F) -> Self
    where
        O: Operation,
        F: FnOnce(Result<O::Output, WriteError<O::Refused>>) + Send + 'static,
    {
        Item(Box::new(Job {
            operation,
            answer,
            outcome: None,
        }))
    }

    /// Runs the operation; its answer waits.
    pub(super) fn apply(&mut self, db: &Connection) -> Applied {
        self.0.apply(db)
    }

    /// Gives the answer that waits.
    pub(super) fn committed(self) {
        self.0.answer(None);
    }

    /// Gives this error as the answer, whatever the operation said: nothing of its batch happened, so what
    /// it saw may not have happened either.
    pub(super) fn failed(self, error: Error) {
        self.0.answer(Some(error));
    }
}

/// How an operation went.
#[derive(Debug)]
pub(super) enum Applied {
    /// It wrote.
    Done,
    /// It declined, or its own statement was wrong: what it wrote must go.
    Refused,
    /// The store failed under it: the whole batch must go.
    Failed(Error),
}

trait Pending: Send {
    fn apply(&mut self, db: &Connection) -> Applied;
    fn answer(self: Box<Self>, instead: Option<Error>);
}

struct Job<O: Operation, F> {
    operation: O,
    answer: F,
    outcome: Option<Result<O::Output, WriteError<O::Refused>>>,
}

impl<O, F> Pending for Job<O, F>
where
    O: Operation,
    F: FnOnce(Result<O::Output, WriteError<O::Refused>>) + Send + 'static,
{
    fn apply(&mut self, db: &Connection) -> Applied {
        let outcome = self.operation.apply(db);
        let applied = match &outcome {
            Ok(_) => Applied::Done,
            Err(WriteError::Refused(_)) => Applied::Refused,
            Err(WriteError::Store(error)) if error.kind().is_of_one_item() => Applied::Refused,
            Err(WriteError::Store(error)) => Applied::Failed(error.clone()),
        };
        self.outcome = Some(outcome);
        applied
    }

    fn answer(self: Box<Self>, instead: Option<Error>) {
        let outcome = match instead {
            Some(error) => Err(WriteError::Store(error)),
            None => self
                .outcome
                .expect("an item is committed only after it was applied"),
        };
        (self.answer)(outcome);
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Item")
    }
}
