//! The scripted server: a GenServer each of whose callbacks does what the test says, and which logs what it was
//! called back with.

use super::stage::{builder, on_stage};
use super::{LONG, record};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{Builder, Kind, Overflow};
use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

pub(crate) const KINDS: [Kind; 2] = [Kind::Pooled, Kind::Thread];

/// Plays a rule once for each kind of server, each time in a runtime of its own that has to be clean afterwards.
pub(crate) fn both_servers(rule: impl Fn(Kind)) {
    both_servers_in(builder, |kind, _| rule(kind));
}

/// [`both_servers`] in runtimes that are not quite the usual ones.
pub(crate) fn both_servers_in(
    builder: impl Fn() -> Builder,
    rule: impl Fn(Kind, &perennial::Runtime),
) {
    for kind in KINDS {
        println!("-- {kind:?}");
        let _play = record::play(&[kind]);
        on_stage(builder(), |runtime| rule(kind, runtime));
    }
}

type InitJob = Box<dyn FnOnce(&mut Cx<Scripted>) -> Step + Send>;
type DoJob = Box<dyn FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Next<Msg> + Send>;
type AskJob = Box<dyn FnOnce(&mut Scripted, ReplyTo<u64>, &mut Cx<Scripted>) -> Next<Msg> + Send>;
type InfoJob = Box<dyn FnMut(&Info, &mut Cx<Scripted>) -> Next<Msg> + Send>;
type TerminateJob = Box<dyn FnOnce(&ExitReason, &mut Cx<Scripted>) + Send>;

/// What a script's `init` comes to; `Init` without the state, which is the server's own business.
pub(crate) enum Step {
    Up,
    Timeout(Duration),
    Continue(Msg),
    Ignore,
    Stop(ExitReason),
}

/// What a scripted server does.
pub(crate) struct Script {
    init: InitJob,
    info: InfoJob,
    terminate: TerminateJob,
    log: mpsc::Sender<Event>,
}

/// What a scripted server was called back with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Init,
    Noted(u64),
    Continued(u64),
    Info(Info),
    Terminated(ExitReason),
    /// The state was dropped.
    Dropped,
}

/// What scripted servers are sent.
pub(crate) enum Msg {
    Do(DoJob),
    Ask(AskJob, ReplyTo<u64>),
    Note(u64),
}

/// A message that runs a closure.
pub(crate) fn run(
    job: impl FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Next<Msg> + Send + 'static,
) -> Msg {
    Msg::Do(Box::new(job))
}

/// The maker of a request that runs a closure.
pub(crate) fn ask(
    job: impl FnOnce(&mut Scripted, ReplyTo<u64>, &mut Cx<Scripted>) -> Next<Msg> + Send + 'static,
) -> impl FnOnce(ReplyTo<u64>) -> Msg {
    move |reply| Msg::Ask(Box::new(job), reply)
}

/// The maker of a request that is answered with `n` at once.
pub(crate) fn echo(n: u64) -> impl FnOnce(ReplyTo<u64>) -> Msg {
    ask(move |_, reply, _| {
        reply.send(n);
        Next::Loop
    })
}

/// The server.
pub(crate) struct Scripted {
    info: InfoJob,
    terminate: Option<TerminateJob>,
    pub(crate) log: mpsc::Sender<Event>,
    pub(crate) held: VecDeque<ReplyTo<u64>>,
    pub(crate) value: u64,
}

impl Scripted {
    pub(crate) fn log(&self, event: Event) {
        // A test that has ended reads no more.
        let _ = self.log.send(event);
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.log(Event::Dropped);
    }
}

impl GenServer for Scripted {
    type Args = Script;
    type Msg = Msg;

    fn init(script: Script, cx: &mut Cx<Self>) -> Init<Self> {
        let _ = script.log.send(Event::Init);
        let step = (script.init)(cx);
        let server = |script: Script| Scripted {
            info: script.info,
            terminate: Some(script.terminate),
            log: script.log,
            held: VecDeque::new(),
            value: 0,
        };
        let script = Script {
            init: Box::new(|_| Step::Up),
            ..script
        };
        match step {
            Step::Up => Init::Ok(server(script)),
            Step::Timeout(delay) => Init::Timeout(server(script), delay),
            Step::Continue(msg) => Init::Continue(server(script), msg),
            Step::Ignore => Init::Ignore,
            Step::Stop(reason) => Init::Stop(reason),
        }
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Do(job) => job(self, cx),
            Msg::Ask(job, reply) => job(self, reply, cx),
            Msg::Note(n) => {
                self.log(Event::Noted(n));
                Next::Loop
            }
        }
    }

    fn handle_continue(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Note(n) => {
                self.log(Event::Continued(n));
                Next::Loop
            }
            msg => self.handle(msg, cx),
        }
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<Msg> {
        let next = (self.info)(&info, cx);
        self.log(Event::Info(info));
        next
    }

    fn terminate(&mut self, reason: &ExitReason, cx: &mut Cx<Self>) {
        self.log(Event::Terminated(reason.clone()));
        if let Some(job) = self.terminate.take() {
            job(reason, cx);
        }
    }
}

