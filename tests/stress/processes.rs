//! Processes of all sorts that link, watch, ask and end each other, and whole runtimes that end meanwhile.

use crate::storm::{Dice, crowd, rounds, storm, threads};
use crate::support::stage::builder;
use crate::support::{LONG, child, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, Counts, Kind, StartError};
use perennial::{ExitReason, MonitorRef, Pid, Runtime};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A server that does to others what it is told.
struct Body {
    watches: HashMap<MonitorRef, Pid>,
    ledger: Arc<Ledger>,
}

/// What became of all monitors.
#[derive(Default)]
struct Ledger {
    set: AtomicUsize,
    fired: AtomicUsize,
    taken_back: AtomicUsize,
    wrong: AtomicUsize,
}

enum Order {
    Link(Pid),
    Unlink(Pid),
    Monitor(Pid),
    Demonitor,
    Exit(Pid, ExitReason),
    Trap(bool),
    Sync(ReplyTo<()>),
}

impl GenServer for Body {
    type Args = Arc<Ledger>;
    type Msg = Order;

    fn init(ledger: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Body {
            watches: HashMap::new(),
            ledger,
        })
    }

    fn handle(&mut self, order: Order, cx: &mut Cx<Self>) -> Next<Order> {
        match order {
            // Whom it knows may be gone.
            Order::Link(pid) => drop(cx.link(pid)),
            Order::Unlink(pid) => cx.unlink(pid),
            Order::Monitor(pid) => {
                if pid != cx.pid() {
                    self.watches.insert(cx.monitor(pid), pid);
                    self.ledger.set.fetch_add(1, Ordering::Relaxed);
                }
            }
            Order::Demonitor => {
                let Some(monitor) = self.watches.keys().next().copied() else {
                    return Next::Loop;
                };
                // If it has fired already its down is here, and does not count as one.
                cx.demonitor_flush(monitor);
                self.watches.remove(&monitor);
                self.ledger.taken_back.fetch_add(1, Ordering::Relaxed);
            }
            Order::Exit(pid, reason) => process::exit(pid, reason),
            Order::Trap(trap) => drop(cx.trap_exit(trap)),
            Order::Sync(reply) => reply.send(()),
        }
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<Order> {
        if let Info::Down(down) = info {
            let known = self.watches.remove(&down.monitor) == Some(down.pid);
            let count = if known {
                &self.ledger.fired
            } else {
                &self.ledger.wrong
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
        Next::Loop
    }
}

fn bodies(count: usize, ledger: &Arc<Ledger>, kind: Kind) -> Vec<Ref<Order>> {
    (0..count)
        .map(|_| {
            let spec = gen_server::spec::<Body>(ledger.clone());
            let spec = if kind == Kind::Pooled {
                spec.pooled()
            } else {
                spec.thread()
            };
            spec.start().unwrap()
        })
        .collect()
}

/// One round: victims link, watch and end each other, while observers, whom nobody ends, watch them.
fn round(runtime: &Runtime, kind: Kind, seed: u64) {
    const VICTIMS: usize = 24;
    const ORDERS: usize = 1_500;
    let (theirs, ledger) = (Arc::<Ledger>::default(), Arc::<Ledger>::default());
    let victims = bodies(VICTIMS, &theirs, kind);
    let observers = bodies(3, &ledger, Kind::Pooled);
    crowd(runtime, 3, |member| {
        let mut dice = Dice::new(seed * 10 + member as u64);
        for _ in 0..ORDERS {
            let other = victims[dice.roll(VICTIMS)].pid();
            let observer = &observers[dice.roll(observers.len())];
            let victim = &victims[dice.roll(VICTIMS)];
            match dice.roll(200) {
                0 => victim.cast(Order::Exit(other, ExitReason::other("storm"))),
                1 => process::exit(other, ExitReason::Kill),
                2..10 => process::exit(other, ExitReason::Normal),
                10..60 => victim.cast(Order::Link(other)),
                60..100 => victim.cast(Order::Unlink(other)),
                100..120 => victim.cast(Order::Monitor(other)),
                120..130 => victim.cast(Order::Demonitor),
                130..140 => victim.cast(Order::Trap(dice.roll(3) > 0)),
                140..180 => observer.cast(Order::Monitor(other)),
                _ => observer.cast(Order::Demonitor),
            }
        }
    });
    for observer in &observers {
        observer.call(Order::Sync).unwrap();
    }
    eventually("links are symmetric", || {
        let infos: HashMap<Pid, _> = victims
            .iter()
            .filter_map(|victim| Some((victim.pid(), process::info(victim)?)))
            .collect();
        let has = |pid: &Pid, link: &Pid| {
            infos
                .get(link)
                .is_some_and(|other| other.links.contains(pid))
        };
        infos
            .iter()
            .all(|(pid, info)| info.links.iter().all(|link| has(pid, link)))
    });
    for victim in &victims {
        process::exit(victim, ExitReason::Kill);
    }
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    eventually("each monitor has fired or was taken back", || {
        count(&ledger.fired) + count(&ledger.taken_back) == count(&ledger.set)
    });
    for observer in &observers {
        observer.call(Order::Sync).unwrap();
        let info = process::info(observer).unwrap();
        assert_eq!((info.monitors, info.links), (vec![], vec![]));
        gen_server::stop(observer).unwrap();
    }
    assert_eq!(count(&ledger.wrong), 0);
    assert_eq!(count(&theirs.wrong), 0);
    assert_eq!(
        count(&ledger.fired) + count(&ledger.taken_back),
        count(&ledger.set),
        "a monitor fired twice"
    );
}

#[test]
fn storm_of_links_monitors_and_exits_leaves_nothing() {
    storm(builder(), |runtime| {
        for seed in 0..rounds(20) as u64 {
            round(runtime, Kind::Pooled, seed);
        }
        for seed in 0..rounds(1) as u64 {
            round(runtime, Kind::Thread, seed + 7);
        }
    });
}

/// Answers in one of several ways.
struct Desk {
    other: Option<Name<Ask>>,
    kept: Vec<ReplyTo<u64>>,
}

enum Ask {
    Now(u64, ReplyTo<u64>),
    /// With the next one.
    Later(ReplyTo<u64>),
    /// By somebody else.
    Elsewhere(u64, ReplyTo<u64>),
    /// After asking somebody else.
    Nested(u64, ReplyTo<u64>),
    Crash,
}

impl GenServer for Desk {
    type Args = Option<Name<Ask>>;
    type Msg = Ask;

    fn init(other: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Desk {
            other,
            kept: Vec::new(),
        })
    }

    fn handle(&mut self, ask: Ask, _: &mut Cx<Self>) -> Next<Ask> {
        match ask {
            Ask::Now(n, reply) => {
                for kept in self.kept.drain(..) {
                    kept.send(0);
                }
                reply.send(n);
            }
            Ask::Later(reply) => self.kept.push(reply),
            Ask::Elsewhere(n, reply) => match &self.other {
                Some(other) => other.cast(Ask::Now(n, reply)),
                None => reply.send(n),
            },
            Ask::Nested(n, reply) => {
                let answer = self
                    .other
                    .as_ref()
                    .map(|other| other.call(|reply| Ask::Now(n, reply)));
                reply.send(answer.and_then(Result::ok).unwrap_or(n));
            }
            Ask::Crash => panic!("storm"),
        }
        Next::Loop
    }
}

#[test]
fn every_call_among_kills_gets_an_answer_or_the_reason() {
    const FRONT: Name<Ask> = Name::new("front");
    const BACK: Name<Ask> = Name::new("back");
    for kind in [Kind::Pooled, Kind::Thread] {
        storm(builder().default_kind(kind), |runtime| {
            let desks = Supervisor::new(Strategy::OneForOne)
                .intensity(usize::MAX, Duration::from_secs(1))
                .child(Child::server::<Desk>("back", None).name(&BACK))
                .child(Child::server::<Desk>("front", Some(BACK)).name(&FRONT))
                .start()
                .unwrap();
            let (answered, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let calling = AtomicUsize::new(3);
            crowd(runtime, 4, |member| {
                let mut dice = Dice::new(member as u64 + 40);
                if member == 3 {
                    while calling.load(Ordering::Acquire) > 0 {
                        let victim = if dice.roll(2) == 0 { &FRONT } else { &BACK };
                        match dice.roll(3) {
                            0 => victim.cast(Ask::Crash),
                            _ => {
                                if let Some(pid) = process::whereis(victim.as_str()) {
                                    process::exit(
                                        pid,
                                        [ExitReason::Kill, ExitReason::other("storm")]
                                            [dice.roll(2)]
                                        .clone(),
                                    );
                                }
                            }
                        }
                        // Whoever asks gets in between.
                        drop(perennial::supervisor::count_children(&desks));
                    }
                    return;
                }
                for n in 1..=rounds(1_000) as u64 {
                    let desk = if dice.roll(2) == 0 { &FRONT } else { &BACK };
                    let way = dice.roll(8);
                    let answer = desk.call_for(LONG, |reply| match way {
                        0..3 => Ask::Now(n, reply),
                        3 => Ask::Later(reply),
                        4 | 5 => Ask::Elsewhere(n, reply),
                        _ => Ask::Nested(n, reply),
                    });
                    match answer {
                        Ok(m) => {
                            assert!(m == n || way == 3, "{m} for {n}");
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(CallError::NoProc | CallError::Exited(_)) => {
                            ended.fetch_add(1, Ordering::Relaxed);
                        }
                        // What was passed on may be dropped by an addressee that has gone.
                        Err(CallError::NoReply) if matches!(way, 4 | 5) => {
                            ended.fetch_add(1, Ordering::Relaxed);
                        }
                        other => panic!("way {way}: {other:?}"),
                    }
                }
                calling.fetch_sub(1, Ordering::Release);
            });
            assert_eq!(
                answered.load(Ordering::Relaxed) + ended.load(Ordering::Relaxed),
                3 * rounds(1_000)
            );
            perennial::supervisor::stop(&desks).unwrap();
        });
    }
}

/// Starts processes of all sorts, until the runtime refuses.
fn load(member: usize) {
    let ledger = Arc::<Ledger>::default();
    let mut dice = Dice::new(member as u64);
    loop {
        let spec = gen_server::spec::<Body>(ledger.clone());
        let started = match dice.roll(4) {
            0 => spec.thread().start().map(|_| ()),
            1 => process::try_spawn::<()>(|cx| drop(cx.receive())).map(|_| ()),
            2 => Supervisor::new(Strategy::OneForOne)
                .child(Child::server::<Body>("body", ledger.clone()))
                .start()
                .map(|_| ()),
            _ => spec.pooled().start().map(|_| ()),
        };
        match started {
            Ok(()) => {}
            // A start that is under way when all end ends with them.
            Err(StartError::Exit(_)) => {}
            Err(StartError::RuntimeStopped) => break,
            Err(error) => panic!("{error}"),
        }
        if process::counts().processes > 60 {
            for pid in process::processes() {
                process::exit(pid, ExitReason::Shutdown);
            }
        }
    }
}

fn come_and_go() {
    let base = threads();
    for round in 0..rounds(60) {
        let runtime = Arc::new(Runtime::builder().workers(2).build().unwrap());
        let entered = Arc::new(AtomicUsize::new(0));
        let refused = Arc::new(AtomicUsize::new(0));
        let crew: Vec<_> = (0..2)
            .map(|member| {
                let (runtime, entered, refused) =
                    (runtime.clone(), entered.clone(), refused.clone());
                thread::spawn(move || {
                    let _entered = runtime.enter();
                    drop(runtime);
                    entered.fetch_add(1, Ordering::Release);
                    load(round * 2 + member);
                    refused.fetch_add(1, Ordering::Relaxed);
                    // What was started is ended, whoever was faster.
                    eventually("no process is left", || process::counts().processes == 0);
                })
            })
            .collect();
        eventually("the load is there", || entered.load(Ordering::Acquire) == 2);
        let runtime = Arc::into_inner(runtime).expect("the crew has entered");
        let entered = runtime.enter();
        eventually("there are processes", || process::counts().processes > 10);
        drop(entered);
        let report = runtime.shutdown(LONG);
        for member in crew {
            member.join().expect("no panic");
        }
        assert_eq!(report.zombies, 0, "round {round}: {report:?}");
        assert_eq!(refused.load(Ordering::Relaxed), 2);
        // The system lists a thread that was joined for another moment.
        eventually("no thread is left", || threads() == base);
    }
}

/// In a program of its own, whose threads are counted.
#[test]
fn runtimes_that_end_under_load_leave_neither_thread_nor_process() {
    if child::role().is_some() {
        return come_and_go();
    }
    let name = "processes::runtimes_that_end_under_load_leave_neither_thread_nor_process";
    let ended = child::play(name, "load");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn ten_thousand_come_and_go_while_others_look() {
    let each = rounds(1_500);
    storm(builder(), |runtime| {
        let ledger = Arc::<Ledger>::default();
        let working = AtomicUsize::new(4);
        crowd(runtime, 6, |member| {
            let mut dice = Dice::new(member as u64 + 90);
            if member >= 4 {
                while working.load(Ordering::Acquire) > 0 {
                    for pid in process::processes() {
                        let name = process::info(pid).and_then(|info| info.registered_name);
                        if let Some(found) = name.and_then(|name| process::whereis(&name)) {
                            assert_eq!(found, pid, "a name is used once here");
                        }
                    }
                }
                return;
            }
            let mut alive = Vec::new();
            for n in 0..each {
                let name = Name::owned(format!("body {member} {n}"));
                let spec = gen_server::spec::<Body>(ledger.clone())
                    .pooled()
                    .name(&name);
                let body = spec.start().unwrap();
                assert_eq!(name.whereis(), Some(body.clone()));
                alive.push((name, body));
                if alive.len() > 100 {
                    let (name, body) = alive.swap_remove(dice.roll(100));
                    match dice.roll(2) {
                        0 => gen_server::stop(&body).unwrap(),
                        _ => {
                            let mut watch = process::watch(&body);
                            process::exit(&body, ExitReason::Kill);
                            watch.wait(LONG).unwrap();
                        }
                    }
                    assert_eq!(name.whereis(), None);
                    assert!(!process::is_alive(body.pid()));
                }
            }
            for (_, body) in alive {
                gen_server::stop(&body).unwrap();
            }
            working.fetch_sub(1, Ordering::Release);
        });
        assert_eq!(runtime.counts(), Counts::default());
    });
}
