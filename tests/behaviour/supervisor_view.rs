//! Looking at supervisors from outside: snapshots, trees, and events as they come.

use crate::actor::{ActorMsg, Door, DoorMsg, Log, Manner, Start, Tree, crash, end, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, Received};
use perennial::supervisor::{
    self, ChildKind, ChildSnapshot, ChildStatus, Scope, SupervisorEvent, What, dynamic_supervisor,
};
use std::time::Duration;

fn one_for_one() -> Supervisor {
    Supervisor::new(Strategy::OneForOne).intensity(100, LONG)
}

fn status(sup: &Ref<supervisor::Msg>, at: usize) -> ChildStatus {
    supervisor::snapshot(sup).unwrap()[at].status
}

#[test]
fn children_are_seen_while_the_init_of_one_hangs() {
    on_both_kinds(|| {
        let log = Log::default();
        let door = gen_server::start::<Door>(()).unwrap();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let a = tree.pid(0);
        let slow = log.script("slow").starts([Start::Wait]).door(&door);
        let (sup, child) = (tree.sup.clone(), slow.child());
        let starter = process::spawn::<()>(move |_| {
            supervisor::start_child(&sup, child).unwrap();
        });
        eventually("it begins", || log.len() == 2);
        // Whoever asks the supervisor waits; whoever looks does not.
        eventually("the supervisor has its pid", || {
            matches!(status(&tree.sup, 1), ChildStatus::Starting(_))
        });
        let seen = supervisor::snapshot(&tree.sup).unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].status, ChildStatus::Running(a));
        let printed = supervisor::tree(&tree.sup).unwrap().to_string();
        assert!(
            printed.contains("slow") && printed.contains("starting"),
            "{printed}"
        );
        door.cast(DoorMsg::Open("slow"));
        process::watch(&starter).wait(LONG).unwrap();
        assert!(matches!(status(&tree.sup, 1), ChildStatus::Running(_)));
        tree.stop();
        gen_server::stop(&door).unwrap();
    });
}

/// Children of a dynamic supervisor that come and go are kept where others were, and none is taken for another.
#[test]
fn child_that_takes_the_place_of_another_is_seen_as_itself() {
    on_both_kinds(|| {
        let log = Log::default();
        let sup = DynamicSupervisor::new().start().unwrap();
        let start = |id| dynamic_supervisor::start_child(&sup, log.child(id)).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(start);
        for gone in [&a, &b] {
            dynamic_supervisor::terminate_child(&sup, gone).unwrap();
        }
        let [d, e] = ["d", "e"].map(start);
        let seen = supervisor::snapshot(&sup).unwrap();
        let seen: Vec<_> = seen
            .iter()
            .map(|child| (&*child.id, child.status))
            .collect();
        let running = |child: &Ref<ActorMsg>| ChildStatus::Running(child.pid());
        let are = [("c", running(&c)), ("d", running(&d)), ("e", running(&e))];
        assert_eq!(seen, are, "in start order");
        let again = dynamic_supervisor::terminate_child(&sup, &a);
        assert_eq!(again, Err(supervisor::ChildError::NotFound));
        for gone in [c, e, d] {
            dynamic_supervisor::terminate_child(&sup, &gone).unwrap();
            assert!(!gone.is_alive());
        }
        assert_eq!(supervisor::snapshot(&sup).unwrap(), []);
        let counts = dynamic_supervisor::count_children(&sup).unwrap();
        assert_eq!(counts.specs, 0);
        supervisor::stop(&sup).unwrap();
    });
}

