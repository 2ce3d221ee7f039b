//! A machine's context: the process's own, and requests that do not block.

use crate::behaviour::gen_statem::GenStatem;
use crate::behaviour::request::{self, Kept, Requests};
use crate::pid::{Pid, RequestId};
use crate::process::asked::Asked;
use crate::process::dest::Dest;
use crate::process::{CallError, Context, ReplyTo};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A machine seen from inside: a [`Context`] that can ask others without waiting for them.
pub struct Cx<S: GenStatem> {
    context: Context<S::Msg>,
    requests: Requests<Conversion<S::Msg>>,
}

/// Makes a message of an answer.
type Conversion<M> = Box<dyn Convert<M> + Send>;

/// See [`Conversion`].
trait Convert<M>: Kept {
    fn convert(self: Box<Self>) -> M;
}

/// A request, and what its answer is made into.
struct Wanted<T: Send + 'static, F> {
    asked: Asked<T>,
    message: F,
}

impl<T: Send + 'static, F> Kept for Wanted<T, F> {
    fn cut(&self, pid: Pid) {
        self.asked.cut(pid);
    }
}

impl<M> Kept for Conversion<M> {
    fn cut(&self, pid: Pid) {
        (**self).cut(pid);
    }
}

impl<M, T: Send + 'static, F: FnOnce(Result<T, CallError>) -> M> Convert<M> for Wanted<T, F> {
    fn convert(self: Box<Self>) -> M {
        let Wanted { asked, message } = *self;
        message(asked.answer())
    }
}

impl<S: GenStatem> Cx<S> {
    pub(super) fn new(context: Context<S::Msg>) -> Self {
        Cx {
            context,
            requests: Requests::new(),
        }
    }

    /// Sends a request, like [`call`](Dest::call), and goes on. `message` makes a message of the answer, or of the
    /// certainty that none will come; the machine handles that as an [`Event::Message`](super::Event::Message), in
    /// whatever state it is in by then. The answer keeps its place among the messages.
    ///
    /// Never blocks, so it is what pooled machines should use.
    pub fn request<D: Dest, T: Send + 'static>(
        &mut self,
        to: D,
        make: impl FnOnce(ReplyTo<T>) -> D::Msg,
        message: impl FnOnce(Result<T, CallError>) -> S::Msg + Send + 'static,
    ) -> RequestId {
        self.request_for(request::TIMEOUT, to, make, message)
    }

    /// [`request`](Cx::request) with a timeout of one's own.
    pub fn request_for<D: Dest, T: Send + 'static>(
        &mut self,
        timeout: Duration,
        to: D,
        make: impl FnOnce(ReplyTo<T>) -> D::Msg,
        message: impl FnOnce(Result<T, CallError>) -> S::Msg + Send + 'static,
    ) -> RequestId {
        let kept = |asked| -> Conversion<S::Msg> { Box::new(Wanted { asked, message }) };
        self.requests.send(&self.context, timeout, to, make, kept)
    }

    /// Forgets a request: its answer will be no message. `false` if it has been one, or is unknown.
    pub fn cancel_request(&mut self, id: RequestId) -> bool {
        self.requests.remove(id).is_some()
    }

    /// How many requests are on their way.
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    /// The message of an answer, unless the request was cancelled.
    pub(super) fn message_of(&mut self, request: RequestId) -> Option<S::Msg> {
        Some(self.requests.remove(request)?.convert())
    }

    pub(super) fn cut(&self, pid: Pid) {
        self.requests.cut(pid);
    }
}

impl<S: GenStatem> Deref for Cx<S> {
    type Target = Context<S::Msg>;

    fn deref(&self) -> &Context<S::Msg> {
        &self.context
    }
}

impl<S: GenStatem> DerefMut for Cx<S> {
    fn deref_mut(&mut self) -> &mut Context<S::Msg> {
        &mut self.context
    }
}

impl<S: GenStatem> fmt::Debug for Cx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cx({}, {} requests)", self.pid(), self.requests.len())
    }
}
