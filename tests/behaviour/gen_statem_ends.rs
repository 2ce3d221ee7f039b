//! GenStatem: how it starts, and how it ends.

use crate::machine::{
    A, B, Entered, Got, Internal, Log, Msg, Record, STATE, Scripted, ask, echo, go, machine, on,
    run, script, stop, sync,
};
use crate::support::puppet::{BREEDS, Breed};
use crate::support::scripted::{both_servers, both_servers_in, gate};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::ExitReason;
use perennial::gen_statem::{self, Cx, Event, Init, Next};
use perennial::prelude::{Dest, GenStatem, Name, Ref};
use perennial::process::{self, CallError, Kind, Received, StartError};
use std::sync::mpsc;
use std::time::Duration;

const NAME: Name<Msg> = Name::new("machine");
const SOON: Duration = Duration::from_millis(5);

fn died() -> ExitReason {
    ExitReason::other("died")
}

#[track_caller]
fn ended(watch: &mut process::Watch) -> ExitReason {
    watch.wait(LONG).expect("it ends").reason
}

/// Rows: statem.start1, statem.stop1
#[test]
fn machine_starts_answers_and_stops() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let info = process::info(&machine).expect("it lives");
        assert_eq!(info.kind, kind);
        assert!(info.initial.ends_with("machine::Scripted"), "{info:?}");
        assert_eq!(machine.call(echo(5)), Ok(5));
        assert_eq!(gen_statem::stop(&machine), Ok(()));
        assert_eq!(machine.call(echo(5)), Err(CallError::NoProc));
        assert_eq!(gen_statem::stop(&machine), Err(CallError::NoProc));
        let normal = Record::Terminated(ExitReason::Normal, A);
        assert_eq!(log.all(), [normal, Record::Dropped]);
    });
}

/// `start` and `start_link` are short for a spec without options.
///
/// Rows: statem.start1, statem.start2
#[test]
fn short_forms_start_the_default_kind() {
    both_servers_in(builder, |_, _| {
        let machine = gen_statem::start::<Scripted>(script().0).expect("it starts");
        assert_eq!(machine.call(echo(1)), Ok(1));
        stop(&machine);
        let linked = gen_statem::start_link::<Scripted>(script().0);
        assert_eq!(linked, Err(StartError::NotAProcess));
        let played = process::run::<(), _>(|cx| {
            let linked = gen_statem::start_link::<Scripted>(script().0)?;
            let info = process::info(cx.pid()).expect("it lives");
            assert_eq!(info.links, [linked.pid()]);
            stop(&linked);
            Ok::<(), StartError>(())
        });
        assert_eq!(played, Ok(Ok(())));
    });
}

/// Rows: statem.start3
#[test]
fn start_that_takes_too_long_fails() {
    both_servers(|kind| {
        let (open, wait) = gate();
        let script = script().0.init(move |script, _| {
            wait();
            Init::ok(A, script)
        });
        // The code in `init` cannot be interrupted: it is cut off after its grace.
        let started = script.on(kind).timeout(SOON).start();
        drop(open);
        assert_eq!(started, Err(StartError::Timeout));
    });
}

/// Rows: statem.start4, statem.start5
#[test]
fn init_may_ignore_the_start_or_refuse_it() {
    both_servers(|kind| {
        let ignores = || script().0.init(|_, _| Init::ignore()).on(kind);
        assert_eq!(ignores().start(), Err(StartError::Ignored));
        let refuses = || {
            script()
                .0
                .init(|_, _| Init::stop(died()))
                .on(kind)
                .name(&NAME)
        };
        assert_eq!(refuses().start(), Err(StartError::Exit(died())));
        assert_eq!(NAME.whereis(), None);
        let played = process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            assert_eq!(ignores().start_link(), Err(StartError::Ignored));
            assert_eq!(refuses().start_link(), Err(StartError::Exit(died())));
            let exits = [cx.receive(), cx.receive()];
            exits.map(|received| match received {
                Received::Exit(exit) => exit.reason,
                other => panic!("{other:?}"),
            })
        });
        assert_eq!(played, Ok([ExitReason::Normal, died()]));
        // Neither has a state to be cleaned up.
        let (script, log) = script();
        let failed = script.init(|_, _| Init::stop(died())).on(kind).start();
        assert_eq!(failed, Err(StartError::Exit(died())));
        assert_eq!(log.all(), [Record::Init, Record::Dropped]);
    });
}

