//! Supervisors whose children are ended at random while they are asked for everything they can do. The choices are
//! random, from fixed seeds.

use crate::storm::{Dice, crowd, rounds, storm};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError};
use perennial::supervisor::{self, ChildInfo, ChildState, dynamic_supervisor};
use perennial::{ExitReason, Pid, Runtime, Task, TaskError, TaskSupervisor};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many live, and how many did at once.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

struct Child1 {
    _alive: Alive,
}

struct Alive;

impl Alive {
    fn new() -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Alive
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl GenServer for Child1 {
    /// Every so many-th start fails, in a way of its own.
    type Args = u64;
    type Msg = ReplyTo<()>;
    const TRAP_EXIT: bool = true;

    fn init(seed: u64, cx: &mut Cx<Self>) -> Init<Self> {
        let alive = Alive::new();
        let pid = u64::from(cx.pid().id()) + (u64::from(cx.pid().serial()) << 32);
        match Dice::new(seed ^ pid).roll(40) {
            0 => Init::Stop(ExitReason::other("storm")),
            1 => panic!("storm"),
            2 => Init::Ignore,
            3 => {
                // Ended in the middle of its start.
                process::exit(cx.pid(), ExitReason::Kill);
                Init::Ok(Child1 { _alive: alive })
            }
            _ => Init::Ok(Child1 { _alive: alive }),
        }
    }

    fn handle(&mut self, reply: ReplyTo<()>, _: &mut Cx<Self>) -> Next<Self::Msg> {
        reply.send(());
        Next::Loop
    }
}

fn running(children: &[ChildInfo]) -> Vec<Pid> {
    let pids = children.iter().filter_map(|child| match child.state {
        ChildState::Running(pid) => Some(pid),
        _ => None,
    });
    pids.collect()
}

const ENDS: [fn() -> ExitReason; 4] = [
    || ExitReason::Kill,
    || ExitReason::Kill,
    || ExitReason::other("storm"),
    || ExitReason::Shutdown,
];

fn child(id: String, seed: u64, dice: &mut Dice) -> supervisor::Child {
    let child = Child::server::<Child1>(id, seed);
    let child = match dice.roll(5) {
        0 => child.transient(),
        1 => child.temporary(),
        _ => child,
    };
    let child = match dice.roll(4) {
        0 => child.thread(),
        1 => child.backoff(Duration::from_millis(1), Duration::from_millis(4)),
        2 => child.exclusive(),
        _ => child,
    };
    let child = match dice.roll(3) {
        0 => child.shutdown(supervisor::Shutdown::BrutalKill),
        _ => child,
    };
    child.into()
}

/// Every child that the supervisor says lives does, and nobody else.
fn adds_up(others: usize, children: impl Fn() -> Vec<ChildInfo>) {
    eventually("what it says is what there is", || {
        let said: HashSet<Pid> = running(&children()).into_iter().collect();
        let alive: HashSet<Pid> = process::processes().into_iter().collect();
        said.is_subset(&alive) && alive.len() == said.len() + others
    });
}

fn round(runtime: &Runtime, strategy: Strategy, seed: u64) {
    const KINDS: usize = 8;
    let sup = Supervisor::new(strategy)
        .intensity(usize::MAX, Duration::from_secs(1))
        .start()
        .unwrap();
    crowd(runtime, 4, |member| {
        let mut dice = Dice::new(seed * 10 + member as u64);
        for _ in 0..150 {
            let id = format!("child {}", dice.roll(KINDS));
            match dice.roll(12) {
                0 | 1 => {
                    let child = child(id, seed, &mut dice);
                    drop(supervisor::start_child(&sup, child));
                }
                2 => drop(supervisor::terminate_child(&sup, id)),
                3 => drop(supervisor::restart_child(&sup, id)),
                4 => drop(supervisor::delete_child(&sup, id)),
                5 => {
                    let counts = supervisor::count_children(&sup).unwrap();
                    assert!(counts.active <= counts.specs && counts.specs <= KINDS);
                    assert_eq!(counts.workers, counts.specs);
                }
                _ => {
                    let all = running(&supervisor::which_children(&sup).unwrap());
                    if !all.is_empty() {
                        process::exit(all[dice.roll(all.len())], ENDS[dice.roll(4)]());
                    }
                }
            }
        }
    });
    adds_up(1, || supervisor::which_children(&sup).unwrap());
    let all = supervisor::which_children(&sup).unwrap();
    let ids: HashSet<_> = all.iter().map(|child| child.id.clone()).collect();
    assert_eq!(ids.len(), all.len(), "an id is there twice");
    // A restart that was under way brings back those that were stopped, and a temporary child goes by itself.
    eventually("all can be stopped and deleted", || {
        let all = supervisor::which_children(&sup).unwrap();
        for info in &all {
            let id = info.id.clone().unwrap();
            drop(supervisor::terminate_child(&sup, id.clone()));
            drop(supervisor::delete_child(&sup, id));
        }
        all.is_empty()
    });
    adds_up(1, || supervisor::which_children(&sup).unwrap());
    supervisor::stop(&sup).unwrap();
    eventually("all state is dropped", || ALIVE.load(Ordering::SeqCst) == 0);
}

#[test]
fn supervisors_in_a_storm_know_their_children() {
    storm(builder(), |runtime| {
        for seed in 0..rounds(4) as u64 {
            round(runtime, Strategy::OneForOne, seed);
            round(runtime, Strategy::OneForAll, seed + 100);
            round(runtime, Strategy::RestForOne, seed + 200);
        }
        dynamic_storm(runtime);
        stop_in_a_storm(runtime);
    });
}

fn dynamic_storm(runtime: &Runtime) {
    let sup = DynamicSupervisor::new()
        .intensity(usize::MAX, Duration::from_secs(1))
        .max_children(40)
        .start()
        .unwrap();
    crowd(runtime, 4, |member| {
        let mut dice = Dice::new(member as u64 + 300);
        for _ in 0..500 {
            match dice.roll(8) {
                0..3 => {
                    let child = child("child".to_owned(), 7, &mut dice);
                    drop(dynamic_supervisor::start_any(&sup, child));
                }
                3 => {
                    let counts = dynamic_supervisor::count_children(&sup).unwrap();
                    assert!(counts.active <= counts.specs && counts.specs <= 40);
                }
                other => {
                    let all = running(&dynamic_supervisor::which_children(&sup).unwrap());
                    if all.is_empty() {
                        continue;
                    }
                    let pid = all[dice.roll(all.len())];
                    if other == 4 {
                        drop(dynamic_supervisor::terminate_child(&sup, pid));
                    } else {
                        process::exit(pid, ENDS[dice.roll(4)]());
                    }
                }
            }
        }
    });
    adds_up(1, || dynamic_supervisor::which_children(&sup).unwrap());
    supervisor::stop(&sup).unwrap();
    eventually("all state is dropped", || ALIVE.load(Ordering::SeqCst) == 0);
}

/// Supervisors of every sort are stopped or killed in the middle of it all: each question gets an answer, or the
/// reason why there is none.
fn stop_in_a_storm(runtime: &Runtime) {
    let over = |error: &CallError| {
        assert!(
            matches!(error, CallError::NoProc | CallError::Exited(_)),
            "{error:?}"
        );
    };
    for round in 0..rounds(40) as u64 {
        let strategies = [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ];
        let mut dice = Dice::new(round + 500);
        let mut inner =
            Supervisor::new(strategies[dice.roll(3)]).intensity(usize::MAX, Duration::from_secs(1));
        for n in 0..6 {
            inner = inner.child(Child::server::<Child1>(format!("{n}"), 0));
        }
        // A child that fails its first start fails all of it: then there is nothing to stop.
        let Ok(sup) = inner.start() else { continue };
        crowd(runtime, 3, |member| {
            let mut dice = Dice::new(round * 10 + member as u64 + 600);
            let ends_at = 5 + dice.roll(30);
            for n in 0.. {
                if member == 0 && n == ends_at {
                    match round % 2 {
                        0 => drop(supervisor::stop(&sup)),
                        _ => process::exit(&sup, ExitReason::Kill),
                    }
                }
                let id = format!("{}", dice.roll(8));
                let error = match dice.roll(5) {
                    0 => match supervisor::start_child(&sup, child(id, 1, &mut dice)) {
                        Err(supervisor::StartChildError::Call(error)) => error,
                        _ => continue,
                    },
                    1 => match supervisor::terminate_child(&sup, id) {
                        Err(supervisor::ChildError::Call(error)) => error,
                        _ => continue,
                    },
                    2 => match supervisor::restart_child(&sup, id) {
                        Err(supervisor::RestartChildError::Call(error)) => error,
                        _ => continue,
                    },
                    _ => match supervisor::which_children(&sup) {
                        Ok(all) => {
                            let all = running(&all);
                            if !all.is_empty() {
                                process::exit(all[dice.roll(all.len())], ENDS[dice.roll(4)]());
                            }
                            continue;
                        }
                        Err(error) => error,
                    },
                };
                return over(&error);
            }
        });
    }
    eventually("all children went with them", || {
        process::processes().is_empty() && ALIVE.load(Ordering::SeqCst) == 0
    });
}

#[test]
fn tasks_in_a_storm_bring_their_result_or_a_reason() {
    storm(builder(), |_| {
        let tasks = TaskSupervisor::new().start().unwrap();
        for round in 0..rounds(60) as u64 {
            let supervisor = tasks.clone();
            let owner = process::run::<(), _>(move |cx| {
                cx.trap_exit(true);
                let mut dice = Dice::new(round + 900);
                let mut expected = Vec::new();
                for n in 0..10 {
                    let crashes = dice.roll(4) == 0;
                    let work = move || {
                        assert!(!crashes, "storm");
                        n
                    };
                    let spec = perennial::task::spec(work);
                    let task = match dice.roll(4) {
                        0 => spec.pooled().spawn().unwrap(),
                        1 => spec.spawn().unwrap(),
                        2 => spec.pooled().spawn_under(&supervisor).unwrap(),
                        _ => spec.spawn_nolink_under(&supervisor).unwrap(),
                    };
                    let killed = dice.roll(4) == 0;
                    if let (true, Some(pid)) = (killed, task.pid()) {
                        process::exit(pid, ExitReason::Kill);
                    }
                    expected.push((n, crashes, killed, task));
                }
                for (n, crashes, killed, task) in expected {
                    let pid = task.pid().unwrap();
                    match (dice.roll(3), task) {
                        (0, task) => drop(task.shutdown_for(LONG)),
                        (_, task) => match task.join_for(LONG) {
                            Ok(m) => assert!(m == n && !crashes),
                            Err(TaskError::Exit(ExitReason::Killed)) => assert!(killed),
                            Err(TaskError::Exit(ExitReason::Panic(_))) => assert!(crashes),
                            other => panic!("{pid}: {other:?}"),
                        },
                    }
                }
            });
            assert_eq!(owner, Ok(()));
        }
        supervisor::stop(&tasks).unwrap();
        assert!(Task::completed(1).join().is_ok());
    });
}
