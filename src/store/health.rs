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
pub(super) struct HealthCell(Arc<Mutex<Place>>);

type IsAlive = Box<dyn Fn() -> bool + Send>;

struct Place {
    health: Health,
    /// Whether the process that writes lives, if one does. One that was killed while the disk keeps it busy is no
    /// writer, though it has said nothing of its end yet.
    is_alive: Option<IsAlive>,
}

impl HealthCell {
    pub(super) fn new() -> Self {
        HealthCell(Arc::new(Mutex::new(Place {
            health: Health::NoWriter,
            is_alive: None,
        })))
    }

    pub(super) fn get(&self) -> Health {
        let place = self.0.lock();
        match &place.is_alive {
            Some(is_alive) if !is_alive() => Health::NoWriter,
            _ => place.health.clone(),
        }
    }

    pub(super) fn set(&self, health: Health) {
        self.0.lock().health = health;
    }

    /// Says how to tell whether the process that writes from now on lives.
    pub(super) fn set_writer(&self, is_alive: impl Fn() -> bool + Send + 'static) {
        let before = self.0.lock().is_alive.replace(Box::new(is_alive));
        drop(before);
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
