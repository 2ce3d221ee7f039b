//! Destinations: whatever messages can be sent to, resolved at each send.

use crate::pid::Pid;
use crate::process::alias::AliasState;
use crate::process::call::{Pending, ReplyTo};
use crate::process::core::Kind;
use crate::process::error::{CallError, TryCastError};
use crate::process::mailbox::{Overflow, Refused};
use crate::process::name::Name;
use crate::process::oneshot::Answer;
use crate::process::recipient::{Gone, Recipient};
use crate::process::reference::Ref;
use crate::process::request::{self, ReqId};
use crate::process::signal::Entry;
use crate::process::{current, runtime, wait};
use crate::sync::Arc;
use crate::telemetry::Event;
use std::time::{Duration, Instant};

/// How long a call waits unless told otherwise: OTP's five seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a message goes at the moment it is sent.
#[non_exhaustive]
#[derive(Debug)]
pub enum Target<M: Send + 'static> {
    /// A process of this runtime.
    Local(Ref<M>),
    /// Nobody.
    NoProc,
    /// A process that takes other messages.
    WrongMessageType(Pid),
    /// A process of a node that is not connected.
    NoConnection,
}

/// A message did not reach anybody.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The process it was for, if there was one.
    pub to: Option<Pid>,
    /// The type of the message.
    pub message: &'static str,
    /// Why it did not arrive.
    pub cause: DeadLetterCause,
}

/// Why a message did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterCause {
    /// There is no such process.
    NoProc,
    /// The name belongs to a process that takes other messages.
    WrongMessageType,
    /// The mailbox is full.
    Full,
    /// The process is on a node that is not connected.
    NoConnection,
}

impl Event for DeadLetter {}

pub(crate) mod sealed {
    /// Destinations are made here and in the services, nowhere else.
    pub trait Sealed {}
}

/// Something messages can be sent to: a [`Ref`], a [`Name`], a `Via`.
///
/// A name is resolved at *each* send, so it survives restarts; a `Ref` is one incarnation.
pub trait Dest: sealed::Sealed {
    /// The messages it takes.
    type Msg: Send + 'static;

    /// Equals `true` if it may lead to another process later on.
    #[doc(hidden)]
    const SURVIVES: bool = true;

    /// Where it leads at this moment.
    #[doc(hidden)]
    fn resolve(&self) -> Target<Self::Msg>;

    /// The process itself, if that is what this is: there is nothing to resolve then.
    #[doc(hidden)]
    fn local(&self) -> Option<&Ref<Self::Msg>> {
        None
    }

    /// Sends a message and forgets it: never fails, and blocks only if the mailbox is bounded with
    /// [`Overflow::Block`]. What reaches nobody is a [`DeadLetter`] event.
    fn cast(&self, message: Self::Msg) {
        if let Some(local) = self.local() {
            current::checkpoint();
            if let Err(refused) = local.push(Entry::Message(message)) {
                refused_by(local, refused);
            }
            return;
        }
        let to = self.resolve();
        let pid = match &to {
            Target::Local(local) => Some(local.pid()),
            Target::WrongMessageType(pid) => Some(*pid),
            _ => None,
        };
        if let Err(error) = deliver(to, Entry::Message(message)) {
            undelivered(pid, error);
        }
    }

    /// Sends a message; if it reaches nobody it comes back with the reason.
    ///
    /// # Errors
    /// See [`TryCastError`]: nobody is there, the mailbox is full, or the name is that of another type. Each variant
    /// has the message.
    fn try_cast(&self, message: Self::Msg) -> Result<(), TryCastError<Self::Msg>> {
        deliver(self.resolve(), Entry::Message(message)).map_err(|error| match error {
            Undelivered::NoProc(entry) => TryCastError::NoProc(message_of(entry)),
            Undelivered::WrongMessageType(entry) => {
                TryCastError::WrongMessageType(message_of(entry))
            }
            Undelivered::Full(entry) => TryCastError::Full(message_of(entry)),
            Undelivered::NoConnection(entry) => TryCastError::NoConnection(message_of(entry)),
        })
    }

    /// Sends a request and waits five seconds at most for the answer.
    ///
    /// `make` builds the message around the [`ReplyTo`]: an enum variant as a rule.
    ///
    /// # Errors
    /// See [`CallError`]. Inside a callback the deadline of the request that is being handled holds as well.
    fn call<T: Send + 'static>(
        &self,
        make: impl FnOnce(ReplyTo<T>) -> Self::Msg,
    ) -> Result<T, CallError> {
        match self.local() {
            Some(local) => call_local(local, Some(CALL_TIMEOUT), make),
            None => call(self.resolve(), Some(CALL_TIMEOUT), make),
        }
    }

    /// [`call`](Dest::call) with a timeout of one's own; [`Duration::MAX`] is for ever.
    ///
    /// # Errors
    /// As [`call`](Dest::call).
    fn call_for<T: Send + 'static>(
        &self,
        timeout: Duration,
        make: impl FnOnce(ReplyTo<T>) -> Self::Msg,
    ) -> Result<T, CallError> {
        match self.local() {
            Some(local) => call_local(local, Some(timeout), make),
            None => call(self.resolve(), Some(timeout), make),
        }
    }

    /// Sends a request and goes on: the [`ReqId`] is for waiting for the answer later, also together with
    /// [others](crate::process::ReqIdCollection). Never fails: what keeps the request from arriving is its answer.
    ///
    /// A process may send one to itself, and has to handle it before it waits. No deadline goes along: the request is
    /// meant until the [`ReqId`] is dropped.
    fn send_request<T: Send + 'static>(
        &self,
        make: impl FnOnce(ReplyTo<T>) -> Self::Msg,
    ) -> ReqId<T> {
        request::send(self.resolve(), make)
    }
}

