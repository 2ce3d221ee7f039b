//! Where reports go: to the handlers of a runtime, on the thread that has something to tell, and to no more of
//! them than they bear.
//!
//! A handler that panics is removed. One that is told more than its burst in a while, or that so many threads
//! are in already, is spared the rest, and told later how much that was. What a handler itself causes to be
//! told goes to nobody, or it would never end.

use crate::pid::Pid;
use crate::process::report::CrashReport;
use crate::process::runtime::Shared;
use crate::process::{bounded, current};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, RwLock};
use crate::telemetry::{self, Event};
use log::{Level, LevelFilter};
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The handler that every runtime has from the beginning: it hands over to the `log` crate.
pub(crate) const DEFAULT: &str = "default";

/// How many characters of a report are written at most, whatever it holds.
const TEXT_MAX: usize = 16_000;

/// How much a handler takes in which time: OTP's burst limit.
const BURST: (u32, Duration) = (500, Duration::from_secs(1));

/// How many threads may be in a handler at once: those that wait for a slow one are missed elsewhere. OTP's
/// handlers make senders wait from this length of their queue on.
const CONCURRENT: usize = 10;

/// Where what the logger says of itself is from.
const DOMAIN: &str = "perennial::logger";

thread_local! {
    /// Whose report the handlers that run on this thread have in hand. Another process may run on top of them.
    static LOGGING: Cell<Option<Pid>> = const { Cell::new(None) };
}

/// What there is to tell: a value for programs, its `Display` for people.
pub trait Report: Event + Any + fmt::Display + Send + Sync {}

impl<T: Event + Any + fmt::Display + Send + Sync> Report for T {}

/// A report on its way to the handlers: how grave it is, when it was made, and by whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogEvent {
    /// How grave it is.
    pub level: Level,
    /// The part of the program it is from: `perennial::process`, `perennial::supervisor`.
    pub domain: &'static str,
    /// Milliseconds since 1970.
    pub unix_ms: i64,
    /// The process it is about; [`Pid::INIT`] if a plain thread reports.
    pub pid: Pid,
    /// The name of that process, if it has one, or had when it ended.
    pub name: Option<Arc<str>>,
    /// What happened.
    pub report: Arc<dyn Report>,
}

impl LogEvent {
    /// The report, if it is a `T`.
    pub fn report<T: 'static>(&self) -> Option<&T> {
        let report: &dyn Any = &*self.report;
        report.downcast_ref()
    }
}

/// The report for people. It never takes more than 16,000 characters.
impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bounded::display(&*self.report, TEXT_MAX))
    }
}

type Filter = Box<dyn Fn(&LogEvent) -> bool + Send + Sync>;
type Sink = Box<dyn Fn(&LogEvent) + Send + Sync>;

/// A handler of log events, with its options.
#[must_use = "a handler gets nothing until it is added"]
pub struct Handler {
    level: LevelFilter,
    filters: Vec<Filter>,
    burst: (u32, Duration),
    concurrent: usize,
    sink: Sink,
}

impl Handler {
    /// A handler that calls `sink` for each event, on the thread that reports it.
    pub fn new(sink: impl Fn(&LogEvent) + Send + Sync + 'static) -> Self {
        Handler {
            level: LevelFilter::Trace,
            filters: Vec::new(),
            burst: BURST,
            concurrent: CONCURRENT,
            sink: Box::new(sink),
        }
    }

    /// Takes only what is at least as grave. Default: all.
    pub fn level(mut self, level: LevelFilter) -> Self {
        self.level = level;
        self
    }

    /// Takes only what `wanted` says, and what the filters before it do.
    pub fn filter(mut self, wanted: impl Fn(&LogEvent) -> bool + Send + Sync + 'static) -> Self {
        self.filters.push(Box::new(wanted));
        self
    }

    /// Takes no more than `events` in each `period`; what comes beyond that is counted and dropped. Default:
    /// OTP's 500 a second.
    pub fn burst(mut self, events: u32, period: Duration) -> Self {
        self.burst = (events, period);
        self
    }

    /// Lets no more than so many threads (at least one) into the handler at once; what comes meanwhile is
    /// counted and dropped. Default: 10.
    pub fn concurrent(mut self, threads: usize) -> Self {
        self.concurrent = threads.max(1);
        self
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("level", &self.level)
            .field("burst", &self.burst)
            .field("concurrent", &self.concurrent)
            .finish_non_exhaustive()
    }
}

/// A handler as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerInfo {
    /// What it was added as.
    pub id: Arc<str>,
    /// The least grave that it takes.
    pub level: LevelFilter,
    /// How many events it was spared altogether.
    pub dropped: u64,
}

/// A handler panicked and was removed.
#[derive(Clone, Debug)]
pub struct HandlerRemoved {
    /// What it had been added as.
    pub id: Arc<str>,
}

