//! Balancers: who gets what, and who is passed over.

use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, TryCastError};
use perennial::supervisor;
use perennial::{Balance, Balancer, ExitReason, Pid};
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{self, Receiver, Sender};

enum Msg {
    Who(ReplyTo<Pid>),
    /// Says that it has begun, and waits.
    Hold(Sender<Pid>, Receiver<()>),
    /// The same as a call.
    Keep(Sender<Pid>, Receiver<()>, ReplyTo<()>),
    Crash,
}

struct Worker;

impl GenServer for Worker {
    type Args = ();
    type Msg = Msg;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Worker)
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Who(reply) => reply.send(cx.pid()),
            Msg::Hold(begun, go_on) => {
                begun.send(cx.pid()).unwrap();
                // A test that ends lets go as well.
                let _ = go_on.recv();
            }
            Msg::Keep(begun, go_on, reply) => {
                begun.send(cx.pid()).unwrap();
                let _ = go_on.recv();
                reply.send(());
            }
            Msg::Crash => panic!("out of paper"),
        }
        Next::Loop
    }
}

fn workers(kind: Kind, count: usize) -> Vec<Ref<Msg>> {
    let start = |_| {
        let spec = gen_server::spec::<Worker>(());
        match kind {
            Kind::Thread => spec.thread(),
            Kind::Pooled => spec.pooled(),
        }
        .start()
        .unwrap()
    };
    (0..count).map(start).collect()
}

fn stop(workers: &[Ref<Msg>]) {
    for worker in workers {
        process::exit(worker, ExitReason::Shutdown);
        ended(worker.pid());
    }
}

/// How often each worker answered.
fn answers(to: &impl Dest<Msg = Msg>, calls: usize) -> HashMap<Pid, usize> {
    let mut answers = HashMap::new();
    for _ in 0..calls {
        *answers
            .entry(to.call_for(LONG, Msg::Who).unwrap())
            .or_default() += 1;
    }
    answers
}

#[test]
fn round_robin_goes_round_the_living() {
    on_both_kinds(|kind| {
        let workers = workers(kind, 3);
        let balancer = Balancer::new(Balance::RoundRobin, workers.clone());
        let in_turn: Vec<Pid> = (0..6).map(|_| balancer.call(Msg::Who).unwrap()).collect();
        let pids: Vec<Pid> = workers.iter().map(Ref::pid).collect();
        assert_eq!(in_turn, [&pids[..], &pids[..]].concat());
        stop(&workers[1..2]);
        let counts = answers(&balancer, 30);
        assert_eq!(counts.len(), 2, "{counts:?}");
        stop(&workers);
        assert_eq!(balancer.call(Msg::Who), Err(CallError::NoProc));
        assert!(matches!(
            balancer.try_cast(Msg::Crash),
            Err(TryCastError::NoProc(Msg::Crash))
        ));
        assert_eq!(balancer.pick(), None);
    });
}

#[test]
fn balancer_without_workers_leads_nowhere() {
    in_runtime(|| {
        for balance in [
            Balance::RoundRobin,
            Balance::LeastLoaded,
            Balance::PowerOfTwoChoices,
        ] {
            let nobody: Balancer<Ref<Msg>> = Balancer::new(balance, []);
            assert_eq!(nobody.call(Msg::Who), Err(CallError::NoProc));
            assert_eq!(nobody.by("a").pick(), None);
        }
    });
}

/// A worker that has a call in hand is left alone while another has answered all of its own.
#[test]
fn worker_with_a_call_in_hand_is_left_alone() {
    for balance in [Balance::LeastLoaded, Balance::PowerOfTwoChoices] {
        in_runtime(|| {
            let workers = workers(Kind::Thread, 2);
            let balancer = Balancer::new(balance, workers.clone());
            let ((begun, has_begun), (go, wait)) = (mpsc::channel(), mpsc::channel());
            let (asks, answered) = (balancer.clone(), mpsc::channel());
            process::spawn::<()>(move |_| {
                let kept = asks.call_for(LONG, |reply| Msg::Keep(begun, wait, reply));
                answered.0.send(kept).unwrap();
            });
            let busy = has_begun.recv_timeout(LONG).unwrap();
            let idle = workers.iter().find(|worker| worker.pid() != busy).unwrap();
            let counts = answers(&balancer, 200);
            assert_eq!(counts, HashMap::from([(idle.pid(), 200)]));
            go.send(()).unwrap();
            assert_eq!(answered.1.recv_timeout(LONG).unwrap(), Ok(()));
            stop(&workers);
        });
    }
}

