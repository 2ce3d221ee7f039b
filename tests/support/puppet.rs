//! The puppet: one process of either kind that runs the closures it is sent and records what it receives, so
//! that each rule is written once and holds for both kinds.

use super::stage::{builder, on_stage};
use super::{LONG, eventually, record};
use perennial::prelude::*;
use perennial::process::{
    self, Builder, Context, Down, Exit, Kind, Received, StartError, ThreadContext,
};
use perennial::{ExitReason, MonitorRef, Pid};
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::mpsc;
use std::time::Duration;

/// What runs a puppet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breed {
    /// A server on the pool.
    Pooled,
    /// A closure on a thread of its own, which receives by hand.
    Thread,
    /// A server on a thread of its own.
    ThreadServer,
}

pub(crate) const BREEDS: [Breed; 3] = [Breed::Pooled, Breed::Thread, Breed::ThreadServer];

/// Plays a rule once for each breed, each time in a runtime of its own that has to be clean afterwards.
pub(crate) fn both_kinds(rule: impl Fn(Breed)) {
    both_kinds_in(builder, |breed, _| rule(breed));
}

/// [`both_kinds`] in runtimes that are not quite the usual ones.
pub(crate) fn both_kinds_in(
    builder: impl Fn() -> Builder,
    rule: impl Fn(Breed, &perennial::Runtime),
) {
    for breed in BREEDS {
        println!("-- {breed:?}");
        let _play = record::play(&[breed.kind()]);
        on_stage(builder(), |runtime| rule(breed, runtime));
    }
}

/// Plays a rule once for each pair of breeds.
pub(crate) fn all_pairs(rule: impl Fn(Breed, Breed)) {
    for one in BREEDS {
        for other in BREEDS {
            println!("-- {one:?}, {other:?}");
            let _play = record::play(&[one.kind(), other.kind()]);
            on_stage(builder(), |_| rule(one, other));
        }
    }
}

type Job = Box<dyn FnOnce(&mut Inside<'_>) + Send>;

/// What puppets are sent.
pub(crate) enum Msg {
    /// Run this.
    Do(Job),
    /// Record this.
    Tell(u64),
    /// Answer one more.
    Ask(u64, ReplyTo<u64>),
    /// Keep the request and say nothing.
    Hold(ReplyTo<u64>),
    /// Return with this reason.
    End(ExitReason),
}

impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Msg::Do(_) => f.write_str("Do"),
            Msg::Tell(n) => write!(f, "Tell({n})"),
            Msg::Ask(n, _) => write!(f, "Ask({n})"),
            Msg::Hold(_) => f.write_str("Hold"),
            Msg::End(reason) => write!(f, "End({reason})"),
        }
    }
}

/// What a puppet has received.
#[derive(Debug, PartialEq)]
pub(crate) enum Record {
    Told(u64),
    Exit(Exit),
    Down(Down),
    Timeout,
}

/// What a puppet owns; dropped when it ends.
struct State {
    records: mpsc::Sender<Record>,
    held: VecDeque<ReplyTo<u64>>,
    kept: Vec<Box<dyn Any + Send>>,
}

impl State {
    fn new(records: mpsc::Sender<Record>) -> Self {
        State {
            records,
            held: VecDeque::new(),
            kept: Vec::new(),
        }
    }

    fn record(&self, record: Record) {
        // A test that has ended reads no more.
        let _ = self.records.send(record);
    }

    /// Handles a message; the reason to end with, if it said so.
    fn handle(&mut self, msg: Msg, cx: &mut Context<Msg>) -> Option<ExitReason> {
        match msg {
            Msg::Do(job) => job(&mut Inside { cx, state: self }),
            Msg::Tell(n) => self.record(Record::Told(n)),
            Msg::Ask(n, reply) => reply.send(n + 1),
            Msg::Hold(reply) => self.held.push_back(reply),
            Msg::End(reason) => return Some(reason),
        }
        None
    }
}

/// A puppet seen from inside, while it runs a closure.
pub(crate) struct Inside<'a> {
    cx: &'a mut Context<Msg>,
    state: &'a mut State,
}

impl Inside<'_> {
    /// Owns a value until the puppet ends.
    pub(crate) fn keep(&mut self, value: impl Any + Send) {
        self.state.kept.push(Box::new(value));
    }

    /// How many requests it holds.
    pub(crate) fn holds(&self) -> usize {
        self.state.held.len()
    }

    /// The oldest request that it was told to hold.
    pub(crate) fn held(&mut self) -> Option<ReplyTo<u64>> {
        self.state.held.pop_front()
    }
}

impl Deref for Inside<'_> {
    type Target = Context<Msg>;

    fn deref(&self) -> &Context<Msg> {
        self.cx
    }
}

/// The puppet as a server.
struct Server(State);

impl GenServer for Server {
    type Args = mpsc::Sender<Record>;
    type Msg = Msg;

