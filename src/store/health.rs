//! Whether the store takes writes now, for whoever asks without writing.

use crate::store::error::Error;
use crate::sync::{Arc, Mutex};
use std::fmt;

/// Whether writes are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Writes are taken.
    Up,
    /// There is no writer: it has not started yet, or it is being restarted.
    NoWriter,
    /// The disk failed. Each write is answered with this error until the disk is back.
    Failing(Error),
}

/// The place where the writer leaves its health. A clone is the same place.
#[derive(Clone)]
pub(super) struct HealthCell(Arc<Mutex<Health>>);

impl HealthCell {
    pub(super) fn new() -> Self {
        HealthCell(Arc::new(Mutex::new(Health::NoWriter)))
    }

    pub(super) fn get(&self) -> Health {
        self.0.lock().clone()
    }

    pub(super) fn set(&self, health: Health) {
        *self.0.lock() = health;
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Health::Up => f.write_str("up"),
            Health::NoWriter => f.write_str("no writer"),
            Health::Failing(error) => write!(f, "failing: {error}"),
        }
    }
}