/// A handler was spared some events, because there were too many at once.
#[derive(Clone, Debug)]
pub struct EventsDropped {
    /// How many, since it was last told.
    pub count: u64,
}

impl Event for HandlerRemoved {}
impl Event for EventsDropped {}

impl fmt::Display for HandlerRemoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log handler {:?} panicked and was removed", self.id)
    }
}

impl fmt::Display for EventsDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} log events were dropped: too many at once",
            self.count
        )
    }
}

/// A handler in its place.
struct Added {
    id: Arc<str>,
    handler: Handler,
    /// A leaf lock.
    window: Mutex<Option<Window>>,
    /// Threads that are in the handler.
    inside: AtomicUsize,
    /// Events that it was spared and not told of.
    untold: AtomicU64,
    dropped: AtomicU64,
}

/// One period of the burst limit.
struct Window {
    began: Instant,
    taken: u32,
}

impl Added {
    fn is_default(&self) -> bool {
        &*self.id == DEFAULT
    }

    fn takes(&self, level: Level, domain: &'static str) -> bool {
        level <= self.handler.level && (!self.is_default() || default_takes(level, domain))
    }

    fn wants(&self, event: &LogEvent) -> bool {
        self.handler.filters.iter().all(|filter| filter(event))
    }

    /// Whether there is room for one more in this period.
    fn has_room(&self, now: Instant) -> bool {
        let (burst, period) = self.handler.burst;
        let mut window = self.window.lock();
        let window = match &mut *window {
            Some(window) if now.saturating_duration_since(window.began) < period => window,
            window => window.insert(Window {
                began: now,
                taken: 0,
            }),
        };
        window.taken = window.taken.saturating_add(1);
        window.taken <= burst
    }

    /// Whether an event is to be made for it. One that is too many in its period is counted as dropped, and costs no
    /// more than that; but whoever has filters has a look at each first.
    fn asks_for(&self, now: Instant) -> bool {
        let asks = !self.handler.filters.is_empty() || self.has_room(now);
        if !asks {
            self.count_dropped();
        }
        asks
    }

    /// Takes an event that it asked for, or counts it as dropped.
    fn take(&self, event: &LogEvent, now: Instant) {
        if !self.wants(event) {
            return;
        }
        let _inside = Inside::new(&self.inside);
        let crowded = self.inside.load(Ordering::Acquire) > self.handler.concurrent;
        if crowded || !self.handler.filters.is_empty() && !self.has_room(now) {
            return self.count_dropped();
        }
        self.tell_dropped(event.unix_ms);
        (self.handler.sink)(event);
    }

