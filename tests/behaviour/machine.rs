//! The scripted machine: a GenStatem each of whose callbacks does what the test says, and which logs what it was
//! called back with.

use crate::support::LONG;
use perennial::gen_statem::{self, Cx, Enter, Event, Init, Next, Spec, Timeout};
use perennial::prelude::{Dest, GenStatem, Ref, ReplyTo};
use perennial::process::{Down, Exit, Kind};
use perennial::{ExitReason, Pid};
use std::sync::mpsc;

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    A,
    B,
    C,
}

type Went = Next<Scripted>;
type InitJob = Box<dyn FnOnce(Scripted, &mut Cx<Scripted>) -> Init<Scripted> + Send>;
type DoJob = Box<dyn FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Went + Send>;
type AskJob = Box<dyn FnOnce(&mut Scripted, ReplyTo<u64>, &mut Cx<Scripted>) -> Went + Send>;
type EnterJob = Box<dyn FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Enter<Scripted> + Send>;
type TerminateJob = Box<dyn FnOnce(&mut Cx<Scripted>) + Send>;

/// What scripted machines are sent.
pub(crate) enum Msg {
    /// Does it, and logs nothing.
    Do(DoJob),
    /// As `Do`, with a request to answer.
    Ask(AskJob, ReplyTo<u64>),
    /// Logs it, and then does it.
    Mark(u64, DoJob),
    /// Logs it.
    Note(u64),
    /// Logs it, and postpones it in `A`.
    Wait(u64),
    /// Logs it, and postpones it in `A`; elsewhere it is answered with its number.
    Hold(u64, ReplyTo<u64>),
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Type {
    Message,
    Internal,
    Timeout(Timeout<&'static str>),
}

pub(crate) use Place::{A, B, C};
pub(crate) use Type::{Internal, Message};

pub(crate) const EVENT: Type = Type::Timeout(Timeout::Event);
pub(crate) const STATE: Type = Type::Timeout(Timeout::State);

pub(crate) fn named(name: &'static str) -> Type {
    Type::Timeout(Timeout::Named(name))
}

/// What a scripted machine was called back with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Init,
    /// From where, and to where.
    Enter(Place, Place),
    Got(Type, u64, Place),
    Down(Pid, ExitReason, Place),
    Exit(Pid, ExitReason, Place),
    Terminated(ExitReason, Place),
    /// The data was dropped.
    Dropped,
}

pub(crate) use Record::{Enter as Entered, Got};

/// The machine, and what it is going to do.
pub(crate) struct Scripted {
    log: mpsc::Sender<Record>,
    init: Option<InitJob>,
    enters: Vec<(Place, EnterJob)>,
    terminate: Option<TerminateJob>,
    pub(crate) held: Vec<ReplyTo<u64>>,
    /// Whether signals are postponed in `A`.
    pub(crate) postpones: bool,
}

/// A message that runs a closure.
pub(crate) fn run(
    job: impl FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Went + Send + 'static,
) -> Msg {
    Msg::Do(Box::new(job))
}

/// A message that is logged and then runs a closure.
pub(crate) fn mark(
    n: u64,
    job: impl FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Went + Send + 'static,
) -> Msg {
    Msg::Mark(n, Box::new(job))
}

/// The maker of a request that runs a closure.
pub(crate) fn ask(
    job: impl FnOnce(&mut Scripted, ReplyTo<u64>, &mut Cx<Scripted>) -> Went + Send + 'static,
) -> impl FnOnce(ReplyTo<u64>) -> Msg {
    move |reply| Msg::Ask(Box::new(job), reply)
}

/// The maker of a request that is answered with `n` at once.
pub(crate) fn echo(n: u64) -> impl FnOnce(ReplyTo<u64>) -> Msg {
    ask(move |_, reply, _| {
        reply.send(n);
        Next::keep_state()
    })
}

/// A message that goes to a state.
pub(crate) fn go(place: Place) -> Msg {
    run(move |_, _| Next::next_state(place))
}

impl Scripted {
    fn log(&self, record: Record) {
        // A test that has ended reads no more.
        let _ = self.log.send(record);
    }

    /// The next time it enters a state it does this.
    pub(crate) fn on_enter(
        &mut self,
        place: Place,
        job: impl FnOnce(&mut Scripted, &mut Cx<Scripted>) -> Enter<Scripted> + Send + 'static,
    ) {
        self.enters.push((place, Box::new(job)));
    }

    fn signal(&self, event: Event<Self>, place: Place) -> Went {
        let next = Next::keep_state();
        if self.postpones && place == A {
            next.postpone(event)
        } else {
            next
        }
    }

    /// Handles a message of some type, which `event` makes an event again.
    fn content(
        &mut self,
        kind: Type,
        msg: Msg,
        place: Place,
        cx: &mut Cx<Self>,
        event: impl FnOnce(Msg) -> Event<Self>,
    ) -> Went {
        let got = match &msg {
            Msg::Do(_) | Msg::Ask(..) => None,
            Msg::Mark(n, _) | Msg::Note(n) | Msg::Wait(n) | Msg::Hold(n, _) => Some(*n),
        };
        if let Some(n) = got {
            self.log(Got(kind, n, place));
        }
        match msg {
            Msg::Do(job) | Msg::Mark(_, job) => job(self, cx),
            Msg::Ask(job, reply) => job(self, reply, cx),
            Msg::Note(_) => Next::keep_state(),
            Msg::Wait(_) | Msg::Hold(..) if place == A => Next::keep_state().postpone(event(msg)),
            Msg::Wait(_) => Next::keep_state(),
            Msg::Hold(n, reply) => Next::keep_state().reply(reply, n),
        }
    }
}

impl GenStatem for Scripted {
    type Args = Scripted;
    type Msg = Msg;
    type State = Place;
    type Timer = &'static str;

