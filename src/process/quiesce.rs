//! Zombies: processes whose identity was cut by a kill while their code ran on, and whoever waits for that
//! code to end.

use crate::pid::Pid;
use crate::process::runtime::Shared;
use crate::process::{runtime, watch};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, Parker};
use crate::telemetry::Event;
use crate::time::later;
use std::collections::HashMap;
use std::time::Duration;

type Waiter = Box<dyn FnOnce() + Send>;

/// The zombies of a runtime.
#[derive(Default)]
pub(crate) struct Quiesce {
    /// A leaf lock.
    zombies: Mutex<HashMap<Pid, Vec<Waiter>>>,
}

/// A killed process did not end within its grace: its identity was cut, its code runs on.
#[derive(Clone, Copy, Debug)]
pub struct ZombieCut {
    /// Which process it was.
    pub pid: Pid,
}

/// The code of a zombie has ended, and its state is dropped.
#[derive(Clone, Copy, Debug)]
pub struct ZombieEnded {
    /// Which process it was.
    pub pid: Pid,
}

impl Event for ZombieCut {}
impl Event for ZombieEnded {}

impl Quiesce {
    pub(crate) fn zombies(&self) -> usize {
        self.zombies.lock().len()
    }

    pub(crate) fn add(&self, pid: Pid) {
        self.zombies.lock().insert(pid, Vec::new());
    }

    /// A zombie's code has ended: tells whoever waited.
    pub(crate) fn remove(&self, pid: Pid) {
        let waiters = self.zombies.lock().remove(&pid);
        for waiter in waiters.into_iter().flatten() {
            waiter();
        }
    }

    /// Calls `waiter` once the code of an *ended* process runs no more: at once unless it is a zombie.
    pub(crate) fn on_end(&self, pid: Pid, waiter: Waiter) {
        let mut zombies = self.zombies.lock();
        match zombies.get_mut(&pid) {
            Some(waiters) => waiters.push(waiter),
            None => {
                drop(zombies);
                waiter();
            }
        }
    }
}

/// Waits until a process has ended and nothing of its code runs any more, zombies included; `false` if that
/// did not happen in time.
///
/// A pooled process that waits here holds a worker.
pub fn wait_quiesced(pid: Pid, timeout: Duration) -> bool {
    let shared = runtime::current();
    let deadline = later(shared.clock.now(), timeout);
    if watch::watch_in(&shared, pid).wait(timeout).is_none() {
        return false;
    }
    let parker = Arc::new(Parker::new());
    let ended = Arc::new(AtomicBool::new(false));
    let (waker, told) = (parker.clone(), ended.clone());
    let tell = move || {
        told.store(true, Ordering::Release);
        waker.unpark();
    };
    shared.quiesce.on_end(pid, Box::new(tell));
    while !ended.load(Ordering::Acquire) {
        if !watch::park(&shared, &parker, Some(deadline)) {
            return ended.load(Ordering::Acquire);
        }
    }
    true
}

impl Shared {
    /// Says that the code of a process that was cut runs on.
    pub(crate) fn becomes_zombie(&self, pid: Pid) {
        log::warn!(target: "perennial::process", "{pid} was killed and did not end within its grace: cut");
        self.telemetry.emit(|| ZombieCut { pid });
    }

    pub(crate) fn zombie_ended(&self, pid: Pid) {
        self.quiesce.remove(pid);
        self.telemetry.emit(|| ZombieEnded { pid });
    }
}