/// A message that did not arrive, with the reason.
enum Undelivered<M> {
    NoProc(Entry<M>),
    WrongMessageType(Entry<M>),
    Full(Entry<M>),
    NoConnection(Entry<M>),
}

impl<M> From<Refused<M>> for Undelivered<M> {
    fn from(refused: Refused<M>) -> Self {
        match refused {
            Refused::Closed(entry) => Undelivered::NoProc(entry),
            Refused::Full(entry) => Undelivered::Full(entry),
        }
    }
}

fn message_of<M>(entry: Entry<M>) -> M {
    match entry {
        Entry::Message(message) | Entry::Call(message, _) | Entry::Aliased(message, _) => message,
        _ => unreachable!("only messages and calls are sent to destinations"),
    }
}

/// Tells of a message that reached nobody, and drops it.
#[cold]
fn undelivered<M>(to: Option<Pid>, error: Undelivered<M>) {
    let cause = match &error {
        Undelivered::NoProc(_) => DeadLetterCause::NoProc,
        Undelivered::WrongMessageType(_) => DeadLetterCause::WrongMessageType,
        Undelivered::Full(_) => DeadLetterCause::Full,
        Undelivered::NoConnection(_) => DeadLetterCause::NoConnection,
    };
    let message = std::any::type_name::<M>();
    log::debug!(target: "perennial::process", "dead letter: {message} to {to:?}: {cause:?}");
    runtime::current()
        .telemetry
        .emit(|| DeadLetter { to, message, cause });
    drop(error);
}

/// Sends a message that counts only as long as an alias is active.
pub(crate) fn deliver_aliased<M: Send + 'static>(
    to: &Ref<M>,
    message: M,
    alias: &Arc<AliasState>,
) -> Result<(), Gone> {
    let entry = Entry::Aliased(message, alias.clone());
    match deliver(Target::Local(to.clone()), entry) {
        Ok(()) => Ok(()),
        Err(Undelivered::Full(_)) => Err(Gone::Full),
        Err(_) => Err(Gone::NoProc),
    }
}

fn deliver<M: Send + 'static>(to: Target<M>, entry: Entry<M>) -> Result<(), Undelivered<M>> {
    current::checkpoint();
    match to {
        Target::Local(local) => push(&local, entry).map_err(Undelivered::from),
        Target::NoProc => Err(Undelivered::NoProc(entry)),
        Target::WrongMessageType(_) => Err(Undelivered::WrongMessageType(entry)),
        Target::NoConnection => Err(Undelivered::NoConnection(entry)),
    }
}

/// Waits for room if the mailbox is bounded so and the sender may wait; a message for which there is none is a dead letter.
#[cold]
fn refused_by<M: Send + 'static>(to: &Ref<M>, refused: Refused<M>) {
    let pushed = match refused {
        Refused::Full(entry) => push_in_time(to, entry),
        closed => Err(closed),
    };
    if let Err(refused) = pushed {
        undelivered(Some(to.pid()), refused.into());
    }
}

/// Pushes an entry; waits for room if the mailbox is bounded so and the sender may wait.
#[inline]
pub(super) fn push<M: Send + 'static>(to: &Ref<M>, entry: Entry<M>) -> Result<(), Refused<M>> {
    match to.push(entry) {
        Err(Refused::Full(entry)) => push_in_time(to, entry),
        other => other,
    }
}

/// Waits for room, as far as the bound and the sender allow.
#[cold]
fn push_in_time<M: Send + 'static>(to: &Ref<M>, entry: Entry<M>) -> Result<(), Refused<M>> {
    let mut refused = entry;
    let Some(bound) = to.mailbox().bound() else {
        return Err(Refused::Full(refused));
    };
    let Overflow::Block(patience) = bound.overflow else {
        return Err(Refused::Full(refused));
    };
    let sender = current::process();
    let pooled = sender
        .as_ref()
        .is_some_and(|sender| sender.core().kind == Kind::Pooled);
    if pooled || current::must_not_wait() {
        return Err(Refused::Full(refused));
    }
    let shared = &to.mailbox().core().runtime;
    let deadline = shared.clock.now().checked_add(patience);
    loop {
        let parker: Arc<crate::sync::Parker> = Arc::default();
        bound.waiting.lock().push(Arc::clone(&parker));
        // Looking again after saying that one waits: room made in between would be missed otherwise.
        refused = match to.push(refused) {
            Err(Refused::Full(entry)) => entry,
            other => return other,
        };
        if !crate::process::watch::park(shared, &parker, deadline) {
            bound.forget(&parker);
            return Err(Refused::Full(refused));
        }
    }
}

