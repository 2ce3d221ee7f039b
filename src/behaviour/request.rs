//! Requests that do not block: the answer is an entry in the mailbox of whoever asked.

use crate::pid::RequestId;
use crate::process::core::Signal;
use crate::process::dest::{Dest, call_then};
use crate::process::{CallError, Context, ReplyTo};
use crate::sync::Arc;
use std::any::Any;
use std::time::Duration;

/// How long a request waits for its answer unless told otherwise: as a call.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// An answer in the mailbox of the process that asked.
pub(super) struct Answered {
    pub(super) id: RequestId,
    pub(super) answer: Box<dyn Any + Send>,
}

/// A name for a request that is about to be sent.
pub(super) fn id<M: Send + 'static>(from: &Context<M>) -> RequestId {
    from.me().mailbox().core().runtime.request_id()
}

/// Sends a request. [`Answered`] comes back in any case: with the answer, or with the reason why there is none.
pub(super) fn send<M: Send + 'static, D: Dest, T: Send + 'static>(
    from: &Context<M>,
    id: RequestId,
    timeout: Duration,
    to: D,
    make: impl FnOnce(ReplyTo<T>) -> D::Msg,
) {
    let asker = Arc::downgrade(&from.me().process());
    let answered = move |answer: Result<T, CallError>| {
        if let Some(asker) = asker.upgrade() {
            let answer = Box::new(answer);
            asker.push_signal(Signal::Resume(Box::new(Answered { id, answer })));
            asker.wake();
        }
    };
    call_then(to.resolve(), timeout, make, Box::new(answered));
}

/// The answer of a request that asked for a `T`.
pub(super) fn answer_of<T: 'static>(answer: Box<dyn Any + Send>) -> Result<T, CallError> {
    match answer.downcast::<Result<T, CallError>>() {
        Ok(answer) => *answer,
        Err(_) => unreachable!("a request's answer has the type it was asked for"),
    }
}
