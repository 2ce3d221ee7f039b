//! Messages that nobody waits for: one way, in a ring, to and fro among many, and to all.

use crate::server::{Msg, start, start_many};
use crate::{Args, Outcome};
use perennial::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// However long the queue is that the last call waits behind.
const FOREVER: Duration = Duration::MAX;

fn get_behind_all(server: &Ref<Msg>) -> u64 {
    server.call_for(FOREVER, Msg::Get).expect("it answers")
}

pub(crate) fn cast(args: &Args) -> Outcome {
    let server = start();
    let began = Instant::now();
    for _ in 0..args.n {
        server.cast(Msg::Inc);
    }
    assert_eq!(get_behind_all(&server), args.n);
    Outcome::new(args.n, began.elapsed())
}

pub(crate) fn fanin(args: &Args) -> Outcome {
    let server = start();
    let each = args.n / args.k;
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..args.k {
            scope.spawn(|| (0..each).for_each(|_| server.cast(Msg::Inc)));
        }
    });
    assert_eq!(get_behind_all(&server), each * args.k);
    Outcome::new(each * args.k, began.elapsed())
}

pub(crate) fn ring(args: &Args) -> Outcome {
    let servers = start_many(args.k);
    for (at, server) in servers.iter().enumerate() {
        server.cast(Msg::Next(servers[(at + 1) % servers.len()].clone()));
    }
    let (done, over) = channel();
    let began = Instant::now();
    servers[0].cast(Msg::Token(args.n, done));
    over.recv().expect("the token comes to its end");
    Outcome::new(args.n, began.elapsed())
}

pub(crate) fn big(args: &Args) -> Outcome {
    let servers = start_many(args.k);
    let all: Arc<[_]> = servers.as_slice().into();
    for server in &servers {
        server.cast(Msg::Peers(all.clone()));
    }
    let (done, over) = channel();
    let began = Instant::now();
    for server in &servers {
        server.cast(Msg::Go(args.n, done.clone()));
    }
    for _ in &servers {
        over.recv().expect("each comes to its end");
    }
    Outcome::new(args.n * args.k, began.elapsed())
}

pub(crate) fn fanout(args: &Args) -> Outcome {
    let servers = start_many(args.k);
    let count = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    for _ in 0..args.n {
        for server in &servers {
            server.cast(Msg::Fan(count.clone()));
        }
    }
    while count.load(Ordering::Relaxed) < args.n * args.k {
        thread::yield_now();
    }
    Outcome::new(args.n * args.k, began.elapsed())
}

/// What is sent by value is copied into the mailbox and out of it.
struct Sink<const BYTES: usize>(u64);

enum Block<const BYTES: usize> {
    Data([u8; BYTES]),
    Get(ReplyTo<u64>),
}

impl<const BYTES: usize> GenServer for Sink<BYTES> {
    type Args = ();
    type Msg = Block<BYTES>;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Sink(0))
    }

    fn handle(&mut self, msg: Block<BYTES>, _cx: &mut Cx<Self>) -> Next<Block<BYTES>> {
        match msg {
            Block::Data(data) => self.0 += u64::from(data[0]),
            Block::Get(reply) => reply.send(self.0),
        }
        Next::Loop
    }
}

pub(crate) fn sized(args: &Args) -> Outcome {
    match args.k {
        8 => blocks::<8>(args.n),
        64 => blocks::<64>(args.n),
        256 => blocks::<256>(args.n),
        1024 => blocks::<1024>(args.n),
        4096 => blocks::<4096>(args.n),
        other => panic!("messages have 8, 64, 256, 1024 or 4096 bytes, not {other}"),
    }
}

/// A thousand at a time, so that no queue grows for want of a reader.
fn blocks<const BYTES: usize>(n: u64) -> Outcome {
    let sink = gen_server::start::<Sink<BYTES>>(()).expect("it starts");
    let began = Instant::now();
    let mut left = n;
    while left > 0 {
        let now = left.min(1_000);
        (0..now).for_each(|_| sink.cast(Block::Data([1; BYTES])));
        left -= now;
        assert_eq!(sink.call(Block::Get), Ok(n - left));
    }
    Outcome::new(n, began.elapsed())
}
