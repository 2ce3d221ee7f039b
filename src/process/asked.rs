//! A request whose answer comes as a mark into the mailbox of whoever asked: in its place among the messages, with nobody
//! waiting. The answer itself stays in the slot of the call until the mark is met.

use crate::pid::{Pid, RequestId};
use crate::process::ReplyTo;
use crate::process::call::{Pending, PendingCall};
use crate::process::core::{Kind, Process, Signal};
use crate::process::current;
use crate::process::dest::{deadline, push};
use crate::process::error::CallError;
use crate::process::mailbox::Refused;
use crate::process::oneshot::Answer;
use crate::process::reference::Ref;
use crate::process::signal::Entry;
use crate::reason::ExitReason;
use crate::scheduler::TimerKey;
use crate::sync::Arc;
use std::time::Duration;

/// A request on its way, for whoever asked; dropped, it is given up.
pub(crate) struct Asked<T: Send + 'static>(State<T>);

enum State<T: Send + 'static> {
    Sent(Arc<Pending<T>>, Option<TimerKey>),
    /// It could not be sent.
    Failed(CallError),
    Over,
}

/// Sends a request of the process that runs here. [`Signal::Answer`] comes in any case: with the answer, or the reason why
/// there is none. Before anything leaves, `keep` is given what the answer is taken from.
pub(crate) fn ask<M: Send + 'static, T: Send + 'static>(
    asker: Arc<dyn Process>,
    id: RequestId,
    to: Result<&Ref<M>, CallError>,
    timeout: Duration,
    make: impl FnOnce(ReplyTo<T>) -> M,
    keep: impl FnOnce(Asked<T>),
) {
    current::checkpoint_of(&asker);
    let (itself, runtime) = (asker.core().pid, Arc::as_ptr(&asker.core().runtime));
    // Pids of two runtimes may be alike.
    let is_here = |to: &Ref<M>| Arc::as_ptr(&to.mailbox().core().runtime) == runtime;
    let to = match to {
        Ok(to) if to.pid() == itself && is_here(to) => Err(CallError::CallingSelf),
        to => to,
    };
    let local = match to {
        Ok(local) => local,
        Err(error) => {
            keep(Asked(State::Failed(error)));
            return asker.tell(Signal::Answer(id));
        }
    };
    let deadline = deadline(local, Some(timeout));
    let pending = Arc::new(Pending::tell(local.process(), deadline, asker, id));
    let core = pending.target().core();
    // What a thread process has received is out of reach, and there is no callback whose end says what became of it. Nor
    // does a process of another runtime tell this one when its identity is cut.
    let at_once = core.kind == Kind::Thread || !is_here(local);
    if at_once && !pending.watch_from_the_beginning() {
        pending.fail(CallError::NoProc);
        return keep(Asked(State::Sent(pending, None)));
    }
    let timers = core.runtime.scheduler().timers();
    let timer = deadline.map(|deadline| timers.insert_due(deadline, pending.clone()));
    let (reply, call) = (ReplyTo::new(pending.clone()), pending.clone());
    keep(Asked(State::Sent(pending, timer)));
    let refused = match push(local, Entry::Call(make(reply), call)) {
        Ok(()) => return,
        Err(refused) => refused,
    };
    let (entry, error) = match refused {
        Refused::Closed(entry) => (entry, CallError::NoProc),
        Refused::Full(entry) => (entry, CallError::Overloaded),
    };
    if let Entry::Call(_, call) = &entry {
        call.fail(error);
    }
    drop(entry);
}

impl<T: Send + 'static> Asked<T> {
    /// The answer, once its mark has been met.
    pub(crate) fn answer(mut self) -> Answer<T> {
        match std::mem::replace(&mut self.0, State::Over) {
            State::Sent(pending, timer) => {
                let answer = pending.slot.take();
                settle(&pending, timer);
                answer.unwrap_or(Err(CallError::NoReply))
            }
            State::Failed(error) => Err(error),
            State::Over => unreachable!("an answer is taken by value"),
        }
    }

    /// A process of this runtime was cut from its code, which may have this in its hand: if that is whom it was sent to,
    /// it fails.
    pub(crate) fn cut(&self, pid: Pid) {
        if let State::Sent(pending, _) = &self.0
            && pending.is_unwatched()
            && pending.target().core().pid == pid
        {
            pending.fail(CallError::Exited(ExitReason::Killed));
        }
    }
}

impl<T: Send + 'static> Drop for Asked<T> {
    fn drop(&mut self) {
        if let State::Sent(pending, timer) = std::mem::replace(&mut self.0, State::Over) {
            let answer = pending.slot.close();
            settle(&pending, timer);
            drop(answer);
        }
    }
}

/// Takes back what a request left elsewhere.
fn settle<T: Send + 'static>(pending: &Pending<T>, timer: Option<TimerKey>) {
    if let Some(timer) = timer {
        let runtime = &pending.target().core().runtime;
        runtime.scheduler().timers().discard(timer);
    }
    pending.let_go();
}
