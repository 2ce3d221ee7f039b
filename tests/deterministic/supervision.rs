//! Supervision trees in a storm.

use crate::actor::{Msg, deaf, job};
use crate::each_seed;
use crate::support::puppet::BREEDS;
use crate::support::seeds::Dice;
use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{ChildState, Restart, ServerChild, dynamic_supervisor};
use perennial::{ExitReason, Pid};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CHILDREN: usize = 4;
const SECOND: Duration = Duration::from_secs(1);

/// Starts and ends of children, in order.
type Log = Arc<Mutex<Vec<(usize, bool)>>>;

struct Worker {
    number: usize,
    log: Log,
}

impl GenServer for Worker {
    type Args = (usize, Log);
    type Msg = Msg;

    fn init((number, log): Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        log.lock().unwrap().push((number, true));
        Init::Ok(Worker { number, log })
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Do(job) => job(cx),
            Msg::Ask(reply) => reply.send(cx.pid()),
            Msg::Tell(..) => panic!("out of paper"),
            Msg::End(reason) => return Next::Stop(reason),
        }
        Next::Loop
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.log.lock().unwrap().push((self.number, false));
    }
}

static NAMES: [Name<Msg>; CHILDREN] = [
    Name::new("w0"),
    Name::new("w1"),
    Name::new("w2"),
    Name::new("w3"),
];

fn child(dice: &mut Dice, number: usize, log: &Log) -> ServerChild<Worker> {
    let log = log.clone();
    let child = Child::with::<Worker>(format!("w{number}"), move || (number, log.clone()));
    let child = child.name(&NAMES[number]);
    if dice.below(2) == 0 {
        child.thread()
    } else {
        child.pooled()
    }
}

fn strategy(dice: &mut Dice) -> Strategy {
    [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ][dice.below(3)]
}

/// Children crash, are killed and told to end, several at a time, and call each other meanwhile.
fn storm(dice: &mut Dice, blows: usize) {
    for _ in 0..blows {
        let target = NAMES[dice.below(CHILDREN)].clone();
        let other = NAMES[dice.below(CHILDREN)].clone();
        let thrower = deaf(BREEDS[dice.below(3)]);
        let what = dice.below(4);
        thrower.cast(job(move |_| match what {
            0 => target.cast(Msg::Tell(0, 0)),
            1 => {
                if let Some(target) = target.whereis() {
                    process::exit(&target, ExitReason::Kill);
                }
            }
            2 => target.cast(Msg::End(ExitReason::Normal)),
            _ => target.cast(job(move |_| drop(other.call(Msg::Ask)))),
        }));
        thrower.cast(Msg::End(ExitReason::Normal));
    }
}

/// After any storm all children are up, each once, under its name, and the supervisor knows them.
#[test]
fn tree_stands_after_the_storm() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let log = Log::default();
        let tree = (0..CHILDREN).fold(
            Supervisor::new(strategy(&mut dice)).intensity(1_000, SECOND),
            |tree, n| {
                let child = child(&mut dice, n, &log);
                match dice.below(3) {
                    0 => tree.child(child.backoff(SECOND / 1_000, SECOND / 20)),
                    _ => tree.child(child),
                }
            },
        );
        let tree = tree.start().unwrap();
        storm(&mut dice, 6);
        // Two that call each other hear of it after ten milliseconds, and then there is more of the storm.
        hand.advance(10 * SECOND);
        let children = supervisor::which_children(&tree).unwrap();
        assert_eq!(children.len(), CHILDREN);
        for (number, name) in NAMES.iter().enumerate() {
            let worker = name.whereis().expect("it was restarted");
            assert_eq!(worker.call(Msg::Ask), Ok(worker.pid()));
            let known = children
                .iter()
                .find(|child| child.id.as_deref() == Some(&format!("w{number}")));
            assert_eq!(
                known.map(|child| child.state),
                Some(ChildState::Running(worker.pid()))
            );
            let info = process::info(worker.pid()).unwrap();
            assert_eq!(info.links, [tree.pid()]);
        }
        // Of one number one is up at a time.
        let mut up = [false; CHILDREN];
        for (number, starts) in log.lock().unwrap().drain(..) {
            assert_ne!(
                std::mem::replace(&mut up[number], starts),
                starts,
                "w{number}"
            );
        }
        supervisor::stop(&tree).unwrap();
        // In reverse order, when all is quiet.
        let ends: Vec<_> = log
            .lock()
            .unwrap()
            .iter()
            .map(|(number, _)| *number)
            .collect();
        assert_eq!(ends, [3, 2, 1, 0]);
    });
}

