//! How processes leave their code: destructors may use the whole library meanwhile, and an exit that user code
//! swallows comes back.

use crate::support::puppet::{BREEDS, Breed, Msg, Tell, both_kinds, both_kinds_in};
use crate::support::scripted::{Event, Script, both_servers, gate, run};
use crate::support::stage::on_stage;
use crate::support::{LONG, child, eventually, stage};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, LinkError, StartError};
use perennial::{ExitReason, MonitorRef, Pid, TimerRef};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

/// What makes a process leave.
const CAUSES: [&str; 9] = [
    "panic",
    "exit",
    "signal",
    "kill",
    "waiting kill",
    "waiting signal",
    "state stop",
    "state signal",
    "state kill",
];

/// A destructor that uses everything there is while its process leaves.
struct UsesAll {
    peer: Ref<Msg>,
    own: Name<Msg>,
    monitor: MonitorRef,
    timer: TimerRef,
    /// Equals `true` if the thread unwinds; a server's state is dropped when that is over.
    unwinds: bool,
    /// Equals `true` if a kill made the process leave: another one changes nothing.
    killed: bool,
    done: mpsc::Sender<Result<(), String>>,
}

fn check(what: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl UsesAll {
    fn use_all(&self) -> Result<(), String> {
        let peer = &self.peer;
        let me = process::self_pid().ok_or("there is a process")?;
        check(
            "the thread unwinds",
            std::thread::panicking() == self.unwinds,
        )?;
        process::checkpoint();
        // What does not wait works.
        peer.tell(1);
        check("try_cast", peer.try_cast(Msg::Tell(2)).is_ok())?;
        peer.recipient(Msg::Tell).cast(3);
        process::send_after(Duration::ZERO, peer.clone(), Msg::Tell(4));
        let every = process::send_interval(LONG, peer.clone(), || Msg::Tell(5));
        check("read_timer", process::read_timer(every).is_some())?;
        check("cancel_timer", process::cancel_timer(every).is_some())?;
        check(
            "cancel a timer of before",
            process::cancel_timer(self.timer).is_some(),
        )?;
        check(
            "link",
            process::link(peer.pid()) != Err(LinkError::NotAProcess),
        )?;
        check("unlink", process::unlink(peer.pid()).is_ok())?;
        check("unlink_flush", process::unlink_flush(peer.pid()).is_ok())?;
        let monitor = process::monitor(peer.pid()).map_err(|error| error.to_string())?;
        check("demonitor", process::demonitor(monitor) == Ok(true))?;
        check(
            "demonitor_flush",
            process::demonitor_flush(self.monitor) == Ok(true),
        )?;
        check("trap_exit", process::trap_exit(false).is_ok())?;
        check("set_label", process::set_label("leaving").is_ok())?;
        check("label", process::label(me).as_deref() == Some("leaving"))?;
        check("whereis", process::whereis(self.own.as_str()) == Some(me))?;
        check("registered", !process::registered().is_empty())?;
        check("processes", process::processes().contains(&peer.pid()))?;
        check("info", process::info(me).is_some())?;
        check("is_alive", process::is_alive(me))?;
        check("counts", process::counts().processes > 1)?;
        check("own", self.own.whereis().is_some())?;
        check(
            "unregister",
            process::unregister(self.own.as_str()) == Some(me),
        )?;
        process::attach(|_: &process::DeadLetter| ());
        // What waits says that it may not.
        let exiting = Err(CallError::Exiting);
        check("call", peer.call(|reply| Msg::Ask(1, reply)) == exiting)?;
        check(
            "call_for",
            peer.call_for(LONG, |reply| Msg::Ask(1, reply)) == exiting,
        )?;
        check("stop", gen_server::stop(peer) == Err(CallError::Exiting))?;
        for kind in [Kind::Pooled, Kind::Thread] {
            let started = Script::new().0.on(kind).start();
            check("start", started == Err(StartError::Exiting))?;
            let started = Script::new().0.on(kind).timeout(LONG).start_link();
            check("start_link", started == Err(StartError::Exiting))?;
        }
        check("watch", process::watch(peer.pid()).wait(LONG).is_none())?;
        check("wait_quiesced", !process::wait_quiesced(peer.pid(), LONG))?;
        process::sleep(LONG);
        check("run", process::run::<(), _>(|_| ()).is_err())?;
        // Processes of one's own may be started, and end by themselves.
        process::spawn::<()>(|_| ());
        check("try_spawn", process::try_spawn::<()>(|_| ()).is_ok())?;
        check(
            "spawn_monitor",
            process::spawn_monitor::<()>(|_| ()).is_ok(),
        )?;
        check("spawn_link", process::spawn_link::<()>(|_| ()).is_ok())?;
        // Exits of every sort.
        process::exit(Pid::INIT, ExitReason::Shutdown);
        process::exit(me, ExitReason::other("once more"));
        if self.killed {
            process::exit(me, ExitReason::Kill);
        }
        check(
            "exit_self",
            process::exit_self(ExitReason::other("again")).is_ok(),
        )?;
        process::checkpoint();
        Ok(())
    }
}

impl Drop for UsesAll {
    fn drop(&mut self) {
        let _ = self.done.send(self.use_all());
    }
}

/// The state of a server that ends is dropped outside of any unwind: the same holds there.
fn drop_state(kind: Breed, cause: &str) {
    on_stage(stage::builder(), |_| {
        let (peer, server) = (kind.puppet(), kind.named(&Name::new("leaver")));
        let to = peer.me();
        let (done, used) = mpsc::channel();
        let (mut watch, killed) = (process::watch(server.pid()), cause == "kill");
        server.run(move |inside| {
            let uses = UsesAll {
                monitor: inside.monitor(&to),
                timer: inside.send_after(LONG, Msg::Tell(0)),
                peer: to,
                own: Name::new("leaver"),
                unwinds: false,
                killed,
                done,
            };
            inside.keep(uses);
        });
        let busy = server.busy();
        let expected = match cause {
            "signal" => {
                process::exit(server.pid(), ExitReason::other("told"));
                ExitReason::other("told")
            }
            "kill" => {
                process::exit(server.pid(), ExitReason::Kill);
                ExitReason::Killed
            }
            _ => {
                server.end(ExitReason::Normal);
                // This is never met: the process meets its end before it.
                process::exit(server.pid(), ExitReason::other("late"));
                ExitReason::Normal
            }
        };
        drop(busy);
        let used = used.recv_timeout(LONG).expect("the destructor ran");
        assert_eq!(used, Ok(()), "{kind:?}, {cause}");
        assert_eq!(server.ended(&mut watch), expected, "{kind:?}, {cause}");
        for n in 1..=3 {
            assert_eq!(peer.next(), crate::support::puppet::Record::Told(n));
        }
    });
}

fn leave(kind: Breed, cause: &str) {
    on_stage(stage::builder(), |_| {
        let (peer, server) = (kind.puppet(), kind.named(&Name::new("leaver")));
        let to = peer.me();
        let (done, used) = mpsc::channel();
        let (started, running) = mpsc::channel::<()>();
        let mut watch = process::watch(server.pid());
        let (by, killed) = (cause.to_owned(), cause.ends_with("kill"));
        server.order(move |inside| {
            let _uses = UsesAll {
                monitor: inside.monitor(&to),
                timer: inside.send_after(LONG, Msg::Tell(0)),
                peer: to,
                own: Name::new("leaver"),
                unwinds: true,
                killed,
                done,
            };
            match by.as_str() {
                "panic" => panic!("out of paper"),
                "exit" => inside.exit(ExitReason::other("left")),
                _ => {}
            }
            started.send(()).expect("the test waits");
            if by.starts_with("waiting") {
                process::sleep(3 * LONG);
            }
            while !by.starts_with("waiting") {
                inside.checkpoint();
                std::thread::yield_now();
            }
        });
        if !["panic", "exit"].contains(&cause) {
            running.recv_timeout(LONG).expect("it runs");
        }
        match cause.trim_start_matches("waiting ") {
            "signal" => process::exit(server.pid(), ExitReason::other("told")),
            "kill" => process::exit(server.pid(), ExitReason::Kill),
            _ => {}
        }
        let used = used.recv_timeout(LONG).expect("the destructor ran");
        assert_eq!(used, Ok(()), "{kind:?}, {cause}");
        let reason = server.ended(&mut watch);
        let expected = match cause.trim_start_matches("waiting ") {
            "panic" => {
                matches!(&reason, ExitReason::Panic(panic) if panic.message() == "out of paper")
            }
            "exit" => reason == ExitReason::other("left"),
            "signal" => reason == ExitReason::other("told"),
            _ => reason == ExitReason::Killed,
        };
        assert!(expected, "{kind:?}, {cause}: {reason}");
        for n in 1..=3 {
            assert_eq!(peer.next(), crate::support::puppet::Record::Told(n));
        }
    });
}

/// In a program of its own: an unwind that began inside a destructor would abort it.
#[test]
fn destructors_use_the_whole_library_while_their_process_leaves() {
    const NAME: &str = "unwinding::destructors_use_the_whole_library_while_their_process_leaves";
    if let Some(cause) = child::role() {
        match cause.strip_prefix("state ") {
            None => BREEDS.into_iter().for_each(|kind| leave(kind, &cause)),
            Some(cause) => {
                drop_state(Breed::Pooled, cause);
                drop_state(Breed::ThreadServer, cause);
            }
        }
        std::process::exit(7);
    }
    for cause in CAUSES {
        let ended = child::play(NAME, cause);
        assert_eq!(ended.code, Some(7), "{cause}:\n{}", ended.stderr);
    }
}

/// User code that catches an unwind which was an exit meets the exit again at its next library call.
#[test]
fn swallowed_exit_comes_back() {
    let causes = ["exit", "signal", "receive", "call", "sleep", "kill"];
    for cause in causes {
        both_kinds(|kind| {
            if cause == "receive" && kind != Breed::Thread {
                return;
            }
            swallow(kind, cause);
        });
    }
}

fn swallow(kind: Breed, cause: &'static str) {
    let (puppet, holder) = (kind.puppet(), Breed::Thread.puppet());
    let mut watch = process::watch(puppet.pid());
    let (started, running) = mpsc::channel();
    let (swallowed, outlived) = (mpsc::channel(), mpsc::channel());
    let (to, me) = (holder.me(), puppet.pid());
    let main = move || {
        let left = catch_unwind(AssertUnwindSafe(|| {
            started.send(()).expect("the test waits");
            match cause {
                "exit" => drop(process::exit_self(died())),
                "call" => drop(to.call_for(3 * LONG, Msg::Hold)),
                "sleep" => process::sleep(3 * LONG),
                _ => loop {
                    process::checkpoint();
                    std::thread::yield_now();
                },
            }
        }));
        swallowed.0.send(left.is_err()).expect("the test waits");
        // Nothing that does not ask the library keeps it from running on.
        let sum: u64 = (0..1000).sum();
        assert_eq!(sum, 499_500);
        process::checkpoint();
        let _ = outlived.0.send(());
    };
    if cause == "receive" {
        return swallow_in_receive();
    }
    puppet.order(move |_| main());
    running.recv_timeout(LONG).expect("it runs");
    let reason = if cause == "kill" {
        ExitReason::Kill
    } else {
        died()
    };
    if cause != "exit" {
        process::exit(me, reason);
    }
    assert_eq!(swallowed.1.recv_timeout(LONG), Ok(true));
    let expected = if cause == "kill" {
        ExitReason::Killed
    } else {
        died()
    };
    assert_eq!(puppet.ended(&mut watch), expected, "{kind:?}, {cause}");
    assert!(outlived.1.try_recv().is_err(), "{kind:?}, {cause}");
    holder.run(|inside| drop(inside.held()));
}

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// A closure that waits for a message when the signal comes, selectively or not.
fn swallow_in_receive() {
    for selective in [false, true] {
        let (waits, waiting) = mpsc::channel();
        let (outlived, told) = mpsc::channel();
        let waiter = process::spawn::<u64>(move |cx| {
            let left = catch_unwind(AssertUnwindSafe(|| {
                waits.send(()).expect("the test waits");
                if selective {
                    cx.receive_match(3 * LONG, Err::<(), _>);
                } else {
                    cx.receive();
                }
            }));
            assert!(left.is_err());
            cx.receive_timeout(Duration::ZERO);
            let _ = outlived.send(());
        });
        waiting.recv_timeout(LONG).expect("it is about to wait");
        eventually("it waits", || {
            process::info(&waiter).is_some_and(|info| info.status == process::Status::Waiting)
        });
        let mut watch = process::watch(&waiter);
        process::exit(&waiter, died());
        let down = watch.wait(LONG).expect("it ends");
        assert_eq!(down.reason, died());
        assert!(told.try_recv().is_err());
    }
}

/// What a server swallows in a callback ends it at the end of the callback at the latest.
#[test]
fn swallowed_exit_ends_a_server_after_its_callback() {
    both_servers(|kind| {
        let (script, log) = Script::new();
        let server = script.on(kind).start().expect("the server starts");
        let mut watch = process::watch(&server);
        server.cast(run(|_, _| {
            let left = catch_unwind(|| process::exit_self(died()));
            assert!(left.is_err());
            Next::Loop
        }));
        server.cast(crate::support::scripted::Msg::Note(1));
        assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
        // Its own exit: terminate runs, as after any end of its own.
        let expected = [Event::Init, Event::Terminated(died()), Event::Dropped];
        assert_eq!(log.all(), expected);
    });
}

/// Nothing of a server's own runs any more after a kill but what was running; whatever that comes to.
#[test]
fn terminate_never_runs_after_a_kill() {
    for ending in ["stop", "panic", "exit", "loop", "continue"] {
        both_servers(|kind| {
            let (script, log) = Script::new();
            let server = script.on(kind).start().expect("the server starts");
            let mut watch = process::watch(&server);
            let (gate, wait) = gate();
            let (started, running) = mpsc::channel();
            server.cast(run(move |_, _| {
                started.send(()).expect("the test waits");
                wait();
                match ending {
                    "stop" => Next::Stop(ExitReason::Normal),
                    "panic" => panic!("out of paper"),
                    "exit" => {
                        process::exit_self(died()).expect("a server is a process");
                        Next::Loop
                    }
                    "loop" => Next::Loop,
                    _ => Next::Continue(crate::support::scripted::Msg::Note(1)),
                }
            }));
            running.recv_timeout(LONG).expect("it runs");
            process::exit(&server, ExitReason::Kill);
            drop(gate);
            let reason = watch.wait(LONG).map(|down| down.reason);
            assert_eq!(reason, Some(ExitReason::Killed), "{kind:?}, {ending}");
            assert_eq!(
                log.all(),
                [Event::Init, Event::Dropped],
                "{kind:?}, {ending}"
            );
        });
    }
}

/// A kill that comes while a process tells what it does waits until it has: the handler is none of its code.
#[test]
fn handlers_of_events_are_not_cut_short() {
    both_kinds_in(stage::builder, |kind, runtime| {
        let (sender, seen) = mpsc::channel();
        runtime
            .telemetry()
            .attach(move |spawned: &process::Spawned| {
                if spawned.parent != Pid::INIT {
                    process::exit(spawned.parent, ExitReason::Kill);
                }
                let _ = sender.send(spawned.pid);
            });
        for _ in 0..2 {
            let parent = kind.puppet();
            assert_eq!(seen.recv_timeout(LONG), Ok(parent.pid()));
            let mut watch = process::watch(parent.pid());
            parent.order(move |_| drop(kind.puppet()));
            assert_eq!(parent.ended(&mut watch), ExitReason::Killed);
            assert!(seen.recv_timeout(LONG).is_ok());
        }
        for left in process::processes() {
            process::exit(left, ExitReason::Kill);
        }
    });
}
