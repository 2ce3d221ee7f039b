//! GenServer: how it ends, when `terminate` runs, and how it is stopped from outside.

use crate::support::LONG;
use crate::support::puppet::{BREEDS, Breed, Puppet};
use crate::support::scripted::{
    Event, Log, Msg, Script, Step, ask, both_servers, busy, echo, gate, plain, run, stop, sync,
};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind};
use std::sync::mpsc;
use std::time::Duration;

const NAME: Name<Msg> = Name::new("ending");
const SOON: Duration = Duration::from_millis(5);

fn died() -> ExitReason {
    ExitReason::other("died")
}

#[track_caller]
fn ended(watch: &mut process::Watch) -> ExitReason {
    watch.wait(LONG).expect("it ends").reason
}

/// Rows: gs.undef_terminate1, gs.undef_terminate2
#[test]
fn server_without_terminate_ends_with_its_reason() {
    struct Plain;
    impl GenServer for Plain {
        type Args = ();
        type Msg = ExitReason;
        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Plain)
        }
        fn handle(&mut self, reason: ExitReason, _: &mut Cx<Self>) -> Next<ExitReason> {
            Next::Stop(reason)
        }
    }
    both_servers(|kind| {
        for reason in [ExitReason::Normal, died()] {
            let spec = gen_server::spec::<Plain>(());
            let spec = if kind == Kind::Pooled {
                spec.pooled()
            } else {
                spec.thread()
            };
            let server = spec.start().expect("it starts");
            let mut watch = process::watch(&server);
            server.cast(reason.clone());
            assert_eq!(ended(&mut watch), reason);
        }
    });
}

/// Rows: gs.undef_in_terminate
#[test]
fn panic_in_terminate_is_the_reason() {
    both_servers(|kind| {
        for reason in [ExitReason::Normal, died()] {
            let (script, log) = Script::new();
            let script = script.on_terminate(|_, _| panic!("broken"));
            let server = script.on(kind).start().expect("it starts");
            let mut watch = process::watch(&server);
            server.cast(run(move |_, _| Next::Stop(reason)));
            match ended(&mut watch) {
                ExitReason::Panic(panic) => assert_eq!(panic.message(), "broken"),
                other => panic!("{other}"),
            }
            assert_eq!(log.all().last(), Some(&Event::Dropped));
        }
    });
}

/// A `terminate` may use the whole library, waiting included.
#[test]
fn terminate_may_call_others() {
    both_servers(|kind| {
        let (other, other_log) = plain(kind, None);
        let to = other.clone();
        let (sender, answer) = mpsc::channel();
        let script = Script::new().0.on_terminate(move |_, cx| {
            let _ = sender.send((to.call(echo(4)), cx.me().call(echo(1))));
            to.cast(Msg::Note(7));
        });
        let server = script.on(kind).start().expect("it starts");
        stop(&server);
        let expected = (Ok(4), Err(CallError::CallingSelf));
        assert_eq!(answer.recv_timeout(LONG), Ok(expected));
        sync(&other);
        assert_eq!(other_log.noted(), [7]);
        stop(&other);
    });
}

/// A puppet that has started a linked server.
fn family(breed: Breed, kind: Kind, script: Script) -> (Puppet, Ref<Msg>) {
    let parent = breed.puppet();
    let server = parent.run(move |_| script.on(kind).start_link());
    (parent, server.expect("it starts"))
}

fn in_families(script: impl Fn(Script) -> Script, rule: impl Fn(Puppet, Ref<Msg>, Log)) {
    both_servers(|kind| {
        for breed in BREEDS {
            let (plain, log) = Script::new();
            let (parent, server) = family(breed, kind, script(plain));
            rule(parent, server, log);
        }
    });
}

