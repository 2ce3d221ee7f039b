//! Listeners of registries: who is told of what, and in which order. Ids as in the table of conformance cases.

use crate::registry_partitions::{idle, kill};
use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds, play, reason};
use perennial::prelude::*;
use perennial::process::{self, Kind, RegisterError};
use perennial::registry::Event;
use perennial::{DuplicateRegistry, ExitReason, Registry};
use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender};

type Told = Event<&'static str, u32, u32>;

/// A listener that passes on what it is told.
struct Ear(Sender<Told>);

impl GenServer for Ear {
    type Args = Sender<Told>;
    type Msg = Told;

    fn init(to: Sender<Told>, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Ear(to))
    }

    fn handle(&mut self, event: Told, _: &mut Cx<Self>) -> Next<Told> {
        // The test may have seen enough.
        let _ = self.0.send(event);
        Next::Loop
    }
}

fn ear(kind: Kind) -> (Ref<Told>, Receiver<Told>) {
    let (send, receive) = mpsc::channel();
    let spec = gen_server::spec::<Ear>(send);
    let spec = match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    };
    (spec.start().unwrap(), receive)
}

fn registered(key: &'static str, process: &Ref<u32>, value: u32) -> Told {
    Event::Register {
        key,
        process: process.clone(),
        value,
    }
}

fn unregistered(key: &'static str, process: &Ref<u32>) -> Told {
    Event::Unregister {
        key,
        process: process.clone(),
    }
}

