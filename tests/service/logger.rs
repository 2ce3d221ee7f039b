//! The logger: what is reported in which order, how graver things are told from others, and what handlers can and
//! cannot do.

use crate::support::scripted::{KINDS, both_servers_in, plain, run};
use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, child, eventually};
use log::{Level, LevelFilter};
use perennial::logger::{self, EventsDropped, Handler, HandlerRemoved, LogEvent};
use perennial::prelude::*;
use perennial::process::{self, CrashReport, Kind, ServerReport};
use perennial::supervisor::{SupervisorEvent, What};
use perennial::telemetry::Event;
use perennial::{ExitReason, Pid, agent};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Something of the program's own.
#[derive(Clone, Debug, PartialEq)]
struct Note(String);

impl Event for Note {}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn note(level: Level, text: &str) {
    logger::report(level, "tests", Note(text.to_owned()));
}

/// Adds a handler that keeps what it gets.
fn keep(id: &str, change: impl FnOnce(Handler) -> Handler) -> mpsc::Receiver<LogEvent> {
    let (sender, events) = mpsc::channel();
    let handler = Handler::new(move |event| drop(sender.send(event.clone())));
    logger::add_handler(id, change(handler)).expect("the id is free");
    events
}

fn texts(events: &mpsc::Receiver<LogEvent>) -> Vec<String> {
    events.try_iter().map(|event| event.to_string()).collect()
}

/// What a log event is, in a word.
fn word(event: &LogEvent) -> String {
    if event.report::<ServerReport>().is_some() {
        "server".to_owned()
    } else if event.report::<CrashReport>().is_some() {
        "crash".to_owned()
    } else if let Some(event) = event.report::<SupervisorEvent>() {
        match &event.what {
            What::Started(_) => "started".to_owned(),
            What::Exited(..) => "exited".to_owned(),
            What::Restarting(..) => "restarting".to_owned(),
            What::Stopped(..) => "stopped".to_owned(),
            other => format!("{other:?}"),
        }
    } else {
        event.to_string()
    }
}

static NUMBER: Name<agent::Msg<u64>> = Name::new("the number");

fn child_of(kind: Kind) -> supervisor::ServerChild<agent::Agent<u64>> {
    let child = Child::agent("number", || 1).name(&NUMBER);
    match kind {
        Kind::Pooled => child.pooled(),
        Kind::Thread => child.thread(),
    }
}

/// Rows: log.sasl_progress
#[test]
fn progress_is_told_at_info_and_nothing_graver() {
    both_servers_in(builder, |kind, _| {
        let all = keep("all", |handler| handler.level(LevelFilter::Info));
        let grave = keep("grave", |handler| handler.level(LevelFilter::Warn));
        let tree = Supervisor::new(Strategy::OneForOne)
            .child(child_of(kind))
            .start()
            .unwrap();
        supervisor::stop(&tree).unwrap();
        let events: Vec<LogEvent> = all.try_iter().collect();
        let words: Vec<String> = events.iter().map(word).collect();
        assert_eq!(words, ["started", "stopped"]);
        for event in &events {
            assert_eq!((event.level, event.pid), (Level::Info, tree.pid()));
            assert_eq!(event.domain, "perennial::supervisor");
            assert!(event.unix_ms > 1_700_000_000_000);
        }
        assert_eq!(texts(&grave), [""; 0]);
    });
}

/// Rows: log.crash_chain
#[test]
fn crash_is_told_by_the_server_then_its_process_then_its_supervisor() {
    both_servers_in(builder, |kind, _| {
        let all = keep("all", |handler| handler);
        let tree = Supervisor::new(Strategy::OneForOne)
            .child(child_of(kind))
            .start()
            .unwrap();
        assert_eq!(texts(&all).len(), 1);
        for _ in 0..3 {
            let first = NUMBER.whereis().expect("it runs").pid();
            assert!(agent::update(&NUMBER, |_| panic!("out of paper")).is_err());
            supervisor::which_children(&tree).unwrap();
            let events: Vec<LogEvent> = all.try_iter().collect();
            let words: Vec<String> = events.iter().map(word).collect();
            let expected = ["server", "crash", "exited", "restarting", "started"];
            assert_eq!(words, expected, "{events:#?}");
            let about: Vec<Pid> = events.iter().map(|event| event.pid).collect();
            assert_eq!(about[..3], [first, first, tree.pid()]);
            for event in &events[..3] {
                assert_eq!(event.level, Level::Error);
                assert!(event.to_string().contains("out of paper"), "{event}");
            }
            for event in &events[..2] {
                assert_eq!(event.name.as_deref(), Some("the number"));
            }
            let crash = events[1].report::<CrashReport>().unwrap();
            assert_eq!(crash.ancestors, [tree.pid()]);
            assert_eq!(
                (crash.links.clone(), crash.links_len),
                (vec![tree.pid()], 1)
            );
            // The supervisor traps exits: it does not go down with its child.
            assert_eq!(crash.neighbours, []);
        }
        supervisor::stop(&tree).unwrap();
    });
}

