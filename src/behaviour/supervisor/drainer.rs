//! Process: one per drainer, pooled. Started by its supervisor and linked to it; traps exits. Dies when it is told to
//! and all work that passed its gate has ended, or when the time for that is over; in that order it first closes the
//! gate.
//!
//! It never blocks: while it waits it holds no worker.

use crate::behaviour::gen_server::StopRequest;
use crate::behaviour::supervisor::board;
use crate::behaviour::supervisor::child::{Child, ChildKind, ChildSpec, begun};
use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::gate::{Emptied, Gate};
use crate::behaviour::supervisor::restart::Shutdown;
use crate::pid::TimerRef;
use crate::process::behaviour::{Behaviour, Flow};
use crate::process::core::Initial;
use crate::process::core::{Signal, flag};
use crate::process::start::{self, Options};
use crate::process::{Context, Down, Exit, Kind, cancel_timer};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How long a drainer has beyond its own patience before its supervisor kills it: for what it calls when it begins.
const SLACK: Duration = Duration::from_secs(5);

/// A child that has the others finish: told to end, it closes its [`Gate`], so that no new work begins, and waits
/// until the work that has begun has ended, or until its patience is over. Only then its supervisor goes on to stop
/// the children before it.
///
/// So it comes *after* those who do the work, and before those who bring it, if these are children too: children are
/// stopped in reverse order.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::supervisor::{Drainer, Gate};
/// use std::time::Duration;
/// # struct Printer; impl GenServer for Printer { type Args = (); type Msg = ();
/// #   fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Printer) }
/// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
/// let jobs = Gate::new();
/// let office = Supervisor::new(Strategy::OneForOne)
///     .child(Child::server::<Printer>("printer", ()))
///     .child(Drainer::new("drainer", &jobs, Duration::from_secs(30)))
///     .start()?;
/// let job = jobs.enter().expect("the office is open");
/// drop(job); // the job is done
/// supervisor::stop(&office)?; // waits for those who have entered, and lets nobody in
/// assert!(jobs.enter().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It tells of itself with [`What::Draining`] and [`What::Drained`]. If its patience is over before the work is, it
/// ends all the same, and what is left ends with its own process. Started, it opens the gate, so a tree that is
/// restarted takes on work again.
#[must_use = "a drainer does nothing until a supervisor has it"]
pub struct Drainer {
    id: Arc<str>,
    gate: Gate,
    patience: Duration,
    first: Arc<dyn Fn() + Send + Sync>,
}

impl Drainer {
    /// A drainer of that id for the work behind a gate.
    pub fn new(id: impl Into<Arc<str>>, gate: &Gate, patience: Duration) -> Self {
        Drainer {
            id: id.into(),
            gate: gate.clone(),
            patience,
            first: Arc::new(|| {}),
        }
    }

    /// Calls `first` when it has closed the gate and before it waits: to stop a listener, say. It runs in the
    /// drainer's process and should be quick; if it panics, the waiting begins all the same.
    pub fn on_drain(mut self, first: impl Fn() + Send + Sync + 'static) -> Self {
        self.first = Arc::new(first);
        self
    }
}

impl fmt::Debug for Drainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Drainer({:?}, {:?}, {:?})",
            self.id, self.gate, self.patience
        )
    }
}

impl From<Drainer> for Child {
    fn from(drainer: Drainer) -> Child {
        let patience = drainer.patience.saturating_add(SLACK);
        let rule = Shutdown::Timeout(patience);
        let spec = ChildSpec::new(drainer.id.clone(), ChildKind::Worker, rule);
        let start = move || {
            let options = Options {
                kind: Some(Kind::Pooled),
                flags: flag::TRAP_EXIT,
                link: true,
                label: Some(drainer.id.clone()),
                initial: Initial(|| "drainer"),
                ..Options::default()
            };
            let state = Draining {
                id: drainer.id.clone(),
                gate: drainer.gate.clone(),
                patience: drainer.patience,
                first: drainer.first.clone(),
                ending: None,
            };
            let init = Box::new(move |_: &mut DrainCx| {
                state.gate.open();
                Ok((state, Flow::Loop))
            });
            Ok(begun(start::start_async(&options, init)?.reference))
        };
        Child::new(spec, start)
    }
}

struct Draining {
    id: Arc<str>,
    gate: Gate,
    patience: Duration,
    first: Arc<dyn Fn() + Send + Sync>,
    /// Why it ends once the work is done, and what ends the waiting.
    ending: Option<(ExitReason, TimerRef)>,
}

/// The patience of a drainer is over.
struct Over;

impl Draining {
    fn drain(&mut self, cx: &DrainCx, reason: ExitReason) -> Flow {
        if self.ending.is_some() {
            return Flow::Loop;
        }
        let me = Arc::downgrade(&cx.me().process());
        let gate = self.gate.clone();
        gate.close();
        if catch_unwind(AssertUnwindSafe(|| (self.first)())).is_err() {
            log::error!(target: "perennial::supervisor", "on_drain of {:?} panicked", self.id);
        }
        let waker = me.clone();
        let inside = gate.when_empty(Box::new(move || {
            if let Some(me) = waker.upgrade() {
                me.push_signal(Signal::Resume(Box::new(Emptied)));
                me.wake();
            }
        }));
        self.tell(cx, What::Draining(inside));
        let shared = &cx.me().mailbox().core().runtime;
        let timer = shared.after(self.patience, move |_| {
            if let Some(me) = me.upgrade() {
                me.push_signal(Signal::Resume(Box::new(Over)));
                me.wake();
            }
        });
        self.ending = Some((reason, timer));
        Flow::Loop
    }

    fn done(&mut self, cx: &DrainCx) -> Flow {
        let Some((reason, timer)) = self.ending.take() else {
            return Flow::Loop;
        };
        cancel_timer(timer);
        self.tell(cx, What::Drained(self.gate.inside()));
        Flow::Stop(reason)
    }

    /// The supervisor speaks of it, as of any child.
    fn tell(&self, cx: &DrainCx, what: What) {
        let shared = &cx.me().mailbox().core().runtime;
        if let Some(board) = board::find(shared, cx.parent()) {
            board.tell(&self.id, what);
        }
    }
}

/// A drainer takes no messages.
#[derive(Debug)]
pub(super) enum Nothing {}

impl Behaviour for Draining {
    type Msg = Nothing;
    type Cx = DrainCx;

    fn context(context: Context<Nothing>) -> DrainCx {
        DrainCx(context)
    }

    fn message(&mut self, message: Nothing, _: &mut DrainCx) -> Flow {
        match message {}
    }

    fn exit(&mut self, exit: Exit, cx: &mut DrainCx) -> Flow {
        if exit.from == cx.parent() {
            return self.drain(cx, exit.reason);
        }
        Flow::Loop
    }

    fn down(&mut self, _: Down, _: &mut DrainCx) -> Flow {
        Flow::Loop
    }

    fn resume(&mut self, value: Box<dyn Any + Send>, cx: &mut DrainCx) -> Flow {
        if value.is::<Emptied>() || value.is::<Over>() {
            return self.done(cx);
        }
        match value.downcast::<StopRequest>() {
            Ok(stop) => self.drain(cx, stop.0),
            Err(_) => Flow::Loop,
        }
    }
}

/// A drainer's context.
struct DrainCx(Context<Nothing>);

impl Deref for DrainCx {
    type Target = Context<Nothing>;

    fn deref(&self) -> &Context<Nothing> {
        &self.0
    }
}

impl DerefMut for DrainCx {
    fn deref_mut(&mut self) -> &mut Context<Nothing> {
        &mut self.0
    }
}
