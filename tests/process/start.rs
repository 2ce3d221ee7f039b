//! The start of a process: its starter waits until it is up, and knows what came of it.

use crate::support::puppet::all_pairs;
use crate::support::scripted::{
    Event, Msg, Script, Step, both_servers, both_servers_in, gate, plain, run, stop,
};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, CrashReport, Received, StartError, ThreadContext};
use perennial::{ExitReason, Runtime};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const NAME: Name<Msg> = Name::new("beginner");
const SOON: Duration = Duration::from_millis(5);

fn died() -> ExitReason {
    ExitReason::other("died")
}

fn panicked(result: &Result<Ref<Msg>, StartError>) -> bool {
    matches!(result, Err(StartError::Exit(ExitReason::Panic(panic))) if panic.message() == "broken")
}

fn broken() -> Script {
    Script::new().0.init(|_| panic!("broken"))
}

/// Runs a closure as a process that traps exits; afterwards its mailbox has to be empty.
fn trapping<T>(main: impl FnOnce(&mut ThreadContext<()>) -> T) -> T {
    let played = process::run(|cx| {
        cx.trap_exit(true);
        let value = main(cx);
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        value
    });
    played.expect("the closure returns")
}

/// Rows: plib.init_dont_hang
#[test]
fn crash_before_the_acknowledgement_is_an_error() {
    both_servers(|kind| {
        assert!(panicked(&broken().on(kind).start()));
        assert!(panicked(&broken().on(kind).timeout(LONG).start()));
        trapping(|cx| {
            for spec in [broken().on(kind), broken().on(kind).timeout(LONG)] {
                assert!(panicked(&spec.start_link()));
                match cx.receive() {
                    Received::Exit(exit) => assert!(matches!(exit.reason, ExitReason::Panic(_))),
                    other => panic!("{other:?}"),
                }
            }
        });
    });
}

/// Rows: plib.sync_start_nolink
#[test]
fn starter_waits_for_the_acknowledgement() {
    waits_for_the_acknowledgement(false);
}

/// Rows: plib.sync_start_link
#[test]
fn starter_waits_for_the_acknowledgement_and_is_linked() {
    waits_for_the_acknowledgement(true);
}

fn waits_for_the_acknowledgement(link: bool) {
    both_servers_in(builder, |kind, runtime| {
        let (gate, wait) = gate();
        let (begun, beginning) = mpsc::channel();
        let (started, done) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _entered = runtime.enter();
                let (script, _log) = Script::new();
                let script = script.init(move |_| {
                    begun.send(()).expect("the test waits");
                    wait();
                    Step::Up
                });
                trapping(|cx| {
                    let spec = script.on(kind);
                    let server = if link {
                        spec.start_link()
                    } else {
                        spec.start()
                    };
                    started.send(()).expect("the test waits");
                    let server = server.expect("it starts");
                    let links = process::info(cx.pid()).map(|info| info.links);
                    let expected = if link { vec![server.pid()] } else { vec![] };
                    assert_eq!(links, Some(expected));
                    cx.unlink(&server);
                    stop(&server);
                });
            });
            beginning.recv_timeout(LONG).expect("it begins");
            assert!(done.try_recv().is_err());
            drop(gate);
            done.recv_timeout(LONG).expect("it is up");
        });
    });
}

/// Rows: plib.sync_start_monitor, gs.start_monitor
#[test]
fn start_with_a_monitor_hears_of_the_end() {
    both_servers(|kind| {
        trapping(|cx| {
            let spec = Script::new().0.on(kind);
            let (server, monitor) = spec.start_monitor().expect("it starts");
            server.cast(run(|_, _| Next::Stop(died())));
            match cx.receive() {
                Received::Down(down) => {
                    assert_eq!((down.pid, down.monitor), (server.pid(), monitor));
                    assert_eq!(down.reason, died());
                }
                other => panic!("{other:?}"),
            }
        });
        let spec = Script::new().0.on(kind);
        assert!(matches!(spec.start_monitor(), Err(StartError::NotAProcess)));
    });
}

fn sleeps() -> Script {
    Script::new().0.init(|_| {
        process::sleep(100 * LONG);
        Step::Up
    })
}

/// Rows: plib.sync_start_timeout, gs.start_timeout
#[test]
fn start_that_takes_too_long_is_over_when_it_fails() {
    both_servers_in(builder, |kind, runtime| {
        for _ in 0..5 {
            let spec = sleeps().on(kind).name(&NAME).timeout(SOON);
            assert_eq!(spec.start(), Err(StartError::Timeout));
            assert_eq!(NAME.whereis(), None);
            assert_eq!(runtime.counts().processes, 0);
        }
    });
}

