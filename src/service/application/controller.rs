//! **Process**: one per runtime, on a thread of its own, started when an application is first spoken of. Has no
//! parent; linked to the masters of the applications that run, and traps exits. Dies with the runtime, which asks
//! it first: then the applications stop in reverse start order.
//!
//! It never waits for an application: what masters have to say comes as messages.

use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next, Server, init_fn, options};
use crate::behaviour::supervisor;
use crate::pid::{Pid, TimerRef};
use crate::process::core::flag;
use crate::process::start::{self, Options};
use crate::process::{self, CallError, Dest, Kind, Name, Ref, ReplyTo, StartError};
use crate::reason::ExitReason;
use crate::service::application::ending::{self, Halted, Why};
use crate::service::application::env::{self, Place};
use crate::service::application::error::{LoadError, StartApplicationError, StopError};
use crate::service::application::master::{self, Order, Parts};
use crate::service::application::plan::{self, Fault, Needs};
use crate::service::application::spec::{Application, Mode, Spec};
use crate::sync::Arc;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// OTP's name for it.
static CONTROLLER: Name<Msg> = Name::new("application_controller");

/// The top supervisor of an application, as whoever starts it gets it.
pub(super) type Top = Ref<supervisor::Msg>;

pub(super) type StartReply = ReplyTo<Result<Top, StartApplicationError>>;

/// What the controller is sent.
#[derive(Debug)]
pub(super) enum Msg {
    Load(Box<Application>, ReplyTo<Result<(), LoadError>>),
    Unload(Arc<str>, ReplyTo<Result<(), LoadError>>),
    Plan(Arc<str>, ReplyTo<Result<Vec<Arc<str>>, Fault>>),
    Start(Arc<str>, StartReply),
    Stop(Arc<str>, ReplyTo<Result<(), StopError>>),
    Which(ReplyTo<Vec<Arc<str>>>),
    Loaded(ReplyTo<Vec<Arc<str>>>),
    Spec(Arc<str>, ReplyTo<Option<Spec>>),
    /// To which application the group of this leader belongs.
    Of(Pid, ReplyTo<Option<Arc<str>>>),
    /// The masters of those that run and want to hear of changes of their environment, in start order.
    Configured(ReplyTo<Vec<(Arc<str>, Ref<Order>)>>),
    Halt(Why, Duration),
    Wait(ReplyTo<Halted>),
    /// A master's tree is up.
    Up(Pid, Top),
    /// A master's tree did not start; the master is about to end.
    Failed(Pid, StartApplicationError),
    /// A master's tree has ended; the master is about to.
    Ended(Pid, ExitReason),
    /// The time to halt in order is over.
    Overdue,
}

/// The controller of this runtime, started if it is not there.
pub(super) fn controller() -> Result<Ref<Msg>, CallError> {
    loop {
        if let Some(controller) = CONTROLLER.whereis() {
            return Ok(controller);
        }
        let options = Options {
            kind: Some(Kind::Thread),
            name: Some(CONTROLLER.as_str().into()),
            flags: flag::SUPERVISOR,
            orphan: true,
            ..options::<Controller>()
        };
        match start::start::<Server<Controller>>(&options, init_fn::<Controller>(())) {
            Ok(started) => return Ok(started.reference),
            // Somebody else was quicker, and has not ended since, or this is tried again.
            Err(StartError::AlreadyStarted(_)) => {}
            Err(error) => {
                log::error!(target: "perennial::application", "starting the controller: {error}");
                return Err(CallError::NoProc);
            }
        }
    }
}

#[derive(Default)]
pub(super) struct Controller {
    applications: BTreeMap<Arc<str>, Loaded>,
    /// Whose master a process is.
    masters: HashMap<Pid, Arc<str>>,
    /// Counts starts, so that they can be undone in reverse.
    starts: u64,
    halting: Option<Halting>,
    waiters: Vec<ReplyTo<Halted>>,
}

struct Loaded {
    parts: Parts,
    mode: Mode,
    needs: Needs,
    /// What it gave a default to.
    defaults: Vec<Place>,
    status: Status,
}

impl Loaded {
    fn running(&self) -> Option<&Running> {
        match &self.status {
            Status::Running(running) | Status::Stopping { running, .. } => Some(running),
            Status::Idle | Status::Starting { .. } => None,
        }
    }
}

enum Status {
    Idle,
    Starting {
        master: Ref<Order>,
        waiters: Vec<StartReply>,
        failed: Option<StartApplicationError>,
    },
    Running(Running),
    Stopping {
        running: Running,
        waiters: Vec<ReplyTo<Result<(), StopError>>>,
    },
}