    fn init(records: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Server(State::new(records)))
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match self.0.handle(msg, cx) {
            Some(reason) => Next::Stop(reason),
            None => Next::Loop,
        }
    }

    fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<Msg> {
        self.0.record(match info {
            Info::Down(down) => Record::Down(down),
            Info::Exit(exit) => Record::Exit(exit),
            Info::Timeout => Record::Timeout,
        });
        Next::Loop
    }
}

/// The puppet as a closure.
fn closure(cx: &mut ThreadContext<Msg>, records: mpsc::Sender<Record>) {
    let mut state = State::new(records);
    loop {
        match cx.receive() {
            Received::Message(msg) => match state.handle(msg, cx) {
                None => {}
                Some(ExitReason::Normal) => return,
                Some(reason) => cx.exit(reason),
            },
            Received::Exit(exit) => state.record(Record::Exit(exit)),
            Received::Down(down) => state.record(Record::Down(down)),
        }
    }
}

/// How a puppet is related to the process that starts it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Alone,
    Linked,
    Monitored,
}

/// The hand that moves one puppet. Dropped, it has the puppet return.
pub(crate) struct Puppet {
    me: Ref<Msg>,
    records: mpsc::Receiver<Record>,
    breed: Breed,
}

impl Breed {
    /// The kind of process that it is.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Breed::Pooled => Kind::Pooled,
            Breed::Thread | Breed::ThreadServer => Kind::Thread,
        }
    }

    /// Starts a puppet.
    pub(crate) fn puppet(self) -> Puppet {
        self.start(Start::Alone).expect("a puppet starts").0
    }

    /// Starts a puppet under a name.
    pub(crate) fn named(self, name: &Name<Msg>) -> Puppet {
        let puppet = self.puppet();
        process::register(name, &puppet.me).expect("the name is free");
        puppet
    }

    /// Starts a puppet linked to the process that runs on this thread.
    pub(crate) fn linked(self) -> Puppet {
        self.start(Start::Linked).expect("a linked puppet starts").0
    }

    /// Starts a puppet monitored by the process that runs on this thread.
    pub(crate) fn monitored(self) -> (Puppet, MonitorRef) {
        let (puppet, monitor) = self.start(Start::Monitored).expect("a puppet starts");
        (puppet, monitor.expect("it is monitored"))
    }

    fn start(self, how: Start) -> Result<(Puppet, Option<MonitorRef>), StartError> {
        let (sender, records) = mpsc::channel();
        let (me, monitor) = if self == Breed::Thread {
            let main = move |cx: &mut ThreadContext<Msg>| closure(cx, sender);
            match how {
                Start::Alone => (process::try_spawn(main)?, None),
                Start::Linked => (process::spawn_link(main)?, None),
                Start::Monitored => {
                    let (me, monitor) = process::spawn_monitor(main)?;
                    (me, Some(monitor))
                }
            }
        } else {
            let spec = gen_server::spec::<Server>(sender);
            let spec = match self {
                Breed::Pooled => spec.pooled(),
                _ => spec.thread(),
            };
            match how {
                Start::Alone => (spec.start()?, None),
                Start::Linked => (spec.start_link()?, None),
                Start::Monitored => {
                    let (me, monitor) = spec.start_monitor()?;
                    (me, Some(monitor))
                }
            }
        };
        let puppet = Puppet {
            me,
            records,
            breed: self,
        };
        Ok((puppet, monitor))
    }
}

impl Puppet {
    pub(crate) fn pid(&self) -> Pid {
        self.me.pid()
    }

    pub(crate) fn me(&self) -> Ref<Msg> {
        self.me.clone()
    }

    pub(crate) fn breed(&self) -> Breed {
        self.breed
    }

