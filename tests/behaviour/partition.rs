//! Supervisors of partitions, and how keys lead to them.

use crate::actor::{by_hand, crash, end, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, DeadLetter, StartError};
use perennial::supervisor::{
    self, ChildState, DynamicMsg, Key, LookupError, PartitionSupervisor, Partitions, ResizeError,
    SupervisorError, dynamic_supervisor,
};
use perennial::{ExitReason, Pid, Registry};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

enum Msg {
    Who(ReplyTo<(usize, Pid)>),
    Crash,
}

/// Says which partition it is.
struct Shard(usize);

impl GenServer for Shard {
    type Args = usize;
    type Msg = Msg;

    fn init(partition: usize, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Shard(partition))
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Who(reply) => reply.send((self.0, cx.pid())),
            Msg::Crash => return Next::Stop(crash()),
        }
        Next::Loop
    }
}

static SHARDS: Partitions<Msg> = Partitions::new("shards");

fn shards(partitions: usize) -> PartitionSupervisor<Msg> {
    PartitionSupervisor::new(|partition| Child::server::<Shard>("shard", partition))
        .partitions(partitions)
        .intensity(100, LONG)
        .name(&SHARDS)
}

fn who(key: impl Into<Key>) -> usize {
    SHARDS.key(key).call(Msg::Who).unwrap().0
}

