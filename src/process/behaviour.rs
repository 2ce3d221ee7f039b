//! What a process runs, seen from the kernel: callbacks over one state, and how each of them may end.
//!
//! The same driver, [`Body`], serves both kinds of process. It meets exit signals in their order, calls back,
//! and decides by OTP's rule whether `terminate` runs: after the process's own stop or crash, never after a
//! signal.

use crate::pid::{Pid, RequestId};
use crate::process::call::PendingCall;
use crate::process::context::Context;
use crate::process::core::{Core, Process, flag};
use crate::process::current;
use crate::process::death::End;
use crate::process::debug::{Incoming, SysEvent, Then};
use crate::process::error::StartError;
use crate::process::mailbox::{self, Batch};
use crate::process::relations::Effect;
use crate::process::report;
use crate::process::shown::{self, Last, Shown};
use crate::process::signal::{Down, Entry, Exit};
use crate::process::start::{self, Starter};
use crate::process::system::Watched;
use crate::process::unwind::{self, By};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::any::Any;
use std::fmt;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What a callback wants to happen next.
#[derive(Debug)]
pub(crate) enum Flow {
    Loop,
    /// Call [`Behaviour::timeout`] if nothing comes for so long.
    Timeout(Duration),
    /// Call [`Behaviour::resume_continue`] before anything else.
    Continue,
    Stop(ExitReason),
}

/// Why an `init` gave no state.
#[derive(Debug)]
pub(crate) enum InitEnd {
    Ignore,
    Stop(ExitReason),
}

/// The callbacks of a process.
pub(crate) trait Behaviour: Send + Sized + 'static {
    type Msg: Send + 'static;
    type Cx: DerefMut<Target = Context<Self::Msg>> + Send;

    /// Whether it ever looks at its mailbox, and so at what `sys` sends.
    const SYSTEM: bool = true;

    /// What a report of its failure calls it; `None` if the crash report says all there is to say.
    const REPORTED: Option<&'static str> = None;

    fn context(context: Context<Self::Msg>) -> Self::Cx;
    fn message(&mut self, message: Self::Msg, cx: &mut Self::Cx) -> Flow;
    fn exit(&mut self, exit: Exit, cx: &mut Self::Cx) -> Flow;
    fn down(&mut self, down: Down, cx: &mut Self::Cx) -> Flow;

    /// Something that the behaviour's own machinery sent.
    fn resume(&mut self, _value: Box<dyn Any + Send>, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    /// A request has its answer.
    fn answered(&mut self, _request: RequestId, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    /// A process was cut from its code: requests that it was asked fail, as that code may have them in its hand.
    fn cut(_pid: Pid, _cx: &mut Self::Cx) {}

    /// What came of the start of a process that this one has begun.
    fn started(
        &mut self,
        _child: Pid,
        _result: Result<(), StartError>,
        _cx: &mut Self::Cx,
    ) -> Flow {
        Flow::Loop
    }

    /// A process that this one has started and [told](crate::process::exit::is_to_tell_parent) to end has ended.
    fn stopped(&mut self, _child: Pid, _reason: ExitReason, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    /// Whether it is up only when it [says](start::up) so, and not when `init` is through.
    const UP_LATER: bool = false;

    /// Who is to be told when it is up, if it is so later than its `init`; nobody if its parent is.
    fn keep_starter(&mut self, _starter: Option<Starter>) {}

    fn resume_continue(&mut self, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    fn timeout(&mut self, _cx: &mut Self::Cx) -> Flow {
        Flow::Loop
    }

    fn terminate(&mut self, _reason: &ExitReason, _cx: &mut Self::Cx) {}

    /// Runs after `terminate`, even if that panicked, and with the reason that is final.
    fn terminated(&mut self) {}

    /// The state as its type, for whoever knows that.
    fn state(&self) -> Option<&dyn Any> {
        None
    }

    fn state_mut(&mut self) -> Option<&mut dyn Any> {
        None
    }

    /// What the state looks like.
    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        None
    }

    /// What a message looks like.
    fn inspect_message(_message: &Self::Msg) -> Option<&dyn fmt::Debug> {
        None
    }

    /// Changes what others are shown.
    fn format_status(&self, _shown: &mut Shown) {}
}

/// Asks a process to end in order, with a reason. A suspended one hears it as well.
pub(crate) struct StopRequest(pub(crate) ExitReason);

/// Makes the state, inside the process.
pub(crate) type InitFn<B> =
    Box<dyn FnOnce(&mut <B as Behaviour>::Cx) -> Result<(B, Flow), InitEnd> + Send>;

/// A behaviour with its state and what it has taken from the mailbox.
pub(crate) struct Body<B: Behaviour> {
    pub(super) stage: Stage<B>,
    cx: B::Cx,
    /// Equals `true` if the behaviour asked to go on before the next entry.
    goes_on: bool,
    /// What was taken from the mailbox behind the entry that is being handled.
    pub(crate) batch: Batch<B::Msg>,
    /// What the last callback was given, for the report if it fails.
    last: Last,
    /// The text of the last message, if it is shown.
    text: Option<Box<Arc<str>>>,
    /// What `sys` has switched on, if anything.
    pub(super) watched: Option<Box<Watched<B::Msg>>>,
}

pub(super) enum Stage<B: Behaviour> {
    Init(InitFn<B>, Option<Starter>),
    Up(B),
    Down,
}

/// The call that a callback handles. However that ends: a call that it leaves unanswered is kept, here or elsewhere.
///
/// Whether it was answered the process itself knows: the call is being looked at by its caller at this moment.
struct InHand<'a>(Arc<dyn PendingCall>, &'a Core);

impl Drop for InHand<'_> {
    #[inline]
    fn drop(&mut self) {
        let_go(&self.0, self.1);
    }
}