/// A supervisor whose children crash too fast ends, and takes all of them along; whoever hears of its end finds none.
#[test]
fn supervisor_that_gives_up_leaves_nobody() {
    each_seed(|runtime, hand| {
        let mut dice = Dice::new(hand.seed());
        let log = Log::default();
        let tree = (0..CHILDREN).fold(
            Supervisor::new(strategy(&mut dice)).intensity(1, 5 * SECOND),
            |tree, n| tree.child(child(&mut dice, n, &log)),
        );
        let tree = tree.start().unwrap();
        let mut watch = process::watch(&tree);
        let found: Arc<Mutex<Option<Vec<bool>>>> = Arc::default();
        let (heard, pid) = (found.clone(), tree.pid());
        let mourner = crate::actor::start(BREEDS[dice.below(3)], move |_, _| {
            let alive = NAMES.iter().map(|name| name.whereis().is_some()).collect();
            *heard.lock().unwrap() = Some(alive);
        });
        mourner.cast(job(move |cx| {
            cx.monitor(pid);
        }));
        hand.run_until_idle();
        let mut rounds = 0;
        while tree.is_alive() {
            NAMES[dice.below(CHILDREN)].cast(Msg::End(ExitReason::other("again")));
            hand.run_until_idle();
            rounds += 1;
        }
        assert_eq!(rounds, 2);
        assert_eq!(
            watch.wait(SECOND).map(|down| down.reason),
            Some(ExitReason::Shutdown)
        );
        assert_eq!(*found.lock().unwrap(), Some(vec![false; CHILDREN]));
        assert_eq!(runtime.counts().names, 0);
        mourner.cast(Msg::End(ExitReason::Normal));
    });
}

/// A supervisor that is killed takes its children along by their links, and its own supervisor builds the tree again.
#[test]
fn killed_subtree_is_built_again() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let log = Log::default();
        let (kept, threads) = (log.clone(), [dice.below(2) == 0, dice.below(2) == 0]);
        let inner = move || {
            threads.into_iter().enumerate().fold(
                Supervisor::new(Strategy::OneForOne),
                |tree, (number, thread)| {
                    let log = kept.clone();
                    let child =
                        Child::with::<Worker>(format!("w{number}"), move || (number, log.clone()));
                    let child = child.name(&NAMES[number]);
                    tree.child(if thread {
                        child.thread()
                    } else {
                        child.pooled()
                    })
                },
            )
        };
        let outer = Supervisor::new(strategy(&mut dice)).intensity(1_000, SECOND);
        let outer = outer
            .child(Child::supervisor("inner", inner))
            .start()
            .unwrap();
        for _ in 0..2 {
            let children = supervisor::which_children(&outer).unwrap();
            let ChildState::Running(inner) = children[0].state else {
                panic!("{children:?}")
            };
            let killer = deaf(BREEDS[dice.below(3)]);
            killer.cast(job(move |_| process::exit(inner, ExitReason::Kill)));
            killer.cast(Msg::End(ExitReason::Normal));
            hand.run_until_idle();
        }
        // A name may still belong to the predecessor for a moment, and then the start is tried again.
        let up = || NAMES[..2].iter().all(|name| name.whereis().is_some());
        hand.run_until(up).unwrap();
        supervisor::stop(&outer).unwrap();
        assert!(!up());
    });
}

/// Children of a dynamic supervisor start, end and are terminated at the same time: it knows those who live, and no other.
#[test]
fn dynamic_supervisor_knows_who_lives() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let log = Log::default();
        let tree = DynamicSupervisor::new()
            .max_children(3)
            .intensity(1_000, SECOND)
            .start()
            .unwrap();
        let started: Arc<Mutex<Vec<Pid>>> = Arc::default();
        for number in 0..5 {
            let child = Child::with::<Worker>("worker", {
                let log = log.clone();
                move || (number, log.clone())
            });
            let child = child.restart([Restart::Permanent, Restart::Temporary][dice.below(2)]);
            let child = if dice.below(2) == 0 {
                child.thread()
            } else {
                child.pooled()
            };
            let (tree, started, then) = (tree.clone(), started.clone(), dice.below(4));
            let starter = deaf(BREEDS[dice.below(3)]);
            starter.cast(job(move |_| {
                let Ok(child) = dynamic_supervisor::start_child(&tree, child) else {
                    return;
                };
                let pid = child.pid();
                started.lock().unwrap().push(pid);
                match then {
                    0 => process::exit(pid, ExitReason::Kill),
                    1 => drop(dynamic_supervisor::terminate_child(&tree, pid)),
                    _ => {}
                }
            }));
            starter.cast(Msg::End(ExitReason::Normal));
        }
        hand.run_until_idle();
        let children = dynamic_supervisor::which_children(&tree).unwrap();
        assert!(children.len() <= 3);
        for child in &children {
            let ChildState::Running(pid) = child.state else {
                panic!("{child:?}")
            };
            assert!(process::is_alive(pid));
        }
        // The tree and its children, and nobody else.
        assert_eq!(process::processes().len(), children.len() + 1);
        supervisor::stop(&tree).unwrap();
    });
}