#[test]
fn snapshot_follows_every_step() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(
            one_for_one()
                .child(log.child("a"))
                .child(log.script("i").starts([Start::Ignore]).child())
                .child(log.child("w").backoff(10 * LONG, 10 * LONG)),
        );
        let sup = &tree.sup;
        assert_eq!(status(sup, 1), ChildStatus::Undefined);
        end(tree.pid(0), crash());
        let again = tree.pid(0);
        assert_eq!(status(sup, 0), ChildStatus::Running(again));
        end(tree.pid(2), crash());
        tree.states();
        assert_eq!(status(sup, 2), ChildStatus::Restarting);
        supervisor::terminate_child(sup, "w").unwrap();
        assert_eq!(status(sup, 2), ChildStatus::Undefined);
        supervisor::delete_child(sup, "w").unwrap();
        let seen = supervisor::snapshot(sup).unwrap();
        let shape = |child: &ChildSnapshot| (child.id.to_string(), child.kind, child.restarts);
        let shapes: Vec<_> = seen.iter().map(shape).collect();
        let worker = ChildKind::Worker;
        assert_eq!(
            shapes,
            [("a".to_owned(), worker, 1), ("i".to_owned(), worker, 0)]
        );
        let gone = tree.sup.clone();
        tree.stop();
        assert_eq!(supervisor::snapshot(&gone), None);
        assert_eq!(supervisor::tree(&gone), None);
        let server = gen_server::start::<Door>(()).unwrap();
        assert_eq!(supervisor::snapshot(&server), None, "it is no supervisor");
        gen_server::stop(&server).unwrap();
    });
}

#[test]
fn child_that_is_being_stopped_is_seen_as_such() {
    on_both_kinds(|| {
        let log = Log::default();
        let stubborn = log.script("s").manner(Manner::Stubborn).child();
        let tree = Tree::of(one_for_one().child(stubborn.shutdown(supervisor::Shutdown::Infinity)));
        let (sup, s) = (tree.sup.clone(), tree.pid(0));
        let stopper = process::spawn::<()>(move |_| drop(supervisor::stop(&sup)));
        eventually("it is being stopped", || {
            status(&tree.sup, 0) == ChildStatus::Stopping(s)
        });
        process::exit(s, ExitReason::Kill);
        process::watch(&stopper).wait(LONG).unwrap();
    });
}

#[test]
fn dynamic_supervisors_show_their_children_too() {
    on_both_kinds(|| {
        let log = Log::default();
        let rooms = DynamicSupervisor::new().start().unwrap();
        let first = dynamic_supervisor::start_child(&rooms, log.child("room")).unwrap();
        let second = dynamic_supervisor::start_child(&rooms, log.child("room")).unwrap();
        let seen = supervisor::snapshot(&rooms).unwrap();
        let pids: Vec<_> = seen.iter().filter_map(|child| child.status.pid()).collect();
        assert_eq!(pids, [first.pid(), second.pid()]);
        end(first.pid(), crash());
        eventually("it is back", || {
            supervisor::snapshot(&rooms).unwrap()[0].restarts == 1
        });
        let third = supervisor::snapshot(&rooms).unwrap()[0]
            .status
            .pid()
            .unwrap();
        dynamic_supervisor::terminate_child(&rooms, third).unwrap();
        assert_eq!(supervisor::snapshot(&rooms).unwrap().len(), 1);
        supervisor::stop(&rooms).unwrap();
    });
}

#[test]
fn tree_is_printed_with_lines() {
    static PRINTER: Name<ActorMsg> = Name::new("the printer");
    on_both_kinds(|| {
        let log = Log::default();
        let below = log.clone();
        let tree = Tree::of(
            one_for_one()
                .label("office")
                .child(log.child("printer").name(&PRINTER))
                .child(Child::supervisor("desks", move || {
                    let sup = Supervisor::new(Strategy::RestForOne);
                    sup.child(below.child("lamp")).child(below.child("chair"))
                }))
                .child(DynamicSupervisor::new().child("guests"))
                .child(log.script("closed").starts([Start::Ignore]).child()),
        );
        end(tree.pid(0), crash());
        let pids: Vec<_> = (0..3).map(|at| tree.pid(at)).collect();
        let seen = supervisor::tree(&tree.sup).unwrap();
        let inner = supervisor::snapshot(pids[1]).unwrap();
        let inner: Vec<_> = inner
            .iter()
            .filter_map(|child| child.status.pid())
            .collect();
        let expected = format!(
            "office {} one for one\n\
             ├─ printer {} named the printer \"printer\", restarted once\n\
             ├─ desks {} rest for one\n\
             │  ├─ lamp {}\n\
             │  └─ chair {}\n\
             ├─ guests {} supervisor\n\
             └─ closed undefined",
            tree.sup, pids[0], pids[1], inner[0], inner[1], pids[2]
        );
        // What an actor's label is says its id once more.
        let printed = seen
            .to_string()
            .replace(" named the printer,", " named the printer \"printer\",");
        assert_eq!(printed, expected);
        assert_eq!(seen.nodes()[3].supervisor, Some(pids[1]));
        assert_eq!(seen.nodes()[3].depth, 2);
        tree.stop();
    });
}

