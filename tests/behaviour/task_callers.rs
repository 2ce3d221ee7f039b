//! On whose behalf a task works, and whom it descends from; ids as in the table of conformance cases.

use crate::stage::{in_runtime, on_both_kinds, play};
use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::{self, Restart};
use perennial::{Pid, Task, TaskSupervisor, task};
use std::sync::mpsc;

fn me() -> Pid {
    process::self_pid().unwrap()
}

/// Where a process comes from: its callers, and its ancestors.
fn origin() -> (Vec<Pid>, Vec<Pid>) {
    let origin = (task::callers(), process::ancestors());
    let info = process::info(me()).unwrap();
    assert_eq!((info.callers, info.ancestors), origin);
    origin
}

/// Rows: task.callers
#[test]
fn nested_task_knows_its_callers_the_newest_first() {
    on_both_kinds(|kind| {
        play(kind, || {
            let owner = me();
            assert_eq!(task::callers(), []);
            for pooled in [false, true] {
                let outer = task::spec(move || {
                    let inner = task::spec(origin);
                    let inner = if pooled { inner.pooled() } else { inner };
                    (me(), origin(), inner.spawn().unwrap().join().unwrap())
                });
                let outer = if pooled { outer.pooled() } else { outer };
                let (outer, origin, inner) = outer.spawn().unwrap().join().unwrap();
                assert_eq!(origin, (vec![owner], vec![owner]));
                assert_eq!(inner, (vec![outer, owner], vec![outer, owner]));
            }
        })
        .unwrap();
    });
}

/// Rows: tsup.callers_ancestors
#[test]
fn supervised_task_descends_from_its_supervisor_and_works_for_its_owner() {
    on_both_kinds(|kind| {
        play(kind, || {
            let owner = me();
            let tasks = TaskSupervisor::new().start_link().unwrap();
            let (under, supervisor) = (tasks.clone(), tasks.pid());
            let nested = move || {
                let inner = TaskSupervisor::spawn_nolink(&under, origin).unwrap();
                (me(), origin(), inner.join().unwrap())
            };
            let outer = TaskSupervisor::spawn(&tasks, nested).unwrap();
            let (outer, first, second) = outer.join().unwrap();
            let ancestors = vec![supervisor, owner];
            assert_eq!(first, (vec![owner], ancestors.clone()));
            assert_eq!(second, (vec![outer, owner], ancestors.clone()));

            let stream = TaskSupervisor::stream(&tasks, 0..1, |_| origin());
            let item = stream.build().unwrap().next().unwrap();
            assert_eq!(item, Ok((vec![owner], ancestors.clone())));

            // Those that nobody waits for, and those that are started again.
            let (send, receive) = mpsc::channel();
            let told = send.clone();
            TaskSupervisor::start_child(&tasks, move || told.send(origin())).unwrap();
            let lived = (vec![owner], ancestors);
            assert_eq!(receive.recv(), Ok(lived.clone()));
            let runs = std::sync::atomic::AtomicU32::new(0);
            let again = move || {
                send.send(origin()).unwrap();
                let run = runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                assert!(run > 0, "out of paper");
            };
            TaskSupervisor::start_child_with(&tasks, Restart::Transient, again).unwrap();
            assert_eq!(receive.recv(), Ok(lived.clone()));
            assert_eq!(receive.recv(), Ok(lived));
            supervisor::stop(&tasks).unwrap();
        })
        .unwrap();
    });
}

#[test]
fn ancestors_are_known_when_they_have_ended() {
    on_both_kinds(|kind| {
        let (go, wait) = mpsc::channel::<()>();
        let (send, receive) = mpsc::channel();
        let (first, second) = play(kind, move || {
            let task = Task::spawn(move || {
                Task::start(move || {
                    wait.recv().unwrap();
                    send.send(process::ancestors()).unwrap();
                })
                .unwrap();
                me()
            });
            (me(), task.unwrap().join().unwrap())
        })
        .unwrap();
        assert!(!process::is_alive(first));
        crate::stage::eventually("the second has ended", || !process::is_alive(second));
        go.send(()).unwrap();
        assert_eq!(receive.recv(), Ok(vec![second, first]));
    });
}

struct Silent;

impl GenServer for Silent {
    type Args = ();
    type Msg = ReplyTo<(Vec<Pid>, Vec<Pid>)>;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Silent)
    }

    fn handle(&mut self, reply: Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
        reply.send(origin());
        Next::Loop
    }
}

/// Only tasks work for somebody; whom a server descends from is known of both kinds.
#[test]
fn server_has_ancestors_and_no_callers() {
    on_both_kinds(|kind| {
        play(kind, || {
            for thread in [false, true] {
                let start = move || {
                    let spec = gen_server::spec::<Silent>(());
                    let spec = if thread { spec.thread() } else { spec.pooled() };
                    spec.start().unwrap()
                };
                let task = Task::spawn(move || (me(), start())).unwrap();
                let (starter, server) = task.join().unwrap();
                let origin = server.call(|reply| reply).unwrap();
                assert_eq!(origin, (vec![], vec![starter, me()]));
                gen_server::stop(&server).unwrap();
            }
        })
        .unwrap();
    });
}

#[test]
fn plain_thread_has_neither_callers_nor_ancestors() {
    in_runtime(|| {
        assert_eq!((task::callers(), process::ancestors()), (vec![], vec![]));
        let tasks = TaskSupervisor::new().start().unwrap();
        let task = TaskSupervisor::spawn_nolink(&tasks, origin).unwrap();
        assert_eq!(task.join(), Ok((vec![], vec![tasks.pid()])));
        supervisor::stop(&tasks).unwrap();
    });
}

/// A chain of processes each of which starts the next keeps no more than so many of its forefathers.
#[test]
fn ancestors_of_a_long_chain_are_the_youngest() {
    fn link(left: usize, tell: mpsc::Sender<Vec<Pid>>) {
        if left == 0 {
            return tell.send(process::ancestors()).unwrap();
        }
        let next = task::spec(move || link(left - 1, tell));
        next.pooled().start().unwrap();
    }
    in_runtime(|| {
        let (send, receive) = mpsc::channel();
        Task::start(move || link(300, send)).unwrap();
        let ancestors = receive.recv().unwrap();
        assert_eq!(ancestors.len(), 256);
    });
}