impl Script {
    /// A server that does nothing of its own, and its log.
    pub(crate) fn new() -> (Self, Log) {
        let (log, events) = mpsc::channel();
        let script = Script {
            init: Box::new(|_| Step::Up),
            info: Box::new(|_, _| Next::Loop),
            terminate: Box::new(|_, _| ()),
            log,
        };
        (script, Log(events))
    }

    pub(crate) fn init(
        mut self,
        job: impl FnOnce(&mut Cx<Scripted>) -> Step + Send + 'static,
    ) -> Self {
        self.init = Box::new(job);
        self
    }

    /// Traps exits from the beginning.
    pub(crate) fn traps(self) -> Self {
        self.init(|cx| {
            cx.trap_exit(true);
            Step::Up
        })
    }

    pub(crate) fn on_info(
        mut self,
        job: impl FnMut(&Info, &mut Cx<Scripted>) -> Next<Msg> + Send + 'static,
    ) -> Self {
        self.info = Box::new(job);
        self
    }

    pub(crate) fn on_terminate(
        mut self,
        job: impl FnOnce(&ExitReason, &mut Cx<Scripted>) + Send + 'static,
    ) -> Self {
        self.terminate = Box::new(job);
        self
    }

    /// The server with these callbacks, on a kind of process, to be started.
    pub(crate) fn on(self, kind: Kind) -> gen_server::Spec<Scripted> {
        let spec = gen_server::spec::<Scripted>(self);
        match kind {
            Kind::Pooled => spec.pooled(),
            Kind::Thread => spec.thread(),
        }
    }
}

/// A started server with its log, without a script. Bounded if a bound is given.
pub(crate) fn plain(kind: Kind, bound: Option<(usize, Overflow)>) -> (Ref<Msg>, Log) {
    let (script, log) = Script::new();
    let mut spec = script.on(kind);
    if let Some((max, overflow)) = bound {
        spec = spec.mailbox(max, overflow);
    }
    (spec.start().expect("the server starts"), log)
}

/// What a scripted server was called back with, in order.
pub(crate) struct Log(mpsc::Receiver<Event>);

impl Log {
    /// What happened next.
    #[track_caller]
    pub(crate) fn next(&self) -> Event {
        match self.0.recv_timeout(LONG) {
            Ok(event) => event,
            Err(error) => panic!("nothing more happened: {error}"),
        }
    }

    /// What has happened and was not looked at.
    pub(crate) fn so_far(&self) -> Vec<Event> {
        self.0.try_iter().collect()
    }

    /// All that happens until the state is dropped.
    #[track_caller]
    pub(crate) fn all(&self) -> Vec<Event> {
        let mut all = Vec::new();
        loop {
            match self.0.recv_timeout(LONG) {
                Ok(event) => all.push(event),
                Err(mpsc::RecvTimeoutError::Disconnected) => return all,
                Err(error) => panic!("the server lives on: {error}"),
            }
        }
    }

    /// The numbers noted so far.
    pub(crate) fn noted(&self) -> Vec<u64> {
        let noted = |event| match event {
            Event::Noted(n) => Some(n),
            _ => None,
        };
        self.so_far().into_iter().filter_map(noted).collect()
    }
}

/// Keeps a server's code running, outside the library, until the gate is dropped.
#[must_use = "the server is busy until the gate is dropped"]
pub(crate) struct Gate(mpsc::Sender<()>);

/// The two ends of a gate: what the test holds, and what a callback waits at.
pub(crate) fn gate() -> (Gate, impl FnOnce() + Send + 'static) {
    let (release, released) = mpsc::channel::<()>();
    let wait = move || {
        let _ = released.recv_timeout(LONG);
    };
    (Gate(release), wait)
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Makes a server busy, and returns when it is.
#[track_caller]
pub(crate) fn busy(server: &Ref<Msg>) -> Gate {
    let (gate, wait) = gate();
    let (started, running) = mpsc::channel();
    server.cast(run(move |_, _| {
        let _ = started.send(());
        wait();
        Next::Loop
    }));
    running.recv_timeout(LONG).expect("the server becomes busy");
    gate
}

/// Stops a server, and waits until it has ended.
#[track_caller]
pub(crate) fn stop(server: &Ref<Msg>) {
    gen_server::stop(server).expect("the server stops");
}

/// Waits until the server has handled what it was sent before.
#[track_caller]
pub(crate) fn sync(server: &Ref<Msg>) {
    assert_eq!(server.call_for(LONG, echo(1)), Ok(1));
}
