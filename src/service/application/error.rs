//! Why an operation on an application failed.

use crate::process::CallError;
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::error::Error;
use std::fmt;

/// Why an application was not loaded or unloaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LoadError {
    /// An application of this name is loaded.
    AlreadyLoaded,
    /// There is no such application.
    NotLoaded,
    /// It runs: stop it first.
    Running,
    /// The controller did not answer.
    Call(CallError),
}

/// Why an application did not start.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StartApplicationError {
    /// There is no such application.
    NotLoaded(Arc<str>),
    /// It runs.
    AlreadyStarted,
    /// It needs this one, which does not run.
    NotStarted(Arc<str>),
    /// Each of these needs the next, and the last the first.
    Circle(Vec<Arc<str>>),
    /// Its start failed, for this reason.
    Failed(ExitReason),
    /// This phase of its start failed, for this reason; its tree has been stopped again.
    Phase(Arc<str>, ExitReason),
    /// It is being stopped, or all applications are.
    Stopping,
    /// The controller did not answer.
    Call(CallError),
}

/// Why an application and all that it needs did not start. What was started for it has been stopped again.
#[derive(Clone, Debug, PartialEq)]
pub struct EnsureError {
    /// The application that did not start.
    pub application: Arc<str>,
    /// Why.
    pub error: StartApplicationError,
}

/// Why an application was not stopped.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StopError {
    /// It does not run.
    NotStarted,
    /// The controller did not answer.
    Call(CallError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::AlreadyLoaded => f.write_str("an application of this name is loaded"),
            LoadError::NotLoaded => f.write_str("no such application"),
            LoadError::Running => f.write_str("the application runs"),
            LoadError::Call(error) => write!(f, "asking the application controller: {error}"),
        }
    }
}

impl fmt::Display for StartApplicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartApplicationError::NotLoaded(name) => write!(f, "no application {name} is loaded"),
            StartApplicationError::AlreadyStarted => f.write_str("the application runs"),
            StartApplicationError::NotStarted(name) => {
                write!(f, "the application needs {name}, which does not run")
            }
            StartApplicationError::Circle(path) => {
                let path = path.join(" needs ");
                write!(f, "applications need one another in a circle: {path}")
            }
            StartApplicationError::Failed(reason) => {
                write!(f, "starting the application: {reason}")
            }
            StartApplicationError::Phase(phase, reason) => {
                write!(f, "phase {phase} of the start of the application: {reason}")
            }
            StartApplicationError::Stopping => f.write_str("the application is being stopped"),
            StartApplicationError::Call(error) => {
                write!(f, "asking the application controller: {error}")
            }
        }
    }
}

impl fmt::Display for EnsureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.application, self.error)
    }
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopError::NotStarted => f.write_str("the application does not run"),
            StopError::Call(error) => write!(f, "asking the application controller: {error}"),
        }
    }
}

impl Error for LoadError {}

impl Error for StartApplicationError {}

impl Error for EnsureError {}

impl Error for StopError {}

impl From<CallError> for LoadError {
    fn from(error: CallError) -> Self {
        LoadError::Call(error)
    }
}

impl From<CallError> for StartApplicationError {
    fn from(error: CallError) -> Self {
        StartApplicationError::Call(error)
    }
}

impl From<CallError> for StopError {
    fn from(error: CallError) -> Self {
        StopError::Call(error)
    }
}
