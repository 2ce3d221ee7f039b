//! GenServer: how it starts, under which names, and what its starter hears.

use crate::support::LONG;
use crate::support::puppet::BREEDS;
use crate::support::scripted::{
    Event, Msg, Script, Scripted, Step, both_servers, both_servers_in, echo, plain, run, stop,
};
use crate::support::stage::builder;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, Received, StartError};

const NAME: Name<Msg> = Name::new("server");

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Rows: gs.start_anonymous
#[test]
fn server_starts_answers_and_stops() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        assert_eq!(process::info(&server).map(|info| info.kind), Some(kind));
        assert_eq!(server.call(echo(5)), Ok(5));
        assert_eq!(gen_server::stop(&server), Ok(()));
        assert_eq!(server.call(echo(5)), Err(CallError::NoProc));
        let normal = Event::Terminated(ExitReason::Normal);
        assert_eq!(log.all(), [Event::Init, normal, Event::Dropped]);
    });
}

/// `start` and `start_link` are short for a spec without options.
#[test]
fn short_forms_start_the_default_kind() {
    both_servers_in(builder, |_, _| {
        let server = gen_server::start::<Scripted>(Script::new().0).expect("it starts");
        assert_eq!(server.call(echo(1)), Ok(1));
        stop(&server);
        let linked = gen_server::start_link::<Scripted>(Script::new().0);
        assert_eq!(linked, Err(StartError::NotAProcess));
        let played = process::run::<(), _>(|cx| {
            let server = gen_server::start_link::<Scripted>(Script::new().0)?;
            assert_eq!(
                process::info(cx.pid()).map(|info| info.links),
                Some(vec![server.pid()])
            );
            stop(&server);
            Ok::<_, StartError>(())
        });
        assert_eq!(played, Ok(Ok(())));
    });
}

/// Rows: gs.start_ignore
#[test]
fn ignored_start_is_no_failure() {
    both_servers(|kind| {
        for timeout in [None, Some(LONG)] {
            let ignores = || {
                let spec = Script::new().0.init(|_| Step::Ignore).on(kind);
                match timeout {
                    Some(timeout) => spec.timeout(timeout),
                    None => spec,
                }
            };
            assert_eq!(ignores().start(), Err(StartError::Ignored));
            // A starter that does not trap hears nothing else; one that traps gets the normal end.
            let played = process::run::<(), _>(|_| ignores().start_link());
            assert_eq!(played, Ok(Err(StartError::Ignored)));
            let played = process::run::<(), _>(|cx| {
                cx.trap_exit(true);
                assert_eq!(ignores().start_link(), Err(StartError::Ignored));
                match cx.receive() {
                    Received::Exit(exit) => exit.reason,
                    other => panic!("{other:?}"),
                }
            });
            assert_eq!(played, Ok(ExitReason::Normal));
        }
    });
}

/// Rows: gs.start_link_exit
#[test]
fn linked_starter_that_traps_hears_of_the_end() {
    both_servers(|kind| {
        let played = process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let server = Script::new().0.on(kind).start_link().expect("it starts");
            server.cast(run(|_, _| Next::Stop(died())));
            match cx.receive() {
                Received::Exit(exit) => (exit.from == server.pid(), exit.reason),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(played, Ok((true, died())));
    });
}

/// Rows: gs.start_local
#[test]
fn second_server_of_a_name_is_refused() {
    both_servers(|kind| {
        let named = || Script::new().0.on(kind).name(&NAME);
        let first = named().start().expect("it starts");
        assert_eq!(NAME.whereis(), Some(first.clone()));
        assert_eq!(NAME.call(echo(3)), Ok(3));
        let taken = StartError::AlreadyStarted(first.pid());
        let played = process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            assert_eq!(named().start(), Err(taken.clone()));
            assert_eq!(named().start_link(), Err(taken.clone()));
            assert_eq!(named().start_monitor().map(drop), Err(taken.clone()));
            let none = cx.receive_timeout(std::time::Duration::ZERO);
            assert_eq!(none, None);
            process::info(cx.pid()).map(|info| (info.links.len(), info.monitors.len()))
        });
        assert_eq!(played, Ok(Some((0, 0))));
        stop(&first);
        let second = named().start().expect("the name is free");
        stop(&second);
    });
}

/// The loser's `init` never runs, so it can do no harm under a name that is not its own.
#[test]
fn refused_server_has_no_init() {
    both_servers(|kind| {
        let first = Script::new()
            .0
            .on(kind)
            .name(&NAME)
            .start()
            .expect("it starts");
        let (script, log) = Script::new();
        assert!(script.on(kind).name(&NAME).start().is_err());
        assert_eq!(log.all(), []);
        stop(&first);
    });
}

