//! What supervisors elsewhere got wrong, and ours must not.

use crate::actor::{
    Actor, ActorMsg, Door, DoorMsg, Log, Manner, Start, Tree, crash, end, on_both_kinds,
};
use crate::stage::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, Status};
use perennial::supervisor::{
    self, AutoShutdown, ChildState, ChildStatus, Scope, Shutdown, What, dynamic_supervisor,
};
use perennial::{ExitReason, Pid};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

fn lots(strategy: Strategy) -> Supervisor {
    Supervisor::new(strategy).intensity(1_000, LONG)
}

fn all_up(tree: &Tree) -> bool {
    let up = |state: &ChildState| matches!(state, ChildState::Running(_));
    tree.states().iter().all(up)
}

/// A child that came later belongs to the group like those of the beginning.
#[test]
fn child_that_was_added_is_restarted_with_its_group() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(lots(Strategy::OneForAll).child(log.child("a")));
        let late = supervisor::start_child(&tree.sup, log.child("late")).unwrap();
        for _ in 0..3 {
            end(tree.pid(0), crash());
            assert!(all_up(&tree));
            assert_eq!(tree.ids(), ["a", "late"]);
        }
        assert_ne!(Some(tree.pid(1)), late);
        end(tree.pid(1), crash());
        assert!(all_up(&tree));
        tree.stop();
    });
}

/// A restart that fails is tried again; it does not end the supervisor, nor anybody else.
#[test]
fn restart_that_fails_ends_nobody() {
    on_both_kinds(|| {
        let log = Log::default();
        let script = log.script("a");
        let tree = Tree::of(
            lots(Strategy::OneForOne)
                .child(script.child())
                .child(log.child("b")),
        );
        let b = tree.pid(1);
        script.next([Start::Fail, Start::Panic, Start::Fail]);
        end(tree.pid(0), crash());
        eventually("it is back", || all_up(&tree));
        assert_eq!(tree.pid(1), b);
        tree.stop();
    });
}

/// Nobody said how many restarts are too many, and it does not go on for ever.
#[test]
fn child_that_never_comes_back_ends_the_supervisor_soon() {
    on_both_kinds(|| {
        let log = Log::default();
        let script = log.script("a");
        let tree = Tree::of(Supervisor::new(Strategy::OneForOne).child(script.child()));
        let mut watch = process::watch(&tree.sup);
        script.next(std::iter::repeat_n(Start::Fail, 1_000));
        end(tree.pid(0), crash());
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
        assert_eq!(log.take().len(), 1 + 3);
    });
}

/// A supervisor that gives up leaves nobody behind, whatever its siblings think of it.
#[test]
fn nobody_is_left_after_giving_up() {
    on_both_kinds(|| {
        for strategy in [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ] {
            let log = Log::default();
            let below = log.clone();
            let child = |id, manner| log.script(id).manner(manner).child();
            let stubborn =
                child("s", Manner::Stubborn).shutdown(Shutdown::Timeout(Duration::from_millis(10)));
            let sup = Supervisor::new(strategy).intensity(0, LONG);
            let tree = Tree::of(
                sup.child(child("t", Manner::Traps))
                    .child(stubborn)
                    .child(child("u", Manner::Unlinks))
                    .child(child("f", Manner::Fails))
                    .child(Child::supervisor("below", move || {
                        lots(Strategy::OneForOne).child(below.child("leaf"))
                    }))
                    .child(log.child("a")),
            );
            let mut watch = process::watch(&tree.sup);
            end(tree.pid(5), crash());
            assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
            assert_eq!(process::counts().processes, 0, "{strategy:?}");
        }
    });
}

/// A child that ends as soon as it is up is restarted each time, not only once.
#[test]
fn child_that_ends_at_once_is_restarted_each_time() {
    struct Brief;
    impl GenServer for Brief {
        type Args = Log;
        type Msg = ();
        fn init(log: Log, _: &mut Cx<Self>) -> Init<Self> {
            log.write("up");
            Init::Continue(Brief, ())
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Stop(ExitReason::Normal)
        }
    }
    on_both_kinds(|| {
        for restarts in [1, 7, 50] {
            let log = Log::default();
            let sup = Supervisor::new(Strategy::OneForOne).intensity(restarts, LONG);
            // It may have given up before its start could be told.
            if let Ok(sup) = sup
                .child(Child::server::<Brief>("brief", log.clone()))
                .start()
            {
                let mut watch = process::watch(&sup);
                watch.wait(LONG).expect("it gives up");
            }
            eventually("all has ended", || process::counts().processes == 0);
            assert_eq!(log.take().len(), 1 + restarts);
        }
    });
}