#[test]
fn clean_ends_are_silent() {
    both_servers_in(builder, |kind, _| {
        let all = keep("all", |handler| handler);
        for reason in [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("enough"),
        ] {
            let (server, _log) = plain(kind, None);
            gen_server::stop_for(&server, reason, LONG).unwrap();
        }
        let (server, _log) = plain(kind, None);
        let mut watch = process::watch(&server);
        process::exit(&server, ExitReason::Kill);
        watch.wait(LONG).unwrap();
        assert_eq!(texts(&all), [""; 0]);
    });
}

/// Who does not trap exits goes down with a process, and with whom it takes along; who traps does not.
#[test]
fn crash_report_names_those_whom_it_takes_along() {
    both_servers_in(builder, |kind, runtime| {
        let (sender, reports) = mpsc::channel();
        let attached = runtime
            .telemetry()
            .attach(move |report: &CrashReport| drop(sender.send(report.clone())));
        let servers: Vec<_> = (0..4).map(|_| plain(kind, None).0).collect();
        let pids: Vec<Pid> = servers.iter().map(Ref::pid).collect();
        let [first, second, third, trapper] = pids[..] else {
            unreachable!()
        };
        for (from, to) in [(0, second), (1, third), (0, trapper)] {
            servers[from].cast(run(move |_, cx| {
                cx.link(to).unwrap();
                Next::Loop
            }));
        }
        servers[3].cast(run(|_, cx| {
            cx.trap_exit(true);
            Next::Loop
        }));
        eventually("all are linked, and the last traps", || {
            process::info(first).is_some_and(|info| info.links.len() == 2)
                && process::info(second).is_some_and(|info| info.links.len() == 2)
                && process::info(trapper).is_some_and(|info| info.trap_exit)
        });
        let mut watch = process::watch(third);
        servers[0].cast(run(|_, cx| {
            cx.set_label("the one that broke");
            cx.me().cast(perennial_message());
            panic!("broken")
        }));
        watch.wait(LONG).unwrap();
        let report = reports.recv_timeout(LONG).unwrap();
        assert_eq!(
            (report.pid, report.kind, report.trap_exit),
            (first, kind, false)
        );
        assert_eq!(report.label.as_deref(), Some("the one that broke"));
        assert_eq!((report.links_len, report.mailbox_len), (2, 1));
        let along: Vec<Pid> = report
            .neighbours
            .iter()
            .map(|neighbour| neighbour.pid)
            .collect();
        assert_eq!(along, [second, third]);
        let neighbour = &report.neighbours[0];
        assert!(neighbour.initial.contains("Scripted"));
        assert_eq!((neighbour.links_len, neighbour.mailbox_len), (2, 0));
        let text = report.to_string();
        assert!(text.contains(&format!("takes with it {second}")), "{text}");
        eventually("the trapper has heard of it", || {
            process::info(trapper).is_some_and(|info| info.links.is_empty())
        });
        gen_server::stop(trapper).unwrap();
        runtime.telemetry().detach(attached);
    });
}

fn perennial_message() -> crate::support::scripted::Msg {
    crate::support::scripted::Msg::Note(1)
}

/// A value without end: whoever prints it all prints for ever.
#[derive(PartialEq)]
struct Endless;

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("and on ")?;
        }
    }
}

