//! Every part of the façade, used by several threads at once.

use perennial::sync::atomic::{AtomicUsize, Ordering};
use perennial::sync::{Arc, Condvar, Lazy, Mutex, Once, Parker, RwLock, Weak, channel, thread};
use perennial::telemetry::{Event, Telemetry};
use perennial::time::Clock;
use std::time::{Duration, Instant};

pub(crate) const ALL: [(&str, fn()); 5] = [
    ("facade_locks", locks),
    ("facade_shared_values", shared_values),
    ("facade_once", once),
    ("facade_channels", channels),
    ("facade_telemetry_and_clock", telemetry_and_clock),
];

const THREADS: usize = 4;
const ROUNDS: usize = 5_000;

/// Runs `f` on several threads and joins them.
fn crowd(f: impl Fn(usize) + Send + Sync + 'static) {
    let f = Arc::new(f);
    let crowd: Vec<_> = (0..THREADS)
        .map(|number| {
            let f = f.clone();
            thread::spawn(format!("crowd-{number}"), None, move || f(number)).expect("a thread")
        })
        .collect();
    drop(f);
    for member in crowd {
        member.join().expect("no panic");
    }
}

/// A token that goes round under a condvar, a list under a lock, a map under a read-write lock.
fn locks() {
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let list = Arc::new(Mutex::new(Vec::new()));
    let map = Arc::new(RwLock::new(std::collections::HashMap::new()));
    let seen = list.clone();
    crowd(move |me| {
        for round in 0..ROUNDS / 10 {
            let mut at = turn.0.lock();
            while *at % THREADS != me {
                turn.1.wait(&mut at);
            }
            *at += 1;
            drop(at);
            turn.1.notify_all();
            list.lock().push(round.to_string());
            if round % 10 == me {
                map.write().insert(round, vec![me; 3]);
            } else {
                let map = map.read();
                assert!(map.get(&round).is_none_or(|seen| seen.len() == 3));
            }
        }
    });
    assert_eq!(seen.lock().len(), THREADS * (ROUNDS / 10));
}

/// Values that one thread makes, several use, and whoever is last drops.
fn shared_values() {
    struct Value {
        name: String,
        list: Mutex<Vec<String>>,
        count: AtomicUsize,
    }
    for round in 0..ROUNDS / 10 {
        let value = Arc::new(Value {
            name: format!("value {round}"),
            list: Mutex::default(),
            count: AtomicUsize::new(0),
        });
        let weak: Weak<Value> = Arc::downgrade(&value);
        crowd(move |me| {
            let mine = value.clone();
            let Some(again) = weak.upgrade() else {
                return;
            };
            again.list.lock().push(format!("{} {me}", again.name));
            drop(again);
            mine.count.fetch_add(1, Ordering::Relaxed);
        });
    }
}

static ONCE: Once = Once::new();
static WORDS: Lazy<Mutex<Vec<String>>> = Lazy::new(|| Mutex::new(vec!["first".to_owned()]));
static TABLE: Lazy<Vec<String>> = Lazy::new(|| (0..100).map(|n| n.to_string()).collect());

fn once() {
    crowd(|me| {
        ONCE.call_once(|| WORDS.lock().push("once".to_owned()));
        assert_eq!(WORDS.lock()[..2], ["first", "once"]);
        assert_eq!(TABLE[me], me.to_string());
    });
}

/// Several send, one takes, and waits on its parker.
fn channels() {
    let (sender, receiver) = channel::unbounded::<Vec<usize>>();
    let parker = Arc::new(Parker::new());
    let bell = parker.clone();
    let taker = thread::spawn("taker".into(), None, move || {
        let mut taken = 0;
        while taken < THREADS * ROUNDS {
            match receiver.try_recv() {
                Ok(message) => taken += message.len(),
                Err(_) => {
                    parker.park_until(Some(Instant::now() + Duration::from_millis(5)));
                }
            }
        }
        // What comes too late is dropped with the channel, by whoever is last.
    })
    .expect("a thread");
    crowd(move |me| {
        for round in 0..=ROUNDS {
            // The last one may find nobody there.
            let _ = sender.send(vec![me + round]);
            bell.unpark();
        }
    });
    taker.join().expect("no panic");
}

fn telemetry_and_clock() {
    #[derive(Debug)]
    struct Happened(String);
    impl Event for Happened {}
    let bus = Telemetry::new();
    let heard = Arc::new(Mutex::new(0));
    let (clock, hand) = Clock::manual();
    let total = heard.clone();
    crowd(move |me| {
        for round in 0..ROUNDS / 20 {
            let heard = heard.clone();
            let id = bus.attach(move |happened: &Happened| *heard.lock() += happened.0.len());
            bus.emit(|| Happened(format!("{me} at {:?}", clock.now())));
            hand.advance(Duration::from_millis(round as u64));
            bus.detach(id);
        }
    });
    assert!(*total.lock() > 0);
}
