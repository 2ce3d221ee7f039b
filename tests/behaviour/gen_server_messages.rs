//! GenServer: casts, infos, continuations and timeouts.

use crate::support::scripted::{
    Event, Msg, Script, Step, ask, both_servers, both_servers_in, busy, plain, run, stop, sync,
};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use perennial::time::{Clock, ManualClock};
use std::cell::RefCell;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Plays a rule for each kind, in runtimes whose clock the test moves.
fn by_hand(rule: impl Fn(process::Kind, &perennial::Runtime, &ManualClock)) {
    let hand: RefCell<Option<ManualClock>> = RefCell::new(None);
    let make = || {
        let (clock, moved_by) = Clock::manual();
        hand.replace(Some(moved_by));
        builder().clock(clock)
    };
    both_servers_in(make, |kind, runtime| {
        let hand = hand.borrow().clone().expect("the builder was asked first");
        rule(kind, runtime, &hand);
    });
}

/// Rows: gs.cast
#[test]
fn casts_are_handled_in_order() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        let gate = busy(&server);
        for n in 0..1_000 {
            server.cast(Msg::Note(n));
        }
        drop(gate);
        server.cast(run(|_, _| Next::Stop(died())));
        let mut watch = process::watch(&server);
        server.cast(Msg::Note(9_999));
        watch.wait(LONG).expect("it ends");
        assert_eq!(log.noted(), (0..1_000).collect::<Vec<_>>());
    });
}

/// Rows: exgs.cast_missing
#[test]
fn cast_to_nobody_is_no_error() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        stop(&server);
        server.cast(Msg::Note(1));
        let nobody: Name<Msg> = Name::new("nobody");
        nobody.cast(Msg::Note(1));
    });
}

/// Rows: gs.info
#[test]
fn what_is_no_message_is_an_info() {
    both_servers(|kind| {
        let ((other, _log), (script, log)) = (plain(kind, None), Script::new());
        let watched = other.pid();
        let script = script
            .init(move |cx| {
                cx.trap_exit(true);
                cx.link(watched).expect("it lives");
                cx.monitor(watched);
                Step::Up
            })
            .on_info(|info, _| match info {
                Info::Down(down) => Next::Stop(down.reason.clone()),
                _ => Next::Loop,
            });
        let server = script.on(kind).start().expect("it starts");
        let mut watch = process::watch(&server);
        other.cast(run(|_, _| Next::Stop(died())));
        assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
        let events = log.all();
        assert!(matches!(&events[1], Event::Info(Info::Exit(exit)) if exit.from == watched));
        assert!(matches!(&events[2], Event::Info(Info::Down(down)) if down.pid == watched));
        assert_eq!(events[3..], [Event::Terminated(died()), Event::Dropped]);
    });
}

/// Rows: gs.undef_handle_info
#[test]
fn server_without_handle_info_lives_on() {
    struct Silent;
    impl GenServer for Silent {
        type Args = process::ProcessId;
        type Msg = ReplyTo<()>;
        fn init(watched: Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
            cx.monitor(watched);
            Init::Timeout(Silent, Duration::from_millis(1))
        }
        fn handle(&mut self, reply: ReplyTo<()>, _: &mut Cx<Self>) -> Next<Self::Msg> {
            reply.send(());
            Next::Loop
        }
    }
    both_servers(|kind| {
        let (other, _log) = plain(kind, None);
        let spec = gen_server::spec::<Silent>((&other).into());
        let server = match kind {
            process::Kind::Pooled => spec.pooled(),
            process::Kind::Thread => spec.thread(),
        };
        let server = server.start().expect("it starts");
        stop(&other);
        assert_eq!(server.call(|reply| reply), Ok(()));
        gen_server::stop(&server).expect("it stops");
    });
}

/// Rows: gs.undef_in_handle_info
#[test]
fn panic_in_handle_info_ends_the_server() {
    both_servers(|kind| {
        let script = Script::new().0.traps().on_info(|_, _| panic!("broken"));
        let server = script.on(kind).start().expect("it starts");
        let (other, _log) = plain(kind, None);
        let mut watch = process::watch(&server);
        let target = server.pid();
        other.cast(run(move |_, _| {
            process::exit(target, died());
            Next::Loop
        }));
        match watch.wait(LONG).map(|down| down.reason) {
            Some(ExitReason::Panic(panic)) => assert_eq!(panic.message(), "broken"),
            other => panic!("{other:?}"),
        }
        stop(&other);
    });
}