    fn count_dropped(&self) {
        self.untold.fetch_add(1, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Says before an event, or at the end, how many there were that it was spared.
    fn tell_dropped(&self, unix_ms: i64) {
        let count = self.untold.swap(0, Ordering::Relaxed);
        if count > 0 {
            (self.handler.sink)(&LogEvent {
                level: Level::Warn,
                domain: DOMAIN,
                unix_ms,
                pid: Pid::INIT,
                name: None,
                report: Arc::new(EventsDropped { count }),
            });
        }
    }
}

/// Counts a thread as inside a handler until it is dropped.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Inside(count)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The handlers of a runtime.
pub(crate) struct Logger {
    /// The least grave that is handed to anybody, as a number.
    primary: AtomicUsize,
    /// The least grave that a handler beside the default one takes, as a number: most of what is reported is
    /// known to be for nobody without looking further.
    others: AtomicUsize,
    handlers: RwLock<Vec<Arc<Added>>>,
}

impl Logger {
    pub(crate) fn new() -> Self {
        let logger = Logger {
            primary: AtomicUsize::new(LevelFilter::Trace as usize),
            others: AtomicUsize::new(LevelFilter::Off as usize),
            handlers: RwLock::default(),
        };
        logger.add(DEFAULT.into(), Handler::new(to_log));
        logger
    }

    /// Adds a handler; `false` if there is one of that id.
    pub(crate) fn add(&self, id: Arc<str>, handler: Handler) -> bool {
        let mut handlers = self.handlers.write();
        if handlers.iter().any(|added| added.id == id) {
            return false;
        }
        handlers.push(Arc::new(Added {
            id,
            handler,
            window: Mutex::default(),
            inside: AtomicUsize::new(0),
            untold: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }));
        self.look_at(&handlers);
        true
    }

    /// Removes a handler; `false` if there is none of that id.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut handlers = self.handlers.write();
        let Some(at) = handlers.iter().position(|added| &*added.id == id) else {
            return false;
        };
        let removed = handlers.remove(at);
        self.look_at(&handlers);
        drop(handlers);
        // What it owns is the user's, so it is dropped with no lock held.
        drop(removed);
        true
    }

    fn look_at(&self, handlers: &[Arc<Added>]) {
        let others = handlers.iter().filter(|added| !added.is_default());
        let levels = others.map(|added| added.handler.level as usize);
        self.others
            .store(levels.max().unwrap_or_default(), Ordering::Release);
    }

    pub(crate) fn set_primary(&self, level: LevelFilter) {
        self.primary.store(level as usize, Ordering::Release);
    }

    pub(crate) fn primary(&self) -> LevelFilter {
        let level = self.primary.load(Ordering::Acquire);
        LevelFilter::iter()
            .find(|filter| *filter as usize == level)
            .unwrap_or(LevelFilter::Trace)
    }

    pub(crate) fn all(&self) -> Vec<HandlerInfo> {
        let info = |added: &Arc<Added>| HandlerInfo {
            id: added.id.clone(),
            level: added.handler.level,
            dropped: added.dropped.load(Ordering::Relaxed),
        };
        self.handlers.read().iter().map(info).collect()
    }

    /// Who takes an event of this level.
    fn takers(&self, level: Level, domain: &'static str) -> Vec<Arc<Added>> {
        let number = level as usize;
        let others = number <= self.others.load(Ordering::Acquire);
        if number > self.primary.load(Ordering::Acquire)
            || !(others || default_takes(level, domain))
            || LOGGING.get() == Some(current::pid())
        {
            return Vec::new();
        }
        let handlers = self.handlers.read();
        let takes = |added: &&Arc<Added>| added.takes(level, domain);
        handlers.iter().filter(takes).cloned().collect()
    }
}

impl Shared {
    /// Tells of something that happened to a process: as an event of its type, and to the handlers.
    pub(crate) fn report<R: Report + Clone>(
        &self,
        (level, domain): (Level, &'static str),
        pid: Pid,
        report: R,
    ) {
        self.report_if_asked((level, domain), pid, || report);
    }

    /// As [`report`](Shared::report), with what costs something to make: it is made only if somebody gets it.
    pub(crate) fn report_if_asked<R: Report + Clone>(
        &self,
        (level, domain): (Level, &'static str),
        pid: Pid,
        report: impl FnOnce() -> R,
    ) {
        let mut takers = self.logger.takers(level, domain);
        if !takers.is_empty() {
            let now = self.clock.now();
            takers.retain(|taker| taker.asks_for(now));
        }
        if takers.is_empty() && !self.telemetry.listens::<R>() {
            return;
        }
        let report = report();
        self.telemetry.emit(|| report.clone());
        if takers.is_empty() {
            return;
        }
        let name = self.process(pid).and_then(|process| {
            let relations = process.core().relations.lock();
            relations.name().or_else(|| relations.last_name())
        });
        let event = LogEvent {
            level,
            domain,
            unix_ms: self.clock.unix_ms(),
            pid,
            name,
            report: Arc::new(report),
        };
        self.hand_out(takers, &event);
    }

    /// The runtime stops: tells the handlers what nothing will follow on any more.
    pub(crate) fn tell_dropped(&self) {
        let handlers = self.logger.handlers.read().clone();
        for handler in handlers {
            let tell = || handler.tell_dropped(self.clock.unix_ms());
            // Nobody is left to whom a handler that panics here could do harm.
            drop(catch_unwind(AssertUnwindSafe(tell)));
        }
    }

    fn hand_out(&self, takers: Vec<Arc<Added>>, event: &LogEvent) {
        let now = self.clock.now();
        let mut broken = Vec::new();
        let logging = LOGGING.replace(Some(current::pid()));
        let emitting = telemetry::set_emitting(true);
        for taker in takers {
            if catch_unwind(AssertUnwindSafe(|| taker.take(event, now))).is_err() {
                broken.push(taker.id.clone());
            }
        }
        telemetry::set_emitting(emitting);
        LOGGING.set(logging);
        // Each is removed before the others hear of it, so this comes to an end.
        for id in broken {
            if self.logger.remove(&id) {
                self.report((Level::Error, DOMAIN), event.pid, HandlerRemoved { id });
            }
        }
    }
}

/// What the `log` crate takes; and what may be a crash although the program logs nothing at all.
fn default_takes(level: Level, domain: &'static str) -> bool {
    if log::max_level() == LevelFilter::Off {
        return level == Level::Error;
    }
    // What a logger that panics here would not hear goes to stderr if it is a crash.
    catch_unwind(|| log::log_enabled!(target: domain, level)).unwrap_or(true)
}

/// The default handler: the `log` crate; stderr, and crashes alone, if the program logs nothing at all or with
/// a logger that panics, so that no crash is ever silent.
fn to_log(event: &LogEvent) {
    let log = || log::log!(target: event.domain, event.level, "{event}");
    let logged = catch_unwind(AssertUnwindSafe(log)).is_ok();
    let silent = log::max_level() == LevelFilter::Off || !logged;
    if silent && event.report::<CrashReport>().is_some() {
        // One write, or the lines of two threads mix. Nobody is left to tell if stderr is gone.
        let _ = std::io::stderr().write_all(format!("{event}\n").as_bytes());
    }
}
