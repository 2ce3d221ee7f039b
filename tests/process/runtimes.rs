//! Runtimes: values of their own, bounded, and gone when they are shut down.

use crate::support::puppet::{Breed, Msg, Tell, both_kinds};
use crate::support::scripted::{Script, Step, both_servers, echo, gate, plain, stop};
use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, child, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, Counts, Kind, StartError};
use perennial::scheduler::LongTurn;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn runtimes_are_strangers() {
    let (one, other) = (builder().build(), builder().build());
    let (one, other) = (one.expect("it starts"), other.expect("it starts"));
    let name: Name<Msg> = Name::new("same");
    let entered = one.enter();
    let first = Breed::Pooled.named(&name);
    let inner = other.enter();
    assert_eq!(name.whereis(), None);
    let second = Breed::Thread.named(&name);
    assert_eq!(other.counts().names, 1);
    assert_eq!(other.counts().processes, 1);
    // A reference knows its process wherever it is used.
    assert_eq!(first.me().call(|reply| Msg::Ask(1, reply)), Ok(2));
    drop(inner);
    assert_eq!(name.whereis(), Some(first.me()));
    first.end_and_wait(ExitReason::Normal);
    let entered_again = other.enter();
    assert_eq!(name.whereis(), Some(second.me()));
    second.end_and_wait(ExitReason::Normal);
    drop((entered_again, entered));
    assert_eq!(one.shutdown(LONG).zombies, 0);
    assert_eq!(other.shutdown(LONG).zombies, 0);
}

#[test]
fn one_runtime_follows_the_other() {
    for _ in 0..3 {
        both_kinds(|kind| {
            let puppet = kind.named(&Name::new("again"));
            assert_eq!(puppet.me().call(|reply| Msg::Ask(1, reply)), Ok(2));
        });
    }
}

/// What a process runs knows its runtime, whatever the thread that started it has entered.
#[test]
fn process_lives_in_the_runtime_of_its_starter() {
    both_servers(|kind| {
        let name: Name<crate::support::scripted::Msg> = Name::new("inner");
        let (script, _log) = Script::new();
        let server = script.on(kind).name(&name).start().expect("it starts");
        let (sender, seen) = mpsc::channel();
        server.cast(crate::support::scripted::run(move |_, _| {
            let _ = sender.send(process::whereis("inner"));
            Next::Loop
        }));
        assert_eq!(seen.recv_timeout(LONG), Ok(Some(server.pid())));
        stop(&server);
    });
}

#[test]
fn shutdown_asks_first_and_kills_then() {
    for kind in [Breed::Pooled, Breed::Thread, Breed::ThreadServer] {
        let runtime = builder().build().expect("it starts");
        let entered = runtime.enter();
        let quiet: Vec<_> = (0..10).map(|_| kind.puppet()).collect();
        // One that traps takes the request as its parent's, and ends by it; one that waits meanwhile hears nothing.
        let trapping = kind.puppet().traps();
        let stubborn = kind.puppet().traps();
        stubborn.order(|_| process::sleep(100 * LONG));
        eventually("it waits", || {
            let info = stubborn.info();
            info.status == process::Status::Waiting && info.message_queue_len == 0
        });
        let mut watches: Vec<_> = quiet.iter().map(|one| process::watch(one.pid())).collect();
        let mut last = process::watch(stubborn.pid());
        drop(entered);
        let report = runtime.shutdown(Duration::from_millis(600));
        // A closure that traps goes on: to it, it is a message like any other.
        let killed = if kind == Breed::Thread { 2 } else { 1 };
        let stopped = 12 - killed;
        assert_eq!(
            (report.stopped, report.killed, report.zombies),
            (stopped, killed, 0)
        );
        let threads = if kind == Breed::Pooled { 0 } else { 12 };
        assert_eq!(report.joined, threads);
        for watch in &mut watches {
            let down = watch.wait(Duration::ZERO).expect("it has ended");
            assert_eq!(down.reason, ExitReason::Shutdown);
        }
        let down = last.wait(Duration::ZERO).expect("it has ended");
        assert_eq!(down.reason, ExitReason::Killed);
        assert!(!trapping.is_alive());
    }
}

/// What does not end is reported, and the shutdown ends all the same.
#[test]
fn shutdown_counts_what_runs_on() {
    for kind in [Breed::Pooled, Breed::Thread, Breed::ThreadServer] {
        let runtime = builder().build().expect("it starts");
        let entered = runtime.enter();
        let puppet = kind.puppet();
        let mut watch = process::watch(puppet.pid());
        let busy = puppet.busy();
        drop(entered);
        let report = runtime.shutdown(Duration::from_millis(400));
        assert_eq!((report.stopped, report.killed, report.zombies), (0, 1, 1));
        let down = watch.wait(Duration::ZERO).expect("its identity has ended");
        assert_eq!(down.reason, ExitReason::Killed);
        drop(busy);
    }
}

