//! Process groups; ids as in the table of conformance cases. What takes a second node is not here.

use crate::registry_partitions::{idle, kill};
use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds, play, reason};
use perennial::pg::{Change, Event, JoinError, NotJoined, Scope};
use perennial::prelude::*;
use perennial::process::{self, Kind, Recipient};
use perennial::{ExitReason, Pid};
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};

type Told = Event<&'static str, u32>;

/// A watcher that passes on what it is told.
struct Watcher(Sender<Told>);

impl GenServer for Watcher {
    type Args = Sender<Told>;
    type Msg = Told;

    fn init(to: Sender<Told>, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Watcher(to))
    }

    fn handle(&mut self, event: Told, _: &mut Cx<Self>) -> Next<Told> {
        // The test may have seen enough.
        let _ = self.0.send(event);
        Next::Loop
    }
}

fn watcher(kind: Kind) -> (Ref<Told>, Receiver<Told>) {
    let (send, receive) = mpsc::channel();
    let spec = gen_server::spec::<Watcher>(send);
    let spec = match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    };
    (spec.start().unwrap(), receive)
}

fn member(process: &Ref<u32>) -> Recipient<u32> {
    process.recipient(|n| n)
}

fn pids(members: &[Recipient<u32>]) -> Vec<Pid> {
    let mut pids: Vec<Pid> = members.iter().map(Recipient::pid).collect();
    pids.sort_unstable();
    pids
}

/// The pids of processes, as often as they are named, in order.
fn of(processes: &[&Ref<u32>]) -> Vec<Pid> {
    let mut pids: Vec<Pid> = processes.iter().map(|process| process.pid()).collect();
    pids.sort_unstable();
    pids
}

/// What the next event says.
fn next(told: &Receiver<Told>) -> (Change, &'static str, Vec<Pid>) {
    let event = told.recv_timeout(LONG).unwrap();
    assert!(event.is_active());
    (event.change, event.group, pids(&event.members))
}

/// Rows: pg.single, pg.double
#[test]
fn who_joins_twice_leaves_twice() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let (first, second) = (idle(kind), idle(kind));
        let members = || pids(&GROUPS.get_members("a"));
        assert_eq!((members(), GROUPS.which_groups().len()), (vec![], 0));
        assert_eq!(GROUPS.leave("a", &first), Err(NotJoined));
        GROUPS.join("a", member(&first)).unwrap();
        assert_eq!(GROUPS.join_all("a", [member(&first), member(&second)]), 2);
        assert_eq!(members(), of(&[&first, &first, &second]));
        assert_eq!(pids(&GROUPS.get_local_members("a")), members());
        assert_eq!(GROUPS.leave("a", &first), Ok(()));
        assert_eq!(members(), of(&[&first, &second]));
        // Whoever is not in it, or no more, is left out; one is enough.
        let both = [second.pid(), first.pid(), first.pid()];
        assert_eq!(GROUPS.leave_all("a", both), Ok(2));
        assert_eq!(
            (members(), GROUPS.leave_all("a", both)),
            (vec![], Err(NotJoined))
        );
        assert_eq!(GROUPS.leave_all("a", []), Err(NotJoined));
        assert_eq!(
            (GROUPS.join_all("a", []), GROUPS.which_groups().len()),
            (0, 0)
        );
        for group in ["a", "a", "b"] {
            GROUPS.join(group, member(&first)).unwrap();
            GROUPS.join(group, member(&second)).unwrap();
        }
        kill(&first);
        assert_eq!(members(), of(&[&second, &second]));
        assert_eq!((GROUPS.count(), GROUPS.which_groups().len()), (3, 2));
        kill(&second);
        assert_eq!((GROUPS.count(), GROUPS.which_local_groups().len()), (0, 0));
    });
}

#[test]
fn group_reaches_processes_that_take_other_messages() {
    static GROUPS: Scope<String, u32> = Scope::new("groups");
    in_runtime(|| {
        process::run::<String, _>(|cx| {
            GROUPS
                .join("all", cx.me().recipient(|n: u32| format!("number {n}")))
                .unwrap();
            let (send, receive) = mpsc::channel();
            let other = process::spawn::<Option<u32>>(move |cx| {
                send.send(cx.receive().message()).unwrap();
            });
            GROUPS.join("all", other.recipient(Some)).unwrap();
            for member in GROUPS.get_members("all") {
                member.cast(7);
            }
            assert_eq!(cx.receive().message(), Some("number 7".to_owned()));
            assert_eq!(receive.recv_timeout(LONG), Ok(Some(Some(7))));
        })
        .unwrap();
    });
}

