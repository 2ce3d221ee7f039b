//! A child that does what a script says, and writes down what happens to it.

use crate::stage::{LONG, eventually};
use crate::support::record;
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::supervisor::{self, ChildInfo, ChildState, ServerChild};
use perennial::time::{Clock, ManualClock};
use perennial::{ExitReason, Pid, Runtime};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of one start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Up,
    Ignore,
    Fail,
    Panic,
    /// Waits in `init` until it is killed.
    Hang,
    /// Waits in `init` until its door is opened for it.
    Wait,
    /// As `Wait`, and then fails.
    WaitFail,
}

/// How a child takes the signal to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It ends by the signal.
    #[default]
    Plain,
    /// It traps exits, and ends after `terminate`.
    Traps,
    /// As `Traps`, but its `terminate` waits for ever.
    Stubborn,
    /// It unlinks itself from its supervisor at the start.
    Unlinks,
    /// As `Traps`, but its `terminate` ends with a reason of its own.
    Fails,
}

/// What all children of one case have in common: the record, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// What was written since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// One child's part.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    id: &'static str,
    log: Log,
    /// What becomes of the next starts; then all are `Up`.
    starts: Arc<Mutex<VecDeque<Start>>>,
    manner: Manner,
    door: Option<Ref<DoorMsg>>,
}

/// Where children wait in their `init` until somebody opens for them.
#[derive(Default)]
pub(crate) struct Door {
    open: Vec<&'static str>,
    waiting: Vec<(&'static str, ReplyTo<()>)>,
}

pub(crate) enum DoorMsg {
    Wait(&'static str, ReplyTo<()>),
    Open(&'static str),
}

impl GenServer for Door {
    type Args = ();
    type Msg = DoorMsg;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Door::default())
    }

    fn handle(&mut self, msg: DoorMsg, _: &mut Cx<Self>) -> Next<DoorMsg> {
        match msg {
            DoorMsg::Wait(id, reply) if self.open.contains(&id) => reply.send(()),
            DoorMsg::Wait(id, reply) => self.waiting.push((id, reply)),
            DoorMsg::Open(id) => {
                self.open.push(id);
                while let Some(at) = self.waiting.iter().position(|(who, _)| *who == id) {
                    self.waiting.swap_remove(at).1.send(());
                }
            }
        }
        Next::Loop
    }
}

impl Log {
    pub(crate) fn script(&self, id: &'static str) -> Script {
        Script {
            id,
            log: self.clone(),
            starts: Arc::default(),
            manner: Manner::default(),
            door: None,
        }
    }

    pub(crate) fn child(&self, id: &'static str) -> ServerChild<Actor> {
        self.script(id).child()
    }
}

impl Script {
    pub(crate) fn starts(self, starts: impl IntoIterator<Item = Start>) -> Self {
        self.next(starts);
        self
    }

    /// From now on.
    pub(crate) fn next(&self, starts: impl IntoIterator<Item = Start>) {
        *self.starts.lock().unwrap() = starts.into_iter().collect();
    }

    pub(crate) fn manner(self, manner: Manner) -> Self {
        Script { manner, ..self }
    }

    /// Where it waits if it is told to.
    pub(crate) fn door(self, door: &Ref<DoorMsg>) -> Self {
        let door = Some(door.clone());
        Script { door, ..self }
    }

    pub(crate) fn child(&self) -> ServerChild<Actor> {
        Child::server::<Actor>(self.id, self.clone())
    }
}

pub(crate) enum ActorMsg {
    Stop(ExitReason),
    /// Answered when its `init` is through.
    Ping(ReplyTo<()>),
}

pub(crate) struct Actor(Script);

impl GenServer for Actor {
    type Args = Script;
    type Msg = ActorMsg;

