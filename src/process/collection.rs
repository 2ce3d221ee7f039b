//! Requests together: several on their way, and whichever answer comes first is received first.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::process::{self, NoResponse, ReqIdCollection};
//! use std::time::Duration;
//!
//! let [near, far] = [5, 50].map(|milliseconds| {
//!     process::spawn::<ReplyTo<u64>>(move |cx| {
//!         let reply = cx.receive().message().unwrap();
//!         process::sleep(Duration::from_millis(milliseconds));
//!         reply.send(milliseconds);
//!     })
//! });
//! let mut requests = ReqIdCollection::new();
//! requests.add("far", far.send_request(|reply| reply));
//! requests.add("near", near.send_request(|reply| reply));
//! assert_eq!(requests.receive(Duration::from_secs(5)), Ok(("near", Ok(5))));
//! assert_eq!(requests.receive(Duration::from_secs(5)), Ok(("far", Ok(50))));
//! assert_eq!(requests.receive(Duration::from_secs(5)), Err(NoResponse::NoRequest));
//! ```

use crate::process::error::CallError;
use crate::process::oneshot::Answer;
use crate::process::request::{Asked, ReqId};
use crate::process::runtime::{self, Shared};
use crate::process::tray::{Arrival, Tray};
use crate::process::wait;
use crate::sync::Arc;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// Requests on their way, each with a label: OTP's `request_id_collection`.
///
/// What is in it leaves it with its answer. Dropped, all that is left is abandoned. In a callback of a pooled server
/// a wait takes a spare worker as a call does.
pub struct ReqIdCollection<L, T: Send + 'static> {
    tray: Arc<Tray<Answer<T>>>,
    members: BTreeMap<u64, Member<L, T>>,
    next_key: u64,
}

struct Member<L, T: Send + 'static> {
    label: L,
    /// Equals `None` if its answer was taken before it came here.
    asked: Option<Asked<T>>,
}

/// Why a collection gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoResponse {
    /// None came in time.
    Timeout,
    /// There is no request in the collection.
    NoRequest,
    /// A pooled process would have had to wait, and there are as many waiting workers as allowed.
    PoolExhausted,
    /// The process is leaving: its destructors run, and may not wait any more.
    Exiting,
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoResponse::Timeout => "no answer came in time",
            NoResponse::NoRequest => "no request is on its way",
            NoResponse::PoolExhausted => "no spare worker left to wait on",
            NoResponse::Exiting => "the process is ending and may not wait any more",
        })
    }
}

impl std::error::Error for NoResponse {}

impl<L, T: Send + 'static> Default for ReqIdCollection<L, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L, T: Send + 'static> ReqIdCollection<L, T> {
    /// An empty one.
    pub fn new() -> Self {
        ReqIdCollection {
            tray: Tray::new(),
            members: BTreeMap::new(),
            next_key: 0,
        }
    }

    /// Adds a request under a label, which need not be the only one of its kind. A request is in one collection at
    /// most, as it moves here; one whose answer was taken before answers [`NoRequest`](CallError::NoRequest) at once.
    pub fn add(&mut self, label: L, request: ReqId<T>) {
        let key = self.next_key;
        self.next_key += 1;
        let asked = request.into_asked();
        match &asked {
            Some(asked) => asked.lead(&self.tray, key),
            None => self.tray.put(Arrival {
                at: 0,
                key,
                value: Err(CallError::NoRequest),
            }),
        }
        self.members.insert(key, Member { label, asked });
    }

    /// How many requests are in it.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Equals `true` if no request is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The labels of the requests in it, in the order in which they were added.
    pub fn labels(&self) -> impl Iterator<Item = &L> {
        self.members.values().map(|member| &member.label)
    }

    /// Waits for any answer, so long at most ([`Duration::MAX`] is for ever), and gives the first that came with its
    /// label. Whatever fails one request is the answer of that one alone.
    ///
    /// # Errors
    /// See [`NoResponse`]. On `Timeout` all that are left are abandoned, and the collection is empty.
    pub fn receive(&mut self, timeout: Duration) -> Result<(L, Result<T, CallError>), NoResponse> {
        let deadline = self.after(timeout);
        self.receive_by(deadline)
    }

