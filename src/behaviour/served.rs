//! What is started as a server is: one set of options and one kind of child serve all of it.

use crate::process::StartError;
use crate::process::behaviour::{Behaviour, InitFn};
use crate::process::core::Initial;
use crate::process::start::{self, Options, Started};

/// What a [`Spec`](crate::gen_server::Spec) starts and a [`ServerChild`](crate::supervisor::ServerChild) is: any
/// [`GenServer`](crate::GenServer), or [`Statem`](crate::gen_statem::Statem) of a
/// [`GenStatem`](crate::GenStatem). Nothing else.
pub trait Served: sealed::Launch<<Self as Served>::Args, <Self as Served>::Msg> + 'static {
    /// What its `init` gets.
    type Args: Send + 'static;

    /// What it is sent.
    type Msg: Send + 'static;
}

pub(crate) mod sealed {
    use super::{Options, StartError, Started};
    use std::fmt;

    /// How it is started: a process of its behaviour, with its `init`.
    pub trait Launch<Args, Msg: Send + 'static> {
        /// What reports call it.
        fn initial() -> &'static str;
        fn launch(plan: Plan<'_>, args: Args) -> Result<Launched<Msg>, StartError>;
    }

    /// The options of a start, and whether it is waited for.
    pub struct Plan<'a> {
        pub(crate) options: &'a Options,
        pub(crate) waits: bool,
    }

    /// A process that was started.
    pub struct Launched<Msg: Send + 'static>(pub(crate) Started<Msg>);

    impl fmt::Debug for Plan<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Plan({:?})", self.options)
        }
    }

    impl<Msg: Send + 'static> fmt::Debug for Launched<Msg> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Launched({})", self.0.reference.pid())
        }
    }
}

/// Starts a process of a behaviour according to a plan.
pub(crate) fn launch<B: Behaviour>(
    plan: sealed::Plan<'_>,
    init: InitFn<B>,
) -> Result<sealed::Launched<B::Msg>, StartError> {
    let sealed::Plan { options, waits } = plan;
    let started = match waits {
        true => start::start(options, init),
        false => start::start_async(options, init),
    };
    started.map(sealed::Launched)
}

/// Starts something, and returns when its `init` is through.
pub(crate) fn start<S: Served>(
    options: &Options,
    args: S::Args,
) -> Result<Started<S::Msg>, StartError> {
    let waits = true;
    Ok(S::launch(sealed::Plan { options, waits }, args)?.0)
}

/// Begins something, and goes on: see [`start_async`](start::start_async).
pub(crate) fn start_async<S: Served>(
    options: &Options,
    args: S::Args,
) -> Result<Started<S::Msg>, StartError> {
    let waits = false;
    Ok(S::launch(sealed::Plan { options, waits }, args)?.0)
}

/// The options of something that says nothing about any.
pub(crate) fn options<S: Served>() -> Options {
    Options {
        initial: Initial(S::initial),
        ..Options::default()
    }
}