    const STATE_ENTER: bool = true;
    const EVENTS_MAX: usize = 1_000;

    fn init(mut script: Scripted, cx: &mut Cx<Self>) -> Init<Self> {
        script.log(Record::Init);
        match script.init.take() {
            Some(init) => init(script, cx),
            None => Init::ok(A, script),
        }
    }

    fn handle(&mut self, event: Event<Self>, place: &Place, cx: &mut Cx<Self>) -> Went {
        let place = *place;
        match event {
            Event::Message(msg) => self.content(Message, msg, place, cx, Event::Message),
            Event::Internal(msg) => self.content(Internal, msg, place, cx, Event::Internal),
            Event::Timeout(timeout, msg) => {
                let again = move |msg| Event::Timeout(timeout, msg);
                self.content(Type::Timeout(timeout), msg, place, cx, again)
            }
            Event::Down(down) => {
                let Down { pid, reason, .. } = down.clone();
                self.log(Record::Down(pid, reason, place));
                self.signal(Event::Down(down), place)
            }
            Event::Exit(exit) => {
                let Exit { from, reason } = exit.clone();
                self.log(Record::Exit(from, reason, place));
                self.signal(Event::Exit(exit), place)
            }
        }
    }

    fn enter(&mut self, old: &Place, place: &Place, cx: &mut Cx<Self>) -> Enter<Self> {
        self.log(Record::Enter(*old, *place));
        let at = self.enters.iter().position(|(entered, _)| entered == place);
        match at.map(|at| self.enters.remove(at)) {
            Some((_, job)) => job(self, cx),
            None => Enter::keep_state(),
        }
    }

    fn terminate(&mut self, reason: &ExitReason, place: &Place, cx: &mut Cx<Self>) {
        self.log(Record::Terminated(reason.clone(), *place));
        if let Some(job) = self.terminate.take() {
            job(cx);
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.log(Record::Dropped);
    }
}

/// A machine that begins in `A` and does nothing of its own, and its log.
pub(crate) fn script() -> (Scripted, Log) {
    let (log, records) = mpsc::channel();
    let script = Scripted {
        log,
        init: None,
        enters: Vec::new(),
        terminate: None,
        held: Vec::new(),
        postpones: false,
    };
    (script, Log(records))
}

impl Scripted {
    pub(crate) fn init(
        mut self,
        job: impl FnOnce(Scripted, &mut Cx<Scripted>) -> Init<Scripted> + Send + 'static,
    ) -> Self {
        self.init = Some(Box::new(job));
        self
    }

    /// Traps exits from the beginning.
    pub(crate) fn traps(self) -> Self {
        self.init(|script, cx| {
            cx.trap_exit(true);
            Init::ok(A, script)
        })
    }

    pub(crate) fn on_terminate(
        mut self,
        job: impl FnOnce(&mut Cx<Scripted>) + Send + 'static,
    ) -> Self {
        self.terminate = Some(Box::new(job));
        self
    }

    /// The machine on a kind of process, to be started.
    pub(crate) fn on(self, kind: Kind) -> Spec<Scripted> {
        on(gen_statem::spec::<Scripted>(self), kind)
    }
}

/// A spec for a kind of process.
pub(crate) fn on<S: GenStatem>(spec: Spec<S>, kind: Kind) -> Spec<S> {
    match kind {
        Kind::Pooled => spec.pooled(),
        Kind::Thread => spec.thread(),
    }
}

/// A started machine that is in `A`, with its log, from which the beginning is gone.
pub(crate) fn machine(kind: Kind) -> (Ref<Msg>, Log) {
    let (script, log) = script();
    let machine = script.on(kind).start().expect("the machine starts");
    sync(&machine);
    assert_eq!(log.so_far(), [Record::Init, Entered(A, A)]);
    (machine, log)
}

/// Stops a machine, and waits until it has ended.
#[track_caller]
pub(crate) fn stop(machine: &Ref<Msg>) {
    gen_statem::stop(machine).expect("the machine stops");
}

/// Waits until the machine has handled what it was sent before, and what it told itself then.
#[track_caller]
pub(crate) fn sync(machine: &Ref<Msg>) {
    assert_eq!(machine.call_for(LONG, echo(1)), Ok(1));
}

/// What a scripted machine was called back with, in order.
pub(crate) struct Log(mpsc::Receiver<Record>);

impl Log {
    /// What happened next.
    #[track_caller]
    pub(crate) fn next(&self) -> Record {
        match self.0.recv_timeout(LONG) {
            Ok(record) => record,
            Err(error) => panic!("nothing more happened: {error}"),
        }
    }

    /// What has happened and was not looked at.
    pub(crate) fn so_far(&self) -> Vec<Record> {
        self.0.try_iter().collect()
    }

    /// What has happened when the machine is through with all it was sent.
    #[track_caller]
    pub(crate) fn after(&self, machine: &Ref<Msg>) -> Vec<Record> {
        sync(machine);
        self.so_far()
    }

    /// All that happens until the data is dropped.
    #[track_caller]
    pub(crate) fn all(&self) -> Vec<Record> {
        let mut all = Vec::new();
        loop {
            match self.0.recv_timeout(LONG) {
                Ok(record) => all.push(record),
                Err(mpsc::RecvTimeoutError::Disconnected) => return all,
                Err(error) => panic!("the machine lives on: {error}"),
            }
        }
    }
}