/// Rows: statem.start6, statem.start8
#[test]
fn second_machine_of_a_name_is_refused() {
    both_servers(|kind| {
        let named = || script().0.on(kind).name(&NAME);
        let first = named().start().expect("it starts");
        assert_eq!(NAME.whereis(), Some(first.clone()));
        assert_eq!(NAME.call(echo(3)), Ok(3));
        let taken = StartError::AlreadyStarted(first.pid());
        let played = process::run::<(), _>(|_| {
            assert_eq!(named().start(), Err(taken.clone()));
            assert_eq!(named().start_link(), Err(taken.clone()));
        });
        assert_eq!(played, Ok(()));
        stop(&first);
        let second = named().start().expect("the name is free");
        stop(&second);
    });
}

/// Rows: statem.start10, statem.start11, statem.stop7
#[test]
fn machine_may_have_its_name_in_a_registry() {
    static MACHINES: perennial::Registry<u32, Msg> = perennial::Registry::new("machines");
    both_servers(|kind| {
        let via = || script().0.on(kind).via(MACHINES.via(7u32));
        let first = via().start().expect("it starts");
        let taken = StartError::AlreadyStarted(first.pid());
        assert_eq!(via().start(), Err(taken.clone()));
        let linked = process::run::<(), _>(|_| via().start_link());
        assert_eq!(linked, Ok(Err(taken)));
        assert_eq!(MACHINES.via(7u32).call(echo(2)), Ok(2));
        let found = MACHINES.whereis(&7).expect("it is there");
        stop(&found);
        assert_eq!(MACHINES.whereis(&7), None);
        assert_eq!(gen_statem::stop(&first), Err(CallError::NoProc));
    });
}

/// Rows: statem.start12
#[test]
fn starter_may_monitor_the_machine_from_the_beginning() {
    both_servers(|kind| {
        let played = process::run::<(), _>(|cx| {
            let (machine, monitor) = script().0.on(kind).start_monitor()?;
            machine.cast(run(|_, _| Next::stop(died())));
            match cx.receive() {
                Received::Down(down) => {
                    assert_eq!((down.monitor, down.reason), (monitor, died()));
                }
                other => panic!("{other:?}"),
            }
            Ok::<(), StartError>(())
        });
        assert_eq!(played, Ok(Ok(())));
    });
}

/// Rows: statem.stop2, statem.stop4, statem.stop5
#[test]
fn machine_is_stopped_for_any_reason_and_by_its_name() {
    both_servers(|kind| {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let (script, log) = script();
            let machine = script.on(kind).name(&NAME).start().expect("it starts");
            let mut watch = process::watch(&machine);
            machine.cast(go(B));
            let stopped = gen_statem::stop_for(&NAME, reason.clone(), LONG);
            assert_eq!(stopped, Ok(()));
            assert_eq!(ended(&mut watch), reason);
            let end = [Record::Terminated(reason.clone(), B), Record::Dropped];
            assert_eq!(log.all()[3..], end);
            let again = gen_statem::stop_for(&NAME, reason, LONG);
            assert_eq!(again, Err(CallError::NoProc));
        }
    });
}

/// Rows: statem.stop3
#[test]
fn stop_of_no_time_asks_all_the_same() {
    both_servers(|kind| {
        let (machine, _log) = machine(kind);
        let (open, wait) = gate();
        machine.cast(run(move |_, _| {
            wait();
            Next::keep_state()
        }));
        let mut watch = process::watch(&machine);
        let stopped = gen_statem::stop_for(&machine, ExitReason::Normal, Duration::ZERO);
        assert_eq!(stopped, Err(CallError::Timeout));
        drop(open);
        assert_eq!(ended(&mut watch), ExitReason::Normal);
    });
}

