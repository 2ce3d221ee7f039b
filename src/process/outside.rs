//! Waiting outside the library: for a process that waits in a call of the system, as one that owns sockets does.

use crate::process::core::Process;
use crate::process::current;
use crate::sync::{Arc, thread};

/// Runs `wait`, in which the running thread process waits for something that the library knows nothing of, and
/// runs `alarm`, on whichever thread, as soon as anything comes for the process: a message, an exit signal, a kill.
/// The alarm has to end the wait, also if that has not begun yet. If something has come already, neither runs; now and
/// then that happens although nothing has.
///
/// A kill and a deadly exit signal end the process here, before the wait or after it.
///
/// In a deterministic runtime the others go on meanwhile, but when the wait ends is chance.
///
/// On a plain thread nothing comes, so `wait` just runs. A pooled process is not to wait so: it would hold a worker,
/// and nothing that comes for it would end its wait.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process::{self, Received};
/// use std::sync::mpsc;
///
/// process::run::<u32, _>(|cx| {
///     let me = cx.me().clone();
///     // Something that is no mailbox, and a way to end the wait for it.
///     let (bell, bells) = mpsc::channel();
///     let sender = std::thread::spawn(move || me.cast(7));
///     let mut received = None;
///     while received.is_none() {
///         let bell = bell.clone();
///         process::wait_outside(move || bell.send(()).unwrap(), || bells.recv().unwrap());
///         received = cx.receive_timeout(std::time::Duration::ZERO);
///     }
///     assert!(matches!(received, Some(Received::Message(7))));
///     sender.join().unwrap();
/// })
/// .unwrap();
/// ```
///
/// # Panics
/// If a pooled process runs on this thread.
pub fn wait_outside(alarm: impl FnOnce() + Send + 'static, wait: impl FnOnce()) {
    current::checkpoint();
    let Some(process) = current::process() else {
        return wait();
    };
    // A destructor of a process that ends does not wait for what may never come.
    if thread::panicking() {
        return;
    }
    let Some(parker) = process.fall_asleep() else {
        return;
    };
    let asleep = Asleep(process);
    // 1. The process has said where it waits. 2. It looks at its flags. Whoever kills it sets the flag first and
    // then looks where it waits, so one of the two sees the other.
    current::checkpoint();
    let scheduler = asleep.0.core().runtime.scheduler();
    scheduler.park_outside(&parker, alarm, wait);
    drop(asleep);
    current::checkpoint();
}

/// Says that the process is awake again, whatever way the wait ends.
struct Asleep(Arc<dyn Process>);

impl Drop for Asleep {
    fn drop(&mut self) {
        self.0.awake();
    }
}