/// Rows: plib.sync_start_link_timeout, v.init_timeout_no_stray
#[test]
fn linked_start_that_takes_too_long_leaves_no_exit() {
    both_servers(|kind| {
        trapping(|cx| {
            let spec = sleeps().on(kind).timeout(SOON);
            assert_eq!(spec.start_link(), Err(StartError::Timeout));
            let info = process::info(cx.pid()).expect("it lives");
            assert_eq!(info.links, vec![]);
        });
        // One that does not trap lives on as well.
        let lived = process::run::<(), _>(|_| sleeps().on(kind).timeout(SOON).start_link());
        assert_eq!(lived, Ok(Err(StartError::Timeout)));
    });
}

/// Rows: plib.sync_start_monitor_link_timeout
#[test]
fn monitored_start_that_takes_too_long_leaves_no_down() {
    both_servers(|kind| {
        trapping(|cx| {
            let spec = sleeps().on(kind).timeout(SOON);
            assert!(matches!(spec.start_monitor(), Err(StartError::Timeout)));
            let info = process::info(cx.pid()).expect("it lives");
            assert_eq!(info.monitors, vec![]);
        });
    });
}

/// Where the code of a late `init` does not end, its identity does.
#[test]
fn start_that_never_ends_fails_after_the_grace() {
    both_servers_in(builder, |kind, runtime| {
        let mut patience = SOON;
        loop {
            let (gate, wait) = gate();
            let (begun, began) = mpsc::channel();
            let script = Script::new().0.init(move |_| {
                let _ = begun.send(());
                wait();
                Step::Up
            });
            let spec = script.on(kind).name(&NAME).timeout(patience);
            assert_eq!(spec.start(), Err(StartError::Timeout));
            assert_eq!(NAME.whereis(), None);
            // On a machine with other work the time may be over before `init` has begun.
            if began.try_recv().is_ok() {
                assert_eq!(runtime.counts().zombies, 1);
                return drop(gate);
            }
            patience *= 2;
        }
    });
}

/// Rows: v.init_stop_kills_starter
#[test]
fn stop_in_a_linked_init_takes_the_starter_along() {
    both_servers(|kind| {
        let stops = || Script::new().0.init(|_| Step::Stop(died()));
        let played = process::run::<(), _>(|_| {
            drop(stops().on(kind).start_link());
            unreachable!("the link has ended it");
        });
        assert_eq!(played, Err::<(), _>(died()));
        let played = process::run::<(), _>(|_| {
            drop(stops().on(kind).timeout(LONG).start_link());
            unreachable!("the link has ended it");
        });
        assert_eq!(played, Err::<(), _>(died()));
    });
}

/// Rows: v.init_stop_trapping, gs.start_stop
#[test]
fn stop_in_init_is_an_error_and_an_exit() {
    both_servers(|kind| {
        let stops = || Script::new().0.init(|_| Step::Stop(died()));
        assert_eq!(stops().on(kind).start(), Err(StartError::Exit(died())));
        trapping(|cx| {
            let spec = stops().on(kind);
            assert_eq!(spec.start_link(), Err(StartError::Exit(died())));
            match cx.receive() {
                Received::Exit(exit) => assert_eq!(exit.reason, died()),
                other => panic!("{other:?}"),
            }
        });
    });
}

/// What a runtime reported of crashes while a closure ran.
fn reports(runtime: &Runtime, play: impl FnOnce()) -> Vec<CrashReport> {
    let (sender, reports) = mpsc::channel();
    let id = runtime.telemetry().attach(move |report: &CrashReport| {
        let _ = sender.send(report.clone());
    });
    let (begun, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, sum) = (begun.clone(), over.clone());
    let spawned = runtime.telemetry().attach(move |_: &process::Spawned| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let exited = runtime.telemetry().attach(move |_: &process::Exited| {
        sum.fetch_add(1, Ordering::SeqCst);
    });
    play();
    // The report of a crash comes before the last event of its process.
    eventually("all is told", || {
        over.load(Ordering::SeqCst) == begun.load(Ordering::SeqCst)
    });
    for id in [id, spawned, exited] {
        runtime.telemetry().detach(id);
    }
    reports.try_iter().collect()
}

/// Rows: plib.crash_clean, gs.crash_clean_reasons
#[test]
fn clean_ends_are_not_reported() {
    both_servers_in(builder, |kind, runtime| {
        let reported = reports(runtime, || {
            for reason in [
                ExitReason::Normal,
                ExitReason::Shutdown,
                ExitReason::shutdown_with(7),
            ] {
                let (server, _log) = plain(kind, None);
                let raised = reason.clone();
                let stopped = gen_server::stop_for(&server, raised, LONG);
                assert_eq!(stopped, Ok(()));
                let (server, _log) = plain(kind, None);
                let (mut watch, raised) = (process::watch(&server), reason.clone());
                server.cast(run(move |_, cx| {
                    cx.exit(raised);
                    Next::Loop
                }));
                assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(reason));
            }
        });
        assert!(reported.is_empty(), "{reported:?}");
    });
}