/// Rows: pg.process_owner_check
#[test]
fn neither_the_dead_nor_the_processes_of_others_join() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let (dead, alive) = (idle(kind), idle(kind));
        kill(&dead);
        assert_eq!(GROUPS.join("a", member(&dead)), Err(JoinError::NoProc));
        let remote = member(&alive).owned_by(Pid::from_parts(1, 7, 1));
        assert_eq!(GROUPS.join("a", remote.clone()), Err(JoinError::NotLocal));
        assert!(GROUPS.which_groups().is_empty());
        assert_eq!(
            GROUPS.join_all("a", [member(&dead), member(&alive), remote]),
            1
        );
        assert_eq!(pids(&GROUPS.get_members("a")), of(&[&alive]));
        kill(&alive);
    });
}

/// Rows: pg.leave_exit_race
#[test]
fn leaves_that_race_with_deaths_leave_nothing() {
    static GROUPS: Scope<u32, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        for round in 0..200_u32 {
            let process = idle(kind);
            let line = Arc::new(Barrier::new(2));
            let (own, start) = (process.clone(), line.clone());
            GROUPS.join_all(round, [member(&process), member(&process)]);
            let other = process::spawn::<()>(move |_| {
                start.wait();
                let left = GROUPS.leave_all(&round, [own.pid(), own.pid()]);
                assert!(matches!(left, Ok(2) | Err(NotJoined)), "{left:?}");
                // Too late, or in time.
                let _ = GROUPS.join(round, member(&own));
            });
            let watch = process::watch(&other);
            line.wait();
            kill(&process);
            assert_eq!(reason(watch), ExitReason::Normal);
            assert!(GROUPS.get_members(&round).is_empty());
        }
        assert_eq!((GROUPS.count(), GROUPS.which_groups().len()), (0, 0));
    });
}

/// Rows: pg.monitor
#[test]
fn monitor_of_a_group_is_told_who_is_there_and_what_changes() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let (first, second) = (idle(kind), idle(kind));
        let (watcher, told) = watcher(kind);
        GROUPS.join("a", member(&first)).unwrap();
        GROUPS.join("a", member(&first)).unwrap();
        let (monitor, now) = GROUPS
            .monitor("a", watcher.recipient(|event| event))
            .unwrap();
        assert_eq!(pids(&now), of(&[&first, &first]));
        GROUPS.join("b", member(&first)).unwrap();
        GROUPS.join_all("a", [member(&second), member(&second), member(&first)]);
        let came = of(&[&first, &second, &second]);
        assert_eq!(next(&told), (Change::Join, "a", came));
        GROUPS.leave("b", &first).unwrap();
        GROUPS.leave_all("a", [first.pid(), second.pid()]).unwrap();
        assert_eq!(next(&told), (Change::Leave, "a", of(&[&first, &second])));
        GROUPS.leave("a", &watcher).unwrap_err();
        kill(&first);
        assert_eq!(next(&told), (Change::Leave, "a", of(&[&first, &first])));
        kill(&second);
        assert_eq!(next(&told), (Change::Leave, "a", of(&[&second])));
        assert!(GROUPS.demonitor(monitor));
        gen_server::stop(&watcher).unwrap();
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// Rows: pg.monitor_scope
#[test]
fn monitor_of_a_scope_is_told_of_every_group() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    static OTHERS: Scope<&str, u32> = Scope::new("others");
    on_both_kinds(|kind| {
        let process = idle(kind);
        let (watcher, told) = watcher(kind);
        GROUPS.join("a", member(&process)).unwrap();
        GROUPS.join_all("b", [member(&process), member(&process)]);
        let scope = GROUPS.monitor_scope(watcher.recipient(|event| event));
        let (monitor, now) = scope.unwrap();
        let now: HashMap<&str, Vec<Pid>> = now
            .iter()
            .map(|(group, members)| (*group, pids(members)))
            .collect();
        let expected = [("a", of(&[&process])), ("b", of(&[&process, &process]))];
        assert_eq!(now, expected.into());
        OTHERS.join("c", member(&process)).unwrap();
        GROUPS.join("c", member(&process)).unwrap();
        assert_eq!(next(&told), (Change::Join, "c", of(&[&process])));
        kill(&process);
        let gone: HashSet<_> = (0..3).map(|_| next(&told)).collect();
        let expected = [
            (Change::Leave, "a", of(&[&process])),
            (Change::Leave, "b", of(&[&process, &process])),
            (Change::Leave, "c", of(&[&process])),
        ];
        assert_eq!(gone, expected.into());
        assert!(GROUPS.demonitor(monitor));
        gen_server::stop(&watcher).unwrap();
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// Rows: pg.monitor, pg.monitor_scope
///
/// The monitors of a watcher end with it.
#[test]
fn monitors_end_with_their_watcher() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let process = idle(kind);
        let (watcher, told) = watcher(kind);
        for group in ["a", "a", "b"] {
            GROUPS
                .monitor(group, watcher.recipient(|event| event))
                .unwrap();
        }
        GROUPS
            .monitor_scope(watcher.recipient(|event| event))
            .unwrap();
        assert_eq!(GROUPS.monitors(), 4);
        process::exit(&watcher, ExitReason::Kill);
        ended(watcher.pid());
        assert_eq!(GROUPS.monitors(), 0);
        let late = GROUPS.monitor("a", watcher.recipient(|event| event));
        assert_eq!(late.unwrap_err(), JoinError::NoProc);
        let late = GROUPS.monitor_scope(watcher.recipient(|event| event));
        assert_eq!(late.unwrap_err(), JoinError::NoProc);
        GROUPS.join("a", member(&process)).unwrap();
        kill(&process);
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// Rows: pg.demonitor
#[test]
fn monitor_is_taken_back_once() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let process = idle(kind);
        let (watcher, told) = watcher(kind);
        let (first, _) = GROUPS
            .monitor("a", watcher.recipient(|event| event))
            .unwrap();
        let (second, _) = GROUPS
            .monitor_scope(watcher.recipient(|event| event))
            .unwrap();
        GROUPS.join("a", member(&process)).unwrap();
        let both = [
            told.recv_timeout(LONG).unwrap(),
            told.recv_timeout(LONG).unwrap(),
        ];
        let monitors: HashSet<_> = both.iter().map(|event| event.monitor).collect();
        assert_eq!(monitors, [first, second].into());
        assert_eq!(
            (GROUPS.demonitor(first), GROUPS.demonitor(first)),
            (true, false)
        );
        // What a flush would have found in the mailbox says so itself.
        for event in &both {
            assert_eq!(event.is_active(), event.monitor == second);
        }
        GROUPS.leave("a", &process).unwrap();
        let event = told.recv_timeout(LONG).unwrap();
        assert_eq!((event.monitor, event.change), (second, Change::Leave));
        assert_eq!((GROUPS.demonitor(second), GROUPS.monitors()), (true, 0));
        GROUPS.join("a", member(&process)).unwrap();
        kill(&process);
        gen_server::stop(&watcher).unwrap();
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// Rows: pg.scope_restart
#[test]
fn scope_that_is_stopped_begins_anew() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let process = idle(kind);
        let (watcher, told) = watcher(kind);
        GROUPS.join_all("a", [member(&process), member(&process)]);
        GROUPS
            .monitor("a", watcher.recipient(|event| event))
            .unwrap();
        GROUPS.stop();
        assert_eq!(next(&told), (Change::Leave, "a", of(&[&process, &process])));
        assert_eq!((GROUPS.count(), GROUPS.monitors()), (0, 0));
        assert_eq!(GROUPS.leave("a", &process), Err(NotJoined));
        // Its process lives, and joins again where it wants to.
        GROUPS.join("a", member(&process)).unwrap();
        assert_eq!(pids(&GROUPS.get_members("a")), of(&[&process]));
        kill(&process);
        gen_server::stop(&watcher).unwrap();
        assert!(told.recv_timeout(LONG).is_err());
    });
    // Another runtime has groups of its own.
    in_runtime(|| assert!(GROUPS.which_groups().is_empty()));
}