/// A stop waits in the mailbox: what the machine has to do before that it does.
#[test]
fn stop_comes_after_inserted_events() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let (open, wait) = gate();
        machine.cast(run(move |_, _| {
            wait();
            Next::next_state(B)
                .next_event(Event::Internal(Msg::Note(1)))
                .state_timeout(Duration::ZERO, Msg::Note(2))
        }));
        let stopped = gen_statem::stop_for(&machine, ExitReason::Normal, Duration::ZERO);
        assert_eq!(stopped, Err(CallError::Timeout));
        drop(open);
        let expected = [
            Entered(A, B),
            Got(Internal, 1, B),
            Got(STATE, 2, B),
            Record::Terminated(ExitReason::Normal, B),
            Record::Dropped,
        ];
        assert_eq!(log.all(), expected);
    });
}

/// Rows: statem.shutdown
#[test]
fn clean_stop_is_heard_of_and_not_reported() {
    both_servers_in(builder, |kind, runtime| {
        let (sender, reports) = mpsc::channel();
        runtime
            .telemetry()
            .attach(move |report: &process::CrashReport| {
                let _ = sender.send(report.pid);
            });
        let reason = ExitReason::shutdown_with("tired");
        let played = process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let machine = script().0.on(kind).start_link()?;
            let clean = reason.clone();
            let answer = machine.call(ask(move |_, _reply, _| Next::stop(clean)));
            assert_eq!(answer, Err(CallError::Exited(reason.clone())));
            match cx.receive() {
                Received::Exit(exit) => assert_eq!(exit.reason, reason),
                other => panic!("{other:?}"),
            }
            assert_eq!(machine.call(echo(1)), Err(CallError::NoProc));
            Ok::<(), StartError>(())
        });
        assert_eq!(played, Ok(Ok(())));
        assert_eq!(reports.try_iter().count(), 0);
    });
}

/// Both are answered before `terminate` runs, as gen_statem does it; a gen_server's `stop_reply` comes after.
///
/// Rows: statem.stop_and_reply
#[test]
fn answers_of_a_stop_come_before_terminate() {
    both_servers(|kind| {
        let (script, log) = script();
        let (open, wait) = gate();
        let machine = script
            .on_terminate(move |_| wait())
            .on(kind)
            .start()
            .expect("it starts");
        let mut watch = process::watch(&machine);
        let waits = |n| {
            let machine = machine.clone();
            let held = ask(move |script, reply, _| {
                script.held.push(reply);
                Next::keep_state()
            });
            std::thread::spawn(move || (n, machine.call_for(LONG, held)))
        };
        let first = waits(1);
        holds(&machine, 1);
        let second = waits(2);
        holds(&machine, 2);
        machine.cast(run(|script, _| {
            let replies = std::mem::take(&mut script.held);
            let stop = Next::stop(died());
            replies
                .into_iter()
                .zip(10..)
                .fold(stop, |stop, (to, n)| stop.reply(to, n))
        }));
        assert_eq!(first.join().expect("no panic"), (1, Ok(10)));
        assert_eq!(second.join().expect("no panic"), (2, Ok(11)));
        assert!(machine.is_alive());
        drop(open);
        assert_eq!(ended(&mut watch), died());
        let end = [Record::Terminated(died(), A), Record::Dropped];
        assert_eq!(log.all()[2..], end);
    });
}

/// Waits until a machine holds so many requests.
fn holds(machine: &Ref<Msg>, n: u64) {
    eventually("it holds them", || {
        let held = machine.call_for(
            LONG,
            ask(|script, reply, _| {
                let held = script.held.len() as u64;
                Next::keep_state().reply(reply, held)
            }),
        );
        held == Ok(n)
    });
}

/// Rows: statem.undef_terminate1, statem.undef_terminate2
#[test]
fn machine_without_terminate_ends_with_its_reason() {
    struct Plain;
    impl GenStatem for Plain {
        type Args = ();
        type Msg = ExitReason;
        type State = ();
        type Timer = ();
        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            Init::ok((), Plain)
        }
        fn handle(&mut self, event: Event<Self>, _: &(), _: &mut Cx<Self>) -> Next<Self> {
            match event {
                Event::Message(reason) => Next::stop(reason),
                _ => Next::keep_state(),
            }
        }
    }
    both_servers(|kind| {
        for reason in [ExitReason::Normal, died()] {
            let machine = on(gen_statem::spec::<Plain>(()), kind).start();
            let machine = machine.expect("it starts");
            let mut watch = process::watch(&machine);
            machine.cast(reason.clone());
            assert_eq!(ended(&mut watch), reason);
        }
    });
}

