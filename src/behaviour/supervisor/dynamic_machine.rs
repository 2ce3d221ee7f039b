//! Process: one per dynamic supervisor, pooled. Started and linked as any supervisor; linked to each child. Traps
//! exits. Dies when its parent does, on `stop`, or when restarts come too fast; its children all at once.
//!
//! Each child goes its own way: none waits for another.

use crate::behaviour::gen_server::StopRequest;
use crate::behaviour::supervisor::DynamicSupervisor;
use crate::behaviour::supervisor::api::{
    ChildError, ChildInfo, ChildState, Counts, StartChildError,
};
use crate::behaviour::supervisor::board::{Board, Rule};
use crate::behaviour::supervisor::child::{AnyRef, Begun, Child, ChildKind, ChildSpec, begun};
use crate::behaviour::supervisor::children::{Children, Kept};
use crate::behaviour::supervisor::dynamic::{DynamicMsg, Request, StartedChild};
use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::job::Key;
use crate::behaviour::supervisor::patience::Patience;
use crate::behaviour::supervisor::restart::{AutoShutdown, Intensity, Restart, Shutdown};
use crate::behaviour::supervisor::slot::{Event, Slot, Status};
use crate::pid::Pid;
use crate::process::behaviour::{Behaviour, Flow, InitFn};
use crate::process::core::Initial;
use crate::process::core::flag;
use crate::process::start::{self, Options};
use crate::process::{Context, Down, Exit, Kind, ReplyTo, StartError, wait};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};

pub(super) struct Dynamic {
    max_children: usize,
    intensity: Intensity,
    auto_shutdown: AutoShutdown,
    children: Children<Entry>,
    /// Children whose `init` is not through.
    starting: usize,
    /// Questions about all children, which wait for those.
    questions: Vec<Request>,
    board: Arc<Board>,
    patience: Patience,
    /// Why it is to end, once it is.
    ending: Option<ExitReason>,
    /// Whoever wants a child of it then. They hear of the end.
    refused: Vec<ReplyTo<Result<StartedChild, StartChildError>>>,
}

struct Entry {
    slot: Slot,
    reference: Option<Arc<dyn AnyRef>>,
    /// Whoever waits for its start.
    starter: Option<ReplyTo<Result<StartedChild, StartChildError>>>,
    /// Whoever waits for its end.
    stoppers: Vec<ReplyTo<Result<(), ChildError>>>,
}

impl Kept for Entry {
    fn slot(&self) -> &Slot {
        &self.slot
    }
}

/// How a dynamic supervisor is started.
pub(super) fn launch(supervisor: DynamicSupervisor) -> (Options, InitFn<Dynamic>) {
    let options = Options {
        kind: Some(Kind::Pooled),
        name: supervisor.name.clone(),
        label: supervisor.label.clone(),
        flags: flag::SUPERVISOR | flag::TRAP_EXIT,
        initial: Initial(|| "dynamic supervisor"),
        ..Options::default()
    };
    let (restarts, period) = supervisor.intensity;
    let init = move |cx: &mut DynCx| {
        let dynamic = Dynamic {
            board: Board::put_up(&cx.me().process(), Rule::Dynamic, None),
            max_children: supervisor.max_children,
            intensity: Intensity::new(restarts, period),
            children: Children::default(),
            auto_shutdown: supervisor.auto_shutdown,
            starting: 0,
            questions: Vec::new(),
            patience: Patience::default(),
            ending: None,
            refused: Vec::new(),
        };
        Ok((dynamic, Flow::Loop))
    };
    (options, Box::new(init))
}

/// A dynamic supervisor as a child.
pub(super) fn child(supervisor: DynamicSupervisor, id: Arc<str>) -> Child {
    let spec = ChildSpec::new(id, ChildKind::Supervisor, Shutdown::Infinity);
    let start = move || {
        let (mut options, init) = launch(supervisor.clone());
        options.link = true;
        Ok(begun(start::start_async(&options, init)?.reference))
    };
    Child::new(spec, start)
}

