//! Kill: at once for one that waits, after a grace for one that runs; and what is left of one that runs on.

use crate::support::puppet::{Breed, Msg, Puppet, Tell, both_kinds_in};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, TryCastError, ZombieCut, ZombieEnded};
use perennial::time::{Clock, ManualClock};
use perennial::{ExitReason, Runtime};
use std::cell::RefCell;
use std::sync::mpsc;
use std::time::Duration;

const NAME: Name<Msg> = Name::new("stubborn");

/// What a runtime told of zombies.
struct Told {
    cut: mpsc::Receiver<perennial::Pid>,
    ended: mpsc::Receiver<perennial::Pid>,
}

impl Told {
    fn nothing(&self) -> bool {
        self.cut.try_recv().is_err() && self.ended.try_recv().is_err()
    }
}

/// Plays a rule where the grace ends only when the test lets it.
fn at_leisure(rule: impl Fn(Breed, &Runtime, &dyn Fn(), &Told)) {
    let hand: RefCell<Option<ManualClock>> = RefCell::new(None);
    let make = || {
        let (clock, moved_by) = Clock::manual();
        hand.replace(Some(moved_by));
        builder().clock(clock)
    };
    both_kinds_in(make, |kind, runtime| {
        let (cut, was_cut) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        runtime.telemetry().attach(move |zombie: &ZombieCut| {
            let _ = cut.send(zombie.pid);
        });
        runtime.telemetry().attach(move |zombie: &ZombieEnded| {
            let _ = ended.send(zombie.pid);
        });
        let told = Told {
            cut: was_cut,
            ended: has_ended,
        };
        let hand = hand.borrow().clone().expect("the builder was asked first");
        rule(
            kind,
            runtime,
            &|| hand.advance(Duration::from_millis(100)),
            &told,
        );
    });
}

/// Notes when it is dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn with_state(puppet: &Puppet) -> mpsc::Receiver<()> {
    let (sender, dropped) = mpsc::channel();
    puppet.run(move |inside| inside.keep(Dropped(sender)));
    dropped
}

#[test]
fn killed_while_it_waits_ends_at_once() {
    at_leisure(|kind, _, _, told| {
        let server = kind.puppet();
        for waits in [
            "for a message",
            "for an answer",
            "for a while",
            "for an end",
        ] {
            let puppet = kind.puppet();
            let dropped = with_state(&puppet);
            let mut watch = process::watch(puppet.pid());
            let (to, target) = (server.me(), server.pid());
            match waits {
                "for an answer" => puppet.order(move |_| drop(to.call(Msg::Hold))),
                "for a while" => puppet.order(|_| process::sleep(LONG)),
                "for an end" => puppet.order(move |_| drop(process::watch(target).wait(LONG))),
                _ => {}
            }
            eventually("it waits", || {
                let info = puppet.info();
                info.status == process::Status::Waiting && info.message_queue_len == 0
            });
            process::exit(puppet.pid(), ExitReason::Kill);
            assert_eq!(puppet.ended(&mut watch), ExitReason::Killed, "{waits}");
            dropped.recv_timeout(LONG).expect("its state is dropped");
        }
        assert!(told.nothing());
        server.run(|inside| drop(inside.held()));
    });
}

#[test]
fn killed_and_through_within_its_grace_dies_like_any_other() {
    at_leisure(|kind, runtime, _, told| {
        let (puppet, watcher) = (kind.named(&NAME), kind.puppet());
        let dropped = with_state(&puppet);
        watcher.monitors(&puppet);
        let busy = puppet.busy();
        process::exit(puppet.pid(), ExitReason::Kill);
        // Until it is through it is all there.
        assert!(puppet.is_alive());
        assert_eq!(NAME.whereis(), Some(puppet.me()));
        assert!(dropped.try_recv().is_err());
        watcher.nothing_more();
        drop(busy);
        assert_eq!(watcher.next_down().reason, ExitReason::Killed);
        // Whoever hears of the end finds the state dropped.
        dropped.try_recv().expect("dropped before anybody is told");
        assert_eq!(NAME.whereis(), None);
        assert_eq!(runtime.counts().zombies, 0);
        assert!(told.nothing());
        assert!(process::wait_quiesced(puppet.pid(), LONG));
    });
}