/// Rows: pg.group_leave
///
/// Each group is told in one go of all that a process had in it.
#[test]
fn all_memberships_of_a_process_end_in_one_event() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let process = idle(kind);
        let (watcher, told) = watcher(kind);
        for _ in 0..100 {
            GROUPS.join("a", member(&process)).unwrap();
        }
        GROUPS
            .monitor("a", watcher.recipient(|event| event))
            .unwrap();
        kill(&process);
        assert_eq!(next(&told), (Change::Leave, "a", vec![process.pid(); 100]));
        gen_server::stop(&watcher).unwrap();
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// Rows: pg.errors
///
/// A crash in what is made of an event is nobody's but its watcher's, and the others hear of all.
#[test]
fn bad_watcher_disturbs_neither_the_members_nor_the_others() {
    static GROUPS: Scope<&str, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let process = idle(kind);
        let ((bad, _), (good, told)) = (watcher(kind), watcher(kind));
        let panics = |_| -> Told { panic!("out of paper") };
        GROUPS.monitor("a", bad.recipient(panics)).unwrap();
        GROUPS.monitor("a", good.recipient(|event| event)).unwrap();
        GROUPS.join("a", member(&process)).unwrap();
        kill(&process);
        assert_eq!(next(&told), (Change::Join, "a", of(&[&process])));
        assert_eq!(next(&told), (Change::Leave, "a", of(&[&process])));
        gen_server::stop(&bad).unwrap();
        gen_server::stop(&good).unwrap();
    });
}