/// A signal from outside was somebody else's doing; there is nothing to report here.
#[test]
fn end_by_a_signal_is_not_reported() {
    both_servers_in(builder, |kind, runtime| {
        let reported = reports(runtime, || {
            for reason in [died(), ExitReason::Kill] {
                let (server, _log) = plain(kind, None);
                let mut watch = process::watch(&server);
                process::exit(&server, reason);
                watch.wait(LONG).expect("it ends");
            }
        });
        assert!(reported.is_empty(), "{reported:?}");
    });
}

/// Rows: plib.crash_report, plib.stacktrace
#[test]
fn crash_is_reported_with_its_surroundings() {
    both_servers_in(builder, |kind, runtime| {
        let mut crashed = None;
        let reported = reports(runtime, || {
            let parent = process::run::<(), _>(|cx| {
                cx.trap_exit(true);
                let spec = Script::new().0.on(kind);
                let server = spec
                    .name(&NAME)
                    .label("the one")
                    .start_link()
                    .expect("it starts");
                let neighbour = plain(kind, None).0;
                let to = neighbour.pid();
                server.cast(run(move |_, cx| {
                    cx.link(to).expect("it lives");
                    cx.me().cast(Msg::Note(1));
                    cx.me().cast(Msg::Note(2));
                    panic!("broken")
                }));
                drop(cx.receive());
                crashed = Some((server.pid(), neighbour.pid()));
                cx.pid()
            });
            let (server, neighbour) = crashed.expect("it was started");
            crashed = Some((server, neighbour));
            let parent = parent.expect("it traps");
            eventually("the link took the neighbour along", || {
                !process::is_alive(neighbour)
            });
            assert_ne!(parent, server);
        });
        let (server, neighbour) = crashed.expect("it was started");
        assert_eq!(reported.len(), 1, "{reported:?}");
        let report = &reported[0];
        assert_eq!(report.pid, server);
        assert_eq!(report.name.as_deref(), Some("beginner"));
        assert_eq!(report.label.as_deref(), Some("the one"));
        assert!(report.initial.contains("Scripted"), "{}", report.initial);
        assert_eq!(report.mailbox_len, 2);
        assert_eq!(report.ancestors.len(), 1);
        assert!(report.links.contains(&neighbour) && report.links.len() == 2);
        // Its parent traps exits and lives on.
        let along: Vec<_> = report.neighbours.iter().map(|along| along.pid).collect();
        assert_eq!((along, report.kind), (vec![neighbour], kind));
        let ExitReason::Panic(panic) = &report.reason else {
            panic!("the reason is a panic");
        };
        assert_eq!(panic.message(), "broken");
        assert!(
            panic
                .location()
                .is_some_and(|place| place.contains("start.rs"))
        );
        let text = report.to_string();
        for part in ["beginner", "the one", "broken", "start.rs"] {
            assert!(text.contains(part), "{text}");
        }
    });
}

/// Rows: plib.t_format_depth
#[test]
fn report_of_a_crash_is_bounded() {
    both_servers_in(builder, |kind, runtime| {
        let reported = reports(runtime, || {
            let (server, _log) = plain(kind, None);
            let mut watch = process::watch(&server);
            server.cast(run(|_, cx| {
                cx.set_label("x".repeat(100));
                cx.exit(ExitReason::other("long ".repeat(100_000)));
                Next::Loop
            }));
            for n in 0..10_000 {
                server.cast(Msg::Note(n));
            }
            watch.wait(LONG).expect("it ends");
        });
        assert_eq!(reported.len(), 1);
        let text = reported[0].to_string();
        assert!(
            text.contains("long long") && text.len() < 6_000,
            "{}",
            text.len()
        );
    });
}

/// Rows: plib.stop
#[test]
fn stop_returns_when_the_process_is_gone() {
    both_servers(|kind| {
        for _ in 0..50 {
            let (server, log) = plain(kind, None);
            process::register(&NAME, &server).expect("the name is free");
            server.cast(Msg::Note(1));
            assert_eq!(gen_server::stop(&server), Ok(()));
            assert!(!server.is_alive());
            assert_eq!(NAME.whereis(), None);
            let expected = [
                Event::Init,
                Event::Noted(1),
                Event::Terminated(ExitReason::Normal),
                Event::Dropped,
            ];
            assert_eq!(log.all(), expected);
        }
    });
}

/// Rows: plib.stop_noproc
#[test]
fn stop_of_the_dead_is_an_error() {
    both_servers(|kind| {
        for _ in 0..50 {
            let (server, _log) = plain(kind, None);
            stop(&server);
            assert_eq!(gen_server::stop(&server), Err(CallError::NoProc));
        }
        assert_eq!(gen_server::stop("nobody"), Err(CallError::NoProc));
    });
}

/// Rows: plib.stop_timeout
#[test]
fn stop_of_one_that_does_not_react_times_out() {
    all_pairs(|one, other| {
        let (caller, target) = (one.puppet(), other.puppet());
        let busy = target.busy();
        let to = target.pid();
        let stopped = caller.run(move |_| gen_server::stop_for(to, ExitReason::Normal, SOON));
        assert_eq!(stopped, Err(CallError::Timeout));
        assert!(target.is_alive());
        drop(busy);
    });
}