/// Rows: v.parent_exit_trapping
#[test]
fn end_of_the_parent_ends_one_that_traps_after_terminate() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
        in_families(Script::traps, |parent, server, log| {
            let mut watch = process::watch(&server);
            parent.end(reason.clone());
            assert_eq!(ended(&mut watch), reason);
            let expected = [
                Event::Init,
                Event::Terminated(reason.clone()),
                Event::Dropped,
            ];
            assert_eq!(log.all(), expected);
        });
    }
}

/// An exit signal that the parent sends is no different from its end.
#[test]
fn exit_sent_by_the_parent_ends_one_that_traps() {
    in_families(Script::traps, |parent, server, log| {
        let mut watch = process::watch(&server);
        let target = server.pid();
        parent.run(move |inside| {
            inside.trap_exit(true);
            process::exit(target, ExitReason::Shutdown);
        });
        assert_eq!(ended(&mut watch), ExitReason::Shutdown);
        assert!(log.all().contains(&Event::Terminated(ExitReason::Shutdown)));
        assert_eq!(parent.next_exit(), (target, ExitReason::Shutdown));
    });
}

/// Rows: v.parent_exit_not_trapping
#[test]
fn end_of_the_parent_ends_one_that_does_not_trap_without_terminate() {
    in_families(
        |script| script,
        |parent, server, log| {
            let mut watch = process::watch(&server);
            parent.end(died());
            assert_eq!(ended(&mut watch), died());
            assert_eq!(log.all(), [Event::Init, Event::Dropped]);
        },
    );
}

/// A normal end of the parent is nothing to a server that does not trap.
#[test]
fn normal_end_of_the_parent_leaves_one_that_does_not_trap() {
    in_families(
        |script| script,
        |parent, server, _log| {
            parent.end_and_wait(ExitReason::Normal);
            assert_eq!(server.call(echo(1)), Ok(1));
            stop(&server);
        },
    );
}

/// Rows: v.stranger_exit_trapping
#[test]
fn end_of_a_stranger_is_an_info() {
    in_families(Script::traps, |parent, server, log| {
        let stranger = parent.breed().puppet();
        let target = server.pid();
        stranger.run(move |inside| inside.link(target).expect("it lives"));
        stranger.end(died());
        assert_eq!(log.next(), Event::Init);
        let Event::Info(Info::Exit(exit)) = log.next() else {
            panic!("an exit is an info");
        };
        assert_eq!((exit.from, exit.reason), (stranger.pid(), died()));
        assert_eq!(server.call(echo(1)), Ok(1));
        stop(&server);
    });
}

/// The flag of the trait is set before `init` runs.
#[test]
fn trait_may_ask_for_exits() {
    struct Trapping;
    impl GenServer for Trapping {
        type Args = mpsc::Sender<ExitReason>;
        type Msg = ();
        const TRAP_EXIT: bool = true;
        fn init(sender: Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
            assert!(process::info(cx.pid()).is_some_and(|info| info.trap_exit));
            assert!(cx.trap_exit(true));
            let _ = sender.send(ExitReason::Normal);
            Init::Ok(Trapping)
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
        fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<()> {
            match info {
                Info::Exit(exit) => Next::Stop(exit.reason),
                other => panic!("{other:?}"),
            }
        }
    }
    both_servers(|kind| {
        let (sender, began) = mpsc::channel();
        let spec = gen_server::spec::<Trapping>(sender);
        let spec = if kind == Kind::Pooled {
            spec.pooled()
        } else {
            spec.thread()
        };
        let server = spec.start().expect("it starts");
        assert!(began.recv_timeout(LONG).is_ok());
        let (other, _log) = plain(kind, None);
        let (mut watch, target) = (process::watch(&server), server.pid());
        other.cast(run(move |_, _| {
            process::exit(target, died());
            Next::Loop
        }));
        assert_eq!(ended(&mut watch), died());
        stop(&other);
    });
}

/// Rows: gs.stop1, gs.stop2, gs.stop4, gs.stop5
#[test]
fn stop_ends_a_server_and_waits_for_that() {
    both_servers(|kind| {
        let named = || {
            Script::new()
                .0
                .on(kind)
                .name(&NAME)
                .start()
                .expect("it starts")
        };
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            for by_name in [false, true] {
                let server = named();
                let mut watch = process::watch(&server);
                let stopped = if by_name {
                    gen_server::stop_for(&NAME, reason.clone(), LONG)
                } else {
                    gen_server::stop_for(&server, reason.clone(), LONG)
                };
                assert_eq!(stopped, Ok(()));
                assert_eq!(
                    watch.wait(Duration::ZERO).map(|down| down.reason),
                    Some(reason.clone())
                );
                assert_eq!(gen_server::stop(&server), Err(CallError::NoProc));
                assert_eq!(gen_server::stop(&NAME), Err(CallError::NoProc));
                assert_eq!(NAME.whereis(), None);
            }
        }
    });
}