struct Running {
    master: Ref<Order>,
    top: Top,
    /// Which start it was.
    start: u64,
    ended: Option<ExitReason>,
}

struct Halting {
    why: Why,
    timer: Option<TimerRef>,
    /// The process that runs the shutdown function; nothing is stopped before it has ended.
    function: Option<Pid>,
    /// Equals `true` once nothing runs any more.
    done: Option<Halted>,
}

impl GenServer for Controller {
    type Args = ();
    type Msg = Msg;

    const TRAP_EXIT: bool = true;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Controller::default())
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Load(application, reply) => reply.send(self.load(*application)),
            Msg::Unload(name, reply) => reply.send(self.unload(&name)),
            Msg::Plan(name, reply) => reply.send(plan::order(&name, &|name| {
                Some(self.applications.get(name)?.needs.clone())
            })),
            Msg::Start(name, reply) => self.start(&name, reply, cx),
            Msg::Stop(name, reply) => self.stop(&name, reply),
            Msg::Which(reply) => reply.send(self.which()),
            Msg::Loaded(reply) => reply.send(self.applications.keys().cloned().collect()),
            Msg::Spec(name, reply) => reply.send(self.spec(&name)),
            Msg::Of(leader, reply) => reply.send(self.masters.get(&leader).cloned()),
            Msg::Configured(reply) => reply.send(self.configured()),
            Msg::Halt(why, deadline) => self.halt(why, deadline, cx),
            Msg::Wait(reply) => match self.halting.as_ref().and_then(|it| it.done.clone()) {
                Some(halted) => reply.send(halted),
                None => self.waiters.push(reply),
            },
            Msg::Up(master, top) => self.up(master, top),
            Msg::Failed(master, error) => self.failed(master, error),
            Msg::Ended(master, reason) => self.ended(master, reason),
            Msg::Overdue => self.overdue(),
        }
        self.stop_next();
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<Msg> {
        match info {
            Info::Exit(exit) => {
                if let Some(name) = self.masters.remove(&exit.from) {
                    self.master_gone(&name, exit.reason, cx);
                }
            }
            Info::Down(down) => {
                if let Some(halting) = &mut self.halting
                    && halting.function == Some(down.pid)
                {
                    halting.function = None;
                }
            }
            Info::Timeout => {}
        }
        self.stop_next();
        Next::Loop
    }

    /// The runtime stops: so do the applications, one after the other.
    fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
        if self.halting.is_none() {
            ending::run_shutdown_function(&Why::Asked);
        }
        while let Some(running) = self.last_running() {
            running.master.cast(Order::Stop);
            process::watch(&running.master).wait(Duration::MAX);
        }
        let halted = Halted {
            why: Why::Asked,
            forced: false,
        };
        for waiter in self.waiters.drain(..) {
            waiter.send(halted.clone());
        }
    }
}

impl Controller {
    fn load(&mut self, application: Application) -> Result<(), LoadError> {
        if self.applications.contains_key(&application.name) {
            return Err(LoadError::AlreadyLoaded);
        }
        let loaded = Loaded {
            parts: Parts::of(&application),
            mode: application.mode,
            needs: application.needs,
            defaults: application.defaults.iter().map(|it| it.0).collect(),
            status: Status::Idle,
        };
        for (place, default) in application.defaults {
            env::set_default(place, default);
        }
        self.applications.insert(application.name, loaded);
        Ok(())
    }

    fn unload(&mut self, name: &str) -> Result<(), LoadError> {
        match self.applications.get(name).map(|loaded| &loaded.status) {
            None => Err(LoadError::NotLoaded),
            Some(Status::Idle) => {
                let unloaded = self.applications.remove(name);
                for place in unloaded.into_iter().flat_map(|it| it.defaults) {
                    env::forget_default(place);
                }
                Ok(())
            }
            Some(_) => Err(LoadError::Running),
        }
    }

    fn start(&mut self, name: &Arc<str>, reply: StartReply, cx: &Cx<Self>) {
        if let Err(error) = self.may_start(name) {
            return reply.send(Err(error));
        }
        let Some(loaded) = self.applications.get_mut(name) else {
            return;
        };
        if let Status::Starting { waiters, .. } = &mut loaded.status {
            return waiters.push(reply);
        }
        let (parts, controller) = (loaded.parts.clone(), cx.me().clone());
        match process::spawn_leader(move |cx| master::run(cx, &controller, &parts)) {
            Ok(master) => {
                self.masters.insert(master.pid(), name.clone());
                loaded.status = Status::Starting {
                    master,
                    waiters: vec![reply],
                    failed: None,
                };
            }
            Err(error) => {
                let reason = ExitReason::other(error);
                reply.send(Err(StartApplicationError::Failed(reason)));
            }
        }
    }

