//! How processes leave their code: destructors may use the whole library meanwhile, and an exit that user code
//! swallows comes back.

use crate::support::puppet::{BREEDS, Breed, Msg, Tell};
use crate::support::scripted::Script;
use crate::support::stage::on_stage;
use crate::support::{LONG, child, stage};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, LinkError, StartError};
use perennial::{ExitReason, MonitorRef, Pid, TimerRef};
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
        process::exit(me, ExitReason::Kill);
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
        let mut watch = process::watch(server.pid());
        server.run(move |inside| {
            let uses = UsesAll {
                monitor: inside.monitor(&to),
                timer: inside.send_after(LONG, Msg::Tell(0)),
                peer: to,
                own: Name::new("leaver"),
                unwinds: false,
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
        let by = cause.to_owned();
        server.order(move |inside| {
            let _uses = UsesAll {
                monitor: inside.monitor(&to),
                timer: inside.send_after(LONG, Msg::Tell(0)),
                peer: to,
                own: Name::new("leaver"),
                unwinds: true,
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
        // A kill that comes while a process leaves does not change why it left.
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
