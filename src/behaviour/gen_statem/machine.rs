//! The machine as the kernel's driver sees it.

use crate::behaviour::gen_server::StopRequest;
use crate::behaviour::gen_statem::agenda::Agenda;
use crate::behaviour::gen_statem::next::{Entered, Made, Step};
use crate::behaviour::gen_statem::timeouts::Changes;
use crate::behaviour::gen_statem::timer::{Rang, Timer};
use crate::behaviour::gen_statem::{Cx, Event, GenStatem, Init, Next, Statem};
use crate::behaviour::served::sealed::{Launch, Launched, Plan};
use crate::behaviour::served::{Served, launch};
use crate::pid::{Pid, RequestId};
use crate::process::behaviour::{Behaviour, Flow, InitEnd, InitFn};
use crate::process::shown::Shown;
use crate::process::{Context, Down, Exit, StartError};
use crate::reason::ExitReason;
use std::any::Any;
use std::fmt;

/// A machine's state and data, and what it keeps for itself.
pub(super) struct Machine<S: GenStatem> {
    /// State and data, side by side as `sys` shows and replaces them.
    current: (S::State, S),
    agenda: Agenda<Event<S>, S::Timer, S::Msg, Timer>,
    entering: Option<Entering<S>>,
}

/// An enter call that is due.
struct Entering<S: GenStatem> {
    /// The state before; none if that was the same.
    old: Option<S::State>,
    /// What the transition does to the timeouts. The enter call has its say first.
    timeouts: Changes<S::Timer, S::Msg>,
}

/// `init` of a machine as the kernel runs it.
fn init_fn<S: GenStatem>(args: S::Args) -> InitFn<Machine<S>> {
    init_by(move |cx| S::init(args, cx))
}

/// The beginning of a machine whose state and data are made by `init`.
pub(super) fn init_by<S: GenStatem>(
    init: impl FnOnce(&mut Cx<S>) -> Init<S> + Send + 'static,
) -> InitFn<Machine<S>> {
    Box::new(move |cx| {
        if S::TRAP_EXIT {
            cx.trap_exit(true);
        }
        let init = init(cx);
        let current = match init.made {
            Made::Ok(state, data) => (state, data),
            Made::Ignore => return Err(InitEnd::Ignore),
            Made::Stop(reason) => return Err(InitEnd::Stop(reason)),
        };
        let mut machine = Machine {
            current,
            agenda: Agenda::new(S::EVENTS_MAX),
            entering: None,
        };
        machine.agenda.handled(Vec::new(), false, init.next_events);
        let flow = machine.moved(Move::Repeated, init.timeouts, cx);
        Ok((machine, flow))
    })
}

/// What a transition did to the state.
enum Move<State> {
    Kept,
    Repeated,
    /// It was this.
    Changed(State),
}

impl<S: GenStatem> Machine<S> {
    fn handle(&mut self, event: Event<S>, cx: &mut Cx<S>) -> Flow {
        let (state, data) = &mut self.current;
        let next = data.handle(event, state, cx);
        self.follow(next, cx)
    }

    fn follow(&mut self, next: Next<S>, cx: &mut Cx<S>) -> Flow {
        let moved = match next.step {
            Step::Keep => Move::Kept,
            Step::Repeat => Move::Repeated,
            Step::Next(state) if state == self.current.0 => Move::Kept,
            Step::Next(state) => Move::Changed(std::mem::replace(&mut self.current.0, state)),
            Step::Stop(reason) => return Flow::Stop(reason),
        };
        let changed = matches!(moved, Move::Changed(_));
        self.agenda
            .handled(next.postponed, changed, next.next_events);
        self.moved(moved, next.timeouts, cx)
    }

    /// The end of a transition, or its enter call first.
    fn moved(
        &mut self,
        moved: Move<S::State>,
        timeouts: Changes<S::Timer, S::Msg>,
        cx: &mut Cx<S>,
    ) -> Flow {
        let old = match moved {
            Move::Kept => return self.settle(timeouts, cx),
            _ if !S::STATE_ENTER => return self.settle(timeouts, cx),
            Move::Repeated => None,
            Move::Changed(old) => Some(old),
        };
        self.entering = Some(Entering { old, timeouts });
        Flow::Continue
    }