    fn may_start(&self, name: &Arc<str>) -> Result<(), StartApplicationError> {
        let Some(loaded) = self.applications.get(name) else {
            return Err(StartApplicationError::NotLoaded(name.clone()));
        };
        match &loaded.status {
            Status::Running(_) => return Err(StartApplicationError::AlreadyStarted),
            Status::Stopping { .. } => return Err(StartApplicationError::Stopping),
            Status::Starting { .. } => return Ok(()),
            Status::Idle => {}
        }
        if self.halting.is_some() {
            return Err(StartApplicationError::Stopping);
        }
        let runs = |name: &Arc<str>| {
            let loaded = self.applications.get(name);
            loaded.is_some_and(|loaded| matches!(loaded.status, Status::Running(_)))
        };
        match loaded.needs.required.iter().find(|name| !runs(name)) {
            Some(missing) => Err(StartApplicationError::NotStarted(missing.clone())),
            None => Ok(()),
        }
    }

    fn stop(&mut self, name: &str, reply: ReplyTo<Result<(), StopError>>) {
        let Some(loaded) = self.applications.get_mut(name) else {
            return reply.send(Err(StopError::NotStarted));
        };
        match std::mem::replace(&mut loaded.status, Status::Idle) {
            Status::Running(running) => {
                running.master.cast(Order::Stop);
                let waiters = vec![reply];
                loaded.status = Status::Stopping { running, waiters };
            }
            Status::Stopping {
                running,
                mut waiters,
            } => {
                waiters.push(reply);
                loaded.status = Status::Stopping { running, waiters };
            }
            other => {
                loaded.status = other;
                reply.send(Err(StopError::NotStarted));
            }
        }
    }

    /// The applications that run, in the order of their starts.
    fn which(&self) -> Vec<Arc<str>> {
        let running = self.applications.iter();
        let running =
            running.filter_map(|(name, loaded)| Some((loaded.running()?.start, name.clone())));
        let mut running: Vec<(u64, Arc<str>)> = running.collect();
        running.sort();
        running.into_iter().map(|(_, name)| name).collect()
    }

    fn spec(&self, name: &str) -> Option<Spec> {
        let loaded = self.applications.get(name)?;
        Some(Spec {
            name: loaded.parts.name.clone(),
            mode: loaded.mode,
            needs: loaded.needs.required.clone(),
            needs_if_loaded: loaded.needs.optional.clone(),
            start_phases: loaded.parts.phases(),
            master: loaded.running().map(|running| running.master.pid()),
        })
    }

    fn configured(&self) -> Vec<(Arc<str>, Ref<Order>)> {
        let running = self.which().into_iter();
        let running = running.filter_map(|name| {
            let loaded = self.applications.get(&name)?;
            let wants = loaded.parts.wants_config_changes();
            wants.then_some((name, loaded.running()?.master.clone()))
        });
        running.collect()
    }

    // ## What masters say

    fn of(&mut self, master: Pid) -> Option<&mut Loaded> {
        self.applications.get_mut(self.masters.get(&master)?)
    }

    fn up(&mut self, master: Pid, top: Top) {
        self.starts += 1;
        let start = self.starts;
        let Some(loaded) = self.of(master) else {
            return;
        };
        match std::mem::replace(&mut loaded.status, Status::Idle) {
            Status::Starting {
                master, waiters, ..
            } => {
                log::info!(target: "perennial::application", "{} runs", loaded.parts.name);
                for waiter in waiters {
                    waiter.send(Ok(top.clone()));
                }
                loaded.status = Status::Running(Running {
                    master,
                    top,
                    start,
                    ended: None,
                });
            }
            other => loaded.status = other,
        }
    }

    fn failed(&mut self, master: Pid, error: StartApplicationError) {
        if let Some(loaded) = self.of(master)
            && let Status::Starting { failed, .. } = &mut loaded.status
        {
            *failed = Some(error);
        }
    }

    fn ended(&mut self, master: Pid, reason: ExitReason) {
        if let Some(loaded) = self.of(master)
            && let Status::Running(running) | Status::Stopping { running, .. } = &mut loaded.status
        {
            running.ended = Some(reason);
        }
    }