    fn init(script: Script, cx: &mut Cx<Self>) -> Init<Self> {
        cx.set_label(script.id);
        match script.manner {
            Manner::Plain => {}
            Manner::Traps | Manner::Stubborn | Manner::Fails => drop(cx.trap_exit(true)),
            Manner::Unlinks => cx.unlink(cx.parent()),
        }
        let start = script
            .starts
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Start::Up);
        script.log.write(format!("{} {start:?}", script.id));
        match start {
            Start::Up => Init::Ok(Actor(script)),
            Start::Ignore => Init::Ignore,
            Start::Fail => Init::Stop(ExitReason::other("no")),
            Start::Panic => panic!("no"),
            Start::Wait | Start::WaitFail => {
                let door = script.door.clone().expect("whoever waits has a door");
                door.call_for(LONG, |reply| DoorMsg::Wait(script.id, reply))
                    .expect("the door is opened");
                if start == Start::WaitFail {
                    return Init::Stop(ExitReason::other("no"));
                }
                Init::Ok(Actor(script))
            }
            Start::Hang => {
                process::sleep(Duration::MAX);
                process::sleep(10 * LONG);
                Init::Ok(Actor(script))
            }
        }
    }

    fn handle(&mut self, msg: ActorMsg, _: &mut Cx<Self>) -> Next<ActorMsg> {
        match msg {
            ActorMsg::Stop(reason) => Next::Stop(reason),
            ActorMsg::Ping(reply) => {
                reply.send(());
                Next::Loop
            }
        }
    }

    fn terminate(&mut self, reason: &ExitReason, _: &mut Cx<Self>) {
        self.0.log.write(format!("{} ends: {reason}", self.0.id));
        match self.0.manner {
            Manner::Stubborn => process::sleep(10 * LONG),
            Manner::Fails => process::exit_self(ExitReason::other("untidy")).unwrap(),
            Manner::Plain | Manner::Traps | Manner::Unlinks => {}
        }
    }
}

/// A supervisor under test.
pub(crate) struct Tree {
    pub(crate) sup: Ref<supervisor::Msg>,
}

impl Tree {
    pub(crate) fn of(supervisor: Supervisor) -> Tree {
        Tree {
            sup: supervisor.start().expect("the supervisor starts"),
        }
    }

    /// The states of the children, in start order. Answered when nothing is under way.
    pub(crate) fn states(&self) -> Vec<ChildState> {
        let mut all = supervisor::which_children(&self.sup).expect("the supervisor lives");
        all.reverse();
        all.iter().map(|info: &ChildInfo| info.state).collect()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let mut all = supervisor::which_children(&self.sup).expect("the supervisor lives");
        all.reverse();
        all.iter()
            .map(|info| info.id.as_deref().unwrap_or("").to_owned())
            .collect()
    }

    pub(crate) fn pid(&self, at: usize) -> Pid {
        match self.states()[at] {
            ChildState::Running(pid) => pid,
            other => panic!("child {at} is {other:?}"),
        }
    }

    pub(crate) fn stop(self) {
        supervisor::stop(&self.sup).expect("the supervisor stops");
    }
}

/// Ends a child from outside and waits for that.
pub(crate) fn end(pid: Pid, reason: ExitReason) {
    let mut watch = process::watch(pid);
    process::exit(pid, reason);
    watch.wait(LONG).expect("it ends");
}

pub(crate) fn crash() -> ExitReason {
    ExitReason::other("crash")
}

/// Plays a case with children of both kinds in runtimes whose time is moved by hand.
pub(crate) fn by_hand(case: impl Fn(&ManualClock)) {
    for kind in [Kind::Pooled, Kind::Thread] {
        let _play = record::play(&[kind]);
        let (clock, hand) = Clock::manual();
        let builder = Runtime::builder().workers(2).default_kind(kind);
        let runtime = builder.clock(clock).build().unwrap();
        let entered = runtime.enter();
        case(&hand);
        eventually("all processes have ended", || {
            runtime.counts().processes == 0
        });
        drop(entered);
        let report = runtime.shutdown(LONG);
        assert_eq!(report.zombies, 0, "{kind:?}: {report:?}");
    }
}

/// Plays a case with children of both kinds, each in a runtime that is empty and without zombies at the end.
pub(crate) fn on_both_kinds(case: impl Fn()) {
    for kind in [Kind::Pooled, Kind::Thread] {
        let _play = record::play(&[kind]);
        let runtime = Runtime::builder()
            .workers(2)
            .default_kind(kind)
            .build()
            .unwrap();
        let entered = runtime.enter();
        case();
        eventually("all processes have ended", || {
            runtime.counts().processes == 0
        });
        drop(entered);
        let report = runtime.shutdown(LONG);
        assert_eq!(report.zombies, 0, "{kind:?}: {report:?}");
    }
}