    /// Has the puppet run a closure, and does not wait for it.
    pub(crate) fn order(&self, job: impl FnOnce(&mut Inside<'_>) + Send + 'static) {
        self.me.cast(Msg::Do(Box::new(job)));
    }

    /// Has the puppet run a closure; what came of it, or `None` if the puppet ended before it was through.
    pub(crate) fn attempt<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Inside<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, result) = mpsc::channel();
        self.order(move |inside| {
            let _ = sender.send(job(inside));
        });
        match result.recv_timeout(LONG) {
            Ok(value) => Some(value),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("{:?} did not run a closure within {LONG:?}", self.me)
            }
        }
    }

    /// Has the puppet run a closure, which has to come to its end.
    #[track_caller]
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Inside<'_>) -> T + Send + 'static,
    ) -> T {
        match self.attempt(job) {
            Some(value) => value,
            None => panic!("{:?} ended before its closure was through", self.me),
        }
    }

    /// Waits until the puppet has handled all that it was sent before.
    #[track_caller]
    pub(crate) fn sync(&self) {
        self.run(|_| ());
    }

    /// What the puppet received next.
    #[track_caller]
    pub(crate) fn next(&self) -> Record {
        match self.records.recv_timeout(LONG) {
            Ok(record) => record,
            Err(error) => panic!("{:?} received nothing more: {error}", self.me),
        }
    }

    /// What the puppet received next, if it comes so soon.
    pub(crate) fn next_within(&self, patience: Duration) -> Option<Record> {
        self.records.recv_timeout(patience).ok()
    }

    /// What the puppet received next has to be an exit.
    #[track_caller]
    pub(crate) fn next_exit(&self) -> (Pid, ExitReason) {
        match self.next() {
            Record::Exit(exit) => (exit.from, exit.reason),
            other => panic!("{:?} received {other:?}, not an exit", self.me),
        }
    }

    /// What the puppet received next has to be a down.
    #[track_caller]
    pub(crate) fn next_down(&self) -> Down {
        match self.next() {
            Record::Down(down) => down,
            other => panic!("{:?} received {other:?}, not a down", self.me),
        }
    }

    /// The puppet has handled all that it was sent, and received nothing that was not looked at.
    #[track_caller]
    pub(crate) fn nothing_more(&self) {
        self.sync();
        if let Ok(record) = self.records.try_recv() {
            panic!("{:?} received {record:?}", self.me);
        }
    }

    /// All that a puppet received before it ended.
    pub(crate) fn all(&self) -> Vec<Record> {
        let mut all = Vec::new();
        while let Ok(record) = self.records.recv_timeout(LONG) {
            all.push(record);
        }
        all
    }

    /// Has the puppet trap exits.
    pub(crate) fn traps(self) -> Self {
        self.run(|inside| inside.trap_exit(true));
        self
    }

    /// Waits until the puppet holds a request.
    #[track_caller]
    pub(crate) fn holds_one(&self) {
        eventually("the request is held", || {
            self.run(|inside| inside.holds() > 0)
        });
    }

    /// Has the puppet link itself to another.
    #[track_caller]
    pub(crate) fn links(&self, other: &Puppet) {
        let other = other.pid();
        self.run(move |inside| inside.link(other).expect("the other is alive"));
    }

    /// Has the puppet monitor another.
    #[track_caller]
    pub(crate) fn monitors(&self, other: &Puppet) -> MonitorRef {
        let other = other.pid();
        self.run(move |inside| inside.monitor(other))
    }

    /// Has the puppet start another that is linked to it.
    #[track_caller]
    pub(crate) fn child(&self, breed: Breed) -> Puppet {
        self.run(move |_| breed.linked())
    }

    /// Ends the puppet by a return (`Normal`) or by an exit of its own.
    pub(crate) fn end(&self, reason: ExitReason) {
        self.me.cast(Msg::End(reason));
    }

    /// Waits until the puppet has ended, without having told it to; why it did.
    #[track_caller]
    pub(crate) fn ended(&self, watch: &mut process::Watch) -> ExitReason {
        match watch.wait(LONG) {
            Some(down) => down.reason,
            None => panic!("{:?} did not end within {LONG:?}", self.me),
        }
    }

    /// Ends the puppet, and waits until it has.
    #[track_caller]
    pub(crate) fn end_and_wait(&self, reason: ExitReason) -> ExitReason {
        let mut watch = process::watch(self.pid());
        self.end(reason);
        self.ended(&mut watch)
    }

    /// Waits until the puppet has ended for whatever reason.
    #[track_caller]
    pub(crate) fn gone(&self) {
        eventually("the puppet has ended", || !self.me.is_alive());
    }

    /// Keeps the puppet's code running, outside the library, until the guard is dropped.
    #[track_caller]
    pub(crate) fn busy(&self) -> Busy {
        let (started, running) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        self.order(move |_| {
            let _ = started.send(());
            let _ = released.recv_timeout(LONG);
        });
        running.recv_timeout(LONG).expect("the puppet becomes busy");
        Busy { release }
    }

    /// Equals `true` while the puppet waits for its next entry.
    pub(crate) fn is_idle(&self) -> bool {
        process::info(self.pid()).is_some_and(|info| {
            info.status == process::Status::Waiting && info.message_queue_len == 0
        })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.me.is_alive()
    }

    /// A snapshot of the puppet.
    #[track_caller]
    pub(crate) fn info(&self) -> process::Info {
        process::info(self.pid()).expect("the puppet is alive")
    }
}

/// Keeps a puppet busy; dropped, it lets it go on.
#[must_use = "the puppet is busy until the guard is dropped"]
pub(crate) struct Busy {
    release: mpsc::Sender<()>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.release.send(());
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        // A puppet that has ended hears nothing of it.
        let _ = self.me.try_cast(Msg::End(ExitReason::Normal));
    }
}

/// Sending by what the message means.
pub(crate) trait Tell {
    fn tell(&self, n: u64);
}

impl Tell for Ref<Msg> {
    fn tell(&self, n: u64) {
        self.cast(Msg::Tell(n));
    }
}

/// Waits until every puppet has handled what it was sent.
#[track_caller]
pub(crate) fn all_sync(puppets: &[&Puppet]) {
    for puppet in puppets {
        puppet.sync();
    }
}

/// A timeout that is over before anything else can happen.
pub(crate) const AT_ONCE: Duration = Duration::ZERO;
