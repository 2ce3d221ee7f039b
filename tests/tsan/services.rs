//! What stands on processes: supervisors, tasks, registries, topics.

use crate::processes::{LONG, ROUNDS, Shelf, ShelfMsg, crowd, end, runtime, with_crowd};
use perennial::prelude::*;
use perennial::process;
use perennial::sync::{Arc, thread};
use perennial::{DuplicateRegistry, PubSub, Registry, Task};
use std::time::{Duration, Instant};

pub(crate) const ALL: [(&str, fn()); 3] = [
    ("supervisors_restart", supervisors_restart),
    ("tasks_are_awaited", tasks_are_awaited),
    ("keys_and_topics", keys_and_topics),
];

/// One tree for all; its children crash while others call them.
fn supervisors_restart() {
    static LEFT: Name<ShelfMsg> = Name::new("left");
    static RIGHT: Name<ShelfMsg> = Name::new("right");
    let runtime = Arc::new(runtime());
    let entered = runtime.enter();
    let tree = Supervisor::new(Strategy::OneForAll)
        .intensity(1_000_000, Duration::from_secs(1))
        .child(Child::server::<Shelf>("left", ()).name(&LEFT))
        .child(Child::server::<Shelf>("right", ()).name(&RIGHT).thread())
        .start()
        .expect("a tree");
    crowd(&runtime, |me| {
        for round in 0..ROUNDS / 30 {
            let (one, other) = if (me + round) % 2 == 0 {
                (&LEFT, &RIGHT)
            } else {
                (&RIGHT, &LEFT)
            };
            one.cast(ShelfMsg::Put("a word".to_owned()));
            let deadline = Instant::now() + LONG;
            while other.call_for(LONG, ShelfMsg::Count).is_err() {
                assert!(Instant::now() < deadline, "nobody restarted it");
                thread::yield_now();
            }
            if round % 3 == me {
                one.cast(ShelfMsg::Crash);
            }
        }
    });
    let children = supervisor::which_children(&tree).expect("it lives");
    assert_eq!(children.len(), 2);
    supervisor::stop(&tree).expect("it lives");
    drop(entered);
    end(Arc::into_inner(runtime).expect("the crowd is gone"));
}

fn tasks_are_awaited() {
    with_crowd(|me| {
        let sum = process::run::<(), _>(|_| {
            let tasks: Vec<_> = (0..ROUNDS / 30)
                .map(|n| Task::spawn(move || (0..n).map(|n| n.to_string()).collect::<Vec<_>>()))
                .collect();
            let lists = tasks.into_iter().map(|task| {
                let list = task.expect("inside a process").join();
                list.expect("no task fails").len()
            });
            lists.sum::<usize>() + me
        });
        let count = ROUNDS / 30;
        assert_eq!(sum, Ok(count * (count - 1) / 2 + me));
    });
}

fn keys_and_topics() {
    static ROOMS: Registry<String, ShelfMsg> = Registry::new("rooms");
    static EVERYONE: DuplicateRegistry<u8, ShelfMsg> = DuplicateRegistry::new("all");
    static NEWS: PubSub<String> = PubSub::new("news");
    with_crowd(|me| {
        for round in 0..ROUNDS / 15 {
            let key = format!("room {}", round % 5);
            let room = gen_server::spec::<Shelf>(())
                .via(ROOMS.via(key.clone()))
                .start();
            if let Ok(room) = &room {
                let topic = format!("topic {}", (me + round) % 2);
                NEWS.subscribe(&topic, room.recipient(ShelfMsg::Put));
                let _ = EVERYONE.register(1, room);
            }
            NEWS.broadcast("topic 1", format!("{me} {round}"));
            EVERYONE.dispatch(&1, |rooms| {
                for (room, ()) in rooms {
                    room.cast(ShelfMsg::Put(key.clone()));
                }
            });
            let _ = ROOMS.via(key).call_for(LONG, ShelfMsg::Count);
            if let Ok(room) = room {
                let _ = gen_server::stop(&room);
            }
        }
    });
}
