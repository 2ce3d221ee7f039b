//! Process: one per supervisor, pooled. Started by whoever starts the supervisor, linked to it if asked; linked to
//! each child. Traps exits. Dies when its parent does, on `stop`, when restarts come too fast, or when its
//! significant children are through; its children first, in reverse order.
//!
//! Entries (requests, exits, acknowledgements, timers) only change what is remembered; `advance` then does what
//! can be done, until a step has to wait.

use crate::behaviour::gen_server::StopRequest;
use crate::behaviour::supervisor::api::{Msg, Request};
use crate::behaviour::supervisor::board::{Board, Rule};
use crate::behaviour::supervisor::child::Child;
use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::job::{Job, Key, Purpose, Step};
use crate::behaviour::supervisor::patience::Patience;
use crate::behaviour::supervisor::restart::{AutoShutdown, Intensity, Restart, Strategy};
use crate::behaviour::supervisor::siblings::Siblings;
use crate::behaviour::supervisor::slot::{Event, Status};
use crate::behaviour::supervisor::{Supervisor, SupervisorError};
use crate::pid::Pid;
use crate::process::behaviour::{Behaviour, Flow, InitEnd, InitFn};
use crate::process::core::Initial;
use crate::process::core::flag;
use crate::process::start::{Options, Starter};
use crate::process::{Context, Down, Exit, Kind, StartError};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Something that ended or became due, and has not been looked at yet.
pub(super) enum Pending {
    Death(Key),
    Due(Key, u32),
}

pub(super) struct Machine {
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) children: Siblings,
    pub(super) board: Arc<Board>,
    pub(super) patience: Patience,
    pub(super) job: Option<Job>,
    requests: VecDeque<Request>,
    pending: VecDeque<Pending>,
    /// Who waits until it is up.
    pub(super) starter: Option<Starter>,
    /// Why it is to end, once it is.
    ending: Option<ExitReason>,
    /// What it was about when it was told to end. Whoever waits for that hears of the end.
    interrupted: Option<Job>,
}

/// How a supervisor is started.
pub(super) fn launch(supervisor: Supervisor) -> (Options, InitFn<Machine>) {
    let options = Options {
        kind: Some(Kind::Pooled),
        name: supervisor.name.clone(),
        via: supervisor.via.clone(),
        label: supervisor.label.clone(),
        flags: flag::SUPERVISOR | flag::TRAP_EXIT,
        asynchronous: true,
        initial: Initial(|| "supervisor"),
        ..Options::default()
    };
    (
        options,
        Box::new(move |cx| Machine::new(supervisor, cx).map(|machine| (machine, Flow::Continue))),
    )
}

impl Machine {
    fn new(supervisor: Supervisor, cx: &SupCx) -> Result<Self, InitEnd> {
        let (restarts, period) = supervisor.intensity;
        let rule = Rule::Fixed(supervisor.strategy);
        let board = Board::put_up(&cx.me().process(), rule, supervisor.routes);
        let mut machine = Machine {
            strategy: supervisor.strategy,
            intensity: Intensity::new(restarts, period),
            auto_shutdown: supervisor.auto_shutdown,
            children: Siblings::default(),
            board,
            patience: Patience::default(),
            job: None,
            requests: VecDeque::new(),
            pending: VecDeque::new(),
            starter: None,
            ending: None,
            interrupted: None,
        };
        for child in supervisor.children {
            let id = child.spec.id.clone();
            if machine.children.by_id(&id).is_some() {
                let error = SupervisorError::DuplicateChild(id);
                return Err(InitEnd::Stop(ExitReason::shutdown_with(error)));
            }
            if !machine.admits(&child) {
                let error = SupervisorError::BadCombination(id);
                return Err(InitEnd::Stop(ExitReason::shutdown_with(error)));
            }
            machine.add(child);
        }
        let children = machine.children.in_order().into_iter();
        let steps = children.map(|slot| Step::Start(slot.key));
        machine.job = Some(Job::new(Purpose::Boot, steps));
        Ok(machine)
    }

    pub(super) fn admits(&self, child: &Child) -> bool {
        let spec = &child.spec;
        !spec.significant
            || (self.auto_shutdown != AutoShutdown::Never && spec.restart != Restart::Permanent)
    }

    pub(super) fn add(&mut self, child: Child) -> Key {
        self.children.add(&self.board, child)
    }

    // ## What is remembered

    pub(super) fn child_ended(&mut self, exit: Exit) {
        let Some(slot) = self.children.by_pid(exit.from) else {
            return;
        };
        match slot.status() {
            Status::Running(pid) => {
                let due = slot.child.spec.is_due(&exit.reason);
                slot.becomes(Status::Dead { due });
                slot.last = Some(pid);
                slot.tell(What::Exited(pid, exit.reason));
                self.pending.push_back(Pending::Death(slot.key));
                self.children.forget_pid(pid);
            }
            // It will say itself that it is gone, even if it had unlinked itself; this says why.
            Status::Stopping(_) => slot.has_died(exit.reason),
            // Its acknowledgement says whether it was up before.
            Status::Starting(_) => slot.has_died(exit.reason),
            Status::Undefined | Status::Dead { .. } | Status::Restarting(_) => {}
        }
    }

    fn child_stopped(&mut self, pid: Pid, reason: ExitReason) {
        let Some(slot) = self.children.by_pid(pid) else {
            return;
        };
        if slot.status() != Status::Stopping(pid) {
            return;
        }
        self.patience.ends();
        let reason = match (reason, slot.take_died()) {
            (ExitReason::NoProc, Some(reason)) => reason,
            (reason, _) => reason,
        };
        slot.becomes(Status::Undefined);
        slot.last = Some(pid);
        let key = slot.key;
        slot.tell(What::Stopped(pid, reason));
        self.children.forget_pid(pid);
        self.step_done(key);
        self.forget_temporary(key);
    }