impl Dynamic {
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.children.iter().map(|entry| &entry.slot)
    }

    fn add(
        &mut self,
        cx: &DynCx,
        child: Child,
        starter: ReplyTo<Result<StartedChild, StartChildError>>,
    ) {
        let permanent = child.spec.restart == Restart::Permanent;
        let counts = self.auto_shutdown != AutoShutdown::Never && !permanent;
        if child.spec.significant && !counts {
            return starter.send(Err(StartChildError::BadCombination));
        }
        if self.children.len() >= self.max_children {
            return starter.send(Err(StartChildError::MaxChildren));
        }
        let key = self.children.add(|key| Entry {
            slot: Slot::new(&self.board, key, child),
            reference: None,
            starter: Some(starter),
            stoppers: Vec::new(),
        });
        self.start(cx, key);
    }

    fn start(&mut self, cx: &DynCx, key: Key) {
        let Some(entry) = self.children.get_mut(key) else {
            return;
        };
        entry.slot.forget_timer();
        entry.slot.take_died();
        if entry.slot.awaits_predecessor(cx.me()) {
            entry.slot.becomes(Status::Restarting(None));
            return;
        }
        match entry.slot.begin(entry.starter.is_some()) {
            Ok(Begun { pid, reference, up }) => {
                entry.slot.becomes(Status::Starting(pid));
                if let (Some(starter), Some(reference)) = (&entry.starter, &reference)
                    && !up
                {
                    wait::awaits(starter, || reference.process());
                }
                entry.reference = reference;
                self.starting += 1;
                self.children.note_pid(key, pid);
                if up {
                    self.acked(cx, pid, Ok(()));
                }
            }
            Err(error) => self.start_failed(cx, key, error),
        }
    }

    fn acked(&mut self, cx: &DynCx, pid: Pid, result: Result<(), StartError>) {
        let Some(entry) = self.children.by_pid(pid) else {
            return;
        };
        if entry.slot.status() != Status::Starting(pid) {
            return;
        }
        let key = entry.slot.key;
        self.starting -= 1;
        match result {
            Ok(()) => {
                let died = entry.slot.take_died();
                entry.slot.comes_up(pid, || cx.now());
                entry.slot.tell(What::Started(pid));
                if let (Some(starter), Some(reference)) =
                    (entry.starter.take(), entry.reference.take())
                {
                    starter.send(Ok(StartedChild { pid, reference }));
                }
                if let Some(reason) = died {
                    self.child_ended(cx, Exit { from: pid, reason });
                }
            }
            Err(error) => {
                entry.slot.take_died();
                entry.slot.last = Some(pid);
                self.children.forget_pid(pid);
                self.start_failed(cx, key, error);
            }
        }
    }

    fn start_failed(&mut self, cx: &DynCx, key: Key, error: StartError) {
        let Some(entry) = self.children.get_mut(key) else {
            return;
        };
        if error != StartError::Ignored {
            let reason = ExitReason::other(error.clone());
            entry.slot.tell(What::StartFailed(reason));
        }
        match entry.starter.take() {
            Some(starter) => {
                self.children.remove(key);
                starter.send(Err(StartChildError::Failed(error)));
            }
            // A restart that is ignored: the child is gone. One that failed: it is tried again.
            None if error == StartError::Ignored => drop(self.children.remove(key)),
            None => entry.slot.put_off(cx.me()),
        }
    }

    fn child_ended(&mut self, cx: &DynCx, exit: Exit) {
        let ending = self.ending.is_some();
        let Some(entry) = self.children.by_pid(exit.from) else {
            return;
        };
        match entry.slot.status() {
            Status::Running(pid) => {
                let key = entry.slot.key;
                entry.slot.becomes(Status::Undefined);
                entry.slot.last = Some(pid);
                let due = entry.slot.child.spec.is_due(&exit.reason);
                entry.slot.tell(What::Exited(pid, exit.reason));
                self.children.forget_pid(pid);
                if due && !ending {
                    self.restart(cx, key, false);
                } else {
                    self.gone(cx, key);
                }
            }
            Status::Stopping(_) | Status::Starting(_) => entry.slot.has_died(exit.reason),
            Status::Undefined | Status::Dead { .. } | Status::Restarting(_) => {}
        }
    }

    /// A child ended by itself and is not restarted.
    fn gone(&mut self, cx: &DynCx, key: Key) {
        let Some(entry) = self.children.remove(key) else {
            return;
        };
        let significant = |entry: &Entry| entry.slot.child.spec.significant;
        let ends = significant(&entry)
            && match self.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => !self.children.iter().any(significant),
            };
        if ends {
            self.shut_down(cx, ExitReason::Shutdown);
        }
    }

    /// Restarts a child; `counted` if that has been counted before its wait.
    fn restart(&mut self, cx: &DynCx, key: Key, counted: bool) {
        let now = cx.now();
        let Some(entry) = self.children.get_mut(key) else {
            return;
        };
        if !counted {
            if !entry.slot.allows(now) || !self.intensity.allows(now) {
                entry.slot.tell(What::GaveUp);
                self.children.remove(key);
                return self.shut_down(cx, ExitReason::Shutdown);
            }
            let delay = entry.slot.next_delay(now);
            let what = What::Restarting(entry.slot.attempt, delay.unwrap_or_default());
            entry.slot.tell(what);
            if delay.is_some() {
                entry.slot.waits(delay);
                return entry.slot.put_off(cx.me());
            }
        }
        self.start(cx, key);
    }

    fn due(&mut self, cx: &DynCx, key: Key, attempt: u32) {
        let Some(entry) = self.children.get_mut(key) else {
            return;
        };
        let is_due =
            matches!(entry.slot.status(), Status::Restarting(_)) && entry.slot.attempt == attempt;
        if is_due && self.ending.is_none() {
            let counted = entry.slot.has_waited();
            self.restart(cx, key, counted);
        }
    }

    fn terminate(&mut self, cx: &DynCx, pid: Pid, reply: ReplyTo<Result<(), ChildError>>) {
        let alive = self.children.by_pid(pid).map(|entry| entry.slot.key);
        let key = alive.or_else(|| self.restarting_after(pid));
        let Some((key, entry)) = key.and_then(|key| Some((key, self.children.get_mut(key)?)))
        else {
            return reply.send(Err(ChildError::NotFound));
        };
        match entry.slot.status() {
            Status::Starting(_) | Status::Running(_) => {
                self.starting -= usize::from(entry.slot.status() == Status::Starting(pid));
                entry.stoppers.push(reply);
                entry.slot.stop(cx, pid, cx.now(), &mut self.patience);
            }
            Status::Stopping(_) => entry.stoppers.push(reply),
            Status::Undefined | Status::Dead { .. } | Status::Restarting(_) => {
                entry.slot.forget_timer();
                self.children.remove(key);
                reply.send(Ok(()));
            }
        }
    }

    /// A child that waits for its restart is still known by the pid it had.
    fn restarting_after(&self, pid: Pid) -> Option<Key> {
        let had =
            |slot: &&Slot| matches!(slot.status(), Status::Restarting(_)) && slot.last == Some(pid);
        self.slots().find(had).map(|slot| slot.key)
    }

    fn child_stopped(&mut self, pid: Pid, reason: ExitReason) {
        let Some(entry) = self.children.by_pid(pid) else {
            return;
        };
        if entry.slot.status() != Status::Stopping(pid) {
            return;
        }
        let key = entry.slot.key;
        let reason = match (reason, entry.slot.take_died()) {
            (ExitReason::NoProc, Some(reason)) => reason,
            (reason, _) => reason,
        };
        entry.slot.tell(What::Stopped(pid, reason.clone()));
        self.children.forget_pid(pid);
        self.patience.ends();
        let Some(entry) = self.children.remove(key) else {
            return;
        };
        let Entry {
            slot,
            starter,
            stoppers,
            ..
        } = entry;
        // Whoever hears of it sees it no more.
        drop(slot);
        match starter {
            Some(starter) if self.ending.is_some() => self.refused.push(starter),
            Some(starter) => {
                let error = StartError::Exit(reason);
                starter.send(Err(StartChildError::Failed(error)));
            }
            None => {}
        }
        for stopper in stoppers {
            stopper.send(Ok(()));
        }
    }

    /// Tells all children to end, at once.
    fn shut_down(&mut self, cx: &DynCx, reason: ExitReason) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(reason);
        self.starting = 0;
        // One moment for all, so that they are looked at together when it is over.
        let now = cx.now();
        let mut gone = Vec::new();
        for entry in self.children.iter_mut() {
            entry.slot.forget_timer();
            match entry.slot.status() {
                Status::Starting(pid) | Status::Running(pid) => {
                    entry.slot.stop(cx, pid, now, &mut self.patience);
                }
                Status::Stopping(_) => {}
                Status::Undefined | Status::Dead { .. } | Status::Restarting(_) => {
                    gone.push(entry.slot.key);
                }
            }
        }
        for key in gone {
            self.children.remove(key);
        }
    }

    fn serve(&mut self, cx: &DynCx, request: Request) {
        match request {
            Request::Start(child, reply) if self.ending.is_none() => self.add(cx, *child, reply),
            Request::Start(_, reply) => self.refused.push(reply),
            Request::Terminate(pid, reply) => self.terminate(cx, pid, reply),
            question => self.questions.push(question),
        }
    }

    /// Answers questions about all children, once none of them is half way to life: as in OTP, where a supervisor
    /// that starts a child does nothing else.
    fn answer(&mut self) {
        if self.starting > 0 || self.questions.is_empty() {
            return;
        }
        for question in std::mem::take(&mut self.questions) {
            match question {
                Request::Which(reply) => reply.send(self.children.iter().map(info).collect()),
                Request::Count(reply) => reply.send(self.count()),
                Request::Start(..) | Request::Terminate(..) => {
                    unreachable!("these are no questions")
                }
            }
        }
    }

    fn count(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.children.iter() {
            let running = matches!(entry.slot.state(), ChildState::Running(_));
            counts.add(entry.slot.child.spec.kind, running);
        }
        counts
    }

    fn flow(&mut self) -> Flow {
        self.answer();
        self.patience.rests();
        match &self.ending {
            Some(reason) if self.children.is_empty() => Flow::Stop(reason.clone()),
            _ => Flow::Loop,
        }
    }
}

