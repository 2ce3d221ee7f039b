//! The pool as its callers see it.

mod end;
mod spares;
mod timers;
mod turns;

use super::{Config, LongTurn, PoolExhausted, Runnable, Scheduler, Turn};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Parker, thread};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use std::time::{Duration, Instant};

enum Want {
    Nothing,
    AnotherTurn,
}

/// A task that calls a closure once per turn.
struct Job<F>(F);

impl<F: Fn(&Arc<dyn Runnable>) -> Want + Send + Sync + 'static> Runnable for Job<F> {
    fn run(self: Arc<Self>) -> Turn {
        let this: Arc<dyn Runnable> = self.clone();
        match (self.0)(&this) {
            Want::Nothing => Turn::Done,
            Want::AnotherTurn => Turn::Again(this),
        }
    }
}

fn job(f: impl Fn() + Send + Sync + 'static) -> Arc<dyn Runnable> {
    looping(move |_| {
        f();
        Want::Nothing
    })
}

fn looping(f: impl Fn(&Arc<dyn Runnable>) -> Want + Send + Sync + 'static) -> Arc<dyn Runnable> {
    Arc::new(Job(f))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn pool(workers: usize, spare_max: usize) -> Scheduler {
    Scheduler::start(Config {
        workers,
        spare_max,
        ..Config::default()
    })
    .expect("threads")
}

fn end(scheduler: &Scheduler) {
    assert_eq!(scheduler.shutdown(soon()), 0);
}

/// Threads left after a shutdown without much patience.
fn left(scheduler: &Scheduler) -> usize {
    scheduler.shutdown(Instant::now() + Duration::from_millis(10))
}

/// Waits until `fact` holds.
fn eventually(what: &str, fact: impl Fn() -> bool) {
    let deadline = soon();
    let pause = Parker::new();
    while !fact() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        pause.park_until(Some(Instant::now() + Duration::from_millis(1)));
    }
}

/// A gate that threads wait at until it is opened.
#[derive(Default)]
struct Gate {
    waiting: AtomicUsize,
    open: Mutex<bool>,
    opened: crate::sync::Condvar,
}

impl Gate {
    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock();
        while !*open {
            self.opened.wait(&mut open);
        }
    }

    fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}