/// The callback that has a call in hand is over.
#[inline]
fn let_go(call: &Arc<dyn PendingCall>, core: &Core) {
    if core.current_call() != 0 {
        core.end_call();
        if !call.is_done() {
            call.clone().keep();
        }
    }
}

impl<B: Behaviour> Body<B> {
    pub(crate) fn new(cx: B::Cx, init: InitFn<B>, starter: Option<Starter>) -> Self {
        Body {
            stage: Stage::Init(init, starter),
            cx,
            goes_on: false,
            batch: None,
            last: Last::Nothing,
            text: None,
            watched: None,
        }
    }

    /// Equals `true` if the behaviour asked to go on before the next entry.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Puts back what was taken out and is not to be handled yet.
    pub(crate) fn put_back(&mut self, entry: Entry<B::Msg>) {
        self.batch
            .get_or_insert_with(|| Box::new(mailbox::few()))
            .push_front(entry);
    }

    /// What is due before anything else: `init`; whether that ran now.
    pub(crate) fn prepare(&mut self, me: &Arc<dyn Process>) -> Result<bool, End> {
        if me.core().has(flag::KILLED | flag::GONE) {
            return Err(End::by_signal(ExitReason::Killed));
        }
        let is_new = matches!(self.stage, Stage::Init(..));
        if is_new {
            self.init(me.core())?;
        }
        Ok(is_new)
    }

    /// Runs `init`; afterwards the process is up, and whoever started it knows.
    pub(crate) fn init(&mut self, core: &Core) -> Result<(), End> {
        let Stage::Init(init, starter) = std::mem::replace(&mut self.stage, Stage::Down) else {
            return Ok(());
        };
        current::begin_callback(None);
        let made = init(&mut self.cx);
        current::fail_unanswered(current::end_callback());
        // Before there is a state, so that its end does without `terminate`.
        let overtaken = self.overtaken(core);
        match made {
            Ok((state, _)) if overtaken.is_some() => {
                // Dropped where every state is.
                self.stage = Stage::Up(state);
                overtaken.map_or(Ok(()), Err)
            }
            Ok((mut state, flow)) => {
                if B::UP_LATER {
                    state.keep_starter(starter);
                    self.stage = Stage::Up(state);
                } else {
                    self.stage = Stage::Up(state);
                    start::up(core, starter.as_ref());
                }
                self.follow(flow)
            }
            Err(InitEnd::Ignore) => {
                core.set(flag::IGNORED);
                Err(End::quiet(ExitReason::Normal))
            }
            Err(InitEnd::Stop(reason)) => Err(End::by_itself(reason)),
        }
    }

