//! What the witnesses of a run share.

use crate::server::PATIENCE;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A clone is the same crowd.
#[derive(Clone)]
pub(crate) struct Crowd(Arc<Shared>);

struct Shared {
    began: Instant,
    server: Mutex<SocketAddr>,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    /// Witnesses that may still say something.
    speakers: AtomicUsize,
    /// How far each room is in the end.
    heads: Mutex<HashMap<String, u64>>,
    /// Rung when something of this has changed.
    bell: (Mutex<()>, Condvar),
    tally: [AtomicUsize; Tally::COUNT],
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    Connections,
    Joins,
    Refusals,
    ChannelCrashes,
    Resets,
    HalfOpen,
    Slow,
    Garbage,
    Looks,
}

impl Tally {
    const COUNT: usize = Tally::Looks as usize + 1;
}

impl Crowd {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Crowd(Arc::new(Shared {
            began: Instant::now(),
            server: Mutex::new(server),
            is_over: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            speakers: AtomicUsize::new(0),
            heads: Mutex::default(),
            bell: (Mutex::new(()), Condvar::new()),
            tally: std::array::from_fn(|_| AtomicUsize::new(0)),
        }))
    }

    /// Microseconds since it began: one clock for all of them.
    pub(crate) fn now(&self) -> u64 {
        self.0.began.elapsed().as_micros() as u64
    }

    pub(crate) fn server(&self) -> SocketAddr {
        *self.0.server.lock().unwrap()
    }

    /// The server is somewhere else now.
    pub(crate) fn moved(&self, server: SocketAddr) {
        *self.0.server.lock().unwrap() = server;
        self.ring();
    }

    /// Nobody begins a new post.
    pub(crate) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        self.ring();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// Nobody begins a new post, and none is waiting for an answer.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_over() && self.0.speakers.load(Ordering::Relaxed) == 0
    }

    pub(super) fn enter(&self) {
        self.0.speakers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_said_all(&self) {
        self.0.speakers.fetch_sub(1, Ordering::Relaxed);
        self.ring();
    }

    /// Witnesses in this room end when they have heard everything up to here.
    pub(crate) fn set_head(&self, room: &str, seq: u64) {
        self.0.heads.lock().unwrap().insert(room.to_owned(), seq);
        self.ring();
    }

    pub(super) fn head(&self, room: &str) -> Option<u64> {
        self.0.heads.lock().unwrap().get(room).copied()
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.0.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn acknowledge(&self) {
        self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.ring();
    }

    pub(super) fn count(&self, what: Tally) {
        self.0.tally[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn tally(&self, what: Tally) -> usize {
        self.0.tally[what as usize].load(Ordering::Relaxed)
    }

    fn ring(&self) {
        let _held = self.0.bell.0.lock().unwrap();
        self.0.bell.1.notify_all();
    }

    /// Waits so long, or until `holds`; whether it does.
    pub(crate) fn wait_until(
        &self,
        patience: Duration,
        mut holds: impl FnMut(&Crowd) -> bool,
    ) -> bool {
        let deadline = Instant::now() + patience;
        let mut held = self.0.bell.0.lock().unwrap();
        loop {
            if holds(self) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            held = self.0.bell.1.wait_timeout(held, left).unwrap().0;
        }
    }

    /// Waits until so many more posts are acknowledged.
    #[track_caller]
    pub(crate) fn progress(&self, count: u64) {
        let goal = self.acknowledged() + count;
        let has_come = self.wait_until(PATIENCE, |crowd| crowd.acknowledged() >= goal);
        assert!(
            has_come,
            "{} of {goal} posts were acknowledged",
            self.acknowledged()
        );
    }
}
