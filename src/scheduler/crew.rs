//! The threads of a scheduler: started by name, counted, and all joined at the end.

use crate::sync::thread::{self, JoinHandle, ThreadId};
use crate::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// The threads that were started and have not been joined.
pub(super) struct Crew {
    /// Held while a thread starts, so that nobody sees one that ended before it is on the list.
    state: Mutex<State>,
    /// Notified whenever a thread is about to end.
    ended: Condvar,
    stack_size: Option<usize>,
}

#[derive(Default)]
struct State {
    handles: Vec<JoinHandle<()>>,
    /// Those of `handles` that have nothing left to do but end: joining them waits for no user code.
    ended: Vec<ThreadId>,
}

/// Reports the end of a thread even if it unwinds.
struct Ending(Arc<Crew>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.ended.push(thread::current().id());
        drop(state);
        self.0.ended.notify_all();
    }
}

impl Crew {
    pub(super) fn new(stack_size: Option<usize>) -> Arc<Self> {
        Arc::new(Crew {
            state: Mutex::new(State::default()),
            ended: Condvar::new(),
            stack_size,
        })
    }

    /// Starts a thread; fails with the system's error if there is none to be had.
    pub(super) fn start(
        self: &Arc<Self>,
        name: String,
        main: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let crew = self.clone();
        let mut state = self.state.lock();
        let done = state.take_ended();
        let started = thread::spawn(name, self.stack_size, move || {
            let _ending = Ending(crew);
            main();
        });
        let result = started.map(|handle| state.handles.push(handle));
        drop(state);
        join(done);
        result
    }

    /// Threads that have not ended.
    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.handles.len() - state.ended.len()
    }

    /// Joins every thread that ends before `deadline`; how many are left. The calling thread is not waited for.
    pub(super) fn join_all(&self, deadline: Instant) -> usize {
        self.join_all_but(0, deadline)
    }

    /// As [`Crew::join_all`], when it is known that so many will not end.
    pub(super) fn join_all_but(&self, stuck: usize, deadline: Instant) -> usize {
        let this = thread::current().id();
        let mut state = self.state.lock();
        loop {
            let done = state.take_ended();
            if !done.is_empty() {
                drop(state);
                join(done);
                state = self.state.lock();
                continue;
            }
            let left = state.handles.len();
            if left <= stuck {
                return left;
            }
            let waits = state
                .handles
                .iter()
                .any(|handle| handle.thread().id() != this);
            if !waits || self.ended.wait_until(&mut state, deadline).timed_out() {
                return left;
            }
        }
    }
}

impl State {
    fn take_ended(&mut self) -> Vec<JoinHandle<()>> {
        let ended = std::mem::take(&mut self.ended);
        let (done, left) = std::mem::take(&mut self.handles)
            .into_iter()
            .partition(|handle| ended.contains(&handle.thread().id()));
        self.handles = left;
        done
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            log::error!("a thread of the scheduler panicked; this is a bug in perennial");
        }
    }
}