/// A thread that a busy machine does not get to in time has no process in it.
#[test]
fn what_is_slow_to_end_is_no_zombie() {
    let runtime = builder().build().expect("it starts");
    let entered = runtime.enter();
    let (told, hears) = mpsc::channel();
    process::attach(move |_: &LongTurn| {
        let _ = told.send(());
        process::sleep(Duration::from_millis(600));
    });
    let puppet = Breed::Pooled.puppet();
    let busy = puppet.busy();
    hears.recv_timeout(LONG).expect("the turn is long");
    drop(entered);
    // The watchdog is with its listener, and no turn.
    let report = runtime.shutdown(Duration::from_millis(1));
    assert_eq!((report.killed, report.zombies), (1, 1));
    drop(busy);
}

#[test]
fn nothing_starts_in_a_runtime_that_was_shut_down() {
    let runtime = builder().build().expect("it starts");
    let entered = runtime.enter();
    let before = Breed::Pooled.puppet();
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
    for kind in [Kind::Pooled, Kind::Thread] {
        let started = Script::new().0.on(kind).start();
        assert_eq!(started, Err(StartError::RuntimeStopped));
    }
    assert_eq!(
        process::try_spawn::<()>(|_| ()),
        Err(StartError::RuntimeStopped)
    );
    let unborn = process::spawn::<u64>(|_| unreachable!("it never runs"));
    assert!(!unborn.is_alive());
    unborn.cast(1);
    let down = process::watch(&unborn).wait(Duration::ZERO);
    assert_eq!(down.map(|down| down.reason), Some(ExitReason::NoProc));
    before.me().tell(1);
    process::send_after(Duration::ZERO, before.me(), Msg::Tell(2));
    assert_eq!(process::counts().processes, 0);
    drop(entered);
}

/// A runtime that is only dropped is shut down as well.
#[test]
fn dropped_runtime_ends_its_processes() {
    let runtime = builder().build().expect("it starts");
    let entered = runtime.enter();
    let puppet = Breed::Thread.puppet();
    let mut watch = process::watch(puppet.pid());
    drop(entered);
    drop(runtime);
    let down = watch.wait(Duration::ZERO).expect("it has ended");
    assert_eq!(down.reason, ExitReason::Shutdown);
}

#[test]
fn too_many_threads_are_a_typed_error() {
    on_stage(builder().thread_max(3), |runtime| {
        let threads: Vec<_> = (0..3).map(|_| Breed::Thread.puppet()).collect();
        let refused = Err(StartError::TooManyThreads);
        assert_eq!(Script::new().0.on(Kind::Thread).start(), refused);
        assert_eq!(
            process::try_spawn::<()>(|_| ()).map(drop),
            Err(StartError::TooManyThreads)
        );
        assert!(!process::spawn::<()>(|_| ()).is_alive());
        // A linked starter hears of the error, and of no exit.
        let linked = threads[0].run(|_| process::spawn_link::<()>(|_| ()).map(drop));
        assert_eq!(linked, Err(StartError::TooManyThreads));
        let monitored = threads[0].run(|_| process::spawn_monitor::<()>(|_| ()).map(drop));
        assert_eq!(monitored, Err(StartError::TooManyThreads));
        let name: Name<crate::support::scripted::Msg> = Name::new("threadless");
        let named = Script::new().0.on(Kind::Thread).name(&name).start();
        assert_eq!(named, refused);
        assert_eq!(name.whereis(), None);
        assert_eq!(
            runtime.counts(),
            Counts {
                processes: 3,
                threads: 3,
                ..Counts::default()
            }
        );
        // Pooled processes need none, and a place that became free is free.
        let (pooled, _log) = plain(Kind::Pooled, None);
        stop(&pooled);
        threads[1].end_and_wait(ExitReason::Normal);
        eventually("its thread has ended", || runtime.counts().threads == 2);
        let (server, _log) = plain(Kind::Thread, None);
        stop(&server);
        threads[0].sync();
    });
}

#[test]
fn hundred_thousand_pooled_processes_come_and_go() {
    on_stage(builder(), |runtime| {
        let servers: Vec<_> = (0..100_000_u64)
            .map(|_| plain(Kind::Pooled, None).0)
            .collect();
        assert_eq!(runtime.counts().processes, 100_000);
        for (at, server) in servers.iter().enumerate().step_by(1_000) {
            assert_eq!(server.call(echo(at as u64)), Ok(at as u64));
        }
        for server in &servers {
            process::exit(server, ExitReason::Shutdown);
        }
        eventually("all have ended", || runtime.counts().processes == 0);
    });
}