/// Rows: gs.continue_init
#[test]
fn continue_after_init_comes_before_anything_else() {
    both_servers(|kind| {
        for slow in [false, true] {
            let (script, log) = Script::new();
            let script = script.init(|cx| {
                cx.me().cast(Msg::Note(2));
                Step::Continue(Msg::Note(1))
            });
            let mut spec = script.on(kind);
            if slow {
                spec = spec.timeout(LONG);
            }
            let server = spec.start().expect("it starts");
            server.cast(Msg::Note(3));
            stop(&server);
            let expected = [
                Event::Init,
                Event::Continued(1),
                Event::Noted(2),
                Event::Noted(3),
                Event::Terminated(ExitReason::Normal),
                Event::Dropped,
            ];
            assert_eq!(log.all(), expected);
        }
    });
}

/// Rows: gs.continue_reply, gs.continue_noreply, gs.continue_cast, v.continue_before_queue
#[test]
fn continue_comes_before_the_queue() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        let gate = busy(&server);
        server.cast(run(|_, _| Next::Continue(Msg::Note(1))));
        for n in 2..5 {
            server.cast(Msg::Note(n));
        }
        drop(gate);
        sync(&server);
        let expected = [
            Event::Init,
            Event::Continued(1),
            Event::Noted(2),
            Event::Noted(3),
            Event::Noted(4),
        ];
        assert_eq!(log.so_far(), expected);
        // With an answer before it, and with one that comes in it.
        let answered = server.call(ask(|_, reply, _| {
            reply.send(1);
            Next::Continue(Msg::Note(5))
        }));
        assert_eq!(answered, Ok(1));
        let answered = server.call(ask(|_, reply, _| {
            Next::Continue(run(move |_, _| {
                reply.send(2);
                Next::Loop
            }))
        }));
        assert_eq!(answered, Ok(2));
        assert_eq!(log.so_far(), [Event::Continued(5)]);
        stop(&server);
    });
}

/// Rows: gs.continue_info
#[test]
fn continue_after_an_info_comes_before_the_queue() {
    both_servers(|kind| {
        let (other, _log) = plain(kind, None);
        let (script, log) = Script::new();
        let watched = other.pid();
        let script = script
            .init(move |cx| {
                cx.monitor(watched);
                Step::Up
            })
            .on_info(|_, _| Next::Continue(Msg::Note(1)));
        let server = script.on(kind).start().expect("it starts");
        let gate = busy(&server);
        stop(&other);
        eventually("the down waits", || {
            process::info(&server).is_some_and(|info| info.message_queue_len == 1)
        });
        server.cast(Msg::Note(2));
        drop(gate);
        sync(&server);
        let events = log.so_far();
        assert!(matches!(events[1], Event::Info(Info::Down(_))));
        assert_eq!(events[2..], [Event::Continued(1), Event::Noted(2)]);
        stop(&server);
    });
}

/// Rows: gs.continue_continue
#[test]
fn continue_may_be_continued() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        let gate = busy(&server);
        server.cast(run(|_, _| {
            Next::Continue(run(|_, _| {
                Next::Continue(run(|_, _| Next::Continue(Msg::Note(1))))
            }))
        }));
        server.cast(Msg::Note(2));
        drop(gate);
        sync(&server);
        let events = [Event::Init, Event::Continued(1), Event::Noted(2)];
        assert_eq!(log.so_far(), events);
        // It may end the server as well.
        let mut watch = process::watch(&server);
        server.cast(run(|_, _| Next::Continue(run(|_, _| Next::Stop(died())))));
        server.cast(Msg::Note(3));
        assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
        assert_eq!(log.all(), [Event::Terminated(died()), Event::Dropped]);
    });
}

/// Rows: gs.call_within
#[test]
fn timeout_comes_only_if_nothing_else_does() {
    by_hand(|kind, runtime, hand| {
        let (server, log) = plain(kind, None);
        let arm = || run(|_, _| Next::Timeout(SECOND));
        server.cast(arm());
        sync_armed(runtime, &server);
        hand.advance(SECOND - Duration::from_nanos(1));
        // Early enough: the timeout is gone, with its timer.
        server.cast(Msg::Note(1));
        eventually("it is disarmed", || runtime.scheduler_stats().timers == 0);
        hand.advance(10 * SECOND);
        sync(&server);
        assert_eq!(log.so_far(), [Event::Init, Event::Noted(1)]);
        // Too late.
        server.cast(arm());
        sync_armed(runtime, &server);
        hand.advance(SECOND);
        assert_eq!(log.next(), Event::Info(Info::Timeout));
        hand.advance(10 * SECOND);
        sync(&server);
        assert_eq!(log.so_far(), []);
        stop(&server);
    });
}