    /// Calls back once if the behaviour asked to go on. It may ask again, and for ever, so signals count here as
    /// they do in a mailbox that is never reached.
    pub(crate) fn go_on(&mut self, me: &Arc<dyn Process>) -> Result<(), End> {
        if !std::mem::take(&mut self.goes_on) {
            return Ok(());
        }
        if let Some((reason, By::Signal)) = current::doom(me) {
            return Err(End::by_signal(reason));
        }
        self.last = Last::Continue;
        if self.watched.is_some() {
            self.tell(SysEvent::In(Incoming::Continue));
        }
        self.call_back(me.core(), None, |state, cx| state.resume_continue(cx))
    }

    /// Handles one entry. What the behaviour goes on with has to come before the next one.
    #[inline]
    pub(crate) fn handle(
        &mut self,
        me: &Arc<dyn Process>,
        core: &Core,
        entry: Entry<B::Msg>,
    ) -> Result<(), End> {
        if core.has(flag::KILLED | flag::GONE) {
            if let Entry::Call(_, call) = &entry {
                call.clone().keep();
            }
            // The entry is dropped here. If it is a call its caller must hear of the kill, which the death path
            // tells, and not that a living process gave no answer.
            core.set(flag::ENDING);
            return Err(End::by_signal(ExitReason::Killed));
        }
        if self.is_suspended() {
            return self.handle_suspended(me, entry);
        }
        self.meet(me, core, entry)
    }

    /// Calls back for an entry.
    #[inline]
    pub(super) fn meet(
        &mut self,
        me: &Arc<dyn Process>,
        core: &Core,
        entry: Entry<B::Msg>,
    ) -> Result<(), End> {
        match entry {
            Entry::Message(message) => {
                self.cx.disarm();
                self.last = Last::Message;
                self.show(&message);
                if self.watched.is_some() {
                    self.tell(SysEvent::In(Incoming::Message(
                        self.text.as_deref().cloned(),
                    )));
                }
                self.call_back(core, None, |state, cx| state.message(message, cx))
            }
            Entry::Call(message, call) => {
                let call = InHand(call, core);
                let call = &call.0;
                self.cx.disarm();
                self.last = Last::Call(call.caller());
                self.show(&message);
                if self.watched.is_some() {
                    let incoming = Incoming::Call(call.caller(), self.text.as_deref().cloned());
                    self.tell(SysEvent::In(incoming));
                }
                core.begin_call(call);
                self.call_back(core, Some(call), |state, cx| state.message(message, cx))
            }
            entry => self.meet_other(me, core, entry),
        }
    }

