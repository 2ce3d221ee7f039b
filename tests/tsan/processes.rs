//! Processes of both kinds, and with them the pool, its timers and its spare workers.

use perennial::prelude::*;
use perennial::process::{self, Kind, Received};
use perennial::sync::{Arc, thread};
use perennial::{ExitReason, Runtime};
use std::time::Duration;

pub(crate) const ALL: [(&str, fn()); 7] = [
    ("ring_of_servers", ring_of_servers),
    ("calls_from_everywhere", calls_from_everywhere),
    (
        "blocking_calls_between_servers",
        blocking_calls_between_servers,
    ),
    ("kills_while_calling", kills_while_calling),
    ("links_and_monitors", links_and_monitors),
    ("timers_and_requests", timers_and_requests),
    ("runtimes_come_and_go", runtimes_come_and_go),
];

pub(crate) const LONG: Duration = Duration::from_secs(60);
const THREADS: usize = 3;
pub(crate) const ROUNDS: usize = 3_000;

pub(crate) fn runtime() -> Runtime {
    Runtime::builder().workers(3).build().expect("threads")
}

pub(crate) fn end(runtime: Runtime) {
    let report = runtime.shutdown(LONG);
    assert_eq!(report.zombies, 0, "{report:?}");
}

/// Runs `f` on several plain threads that have entered the runtime.
pub(crate) fn crowd(runtime: &Arc<Runtime>, f: impl Fn(usize) + Send + Sync + 'static) {
    let f = Arc::new(f);
    let crowd: Vec<_> = (0..THREADS)
        .map(|number| {
            let (runtime, f) = (runtime.clone(), f.clone());
            let main = move || {
                let _entered = runtime.enter();
                f(number);
            };
            thread::spawn(format!("crowd-{number}"), None, main).expect("a thread")
        })
        .collect();
    for member in crowd {
        member.join().expect("no panic");
    }
}

pub(crate) fn with_crowd(f: impl Fn(usize) + Send + Sync + 'static) {
    let runtime = Arc::new(runtime());
    crowd(&runtime, f);
    end(Arc::into_inner(runtime).expect("the crowd is gone"));
}

/// Keeps words, and passes tokens on.
pub(crate) struct Shelf {
    words: Vec<String>,
    next: Option<Ref<ShelfMsg>>,
}

pub(crate) enum ShelfMsg {
    Put(String),
    Count(ReplyTo<usize>),
    Next(Ref<ShelfMsg>),
    Token(u32, ReplyTo<()>),
    /// Asks the next one, and waits for it.
    Ask(ReplyTo<usize>),
    /// Asks the next one, and does not wait.
    Forward(ReplyTo<usize>),
    Crash,
}

impl GenServer for Shelf {
    type Args = ();
    type Msg = ShelfMsg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Shelf {
            words: Vec::new(),
            next: None,
        })
    }

    fn handle(&mut self, msg: ShelfMsg, cx: &mut Cx<Self>) -> Next<ShelfMsg> {
        match msg {
            ShelfMsg::Put(word) => self.words.push(word),
            ShelfMsg::Count(reply) => reply.send(self.words.len()),
            ShelfMsg::Next(next) => self.next = Some(next),
            ShelfMsg::Token(0, reply) => reply.send(()),
            ShelfMsg::Token(hops, reply) => {
                self.words.push(hops.to_string());
                let next = self.next.as_ref().expect("a ring");
                next.cast(ShelfMsg::Token(hops - 1, reply));
            }
            ShelfMsg::Ask(reply) => {
                let next = self.next.as_ref().expect("a neighbour");
                if let Ok(count) = next.call(ShelfMsg::Count) {
                    reply.send(count + self.words.len());
                }
            }
            ShelfMsg::Forward(reply) => {
                let next = self.next.clone().expect("a neighbour");
                cx.request(&next, ShelfMsg::Count, |shelf, result, _cx| {
                    if let Ok(count) = result {
                        reply.send(count + shelf.words.len());
                    }
                    Next::Loop
                });
            }
            ShelfMsg::Crash => panic!("on purpose"),
        }
        Next::Loop
    }
}

fn shelf(kind: Kind) -> Ref<ShelfMsg> {
    let spec = gen_server::spec::<Shelf>(());
    let spec = if kind == Kind::Thread {
        spec.thread()
    } else {
        spec.pooled()
    };
    spec.start().expect("a shelf")
}

fn ring_of_servers() {
    with_crowd(|_| {
        let ring: Vec<_> = (0..50).map(|_| shelf(Kind::Pooled)).collect();
        for (at, member) in ring.iter().enumerate() {
            member.cast(ShelfMsg::Next(ring[(at + 1) % ring.len()].clone()));
        }
        for member in &ring[..4] {
            let done = member.call_for(LONG, |reply| ShelfMsg::Token(10_000, reply));
            assert_eq!(done, Ok(()));
        }
        for member in &ring {
            gen_server::stop(member).expect("it lives");
        }
    });
}

