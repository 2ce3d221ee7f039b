//! A request on its way: a call whose answer is waited for later, or more than once, or never.
//!
//! ```
//! use perennial::prelude::*;
//! # use std::time::Duration;
//! # struct Doubler;
//! # impl GenServer for Doubler {
//! #     type Args = (); type Msg = (u64, ReplyTo<u64>);
//! #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Doubler) }
//! #     fn handle(&mut self, (n, reply): Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
//! #         reply.send(2 * n); Next::Loop } }
//! let doubler = perennial::gen_server::start::<Doubler>(()).unwrap();
//! let request = doubler.send_request(|reply| (21, reply));
//! // Something else meanwhile.
//! assert_eq!(request.receive(Duration::from_secs(5)), Ok(42));
//! ```

use crate::process::call::{Pending, PendingCall, Watched};
use crate::process::core::Kind;
use crate::process::dest::{Target, local, push};
use crate::process::error::CallError;
use crate::process::mailbox::Refused;
use crate::process::oneshot::{Answer, Continuation};
use crate::process::runtime::{self, Shared};
use crate::process::signal::Entry;
use crate::process::tray::{Arrival, Tray};
use crate::process::{ReplyTo, current, wait};
use crate::sync::{Arc, Mutex};
use std::fmt;
use std::time::{Duration, Instant};

/// A request that was sent and whose answer is to come: OTP's `request_id`, made by
/// [`send_request`](crate::process::Dest::send_request).
///
/// The process that was asked is watched from the beginning, so its end is an answer. The answer comes here and not
/// to a mailbox; whoever holds this may wait, a plain thread too. In a callback of a pooled server a wait takes a
/// spare worker as a call does, and [`Cx::request`](crate::Cx::request), which does not wait, is what it should use.
///
/// Dropped, the request is abandoned: whoever was asked does the work, and the answer is dropped.
#[must_use = "a request that is dropped is abandoned: a message without an answer is a cast"]
pub struct ReqId<T: Send + 'static> {
    /// Equals `None` once the answer was taken.
    asked: Option<Asked<T>>,
}

/// A request without its answer.
pub(super) struct Asked<T: Send + 'static> {
    pub(super) shared: Arc<Shared>,
    route: Arc<Mutex<Route<T>>>,
    /// Equals `None` if it reached nobody.
    watched: Option<Watched<T>>,
}

/// Where an answer goes: to a tray of its own, until the request joins a collection. Locked before the tray.
struct Route<T> {
    tray: Arc<Tray<Answer<T>>>,
    key: u64,
}

/// Sends a request; whatever keeps it from arriving is its answer.
pub(super) fn send<M: Send + 'static, T: Send + 'static>(
    to: Target<M>,
    make: impl FnOnce(ReplyTo<T>) -> M,
) -> ReqId<T> {
    current::checkpoint();
    let local = match local(to) {
        Ok(local) => local,
        Err(error) => return ReqId::failed(error),
    };
    let shared = local.mailbox().core().runtime.clone();
    let (route, answered) = Route::new(&shared);
    let pending = Arc::new(Pending::then(local.process(), None, answered));
    let message = make(ReplyTo::new(pending.clone()));
    match push(&local, Entry::Call(message, pending.clone())) {
        Ok(()) => {}
        Err(Refused::Closed(entry)) => {
            pending.fail(CallError::NoProc);
            drop(entry);
        }
        Err(Refused::Full(entry)) => {
            pending.fail(CallError::Overloaded);
            drop(entry);
        }
    }
    // It may have ended since: then it says so here, unless it has answered before.
    let watched = Some(Watched::new(pending));
    ReqId {
        asked: Some(Asked {
            shared,
            route,
            watched,
        }),
    }
}

impl<T: Send + 'static> Route<T> {
    /// A route to a tray of its own, and what is to happen with the answer.
    fn new(shared: &Arc<Shared>) -> (Arc<Mutex<Self>>, Continuation<T>) {
        let route = Arc::new(Mutex::new(Route {
            tray: Tray::new(),
            key: 0,
        }));
        let (to, clock) = (route.clone(), Arc::downgrade(shared));
        let answered = move |answer| {
            let at = clock.upgrade().map_or(0, |shared| shared.next_reference());
            to.lock().bring(at, answer);
        };
        (route, Box::new(answered))
    }

    fn bring(&self, at: u64, value: Answer<T>) {
        let key = self.key;
        self.tray.put(Arrival { at, key, value });
    }
}