/// Rows: reg.listeners
#[test]
fn listener_is_told_who_comes_and_who_goes() {
    static KEYS: Registry<&str, u32, u32> = Registry::new("keys");
    on_both_kinds(|kind| {
        let (first, second) = (idle(kind), idle(kind));
        let (ear, told) = ear(kind);
        let next = || told.recv_timeout(LONG).unwrap();
        KEYS.register_with("before", &first, 0).unwrap();
        KEYS.add_listener(ear.recipient(|event| event)).unwrap();
        KEYS.register_with("a", &first, 1).unwrap();
        assert_eq!(next(), registered("a", &first, 1));
        // Neither a failure nor a change of a value is a change of who is there.
        KEYS.register_with("a", &second, 2).unwrap_err();
        KEYS.unregister("a", &second);
        KEYS.update_value("a", &first, |value| value + 1);
        KEYS.unregister("missing", &first);
        assert!(KEYS.unregister("a", &first));
        assert_eq!(next(), unregistered("a", &first));
        KEYS.register_with("b", &second, 3).unwrap();
        assert_eq!(next(), registered("b", &second, 3));
        assert!(KEYS.unregister_match("b", &second, |_| true));
        assert_eq!(next(), unregistered("b", &second));
        KEYS.register_with("c", &second, 4).unwrap();
        kill(&second);
        assert_eq!(
            [next(), next()],
            [registered("c", &second, 4), unregistered("c", &second)]
        );
        assert_eq!(KEYS.remove_listener(&ear), 1);
        assert_eq!(KEYS.remove_listener(&ear), 0);
        kill(&first);
        gen_server::stop(&ear).unwrap();
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// Rows: reg.listeners
#[test]
fn listener_of_duplicate_keys_is_told_of_every_entry() {
    let groups: DuplicateRegistry<&str, u32, u32> =
        DuplicateRegistry::owned("groups").partitions(4);
    on_both_kinds(|kind| {
        let process = idle(kind);
        let (ear, told) = ear(kind);
        let next = || told.recv_timeout(LONG).unwrap();
        groups.add_listener(ear.recipient(|event| event)).unwrap();
        for value in 0..3 {
            groups.register_with("a", &process, value).unwrap();
            assert_eq!(next(), registered("a", &process, value));
        }
        assert_eq!(
            groups.unregister_match("a", &process, |value| *value == 1),
            1
        );
        assert_eq!(next(), unregistered("a", &process));
        groups.register_with("b", &process, 7).unwrap();
        assert_eq!(next(), registered("b", &process, 7));
        kill(&process);
        let gone = unregistered("a", &process);
        let mut last = [next(), next(), next()];
        last.sort_by_key(|event| *event != gone);
        assert_eq!(last, [gone.clone(), gone, unregistered("b", &process)]);
        gen_server::stop(&ear).unwrap();
    });
}

#[test]
fn listener_that_has_ended_is_none() {
    static KEYS: Registry<&str, u32, u32> = Registry::new("keys");
    on_both_kinds(|kind| {
        let (ear, told) = ear(kind);
        KEYS.add_listener(ear.recipient(|event| event)).unwrap();
        KEYS.add_listener(ear.recipient(|event| event)).unwrap();
        gen_server::stop(&ear).unwrap();
        assert_eq!(KEYS.remove_listener(&ear), 0);
        let refused = KEYS.add_listener(ear.recipient(|event| event));
        assert_eq!(refused, Err(RegisterError::NoProc));
        let process = idle(kind);
        KEYS.register_with("a", &process, 1).unwrap();
        kill(&process);
        assert!(told.recv_timeout(LONG).is_err());
    });
}

/// What a listener does with an event runs outside every lock, and what it changes is told after it.
#[test]
fn listener_may_use_the_registry() {
    static KEYS: Registry<u32, u32, u32> = Registry::new("keys");
    in_runtime(|| {
        process::run::<Event<u32, u32, u32>, _>(|cx| {
            let process = idle(Kind::Pooled);
            let own = process.clone();
            let again = move |event| {
                if let Event::Register { key, .. } = &event
                    && *key < 3
                {
                    KEYS.register_with(key + 1, &own, 0).unwrap();
                }
                event
            };
            KEYS.add_listener(cx.me().recipient(again)).unwrap();
            KEYS.register_with(0, &process, 0).unwrap();
            for expected in 0..=3 {
                match cx.receive().message() {
                    Some(Event::Register { key, .. }) => assert_eq!(key, expected),
                    other => panic!("{other:?}"),
                }
            }
            kill(&process);
        })
        .unwrap();
    });
}

/// A listener that cannot make anything of an event, and one that has no room, keep nobody else from hearing of it.
#[test]
fn listener_that_fails_disturbs_nobody() {
    static KEYS: Registry<&str, u32, u32> = Registry::new("keys");
    on_both_kinds(|kind| {
        let (bad, _) = ear(kind);
        let full = process::spawn::<Told>(|_| process::sleep(std::time::Duration::MAX));
        let (good, told) = ear(kind);
        let panics = |_| -> Told { panic!("out of paper") };
        KEYS.add_listener(bad.recipient(panics)).unwrap();
        KEYS.add_listener(full.recipient(|event| event)).unwrap();
        KEYS.add_listener(good.recipient(|event| event)).unwrap();
        let process = idle(kind);
        KEYS.register_with("a", &process, 1).unwrap();
        kill(&process);
        let heard = [
            told.recv_timeout(LONG).unwrap(),
            told.recv_timeout(LONG).unwrap(),
        ];
        assert_eq!(
            heard,
            [registered("a", &process, 1), unregistered("a", &process)]
        );
        for listener in [&bad, &full, &good] {
            process::exit(listener, ExitReason::Kill);
            ended(listener.pid());
        }
    });
}

/// Whoever is killed while it tells others of a change tells all of them before it ends.
#[test]
fn process_that_is_killed_while_it_tells_tells_it_all() {
    static KEYS: Registry<&str, u32, u32> = Registry::new("keys");
    on_both_kinds(|kind| {
        let (first, (second, told)) = (idle(kind), ear(kind));
        let kills = |_| {
            let me = process::self_pid().unwrap();
            process::exit(me, ExitReason::Kill);
            0
        };
        KEYS.add_listener(first.recipient(kills)).unwrap();
        KEYS.add_listener(second.recipient(|event| event)).unwrap();
        let own = first.clone();
        let killed = play(kind, move || {
            KEYS.register_with("a", &own, 7).unwrap();
            process::checkpoint();
        });
        assert_eq!(killed, Err(ExitReason::Killed));
        assert_eq!(KEYS.remove_listener(&first), 1);
        kill(&first);
        let heard = [
            told.recv_timeout(LONG).unwrap(),
            told.recv_timeout(LONG).unwrap(),
        ];
        assert_eq!(
            heard,
            [registered("a", &first, 7), unregistered("a", &first)]
        );
        gen_server::stop(&second).unwrap();
    });
}

/// Many change the same keys at once; a listener that only believes what it is told knows in the end who is there,
/// and was never told that somebody came who was there, or went who was not.
#[test]
fn changes_are_told_in_the_order_in_which_they_came_about() {
    static KEYS: Registry<u32, u32, u32> = Registry::new("keys");
    const CHANGERS: usize = 4;
    in_runtime(|| {
        process::run::<Event<u32, u32, u32>, _>(|cx| {
            KEYS.add_listener(cx.me().recipient(|event| event)).unwrap();
            let changers: Vec<_> = (0..CHANGERS)
                .map(|n| {
                    process::spawn::<()>(move |_| {
                        for round in 0..300_u32 {
                            let process = idle(Kind::Pooled);
                            let key = round % 3;
                            let came = KEYS.register_with(key, &process, n as u32).is_ok();
                            if came && round % 2 == 0 {
                                KEYS.unregister(&key, &process);
                            }
                            kill(&process);
                        }
                    })
                })
                .collect();
            let watches: Vec<_> = changers.iter().map(process::watch).collect();
            for watch in watches {
                assert_eq!(reason(watch), ExitReason::Normal);
            }
            KEYS.register_with(99, &idle(Kind::Pooled), 0).unwrap();
            let mut here: HashMap<u32, Ref<u32>> = HashMap::new();
            loop {
                match cx.receive().message().unwrap() {
                    Event::Register {
                        key: 99, process, ..
                    } => break kill(&process),
                    Event::Register { key, process, .. } => {
                        assert_eq!(here.insert(key, process), None, "somebody was there");
                    }
                    Event::Unregister { key, process } => {
                        assert_eq!(here.remove(&key), Some(process), "somebody else was there");
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert!(here.is_empty());
        })
        .unwrap();
        eventually("nothing is left", || KEYS.count() == 0);
    });
}