#[test]
fn idle_workers_share_what_comes() {
    on_both_kinds(|kind| {
        for balance in [Balance::LeastLoaded, Balance::PowerOfTwoChoices] {
            let workers = workers(kind, 4);
            let balancer = Balancer::new(balance, workers.clone());
            // One whose thread the system lets wait looks busy, and is left alone meanwhile.
            let mut seen = HashMap::new();
            eventually("each has answered", || {
                seen.extend(answers(&balancer, 10));
                seen.len() == 4
            });
            stop(&workers[..2]);
            let living: Vec<Pid> = workers[2..].iter().map(Ref::pid).collect();
            let mut seen = HashMap::new();
            eventually("each of those who live has answered", || {
                seen.extend(answers(&balancer, 10));
                assert!(seen.keys().all(|pid| living.contains(pid)), "{balance:?}");
                seen.len() == 2
            });
            stop(&workers[2..]);
            assert_eq!(balancer.pick(), None);
        }
    });
}

/// Work that piles up goes to the shorter queue.
#[test]
fn queues_grow_evenly() {
    in_runtime(|| {
        let workers = workers(Kind::Thread, 4);
        let mut held = Vec::new();
        for worker in &workers {
            let ((begun, has_begun), (go, wait)) = (mpsc::channel(), mpsc::channel());
            worker.cast(Msg::Hold(begun, wait));
            has_begun.recv_timeout(LONG).unwrap();
            held.push(go);
        }
        let balancer = Balancer::new(Balance::LeastLoaded, workers.clone());
        // A queue that is there from the beginning counts.
        for _ in 0..10 {
            workers[0].cast(Msg::Hold(mpsc::channel().0, mpsc::channel().1));
        }
        for _ in 0..50 {
            balancer.cast(Msg::Hold(mpsc::channel().0, mpsc::channel().1));
        }
        let len = |worker: &Ref<Msg>| process::info(worker).unwrap().message_queue_len;
        let mut lengths: Vec<usize> = workers.iter().map(len).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [15, 15, 15, 15]);
        for worker in &workers {
            process::exit(worker, ExitReason::Kill);
        }
        drop(held);
        stop(&workers);
    });
}

#[test]
fn key_stays_with_its_worker_and_moves_only_when_that_dies() {
    on_both_kinds(|kind| {
        let workers = workers(kind, 5);
        let balancer = Balancer::new(Balance::RoundRobin, workers.clone());
        let place = |key: u32| balancer.by(&key).call(Msg::Who).unwrap();
        let before: BTreeMap<u32, Pid> = (0..500).map(|key| (key, place(key))).collect();
        for worker in &workers {
            let share = before.values().filter(|pid| **pid == worker.pid()).count();
            assert!(
                (50..=150).contains(&share),
                "{share} of 500 keys for one of 5"
            );
        }
        assert!((0..500).all(|key| place(key) == before[&key]));
        let dead = workers[2].pid();
        stop(&workers[2..3]);
        for (key, was) in &before {
            let now = place(*key);
            assert!(now != dead && (*was == dead || now == *was), "key {key}");
        }
        stop(&workers);
    });
}

#[test]
fn restarted_worker_is_back_in_the_line() {
    static NAMES: [Name<Msg>; 2] = [Name::new("worker 0"), Name::new("worker 1")];
    on_both_kinds(|kind| {
        let mut under = Supervisor::new(Strategy::OneForOne);
        for name in &NAMES {
            let child = Child::server::<Worker>(name.as_str(), ()).name(name);
            under = under.child(match kind {
                Kind::Thread => child.thread(),
                Kind::Pooled => child.pooled(),
            });
        }
        let under = under.start().unwrap();
        let balancer = Balancer::new(Balance::RoundRobin, &NAMES);
        assert_eq!(answers(&balancer, 10).len(), 2);
        let dead = NAMES[0].whereis().unwrap();
        NAMES[0].cast(Msg::Crash);
        ended(dead.pid());
        eventually("the restart", || NAMES[0].whereis().is_some());
        let counts = answers(&balancer, 10);
        assert_eq!(counts.len(), 2);
        assert!(!counts.contains_key(&dead.pid()));
        supervisor::stop(&under).unwrap();
    });
}