    fn enter(&mut self, entering: Entering<S>, cx: &mut Cx<S>) -> Flow {
        let Entering { old, mut timeouts } = entering;
        let entered = {
            let (state, data) = &mut self.current;
            data.enter(old.as_ref().unwrap_or(state), state, cx)
        };
        timeouts.extend(entered.timeouts);
        match entered.step {
            Entered::Keep => self.settle(timeouts, cx),
            Entered::Repeat => {
                self.entering = Some(Entering { old, timeouts });
                Flow::Continue
            }
            Entered::Stop(reason) => Flow::Stop(reason),
        }
    }

    /// The transition is through: its timeouts are set, and the next event may come.
    fn settle(&mut self, timeouts: Changes<S::Timer, S::Msg>, cx: &mut Cx<S>) -> Flow {
        if !timeouts.is_empty() {
            let me = cx.me().process();
            self.agenda
                .change_timeouts(timeouts, |timeout, number, when| {
                    Timer::start(&me, timeout, number, when)
                });
        }
        if let Err(error) = self.agenda.check() {
            return Flow::Stop(ExitReason::other(error));
        }
        if self.agenda.is_due() {
            Flow::Continue
        } else {
            Flow::Loop
        }
    }
}

impl<S: GenStatem> Served for Statem<S> {
    type Args = S::Args;
    type Msg = S::Msg;
}

impl<S: GenStatem> Launch<S::Args, S::Msg> for Statem<S> {
    fn initial() -> &'static str {
        std::any::type_name::<S>()
    }

    fn launch(plan: Plan<'_>, args: S::Args) -> Result<Launched<S::Msg>, StartError> {
        launch::<Machine<S>>(plan, init_fn::<S>(args))
    }
}

impl<S: GenStatem> Behaviour for Machine<S> {
    type Msg = S::Msg;
    type Cx = Cx<S>;

    const REPORTED: Option<&'static str> = Some("state machine");

    fn context(context: Context<S::Msg>) -> Cx<S> {
        Cx::new(context)
    }

    fn message(&mut self, msg: S::Msg, cx: &mut Cx<S>) -> Flow {
        self.handle(Event::Message(msg), cx)
    }

    fn exit(&mut self, exit: Exit, cx: &mut Cx<S>) -> Flow {
        // gen_statem: an exit of the parent is no event, it is the end.
        if exit.from == cx.parent() {
            return Flow::Stop(exit.reason);
        }
        self.handle(Event::Exit(exit), cx)
    }

    fn down(&mut self, down: Down, cx: &mut Cx<S>) -> Flow {
        self.handle(Event::Down(down), cx)
    }

    fn resume(&mut self, value: Box<dyn Any + Send>, cx: &mut Cx<S>) -> Flow {
        let value = match value.downcast::<Rang<S::Timer>>() {
            Ok(rang) => {
                return match self.agenda.rang(&rang.timeout, rang.number) {
                    Some(payload) => self.handle(Event::Timeout(rang.timeout, payload), cx),
                    None => Flow::Loop,
                };
            }
            Err(value) => value,
        };
        match value.downcast::<StopRequest>() {
            Ok(stop) => Flow::Stop(stop.0),
            Err(_) => Flow::Loop,
        }
    }

    fn answered(&mut self, request: RequestId, cx: &mut Cx<S>) -> Flow {
        match cx.message_of(request) {
            Some(msg) => self.handle(Event::Message(msg), cx),
            None => Flow::Loop,
        }
    }

    fn cut(pid: Pid, cx: &mut Cx<S>) {
        cx.cut(pid);
    }

    fn resume_continue(&mut self, cx: &mut Cx<S>) -> Flow {
        if let Some(entering) = self.entering.take() {
            return self.enter(entering, cx);
        }
        match self.agenda.next() {
            Some(due) => self.handle(due.into(), cx),
            None => Flow::Loop,
        }
    }

    fn terminate(&mut self, reason: &ExitReason, cx: &mut Cx<S>) {
        let (state, data) = &mut self.current;
        data.terminate(reason, state, cx);
    }

    fn state(&self) -> Option<&dyn Any> {
        Some(&self.current)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Any> {
        Some(&mut self.current)
    }

    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        S::inspect(&self.current)
    }

    fn inspect_message(message: &S::Msg) -> Option<&dyn fmt::Debug> {
        S::inspect_message(message)
    }

    fn format_status(&self, shown: &mut Shown) {
        let (state, data) = &self.current;
        data.format_status(state, shown);
    }
}
