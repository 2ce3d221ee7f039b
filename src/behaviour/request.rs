//! Requests that do not block: the answer is an entry in the mailbox of whoever asked.

use crate::pid::{Pid, RequestId};
use crate::process::asked::{self, Asked};
use crate::process::core::flag;
use crate::process::dest::{self, Dest};
use crate::process::{Context, ReplyTo};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// How long a request waits for its answer unless told otherwise: as a call.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The requests of a process that are on their way, each with what is to happen with its answer.
///
/// They are in the order in which they were sent, which is that of their numbers, so most answers are looked for at the
/// front, and no other takes more than a binary search. It is also the order in which they are dropped.
pub(super) struct Requests<R>(Option<Box<OnTheirWay<R>>>);

/// In a box, which is made for the first one: most processes never have any.
struct OnTheirWay<R> {
    /// A request that was answered leaves a gap until the front or the back comes to it, or half of all are gaps.
    sent: VecDeque<(RequestId, Option<R>)>,
    len: usize,
    /// Numbers for the next ones.
    numbers: Range<u64>,
}

/// A server takes numbers for so many requests at a time, and so seldom meets the others at the counter.
const NUMBERS: u64 = 64;

/// What is kept of a request.
pub(super) trait Kept {
    /// See [`Asked::cut`].
    fn cut(&self, pid: Pid);
}

impl<R> Requests<R> {
    pub(super) fn new() -> Self {
        Requests(None)
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |requests| requests.len)
    }

    /// Sends a request, and keeps what `kept` makes of it. The answer comes in any case: it is there, or the reason why
    /// there is none, when [`Behaviour::answered`](crate::process::behaviour::Behaviour::answered) is called.
    pub(super) fn send<M: Send + 'static, D: Dest, T: Send + 'static>(
        &mut self,
        from: &Context<M>,
        timeout: Duration,
        to: D,
        make: impl FnOnce(ReplyTo<T>) -> D::Msg,
        kept: impl FnOnce(Asked<T>) -> R,
    ) -> RequestId {
        let asker = from.me().process();
        let core = asker.core();
        if !core.has(flag::ASKS) {
            core.set(flag::ASKS);
        }
        let requests = self.0.get_or_insert_default();
        let number = requests.numbers.next().unwrap_or_else(|| {
            requests.numbers = core.runtime.references(NUMBERS);
            requests.numbers.next().unwrap_or_default()
        });
        let id = RequestId::from_raw(number);
        let keep = |asked| {
            requests.sent.push_back((id, Some(kept(asked))));
            requests.len += 1;
        };
        match to.local() {
            Some(local) => asked::ask(asker, id, Ok(local), timeout, make, keep),
            None => {
                let local = dest::local(to.resolve());
                let local = local.as_ref().map_err(Clone::clone);
                asked::ask(asker, id, local, timeout, make, keep);
            }
        }
        id
    }

    /// Takes out a request, be it answered or not.
    pub(super) fn remove(&mut self, id: RequestId) -> Option<R> {
        self.0.as_mut()?.remove(id)
    }
}

impl<R> Default for OnTheirWay<R> {
    fn default() -> Self {
        OnTheirWay {
            sent: VecDeque::new(),
            len: 0,
            numbers: 0..0,
        }
    }
}

impl<R> OnTheirWay<R> {
    fn remove(&mut self, id: RequestId) -> Option<R> {
        let at = match self.sent.front() {
            Some((first, _)) if *first == id => 0,
            _ => self.sent.binary_search_by_key(&id, |(id, _)| *id).ok()?,
        };
        let removed = self.sent[at].1.take()?;
        self.len -= 1;
        while self.sent.front().is_some_and(|(_, kept)| kept.is_none()) {
            self.sent.pop_front();
        }
        while self.sent.back().is_some_and(|(_, kept)| kept.is_none()) {
            self.sent.pop_back();
        }
        if self.sent.len() > 2 * self.len {
            self.sent.retain(|(_, kept)| kept.is_some());
        }
        Some(removed)
    }
}

impl<R: Kept> Requests<R> {
    /// A process was cut from its code.
    pub(super) fn cut(&self, pid: Pid) {
        let sent = self.0.iter().flat_map(|requests| &requests.sent);
        let all = sent.filter_map(|(_, kept)| kept.as_ref());
        all.for_each(|kept| kept.cut(pid));
    }
}