/// Rows: pg.thundering_herd
///
/// Two thousand come and look, some of them at all of ten thousand groups; meanwhile others join and leave.
#[test]
fn herd_of_monitors_lets_others_join() {
    static GROUPS: Scope<u32, u32> = Scope::new("groups");
    const MANY: u32 = 10_000;
    in_runtime(|| {
        let process = idle(Kind::Pooled);
        for group in 0..MANY {
            GROUPS.join(group, member(&process)).unwrap();
        }
        let herd = process::spawn::<Event<u32, u32>>(|cx| {
            for n in 0..2000_u32 {
                let to = cx.me().recipient(|event| event);
                let (monitor, now) = if n % 50 == 0 {
                    let (monitor, now) = GROUPS.monitor_scope(to).unwrap();
                    (monitor, now.len())
                } else {
                    let (monitor, now) = GROUPS.monitor(n, to).unwrap();
                    (monitor, now.len() * MANY as usize)
                };
                assert!(now >= MANY as usize);
                if n % 2 == 0 {
                    assert!(GROUPS.demonitor(monitor));
                }
            }
        });
        let mut watch = process::watch(&herd);
        for _ in 0..2000 {
            GROUPS.join(MANY, member(&process)).unwrap();
            GROUPS.leave(&MANY, &process).unwrap();
        }
        let down = watch.wait(LONG).expect("the herd is through");
        assert_eq!(down.reason, ExitReason::Normal);
        kill(&process);
        assert_eq!((GROUPS.count(), GROUPS.monitors()), (0, 0));
    });
}

/// Whoever starts from what is there and applies what it is told knows at each moment who is there, however many
/// change it at once, and from whichever moment it began.
#[test]
fn snapshot_and_events_fit_together() {
    static GROUPS: Scope<u32, u32> = Scope::new("groups");
    on_both_kinds(|kind| {
        let changers: Vec<_> = (0..4)
            .map(|n| {
                process::spawn::<()>(move |_| {
                    for round in 0..100_u32 {
                        let process = idle(Kind::Pooled);
                        GROUPS.join_all(round % 3, [member(&process), member(&process)]);
                        if round % 4 == n {
                            GROUPS.leave(&(round % 3), &process).unwrap();
                        }
                        kill(&process);
                    }
                })
            })
            .collect();
        let watches: Vec<_> = changers.iter().map(process::watch).collect();
        let followers: Vec<_> = (0..6)
            .map(|n| process::spawn::<Event<u32, u32>>(move |cx| follow(cx, n)))
            .collect();
        let follows: Vec<_> = followers.iter().map(process::watch).collect();
        for watch in watches {
            assert_eq!(reason(watch), ExitReason::Normal);
        }
        // The last change, for those who are there to hear of it.
        let last = idle(kind);
        eventually("all follow", || GROUPS.monitors() == 6);
        GROUPS.join(99_u32, member(&last)).unwrap();
        for watch in follows {
            assert_eq!(reason(watch), ExitReason::Normal);
        }
        kill(&last);
        assert_eq!((GROUPS.count(), GROUPS.monitors()), (0, 0));
    });

    fn follow(cx: &mut process::ThreadContext<Event<u32, u32>>, n: u32) {
        let to = cx.me().recipient(|event| event);
        let mut here: HashMap<(u32, Pid), i32> = HashMap::new();
        let one = n.is_multiple_of(2);
        if one {
            // Only the last group, of which nobody knows yet.
            let (_, now) = GROUPS.monitor(99_u32, to).unwrap();
            assert!(now.is_empty());
        } else {
            for (group, members) in GROUPS.monitor_scope(to).unwrap().1 {
                for member in members {
                    *here.entry((group, member.pid())).or_default() += 1;
                }
            }
        }
        loop {
            let event = cx.receive().message().unwrap();
            if event.group == 99 {
                break;
            }
            assert!(!one);
            for pid in event.pids() {
                let times = here.entry((event.group, pid)).or_default();
                *times += if event.change == Change::Join { 1 } else { -1 };
                assert!(*times >= 0, "{pid} left before it came");
            }
        }
        assert!(here.values().all(|times| *times == 0), "{here:?}");
    }
}

/// A process that ends joins nobody, whatever its destructors try.
#[test]
fn destructor_of_a_dying_process_may_use_groups() {
    static GROUPS: Scope<u32, u32> = Scope::new("groups");
    struct Last(Recipient<u32>, Sender<usize>);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = GROUPS.join(1_u32, self.0.clone());
            let _ = self.1.send(GROUPS.get_members(&1).len());
        }
    }
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let other = idle(kind);
        let recipient = member(&other);
        let panicked = play(kind, move || {
            let me = process::self_pid().unwrap();
            let _last = Last(recipient.owned_by(me), send);
            panic!("out of paper");
        });
        assert!(
            matches!(panicked, Err(ExitReason::Panic(_))),
            "{panicked:?}"
        );
        assert!(receive.recv_timeout(LONG).is_ok());
        assert_eq!(GROUPS.count(), 0);
        kill(&other);
    });
}