/// Rows: part.start
#[test]
fn there_are_as_many_as_cores_and_every_key_leads_to_one() {
    on_both_kinds(|| {
        let sup = PartitionSupervisor::new(|at| Child::server::<Shard>("shard", at));
        let sup = sup.name(&SHARDS).start().unwrap();
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(SHARDS.partitions(), Ok(cores));
        assert_eq!(SHARDS.count_children().unwrap().active, cores);
        let reached: HashSet<usize> = (0..100).map(who).collect();
        assert_eq!(reached, (0..cores).collect());
        let hashed: HashSet<usize> = (0..100).map(|n| who(&format!("user {n}"))).collect();
        assert_eq!(hashed, (0..cores).collect());
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: part.with_arguments
#[test]
fn each_partition_is_told_which_it_is() {
    on_both_kinds(|| {
        let sup = shards(3).start().unwrap();
        let keys = [0, 1, 2, 3, -1, -3, i64::MIN];
        let expected = [0, 1, 2, 0, 1, 0, (i64::MIN.unsigned_abs() % 3) as usize];
        assert_eq!(keys.map(who), expected);
        assert_eq!(
            (who(7_u8), who(7_usize), who(u128::MAX)),
            (1, 1, (u128::MAX % 3) as usize)
        );
        for _ in 0..3 {
            let first = who("a key");
            SHARDS.key("a key").cast(Msg::Crash);
            eventually(
                "it is back",
                || matches!(SHARDS.key("a key").call(Msg::Who), Ok((at, _)) if at == first),
            );
        }
        assert_eq!(who("a key"), Key::hash("a key").of(3).unwrap());
        supervisor::stop(&sup).unwrap();
    });
}

#[test]
fn others_go_on_while_a_partition_is_down_and_a_key_leads_to_its_successor() {
    on_both_kinds(|| {
        let sup = shards(2).start().unwrap();
        let kept = SHARDS.to_key(1);
        let (_, other) = SHARDS.key(0).call(Msg::Who).unwrap();
        let (_, first) = kept.call(Msg::Who).unwrap();
        end(first, crash());
        eventually(
            "it is back",
            || matches!(kept.call(Msg::Who), Ok((1, pid)) if pid != first),
        );
        assert_eq!(SHARDS.key(0).call(Msg::Who).unwrap(), (0, other));
        supervisor::stop(&sup).unwrap();
    });
}

#[test]
fn keys_are_looked_up_without_the_supervisor() {
    on_both_kinds(|| {
        let sup = shards(2).start().unwrap();
        let (begins, begun) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let slow = Child::with::<Shard>("slow", move || {
            begins.send(()).unwrap();
            let _ = gate.recv_timeout(LONG);
            7
        });
        let asked = sup.clone();
        let asker = process::spawn::<()>(move |_| {
            supervisor::start_child(&asked, slow.temporary()).unwrap();
        });
        begun.recv_timeout(LONG).unwrap();
        // It is in the middle of something, and answers nobody.
        assert_eq!((who(0), who(1)), (0, 1));
        assert_eq!(SHARDS.partitions(), Ok(2));
        drop(go);
        process::watch(&asker).wait(LONG).expect("it has started");
        supervisor::stop(&sup).unwrap();
    });
}

/// While a partition is down for longer, whoever sends to it hears that there is nobody.
#[test]
fn key_of_a_partition_that_is_down_leads_to_nobody() {
    by_hand(|hand| {
        let wait = std::time::Duration::from_secs(10);
        let sup = PartitionSupervisor::new(move |at| {
            Child::server::<Shard>("shard", at).backoff(wait, wait)
        });
        let sup = sup.partitions(2).name(&SHARDS).start().unwrap();
        let lost = Arc::new(AtomicUsize::new(0));
        let count = lost.clone();
        process::attach(move |_: &DeadLetter| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        end(SHARDS.lookup(1).unwrap().pid(), crash());
        assert_eq!(SHARDS.key(1).call(Msg::Who), Err(CallError::NoProc));
        SHARDS.key(1).cast(Msg::Crash);
        assert_eq!(lost.load(Ordering::Relaxed), 1);
        assert_eq!(who(0), 0);
        let states = SHARDS.which_children().unwrap();
        assert_eq!(states[0].state, ChildState::Restarting);
        hand.advance(wait);
        eventually("it is back", || SHARDS.key(1).call(Msg::Who).is_ok());
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: part.via_name
#[test]
fn supervisor_may_be_found_by_any_destination() {
    static TREES: Registry<&'static str, supervisor::Msg> = Registry::new("trees");
    on_both_kinds(|| {
        let unnamed =
            || PartitionSupervisor::new(|at| Child::server::<Shard>("s", at)).partitions(3);
        let sup = unnamed().via(TREES.via("shards")).start().unwrap();
        let found = Partitions::<Msg, _>::at(TREES.via("shards"));
        assert_eq!(found.key(4).call(Msg::Who).unwrap().0, 1);
        let taken = unnamed().via(TREES.via("shards")).start().unwrap_err();
        assert_eq!(taken, StartError::AlreadyStarted(sup.pid()));
        let known = Partitions::<Msg, _>::at(sup.clone());
        assert_eq!(known.key(5).call(Msg::Who).unwrap().0, 2);
        assert_eq!(known.resize(1), Ok(3));
        assert_eq!(found.partitions(), Ok(1));
        supervisor::stop(&sup).unwrap();
        assert_eq!(found.lookup(4), Err(LookupError::NoSupervisor));
    });
}

/// Rows: part.resize
#[test]
fn partitions_come_and_go_and_every_key_leads_to_one_that_is_there() {
    on_both_kinds(|| {
        let sup = shards(8).start().unwrap();
        let mut before = 8;
        for to in [3, 8, 1, 0, 5, 5, 2, 7, 4, 6, 8] {
            assert_eq!(SHARDS.resize(to), Ok(before), "to {to}");
            before = to;
            assert_eq!(SHARDS.partitions(), Ok(to));
            let counts = SHARDS.count_children().unwrap();
            assert_eq!((counts.specs, counts.active), (8, to));
            if to > 0 {
                let reached: HashSet<usize> = (0..100).map(who).collect();
                assert_eq!(reached, (0..to).collect());
                (0..100).for_each(|n| assert!(who(&format!("user {n}")) < to));
            }
        }
        supervisor::stop(&sup).unwrap();
    });
}

/// While a partition takes its time to end, keys lead elsewhere already.
#[test]
fn nobody_is_sent_to_a_partition_that_is_being_stopped() {
    type Held = Arc<Mutex<mpsc::Receiver<()>>>;
    struct Slow(usize, Held);
    impl GenServer for Slow {
        type Args = (usize, Held);
        type Msg = Msg;
        const TRAP_EXIT: bool = true;
        fn init((at, held): Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Slow(at, held))
        }
        fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
            if let Msg::Who(reply) = msg {
                reply.send((self.0, cx.pid()));
            }
            Next::Loop
        }
        fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
            let _ = self.1.lock().unwrap().recv_timeout(LONG);
        }
    }
    on_both_kinds(|| {
        let (hold, held) = mpsc::channel();
        let held = Arc::new(Mutex::new(held));
        let sup =
            PartitionSupervisor::new(move |at| Child::server::<Slow>("slow", (at, held.clone())));
        let sup = sup.partitions(3).name(&SHARDS).start().unwrap();
        let resizer = process::spawn::<()>(|_| assert_eq!(SHARDS.resize(1), Ok(3)));
        let mut resized = process::watch(&resizer);
        eventually("keys lead elsewhere", || SHARDS.partitions() == Ok(1));
        assert_eq!((who(1), who(2)), (0, 0));
        assert!(resized.wait(std::time::Duration::ZERO).is_none());
        drop(hold);
        assert_eq!(resized.wait(LONG).unwrap().reason, ExitReason::Normal);
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: part.resize_zero
#[test]
fn there_may_be_none() {
    on_both_kinds(|| {
        let sup = shards(8).start().unwrap();
        assert_eq!(SHARDS.resize(0), Ok(8));
        assert_eq!(SHARDS.lookup(1), Err(LookupError::NoPartitions));
        assert_eq!(SHARDS.key(1).call(Msg::Who), Err(CallError::NoProc));
        assert_eq!(SHARDS.partitions(), Ok(0));
        assert_eq!(SHARDS.resize(8), Ok(0));
        assert_eq!(who(9), 1);
        supervisor::stop(&sup).unwrap();
    });
}

/// Rows: part.resize_over
#[test]
fn there_are_never_more_than_at_the_start() {
    on_both_kinds(|| {
        let sup = shards(2).start().unwrap();
        assert_eq!(SHARDS.resize(3), Err(ResizeError::TooMany(2)));
        assert_eq!(SHARDS.resize(1), Ok(2));
        assert_eq!(SHARDS.resize(usize::MAX), Err(ResizeError::TooMany(2)));
        assert_eq!(SHARDS.partitions(), Ok(1));
        supervisor::stop(&sup).unwrap();
        let plain = Supervisor::new(Strategy::OneForOne).start().unwrap();
        let none = Partitions::<Msg, _>::at(plain.clone());
        assert_eq!(none.resize(1), Err(ResizeError::NotPartitioned));
        assert_eq!(none.lookup(1), Err(LookupError::NoSupervisor));
        supervisor::stop(&plain).unwrap();
    });
}

/// A name is not asked for, and a child and its arguments are held by types; what is left is how many.
///
/// Rows: part.bad_options
#[test]
fn there_is_at_least_one_at_the_start() {
    on_both_kinds(|| {
        let none = || SupervisorError::NoPartitions;
        let refused = StartError::Exit(ExitReason::shutdown_with(none()));
        assert_eq!(shards(0).start().unwrap_err(), refused);
        assert_eq!(SHARDS.partitions(), Err(LookupError::NoSupervisor));
        let tree = Supervisor::new(Strategy::OneForOne).child(shards(0).child("shards"));
        match tree.start().unwrap_err() {
            StartError::Exit(reason) => {
                let failed = SupervisorError::FailedToStartChild("shards".into(), refused);
                assert_eq!(reason, ExitReason::shutdown_with(failed));
            }
            other => panic!("{other:?}"),
        }
        // Its partitions may be significant nowhere: it has no say in when it ends.
        let significant = PartitionSupervisor::new(|at| {
            Child::server::<Shard>("shard", at)
                .transient()
                .significant()
        });
        match significant.partitions(1).start().unwrap_err() {
            StartError::Exit(reason) => assert!(
                matches!(reason.downcast_ref(), Some(SupervisorError::BadCombination(id)) if &**id == "0"),
                "{reason}"
            ),
            other => panic!("{other:?}"),
        }
    });
}

/// Rows: part.unknown
#[test]
fn of_an_unknown_supervisor_nothing_is_known() {
    static UNKNOWN: Partitions<Msg> = Partitions::new("unknown");
    on_both_kinds(|| {
        assert_eq!(UNKNOWN.partitions(), Err(LookupError::NoSupervisor));
        assert_eq!(UNKNOWN.lookup(1), Err(LookupError::NoSupervisor));
        assert_eq!(UNKNOWN.count_children(), Err(CallError::NoProc));
        assert_eq!(UNKNOWN.which_children(), Err(CallError::NoProc));
        assert_eq!(UNKNOWN.resize(1), Err(ResizeError::Call(CallError::NoProc)));
        assert_eq!(UNKNOWN.key(1).call(Msg::Who), Err(CallError::NoProc));
    });
}

/// Rows: part.which_children
#[test]
fn id_of_a_partition_is_its_number() {
    on_both_kinds(|| {
        let sup = shards(3).start().unwrap();
        SHARDS.resize(2).unwrap();
        let all = SHARDS.which_children().unwrap();
        let ids: Vec<_> = all
            .iter()
            .map(|child| child.id.as_deref().unwrap())
            .collect();
        assert_eq!(ids, ["2", "1", "0"]);
        assert_eq!(all[0].state, ChildState::Undefined);
        let running: HashMap<&str, Pid> = all
            .iter()
            .filter_map(|child| match child.state {
                ChildState::Running(pid) => Some((child.id.as_deref()?, pid)),
                _ => None,
            })
            .collect();
        assert_eq!(running["1"], SHARDS.lookup(1).unwrap().pid());
        supervisor::stop(&sup).unwrap();
    });
}

#[test]
fn partitions_of_another_message_type_are_not_reached() {
    static WRONG: Partitions<u32> = Partitions::new("shards");
    on_both_kinds(|| {
        let sup = shards(2).start().unwrap();
        assert_eq!(WRONG.lookup(0).unwrap_err(), LookupError::WrongMessageType);
        let refused = WRONG.key(0).try_cast(7).unwrap_err();
        assert_eq!(refused, process::TryCastError::WrongMessageType(7));
        supervisor::stop(&sup).unwrap();
    });
}

#[test]
fn group_restart_leaves_stopped_partitions_down() {
    on_both_kinds(|| {
        let sup = shards(4).strategy(Strategy::OneForAll).start().unwrap();
        SHARDS.resize(2).unwrap();
        let before = [0, 1].map(|key| SHARDS.lookup(key).unwrap());
        end(before[0].pid(), crash());
        let counts = SHARDS.count_children().unwrap();
        assert_eq!((counts.specs, counts.active), (4, 2));
        let after = [0, 1].map(|key| SHARDS.lookup(key).unwrap());
        assert!(before[0] != after[0] && before[1] != after[1]);
        assert_eq!(SHARDS.resize(4), Ok(2));
        assert_eq!(SHARDS.count_children().unwrap().active, 4);
        supervisor::stop(&sup).unwrap();
    });
}

/// A partition that does not come up takes back the whole resize.
#[test]
fn resize_that_fails_changes_nothing() {
    struct Moody(usize);
    type Mood = (usize, Arc<Mutex<Option<usize>>>);
    impl GenServer for Moody {
        type Args = Mood;
        type Msg = Msg;
        fn init((at, mood): Mood, _: &mut Cx<Self>) -> Init<Self> {
            if *mood.lock().unwrap() == Some(at) {
                return Init::Stop(ExitReason::other("not today"));
            }
            Init::Ok(Moody(at))
        }
        fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
            if let Msg::Who(reply) = msg {
                reply.send((self.0, cx.pid()));
            }
            Next::Loop
        }
    }
    on_both_kinds(|| {
        let mood = Arc::new(Mutex::new(None));
        let given = mood.clone();
        let sup = PartitionSupervisor::new(move |at| {
            Child::server::<Moody>("moody", (at, given.clone()))
        });
        let sup = sup.partitions(6).name(&SHARDS).start().unwrap();
        SHARDS.resize(1).unwrap();
        *mood.lock().unwrap() = Some(3);
        let error = StartError::Exit(ExitReason::other("not today"));
        assert_eq!(SHARDS.resize(6), Err(ResizeError::Failed(3, error)));
        assert_eq!(SHARDS.partitions(), Ok(1));
        assert_eq!(SHARDS.count_children().unwrap().active, 1);
        *mood.lock().unwrap() = None;
        assert_eq!(SHARDS.resize(6), Ok(1));
        assert_eq!(who(5), 5);
        supervisor::stop(&sup).unwrap();
    });
}

/// The use that is made of it most: many processes under several dynamic supervisors.
#[test]
fn dynamic_supervisors_make_good_partitions() {
    static ROOMS: Partitions<DynamicMsg> = Partitions::new("rooms");
    on_both_kinds(|| {
        let sup = PartitionSupervisor::new(|_| DynamicSupervisor::new()).partitions(3);
        let tree = Supervisor::new(Strategy::OneForOne);
        let tree = tree.child(sup.name(&ROOMS).child("rooms")).start().unwrap();
        for n in 0..30 {
            let child = Child::server::<Shard>("room", n);
            dynamic_supervisor::start_child(&ROOMS.key(n), child).unwrap();
        }
        for partition in 0..3 {
            let counts = dynamic_supervisor::count_children(&ROOMS.key(partition)).unwrap();
            assert_eq!(counts.active, 10);
        }
        // The table goes with its supervisor, and comes with the next.
        end(
            ROOMS.supervisor().whereis().unwrap().pid(),
            ExitReason::Kill,
        );
        supervisor::which_children(&tree).unwrap();
        let counts = dynamic_supervisor::count_children(&ROOMS.key(1)).unwrap();
        assert_eq!(counts.active, 0);
        supervisor::stop(&tree).unwrap();
    });
}

/// Keys are looked up while partitions come and go: whoever is found is one of those that were there.
#[test]
fn keys_lead_somewhere_through_every_resize() {
    on_both_kinds(|| {
        let sup = shards(4).start().unwrap();
        let (stop, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut watches = Vec::new();
        for _ in 0..2 {
            let (stop, stopped) = (stop.clone(), stopped.clone());
            let asker = process::spawn::<()>(move |_| {
                let mut key = 0_usize;
                while stop.load(Ordering::Relaxed) == 0 {
                    key += 1;
                    match SHARDS.key(key).call(Msg::Who) {
                        Ok((at, _)) => assert!(at < 4),
                        // It was found, and told to end before it could answer.
                        Err(CallError::Exited(reason)) => assert_eq!(reason, ExitReason::Shutdown),
                        Err(CallError::NoProc) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                stopped.fetch_add(1, Ordering::Relaxed);
            });
            watches.push(process::watch(&asker));
        }
        for round in 0..100 {
            SHARDS.resize(1 + round % 4).unwrap();
        }
        stop.store(1, Ordering::Relaxed);
        for watch in &mut watches {
            assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Normal);
        }
        assert_eq!(stopped.load(Ordering::Relaxed), 2);
        supervisor::stop(&sup).unwrap();
    });
}