fn info(entry: &Entry) -> ChildInfo {
    ChildInfo {
        id: None,
        state: entry.slot.state(),
        kind: entry.slot.child.spec.kind,
    }
}

impl Behaviour for Dynamic {
    type Msg = DynamicMsg;
    type Cx = DynCx;

    fn context(context: Context<DynamicMsg>) -> DynCx {
        DynCx(context)
    }

    fn message(&mut self, DynamicMsg(request): DynamicMsg, cx: &mut DynCx) -> Flow {
        self.serve(cx, request);
        self.flow()
    }

    fn exit(&mut self, exit: Exit, cx: &mut DynCx) -> Flow {
        if exit.from == cx.parent() {
            self.shut_down(cx, exit.reason);
        } else {
            self.child_ended(cx, exit);
        }
        self.flow()
    }

    fn down(&mut self, _down: Down, _cx: &mut DynCx) -> Flow {
        Flow::Loop
    }

    fn stopped(&mut self, child: Pid, reason: ExitReason, _cx: &mut DynCx) -> Flow {
        self.child_stopped(child, reason);
        self.flow()
    }

    fn started(&mut self, child: Pid, result: Result<(), StartError>, cx: &mut DynCx) -> Flow {
        self.acked(cx, child, result);
        self.flow()
    }

