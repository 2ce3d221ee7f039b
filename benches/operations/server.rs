//! The server that all groups run: a counter that knows whom to pass a token to.

use perennial::prelude::*;
use perennial::{ExitReason, Ref};
use std::sync::mpsc::Sender;

type Work = Box<dyn FnOnce(&mut Cx<Server>) + Send>;

pub(crate) enum Msg {
    Inc,
    Get(ReplyTo<u64>),
    /// The server that the token goes to next.
    Next(Ref<Msg>),
    /// Hops that are left, and whom to tell when none is.
    Token(u64, Sender<()>),
    /// Something to tell whoever waits.
    Note(Sender<()>),
    Stop,
    /// Runs something inside the server.
    Run(Work),
}

pub(crate) struct Server {
    count: u64,
    next: Option<Ref<Msg>>,
}

impl GenServer for Server {
    type Args = ();
    type Msg = Msg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Server {
            count: 0,
            next: None,
        })
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Inc => self.count += 1,
            Msg::Get(reply) => reply.send(self.count),
            Msg::Next(next) => self.next = Some(next),
            Msg::Token(0, done) => done.send(()).expect("somebody waits"),
            Msg::Token(hops, done) => {
                let next = self.next.as_ref().expect("a ring is closed");
                next.cast(Msg::Token(hops - 1, done));
            }
            Msg::Note(done) => done.send(()).expect("somebody waits"),
            Msg::Stop => return Next::Stop(ExitReason::Shutdown),
            Msg::Run(run) => run(cx),
        }
        Next::Loop
    }
}

pub(crate) fn start() -> Ref<Msg> {
    gen_server::start::<Server>(()).expect("it starts")
}

pub(crate) fn start_many(count: usize) -> Vec<Ref<Msg>> {
    (0..count).map(|_| start()).collect()
}

pub(crate) fn get(server: &Ref<Msg>) -> u64 {
    server.call(Msg::Get).expect("it answers")
}

/// However long the queue is that the call waits behind.
pub(crate) fn get_behind_all(server: &Ref<Msg>) -> u64 {
    server
        .call_for(std::time::Duration::MAX, Msg::Get)
        .expect("it answers")
}

/// Runs `run` inside a pooled server of its own, which ends when it has sent something, and waits for that.
pub(crate) fn inside<T: Send + 'static>(
    run: impl FnOnce(&mut Cx<Server>, Sender<T>) + Send + 'static,
) -> T {
    let (done, result) = std::sync::mpsc::channel();
    let server = start();
    server.cast(Msg::Run(Box::new(move |cx| run(cx, done))));
    let result = result.recv().expect("it ends by sending");
    server.cast(Msg::Stop);
    result
}
