//! An application: what it runs, what it needs, and what its end means for the others.

use crate::behaviour::supervisor::Supervisor;
use crate::pid::Pid;
use crate::reason::{ExitReason, Term, Value};
use crate::service::application::config::ConfigChange;
use crate::service::application::env::{Env, Place};
use crate::service::application::plan::Needs;
use crate::sync::Arc;
use std::fmt;

/// What it means for the others when the top supervisor of an application ends by itself, or when its start fails.
/// What is stopped by [`stop`](crate::application::stop) ends nobody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All applications are stopped, whatever the reason.
    Permanent,
    /// All applications are stopped unless the reason is `Normal`. A supervisor that gives up ends with `Shutdown`,
    /// so that counts.
    Transient,
    /// Nothing but a line in the log.
    #[default]
    Temporary,
}

impl Mode {
    /// Whether the end of an application ends all, and so does a start that fails.
    pub(super) fn ends_all(self, normally: bool) -> bool {
        match self {
            Mode::Permanent => true,
            Mode::Transient => !normally,
            Mode::Temporary => false,
        }
    }
}

pub(super) type Start = dyn Fn() -> Result<Supervisor, ExitReason> + Send + Sync;
pub(super) type PrepStop = dyn Fn() + Send + Sync;
pub(super) type Stopped = dyn Fn(&ExitReason) + Send + Sync;
pub(super) type OnConfigChange = dyn Fn(&ConfigChange) -> Result<(), ExitReason> + Send + Sync;

/// A step of the start that comes when the tree is up.
#[derive(Clone)]
pub(super) struct Phase {
    pub(super) name: Arc<str>,
    pub(super) run: Arc<dyn Fn() -> Result<(), ExitReason> + Send + Sync>,
}

/// An application: a tree of supervision with a name, that can be started and stopped as one thing.
///
/// See the [module](crate::application) for an example.
#[must_use = "an application starts when it is loaded and started"]
pub struct Application {
    pub(super) name: Arc<str>,
    pub(super) mode: Mode,
    pub(super) needs: Needs,
    pub(super) start: Arc<Start>,
    pub(super) phases: Vec<Phase>,
    pub(super) on_config_change: Option<Arc<OnConfigChange>>,
    pub(super) prep_stop: Option<Arc<PrepStop>>,
    pub(super) stopped: Option<Arc<Stopped>>,
    pub(super) defaults: Vec<(Place, Term)>,
}

impl Application {
    /// An application whose tree `start` builds. That runs at each start, in a thread process of the application's
    /// own, so it may open files and wait; an error or a panic is a failed start.
    pub fn new(
        name: impl Into<Arc<str>>,
        start: impl Fn() -> Result<Supervisor, ExitReason> + Send + Sync + 'static,
    ) -> Self {
        Application {
            name: name.into(),
            mode: Mode::default(),
            needs: Needs::default(),
            start: Arc::new(start),
            phases: Vec::new(),
            on_config_change: None,
            prep_stop: None,
            stopped: None,
            defaults: Vec::new(),
        }
    }

    /// What its end means for the others. Default: temporary.
    pub fn mode(self, mode: Mode) -> Self {
        Application { mode, ..self }
    }

    /// Its end ends everything: for the one that the program is for.
    pub fn permanent(self) -> Self {
        self.mode(Mode::Permanent)
    }

    /// Its end ends everything unless the reason is `Normal`.
    pub fn transient(self) -> Self {
        self.mode(Mode::Transient)
    }

    /// Needs another application, which has to run before this one starts.
    pub fn needs(mut self, name: impl Into<Arc<str>>) -> Self {
        self.needs.required.push(name.into());
        self
    }

    /// Has another application started before this one, if it is loaded.
    pub fn needs_if_loaded(mut self, name: impl Into<Arc<str>>) -> Self {
        self.needs.optional.push(name.into());
        self
    }

    /// Gives a value of its environment a default, which counts while it is loaded.
    pub fn env<T: Clone + Value>(mut self, key: &'static Env<T>, default: T) -> Self {
        self.defaults.push((key.place(), Term::new(default)));
        self
    }

    /// Runs `run` when the tree is up, after the phases that were given before, and before whoever starts the
    /// application goes on: for what makes sense only when everything is there. It may wait; an error or a panic is a
    /// failed start, and the tree is stopped again.
    pub fn start_phase(
        mut self,
        name: impl Into<Arc<str>>,
        run: impl Fn() -> Result<(), ExitReason> + Send + Sync + 'static,
    ) -> Self {
        self.phases.push(Phase {
            name: name.into(),
            run: Arc::new(run),
        });
        self
    }

    /// Runs when the environment of the running application has changed, as
    /// [`config_change`](crate::application::config_change) finds it. It may wait; it must not stop its own
    /// application, which waits for it.
    pub fn on_config_change(
        self,
        run: impl Fn(&ConfigChange) -> Result<(), ExitReason> + Send + Sync + 'static,
    ) -> Self {
        Application {
            on_config_change: Some(Arc::new(run)),
            ..self
        }
    }

    /// Runs before the tree is stopped from outside; it may wait, and a panic in it is only logged.
    pub fn prep_stop(self, prep_stop: impl Fn() + Send + Sync + 'static) -> Self {
        Application {
            prep_stop: Some(Arc::new(prep_stop)),
            ..self
        }
    }

    /// Runs when the tree has ended, with the reason; it may wait, and a panic in it is only logged.
    pub fn stopped(self, stopped: impl Fn(&ExitReason) + Send + Sync + 'static) -> Self {
        Application {
            stopped: Some(Arc::new(stopped)),
            ..self
        }
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({}, {:?})", self.name, self.mode)
    }
}

/// What is known of an application that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spec {
    /// Its name.
    pub name: Arc<str>,
    /// What its end means for the others.
    pub mode: Mode,
    /// What has to run before it starts.
    pub needs: Vec<Arc<str>>,
    /// What is started before it where it is loaded.
    pub needs_if_loaded: Vec<Arc<str>>,
    /// The phases of its start, in order.
    pub start_phases: Vec<Arc<str>>,
    /// The process that leads its group while it runs.
    pub master: Option<Pid>,
}
