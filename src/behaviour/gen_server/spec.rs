//! A server to be started: its arguments and its options.

use crate::behaviour::served::{self, Served};
use crate::pid::MonitorRef;
use crate::process::start::{Options, Started};
use crate::process::{Kind, Name, Overflow, Ref, ServerName, StartError};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// A server that is about to be started. Made by [`gen_server::spec`](crate::gen_server::spec()) and
/// [`gen_statem::spec`](crate::gen_statem::spec()).
///
/// ```
/// use perennial::{prelude::*, process::{Overflow, StartError}};
/// # struct Printer;
/// # impl GenServer for Printer {
/// #     type Args = ();
/// #     type Msg = String;
/// #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Printer) }
/// #     fn handle(&mut self, _: String, _: &mut Cx<Self>) -> Next<String> { Next::Loop }
/// # }
/// static PRINTER: Name<String> = Name::new("printer");
/// let spec = || gen_server::spec::<Printer>(()).name(&PRINTER);
/// let printer = spec().thread().mailbox(100, Overflow::Reject).label("by the window").start()?;
/// // There is one of that name.
/// assert_eq!(spec().start().unwrap_err(), StartError::AlreadyStarted(printer.pid()));
/// # Ok::<(), StartError>(())
/// ```
#[must_use = "a spec starts nothing until start or start_link"]
pub struct Spec<S: Served> {
    args: S::Args,
    options: Options,
}

impl<S: Served> Spec<S> {
    pub(crate) fn new(args: S::Args) -> Self {
        Spec {
            args,
            options: served::options::<S>(),
        }
    }

    /// Registers the server under a name; a second server of that name fails with `AlreadyStarted`.
    pub fn name(mut self, name: &Name<S::Msg>) -> Self {
        self.options.name = Some(name.as_str().into());
        self.options.via = None;
        self
    }

    /// Registers the server in a registry instead, before its `init` runs; a second server there fails with
    /// `AlreadyStarted`.
    pub fn via(mut self, via: impl ServerName<Msg = S::Msg>) -> Self {
        self.options.via = Some(via.into_claim().0);
        self.options.name = None;
        self
    }

    /// Runs the server on a thread of its own: it may block.
    pub fn thread(mut self) -> Self {
        self.options.kind = Some(Kind::Thread);
        self
    }

    /// Runs the server on the pool, whatever the runtime's default is.
    pub fn pooled(mut self) -> Self {
        self.options.kind = Some(Kind::Pooled);
        self
    }

    /// Bounds the mailbox to `max` messages (at least one); signals do not count.
    pub fn mailbox(mut self, max: usize, overflow: Overflow) -> Self {
        self.options.mailbox = Some((max.max(1), overflow));
        self
    }

    /// How long `init` may take; then the server is killed and the start fails with `Timeout`. For ever unless
    /// set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// What observers and crash reports call it.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.options.label = Some(label.into());
        self
    }

    /// Starts the server without a link; returns when its `init` is through.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Ref<S::Msg>, StartError> {
        Ok(self.run()?.reference)
    }

    /// Starts the server linked to the process that runs on this thread.
    ///
    /// # Errors
    /// See [`StartError`]; `NotAProcess` on a plain thread.
    pub fn start_link(mut self) -> Result<Ref<S::Msg>, StartError> {
        self.options.link = true;
        Ok(self.run()?.reference)
    }

    /// Starts the server monitored by the process that runs on this thread.
    ///
    /// # Errors
    /// See [`StartError`]; `NotAProcess` on a plain thread.
    pub fn start_monitor(mut self) -> Result<(Ref<S::Msg>, MonitorRef), StartError> {
        self.options.monitor = true;
        let started = self.run()?;
        match started.monitor {
            Some(monitor) => Ok((started.reference, monitor)),
            None => Err(StartError::NotAProcess),
        }
    }

    fn run(self) -> Result<Started<S::Msg>, StartError> {
        served::start::<S>(&self.options, self.args)
    }
}

impl<S: Served> fmt::Debug for Spec<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec<{:?}>({:?})", self.options.initial, self.options)
    }
}