/// A server that ends for another reason than it was told says so.
#[test]
fn stop_of_one_that_ends_otherwise_is_an_error() {
    both_servers(|kind| {
        let script = Script::new().0.on_terminate(|_, _| panic!("broken"));
        let server = script.on(kind).start().expect("it starts");
        match gen_server::stop(&server) {
            Err(CallError::Exited(ExitReason::Panic(panic))) => {
                assert_eq!(panic.message(), "broken");
            }
            other => panic!("{other:?}"),
        }
        let (server, _log) = plain(kind, None);
        let gate = busy(&server);
        server.cast(run(|_, _| Next::Stop(died())));
        let target = server.pid();
        // Behind a stop of its own, this one comes too late.
        let (other, _log) = plain(kind, None);
        let (sender, stopped) = mpsc::channel();
        other.cast(run(move |_, _| {
            let _ = sender.send(gen_server::stop(target));
            Next::Loop
        }));
        crate::support::eventually("the stop waits", || {
            process::info(&server).is_some_and(|info| info.message_queue_len == 2)
        });
        drop(gate);
        assert_eq!(
            stopped.recv_timeout(LONG),
            Ok(Err(CallError::Exited(died())))
        );
        stop(&other);
    });
}

/// A stop waits its turn: what came before it is handled first.
#[test]
fn stop_comes_after_what_waits() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        let gate = busy(&server);
        for n in 0..100 {
            server.cast(Msg::Note(n));
        }
        drop(gate);
        stop(&server);
        assert_eq!(log.noted(), (0..100).collect::<Vec<_>>());
    });
}

/// Rows: v.stop_timeout
#[test]
fn stop_that_takes_too_long_gives_up_and_the_server_ends_later() {
    both_servers(|kind| {
        let (gate, wait) = gate();
        let script = Script::new().0.on_terminate(move |_, _| wait());
        let server = script.on(kind).start().expect("it starts");
        let mut watch = process::watch(&server);
        let stopped = gen_server::stop_for(&server, died(), SOON);
        assert_eq!(stopped, Err(CallError::Timeout));
        assert!(server.is_alive());
        drop(gate);
        assert_eq!(ended(&mut watch), died());
    });
}

/// Rows: exgs.stop_self
#[test]
fn server_does_not_stop_itself_from_outside() {
    both_servers(|kind| {
        let server = Script::new()
            .0
            .on(kind)
            .name(&NAME)
            .start()
            .expect("it starts");
        let refused = server.call(ask(|_, reply, cx| {
            assert_eq!(gen_server::stop(cx.me()), Err(CallError::CallingSelf));
            assert_eq!(gen_server::stop(&NAME), Err(CallError::CallingSelf));
            reply.send(1);
            Next::Loop
        }));
        assert_eq!(refused, Ok(1));
        stop(&server);
    });
}

