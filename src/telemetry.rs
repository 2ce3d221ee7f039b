//! Typed events: a library part emits what happened at the place that decides, and whoever is interested
//! attaches a function to the event's type. Nothing is printed by the parts themselves.
//!
//! Every [`Runtime`](crate::Runtime) has a bus of its own ([`Runtime::telemetry`](crate::Runtime::telemetry));
//! [`process::attach`](crate::process::attach) is short for that of the current one.
//!
//! ```
//! use perennial::process::{self, CrashReport};
//! use std::sync::mpsc::channel;
//!
//! let (told, hear) = channel();
//! process::attach(move |crash: &CrashReport| { let _ = told.send(crash.reason.to_string()); });
//! process::spawn::<()>(|_| panic!("out of paper"));
//! assert!(hear.recv()?.contains("out of paper"));
//! # Ok::<(), std::sync::mpsc::RecvError>(())
//! ```
//!
//! # What is told
//! | who | events |
//! |---|---|
//! | [`process`](crate::process) | [`MailboxWatermark`](crate::process::MailboxWatermark), [`Spawned`](crate::process::Spawned), [`Exited`](crate::process::Exited), [`ServerReport`](crate::process::ServerReport), [`CrashReport`](crate::process::CrashReport), [`DeadLetter`](crate::process::DeadLetter), [`DeadlockFound`](crate::process::DeadlockFound), [`ZombieCut`](crate::process::ZombieCut), [`ZombieEnded`](crate::process::ZombieEnded) |
//! | [`scheduler`](crate::scheduler) | [`LongTurn`](crate::scheduler::LongTurn) |
//! | [`supervisor`](crate::supervisor) | [`SupervisorEvent`](crate::supervisor::SupervisorEvent): [what](crate::supervisor::What) happened to a child, from `Started` to `Draining` and `Drained` |
//! | [`sys`](crate::sys) | [`Traced`](crate::sys::Traced), for processes that are [traced](crate::sys::trace) |
//! | [`logger`](crate::logger) | [`HandlerRemoved`](crate::logger::HandlerRemoved), and what a program [reports](crate::logger::report); [`EventsDropped`](crate::logger::EventsDropped) is told to the handler that was spared them |
//! | `store`, with its feature | batches, failures, checkpoints, migrations: the module `store::event` |
//! | `web`, with its feature | connections that were refused, callbacks that panicked, sockets that are drained: in `web::net`; sockets that connected, channels that were joined, events that were handled: in `web::channel::event` |
//! | a program | [whatever it calls an event](Event) |
//!
//! # How a handler fails
//! A handler runs on the thread that emits, in the middle of its work. It must not wait. One that panics is
//! detached, and whoever emitted goes on. A process that dies takes no handler with it: [`Telemetry::detach`] does.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, RwLock};
use std::any::{Any, TypeId};
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Equals `true` while handlers run on this thread.
    static EMITTING: Cell<bool> = const { Cell::new(false) };
}

/// Says whether handlers run on this thread; what was said before.
#[inline]
pub(crate) fn set_emitting(emitting: bool) -> bool {
    EMITTING.replace(emitting)
}

/// Equals `true` while handlers run on this thread: they are none of the code of the process that emits.
#[inline]
pub(crate) fn emitting() -> bool {
    EMITTING.get()
}

/// Something that happened. Any type may be an event.
pub trait Event: fmt::Debug + 'static {}

/// One bus: handlers by event type. A clone is the same bus.
///
/// ```
/// use perennial::telemetry::{Event, Telemetry};
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// #[derive(Debug)]
/// struct Sold(u64);
/// impl Event for Sold {}
///
/// let bus = Telemetry::new();
/// let total = Arc::new(AtomicU64::new(0));
/// let sum = total.clone();
/// let id = bus.attach(move |sold: &Sold| { sum.fetch_add(sold.0, Ordering::Relaxed); });
/// bus.emit(|| Sold(3));
/// bus.detach(id);
/// bus.emit(|| Sold(4));
/// assert_eq!(total.load(Ordering::Relaxed), 3);
/// ```
#[derive(Clone, Default)]
pub struct Telemetry(Arc<Bus>);

#[derive(Default)]
struct Bus {
    /// How many handlers there are; while it is 0, an emit costs one load.
    attached: AtomicUsize,
    next_id: AtomicUsize,
    handlers: RwLock<HashMap<TypeId, Vec<Handler>>>,
}

type Callback = Arc<dyn Fn(&dyn Any) + Send + Sync>;

#[derive(Clone)]
struct Handler {
    id: HandlerId,
    call: Callback,
}

/// Names an attached handler, for [`Telemetry::detach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(usize);

impl Telemetry {
    /// A bus without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `handler` for each event of type `E`, on the thread that emits it.
    ///
    /// A handler should be quick and must not block. One that panics is detached; the emitter never notices.
    pub fn attach<E: Event>(&self, handler: impl Fn(&E) + Send + Sync + 'static) -> HandlerId {
        let id = HandlerId(self.0.next_id.fetch_add(1, Ordering::Relaxed));
        let call: Callback = Arc::new(move |event| {
            if let Some(event) = event.downcast_ref::<E>() {
                handler(event);
            }
        });
        self.0
            .handlers
            .write()
            .entry(TypeId::of::<E>())
            .or_default()
            .push(Handler { id, call });
        self.0.attached.fetch_add(1, Ordering::Release);
        id
    }

    /// Removes a handler; unknown ids are ignored. A call under way on another thread may still finish.
    pub fn detach(&self, id: HandlerId) {
        let mut removed = Vec::new();
        for handlers in self.0.handlers.write().values_mut() {
            if let Some(at) = handlers.iter().position(|handler| handler.id == id) {
                removed.push(handlers.remove(at));
            }
        }
        self.0.attached.fetch_sub(removed.len(), Ordering::Release);
    }

    /// Equals `true` if somebody listens to events of this type: for an emitter that has to measure first.
    pub fn listens<E: Event>(&self) -> bool {
        let of_type = || {
            self.0
                .handlers
                .read()
                .get(&TypeId::of::<E>())
                .is_some_and(|it| !it.is_empty())
        };
        self.0.attached.load(Ordering::Acquire) > 0 && of_type()
    }

    /// Emits an event, which is built only if somebody listens to anything at all.
    pub fn emit<E: Event>(&self, make: impl FnOnce() -> E) {
        if self.0.attached.load(Ordering::Acquire) == 0 {
            return;
        }
        let Some(handlers) = self.0.handlers.read().get(&TypeId::of::<E>()).cloned() else {
            return;
        };
        if handlers.is_empty() {
            return;
        }
        let event = make();
        let before = set_emitting(true);
        for handler in handlers {
            if catch_unwind(AssertUnwindSafe(|| (handler.call)(&event))).is_err() {
                self.detach(handler.id);
            }
        }
        set_emitting(before);
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Telemetry({} handlers)",
            self.0.attached.load(Ordering::Relaxed)
        )
    }
}