    /// A master has ended, and so has its tree unless the master was killed.
    fn master_gone(&mut self, name: &Arc<str>, reason: ExitReason, cx: &Cx<Self>) {
        let Some(loaded) = self.applications.get_mut(name) else {
            return;
        };
        match std::mem::replace(&mut loaded.status, Status::Idle) {
            Status::Idle => {}
            Status::Starting {
                waiters, failed, ..
            } => {
                let error = failed.unwrap_or(StartApplicationError::Failed(reason));
                log::error!(target: "perennial::application", "{name} did not start: {error}");
                for waiter in waiters {
                    waiter.send(Err(error.clone()));
                }
                let normal = StartApplicationError::Failed(ExitReason::Normal);
                if loaded.mode.ends_all(error == normal) {
                    log::error!(target: "perennial::application", "all end with {name}");
                    self.halt(
                        Why::NotStarted(name.clone(), error),
                        ending::shutdown_timeout(),
                        cx,
                    );
                }
            }
            Status::Stopping { waiters, .. } => {
                log::info!(target: "perennial::application", "{name} is stopped");
                for waiter in waiters {
                    waiter.send(Ok(()));
                }
            }
            Status::Running(running) => {
                let reason = running.ended.unwrap_or(reason);
                if loaded.mode.ends_all(reason == ExitReason::Normal) {
                    log::error!(target: "perennial::application", "{name} ended, and all with it: {reason}");
                    self.halt(
                        Why::Ended(name.clone(), reason),
                        ending::shutdown_timeout(),
                        cx,
                    );
                } else {
                    log::info!(target: "perennial::application", "{name} ended: {reason}");
                }
            }
        }
    }

    // ## The end of all

    fn halt(&mut self, why: Why, deadline: Duration, cx: &Cx<Self>) {
        if self.halting.is_some() {
            return;
        }
        let timer = (deadline != Duration::MAX).then(|| cx.send_after(deadline, Msg::Overdue));
        let function = ending::spawn_shutdown_function(&why);
        self.halting = Some(Halting {
            why,
            timer,
            function,
            done: None,
        });
    }

    /// While all are being stopped: tells the next to stop, the last that was started first, once nobody is on its
    /// way up or down.
    fn stop_next(&mut self) {
        let halts = |it: &Halting| it.done.is_none() && it.function.is_none();
        if !self.halting.as_ref().is_some_and(halts) {
            return;
        }
        let on_its_way = |loaded: &Loaded| {
            matches!(
                loaded.status,
                Status::Starting { .. } | Status::Stopping { .. }
            )
        };
        if self.applications.values().any(on_its_way) {
            return;
        }
        let last = self.which().pop();
        match last.and_then(|name| self.applications.get_mut(&name)) {
            None => self.halted(false),
            Some(loaded) => {
                if let Status::Running(running) =
                    std::mem::replace(&mut loaded.status, Status::Idle)
                {
                    running.master.cast(Order::Stop);
                    let waiters = Vec::new();
                    loaded.status = Status::Stopping { running, waiters };
                }
            }
        }
    }

    /// Kills what has not stopped in time. A supervisor that is killed takes its children along.
    fn overdue(&mut self) {
        if !matches!(&self.halting, Some(Halting { done: None, .. })) {
            return;
        }
        if let Some(function) = self.halting.as_ref().and_then(|it| it.function) {
            log::error!(target: "perennial::application", "the shutdown function did not end in time: killed");
            process::exit(function, ExitReason::Kill);
        }
        for loaded in self.applications.values() {
            let (master, top) = match &loaded.status {
                Status::Idle => continue,
                Status::Starting { master, .. } => (master, None),
                Status::Running(running) | Status::Stopping { running, .. } => {
                    (&running.master, Some(&running.top))
                }
            };
            log::error!(target: "perennial::application", "{} did not stop in time: killed", loaded.parts.name);
            process::exit(master, ExitReason::Kill);
            if let Some(top) = top {
                process::exit(top, ExitReason::Kill);
            }
            master::kill_group(master.pid());
        }
        self.halted(true);
    }

    fn halted(&mut self, forced: bool) {
        let Some(halting) = &mut self.halting else {
            return;
        };
        let halted = Halted {
            why: halting.why.clone(),
            forced,
        };
        halting.done = Some(halted.clone());
        if let Some(timer) = halting.timer.take() {
            process::cancel_timer(timer);
        }
        for waiter in self.waiters.drain(..) {
            waiter.send(halted.clone());
        }
    }

    /// Takes out the application that was started last.
    fn last_running(&mut self) -> Option<Running> {
        let name = self.which().pop()?;
        let loaded = self.applications.get_mut(&name)?;
        match std::mem::replace(&mut loaded.status, Status::Idle) {
            Status::Running(running) | Status::Stopping { running, .. } => Some(running),
            _ => None,
        }
    }
}
