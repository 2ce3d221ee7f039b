//! A server's context: the process's own, and requests that do not block.

use crate::behaviour::gen_server::{GenServer, Next};
use crate::behaviour::request;
use crate::pid::RequestId;
use crate::process::dest::Dest;
use crate::process::{CallError, Context, ReplyTo};
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A server seen from inside: a [`Context`] that can ask others without waiting for them.
pub struct Cx<S: GenServer> {
    context: Context<S::Msg>,
    /// With the same hash in each run, as it is dropped in its order.
    requests: HashMap<RequestId, Continuation<S>, BuildHasherDefault<DefaultHasher>>,
}

/// What a server does with an answer.
pub(super) type Continuation<S> =
    Box<dyn FnOnce(&mut S, Box<dyn Any + Send>, &mut Cx<S>) -> Next<<S as GenServer>::Msg> + Send>;

impl<S: GenServer> Cx<S> {
    pub(super) fn new(context: Context<S::Msg>) -> Self {
        Cx {
            context,
            requests: HashMap::default(),
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
        let id = request::id(&self.context);
        let continuation = move |server: &mut S, answer, cx: &mut Cx<S>| {
            then(server, request::answer_of(answer), cx)
        };
        self.requests.insert(id, Box::new(continuation));
        request::send(&self.context, id, timeout, to, make);
        id
    }

    /// Forgets a request: its continuation will not run. `false` if it has run, or is unknown.
    pub fn cancel_request(&mut self, id: RequestId) -> bool {
        self.requests.remove(&id).is_some()
    }

    /// How many requests are on their way.
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn continuation(&mut self, id: RequestId) -> Option<Continuation<S>> {
        self.requests.remove(&id)
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