    /// Calls back for an entry that is no plain message.
    fn meet_other(
        &mut self,
        me: &Arc<dyn Process>,
        core: &Core,
        entry: Entry<B::Msg>,
    ) -> Result<(), End> {
        match entry {
            Entry::Message(_) | Entry::Call(..) => return self.meet(me, core, entry),
            Entry::Aliased(message, alias) => {
                if alias.meets(me) {
                    self.cx.disarm();
                    self.call_back(core, None, |state, cx| state.message(message, cx))?;
                }
            }
            Entry::Exit(id) => {
                let met = core
                    .relations
                    .lock()
                    .meet_exit(core.pid, id, core.traps_exit());
                match met {
                    Some(Effect::Deliver(exit)) => {
                        self.cx.disarm();
                        self.last = Last::Exit(exit.from);
                        if self.watched.is_some() {
                            let incoming = Incoming::Exit(exit.from, exit.reason.clone());
                            self.tell(SysEvent::In(incoming));
                        }
                        self.call_back(core, None, |state, cx| state.exit(exit, cx))?;
                    }
                    Some(Effect::Die(reason)) => return Err(End::by_signal(reason)),
                    Some(Effect::Ignore) | None => {}
                }
            }
            Entry::Down(monitor) => {
                let down = core.relations.lock().take_down(monitor);
                if let Some(down) = down {
                    self.cx.disarm();
                    self.last = Last::Down(down.pid);
                    if self.watched.is_some() {
                        let reason = down.reason.clone();
                        self.tell(SysEvent::In(Incoming::Down(monitor, down.pid, reason)));
                    }
                    self.call_back(core, None, |state, cx| state.down(down, cx))?;
                }
            }
            Entry::Resume(value) => {
                self.cx.disarm();
                self.last = Last::Internal;
                if self.watched.is_some() {
                    self.tell(SysEvent::In(Incoming::Internal));
                }
                self.call_back(core, None, |state, cx| state.resume(value, cx))?;
            }
            Entry::Started(child, result) => {
                self.cx.disarm();
                self.last = Last::Internal;
                if self.watched.is_some() {
                    self.tell(SysEvent::In(Incoming::Internal));
                }
                let result = result.map_err(|error| *error);
                self.call_back(core, None, |state, cx| state.started(child, result, cx))?;
            }
            Entry::Stopped(child, reason) => {
                self.cx.disarm();
                self.last = Last::Internal;
                if self.watched.is_some() {
                    self.tell(SysEvent::In(Incoming::Internal));
                }
                self.call_back(core, None, |state, cx| state.stopped(child, *reason, cx))?;
            }
            Entry::Answer(request) => {
                self.cx.disarm();
                self.last = Last::Internal;
                if self.watched.is_some() {
                    self.tell(SysEvent::In(Incoming::Internal));
                }
                self.call_back(core, None, |state, cx| state.answered(request, cx))?;
            }
            Entry::Cut(pid) => B::cut(pid, &mut self.cx),
            Entry::Timeout(generation) => {
                if self.cx.times_out(generation) {
                    self.last = Last::Timeout;
                    if self.watched.is_some() {
                        self.tell(SysEvent::In(Incoming::Timeout));
                    }
                    self.call_back(core, None, |state, cx| state.timeout(cx))?;
                }
            }
            Entry::System(message) => self.system(me, message)?,
        }
        Ok(())
    }

    /// Writes a message down before it is handled, if its behaviour shows messages.
    #[inline]
    fn show(&mut self, message: &B::Msg) {
        let text = shown::message(B::inspect_message(message));
        if text.is_some() || self.text.is_some() {
            self.text = text.map(Box::new);
        }
    }

    /// What the last callback was given, in words.
    pub(super) fn describe_last(&self) -> Option<String> {
        self.last.describe(self.text.as_ref().map(|text| &***text))
    }

    /// Tells those who watch of something.
    #[cold]
    fn tell(&mut self, event: SysEvent) {
        let (Some(watched), Stage::Up(state)) = (&mut self.watched, &self.stage) else {
            return;
        };
        let me = self.cx.me().process();
        watched.debug.event(&*me, state.state(), event);
    }

    /// A callback has returned while somebody watches.
    #[cold]
    fn tell_returned(&mut self, call: Option<&Arc<dyn PendingCall>>, flow: &Flow) {
        // Whoever answers a call takes it out of the hand of the callback that got it.
        let answered = call.filter(|_| self.cx.me().mailbox().core().current_call() == 0);
        if let Some(call) = answered {
            self.tell(SysEvent::Out(call.caller()));
        }
        self.tell(SysEvent::Then(Then::of(flow)));
    }

