//! Why a process ended: exit reasons are data, cheap to clone, and the same value reaches everybody who is
//! linked to the process, monitors it, or waits for its answer.

use crate::sync::Arc;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The reason with which a process ended, or with which it is asked to end.
///
/// The classes are OTP's. *Clean* reasons ([`is_clean`](ExitReason::is_clean)) are `Normal`, `Shutdown` and
/// `ShutdownWith`: they cause no crash report and a transient child that ends with one is not restarted.
///
/// ```
/// use perennial::ExitReason;
/// let reason = ExitReason::other("out of paper");
/// assert!(!reason.is_clean());
/// assert_eq!(reason.downcast_ref::<&str>(), Some(&"out of paper"));
/// ```
#[derive(Clone, PartialEq)]
pub enum ExitReason {
    /// The process has done its work.
    Normal,
    /// The process was asked to stop, by its supervisor as a rule.
    Shutdown,
    /// As `Shutdown`, with a value for whoever watches (`{shutdown, Term}`).
    ShutdownWith(Term),
    /// Sent to a process it ends it at once, whether it traps exits or not. Nobody *dies* of an exit signal
    /// with this reason: see `Killed`.
    Kill,
    /// The process was ended by a `Kill` signal.
    Killed,
    /// There is no such process.
    NoProc,
    /// The connection to the node of the process was lost.
    NoConnection,
    /// Something took longer than allowed.
    Timeout,
    /// A callback or a thread panicked.
    Panic(Panic),
    /// Anything else, as a value of the user's choice.
    Other(Term),
}

impl ExitReason {
    /// A reason of the user's own: any comparable, printable value.
    pub fn other<T: Value>(value: T) -> Self {
        ExitReason::Other(Term::new(value))
    }

    /// `{shutdown, value}`.
    pub fn shutdown_with<T: Value>(value: T) -> Self {
        ExitReason::ShutdownWith(Term::new(value))
    }

    /// Equals `true` for `Normal`, `Shutdown` and `ShutdownWith`.
    pub fn is_clean(&self) -> bool {
        matches!(
            self,
            ExitReason::Normal | ExitReason::Shutdown | ExitReason::ShutdownWith(_)
        )
    }

    /// The value inside `Other` or `ShutdownWith`, if it is a `T`.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        match self {
            ExitReason::Other(term) | ExitReason::ShutdownWith(term) => term.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Normal => f.write_str("normal"),
            ExitReason::Shutdown => f.write_str("shutdown"),
            ExitReason::ShutdownWith(term) => write!(f, "shutdown: {term:?}"),
            ExitReason::Kill => f.write_str("kill"),
            ExitReason::Killed => f.write_str("killed"),
            ExitReason::NoProc => f.write_str("no such process"),
            ExitReason::NoConnection => f.write_str("no connection"),
            ExitReason::Timeout => f.write_str("timeout"),
            ExitReason::Panic(panic) => write!(f, "panicked: {panic}"),
            ExitReason::Other(term) => write!(f, "{term:?}"),
        }
    }
}

impl fmt::Debug for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExitReason({self})")
    }
}

impl std::error::Error for ExitReason {}

/// What a panicking process said, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct Panic {
    message: Arc<str>,
    location: Option<Arc<str>>,
}

impl Panic {
    pub(crate) fn new(message: impl Into<Arc<str>>, location: Option<Arc<str>>) -> Self {
        Panic {
            message: message.into(),
            location,
        }
    }

    /// The text given to `panic!`, or a note that the payload was not text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line:column` of the panic, where it is known.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} at {location}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({self})")
    }
}

/// What may stand inside an exit reason: implemented for every comparable, printable, shareable type.
pub trait Value: Any + fmt::Debug + Send + Sync {
    #[doc(hidden)]
    fn equals(&self, other: &dyn Value) -> bool;
}

impl<T: Any + fmt::Debug + PartialEq + Send + Sync> Value for T {
    fn equals(&self, other: &dyn Value) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }
}

/// A value of any type inside an exit reason; a clone shares it.
#[derive(Clone)]
pub struct Term(Arc<dyn Value>);

impl Term {
    /// Wraps a value.
    pub fn new<T: Value>(value: T) -> Self {
        Term(Arc::new(value))
    }

    /// The value, if it is a `T`.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        let value: &dyn Any = &*self.0;
        value.downcast_ref()
    }
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

/// A process dies, and its supervisor says so, whatever the value's own `Debug` does. Written as it comes, so
/// that a reader who takes only so much of it pays for no more.
impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value: &dyn fmt::Debug = &*self.0;
        match catch_unwind(AssertUnwindSafe(|| value.fmt(f))) {
            Ok(written) => written,
            Err(_) => f.write_str("a value that cannot be printed"),
        }
    }
}