/// Whatever a supervisor is about, it can be told to stop.
#[test]
fn supervisor_can_be_stopped_whatever_it_does() {
    on_both_kinds(|| {
        let log = Log::default();
        let far = Duration::from_secs(3_600);
        let hangs = log.script("hangs");
        let fails = log.script("fails");
        for child in [
            log.child("idle"),
            log.child("waits").backoff(far, far),
            hangs.child(),
            fails.child(),
        ] {
            let sup = Supervisor::new(Strategy::OneForAll).intensity(usize::MAX, LONG);
            let tree = Tree::of(sup.child(child).child(log.child("other")));
            hangs.next([Start::Hang]);
            fails.next(std::iter::repeat_n(Start::Fail, 1_000_000));
            let first = supervisor::snapshot(&tree.sup).unwrap()[0].clone();
            if &*first.id != "idle" {
                end(first.status.pid().unwrap(), crash());
            }
            tree.stop();
            hangs.next([]);
            fails.next([]);
        }
    });
}

/// A start that fails half way leaves no name behind: not the child's, not its siblings', not the supervisor's.
#[test]
fn start_that_fails_leaves_no_name() {
    static SUP: Name<supervisor::Msg> = Name::new("half a supervisor");
    static FIRST: Name<ActorMsg> = Name::new("first of two");
    static BAD: Name<ActorMsg> = Name::new("bad of two");
    on_both_kinds(|| {
        for bad in [Start::Fail, Start::Panic, Start::Hang, Start::Ignore] {
            let log = Log::default();
            let script = log.script("bad").starts([bad]);
            let child = script.child().name(&BAD).timeout(Duration::from_millis(20));
            let sup = lots(Strategy::OneForOne)
                .name(&SUP)
                .child(log.child("first").name(&FIRST))
                .child(child);
            match (sup.start(), bad) {
                (Ok(sup), Start::Ignore) => {
                    assert_eq!(BAD.whereis(), None);
                    supervisor::restart_child(&sup, "bad").unwrap().unwrap();
                    assert!(BAD.whereis().is_some());
                    supervisor::stop(&sup).unwrap();
                }
                (started, _) => assert!(started.is_err(), "{bad:?}"),
            }
            assert_eq!(process::registered(), [], "{bad:?}");
            assert_eq!(process::counts().names, 0);
        }
    });
}

/// A child that hangs outside of the library takes longer than its kill, and its start has failed only when nothing
/// of it is to be seen any more.
#[test]
fn start_that_took_too_long_has_failed_when_the_child_is_gone() {
    static NAME: Name<()> = Name::new("stuck");
    struct Stuck;
    impl GenServer for Stuck {
        type Args = Arc<Mutex<mpsc::Receiver<()>>>;
        type Msg = ();
        fn init(held: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            let _ = held.lock().unwrap().recv_timeout(LONG);
            Init::Ok(Stuck)
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
    }
    on_both_kinds(|| {
        let (hold, held) = mpsc::channel();
        let child = Child::server::<Stuck>("stuck", Arc::new(Mutex::new(held)));
        let child = child.name(&NAME).timeout(Duration::from_millis(10));
        let started = lots(Strategy::OneForOne).child(child).start();
        assert!(started.is_err());
        assert_eq!(process::registered(), []);
        drop(hold);
        eventually("its code ends", || process::counts().zombies == 0);
    });
}

/// A successor begins when its predecessor has ended in every respect: its state is dropped, its name is free.
#[test]
fn successor_begins_when_its_predecessor_is_gone() {
    static NAME: Name<()> = Name::new("one at a time");
    /// At most one of these is there at a time.
    struct Only(Arc<Mutex<u32>>);
    impl Drop for Only {
        fn drop(&mut self) {
            *self.0.lock().unwrap() -= 1;
        }
    }
    impl GenServer for Only {
        type Args = Arc<Mutex<u32>>;
        type Msg = ();
        const TRAP_EXIT: bool = true;
        fn init(there: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            let mut count = there.lock().unwrap();
            if *count > 0 {
                return Init::Stop(ExitReason::other("two at a time"));
            }
            *count += 1;
            drop(count);
            Init::Ok(Only(there))
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            panic!("as asked")
        }
        fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
            std::thread::yield_now();
        }
    }
    on_both_kinds(|| {
        let failed = Arc::new(Mutex::new(0));
        let count = failed.clone();
        process::attach(move |event: &supervisor::SupervisorEvent| {
            if let What::StartFailed(_) = event.what {
                *count.lock().unwrap() += 1;
            }
        });
        let log = Log::default();
        let only = Child::server::<Only>("only", Arc::default()).name(&NAME);
        let tree = Tree::of(lots(Strategy::OneForAll).child(log.child("a")).child(only));
        for round in 0..100 {
            let pid = tree.pid(1);
            let mut watch = process::watch(pid);
            match round % 4 {
                0 => NAME.cast(()),
                1 => process::exit(pid, ExitReason::Kill),
                2 => end(tree.pid(0), crash()),
                _ => supervisor::terminate_child(&tree.sup, "only").unwrap(),
            }
            watch.wait(LONG).expect("it ends");
            if round % 4 == 3 {
                supervisor::restart_child(&tree.sup, "only").unwrap();
            }
            assert!(all_up(&tree));
        }
        assert_eq!(*failed.lock().unwrap(), 0);
        tree.stop();
    });
}

