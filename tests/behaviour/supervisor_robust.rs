//! Supervisors at bad moments: asked while they end, cut while they start a child, with a parent that has gone.

use crate::actor::{Log, Manner, Start, Tree, crash, end};
use crate::stage::{LONG, ended, eventually, in_runtime};
use perennial::prelude::*;
use perennial::process::{self, CallError, StartError, Status};
use perennial::supervisor::{self, StartChildError, dynamic_supervisor};
use perennial::{ExitReason, Runtime};
use std::sync::mpsc;
use std::time::Duration;

/// Whoever waits for a start hears of the end that was first.
fn ended_by_shutdown<T: std::fmt::Debug>(started: Result<T, StartChildError>) {
    let shutdown = CallError::Exited(ExitReason::Normal);
    match started {
        Err(StartChildError::Call(error)) => assert_eq!(error, shutdown),
        other => panic!("{other:?}"),
    }
}

/// Asks from another thread, and returns when that waits; hands on the answer.
fn aside<T: Send + 'static>(
    runtime: &Runtime,
    ask: impl FnOnce() -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (send, answer) = mpsc::channel();
    let _entered = runtime.enter();
    let asks = perennial::Task::start(move || drop(send.send(ask()))).unwrap();
    eventually("it waits", || {
        process::info(asks).is_none_or(|info| info.status == Status::Waiting)
    });
    answer
}

#[test]
fn start_that_a_stop_overtakes_hears_of_the_stop() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let entered = runtime.enter();
    let log = Log::default();
    let hang = log.script("hangs").starts([Start::Hang]).child().thread();
    let tree = Tree::of(Supervisor::new(Strategy::OneForOne));
    let sup = tree.sup.clone();
    let answer = aside(&runtime, move || supervisor::start_child(&sup, hang));
    eventually("it starts", || log.len() == 1);
    tree.stop();
    ended_by_shutdown(answer.recv_timeout(LONG).unwrap());
    drop(entered);
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
}

#[test]
fn dynamic_start_that_a_stop_overtakes_hears_of_the_stop() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let entered = runtime.enter();
    let log = Log::default();
    let hang = log.script("hangs").starts([Start::Hang]).child().thread();
    let sup = DynamicSupervisor::new().start().unwrap();
    let asked = sup.clone();
    let first = aside(&runtime, move || {
        dynamic_supervisor::start_child(&asked, hang)
    });
    eventually("it starts", || log.len() == 1);
    // One more that takes its time to end, so that there is a time in which the supervisor ends.
    let stubborn = log
        .script("ends late")
        .manner(Manner::Stubborn)
        .child()
        .thread();
    let stubborn = stubborn.shutdown(supervisor::Shutdown::Infinity);
    let late = dynamic_supervisor::start_child(&sup, stubborn).unwrap();
    let stopped = sup.clone();
    let stop = aside(&runtime, move || supervisor::stop(&stopped));
    eventually("it is told to end", || log.len() == 3);
    let asked = sup.clone();
    let child = log.child("late");
    let second = aside(&runtime, move || {
        dynamic_supervisor::start_child(&asked, child)
    });
    process::exit(&late, ExitReason::Kill);
    ended_by_shutdown(first.recv_timeout(LONG).unwrap());
    ended_by_shutdown(second.recv_timeout(LONG).unwrap());
    stop.recv_timeout(LONG).unwrap().unwrap();
    drop(entered);
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
}

#[test]
fn child_that_is_terminated_in_its_start_fails_the_start() {
    in_runtime(|| {
        let log = Log::default();
        let hang = log.script("hangs").starts([Start::Hang]).child().thread();
        let sup = DynamicSupervisor::new().start().unwrap();
        let before = process::processes();
        let asked = sup.clone();
        let (send, answer) = mpsc::channel();
        let asker = perennial::Task::start(move || {
            drop(send.send(dynamic_supervisor::start_child(&asked, hang)));
        });
        let asker = asker.unwrap();
        eventually("it starts", || log.len() == 1);
        let mut all = process::processes();
        all.retain(|pid| !before.contains(pid) && *pid != asker);
        dynamic_supervisor::terminate_child(&sup, all[0]).unwrap();
        let failed = StartChildError::Failed(StartError::Exit(ExitReason::Shutdown));
        assert_eq!(answer.recv_timeout(LONG).unwrap().err(), Some(failed));
        supervisor::stop(&sup).unwrap();
    });
}

#[test]
fn supervisor_whose_starter_is_gone_stops_when_it_is_asked() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let entered = runtime.enter();
    let log = Log::default();
    let child = log.script("child").manner(Manner::Traps).child();
    process::run::<(), _>(|_| {
        Supervisor::new(Strategy::OneForOne)
            .child(child)
            .start()
            .unwrap();
        let alone = log.script("alone").manner(Manner::Traps);
        gen_server::start::<crate::actor::Actor>(alone).unwrap();
    })
    .unwrap();
    drop(entered);
    let report = runtime.shutdown(LONG);
    assert_eq!((report.killed, report.zombies), (0, 0), "{report:?}");
    let told = log.take();
    assert!(
        told.contains(&"child ends: shutdown".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"alone ends: shutdown".to_owned()),
        "{told:?}"
    );
}

#[test]
fn supervisor_that_was_cut_leaves_no_orphan() {
    let grace = Duration::from_millis(1);
    let runtime = Runtime::builder()
        .workers(2)
        .kill_grace(grace)
        .build()
        .unwrap();
    let entered = runtime.enter();
    let log = Log::default();
    let (begins, begun) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let script = log.script("orphan");
    let slow = Child::with::<crate::actor::Actor>("slow", move || {
        begins.send(()).unwrap();
        let _ = gate.recv();
        script.clone()
    });
    let sup = DynamicSupervisor::new().start().unwrap();
    let asked = sup.clone();
    let answer = aside(&runtime, move || {
        dynamic_supervisor::start_child(&asked, slow)
    });
    begun.recv_timeout(LONG).unwrap();
    end(sup.pid(), ExitReason::Kill);
    drop(go);
    assert!(process::wait_quiesced(sup.pid(), LONG));
    assert!(answer.recv_timeout(LONG).unwrap().is_err());
    eventually("nothing is left", || process::processes().is_empty());
    drop(entered);
    let report = runtime.shutdown(LONG);
    assert_eq!((report.killed, report.stopped), (0, 0), "{report:?}");
}

#[test]
fn start_that_is_through_leaves_no_timer() {
    in_runtime(|| {
        let log = Log::default();
        let child = log.child("quick").timeout(10 * LONG);
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne).child(child));
        assert_eq!(process::counts().timers, 0);
        tree.stop();
    });
}

#[test]
fn backoff_without_end_is_no_end_of_the_supervisor() {
    in_runtime(|| {
        let log = Log::default();
        let child = log.child("waits").backoff(Duration::MAX, Duration::MAX);
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne).child(child));
        let pid = tree.pid(0);
        end(pid, crash());
        assert_eq!(tree.states(), [supervisor::ChildState::Restarting]);
        let sup = tree.sup.pid();
        tree.stop();
        ended(sup);
    });
}