#[test]
fn killed_beyond_its_grace_is_cut_and_runs_on_as_a_zombie() {
    at_leisure(|kind, runtime, grace_ends, told| {
        let (puppet, watcher) = (kind.named(&NAME), kind.puppet().traps());
        let dropped = with_state(&puppet);
        watcher.monitors(&puppet);
        watcher.links(&puppet);
        let busy = puppet.busy();
        let to = puppet.me();
        let (sender, answer) = mpsc::channel();
        let caller = kind.puppet();
        caller.order(move |_| {
            let _ = sender.send(to.call(|reply| Msg::Ask(1, reply)));
        });
        eventually("the request waits", || puppet.info().message_queue_len == 1);
        process::exit(puppet.pid(), ExitReason::Kill);
        watcher.nothing_more();
        grace_ends();
        // What others see of it ends, in the usual order, while its code runs on.
        let killed = ExitReason::Killed;
        assert_eq!(watcher.next_exit(), (puppet.pid(), killed.clone()));
        assert_eq!(watcher.next_down().reason, killed);
        assert_eq!(
            answer.recv_timeout(LONG),
            Ok(Err(CallError::Exited(killed)))
        );
        assert_eq!(told.cut.recv_timeout(LONG), Ok(puppet.pid()));
        assert!(!puppet.is_alive() && process::info(puppet.pid()).is_none());
        assert!(!process::processes().contains(&puppet.pid()));
        assert_eq!(runtime.counts().zombies, 1);
        assert!(matches!(
            puppet.me().try_cast(Msg::Tell(1)),
            Err(TryCastError::NoProc(_))
        ));
        let successor = kind.named(&NAME);
        assert_ne!(successor.pid(), puppet.pid());
        assert!(dropped.try_recv().is_err());
        assert!(!process::wait_quiesced(puppet.pid(), Duration::ZERO));
        assert!(told.ended.try_recv().is_err());

        drop(busy);
        assert!(process::wait_quiesced(puppet.pid(), LONG));
        dropped.try_recv().expect("its state was dropped before");
        assert_eq!(told.ended.recv_timeout(LONG), Ok(puppet.pid()));
        assert_eq!(runtime.counts().zombies, 0);
        // The name has moved on, and the end of the zombie leaves it alone.
        assert_eq!(NAME.whereis(), Some(successor.me()));
        watcher.nothing_more();
        assert!(told.nothing());
    });
}

/// A zombie ends at its next library call; nothing that it asks for happens any more.
#[test]
fn zombie_ends_at_its_next_library_call() {
    at_leisure(|kind, _, grace_ends, told| {
        let (puppet, other) = (kind.puppet(), kind.puppet());
        let (started, running) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (outlived, told_so) = mpsc::channel();
        let to = other.me();
        puppet.order(move |_| {
            started.send(()).expect("the test waits");
            released.recv_timeout(LONG).expect("it is let go");
            to.tell(1);
            let _ = outlived.send(());
        });
        running.recv_timeout(LONG).expect("it runs");
        process::exit(puppet.pid(), ExitReason::Kill);
        grace_ends();
        assert_eq!(told.cut.recv_timeout(LONG), Ok(puppet.pid()));
        release.send(()).expect("it waits");
        assert!(process::wait_quiesced(puppet.pid(), LONG));
        assert!(told_so.recv_timeout(LONG).is_err());
        other.nothing_more();
        assert!(told.ended.recv_timeout(LONG).is_ok());
    });
}

#[test]
fn second_kill_and_late_exits_change_nothing() {
    at_leisure(|kind, _, grace_ends, told| {
        let (puppet, watcher) = (kind.puppet(), kind.puppet());
        watcher.monitors(&puppet);
        let busy = puppet.busy();
        process::exit(puppet.pid(), ExitReason::Kill);
        process::exit(puppet.pid(), ExitReason::Kill);
        process::exit(puppet.pid(), ExitReason::other("late"));
        grace_ends();
        assert_eq!(watcher.next_down().reason, ExitReason::Killed);
        process::exit(puppet.pid(), ExitReason::Kill);
        grace_ends();
        drop(busy);
        assert!(process::wait_quiesced(puppet.pid(), LONG));
        process::exit(puppet.pid(), ExitReason::Kill);
        watcher.nothing_more();
        assert_eq!(told.cut.try_iter().count(), 1);
        eventually("its end was told", || told.ended.try_recv().is_ok());
        assert!(told.ended.try_recv().is_err());
    });
}

/// A grace that ends when the process has ended does nothing to whoever came after it.
#[test]
fn grace_of_the_dead_is_harmless() {
    at_leisure(|kind, runtime, grace_ends, told| {
        for _ in 0..10 {
            let puppet = kind.puppet();
            let mut watch = process::watch(puppet.pid());
            process::exit(puppet.pid(), ExitReason::Kill);
            assert_eq!(puppet.ended(&mut watch), ExitReason::Killed);
        }
        let successors: Vec<_> = (0..10).map(|_| kind.puppet()).collect();
        grace_ends();
        eventually("all timers have fired", || {
            runtime.scheduler_stats().timers == 0
        });
        for successor in &successors {
            successor.sync();
        }
        assert!(told.nothing());
    });
}

/// A process waits for the last of another as well, and holds up nobody.
#[test]
fn processes_wait_for_the_end_of_zombies() {
    at_leisure(|kind, _, grace_ends, told| {
        let (puppet, successor) = (kind.puppet(), kind.puppet());
        let busy = puppet.busy();
        process::exit(puppet.pid(), ExitReason::Kill);
        grace_ends();
        assert_eq!(told.cut.recv_timeout(LONG), Ok(puppet.pid()));
        let pid = puppet.pid();
        let (sender, quiesced) = mpsc::channel();
        successor.order(move |_| {
            let _ = sender.send(process::wait_quiesced(pid, LONG));
        });
        eventually("it waits", || {
            successor.info().status == process::Status::Waiting
        });
        assert!(quiesced.try_recv().is_err());
        drop(busy);
        assert_eq!(quiesced.recv_timeout(LONG), Ok(true));
        assert!(told.ended.recv_timeout(LONG).is_ok());
    });
}
