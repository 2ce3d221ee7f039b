//! PURE: which items of a stream may begin, and whose outcome is the next to be given.
//!
//! Picture a bakery with a counter for so many loaves. A loaf takes its place when it goes into the oven and leaves it
//! when a customer takes it, so nothing is baked for which there is no room; and where customers want their loaves in
//! order, a loaf that is done early stays in its place.

use std::collections::BTreeMap;

/// In which order outcomes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As the input came.
    Input,
    /// As they come themselves.
    Completion,
}

/// The items that have begun and whose outcome was not given, at most so many.
pub(super) struct Window<R> {
    order: Order,
    max: usize,
    begun: u64,
    arrived: u64,
    given: u64,
    /// By position in the input, or by arrival.
    ready: BTreeMap<u64, R>,
}

impl<R> Window<R> {
    pub(super) fn new(order: Order, max: usize) -> Self {
        Window {
            order,
            max,
            begun: 0,
            arrived: 0,
            given: 0,
            ready: BTreeMap::new(),
        }
    }

    /// How many have begun and were not given.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.begun - self.given).unwrap_or(usize::MAX)
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.max
    }

    /// The next item begins; its position.
    pub(super) fn begin(&mut self) -> u64 {
        let position = self.begun;
        self.begun += 1;
        position
    }

    pub(super) fn arrive(&mut self, position: u64, outcome: R) {
        let place = match self.order {
            Order::Input => position,
            Order::Completion => self.arrived,
        };
        self.arrived += 1;
        self.ready.insert(place, outcome);
    }

    /// The outcome that is to be given next, if it is there.
    pub(super) fn give(&mut self) -> Option<R> {
        // In both orders every place up to this one was given.
        let next = self.ready.remove(&self.given)?;
        self.given += 1;
        Some(next)
    }
}
