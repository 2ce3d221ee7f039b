//! The threads of thread processes: counted, capped, and joined when they have ended.

use crate::pid::Pid;
use crate::process::error::StartError;
use crate::process::runtime::Shared;
use crate::scheduler::Place;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Condvar, Mutex};
use std::collections::HashMap;
use std::time::Instant;

/// Memory mappings that one thread takes: its stack, the guard page, the signal stack and its guard page.
const MAPPINGS_EACH: usize = 4;

/// What a system that names no limit gets: far below where programs die of threads.
const THREADS_MAX: usize = 8_000;

/// How many thread processes a runtime allows by default: half of what the system's limit of memory mappings
/// allows, because the other half belongs to the rest of the program, and running out of mappings aborts it.
pub(crate) fn default_max() -> usize {
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let mappings = mappings.and_then(|text| text.trim().parse::<usize>().ok());
    mappings.map_or(THREADS_MAX, |mappings| mappings / MAPPINGS_EACH / 2)
}

/// The threads of a runtime's thread processes.
pub(crate) struct Threads {
    max: usize,
    /// A leaf lock, held while a thread is started: whoever ends finds its handle here.
    handles: Mutex<Handles>,
    changed: Condvar,
}

#[derive(Default)]
struct Handles {
    running: HashMap<Pid, JoinHandle<()>>,
    /// Threads that have run their process and need only be joined.
    ended: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(crate) fn new(max: usize) -> Self {
        Threads {
            max,
            handles: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// How many threads run a process, or what is left of one.
    pub(crate) fn live(&self) -> usize {
        self.handles.lock().running.len()
    }

    /// Waits until all threads have ended, until `deadline` at most; how many have, and how many have not.
    pub(crate) fn join_all(&self, deadline: Instant) -> (usize, usize) {
        let mut handles = self.handles.lock();
        while !handles.running.is_empty() {
            if self.changed.wait_until(&mut handles, deadline).timed_out() {
                break;
            }
        }
        let ended = std::mem::take(&mut handles.ended);
        let left = handles.running.len();
        drop(handles);
        let joined = ended.len();
        join(ended);
        (joined, left)
    }
}

/// Starts the thread of a process, named after it.
pub(crate) fn spawn(
    shared: &Arc<Shared>,
    pid: Pid,
    name: String,
    main: impl FnOnce() + Send + 'static,
) -> Result<(), StartError> {
    let threads = &shared.threads;
    let mut handles = threads.handles.lock();
    let ended = std::mem::take(&mut handles.ended);
    if handles.running.len() >= threads.max {
        drop(handles);
        join(ended);
        return Err(StartError::TooManyThreads);
    }
    let owner = shared.clone();
    let place = shared.scheduler().place(&name);
    let taken = place.clone();
    let started = thread::spawn(name, shared.settings.stack_size, move || {
        let held = taken.map(Place::take);
        main();
        owner.threads.end(pid);
        drop(owner);
        drop(held);
    });
    let started = started.map(|handle| handles.running.insert(pid, handle));
    drop(handles);
    if let (Ok(_), Some(place)) = (&started, place) {
        place.ready();
    }
    join(ended);
    match started {
        Ok(_) => Ok(()),
        Err(_) => Err(StartError::TooManyThreads),
    }
}

impl Threads {
    /// The last thing that the thread of a process does.
    fn end(&self, pid: Pid) {
        let mut handles = self.handles.lock();
        if let Some(handle) = handles.running.remove(&pid) {
            handles.ended.push(handle);
        }
        drop(handles);
        self.changed.notify_all();
    }
}

/// Joins threads that have nothing left to do but return.
fn join(ended: Vec<JoinHandle<()>>) {
    for handle in ended {
        if handle.thread().id() != thread::current().id() {
            // The kernel catches everything that a process throws; there is nothing to hear here.
            let _ = handle.join();
        }
    }
}