    fn resume(&mut self, value: Box<dyn Any + Send>, cx: &mut DynCx) -> Flow {
        match value.downcast::<Event>().map(|event| *event) {
            Ok(Event::Overdue) => {
                for pid in self.patience.overdue(cx.me(), cx.now()) {
                    let entry = self.children.by_pid(pid);
                    if entry.is_some_and(|entry| entry.slot.status() == Status::Stopping(pid)) {
                        crate::process::exit(pid, ExitReason::Kill);
                    }
                }
            }
            Ok(Event::Due(key, attempt)) => self.due(cx, key, attempt),
            Ok(Event::Quiesced(key)) => {
                if self.ending.is_none() {
                    self.start(cx, key);
                }
            }
            Err(value) => {
                if let Ok(stop) = value.downcast::<StopRequest>() {
                    self.shut_down(cx, stop.0);
                }
            }
        }
        self.flow()
    }

    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        Some(self)
    }
}

/// A dynamic supervisor's context.
pub(super) struct DynCx(Context<DynamicMsg>);

impl Deref for DynCx {
    type Target = Context<DynamicMsg>;

    fn deref(&self) -> &Context<DynamicMsg> {
        &self.0
    }
}

impl DerefMut for DynCx {
    fn deref_mut(&mut self) -> &mut Context<DynamicMsg> {
        &mut self.0
    }
}
