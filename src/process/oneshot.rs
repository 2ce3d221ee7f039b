//! A slot for one answer: written once, by whoever comes first, and taken once.

use crate::pid::RequestId;
use crate::process::core::{Process, Signal};
use crate::process::error::CallError;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Brief, Parker};

/// What an answer is: the value, or why there is none.
pub(crate) type Answer<T> = Result<T, CallError>;

/// What to do with an answer that nobody waits for on a parked thread.
pub(crate) type Continuation<T> = Box<dyn FnOnce(Answer<T>) + Send>;

/// One answer on its way.
///
/// Invariant: the state goes Open → (Parked →) Done → Closed or Open → Closed, never back; so the first
/// answer wins, and one that comes after the wait is given up is dropped by the one who brought it.
pub(crate) struct Slot<T> {
    /// Equals `true` once there is nothing left to bring: lets a spinning caller look without the lock.
    done: AtomicBool,
    state: Brief<State<T>>,
}

enum State<T> {
    Open,
    Parked(Arc<Parker>),
    Then(Continuation<T>),
    /// Whom to tell that it is done, and of which request.
    Tell(Arc<dyn Process>, RequestId),
    Done(Answer<T>),
    Closed,
}

impl<T> Slot<T> {
    /// A slot that somebody will wait for.
    pub(crate) fn new() -> Self {
        Slot {
            done: AtomicBool::new(false),
            state: Brief::new(State::Open),
        }
    }

    /// A slot whose answer is handed to a continuation, on the thread that brings it.
    pub(crate) fn then(continuation: Continuation<T>) -> Self {
        Slot {
            done: AtomicBool::new(false),
            state: Brief::new(State::Then(continuation)),
        }
    }

    /// A slot whose answer stays in it, and whose process is told that it is there.
    pub(crate) fn tell(process: Arc<dyn Process>, request: RequestId) -> Self {
        Slot {
            done: AtomicBool::new(false),
            state: Brief::new(State::Tell(process, request)),
        }
    }

    /// Runs `f`, which must not wait, before there is an answer; `false`, and it does not run, if there is one.
    pub(crate) fn while_open(&self, f: impl FnOnce()) -> bool {
        let state = self.state.lock();
        let open = !matches!(*state, State::Done(_) | State::Closed);
        if open {
            f();
        }
        open
    }

    /// Brings the answer; it comes back if there was one already or nobody waits any more.
    pub(crate) fn put(&self, answer: Answer<T>) -> Result<(), Answer<T>> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Closed) {
            State::Open => *state = State::Done(answer),
            State::Parked(parker) => {
                *state = State::Done(answer);
                self.done.store(true, Ordering::Release);
                drop(state);
                parker.unpark();
                return Ok(());
            }
            State::Then(continuation) => {
                self.done.store(true, Ordering::Release);
                drop(state);
                continuation(answer);
                return Ok(());
            }
            State::Tell(process, request) => {
                *state = State::Done(answer);
                self.done.store(true, Ordering::Release);
                drop(state);
                process.tell(Signal::Answer(request));
                return Ok(());
            }
            had @ (State::Done(_) | State::Closed) => {
                *state = had;
                return Err(answer);
            }
        }
        self.done.store(true, Ordering::Release);
        Ok(())
    }

    /// Equals `true` once an answer came, whether it was taken or not, or nobody waits for one any more.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Takes the answer if it is there.
    pub(crate) fn take(&self) -> Option<Answer<T>> {
        let mut state = self.state.lock();
        if !matches!(*state, State::Done(_)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Closed) {
            State::Done(answer) => Some(answer),
            _ => None,
        }
    }

    /// Leaves a parker for whoever brings the answer; `false` if the answer is there.
    pub(crate) fn park_with(&self, parker: &Arc<Parker>) -> bool {
        let mut state = self.state.lock();
        if matches!(*state, State::Done(_)) {
            return false;
        }
        *state = State::Parked(parker.clone());
        true
    }

    /// Gives the wait up; the answer if it came in the meantime.
    pub(crate) fn close(&self) -> Option<Answer<T>> {
        self.done.store(true, Ordering::Release);
        let had = std::mem::replace(&mut *self.state.lock(), State::Closed);
        match had {
            State::Done(answer) => Some(answer),
            _ => None,
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use crate::sync::model::explore;
    use crate::sync::thread;

    fn put_aside(slot: &Arc<Slot<u8>>, value: u8) -> thread::JoinHandle<bool> {
        let slot = slot.clone();
        let put = move || slot.put(Ok(value)).is_ok();
        thread::spawn("replier".into(), None, put).expect("a model has threads")
    }

    /// An answer that comes while the caller is about to park; if it woke nobody, loom would report a deadlock.
    #[test]
    fn loom_answer_wakes_whoever_parks() {
        explore(|| {
            let (slot, parker) = (Arc::new(Slot::new()), Arc::new(Parker::new()));
            let replier = put_aside(&slot, 7);
            let answer = loop {
                if let Some(answer) = slot.take() {
                    break answer;
                }
                if slot.park_with(&parker) {
                    parker.park();
                }
            };
            assert_eq!(answer, Ok(7));
            assert!(replier.join().expect("no panic"));
            assert!(slot.take().is_none(), "it was taken");
        });
    }

    /// A server answers while its end answers for it.
    #[test]
    fn loom_first_answer_wins() {
        explore(|| {
            let slot = Arc::new(Slot::new());
            let replier = put_aside(&slot, 1);
            let late = slot.put(Ok(2)).is_err();
            let early = replier.join().expect("no panic");
            assert_eq!(early, late);
            assert!(slot.is_done());
            assert_eq!(slot.take(), Some(Ok(if early { 1 } else { 2 })));
        });
    }

    /// An answer that comes while the caller gives up is either the caller's or comes back to the replier.
    #[test]
    fn loom_answer_is_taken_or_comes_back() {
        explore(|| {
            let slot = Arc::new(Slot::new());
            let replier = put_aside(&slot, 7);
            let taken = slot.close().is_some();
            assert_eq!(replier.join().expect("no panic"), taken);
        });
    }
}