/// Rows: statem.undef_in_terminate
#[test]
fn panic_in_terminate_is_the_reason() {
    both_servers(|kind| {
        let (script, log) = script();
        let script = script.on_terminate(|_| panic!("broken"));
        let machine = script.on(kind).start().expect("it starts");
        let mut watch = process::watch(&machine);
        machine.cast(run(|_, _| Next::stop(ExitReason::Normal)));
        match ended(&mut watch) {
            ExitReason::Panic(panic) => assert_eq!(panic.message(), "broken"),
            other => panic!("{other}"),
        }
        assert_eq!(log.all().last(), Some(&Record::Dropped));
    });
}

/// A panic in `handle` ends the machine after `terminate`, in the state it was in.
#[test]
fn panic_in_a_callback_ends_the_machine() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(go(B));
        let answer = machine.call(ask(|_, _reply, _| panic!("out of paper")));
        assert!(matches!(
            answer,
            Err(CallError::Exited(ExitReason::Panic(_)))
        ));
        let log = log.all();
        assert_eq!(log.len(), 3);
        assert!(matches!(
            log[1],
            Record::Terminated(ExitReason::Panic(_), B)
        ));
    });
}

/// The rule of every behaviour: the parent's end is the end of one that traps, after `terminate`.
#[test]
fn end_of_the_parent_ends_one_that_traps_after_terminate() {
    let family = |breed: Breed, kind: Kind, traps: bool| {
        let (script, log) = script();
        let script = if traps { script.traps() } else { script };
        let parent = breed.puppet();
        let machine = parent.run(move |_| script.on(kind).start_link());
        let machine: Ref<Msg> = machine.expect("it starts");
        sync(&machine);
        (parent, machine, log)
    };
    let end_of = |breed, kind, traps| -> Log {
        let (parent, machine, log) = family(breed, kind, traps);
        let mut watch = process::watch(&machine);
        parent.end(died());
        assert_eq!(ended(&mut watch), died());
        log
    };
    both_servers(|kind| {
        for breed in BREEDS {
            let begin = [Record::Init, Entered(A, A)];
            let trapping = [Record::Terminated(died(), A), Record::Dropped];
            let log = end_of(breed, kind, true).all();
            assert_eq!(log, [&begin[..], &trapping].concat());
            let log = end_of(breed, kind, false).all();
            assert_eq!(log, [&begin[..], &[Record::Dropped]].concat());
        }
    });
}

/// The flag of the trait is set before `init` runs.
#[test]
fn trait_may_ask_for_exits() {
    struct Trapping;
    impl GenStatem for Trapping {
        type Args = ();
        type Msg = ();
        type State = ();
        type Timer = ();
        const TRAP_EXIT: bool = true;
        fn init(_: (), cx: &mut Cx<Self>) -> Init<Self> {
            assert!(cx.trap_exit(true), "it traps already");
            Init::ok((), Trapping)
        }
        fn handle(&mut self, event: Event<Self>, _: &(), _: &mut Cx<Self>) -> Next<Self> {
            match event {
                Event::Exit(exit) => Next::stop(exit.reason),
                other => panic!("{other:?}"),
            }
        }
    }
    both_servers(|kind| {
        let guard = on(gen_statem::spec::<Trapping>(()), kind).start();
        let guard = guard.expect("it starts");
        let (other, _log) = machine(kind);
        let (mut watch, target) = (process::watch(&guard), guard.pid());
        other.cast(run(move |_, _| {
            // Normal, which nobody hears who does not trap.
            process::exit(target, ExitReason::Normal);
            Next::keep_state()
        }));
        assert_eq!(ended(&mut watch), ExitReason::Normal);
        stop(&other);
    });
}