/// A child is linked before the first line of its `init`, so that one which hangs there goes with its supervisor.
#[test]
fn child_is_linked_before_its_init_begins() {
    struct Looks;
    impl GenServer for Looks {
        type Args = mpsc::Sender<bool>;
        type Msg = ();
        fn init(send: Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
            let links = process::info(cx.pid()).unwrap().links;
            send.send(links.contains(&cx.parent())).unwrap();
            process::sleep(Duration::MAX);
            Init::Ok(Looks)
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
    }
    on_both_kinds(|| {
        let (send, linked) = mpsc::channel();
        let tree = Tree::of(lots(Strategy::OneForOne));
        let rooms = DynamicSupervisor::new().start().unwrap();
        let (sup, dynamic) = (tree.sup.clone(), rooms.clone());
        let also = send.clone();
        process::spawn::<()>(move |_| {
            let child = Child::server::<Looks>("looks", send);
            assert!(supervisor::start_child(&sup, child).is_err());
        });
        process::spawn::<()>(move |_| {
            let child = Child::server::<Looks>("looks", also);
            assert!(dynamic_supervisor::start_child(&dynamic, child).is_err());
        });
        assert!(linked.recv_timeout(LONG).unwrap() && linked.recv_timeout(LONG).unwrap());
        end(tree.sup.pid(), ExitReason::Kill);
        end(rooms.pid(), ExitReason::Kill);
        eventually("they go too", || process::counts().processes == 0);
    });
}

/// A child that was killed is told of once, by its id, like any other.
#[test]
fn killed_child_is_told_of_as_what_it_is() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(lots(Strategy::OneForOne).child(log.child("a").temporary()));
        let mut events = supervisor::events(Scope::All);
        let pid = tree.pid(0);
        end(pid, ExitReason::Kill);
        assert_eq!(tree.states(), []);
        let event = events.next(LONG).unwrap();
        assert_eq!(&*event.child, "a");
        assert!(matches!(event.what, What::Exited(who, ExitReason::Killed) if who == pid));
        assert!(events.next(Duration::ZERO).is_none());
        tree.stop();
    });
}

/// A clean-up that fails is the child's own affair.
#[test]
fn terminate_that_fails_does_not_disturb_the_supervisor() {
    on_both_kinds(|| {
        let log = Log::default();
        let untidy = log.script("u").manner(Manner::Fails).child();
        let tree = Tree::of(
            lots(Strategy::OneForAll)
                .child(log.child("a"))
                .child(untidy),
        );
        supervisor::terminate_child(&tree.sup, "u").unwrap();
        supervisor::restart_child(&tree.sup, "u").unwrap();
        end(tree.pid(0), crash());
        assert!(all_up(&tree));
        tree.stop();
    });
}

/// What a child said when it panicked is not swallowed.
#[test]
fn panic_is_told_with_what_was_said() {
    struct Panics;
    impl GenServer for Panics {
        type Args = ();
        type Msg = ();
        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Panics)
        }
        fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
            panic!("out of paper")
        }
    }
    static PRINTER: Name<()> = Name::new("printer that panics");
    on_both_kinds(|| {
        let child = Child::server::<Panics>("p", ()).name(&PRINTER);
        let tree = Tree::of(lots(Strategy::OneForOne).child(child));
        let mut events = supervisor::events(Scope::one(&tree.sup));
        PRINTER.cast(());
        let What::Exited(_, ExitReason::Panic(panic)) = events.next(LONG).unwrap().what else {
            panic!("it ended otherwise");
        };
        assert_eq!(panic.message(), "out of paper");
        assert!(
            panic
                .location()
                .is_some_and(|place| place.contains(file!()))
        );
        tree.stop();
    });
}