    /// [`receive`](ReqIdCollection::receive) until a moment of the runtime's clock: one deadline for however many.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// # use perennial::prelude::*;
    /// # use perennial::process::{self, NoResponse, ReqIdCollection};
    /// # use std::time::{Duration, Instant};
    /// let silent = process::spawn::<ReplyTo<()>>(|cx| drop((cx.receive(), cx.receive())));
    /// let mut requests = ReqIdCollection::new();
    /// requests.add(1, silent.send_request(|reply| reply));
    /// let soon = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(requests.receive_until(soon), Err(NoResponse::Timeout));
    /// assert!(requests.is_empty());
    /// # process::exit(&silent, perennial::ExitReason::Kill);
    /// ```
    pub fn receive_until(
        &mut self,
        deadline: Instant,
    ) -> Result<(L, Result<T, CallError>), NoResponse> {
        self.receive_by(Some(deadline))
    }

    /// As [`receive`](ReqIdCollection::receive), and after a timeout all requests are still there.
    ///
    /// # Errors
    /// See [`NoResponse`].
    pub fn wait(&mut self, timeout: Duration) -> Result<(L, Result<T, CallError>), NoResponse> {
        let deadline = self.after(timeout);
        self.wait_by(deadline)
    }

    /// [`wait`](ReqIdCollection::wait) until a moment of the runtime's clock.
    ///
    /// # Errors
    /// As there.
    pub fn wait_until(
        &mut self,
        deadline: Instant,
    ) -> Result<(L, Result<T, CallError>), NoResponse> {
        self.wait_by(Some(deadline))
    }

    /// The first answer that came, if there is one: never waits.
    pub fn check(&mut self) -> Option<(L, Result<T, CallError>)> {
        let arrival = self.tray.take()?;
        Some(self.taken(arrival))
    }

    fn receive_by(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<(L, Result<T, CallError>), NoResponse> {
        let answer = self.wait_by(deadline);
        if let Err(NoResponse::Timeout) = answer {
            self.abandon();
        }
        answer
    }

    fn wait_by(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<(L, Result<T, CallError>), NoResponse> {
        if self.is_empty() {
            return Err(NoResponse::NoRequest);
        }
        for asked in self.asked() {
            asked.hurry();
        }
        let look = |parker: &_| self.tray.take_or_leave(parker);
        match wait::for_any(&self.shared(), None, deadline, look) {
            Ok(arrival) => Ok(self.taken(arrival)),
            Err(CallError::PoolExhausted) => Err(NoResponse::PoolExhausted),
            Err(CallError::Exiting) => Err(NoResponse::Exiting),
            Err(_) => Err(NoResponse::Timeout),
        }
    }

    fn taken(&mut self, arrival: Arrival<Answer<T>>) -> (L, Answer<T>) {
        let member = self.members.remove(&arrival.key);
        let member = member.expect("an answer comes once, to a request that is here");
        (member.label, arrival.value)
    }

    /// Lets go of all requests. The tray goes with them: what comes too late is not to be mistaken for an answer.
    fn abandon(&mut self) {
        *self = ReqIdCollection {
            next_key: self.next_key,
            ..Self::new()
        };
    }

    fn asked(&self) -> impl Iterator<Item = &Asked<T>> {
        self.members.values().flat_map(|member| &member.asked)
    }

    fn shared(&self) -> Arc<Shared> {
        let first = self.asked().next();
        first.map_or_else(runtime::current, |asked| asked.shared.clone())
    }

    fn after(&self, timeout: Duration) -> Option<Instant> {
        self.shared().clock.now().checked_add(timeout)
    }
}

impl<L: fmt::Debug, T: Send + 'static> fmt::Debug for ReqIdCollection<L, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqIdCollection")?;
        f.debug_list().entries(self.labels()).finish()
    }
}
