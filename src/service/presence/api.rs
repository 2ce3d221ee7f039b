//! What can be asked of a tracker.

use crate::pid::Pid;
use crate::process::{CallError, Dest, ReplyTo};
use crate::service::presence::state::{AlreadyTracked, Meta, NoPresence, PhxRef, Presences};
use crate::sync::Arc;
use std::error::Error;
use std::fmt;

/// What a tracker is sent. A process that may not wait sends a variant with
/// [`Cx::request`](crate::gen_server::Cx::request); others use the functions of this module.
#[derive(Debug)]
pub enum Msg<M: Send + Sync + 'static> {
    /// Tracks a process on a topic under a key, until it ends.
    Track {
        /// The process.
        pid: Pid,
        /// Where it is.
        topic: Arc<str>,
        /// Whose it is.
        key: Arc<str>,
        /// What to say about it.
        meta: M,
        /// The identity of the meta.
        reply: ReplyTo<Result<PhxRef, AlreadyTracked>>,
    },
    /// Replaces the meta of a tracked process.
    Update {
        /// The process.
        pid: Pid,
        /// Where it is.
        topic: Arc<str>,
        /// Whose it is.
        key: Arc<str>,
        /// What to say about it from now on.
        meta: M,
        /// The new identity.
        reply: ReplyTo<Result<PhxRef, NoPresence>>,
    },
    /// Ends the tracking of a process on a topic under a key.
    Untrack {
        /// The process.
        pid: Pid,
        /// Where it was.
        topic: Arc<str>,
        /// Whose it was.
        key: Arc<str>,
    },
    /// Ends all tracking of a process.
    UntrackAll(Pid),
    /// Asks who is on a topic, for a watcher who follows the diffs: answered when the diffs until then are told.
    State(Arc<str>, ReplyTo<Arc<Presences<M>>>),
    /// Asks who is on a topic at this moment.
    List(Arc<str>, ReplyTo<Presences<M>>),
    /// Asks for the metas of one key on a topic.
    GetByKey(Arc<str>, Arc<str>, ReplyTo<Vec<Meta<M>>>),
    /// Tells the diffs that are held back now.
    Flush,
}

/// Why a process is not tracked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TrackError {
    /// It is tracked there under that key already; [`update`] changes its meta.
    AlreadyTracked,
    /// The tracker did not answer.
    Call(CallError),
}

/// Why a meta was not replaced.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum UpdateError {
    /// The process is not tracked there under that key.
    NoPresence,
    /// The tracker did not answer.
    Call(CallError),
}

impl fmt::Display for TrackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrackError::AlreadyTracked => AlreadyTracked.fmt(f),
            TrackError::Call(error) => write!(f, "asking the tracker: {error}"),
        }
    }
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpdateError::NoPresence => NoPresence.fmt(f),
            UpdateError::Call(error) => write!(f, "asking the tracker: {error}"),
        }
    }
}

impl Error for TrackError {}

impl Error for UpdateError {}

/// Tracks a process on a topic under a key, until it ends or is [untracked](untrack): the identity of its meta.
///
/// # Errors
/// See [`TrackError`].
pub fn track<M: Send + Sync + 'static>(
    tracker: &impl Dest<Msg = Msg<M>>,
    pid: impl Into<Pid>,
    topic: impl Into<Arc<str>>,
    key: impl Into<Arc<str>>,
    meta: M,
) -> Result<PhxRef, TrackError> {
    let (pid, topic, key) = (pid.into(), topic.into(), key.into());
    let tracked = tracker.call(|reply| Msg::Track {
        pid,
        topic,
        key,
        meta,
        reply,
    });
    match tracked {
        Ok(Ok(phx_ref)) => Ok(phx_ref),
        Ok(Err(AlreadyTracked)) => Err(TrackError::AlreadyTracked),
        Err(error) => Err(TrackError::Call(error)),
    }
}

/// Replaces the meta of a tracked process: its new identity. Watchers see the old one go and the new one come at
/// once.
///
/// # Errors
/// See [`UpdateError`].
pub fn update<M: Send + Sync + 'static>(
    tracker: &impl Dest<Msg = Msg<M>>,
    pid: impl Into<Pid>,
    topic: impl Into<Arc<str>>,
    key: impl Into<Arc<str>>,
    meta: M,
) -> Result<PhxRef, UpdateError> {
    let (pid, topic, key) = (pid.into(), topic.into(), key.into());
    let updated = tracker.call(|reply| Msg::Update {
        pid,
        topic,
        key,
        meta,
        reply,
    });
    match updated {
        Ok(Ok(phx_ref)) => Ok(phx_ref),
        Ok(Err(NoPresence)) => Err(UpdateError::NoPresence),
        Err(error) => Err(UpdateError::Call(error)),
    }
}

/// Ends the tracking of a process on a topic under a key; nothing if it is not tracked there. Does not wait.
pub fn untrack<M: Send + Sync + 'static>(
    tracker: &impl Dest<Msg = Msg<M>>,
    pid: impl Into<Pid>,
    topic: impl Into<Arc<str>>,
    key: impl Into<Arc<str>>,
) {
    let (pid, topic, key) = (pid.into(), topic.into(), key.into());
    tracker.cast(Msg::Untrack { pid, topic, key });
}

/// Who is on a topic, for a watcher who has subscribed to its diffs: all diffs until then are told before the
/// answer, so only later ones are to be applied to it, and applying an earlier one again does no harm.
///
/// # Errors
/// As any call.
pub fn state<M: Send + Sync + 'static>(
    tracker: &impl Dest<Msg = Msg<M>>,
    topic: impl Into<Arc<str>>,
) -> Result<Arc<Presences<M>>, CallError> {
    let topic = topic.into();
    tracker.call(|reply| Msg::State(topic, reply))
}

/// Who is on a topic at this moment, by key.
///
/// # Errors
/// As any call.
pub fn list<M: Send + Sync + 'static>(
    tracker: &impl Dest<Msg = Msg<M>>,
    topic: impl Into<Arc<str>>,
) -> Result<Presences<M>, CallError> {
    let topic = topic.into();
    tracker.call(|reply| Msg::List(topic, reply))
}

/// The metas of one key on a topic, the oldest first; none if it is not here.
///
/// # Errors
/// As any call.
pub fn get_by_key<M: Send + Sync + 'static>(
    tracker: &impl Dest<Msg = Msg<M>>,
    topic: impl Into<Arc<str>>,
    key: impl Into<Arc<str>>,
) -> Result<Vec<Meta<M>>, CallError> {
    let (topic, key) = (topic.into(), key.into());
    tracker.call(|reply| Msg::GetByKey(topic, key, reply))
}