/// OTP's report of a crash with a huge mailbox once took minutes and gigabytes: it held all the messages.
///
/// Rows: log.bounded_crash_report
#[test]
fn report_of_a_crash_with_a_huge_mailbox_is_short_and_quick() {
    both_servers_in(builder, |kind, _| {
        let all = keep("all", |handler| handler);
        let (server, _log) = plain(kind, None);
        let mut watch = process::watch(&server);
        let (go, gate) = mpsc::channel::<()>();
        server.cast(run(move |_, cx| {
            gate.recv_timeout(LONG).unwrap();
            for _ in 0..100 {
                cx.link(process::spawn::<()>(|cx| drop(cx.receive())).pid())
                    .unwrap();
            }
            cx.exit(ExitReason::other(Endless));
            Next::Loop
        }));
        for n in 0..200_000 {
            server.cast(crate::support::scripted::Msg::Note(n));
        }
        let began = Instant::now();
        go.send(()).unwrap();
        watch.wait(LONG).expect("it ends");
        assert!(began.elapsed() < LONG / 2);
        let events: Vec<LogEvent> = all.try_iter().collect();
        assert_eq!(
            events.iter().map(word).collect::<Vec<_>>(),
            ["server", "crash"]
        );
        for event in &events {
            let text = event.to_string();
            assert!(text.contains("and on and on"), "{text}");
            assert!(text.len() < 12_000, "{}", text.len());
        }
        let crash = events[1].report::<CrashReport>().unwrap();
        assert_eq!(crash.mailbox_len, 200_000);
        assert_eq!((crash.links.len(), crash.links_len), (16, 100));
        assert_eq!(crash.neighbours.len(), 16);
        assert!(crash.to_string().contains("and 84 more"));
        eventually("those who were linked are gone", || {
            process::processes().is_empty()
        });
    });
}

#[test]
fn text_of_any_report_is_bounded() {
    on_stage(builder(), |_| {
        let all = keep("all", |handler| handler);
        note(Level::Warn, &"x".repeat(1 << 20));
        let text = all.recv_timeout(LONG).unwrap().to_string();
        assert!(text.chars().count() < 16_010);
    });
}

#[test]
fn levels_and_filters_decide_who_gets_what() {
    on_stage(builder(), |_| {
        let all = keep("all", |handler| handler);
        let short = keep("short", |handler| {
            handler
                .level(LevelFilter::Warn)
                .filter(|event| event.domain == "tests")
                .filter(|event| event.to_string().len() < 3)
        });
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Trace];
        for (level, text) in levels.into_iter().zip(["e", "warn", "i", "t"]) {
            note(level, text);
        }
        assert_eq!(texts(&all), ["e", "warn", "i", "t"]);
        assert_eq!(texts(&short), ["e"]);
        logger::set_level(LevelFilter::Error);
        assert_eq!(logger::level(), LevelFilter::Error);
        note(Level::Error, "E");
        note(Level::Warn, "W");
        assert_eq!(
            (texts(&all), texts(&short)),
            (vec!["E".to_owned()], vec!["E".to_owned()])
        );
        logger::set_level(LevelFilter::Off);
        note(Level::Error, "E");
        assert_eq!((texts(&all).len(), texts(&short).len()), (0, 0));
    });
}

#[test]
fn report_is_an_event_of_its_type_too_and_says_who_made_it() {
    both_servers_in(builder, |kind, runtime| {
        let all = keep("all", |handler| handler);
        let (sender, notes) = mpsc::channel();
        let bus = runtime.telemetry();
        let attached = bus.attach(move |note: &Note| drop(sender.send(note.clone())));
        let (server, _log) = plain(kind, None);
        let name = Name::new("noter");
        process::register(&name, &server).unwrap();
        server.cast(run(|_, _| {
            note(Level::Info, "hello");
            Next::Loop
        }));
        gen_server::stop(&server).unwrap();
        let event = all.recv_timeout(LONG).unwrap();
        assert_eq!(event.report::<Note>(), Some(&Note("hello".into())));
        assert_eq!(
            (event.pid, event.name.as_deref()),
            (server.pid(), Some("noter"))
        );
        assert_eq!(notes.try_recv(), Ok(Note("hello".into())));
        bus.detach(attached);
    });
}