    /// A start is through. What came of it counts when its step is due: children that are started in parallel are
    /// acknowledged in order, and what is being stopped before that is no child that failed.
    fn acked(&mut self, cx: &SupCx, pid: Pid, result: Result<(), StartError>) {
        let due = self.job.as_ref().and_then(|job| job.waits_for);
        let Some(slot) = self.children.by_pid(pid) else {
            return;
        };
        if !matches!(slot.status(), Status::Starting(_)) {
            return;
        }
        let key = slot.key;
        if due == Some(key) {
            self.settle(cx, key, result);
        } else {
            slot.acked = Some(Box::new(result));
        }
    }

    pub(super) fn step_done(&mut self, key: Key) {
        if let Some(job) = &mut self.job
            && job.waits_for == Some(key)
        {
            job.waits_for = None;
        }
    }

    pub(super) fn shut_down(&mut self, reason: ExitReason) {
        self.ending.get_or_insert(reason);
    }

    // ## What is done: see `steps` for each

    /// Does what can be done, until a step waits for a child or nothing is left.
    fn advance(&mut self, cx: &mut SupCx) -> Flow {
        let flow = self.take_steps(cx);
        self.patience.rests();
        flow
    }

    fn take_steps(&mut self, cx: &mut SupCx) -> Flow {
        loop {
            self.begin_shutdown(cx);
            let Some(job) = &mut self.job else {
                if let Some(pending) = self.pending.pop_front() {
                    self.look_at(cx, pending);
                } else if let Some(request) = self.requests.pop_front() {
                    self.serve(request);
                } else {
                    return Flow::Loop;
                }
                continue;
            };
            if job.waits_for.is_some() {
                return Flow::Loop;
            }
            match job.steps.pop_front() {
                Some(Step::Start(key)) => self.begin_start(cx, key),
                Some(Step::Stop(key)) => self.begin_stop(cx, key),
                None => {
                    let Some(job) = self.job.take() else { continue };
                    if let Some(reason) = self.finish(cx, job.purpose) {
                        return Flow::Stop(reason);
                    }
                }
            }
        }
    }

    /// An end that was asked for comes before whatever is under way.
    fn begin_shutdown(&mut self, cx: &SupCx) {
        if self.job.as_ref().is_some_and(Job::is_shutdown) {
            return;
        }
        let Some(reason) = self.ending.take() else {
            return;
        };
        for slot in self.children.iter_mut() {
            slot.forget_timer();
        }
        let children = self.children.in_order().into_iter().rev();
        let steps = children.map(|slot| Step::Stop(slot.key));
        let shutdown = Job::new(Purpose::Shutdown(reason), steps);
        self.interrupted = self.job.replace(shutdown);
        log::debug!(target: "perennial::supervisor", "{} stops its children", cx.pid());
    }
}

impl Behaviour for Machine {
    type Msg = Msg;
    type Cx = SupCx;

    fn context(context: Context<Msg>) -> SupCx {
        SupCx(context)
    }

    const UP_LATER: bool = true;

    fn keep_starter(&mut self, starter: Option<Starter>) {
        self.starter = starter;
    }

    fn started(&mut self, child: Pid, result: Result<(), StartError>, cx: &mut SupCx) -> Flow {
        self.acked(cx, child, result);
        self.advance(cx)
    }

    fn message(&mut self, Msg(request): Msg, cx: &mut SupCx) -> Flow {
        self.requests.push_back(request);
        self.advance(cx)
    }

    fn exit(&mut self, exit: Exit, cx: &mut SupCx) -> Flow {
        if exit.from == cx.parent() {
            self.shut_down(exit.reason);
        } else {
            self.child_ended(exit);
        }
        self.advance(cx)
    }

    fn down(&mut self, _down: Down, _cx: &mut SupCx) -> Flow {
        Flow::Loop
    }

    fn stopped(&mut self, child: Pid, reason: ExitReason, cx: &mut SupCx) -> Flow {
        self.child_stopped(child, reason);
        self.advance(cx)
    }

    fn resume(&mut self, value: Box<dyn Any + Send>, cx: &mut SupCx) -> Flow {
        match value.downcast::<Event>().map(|event| *event) {
            Ok(Event::Overdue) => {
                for pid in self.patience.overdue(cx.me(), cx.now()) {
                    let slot = self.children.by_pid(pid);
                    if slot.is_some_and(|slot| slot.status() == Status::Stopping(pid)) {
                        crate::process::exit(pid, ExitReason::Kill);
                    }
                }
            }
            Ok(Event::Due(key, attempt)) => self.pending.push_back(Pending::Due(key, attempt)),
            Ok(Event::Quiesced(key)) => self.step_done(key),
            Err(value) => {
                if let Ok(stop) = value.downcast::<StopRequest>() {
                    self.shut_down(stop.0);
                }
            }
        }
        self.advance(cx)
    }

    fn resume_continue(&mut self, cx: &mut SupCx) -> Flow {
        self.advance(cx)
    }

    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        Some(self)
    }
}

/// A supervisor's context.
pub(super) struct SupCx(Context<Msg>);

impl Deref for SupCx {
    type Target = Context<Msg>;

    fn deref(&self) -> &Context<Msg> {
        &self.0
    }
}

impl DerefMut for SupCx {
    fn deref_mut(&mut self) -> &mut Context<Msg> {
        &mut self.0
    }
}