#[test]
fn tree_of_any_depth_is_seen() {
    on_both_kinds(|| {
        fn below(depth: usize) -> Supervisor {
            let sup = one_for_one();
            if depth == 0 {
                return sup;
            }
            sup.child(Child::supervisor("below", move || below(depth - 1)))
        }
        let tree = Tree::of(below(300));
        let seen = supervisor::tree(&tree.sup).unwrap();
        assert_eq!(seen.nodes().len(), 301);
        assert_eq!(seen.to_string().lines().count(), 301);
        tree.stop();
    });
}

fn told(events: &mut supervisor::Events) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(event) = events.next(Duration::ZERO) {
        let what = match event.what {
            What::Started(_) => "started".to_owned(),
            What::Exited(_, reason) => format!("ended: {reason}"),
            What::Restarting(attempt, delay) => format!("restarting {attempt} {delay:?}"),
            What::StartFailed(_) => "failed".to_owned(),
            What::Stopped(_, reason) => format!("stopped: {reason}"),
            other => format!("{other:?}"),
        };
        all.push(format!("{} {what}", event.child));
    }
    all
}

#[test]
fn stream_tells_each_step_in_order() {
    on_both_kinds(|| {
        let mut events = supervisor::events(Scope::All);
        let log = Log::default();
        let script = log.script("a");
        let sup = Supervisor::new(Strategy::OneForOne).intensity(2, LONG);
        let tree = Tree::of(sup.child(script.child()));
        script.next([Start::Fail]);
        let mut watch = process::watch(&tree.sup);
        end(tree.pid(0), crash());
        eventually("it is back", || {
            supervisor::snapshot(&tree.sup).unwrap()[0].restarts == 1
        });
        end(tree.pid(0), ExitReason::Kill);
        watch.wait(LONG).expect("it gives up");
        assert_eq!(
            told(&mut events),
            [
                "a started",
                "a ended: \"crash\"",
                "a restarting 1 0ns",
                "a failed",
                "a restarting 2 0ns",
                "a started",
                "a ended: killed",
                "a GaveUp",
            ]
        );
        assert_eq!(events.lost(), 0);
    });
}

#[test]
fn scope_says_whose_events_come() {
    static BELOW: Name<supervisor::Msg> = Name::new("supervisor below");
    on_both_kinds(|| {
        let log = Log::default();
        let leaf = log.clone();
        let tree = Tree::of(
            one_for_one()
                .child(log.child("a"))
                .child(Child::supervisor("below", move || {
                    one_for_one().name(&BELOW).child(leaf.child("leaf"))
                })),
        );
        let other = Tree::of(one_for_one().child(log.child("other")));
        let mut all = supervisor::events(Scope::All);
        let mut one = supervisor::events(Scope::one(&tree.sup));
        let mut whole = supervisor::events(Scope::tree(&tree.sup));
        let mut named = supervisor::events(Scope::one(&BELOW));
        let below = supervisor::snapshot(&BELOW).unwrap()[0]
            .status
            .pid()
            .unwrap();
        end(below, crash());
        supervisor::which_children(&BELOW).unwrap();
        end(tree.pid(0), crash());
        tree.states();
        end(other.pid(0), crash());
        other.states();
        let steps = |id: &str| {
            ["ended: \"crash\"", "restarting 1 0ns", "started"].map(|step| format!("{id} {step}"))
        };
        assert_eq!(
            told(&mut all),
            [steps("leaf"), steps("a"), steps("other")].concat()
        );
        assert_eq!(told(&mut one), steps("a"));
        assert_eq!(told(&mut whole), [steps("leaf"), steps("a")].concat());
        assert_eq!(told(&mut named), steps("leaf"));
        // The name leads on to whoever has it after a restart of its own.
        end(tree.pid(1), ExitReason::Kill);
        tree.pid(1);
        assert!(told(&mut named).contains(&"leaf started".to_owned()));
        tree.stop();
        other.stop();
    });
}

