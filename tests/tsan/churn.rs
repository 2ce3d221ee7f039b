//! What is watched, listened to, locked, suspended and resized while it changes: services and supervisors under load.

use crate::processes::{LONG, Shelf, ShelfMsg, crowd, end, runtime, with_crowd};
use perennial::gen_statem;
use perennial::logger::{self, Handler};
use perennial::prelude::*;
use perennial::process::{self, ReqIdCollection};
use perennial::supervisor::{PartitionSupervisor, Partitions, Scope, events, tree};
use perennial::sync::atomic::{AtomicUsize, Ordering};
use perennial::sync::{Arc, Mutex};
use perennial::{DuplicateRegistry, Registry, Runtime, pg, sys, task};
use std::time::Duration;

pub(crate) const ALL: [(&str, fn()); 8] = [
    ("registries_and_groups", registries_and_groups),
    ("locks_of_registries", locks_of_registries),
    ("streams_and_collections", streams_and_collections),
    ("suspended_under_load", suspended_under_load),
    ("watched_tree_restarts", watched_tree_restarts),
    ("partitions_are_resized", partitions_are_resized),
    ("handlers_and_crashes", handlers_and_crashes),
    ("deterministic_runs", deterministic_runs),
];

const ROUNDS: usize = 150;

fn shelf() -> Ref<ShelfMsg> {
    gen_server::start::<Shelf>(()).expect("a shelf")
}

/// Members and keys come and go in several partitions, with listeners and monitors that do so too.
fn registries_and_groups() {
    static KEYS: Registry<usize, ShelfMsg> = Registry::new("keys").partitions(3);
    static CROWDS: DuplicateRegistry<usize, ShelfMsg> = DuplicateRegistry::new("crowds");
    static GROUPS: pg::Scope<usize, String> = pg::Scope::new("groups");
    with_crowd(|me| {
        for round in 0..ROUNDS {
            let (room, key) = (shelf(), (me + round) % 5);
            let heard = room.recipient(|event| ShelfMsg::Put(format!("{event:?}")));
            KEYS.add_listener(heard).expect("it lives");
            let heard = room.recipient(|event: pg::Event<usize, String>| {
                ShelfMsg::Put(format!("{}", event.is_active()))
            });
            let (monitor, _now) = GROUPS.monitor(key, heard.clone()).expect("it lives");
            GROUPS.monitor_scope(heard).expect("it lives");
            // Another one may have the key.
            let _ = KEYS.register(key, &room);
            CROWDS.register(key, &room).expect("it lives");
            let member = room.recipient(ShelfMsg::Put);
            GROUPS.join(key, member.clone()).expect("it lives");
            GROUPS.join(key + 1, member).expect("it lives");
            for member in GROUPS.get_members(&key) {
                member.cast(format!("{me} {round}"));
            }
            let reached = CROWDS.dispatch_parallel(&key, |members| {
                for (member, ()) in members {
                    member.cast(ShelfMsg::Put("all".to_owned()));
                }
            });
            reached.expect("no panic");
            GROUPS.leave(&key, &room).expect("it has joined");
            KEYS.select(|key, room, ()| Some((*key, room.clone())));
            if round % 2 == 0 {
                GROUPS.demonitor(monitor);
                KEYS.remove_listener(&room);
                CROWDS.unregister(&key, &room);
            }
            match round % 3 {
                0 => process::exit(&room, perennial::ExitReason::Kill),
                1 => room.cast(ShelfMsg::Crash),
                _ => drop(gen_server::stop(&room)),
            }
        }
    });
}

/// One at a time has a lock, however the others end.
fn locks_of_registries() {
    static LOCKS: Registry<u8, ()> = Registry::new("locks");
    let inside = Arc::new(AtomicUsize::new(0));
    let list = Arc::new(Mutex::new(Vec::new()));
    with_crowd(move |me| {
        for round in 0..ROUNDS {
            let (inside, list) = (inside.clone(), list.clone());
            let held = process::spawn::<()>(move |_| {
                let locked = LOCKS.lock(7, || {
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    list.lock().push(format!("{me} {round}"));
                    inside.fetch_sub(1, Ordering::Relaxed);
                });
                assert_eq!(locked, Ok(()));
            });
            let mut watch = process::watch(&held);
            LOCKS.lock(7, || ()).expect("it comes free");
            watch.wait(LONG).expect("it ends");
        }
    });
}