/// A start that fails while the supervisor stops others changes nothing in that: each is still waited for.
#[test]
fn failing_start_does_not_hurry_a_stop() {
    on_both_kinds(|| {
        let log = Log::default();
        let door = gen_server::start::<Door>(()).unwrap();
        let a = log.script("a").door(&door);
        let slow = log.script("slow").manner(Manner::Stubborn).child();
        let tree = Tree::of(
            lots(Strategy::OneForOne)
                .child(a.child())
                .child(log.script("b").manner(Manner::Traps).child())
                .child(slow.shutdown(Shutdown::Infinity)),
        );
        let (b, slow) = (tree.pid(1), tree.pid(2));
        a.next([Start::WaitFail]);
        log.take();
        end(tree.pid(0), crash());
        eventually("its restart is under way", || log.len() == 1);
        let mut half_way = None;
        eventually("the supervisor has its pid", || {
            let status = supervisor::snapshot(&tree.sup).unwrap()[0].status;
            half_way = status
                .pid()
                .filter(|pid| status == ChildStatus::Starting(*pid));
            half_way.is_some()
        });
        let half_way = half_way.unwrap();
        let sup = tree.sup.clone();
        let stopper = process::spawn::<()>(move |_| supervisor::stop(&sup).unwrap());
        eventually("the last is told to end", || log.len() == 2);
        let mut watch = process::watch(half_way);
        door.cast(DoorMsg::Open("a"));
        watch.wait(LONG).expect("its start fails");
        eventually("the supervisor has heard of it", || {
            let info = process::info(&tree.sup).expect("it waits for the last");
            info.message_queue_len == 0 && info.status == Status::Waiting
        });
        let seen = supervisor::snapshot(&tree.sup).unwrap();
        assert_eq!(
            seen[1].status,
            ChildStatus::Running(b),
            "it is not its turn"
        );
        process::exit(slow, ExitReason::Kill);
        process::watch(&stopper)
            .wait(LONG)
            .expect("the rest is quick");
        assert_eq!(
            log.take(),
            ["a WaitFail", "slow ends: shutdown", "b ends: shutdown"]
        );
        gen_server::stop(&door).unwrap();
    });
}

/// Keeps a supervisor busy in its own process until this is dropped.
fn busy(sup: &Ref<supervisor::Msg>, log: &Log) -> (mpsc::Sender<()>, process::Watch) {
    let (begins, begun) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let script = log.script("busy");
    script.next([Start::Ignore]);
    let slow = Child::with::<Actor>("busy", move || {
        begins.send(()).unwrap();
        let _ = gate.recv_timeout(LONG);
        script.clone()
    });
    let asked = sup.clone();
    let asker = process::spawn::<()>(move |_| {
        assert_eq!(supervisor::start_child(&asked, slow.temporary()), Ok(None));
    });
    begun.recv_timeout(LONG).unwrap();
    (go, process::watch(&asker))
}

/// A significant child that died at the same moment as another is taken care of by the restart of their group: it
/// did not end the supervisor, and a temporary one is gone.
#[test]
fn death_that_a_group_restart_takes_care_of_is_no_end_of_its_own() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = lots(Strategy::OneForAll).auto_shutdown(AutoShutdown::AnySignificant);
        let tree = Tree::of(
            sup.child(log.child("a"))
                .child(log.child("b").temporary().significant())
                .child(log.child("c")),
        );
        let [a, b, c]: [Pid; 3] = [0, 1, 2].map(|at| tree.pid(at));
        let (go, mut asker) = busy(&tree.sup, &log);
        end(a, crash());
        end(b, crash());
        drop(go);
        asker.wait(LONG).expect("it goes on");
        assert_eq!(tree.ids(), ["a", "c"]);
        assert!(all_up(&tree));
        assert_ne!(tree.pid(1), c);
        tree.stop();
    });
}

/// The last significant child that waits for its restart has not ended.
#[test]
fn significant_child_that_waits_for_its_restart_has_not_ended() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = lots(Strategy::OneForOne).auto_shutdown(AutoShutdown::AllSignificant);
        let child = |id| log.child(id).transient().significant();
        let tree = Tree::of(sup.child(child("a").backoff(LONG, LONG)).child(child("b")));
        let mut watch = process::watch(&tree.sup);
        end(tree.pid(0), crash());
        assert_eq!(tree.states()[0], ChildState::Restarting);
        end(tree.pid(1), ExitReason::Shutdown);
        assert_eq!(
            tree.states(),
            [ChildState::Restarting, ChildState::Undefined]
        );
        assert!(watch.wait(Duration::ZERO).is_none());
        tree.stop();
    });
}

/// A sibling that was stopped by hand comes back with its group, as in OTP.
#[test]
fn child_that_was_stopped_comes_back_with_its_group() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(
            lots(Strategy::OneForAll)
                .child(log.child("a"))
                .child(log.child("b"))
                .child(log.child("c").transient()),
        );
        supervisor::terminate_child(&tree.sup, "b").unwrap();
        end(tree.pid(2), ExitReason::Shutdown);
        assert_eq!(tree.states()[1..], [ChildState::Undefined; 2]);
        end(tree.pid(0), crash());
        assert!(all_up(&tree));
        tree.stop();
    });
}