fn calls_from_everywhere() {
    let runtime = Arc::new(runtime());
    let entered = runtime.enter();
    let shelves = Arc::new([shelf(Kind::Pooled), shelf(Kind::Thread)]);
    drop(entered);
    let shared = shelves.clone();
    crowd(&runtime, move |me| {
        for round in 0..ROUNDS {
            for shelf in shared.iter() {
                shelf.cast(ShelfMsg::Put(format!("{me} {round}")));
                assert!(shelf.call_for(LONG, ShelfMsg::Count).expect("it lives") > round);
            }
        }
    });
    for shelf in shelves.iter() {
        assert_eq!(shelf.call_for(LONG, ShelfMsg::Count), Ok(THREADS * ROUNDS));
    }
    drop(shelves);
    end(Arc::into_inner(runtime).expect("the crowd is gone"));
}

fn blocking_calls_between_servers() {
    with_crowd(|_| {
        let (front, pooled, thread) = (
            shelf(Kind::Pooled),
            shelf(Kind::Pooled),
            shelf(Kind::Thread),
        );
        for back in [pooled, thread] {
            front.cast(ShelfMsg::Next(back.clone()));
            for round in 0..ROUNDS / 5 {
                back.cast(ShelfMsg::Put(round.to_string()));
                let count = front.call_for(LONG, ShelfMsg::Ask);
                assert_eq!(count, Ok(round + 1));
            }
        }
    });
}

/// Servers that end in every way while others call them.
fn kills_while_calling() {
    static NAME: Name<ShelfMsg> = Name::new("shelf");
    with_crowd(|me| {
        for round in 0..ROUNDS / 8 {
            let kind = [Kind::Pooled, Kind::Thread][round % 2];
            let spec = gen_server::spec::<Shelf>(()).name(&NAME);
            let spec = if kind == Kind::Thread {
                spec.thread()
            } else {
                spec.pooled()
            };
            // Another one may have the name; the calls go to whoever has it.
            let started = spec.start();
            for _ in 0..10 {
                NAME.cast(ShelfMsg::Put("a word".to_owned()));
                let _ = NAME.call_for(LONG, ShelfMsg::Count);
            }
            if let Ok(shelf) = started {
                let mut watch = process::watch(&shelf);
                match (me + round) % 3 {
                    0 => process::exit(&shelf, ExitReason::Kill),
                    1 => process::exit(&shelf, ExitReason::Shutdown),
                    _ => shelf.cast(ShelfMsg::Crash),
                }
                assert!(watch.wait(LONG).is_some());
            }
        }
    });
}

fn links_and_monitors() {
    with_crowd(|me| {
        for round in 0..ROUNDS / 8 {
            process::run::<(), _>(|cx| {
                cx.trap_exit(true);
                let child = process::spawn_link::<u32>(move |cx| {
                    let words: Vec<String> = (0..10).map(|n| n.to_string()).collect();
                    if (me + round) % 2 == 0 {
                        cx.receive();
                    }
                    assert!(words.len() > 10, "on purpose");
                })
                .expect("inside a process");
                cx.monitor(&child);
                child.cast(7);
                let (mut down, mut exit) = (false, false);
                while !(down && exit) {
                    match cx.receive_timeout(LONG) {
                        Some(Received::Down(_)) => down = true,
                        Some(Received::Exit(_)) => exit = true,
                        other => panic!("{other:?}"),
                    }
                }
            })
            .expect("a normal end");
        }
    });
}

fn timers_and_requests() {
    with_crowd(|me| {
        let (front, back) = (shelf(Kind::Pooled), shelf(Kind::Pooled));
        front.cast(ShelfMsg::Next(back.clone()));
        for round in 0..ROUNDS as u64 / 2 {
            let delay = Duration::from_micros((round * 37 + me as u64) % 900);
            let timer = process::send_after(delay, back.clone(), ShelfMsg::Put("late".to_owned()));
            let counted = front.call_for(LONG, ShelfMsg::Forward);
            assert!(counted.is_ok(), "{counted:?}");
            if round % 2 == 0 {
                process::cancel_timer(timer);
            }
        }
    });
}

fn runtimes_come_and_go() {
    for _ in 0..ROUNDS / 50 {
        with_crowd(|_| {
            let shelves = [shelf(Kind::Pooled), shelf(Kind::Thread)];
            for shelf in &shelves {
                shelf.cast(ShelfMsg::Put("left behind".to_owned()));
            }
        });
    }
}