/// Requests to servers that end, and tasks beside them.
fn streams_and_collections() {
    with_crowd(|me| {
        let played = process::run::<(), _>(move |cx| {
            cx.trap_exit(true);
            for round in 0..ROUNDS / 10 {
                let shelves = [shelf(), shelf(), shelf()];
                let mut requests = ReqIdCollection::new();
                for n in 0..30 {
                    let shelf = &shelves[n % 3];
                    requests.add(n, shelf.send_request(ShelfMsg::Count));
                    if n == 20 + me {
                        process::exit(shelf, perennial::ExitReason::Kill);
                    }
                }
                while !requests.is_empty() {
                    // Whoever has ended answers so.
                    drop(requests.receive(LONG).expect("in time"));
                }
                let words = task::stream(0..20, move |n: usize| format!("{round} {n}"));
                let words = words.max_concurrency(4).unordered().build().expect("good");
                assert_eq!(words.filter(Result::is_ok).count(), 20);
            }
        });
        assert_eq!(played, Ok(()));
    });
}

/// A server that is suspended, resumed and looked at while it is called.
fn suspended_under_load() {
    let runtime = Arc::new(runtime());
    let entered = runtime.enter();
    let shelves = Arc::new([
        gen_server::spec::<Shelf>(())
            .pooled()
            .start()
            .expect("a shelf"),
        gen_server::spec::<Shelf>(())
            .thread()
            .start()
            .expect("a shelf"),
    ]);
    drop(entered);
    let shared = shelves.clone();
    crowd(&runtime, move |me| {
        for round in 0..ROUNDS {
            for shelf in shared.iter() {
                shelf.cast(ShelfMsg::Put(format!("{me} {round}")));
                if me == 0 {
                    sys::suspend(shelf).expect("it lives");
                    sys::get_status(shelf).expect("it lives");
                    sys::statistics(shelf, sys::Switch::On).expect("it lives");
                    sys::log(shelf, sys::Switch::On).expect("it lives");
                    sys::resume(shelf).expect("it lives");
                    sys::get_log(shelf).expect("it lives");
                } else {
                    shelf.call_for(LONG, ShelfMsg::Count).expect("it lives");
                }
            }
        }
    });
    drop(shelves);
    end(Arc::into_inner(runtime).expect("the crowd is gone"));
}

/// Children that were started side by side crash, and others look at the tree and read its events.
fn watched_tree_restarts() {
    let runtime = Arc::new(runtime());
    let entered = runtime.enter();
    let top = Supervisor::new(Strategy::RestForOne)
        .intensity(1_000_000, Duration::from_secs(1))
        .parallel((0..4).map(|n| Child::server::<Shelf>(format!("shelf {n}"), ())))
        .child(Child::server::<Shelf>("last", ()).thread())
        .start()
        .expect("a tree");
    let seen = Arc::new(top.clone());
    crowd(&runtime, move |me| {
        let mut heard = events(Scope::tree(&*seen));
        for round in 0..ROUNDS / 3 {
            let children = supervisor::which_children(&*seen).expect("it lives");
            if me == 0 {
                let pids: Vec<_> = children
                    .iter()
                    .filter_map(|child| match child.state {
                        supervisor::ChildState::Running(pid) => Some(pid),
                        _ => None,
                    })
                    .collect();
                if let Some(pid) = pids.get(round % 5) {
                    process::exit(*pid, perennial::ExitReason::Kill);
                }
                heard.next(LONG).expect("it is restarted");
            } else {
                let snapshot = tree(&*seen).expect("it lives");
                drop(format!("{:?}", snapshot.nodes()));
                heard.next(Duration::ZERO);
            }
        }
    });
    supervisor::stop(&top).expect("it lives");
    drop(top);
    drop(entered);
    end(Arc::into_inner(runtime).expect("the crowd is gone"));
}

