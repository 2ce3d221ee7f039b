//! **Process**: one per task. Started by its owner or a task supervisor, and linked to either as it was asked;
//! runs one closure. Dies when that is through, or when it crashes.

use crate::process::behaviour::{Behaviour, Flow, InitFn};
use crate::process::call::Pending;
use crate::process::{Context, Down, Exit, current, exit_self};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::convert::Infallible;

/// A process that runs a closure and takes no messages.
pub(crate) struct Job {
    run: Option<Box<dyn FnOnce() + Send>>,
}

impl Job {
    /// The `init` of a job: it has nothing to do but to go on with the closure.
    pub(crate) fn init(run: impl FnOnce() + Send + 'static) -> InitFn<Job> {
        let run: Box<dyn FnOnce() + Send> = Box::new(run);
        Box::new(move |_| Ok((Job { run: Some(run) }, Flow::Continue)))
    }

    /// The `init` of a job whose owner had ended before it could begin, for that reason: there is nothing to do.
    pub(crate) fn orphaned(reason: ExitReason) -> InitFn<Job> {
        Job::init(move || {
            // As in Elixir; nobody waits for it.
            let _ = exit_self(ExitReason::shutdown_with(reason));
        })
    }

    /// The `init` of a job whose result somebody waits for.
    pub(crate) fn bring<T: Send + 'static>(
        pending: Arc<Pending<T>>,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> InitFn<Job> {
        Job::init(move || {
            let value = run();
            current::checkpoint();
            // Its owner may have lost interest.
            drop(pending.slot.put(Ok(value)));
        })
    }
}

impl Behaviour for Job {
    type Msg = Infallible;
    type Cx = Box<Context<Infallible>>;

    const SYSTEM: bool = false;

    fn context(context: Context<Infallible>) -> Self::Cx {
        Box::new(context)
    }

    fn message(&mut self, message: Infallible, _cx: &mut Self::Cx) -> Flow {
        match message {}
    }

    // The closure runs before anything is received, so nothing ever is.
    fn exit(&mut self, _exit: Exit, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    fn down(&mut self, _down: Down, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    fn resume_continue(&mut self, _cx: &mut Self::Cx) -> Flow {
        // A signal that came before counts, and so does one that comes before the result is out.
        current::checkpoint();
        if let Some(run) = self.run.take() {
            run();
        }
        Flow::Stop(ExitReason::Normal)
    }
}