#[test]
fn handlers_are_known_by_their_ids() {
    on_stage(builder(), |_| {
        let ids = || -> Vec<String> {
            let all = logger::handlers();
            all.iter().map(|info| info.id.to_string()).collect()
        };
        assert_eq!(ids(), ["default"]);
        let first = keep("one", |handler| handler);
        let refused = logger::add_handler("one", Handler::new(|_| ()));
        assert!(refused.unwrap_err().to_string().contains("one"));
        assert_eq!(ids(), ["default", "one"]);
        note(Level::Info, "seen");
        assert!(logger::remove_handler("one"));
        assert!(!logger::remove_handler("one"));
        note(Level::Info, "unseen");
        assert_eq!(texts(&first), ["seen"]);
        assert!(logger::remove_handler("default"));
        assert_eq!(ids(), [""; 0]);
        note(Level::Error, "to nobody");
    });
}

#[test]
fn handler_that_panics_is_removed_and_hurts_nobody() {
    both_servers_in(builder, |kind, _| {
        let calls = Arc::new(AtomicU64::new(0));
        let count = calls.clone();
        let panics = Handler::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("the handler broke")
        });
        logger::add_handler("panics", panics).unwrap();
        let all = keep("all", |handler| handler);
        let (server, _log) = plain(kind, None);
        server.cast(run(|server, _| {
            note(Level::Info, "one");
            note(Level::Info, "two");
            server.value = 7;
            Next::Loop
        }));
        gen_server::stop(&server).unwrap();
        let events: Vec<LogEvent> = all.try_iter().collect();
        let words: Vec<String> = events.iter().map(word).collect();
        let removed = "the log handler \"panics\" panicked and was removed";
        assert_eq!(words, ["one", removed, "two"]);
        assert_eq!(events[1].level, Level::Error);
        assert!(events[1].report::<HandlerRemoved>().is_some());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(logger::handlers().len(), 2);
    });
}

#[test]
fn process_whose_report_breaks_a_handler_dies_to_the_end() {
    both_servers_in(builder, |kind, _| {
        let panics = Handler::new(|_| panic!("the handler broke"));
        logger::add_handler("panics", panics).unwrap();
        let (server, _log) = plain(kind, None);
        let mut watch = process::watch(&server);
        server.cast(run(|_, _| panic!("out of paper")));
        let reason = watch.wait(LONG).unwrap().reason;
        assert!(matches!(reason, ExitReason::Panic(panic) if panic.message() == "out of paper"));
    });
}

#[test]
fn handler_is_spared_what_is_beyond_its_burst_and_told_how_much_that_was() {
    let (clock, hand) = perennial::time::Clock::manual();
    on_stage(builder().clock(clock), |_| {
        let few = keep("few", |handler| handler.burst(3, Duration::from_secs(1)));
        let all = keep("all", |handler| handler);
        for n in 0..10 {
            note(Level::Info, &n.to_string());
        }
        assert_eq!(texts(&few), ["0", "1", "2"]);
        assert_eq!(texts(&all).len(), 10);
        let dropped = |id: &str| {
            let all = logger::handlers();
            all.iter()
                .find(|info| &*info.id == id)
                .map(|info| info.dropped)
        };
        assert_eq!((dropped("few"), dropped("all")), (Some(7), Some(0)));
        hand.advance(Duration::from_secs(1));
        note(Level::Info, "next");
        let events: Vec<LogEvent> = few.try_iter().collect();
        let count = events[0]
            .report::<EventsDropped>()
            .map(|dropped| dropped.count);
        assert_eq!((count, events[0].level), (Some(7), Level::Warn));
        assert_eq!(events[1].to_string(), "next");
        // Told once.
        note(Level::Info, "last");
        assert_eq!(texts(&few), ["last"]);
        assert_eq!(dropped("few"), Some(7));
    });
}

#[test]
fn runtime_that_stops_tells_what_was_dropped() {
    let runtime = builder().build().unwrap();
    let entered = runtime.enter();
    let few = keep("few", |handler| {
        handler.burst(1, Duration::from_secs(3_600))
    });
    for text in ["one", "two", "three"] {
        note(Level::Info, text);
    }
    drop(entered);
    runtime.shutdown(LONG);
    assert_eq!(
        texts(&few),
        ["one", "2 log events were dropped: too many at once"]
    );
}