/// Keys are looked up while there are more or fewer partitions, which crash.
fn partitions_are_resized() {
    static SHELVES: Partitions<ShelfMsg> = Partitions::new("shelves");
    let runtime = Arc::new(runtime());
    let entered = runtime.enter();
    let top = PartitionSupervisor::new(|_| Child::server::<Shelf>("shelf", ()))
        .partitions(4)
        .intensity(1_000_000, Duration::from_secs(1))
        .name(&SHELVES)
        .start()
        .expect("a tree");
    crowd(&runtime, |me| {
        for round in 0..ROUNDS {
            if me == 0 {
                SHELVES.resize(1 + round % 4).expect("it lives");
            }
            let shelf = SHELVES.key(round);
            shelf.cast(ShelfMsg::Put(format!("{me} {round}")));
            // It may be on its way back.
            let _ = shelf.call_for(LONG, ShelfMsg::Count);
            if round % 7 == me {
                shelf.cast(ShelfMsg::Crash);
            }
        }
    });
    supervisor::stop(&top).expect("it lives");
    drop(top);
    drop(entered);
    end(Arc::into_inner(runtime).expect("the crowd is gone"));
}

/// Crashes are reported to handlers that come, go and fail.
fn handlers_and_crashes() {
    let texts = Arc::new(Mutex::new(Vec::new()));
    let all = texts.clone();
    with_crowd(move |me| {
        for round in 0..ROUNDS / 3 {
            let id = format!("handler {me}");
            let texts = all.clone();
            let handler = Handler::new(move |event| {
                texts.lock().push(event.to_string());
                assert!(round % 10 < 9, "on purpose");
            });
            logger::add_handler(id.clone(), handler.concurrent(2)).expect("nobody has it");
            let shelf = shelf();
            let mut watch = process::watch(&shelf);
            shelf.cast(ShelfMsg::Crash);
            watch.wait(LONG).expect("it ends");
            logger::handlers();
            // One that panicked is gone.
            logger::remove_handler(&id);
        }
    });
    assert!(!texts.lock().is_empty());
}

/// A door that closes by itself.
struct Door;

impl GenStatem for Door {
    type Args = ();
    type Msg = ReplyTo<usize>;
    type State = bool;
    type Timer = ();

    fn init((): (), _: &mut gen_statem::Cx<Self>) -> gen_statem::Init<Self> {
        gen_statem::Init::ok(false, Door)
    }

    fn handle(
        &mut self,
        event: gen_statem::Event<Self>,
        is_open: &bool,
        _: &mut gen_statem::Cx<Self>,
    ) -> gen_statem::Next<Self> {
        match event {
            gen_statem::Event::Message(reply) => {
                gen_statem::Next::next_state(!is_open).reply(reply, usize::from(*is_open))
            }
            _ => gen_statem::Next::keep_state(),
        }
    }
}

/// Processes of both kinds that pass one baton on.
fn deterministic_runs() {
    for seed in 0..40 {
        let runtime = Runtime::builder().deterministic(seed).build();
        let runtime = runtime.expect("threads");
        let hand = runtime.deterministic().expect("it is");
        let entered = runtime.enter();
        let shelves = [
            gen_server::spec::<Shelf>(())
                .pooled()
                .start()
                .expect("a shelf"),
            gen_server::spec::<Shelf>(())
                .thread()
                .start()
                .expect("a shelf"),
        ];
        let door = gen_statem::start::<Door>(()).expect("a door");
        for (at, shelf) in shelves.iter().enumerate() {
            shelf.cast(ShelfMsg::Next(shelves[1 - at].clone()));
            shelf.cast(ShelfMsg::Put("a word".to_owned()));
            let late = Duration::from_millis(seed % 5);
            process::send_after(late, shelf.clone(), ShelfMsg::Put("late".to_owned()));
            assert!(shelf.call_for(LONG, ShelfMsg::Forward).is_ok());
            assert!(door.call_for(LONG, |reply| reply).is_ok());
        }
        process::exit(&shelves[0], perennial::ExitReason::Kill);
        hand.run_until_idle();
        drop(entered);
        end(runtime);
    }
}