impl<T: Send + 'static> Asked<T> {
    /// Leads the answer to another tray, be it on its way or here.
    pub(super) fn lead(&self, tray: &Arc<Tray<Answer<T>>>, key: u64) {
        let mut route = self.route.lock();
        let before = std::mem::replace(&mut route.tray, tray.clone());
        route.key = key;
        while let Some(Arrival { at, value, .. }) = before.take() {
            route.bring(at, value);
        }
    }

    /// Lets a pooled process answer at once, on the stack of whoever waits, if it would be the next to run anyway.
    pub(super) fn hurry(&self) {
        if let Some(target) = self.watched.as_ref().map(|asked| asked.pending.target())
            && target.core().kind == Kind::Pooled
        {
            target.clone().run_in_place();
        }
    }

    fn call(&self) -> Option<Arc<dyn PendingCall>> {
        let watched = self.watched.as_ref()?;
        Some(watched.pending.clone())
    }

    fn tray(&self) -> Arc<Tray<Answer<T>>> {
        self.route.lock().tray.clone()
    }
}

impl<T: Send + 'static> ReqId<T> {
    /// A request that reached nobody.
    fn failed(error: CallError) -> Self {
        let shared = runtime::current();
        let (route, answered) = Route::new(&shared);
        answered(Err(error));
        ReqId {
            asked: Some(Asked {
                shared,
                route,
                watched: None,
            }),
        }
    }

    pub(super) fn into_asked(self) -> Option<Asked<T>> {
        self.asked
    }

    /// Waits for the answer, so long at most ([`Duration::MAX`] is for ever), and may be repeated: `None` if it is not
    /// there yet. OTP's `wait_response`.
    ///
    /// # Errors
    /// As a call; `NoRequest` once the answer was given. `Deadlock`, `PoolExhausted` and `Exiting` say that there was
    /// no waiting: the request is on its way all the same.
    ///
    /// ```
    /// use perennial::prelude::*;
    /// use perennial::process;
    /// use std::time::Duration;
    /// let late = process::spawn::<ReplyTo<u8>>(|cx| {
    ///     let reply = cx.receive().message().unwrap();
    ///     process::sleep(Duration::from_millis(20));
    ///     reply.send(7);
    /// });
    /// let mut request = late.send_request(|reply| reply);
    /// let mut looks = 0;
    /// let answer = loop {
    ///     looks += 1;
    ///     if let Some(answer) = request.wait(Duration::from_millis(1)) {
    ///         break answer;
    ///     }
    /// };
    /// assert_eq!(answer, Ok(7));
    /// assert!(looks > 1);
    /// ```
    pub fn wait(&mut self, timeout: Duration) -> Option<Result<T, CallError>> {
        let deadline = self.asked.as_ref().and_then(|asked| asked.after(timeout));
        self.wait_by(deadline)
    }

    /// [`wait`](ReqId::wait) until a moment of the runtime's clock.
    pub fn wait_until(&mut self, deadline: Instant) -> Option<Result<T, CallError>> {
        self.wait_by(Some(deadline))
    }

    /// Waits for the answer and abandons the request if it does not come in time: OTP's `receive_response`.
    ///
    /// # Errors
    /// As a call.
    pub fn receive(mut self, timeout: Duration) -> Result<T, CallError> {
        self.wait(timeout).unwrap_or(Err(CallError::Timeout))
    }

    /// [`receive`](ReqId::receive) until a moment of the runtime's clock.
    ///
    /// # Errors
    /// As a call.
    pub fn receive_until(mut self, deadline: Instant) -> Result<T, CallError> {
        self.wait_by(Some(deadline))
            .unwrap_or(Err(CallError::Timeout))
    }

    /// Looks whether the answer is there, and never waits: what `check_response` is for in OTP.
    pub fn check(&mut self) -> Option<Result<T, CallError>> {
        let Some(asked) = &self.asked else {
            return Some(Err(CallError::NoRequest));
        };
        let arrival = asked.tray().take()?;
        self.asked = None;
        Some(arrival.value)
    }

    fn wait_by(&mut self, deadline: Option<Instant>) -> Option<Result<T, CallError>> {
        let Some(asked) = &self.asked else {
            return Some(Err(CallError::NoRequest));
        };
        asked.hurry();
        let tray = asked.tray();
        let look = |parker: &_| tray.take_or_leave(parker);
        match wait::for_any(&asked.shared, asked.call(), deadline, look) {
            Ok(arrival) => {
                self.asked = None;
                Some(arrival.value)
            }
            Err(CallError::Timeout) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<T: Send + 'static> Asked<T> {
    /// The moment after a timeout; for ever has none.
    pub(super) fn after(&self, timeout: Duration) -> Option<Instant> {
        self.shared.clock.now().checked_add(timeout)
    }
}

impl<T: Send + 'static> fmt::Debug for ReqId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched = self.asked.as_ref().map(|asked| &asked.watched);
        match watched {
            None => f.write_str("ReqId(answered)"),
            Some(None) => f.write_str("ReqId(to nobody)"),
            Some(Some(watched)) => write!(f, "ReqId(to {})", watched.pending.target().core().pid),
        }
    }
}
