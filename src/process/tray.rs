//! A tray: where several answers arrive for one who waits for whichever comes first.

use crate::sync::{Arc, Mutex, Parker};
use std::collections::VecDeque;

/// What has arrived and was not taken.
pub(crate) struct Tray<R>(Mutex<Inside<R>>);

struct Inside<R> {
    /// In the order of arrival.
    arrived: VecDeque<Arrival<R>>,
    /// On what whoever waits is parked.
    waiter: Option<Arc<Parker>>,
}

/// One answer: when it came, to which question, and what it is.
pub(crate) struct Arrival<R> {
    /// By the counter of the runtime, so that arrivals at two trays have one order.
    pub(crate) at: u64,
    pub(crate) key: u64,
    pub(crate) value: R,
}

impl<R> Tray<R> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Tray(Mutex::new(Inside {
            arrived: VecDeque::new(),
            waiter: None,
        })))
    }

    /// Puts an answer where its time of arrival says, and wakes whoever waits.
    pub(crate) fn put(&self, arrival: Arrival<R>) {
        let mut inside = self.0.lock();
        let place = inside.arrived.partition_point(|one| one.at <= arrival.at);
        inside.arrived.insert(place, arrival);
        let waiter = inside.waiter.take();
        drop(inside);
        if let Some(waiter) = waiter {
            waiter.unpark();
        }
    }

    /// What arrived first.
    pub(crate) fn take(&self) -> Option<Arrival<R>> {
        self.0.lock().arrived.pop_front()
    }

    /// What arrived first; if nothing has, the parker stays here for whoever brings something.
    pub(crate) fn take_or_leave(&self, parker: &Arc<Parker>) -> Option<Arrival<R>> {
        let mut inside = self.0.lock();
        let first = inside.arrived.pop_front();
        if first.is_none() {
            inside.waiter = Some(parker.clone());
        }
        first
    }
}
