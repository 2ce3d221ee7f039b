//! Children that are started in parallel where somebody asks for it.

use crate::actor::{
    ActorMsg, Door, DoorMsg, Log, Manner, Script, Start, Tree, crash, end, on_both_kinds,
};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, StartError};
use perennial::supervisor::{
    self, ChildState, ChildStatus, Scope, ServerChild, SupervisorError, What,
};
use std::sync::mpsc;
use std::time::Duration;

fn door() -> Ref<DoorMsg> {
    gen_server::start::<Door>(()).unwrap()
}

fn waits(log: &Log, id: &'static str, door: &Ref<DoorMsg>) -> Script {
    log.script(id)
        .manner(Manner::Traps)
        .starts([Start::Wait; 100])
        .door(door)
}

fn waiting(log: &Log, id: &'static str, door: &Ref<DoorMsg>) -> ServerChild<crate::actor::Actor> {
    waits(log, id, door).child()
}

fn open(door: &Ref<DoorMsg>, ids: &[&'static str]) {
    for id in ids {
        door.cast(DoorMsg::Open(id));
    }
}

/// Starts a supervisor aside; what came of it.
fn aside(sup: Supervisor) -> mpsc::Receiver<Result<Ref<supervisor::Msg>, StartError>> {
    let (send, started) = mpsc::channel();
    process::spawn::<()>(move |_| send.send(sup.start()).unwrap());
    started
}

fn ups(events: &mut supervisor::Events, count: usize) -> Vec<String> {
    let next = || events.next(LONG).expect("it is told");
    let mut all: Vec<_> = std::iter::repeat_with(next).take(count).collect();
    all.retain(|event| matches!(event.what, What::Started(_)));
    all.iter().map(|event| event.child.to_string()).collect()
}

#[test]
fn all_begin_at_once_and_are_acknowledged_in_order() {
    static LAST: Name<ActorMsg> = Name::new("the last of a group");
    on_both_kinds(|| {
        let (log, door) = (Log::default(), door());
        let mut events = supervisor::events(Scope::All);
        let sup = Supervisor::new(Strategy::OneForOne).parallel([
            waiting(&log, "a", &door),
            waiting(&log, "b", &door),
            waiting(&log, "c", &door).name(&LAST),
        ]);
        let started = aside(sup);
        eventually("all have begun", || log.len() == 3);
        open(&door, &["b", "c"]);
        LAST.call_for(LONG, ActorMsg::Ping).unwrap();
        // It is through, and is not up for others before those before it.
        assert!(events.next(Duration::ZERO).is_none());
        assert!(started.try_recv().is_err());
        open(&door, &["a"]);
        let sup = started.recv_timeout(LONG).unwrap().unwrap();
        assert_eq!(ups(&mut events, 3), ["a", "b", "c"]);
        log.take();
        supervisor::stop(&sup).unwrap();
        assert_eq!(
            log.take(),
            ["c ends: shutdown", "b ends: shutdown", "a ends: shutdown"]
        );
        gen_server::stop(&door).unwrap();
    });
}

#[test]
fn group_waits_for_those_before_it_and_those_after_it_wait_for_the_group() {
    on_both_kinds(|| {
        let (log, door) = (Log::default(), door());
        let sup = Supervisor::new(Strategy::OneForOne)
            .child(waiting(&log, "first", &door))
            .parallel([waiting(&log, "a", &door), waiting(&log, "b", &door)])
            .child(waiting(&log, "last", &door));
        let started = aside(sup);
        eventually("the first begins", || log.len() == 1);
        assert_eq!(log.take(), ["first Wait"]);
        open(&door, &["first"]);
        eventually("the group begins", || log.len() == 2);
        let mut group = log.take();
        group.sort();
        assert_eq!(group, ["a Wait", "b Wait"]);
        open(&door, &["b", "a"]);
        eventually("the last begins", || log.len() == 1);
        assert_eq!(log.take(), ["last Wait"]);
        open(&door, &["last"]);
        let sup = started.recv_timeout(LONG).unwrap().unwrap();
        supervisor::stop(&sup).unwrap();
        gen_server::stop(&door).unwrap();
    });
}

#[test]
fn one_that_fails_stops_all_that_were_started_in_reverse() {
    static LATE: Name<ActorMsg> = Name::new("one that comes after a failure");
    on_both_kinds(|| {
        for bad in [Start::Fail, Start::Panic] {
            let (log, door) = (Log::default(), door());
            let sup = Supervisor::new(Strategy::OneForOne)
                .child(log.script("first").manner(Manner::Traps).child())
                .child(waiting(&log, "a", &door))
                .child(log.script("bad").starts([bad]).child())
                .child(waiting(&log, "c", &door).name(&LATE))
                .child(log.script("hangs").starts([Start::Hang]).child())
                .start_parallel();
            let started = aside(sup);
            eventually("all have begun", || log.len() == 5);
            // It failed long ago; that counts when it is its turn.
            open(&door, &["c"]);
            LATE.call_for(LONG, ActorMsg::Ping).unwrap();
            log.take();
            open(&door, &["a"]);
            match started.recv_timeout(LONG).unwrap() {
                Err(StartError::Exit(reason)) => {
                    let error = reason.downcast_ref::<SupervisorError>();
                    assert!(
                        matches!(error, Some(SupervisorError::FailedToStartChild(id, _)) if &**id == "bad"),
                        "{reason}"
                    );
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(
                log.take(),
                [
                    "c ends: shutdown",
                    "a ends: shutdown",
                    "first ends: shutdown"
                ],
                "{bad:?}"
            );
            gen_server::stop(&door).unwrap();
            eventually("nothing is left", || process::counts().processes == 0);
        }
    });
}

#[test]
fn group_restarts_in_parallel_too() {
    on_both_kinds(|| {
        for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
            let (log, door) = (Log::default(), door());
            let scripts = ["a", "b", "c"].map(|id| log.script(id).door(&door));
            let sup = Supervisor::new(strategy).intensity(100, LONG);
            let tree = Tree::of(sup.parallel(scripts.each_ref().map(Script::child)));
            log.take();
            for script in &scripts {
                script.next([Start::Wait]);
            }
            end(tree.pid(0), crash());
            eventually("all have begun", || log.len() == 3);
            let starting = |child: &supervisor::ChildSnapshot| {
                matches!(child.status, ChildStatus::Starting(_))
            };
            eventually("the supervisor has their pids", || {
                let children = supervisor::snapshot(&tree.sup).unwrap();
                children.iter().all(starting)
            });
            open(&door, &["c", "b", "a"]);
            let up = |state: &ChildState| matches!(state, ChildState::Running(_));
            assert!(tree.states().iter().all(up));
            tree.stop();
            gen_server::stop(&door).unwrap();
        }
    });
}

/// One that fails in the restart of its group: those after it that had come up go down, and all is tried again.
#[test]
fn restart_of_a_group_that_fails_leaves_nobody_up_who_comes_later() {
    on_both_kinds(|| {
        let log = Log::default();
        let scripts = ["a", "b", "c"].map(|id| log.script(id).manner(Manner::Traps));
        let sup = Supervisor::new(Strategy::RestForOne).intensity(100, LONG);
        let tree = Tree::of(sup.parallel(scripts.each_ref().map(Script::child)));
        log.take();
        scripts[1].next([Start::Fail]);
        end(tree.pid(0), ExitReason::Kill);
        let up = |state: &ChildState| matches!(state, ChildState::Running(_));
        eventually("all are up", || tree.states().iter().all(up));
        let told = log.take();
        let times = |line: &str| told.iter().filter(|told| *told == line).count();
        // c may have come up beside b and was stopped when b failed; then it came up again, and a stays.
        assert_eq!((times("b Fail"), times("b Up")), (1, 1), "{told:?}");
        assert!((1..=2).contains(&times("c Up")), "{told:?}");
        tree.stop();
    });
}

#[test]
fn stop_in_the_middle_takes_along_those_who_are_half_way() {
    on_both_kinds(|| {
        let (log, door) = (Log::default(), door());
        let (record, ward) = (log.clone(), door.clone());
        let parent = process::spawn::<()>(move |_| {
            let _ = Supervisor::new(Strategy::OneForOne)
                .parallel([waiting(&record, "a", &ward), waiting(&record, "b", &ward)])
                .start_link();
        });
        eventually("all have begun", || log.len() == 2);
        open(&door, &["b"]);
        process::exit(&parent, ExitReason::Shutdown);
        open(&door, &["a"]);
        gen_server::stop(&door).unwrap();
        eventually("nothing is left", || process::counts().processes == 0);
    });
}