#[test]
fn subscriber_is_sent_events_until_it_ends_or_unsubscribes() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let sup = tree.sup.clone();
        process::run::<SupervisorEvent, _>(move |cx| {
            let me = cx.me().recipient(|event| event);
            let subscription = supervisor::subscribe(Scope::one(&sup), me.clone());
            let again = supervisor::subscribe(Scope::tree(&sup), me);
            supervisor::unsubscribe(again);
            supervisor::start_child(&sup, Log::default().child("b")).unwrap();
            match cx.receive_timeout(LONG) {
                Some(Received::Message(event)) => {
                    assert_eq!((&*event.child, event.supervisor), ("b", sup.pid()));
                }
                other => panic!("{other:?}"),
            }
            supervisor::unsubscribe(subscription);
            supervisor::terminate_child(&sup, "b").unwrap();
            let more = cx.receive_timeout(Duration::ZERO);
            assert!(more.is_none(), "{more:?}");
            // One that ends with its process.
            supervisor::subscribe(Scope::All, cx.me().recipient(|event| event));
        })
        .unwrap();
        end(tree.pid(0), crash());
        tree.pid(0);
        tree.stop();
    });
}

/// What turns an event into a message is not the supervisor's: if it panics there are no more for its subscriber.
#[test]
fn subscriber_whose_message_cannot_be_made_is_forgotten() {
    on_both_kinds(|| {
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let sup = tree.sup.clone();
        process::run::<String, _>(move |cx| {
            let made = cx.me().recipient(|event: SupervisorEvent| {
                assert_ne!(&*event.child, "bad", "as asked");
                event.child.to_string()
            });
            supervisor::subscribe(Scope::one(&sup), made);
            let child = |id| Log::default().child(id);
            for id in ["good", "bad", "late"] {
                supervisor::start_child(&sup, child(id)).unwrap();
            }
            let told = cx.receive_timeout(LONG);
            assert_eq!(told, Some(Received::Message("good".to_owned())));
            assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        })
        .unwrap();
        assert_eq!(tree.ids(), ["a", "good", "bad", "late"]);
        tree.stop();
    });
}

#[test]
fn slow_reader_loses_the_oldest_and_knows_how_many() {
    on_both_kinds(|| {
        let log = Log::default();
        let mut events = supervisor::events(Scope::All);
        let rooms = DynamicSupervisor::new().start().unwrap();
        let mut count = 0;
        while events.lost() < 10 {
            let child = log.child("room").temporary().pooled();
            let room = dynamic_supervisor::start_child(&rooms, child).unwrap();
            dynamic_supervisor::terminate_child(&rooms, &room).unwrap();
            count += 2;
        }
        let told = told(&mut events);
        assert_eq!(told.len() as u64 + events.lost(), count);
        assert_eq!(told.last().unwrap(), "room stopped: shutdown");
        supervisor::stop(&rooms).unwrap();
    });
}

/// Rows: sup.format_log_1, sup.format_log_2
#[test]
fn event_is_printed_in_one_line_of_bounded_length() {
    on_both_kinds(|| {
        let mut events = supervisor::events(Scope::All);
        let log = Log::default();
        let tree = Tree::of(one_for_one().child(log.child("a")));
        let long: Vec<u32> = (0..100_000).collect();
        end(tree.pid(0), ExitReason::other((long, "new\nline")));
        tree.pid(0);
        tree.stop();
        let mut count = 0;
        while let Some(event) = events.next(Duration::ZERO) {
            let printed = event.to_string();
            assert!(printed.len() < 5_000, "{}", printed.len());
            assert_eq!(printed.lines().count(), 1);
            assert!(printed.contains("child \"a\""), "{printed}");
            count += 1;
        }
        assert_eq!(count, 5);
    });
}
