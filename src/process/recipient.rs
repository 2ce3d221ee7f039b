//! Recipients: one type of event, sent to processes that each take it as a message of their own.

use crate::pid::Pid;
use crate::process::dest::Dest;
use crate::process::error::TryCastError;
use crate::process::reference::Ref;
use crate::sync::Arc;
use std::fmt;

/// A destination whose message type is hidden; a clone is cheap and leads to the same process.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process::{self, Received};
/// process::run::<String, _>(|cx| {
///     let numbers = cx.me().recipient(|n: u32| n.to_string());
///     numbers.cast(7);
///     assert_eq!(cx.receive(), Received::Message("7".to_owned()));
/// }).unwrap();
/// ```
pub struct Recipient<T> {
    pid: Pid,
    send: Arc<Send<T>>,
}

type Send<T> = dyn Fn(T) -> Result<(), Gone> + std::marker::Send + Sync;

/// A recipient did not take a message: its process has ended, or has a full mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The process has ended: it will never take one again.
    NoProc,
    /// The mailbox is full.
    Full,
}

impl<T: std::marker::Send + 'static> Recipient<T> {
    pub(crate) fn new<M: std::marker::Send + 'static>(
        to: Ref<M>,
        convert: impl Fn(T) -> M + std::marker::Send + Sync + 'static,
    ) -> Self {
        let pid = to.pid();
        let send = move |value| match to.try_cast(convert(value)) {
            Ok(()) => Ok(()),
            Err(TryCastError::Full(_)) => Err(Gone::Full),
            Err(_) => Err(Gone::NoProc),
        };
        Recipient::by(pid, send)
    }

    /// A recipient that sends in a way of its own.
    pub(crate) fn by(
        pid: Pid,
        send: impl Fn(T) -> Result<(), Gone> + std::marker::Send + Sync + 'static,
    ) -> Self {
        Recipient {
            pid,
            send: Arc::new(send),
        }
    }

    /// The process it leads to, or belongs to.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// A destination for another type of event, which `convert` turns into this one's.
    pub fn map<U: std::marker::Send + 'static>(
        self,
        convert: impl Fn(U) -> T + std::marker::Send + Sync + 'static,
    ) -> Recipient<U> {
        Recipient {
            pid: self.pid,
            send: Arc::new(move |value| (self.send)(convert(value))),
        }
    }

    /// The same destination on behalf of another process: whoever keeps it forgets it when *that* process ends.
    pub fn owned_by(self, owner: impl Into<Pid>) -> Self {
        Recipient {
            pid: owner.into(),
            ..self
        }
    }

    /// Sends, and forgets what does not arrive.
    pub fn cast(&self, value: T) {
        // Whoever wants to know uses try_cast.
        let _ = (self.send)(value);
    }

    /// Sends; says why if it did not arrive.
    ///
    /// # Errors
    /// See [`Gone`]: the process has ended, or its mailbox is full.
    pub fn try_cast(&self, value: T) -> Result<(), Gone> {
        (self.send)(value)
    }
}

impl<T> Clone for Recipient<T> {
    fn clone(&self) -> Self {
        Recipient {
            pid: self.pid,
            send: self.send.clone(),
        }
    }
}

impl<T> fmt::Debug for Recipient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.pid)
    }
}