/// Rows: gs.otp_7669_ignore, gs.otp_7669_stop
#[test]
fn name_is_free_when_a_start_has_failed() {
    both_servers_in(builder, |kind, runtime| {
        for round in 0..100 {
            let ignores = round % 2 == 0;
            let step = if ignores {
                Step::Ignore
            } else {
                Step::Stop(died())
            };
            let mut spec = Script::new().0.init(|_| step).on(kind).name(&NAME);
            if round % 4 > 1 {
                spec = spec.timeout(LONG);
            }
            let expected = if ignores {
                StartError::Ignored
            } else {
                StartError::Exit(died())
            };
            assert_eq!(spec.start(), Err(expected));
            assert_eq!(NAME.whereis(), None);
            assert_eq!(runtime.counts().names, 0);
        }
    });
}

/// Rows: gs.spec_init_local_registered_parent
#[test]
fn parent_with_a_name_is_still_the_parent() {
    both_servers(|kind| {
        for breed in BREEDS {
            let name = Name::new("parent");
            let parent = breed.named(&name);
            let (script, log) = Script::new();
            let server = parent.run(move |_| script.traps().on(kind).start_link());
            let server = server.expect("it starts");
            let mut watch = process::watch(&server);
            parent.end(died());
            let down = watch.wait(LONG).expect("it ends with its parent");
            assert_eq!(down.reason, died());
            let expected = [Event::Init, Event::Terminated(died()), Event::Dropped];
            assert_eq!(log.all(), expected);
        }
    });
}

/// Rows: exgs.whereis
#[test]
fn name_knows_its_server() {
    both_servers(|kind| {
        assert_eq!(NAME.whereis(), None);
        let server = Script::new()
            .0
            .on(kind)
            .name(&NAME)
            .start()
            .expect("it starts");
        assert_eq!(NAME.whereis(), Some(server.clone()));
        assert_eq!(process::whereis("server"), Some(server.pid()));
        stop(&server);
        assert_eq!((NAME.whereis(), process::whereis("server")), (None, None));
    });
}

/// Rows: exgs.start_name_errors
#[test]
fn bad_names_are_refused_at_once() {
    both_servers_in(builder, |kind, runtime| {
        for bad in ["", "undefined"] {
            let (script, log) = Script::new();
            let started = script.on(kind).name(&Name::new(bad)).start();
            assert_eq!(started, Err(StartError::BadName));
            assert_eq!(log.all(), []);
            assert_eq!(runtime.counts().processes, 0);
        }
    });
}

/// Rows: exgs.nil_name
#[test]
fn server_without_a_name_has_none() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        let info = process::info(&server).expect("it lives");
        assert_eq!(
            (info.registered_name, process::registered()),
            (None, vec![])
        );
        stop(&server);
    });
}

/// What `init` sends to itself, and what others send while it runs, is handled when it is up.
#[test]
fn messages_wait_for_the_end_of_init() {
    both_servers(|kind| {
        let (script, log) = Script::new();
        let script = script.init(|cx| {
            cx.me().cast(Msg::Note(1));
            NAME.cast(Msg::Note(2));
            cx.trap_exit(true);
            process::exit(cx.me(), died());
            Step::Up
        });
        let server = script.on(kind).name(&NAME).start().expect("it starts");
        server.cast(Msg::Note(3));
        stop(&server);
        let events = log.all();
        assert_eq!(
            &events[..3],
            [Event::Init, Event::Noted(1), Event::Noted(2)]
        );
        let Event::Info(Info::Exit(exit)) = &events[3] else {
            panic!("{events:?}");
        };
        assert_eq!((exit.from, &exit.reason), (server.pid(), &died()));
        assert_eq!(events[4], Event::Noted(3));
    });
}

/// What a server is called in reports and by observers.
#[test]
fn label_of_the_spec_is_there_from_the_beginning() {
    both_servers(|kind| {
        let script = Script::new().0.init(|cx| {
            assert_eq!(process::label(cx.pid()).as_deref(), Some("the one"));
            Step::Up
        });
        let server = script.on(kind).label("the one").start().expect("it starts");
        let info = process::info(&server).expect("it lives");
        assert!(info.initial.ends_with("Scripted"), "{}", info.initial);
        stop(&server);
    });
}

/// A server that starts others in its `init`, which start others in theirs.
#[test]
fn starts_may_be_nested() {
    fn nest(kind: Kind, depth: u64) -> Result<Ref<Msg>, StartError> {
        let (script, _log) = Script::new();
        let script = script.init(move |cx| {
            if depth > 0 {
                let inner = nest(kind, depth - 1).expect("it starts");
                assert_eq!(inner.call(echo(depth)), Ok(depth));
                let me = cx.pid();
                assert_eq!(process::self_pid(), Some(me));
                inner.cast(run(move |_, cx| {
                    assert_eq!(cx.parent(), me);
                    Next::Stop(ExitReason::Normal)
                }));
            }
            Step::Up
        });
        script.on(kind).start()
    }
    both_servers(|kind| {
        let outer = nest(kind, 8).expect("it starts");
        assert_eq!(outer.call(echo(0)), Ok(0));
        stop(&outer);
    });
}
