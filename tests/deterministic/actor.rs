//! A process of any breed that does what it is sent and tells an ear what it hears.

use crate::support::puppet::Breed;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, Context, Down, Exit, Received};

type Job = Box<dyn FnOnce(&mut Context<Msg>) + Send>;
type Ear = Box<dyn FnMut(Heard, &Context<Msg>) + Send>;

/// What actors are sent.
pub(crate) enum Msg {
    Do(Job),
    /// A number from a sender.
    Tell(usize, u32),
    Ask(ReplyTo<Pid>),
    End(ExitReason),
}

use perennial::Pid;

/// What an actor hears.
#[derive(Debug)]
pub(crate) enum Heard {
    Told(usize, u32),
    Exit(Exit),
    Down(Down),
}

/// A message that runs a closure.
pub(crate) fn job(run: impl FnOnce(&mut Context<Msg>) + Send + 'static) -> Msg {
    Msg::Do(Box::new(run))
}

/// An actor that is deaf.
pub(crate) fn deaf(breed: Breed) -> Ref<Msg> {
    start(breed, |_, _| {})
}

/// Starts an actor.
pub(crate) fn start(
    breed: Breed,
    ear: impl FnMut(Heard, &Context<Msg>) + Send + 'static,
) -> Ref<Msg> {
    let ear: Ear = Box::new(ear);
    match breed {
        Breed::Pooled => gen_server::spec::<Actor>(ear).pooled().start().unwrap(),
        Breed::ThreadServer => gen_server::spec::<Actor>(ear).thread().start().unwrap(),
        Breed::Thread => process::spawn(move |cx| by_hand(cx, ear)),
    }
}

struct Actor(Ear);

impl Actor {
    fn handle(&mut self, msg: Msg, cx: &mut Context<Msg>) -> Option<ExitReason> {
        match msg {
            Msg::Do(job) => job(cx),
            Msg::Tell(from, n) => (self.0)(Heard::Told(from, n), cx),
            Msg::Ask(reply) => reply.send(cx.pid()),
            Msg::End(reason) => return Some(reason),
        }
        None
    }
}

impl GenServer for Actor {
    type Args = Ear;
    type Msg = Msg;

    fn init(ear: Ear, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Actor(ear))
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        self.handle(msg, cx).map_or(Next::Loop, Next::Stop)
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<Msg> {
        match info {
            Info::Down(down) => (self.0)(Heard::Down(down), cx),
            Info::Exit(exit) => (self.0)(Heard::Exit(exit), cx),
            Info::Timeout => {}
        }
        Next::Loop
    }
}

fn by_hand(cx: &mut process::ThreadContext<Msg>, ear: Ear) {
    let mut actor = Actor(ear);
    loop {
        match cx.receive() {
            Received::Message(msg) => match actor.handle(msg, cx) {
                None => {}
                Some(ExitReason::Normal) => return,
                Some(reason) => cx.exit(reason),
            },
            Received::Exit(exit) => (actor.0)(Heard::Exit(exit), cx),
            Received::Down(down) => (actor.0)(Heard::Down(down), cx),
        }
    }
}
