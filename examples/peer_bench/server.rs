//! The server that all workloads run: a counter, and a player in those that need many.

use perennial::prelude::*;
use perennial::{ExitReason, Ref};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

type Work = Box<dyn FnOnce(&mut Server, &mut Cx<Server>) -> Next<Msg> + Send>;

pub(crate) enum Msg {
    Inc,
    Get(ReplyTo<u64>),
    /// The server that the token goes to next.
    Next(Ref<Msg>),
    /// Hops that are left, and whom to tell when none is.
    Token(u64, Sender<()>),
    /// Whom to play with.
    Peers(Arc<[Ref<Msg>]>),
    /// Pings to send, and whom to tell when all have come back.
    Go(u64, Sender<()>),
    Ping(Ref<Msg>),
    Pong,
    /// A delivery, counted by all who get one.
    Fan(Arc<AtomicU64>),
    Stop,
    Panic,
    /// Runs something inside the server.
    Run(Work),
}

pub(crate) struct Server {
    pub(crate) count: u64,
    part: Option<Box<Part>>,
}

/// What a server keeps that plays a part in a ring or among many.
#[derive(Default)]
struct Part {
    next: Option<Ref<Msg>>,
    peers: Option<Arc<[Ref<Msg>]>>,
    pings: u64,
    done: Option<Sender<()>>,
    seed: u64,
}

impl GenServer for Server {
    type Args = ();
    type Msg = Msg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Server {
            count: 0,
            part: None,
        })
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Inc => self.count += 1,
            Msg::Get(reply) => reply.send(self.count),
            Msg::Next(next) => self.part().next = Some(next),
            Msg::Token(hops, done) => self.pass(hops, done),
            Msg::Peers(peers) => {
                // Any odd number will do, if each server has another.
                self.part().seed = u64::from(cx.pid().id()) * 2 + 1;
                self.part().peers = Some(peers);
            }
            Msg::Go(pings, done) => {
                let part = self.part();
                (part.pings, part.done) = (pings, Some(done));
                part.ping(cx.me());
            }
            Msg::Ping(from) => from.cast(Msg::Pong),
            Msg::Pong => self.part().pong(cx.me()),
            Msg::Fan(count) => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Msg::Stop => return Next::Stop(ExitReason::other("stop")),
            Msg::Panic => panic!("panic"),
            Msg::Run(run) => return run(self, cx),
        }
        Next::Loop
    }
}

impl Server {
    fn part(&mut self) -> &mut Part {
        self.part.get_or_insert_default()
    }

    fn pass(&mut self, hops: u64, done: Sender<()>) {
        if hops == 0 {
            return done.send(()).expect("somebody waits");
        }
        let next = self.part().next.as_ref().expect("a ring is closed");
        next.cast(Msg::Token(hops - 1, done));
    }
}

impl Part {
    /// Asks one of the peers, whichever comes.
    fn ping(&mut self, me: &Ref<Msg>) {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let peers = self.peers.as_ref().expect("peers come first");
        let peer = &peers[(self.seed % peers.len() as u64) as usize];
        peer.cast(Msg::Ping(me.clone()));
    }

    fn pong(&mut self, me: &Ref<Msg>) {
        self.pings -= 1;
        if self.pings > 0 {
            return self.ping(me);
        }
        let done = self.done.as_ref().expect("whoever asked waits");
        done.send(()).expect("whoever asked waits");
    }
}

pub(crate) fn start() -> Ref<Msg> {
    gen_server::start::<Server>(()).expect("it starts")
}

pub(crate) fn start_many(count: u64) -> Vec<Ref<Msg>> {
    (0..count).map(|_| start()).collect()
}

pub(crate) fn get(server: &Ref<Msg>) -> u64 {
    server.call(Msg::Get).expect("it answers")
}

/// Runs `run` inside a pooled server of its own and waits for what it sends.
pub(crate) fn inside<T: Send + 'static>(
    run: impl FnOnce(&mut Cx<Server>, Sender<T>) -> Next<Msg> + Send + 'static,
) -> T {
    let (done, result) = std::sync::mpsc::channel();
    start().cast(Msg::Run(Box::new(move |_, cx| run(cx, done))));
    result.recv().expect("it ends by sending")
}
