//! Supervisors: who is restarted, who gives up, and how deep trees stand.

use perennial::prelude::*;
use perennial::process::{self, StartError};
use perennial::supervisor::{self, ChildState, dynamic_supervisor};
use perennial::{ExitReason, Pid, Runtime};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum Msg {
    Pid(ReplyTo<Pid>),
    Crash,
    Stop(ExitReason),
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
            Msg::Pid(reply) => reply.send(cx.pid()),
            Msg::Crash => panic!("crash"),
            Msg::Stop(reason) => return Next::Stop(reason),
        }
        Next::Loop
    }
}

fn pids(sup: &Ref<supervisor::Msg>) -> Vec<ChildState> {
    let mut all = supervisor::which_children(sup).expect("alive");
    all.reverse();
    all.into_iter().map(|info| info.state).collect()
}

fn crash(state: ChildState) {
    let ChildState::Running(pid) = state else {
        panic!("{state:?}")
    };
    process::exit(pid, ExitReason::Kill);
    process::watch(pid).wait(LONG).expect("dies");
}

#[test]
fn strategies_restart_whom_they_say() {
    for kind in [process::Kind::Pooled, process::Kind::Thread] {
        for (strategy, kept) in [
            (Strategy::OneForOne, [true, false, true]),
            (Strategy::OneForAll, [false, false, false]),
            (Strategy::RestForOne, [true, false, false]),
        ] {
            let runtime = Runtime::builder()
                .default_kind(kind)
                .build()
                .expect("runtime");
            let entered = runtime.enter();
            let sup = Supervisor::new(strategy)
                .child(Child::server::<Worker>("a", ()))
                .child(Child::server::<Worker>("b", ()))
                .child(Child::server::<Worker>("c", ()))
                .start()
                .expect("starts");
            let before = pids(&sup);
            crash(before[1]);
            let after = pids(&sup);
            let same: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a == b).collect();
            assert_eq!(same, kept, "{strategy:?}");
            assert!(
                after
                    .iter()
                    .all(|state| matches!(state, ChildState::Running(_))),
                "{after:?}"
            );
            supervisor::stop(&sup).expect("stops");
            drop(entered);
            let report = runtime.shutdown(LONG);
            assert_eq!((report.zombies, report.killed), (0, 0), "{report:?}");
        }
    }
}

#[test]
fn too_many_restarts_end_the_supervisor() {
    let runtime = Runtime::new().expect("runtime");
    let _entered = runtime.enter();
    let sup = Supervisor::new(Strategy::OneForOne)
        .intensity(2, Duration::from_secs(60))
        .child(Child::server::<Worker>("a", ()))
        .start()
        .expect("starts");
    let mut watch = process::watch(&sup);
    for _ in 0..2 {
        crash(pids(&sup)[0]);
    }
    crash(pids(&sup)[0]);
    assert_eq!(watch.wait(LONG).expect("ends").reason, ExitReason::Shutdown);
}

#[test]
fn dynamic_children_come_and_go() {
    let runtime = Runtime::new().expect("runtime");
    let _entered = runtime.enter();
    let sup = DynamicSupervisor::new()
        .intensity(1_000, LONG)
        .start()
        .expect("starts");
    let mut refs = Vec::new();
    for _ in 0..1_000 {
        refs.push(
            dynamic_supervisor::start_child(&sup, Child::server::<Worker>("w", ()).transient())
                .expect("starts"),
        );
    }
    assert_eq!(
        dynamic_supervisor::count_children(&sup)
            .expect("alive")
            .active,
        1_000
    );
    for r in &refs[..500] {
        r.cast(Msg::Stop(ExitReason::Normal));
    }
    for r in &refs[500..] {
        r.cast(Msg::Crash);
    }
    for r in &refs {
        process::watch(r).wait(LONG).expect("ends");
    }
    let start = std::time::Instant::now();
    while dynamic_supervisor::count_children(&sup)
        .expect("alive")
        .active
        != 500
    {
        assert!(start.elapsed() < LONG);
        std::thread::yield_now();
    }
    supervisor::stop(&sup).expect("stops");
}

#[test]
fn failed_child_fails_the_start() {
    let runtime = Runtime::new().expect("runtime");
    let _entered = runtime.enter();
    struct Bad;
    impl GenServer for Bad {
        type Args = ();
        type Msg = ();
        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            Init::Stop(ExitReason::other("no"))
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
    }
    let error = Supervisor::new(Strategy::OneForOne)
        .child(Child::server::<Worker>("a", ()))
        .child(Child::server::<Bad>("bad", ()))
        .start()
        .expect_err("fails");
    let StartError::Exit(reason) = error else {
        panic!("{error:?}")
    };
    let failed = supervisor::SupervisorError::FailedToStartChild(
        "bad".into(),
        StartError::Exit(ExitReason::other("no")),
    );
    assert_eq!(reason, ExitReason::shutdown_with(failed));
    assert_eq!(process::counts().processes, 0);
}

fn deep(depth: usize) -> Supervisor {
    let sup = Supervisor::new(Strategy::OneForOne);
    if depth == 0 {
        sup.child(Child::server::<Worker>("leaf", ()))
    } else {
        sup.child(Child::supervisor("below", move || deep(depth - 1)))
    }
}

#[test]
fn tree_of_two_hundred_levels_starts_and_stops_on_one_worker() {
    let runtime = Runtime::builder()
        .workers(1)
        .spare_max(0)
        .build()
        .expect("runtime");
    let entered = runtime.enter();
    let sup = deep(200).start().expect("starts");
    assert_eq!(process::counts().processes, 202);
    supervisor::stop(&sup).expect("stops");
    assert_eq!(process::counts().processes, 0);
    drop(entered);
    let runtime2 = Runtime::builder()
        .workers(1)
        .spare_max(0)
        .build()
        .expect("runtime");
    let entered = runtime2.enter();
    deep(200).start().expect("starts");
    drop(entered);
    let report = runtime2.shutdown(LONG);
    assert_eq!((report.zombies, report.killed), (0, 0), "{report:?}");
}