#[test]
fn thousands_of_threads_come_and_go() {
    on_stage(builder(), |runtime| {
        for _ in 0..10 {
            let threads: Vec<_> = (0..300)
                .map(|_| process::spawn::<()>(|cx| drop(cx.receive())))
                .collect();
            for thread in &threads {
                thread.cast(());
            }
        }
        eventually("all have ended", || runtime.counts() == Counts::default());
    });
}

#[test]
fn default_kind_is_that_of_the_builder() {
    for kind in [Kind::Pooled, Kind::Thread] {
        on_stage(builder().default_kind(kind), |_| {
            let (script, _log) = Script::new();
            let server = gen_server::start::<crate::support::scripted::Scripted>(script);
            let server = server.expect("it starts");
            assert_eq!(process::info(&server).map(|info| info.kind), Some(kind));
            for other in [Kind::Pooled, Kind::Thread] {
                let (marked, _log) = plain(other, None);
                assert_eq!(process::info(&marked).map(|info| info.kind), Some(other));
                stop(&marked);
            }
            stop(&server);
        });
    }
}

/// The global runtime starts when it is first needed, and asks the environment for its kind.
#[test]
fn global_runtime_asks_the_environment_for_its_kind() {
    const NAME: &str = "runtimes::global_runtime_asks_the_environment_for_its_kind";
    if let Some(role) = child::role() {
        let (script, _log) = Script::new();
        let server = gen_server::start::<crate::support::scripted::Scripted>(script);
        let server = server.expect("it starts");
        let kind = process::info(&server).map(|info| info.kind);
        let expected = if role == "thread" {
            Kind::Thread
        } else {
            Kind::Pooled
        };
        assert_eq!(kind, Some(expected));
        assert_eq!(server.call(echo(1)), Ok(1));
        assert_eq!(process::counts().processes, 1);
        stop(&server);
        std::process::exit(9);
    }
    for role in ["thread", "pooled", "nonsense"] {
        let ended = child::play_with(NAME, role, &[("PERENNIAL_DEFAULT_KIND", role)]);
        assert_eq!(ended.code, Some(9), "{}", ended.stderr);
    }
    let ended = child::play(NAME, "unset");
    assert_eq!(ended.code, Some(9), "{}", ended.stderr);
}

/// A thread that is a process for the time of a closure.
#[test]
fn thread_is_a_process_while_run_runs() {
    on_stage(builder(), |runtime| {
        assert_eq!(process::self_pid(), None);
        let played = process::run::<u64, _>(|cx| {
            assert_eq!(process::self_pid(), Some(cx.pid()));
            let me = cx.me().clone();
            process::spawn_link::<()>(move |_| me.cast(7)).expect("this is a process");
            (cx.pid(), cx.receive().message())
        });
        let (pid, message) = played.expect("it returns");
        assert_eq!(message, Some(7));
        assert_eq!(process::self_pid(), None);
        assert!(!process::is_alive(pid));
        // Its own exits, its panics and signals are its results.
        let left = process::run::<(), ()>(|cx| cx.exit(ExitReason::other("left")));
        assert_eq!(left, Err(ExitReason::other("left")));
        match process::run::<(), ()>(|_| panic!("broken")) {
            Err(ExitReason::Panic(panic)) => assert_eq!(panic.message(), "broken"),
            other => panic!("{other:?}"),
        }
        let killed = process::run::<(), ()>(|cx| {
            process::exit(cx.pid(), ExitReason::Kill);
            unreachable!("it is dead");
        });
        assert_eq!(killed, Err(ExitReason::Killed));
        eventually("it leaves nothing", || {
            runtime.counts() == Counts::default()
        });
    });
}

#[test]
#[should_panic(expected = "process::run on a thread that runs a process")]
fn run_inside_a_process_is_a_bug() {
    let runtime = builder().build().expect("it starts");
    let _entered = runtime.enter();
    let inner = process::run::<(), _>(|_| process::run::<(), _>(|_| ()));
    if let Err(ExitReason::Panic(panic)) = inner {
        panic!("{}", panic.message());
    }
}

/// The start of a server, and its end, in a pool of one worker, whoever starts it.
#[test]
fn one_worker_is_enough() {
    on_stage(builder().workers(1), |_| {
        let parent = Breed::Pooled.puppet();
        for kind in [Kind::Pooled, Kind::Thread] {
            for slow in [false, true] {
                let started = parent.run(move |_| {
                    let (script, _log) = Script::new();
                    let script = script.init(|_| Step::Up);
                    let mut spec = script.on(kind);
                    if slow {
                        spec = spec.timeout(LONG);
                    }
                    let server = spec.start().expect("it starts");
                    assert_eq!(server.call(echo(4)), Ok(4));
                    gen_server::stop(&server)
                });
                assert_eq!(started, Ok(()));
            }
        }
    });
    drop(gate());
}