/// The state is gone before anybody hears of the end, and what it owned with it.
#[test]
fn state_is_dropped_before_anybody_is_told() {
    both_servers(|kind| {
        for _ in 0..20 {
            let (server, log) = plain(kind, None);
            let mut watch = process::watch(&server);
            server.cast(run(|_, _| Next::Stop(died())));
            ended(&mut watch);
            assert_eq!(log.so_far().last(), Some(&Event::Dropped));
        }
    });
}

/// A destructor of the state that panics is a crash of its own, and nobody is left waiting.
#[test]
fn panic_in_a_destructor_of_the_state_is_the_reason() {
    struct Explosive(bool);
    impl Drop for Explosive {
        fn drop(&mut self) {
            assert!(!self.0, "exploded");
        }
    }
    impl GenServer for Explosive {
        type Args = bool;
        type Msg = ReplyTo<()>;
        fn init(armed: bool, _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Explosive(armed))
        }
        fn handle(&mut self, _reply: ReplyTo<()>, _: &mut Cx<Self>) -> Next<Self::Msg> {
            Next::Stop(ExitReason::Normal)
        }
    }
    both_servers(|kind| {
        let spec = gen_server::spec::<Explosive>(true);
        let spec = if kind == Kind::Pooled {
            spec.pooled()
        } else {
            spec.thread()
        };
        let server = spec.start().expect("it starts");
        match server.call(|reply| reply) {
            Err(CallError::Exited(ExitReason::Panic(panic))) => {
                assert_eq!(panic.message(), "exploded");
            }
            other => panic!("{other:?}"),
        }
        // The worker or the thread that ran it is none the worse for it.
        let (other, _log) = plain(kind, None);
        assert_eq!(other.call(echo(1)), Ok(1));
        stop(&other);
    });
}

/// Messages that nobody handles any more are dropped, each by itself, whatever their destructors do.
#[test]
fn messages_of_the_dead_are_dropped_one_by_one() {
    struct Load(mpsc::Sender<u64>, u64);
    impl Drop for Load {
        fn drop(&mut self) {
            let _ = self.0.send(self.1);
            assert!(!self.1.is_multiple_of(3), "exploded");
        }
    }
    struct Carrier;
    impl GenServer for Carrier {
        type Args = ();
        type Msg = Option<Load>;
        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Carrier)
        }
        fn handle(&mut self, _: Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
            Next::Stop(died())
        }
    }
    both_servers(|kind| {
        let spec = gen_server::spec::<Carrier>(());
        let spec = if kind == Kind::Pooled {
            spec.pooled()
        } else {
            spec.thread()
        };
        let server = spec.start().expect("it starts");
        let (sender, dropped) = mpsc::channel();
        let mut watch = process::watch(&server);
        server.cast(None);
        for n in 0..10 {
            // Once it has ended they come back, and explode here.
            let sent = server.try_cast(Some(Load(sender.clone(), n)));
            if let Err(error) = sent {
                let back = error.into_message();
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(back)));
                assert_eq!(caught.is_err(), n % 3 == 0);
            }
        }
        assert_eq!(ended(&mut watch), died());
        let mut all: Vec<u64> = (0..10)
            .map(|_| dropped.recv_timeout(LONG).expect("each is dropped"))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    });
}

/// Rows: gs.stop3
#[test]
fn stop_of_no_time_asks_all_the_same() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        let mut watch = process::watch(&server);
        let gate = busy(&server);
        let stopped = gen_server::stop_for(&server, died(), Duration::ZERO);
        assert_eq!(stopped, Err(CallError::Timeout));
        drop(gate);
        assert_eq!(ended(&mut watch), died());
    });
}

/// An `init` that crashes or stops has no state, and so nothing to terminate.
#[test]
fn failed_init_has_no_terminate() {
    both_servers(|kind| {
        for panics in [false, true] {
            let (script, log) = Script::new();
            let script = script.init(move |_| {
                assert!(!panics, "broken");
                Step::Stop(died())
            });
            assert!(script.on(kind).start().is_err());
            assert_eq!(log.all(), [Event::Init]);
        }
    });
}