    #[inline]
    pub(super) fn call_back(
        &mut self,
        core: &Core,
        call: Option<&Arc<dyn PendingCall>>,
        run: impl FnOnce(&mut B, &mut B::Cx) -> Flow,
    ) -> Result<(), End> {
        let Stage::Up(state) = &mut self.stage else {
            return Ok(());
        };
        current::begin_callback(call.and_then(|call| call.deadline()));
        let cx = &mut self.cx;
        // Caught here, as an unwind costs for each frame that it passes, and nothing where there is none.
        let flow = match catch_unwind(AssertUnwindSafe(|| run(state, cx))) {
            Ok(flow) => flow,
            Err(payload) => {
                if let Some(call) = call {
                    let_go(call, core);
                }
                return Err(self.crashed(core, payload));
            }
        };
        let unanswered = current::end_callback();
        if let Some(end) = self.overtaken(core) {
            return Err(end);
        }
        if self.watched.is_some() {
            self.tell_returned(call, &flow);
        }
        // The requests that it dropped: if it goes on nobody will answer them, and if it stops its end says why.
        if !matches!(flow, Flow::Stop(_)) {
            current::fail_unanswered(unanswered);
        }
        self.follow(flow)
    }

    /// What came first, whatever the callback that has just returned wants to happen: a kill, or an exit of its
    /// own whose unwind it caught.
    #[inline]
    pub(super) fn overtaken(&mut self, core: &Core) -> Option<End> {
        if !core.has(flag::KILLED | flag::GONE | flag::EXIT_QUEUED) {
            return None;
        }
        self.overtaken_by(core)
    }

    #[cold]
    fn overtaken_by(&mut self, core: &Core) -> Option<End> {
        if core.has(flag::KILLED | flag::GONE) {
            return Some(End::by_signal(ExitReason::Killed));
        }
        let reason = current::take_raised()?;
        Some(self.terminate(reason))
    }

    #[inline]
    fn follow(&mut self, flow: Flow) -> Result<(), End> {
        match flow {
            Flow::Loop => Ok(()),
            Flow::Timeout(delay) => {
                self.cx.arm(delay);
                Ok(())
            }
            Flow::Continue => {
                self.goes_on = true;
                Ok(())
            }
            Flow::Stop(reason) => Err(self.terminate(reason)),
        }
    }

    /// A callback unwound.
    #[cold]
    pub(crate) fn crashed(&mut self, core: &Core, payload: Box<dyn Any + Send>) -> End {
        core.end_call();
        drop(current::end_callback());
        match unwind::reason_of(payload) {
            // A kill that came meanwhile is first, and nothing of its own runs after that.
            _ if core.has(flag::KILLED | flag::GONE) => End::by_signal(ExitReason::Killed),
            (reason, By::Signal) => End::by_signal(reason),
            (reason, By::Itself) => self.terminate(reason),
        }
    }

    /// Lets the behaviour clean up; if that fails, its failure is the reason of the end.
    fn terminate(&mut self, reason: ExitReason) -> End {
        let Stage::Up(state) = &mut self.stage else {
            return End::by_itself(reason);
        };
        current::begin_callback(None);
        let cx = &mut self.cx;
        let done = catch_unwind(AssertUnwindSafe(|| state.terminate(&reason, cx)));
        drop(current::end_callback());
        let end = match done.map_err(unwind::reason_of) {
            Ok(()) => End::by_itself(reason),
            Err((reason, By::Itself)) => End::by_itself(reason),
            Err((reason, By::Signal)) => End::by_signal(reason),
        };
        self.report(&end);
        if let Stage::Up(state) = &mut self.stage {
            state.terminated();
        }
        end
    }

    /// Reports the end of a server that failed, while there is a state to show.
    fn report(&self, end: &End) {
        let core = self.cx.me().mailbox().core();
        if end.is_crash() && !core.has(flag::KILLED | flag::GONE) {
            report::server(core, B::REPORTED, self.last, || {
                self.shown(Some(report::reason(&end.reason)))
            });
        }
    }
}