fn sync_armed(runtime: &perennial::Runtime, server: &Ref<Msg>) {
    eventually("the timeout is armed", || {
        runtime.scheduler_stats().timers == 1
            && process::info(server).is_some_and(|info| info.status == process::Status::Waiting)
    });
}

/// A timeout is for one wait: whoever wants the next one says so.
#[test]
fn timeout_is_armed_anew_each_time() {
    by_hand(|kind, runtime, hand| {
        let (script, log) = Script::new();
        let mut left = 3;
        let script = script.init(|_| Step::Timeout(SECOND)).on_info(move |_, _| {
            left -= 1;
            if left > 0 {
                Next::Timeout(SECOND)
            } else {
                Next::Stop(died())
            }
        });
        let server = script.on(kind).start().expect("it starts");
        assert_eq!(log.next(), Event::Init);
        for _ in 0..3 {
            sync_armed(runtime, &server);
            hand.advance(SECOND);
            assert_eq!(log.next(), Event::Info(Info::Timeout));
        }
        assert_eq!(log.all(), [Event::Terminated(died()), Event::Dropped]);
    });
}

/// What ends the wait may be a signal, or a request's answer, as well as a message.
#[test]
fn signals_disarm_the_timeout_as_well() {
    by_hand(|kind, runtime, hand| {
        let (other, _log) = plain(kind, None);
        let (script, log) = Script::new();
        let watched = other.pid();
        let script = script.init(move |cx| {
            cx.monitor(watched);
            Step::Timeout(SECOND)
        });
        let server = script.on(kind).start().expect("it starts");
        sync_armed(runtime, &server);
        stop(&other);
        eventually("it is disarmed", || runtime.scheduler_stats().timers == 0);
        hand.advance(10 * SECOND);
        stop(&server);
        let events = log.all();
        assert!(matches!(events[1], Event::Info(Info::Down(_))));
        assert_eq!(events.len(), 4);
    });
}

/// Rows: v.timeout_zero_queue
#[test]
fn timeout_of_no_time_comes_after_the_queue_or_not_at_all() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        let gate = busy(&server);
        server.cast(run(|_, _| Next::Timeout(Duration::ZERO)));
        server.cast(Msg::Note(1));
        drop(gate);
        sync(&server);
        sync(&server);
        // The message was there first, and took the timeout's place.
        assert_eq!(log.so_far(), [Event::Init, Event::Noted(1)]);
        server.cast(run(|_, _| Next::Timeout(Duration::ZERO)));
        assert_eq!(log.next(), Event::Info(Info::Timeout));
        stop(&server);
    });
}

/// A timeout that nobody waits for any more goes with its server.
#[test]
fn timeout_of_the_dead_is_forgotten() {
    both_servers_in(builder, |kind, runtime| {
        let (server, _log) = plain(kind, None);
        server.cast(run(|_, _| Next::Timeout(1_000 * SECOND)));
        eventually("it is armed", || runtime.scheduler_stats().timers == 1);
        stop(&server);
        eventually("its timer is gone", || {
            runtime.scheduler_stats().timers == 0
        });
        let (server, _log) = plain(kind, None);
        server.cast(run(|_, _| Next::Timeout(1_000 * SECOND)));
        eventually("it is armed", || runtime.scheduler_stats().timers == 1);
        process::exit(&server, died());
        eventually("its timer is gone as well", || {
            runtime.scheduler_stats().timers == 0
        });
    });
}

/// A timeout longer than any clock can tell never comes, and costs nothing.
#[test]
fn timeout_of_all_time_never_comes() {
    by_hand(|kind, runtime, hand| {
        let (server, log) = plain(kind, None);
        server.cast(run(|_, _| Next::Timeout(Duration::MAX)));
        sync(&server);
        assert_eq!(runtime.scheduler_stats().timers, 0);
        hand.advance(1_000_000 * SECOND);
        sync(&server);
        assert_eq!(log.so_far(), [Event::Init]);
        stop(&server);
    });
}