#[test]
fn handler_that_hangs_holds_no_more_threads_than_it_may() {
    on_stage(builder(), |_| {
        let (enter, entered) = mpsc::channel();
        let (leave, left) = mpsc::channel::<()>();
        let left = std::sync::Mutex::new(left);
        let slow = Handler::new(move |_| {
            let _ = enter.send(());
            let _ = left.lock().unwrap().recv_timeout(LONG);
        });
        logger::add_handler("slow", slow.concurrent(1)).unwrap();
        let stuck = process::spawn::<()>(|_| note(Level::Info, "stuck"));
        entered.recv_timeout(LONG).unwrap();
        for _ in 0..5 {
            note(Level::Info, "passes by");
        }
        assert!(stuck.is_alive());
        assert_eq!(logger::handlers()[1].dropped, 5);
        leave.send(()).unwrap();
        eventually("it is let go", || !stuck.is_alive());
        assert!(logger::remove_handler("slow"));
    });
}

#[test]
fn what_a_handler_reports_goes_to_no_handler() {
    on_stage(builder(), |runtime| {
        let (sender, notes) = mpsc::channel();
        let bus = runtime.telemetry();
        bus.attach(move |note: &Note| drop(sender.send(note.0.clone())));
        let echo = Handler::new(|event| note(Level::Info, &format!("{event} again")));
        logger::add_handler("echo", echo).unwrap();
        let all = keep("all", |handler| handler);
        note(Level::Info, "once");
        assert_eq!(texts(&all), ["once"]);
        // Programs hear of both.
        assert_eq!(notes.try_iter().collect::<Vec<_>>(), ["once", "once again"]);
    });
}

#[test]
fn server_that_fails_while_a_handler_calls_it_is_reported() {
    on_stage(builder(), |_| {
        for kind in KINDS {
            let number = agent::start(|| 1).unwrap();
            let to = number.clone();
            let all = keep("all", |handler| handler);
            let caller = Handler::new(move |event| {
                if event.to_string() == "call it" {
                    let called = agent::update(&to, |_| panic!("out of paper"));
                    assert!(called.is_err());
                }
            });
            logger::add_handler("caller", caller).unwrap();
            let (server, _log) = plain(kind, None);
            server.cast(run(|_, _| {
                note(Level::Info, "call it");
                Next::Loop
            }));
            eventually("it has failed", || !number.is_alive());
            gen_server::stop(&server).unwrap();
            let mut words: Vec<String> = all.try_iter().map(|event| word(&event)).collect();
            words.sort();
            assert_eq!(words, ["call it", "crash", "server"]);
            assert!(logger::remove_handler("caller") && logger::remove_handler("all"));
        }
    });
}

/// A logger that panics whatever it is asked.
struct Broken;

impl log::Log for Broken {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        panic!("the logger broke")
    }

    fn log(&self, _: &log::Record<'_>) {
        panic!("the logger broke")
    }

    fn flush(&self) {}
}

/// In programs of their own: what `log` is set to belongs to the whole program.
#[test]
fn no_crash_is_silent_unless_the_program_says_so() {
    const NAME: &str = "logger::no_crash_is_silent_unless_the_program_says_so";
    if let Some(role) = child::role() {
        for kind in KINDS {
            on_stage(builder(), |_| {
                if role == "broken" {
                    // Set once, for both kinds.
                    let _ = log::set_logger(&Broken);
                    log::set_max_level(LevelFilter::Trace);
                }
                if role == "silent" {
                    assert!(logger::remove_handler("default"));
                }
                if role == "watched" {
                    drop(keep("all", |handler| handler));
                }
                let (server, _log) = plain(kind, None);
                let mut watch = process::watch(&server);
                server.cast(run(|_, _| panic!("out of paper")));
                watch.wait(LONG).unwrap();
            });
        }
        std::process::exit(13);
    }
    for (role, lines) in [("plain", 2), ("watched", 2), ("broken", 2), ("silent", 0)] {
        let ended = child::play(NAME, role);
        let text = &ended.stderr;
        assert_eq!(ended.code, Some(13), "{role}: {text}");
        let found = text.lines().filter(|line| line.contains("out of paper"));
        assert_eq!(found.count(), lines, "{role}: {text}");
    }
}
