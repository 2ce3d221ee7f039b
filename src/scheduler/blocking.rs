//! Blocking calls on a worker: a spare worker takes the place of the one that waits.
//!
//! The rule is one equation: spares in service = workers that wait, so that as many run as were asked for. A worker
//! that begins to wait brings a spare in; one that has waited leaves a spare too many, and a spare that finds itself
//! one too many stands down between two turns. It stays around for a while, as the next wait is
//! likely near and a new thread costs ten times a wake-up.

use super::run_queue::Owner;
use super::task::Task;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// A blocking call was refused: as many workers wait as spare ones may stand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolExhausted;

impl std::fmt::Display for PoolExhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("blocking in a pooled process while every spare worker is in use")
    }
}

impl std::error::Error for PoolExhausted {}

/// The accounts of blocked workers and spares.
pub(super) struct Blocking {
    /// Held for the arithmetic only, never while a thread starts or is woken.
    state: Mutex<State>,
    /// Equals `true` while more spares are in service than workers wait. A hint, read by spares between turns;
    /// written under the lock.
    surplus: AtomicBool,
    spare_max: usize,
}

struct State {
    blocked: usize,
    in_service: usize,
    /// Spares that stood down and still have their thread, by index.
    standing_by: Vec<usize>,
    /// Places without a thread: the index and the queue that belongs to it.
    vacant: Vec<(usize, Owner<Task>)>,
}

/// Where a spare comes from.
pub(super) enum Spare {
    /// One is in service already.
    None,
    /// Unpark this one.
    Standing(usize),
    /// Start a thread for this place.
    Vacant(usize, Owner<Task>),
}

impl Blocking {
    /// Room for as many spares as there are vacant places.
    pub(super) fn new(vacant: Vec<(usize, Owner<Task>)>) -> Self {
        Blocking {
            surplus: AtomicBool::new(false),
            spare_max: vacant.len(),
            state: Mutex::new(State {
                blocked: 0,
                in_service: 0,
                standing_by: Vec::new(),
                vacant: vacant.into_iter().rev().collect(),
            }),
        }
    }

    /// A worker begins to wait; the spare that has to come in.
    pub(super) fn enter(&self) -> Result<Spare, PoolExhausted> {
        let mut state = self.state.lock();
        if state.blocked >= self.spare_max {
            return Err(PoolExhausted);
        }
        state.blocked += 1;
        let spare = if state.in_service >= state.blocked {
            Spare::None
        } else {
            state.in_service += 1;
            match state.standing_by.pop() {
                Some(index) => Spare::Standing(index),
                None => {
                    let (index, owner) = state
                        .vacant
                        .pop()
                        .expect("places in service, standing by and vacant add up to spare_max");
                    Spare::Vacant(index, owner)
                }
            }
        };
        self.surplus
            .store(state.in_service > state.blocked, Ordering::Relaxed);
        Ok(spare)
    }

    /// A worker has waited.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.blocked -= 1;
        self.surplus
            .store(state.in_service > state.blocked, Ordering::Relaxed);
    }

    /// The system had no thread for a vacant place: the wait does not begin.
    pub(super) fn give_back(&self, index: usize, owner: Owner<Task>) {
        let mut state = self.state.lock();
        state.blocked -= 1;
        state.in_service -= 1;
        state.vacant.push((index, owner));
        self.surplus
            .store(state.in_service > state.blocked, Ordering::Relaxed);
    }

    /// Whether spares should ask [`Blocking::stand_down`].
    pub(super) fn has_surplus(&self) -> bool {
        self.surplus.load(Ordering::Relaxed)
    }

    /// A spare leaves service if it is one too many.
    pub(super) fn stand_down(&self, index: usize) -> bool {
        let mut state = self.state.lock();
        if state.in_service <= state.blocked {
            return false;
        }
        state.in_service -= 1;
        state.standing_by.push(index);
        self.surplus
            .store(state.in_service > state.blocked, Ordering::Relaxed);
        true
    }

    /// A spare that stood by for long ends and gives its place back; not if it was just called to service.
    pub(super) fn retire(&self, index: usize, owner: Owner<Task>) -> Result<(), Owner<Task>> {
        let mut state = self.state.lock();
        let Some(at) = state.standing_by.iter().position(|&spare| spare == index) else {
            return Err(owner);
        };
        state.standing_by.remove(at);
        state.vacant.push((index, owner));
        Ok(())
    }

    /// Spares that stand by, to be unparked at shutdown.
    pub(super) fn standing_by(&self) -> Vec<usize> {
        self.state.lock().standing_by.clone()
    }

    /// Workers that wait, and spares in service.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.blocked, state.in_service)
    }
}