fn call<M: Send + 'static, T: Send + 'static>(
    to: Target<M>,
    timeout: Option<Duration>,
    make: impl FnOnce(ReplyTo<T>) -> M,
) -> Answer<T> {
    match to {
        Target::Local(local) => call_local(&local, timeout, make),
        to => {
            current::checkpoint();
            if current::leaving() {
                return Err(CallError::Exiting);
            }
            local(to).and_then(|local| call_local(&local, timeout, make))
        }
    }
}

fn call_local<M: Send + 'static, T: Send + 'static>(
    local: &Ref<M>,
    timeout: Option<Duration>,
    make: impl FnOnce(ReplyTo<T>) -> M,
) -> Answer<T> {
    current::checkpoint();
    if current::leaving() {
        return Err(CallError::Exiting);
    }
    if current::pid() == local.pid() {
        return Err(CallError::CallingSelf);
    }
    let pending = Arc::new(Pending::new(local.process(), deadline(local, timeout)));
    let notify = request(local, &pending, make)?;
    wait::for_answer(&pending, notify)
}

pub(crate) fn local<M: Send + 'static>(to: Target<M>) -> Result<Ref<M>, CallError> {
    match to {
        Target::Local(local) => Ok(local),
        Target::NoProc => Err(CallError::NoProc),
        Target::WrongMessageType(_) => Err(CallError::WrongMessageType),
        Target::NoConnection => Err(CallError::NoConnection),
    }
}

/// When a call that starts now is due: after its timeout, or with the request that is being handled.
pub(super) fn deadline<M: Send + 'static>(
    to: &Ref<M>,
    timeout: Option<Duration>,
) -> Option<Instant> {
    let now = || to.mailbox().core().runtime.clock.now();
    let own = timeout.and_then(|timeout| {
        if timeout == Duration::MAX {
            None
        } else {
            now().checked_add(timeout)
        }
    });
    [own, current::deadline()].into_iter().flatten().min()
}

/// Puts the request of a call into the mailbox; `true` if the caller, who looks on for the answer, has to notify the
/// scheduler later.
fn request<M: Send + 'static, T: Send + 'static>(
    to: &Ref<M>,
    pending: &Arc<Pending<T>>,
    make: impl FnOnce(ReplyTo<T>) -> M,
) -> Result<bool, CallError> {
    let message = make(ReplyTo::new(pending.clone()));
    let pushed = match to.push_watched(Entry::Call(message, pending.clone())) {
        Err(Refused::Full(entry)) => push_in_time(to, entry).map(|()| false),
        pushed => pushed,
    };
    match pushed {
        Ok(notify) => Ok(notify),
        Err(Refused::Closed(entry)) => {
            give_up(pending, entry);
            Err(CallError::NoProc)
        }
        Err(Refused::Full(entry)) => {
            give_up(pending, entry);
            Err(CallError::Overloaded)
        }
    }
}

/// Closes the slot before the request is dropped, so that its `ReplyTo` has nothing to say.
fn give_up<M, T>(pending: &Pending<T>, entry: Entry<M>) {
    drop(pending.slot.close());
    drop(entry);
}

impl<M: Send + 'static> sealed::Sealed for Ref<M> {}

impl<M: Send + 'static> Dest for Ref<M> {
    type Msg = M;
    const SURVIVES: bool = false;

    fn resolve(&self) -> Target<M> {
        Target::Local(self.clone())
    }

    fn local(&self) -> Option<&Ref<M>> {
        Some(self)
    }
}

impl<M: Send + 'static> sealed::Sealed for Name<M> {}

impl<M: Send + 'static> Dest for Name<M> {
    type Msg = M;

    fn resolve(&self) -> Target<M> {
        match runtime::with(|shared| shared.names.find_reference(self.as_str())) {
            Ok(Some(local)) => Target::Local(local),
            Ok(None) => Target::NoProc,
            Err(pid) => Target::WrongMessageType(pid),
        }
    }
}

impl<D: Dest + ?Sized> sealed::Sealed for &D {}

impl<D: Dest> Dest for &D {
    type Msg = D::Msg;
    const SURVIVES: bool = D::SURVIVES;

    fn resolve(&self) -> Target<D::Msg> {
        (**self).resolve()
    }

    fn local(&self) -> Option<&Ref<D::Msg>> {
        (**self).local()
    }
}

impl<M: Send + 'static> Ref<M> {
    /// A destination of another type whose messages `convert` turns into this process's.
    pub fn recipient<T: Send + 'static>(
        &self,
        convert: impl Fn(T) -> M + Send + Sync + 'static,
    ) -> Recipient<T> {
        Recipient::new(self.clone(), convert)
    }
}
