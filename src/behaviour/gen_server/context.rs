//! A server's context: the process's own, and requests that do not block.

use crate::behaviour::gen_server::{GenServer, Next};
use crate::behaviour::request::{self, Kept, Requests};
use crate::pid::{Pid, RequestId};
use crate::process::asked::Asked;
use crate::process::dest::Dest;
use crate::process::{CallError, Context, ReplyTo};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A server seen from inside: a [`Context`] that can ask others without waiting for them.
pub struct Cx<S: GenServer> {
    context: Context<S::Msg>,
    requests: Requests<Continuation<S>>,
}

/// What a server does with an answer.
pub(super) type Continuation<S> = Box<dyn Continue<S> + Send>;

/// See [`Continuation`].
pub(super) trait Continue<S: GenServer>: Kept {
    fn go_on(self: Box<Self>, server: &mut S, cx: &mut Cx<S>) -> Next<S::Msg>;
}

/// A request, and what it is for.
struct Then<T: Send + 'static, F> {
    asked: Asked<T>,
    then: F,
}

impl<T: Send + 'static, F> Kept for Then<T, F> {
    fn cut(&self, pid: Pid) {
        self.asked.cut(pid);
    }
}

impl<S: GenServer> Kept for Continuation<S> {
    fn cut(&self, pid: Pid) {
        (**self).cut(pid);
    }
}

impl<S: GenServer, T: Send + 'static, F> Continue<S> for Then<T, F>
where
    F: FnOnce(&mut S, Result<T, CallError>, &mut Cx<S>) -> Next<S::Msg>,
{
    fn go_on(self: Box<Self>, server: &mut S, cx: &mut Cx<S>) -> Next<S::Msg> {
        let Then { asked, then } = *self;
        then(server, asked.answer(), cx)
    }
}

impl<S: GenServer> Cx<S> {
    pub(super) fn new(context: Context<S::Msg>) -> Self {
        Cx {
            context,
            requests: Requests::new(),
        }
    }

    /// Sends a request, like [`call`](Dest::call), and goes on; `then` runs in this server when the answer is
    /// there, or when it is sure that none will come. The answer keeps its place among the messages.
    ///
    /// Never blocks, so it is what pooled servers should use. Whoever asks gets an answer in any case: the server's
    /// `then` is told of a timeout, and of the end of the one that was asked.
    ///
    /// ```
    /// use perennial::{prelude::*, process};
    /// static PRICES: Name<ReplyTo<u32>> = Name::new("prices");
    ///
    /// /// Asks for a price, and answers whoever asked when it knows.
    /// struct Shop;
    /// impl GenServer for Shop {
    ///     type Args = ();
    ///     type Msg = ReplyTo<Option<u32>>;
    ///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Shop) }
    ///     fn handle(&mut self, customer: Self::Msg, cx: &mut Cx<Self>) -> Next<Self::Msg> {
    ///         cx.request(&PRICES, |reply| reply, |_shop, price, _cx| {
    ///             customer.send(price.ok());
    ///             Next::Loop
    ///         });
    ///         Next::Loop
    ///     }
    /// }
    ///
    /// let shop = gen_server::start::<Shop>(())?;
    /// assert_eq!(shop.call(|reply| reply)?, None); // nobody knows any prices
    /// let prices = process::spawn::<ReplyTo<u32>>(|cx| while let Some(reply) = cx.receive().message() { reply.send(7) });
    /// process::register(&PRICES, &prices)?;
    /// assert_eq!(shop.call(|reply| reply)?, Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request<D: Dest, T: Send + 'static>(
        &mut self,
        to: D,
        make: impl FnOnce(ReplyTo<T>) -> D::Msg,
        then: impl FnOnce(&mut S, Result<T, CallError>, &mut Cx<S>) -> Next<S::Msg> + Send + 'static,
    ) -> RequestId {
        self.request_for(request::TIMEOUT, to, make, then)
    }

    /// [`request`](Cx::request) with a timeout of one's own.
    pub fn request_for<D: Dest, T: Send + 'static>(
        &mut self,
        timeout: Duration,
        to: D,
        make: impl FnOnce(ReplyTo<T>) -> D::Msg,
        then: impl FnOnce(&mut S, Result<T, CallError>, &mut Cx<S>) -> Next<S::Msg> + Send + 'static,
    ) -> RequestId {
        let kept = |asked| -> Continuation<S> { Box::new(Then { asked, then }) };
        self.requests.send(&self.context, timeout, to, make, kept)
    }

    /// Forgets a request: its continuation will not run. `false` if it has run, or is unknown.
    pub fn cancel_request(&mut self, id: RequestId) -> bool {
        self.requests.remove(id).is_some()
    }

    /// How many requests are on their way.
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn continuation(&mut self, id: RequestId) -> Option<Continuation<S>> {
        self.requests.remove(id)
    }

    pub(super) fn cut(&self, pid: Pid) {
        self.requests.cut(pid);
    }
}

impl<S: GenServer> Deref for Cx<S> {
    type Target = Context<S::Msg>;

    fn deref(&self) -> &Context<S::Msg> {
        &self.context
    }
}

impl<S: GenServer> DerefMut for Cx<S> {
    fn deref_mut(&mut self) -> &mut Context<S::Msg> {
        &mut self.context
    }
}

impl<S: GenServer> fmt::Debug for Cx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cx({}, {} requests)", self.pid(), self.requests.len())
    }
}
