//! Topics: who gets what, in which order, and what is left of whom.

use crate::stage::{KINDS, LONG, ended, eventually, in_runtime, on_both_kinds};
use perennial::prelude::*;
use perennial::process::{self, Kind, Received};
use perennial::pub_sub::{Adapter, Dispatcher, NoConnection, Subscriber};
use perennial::{ExitReason, PubSub};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

/// A subscriber that passes on what it gets.
struct Ear(Sender<u64>);

impl GenServer for Ear {
    type Args = Sender<u64>;
    type Msg = u64;

    fn init(to: Sender<u64>, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Ear(to))
    }

    fn handle(&mut self, event: u64, _: &mut Cx<Self>) -> Next<u64> {
        // The test may have seen enough.
        let _ = self.0.send(event);
        Next::Loop
    }
}

fn ear(kind: Kind) -> (Ref<u64>, Receiver<u64>) {
    let (send, receive) = mpsc::channel();
    let spec = gen_server::spec::<Ear>(send);
    let ear = match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    };
    (ear.start().unwrap(), receive)
}

fn subscribe(events: &PubSub<u64>, topic: &str, ear: &Ref<u64>) {
    events.subscribe(topic, ear.recipient(|event| event));
}

/// What an ear heard until `last`.
fn heard(receive: &Receiver<u64>, last: u64) -> Vec<u64> {
    let mut heard = Vec::new();
    while heard.last() != Some(&last) {
        heard.push(receive.recv_timeout(LONG).unwrap());
    }
    heard
}

#[test]
fn broadcast_reaches_the_subscribers_of_its_topic_in_order() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    in_runtime(|| {
        let ears = KINDS.map(ear);
        for (ear, _) in &ears {
            subscribe(&EVENTS, "a", ear);
        }
        for n in 0..1000 {
            EVENTS.broadcast("b", n);
            EVENTS.broadcast("a", n);
        }
        for (ear, receive) in &ears {
            assert_eq!(heard(receive, 999), (0..1000).collect::<Vec<_>>());
            gen_server::stop(ear).unwrap();
        }
        assert_eq!(EVENTS.count(), 0);
    });
}

#[test]
fn subscriber_that_subscribed_twice_gets_everything_twice() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    on_both_kinds(|kind| {
        let (ear, receive) = ear(kind);
        subscribe(&EVENTS, "a", &ear);
        subscribe(&EVENTS, "a", &ear);
        EVENTS.broadcast("a", 1);
        assert_eq!(EVENTS.unsubscribe("a", &ear), 2);
        EVENTS.broadcast("a", 2);
        ear.cast(3);
        assert_eq!(heard(&receive, 3), [1, 1, 3]);
        assert_eq!(
            (EVENTS.unsubscribe("a", &ear), EVENTS.subscribers("a")),
            (0, 0)
        );
        gen_server::stop(&ear).unwrap();
    });
}

#[test]
fn author_is_left_out_and_nobody_else() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    on_both_kinds(|kind| {
        let ((author, own), (other, others)) = (ear(kind), ear(kind));
        for ear in [&author, &author, &other] {
            subscribe(&EVENTS, "a", ear);
        }
        EVENTS.broadcast_from(&author, "a", 1);
        EVENTS.local_broadcast_from(&author, "a", 2);
        EVENTS.broadcast("a", 3);
        assert_eq!(heard(&own, 3), [3]);
        assert_eq!(heard(&others, 3), [1, 2, 3]);
        gen_server::stop(&author).unwrap();
        gen_server::stop(&other).unwrap();
    });
}

#[test]
fn dead_subscriber_is_forgotten_before_its_death_is_known() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    on_both_kinds(|kind| {
        let (stays, receive) = ear(kind);
        subscribe(&EVENTS, "a", &stays);
        for n in 0..100 {
            let (goes, _) = ear(kind);
            for topic in ["a", "b", "c"] {
                subscribe(&EVENTS, topic, &goes);
            }
            assert_eq!(EVENTS.count(), 4);
            process::exit(&goes, ExitReason::Kill);
            ended(goes.pid());
            assert_eq!((EVENTS.count(), EVENTS.subscribers("b")), (1, 0));
            subscribe(&EVENTS, "a", &goes);
            assert_eq!(EVENTS.count(), 1);
            EVENTS.broadcast("a", n);
        }
        assert_eq!(heard(&receive, 99).len(), 100);
        gen_server::stop(&stays).unwrap();
    });
}

/// What a subscriber does with an event runs outside every lock of the topics.
#[test]
fn subscriptions_may_change_during_a_broadcast() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    in_runtime(|| {
        let result = process::run::<u64, _>(|cx| {
            let (me, mine) = (cx.me().clone(), cx.me().recipient(|event| event));
            let convert = move |event: u64| {
                EVENTS.subscribe("a", mine.clone());
                EVENTS.broadcast("b", event);
                event
            };
            EVENTS.subscribe("a", me.recipient(convert));
            EVENTS.broadcast("a", 1);
            assert_eq!(
                (cx.receive().message(), EVENTS.subscribers("a")),
                (Some(1), 2)
            );
            EVENTS.broadcast("a", 2);
            assert_eq!(cx.receive(), Received::Message(2));
            assert_eq!(
                (cx.receive(), EVENTS.subscribers("a")),
                (Received::Message(2), 3)
            );
        });
        assert_eq!(result, Ok(()));
    });
}

struct Wire(Arc<Mutex<Vec<(String, u64)>>>);

impl Adapter<u64> for Wire {
    fn broadcast(&self, topic: &str, event: &u64) {
        self.0.lock().unwrap().push((topic.to_owned(), *event));
    }
}

#[test]
fn adapter_carries_what_is_meant_for_all_nodes() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    on_both_kinds(|kind| {
        let (ear, receive) = ear(kind);
        subscribe(&EVENTS, "a", &ear);
        EVENTS.broadcast("a", 0);
        let carried = Arc::new(Mutex::default());
        EVENTS.set_adapter(Wire(carried.clone()));
        EVENTS.broadcast("a", 1);
        EVENTS.local_broadcast("a", 2);
        // Another node may have subscribers where this one has none.
        EVENTS.broadcast_from(&ear, "b", 3);
        EVENTS.broadcast_from(&ear, "a", 4);
        ear.cast(5);
        assert_eq!(heard(&receive, 5), [0, 1, 2, 5]);
        let at = |topic: &str, event| (topic.to_owned(), event);
        assert_eq!(
            *carried.lock().unwrap(),
            [at("a", 1), at("b", 3), at("a", 4)]
        );
        gen_server::stop(&ear).unwrap();
    });
}

/// A subscriber misses nothing between its subscription and its end, whoever else comes and goes.
#[test]
fn subscribers_that_come_and_go_disturb_nobody() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    const LAST: u64 = 2000;
    in_runtime(|| {
        let ears = [Kind::Thread, Kind::Pooled, Kind::Pooled].map(ear);
        for (ear, _) in &ears {
            subscribe(&EVENTS, "a", ear);
        }
        let guests: Vec<Ref<()>> = (0..4)
            .map(|_| {
                process::spawn::<()>(|_| {
                    for _ in 0..100 {
                        let (guest, _) = ear(Kind::Pooled);
                        subscribe(&EVENTS, "a", &guest);
                        process::exit(&guest, ExitReason::Shutdown);
                    }
                })
            })
            .collect();
        for n in 0..=LAST {
            EVENTS.broadcast("a", n);
        }
        for (ear, receive) in &ears {
            assert_eq!(heard(receive, LAST), (0..=LAST).collect::<Vec<_>>());
            gen_server::stop(ear).unwrap();
        }
        for guest in guests {
            ended(guest.pid());
        }
        eventually("no subscription is left", || EVENTS.count() == 0);
    });
}

/// An event is cloned for all but the last, so a payload that is shared is never copied.
#[test]
fn event_is_cloned_once_less_than_it_is_delivered() {
    static EVENTS: PubSub<Arc<str>> = PubSub::new("texts");
    in_runtime(|| {
        process::run::<Arc<str>, _>(|cx| {
            for _ in 0..3 {
                EVENTS.subscribe("a", cx.me().recipient(|text| text));
            }
            let text: Arc<str> = "hello".into();
            EVENTS.broadcast("a", text.clone());
            assert_eq!(Arc::strong_count(&text), 4);
        })
        .unwrap();
    });
}

/// Notes for whom it was asked, and sends only to those whose metadata is not above the event.
struct Choosy(Arc<Mutex<Vec<Asked>>>);

/// On which topic it was asked, and for whom.
type Asked = (String, Vec<u64>);

impl Dispatcher<u64, u64> for Choosy {
    fn dispatch(&self, topic: &str, subscribers: &[&Subscriber<u64, u64>], event: u64) {
        let mut asked: Vec<u64> = subscribers.iter().map(|one| one.metadata).collect();
        asked.sort_unstable();
        self.0.lock().unwrap().push((topic.to_owned(), asked));
        for subscriber in subscribers.iter().filter(|one| one.metadata <= event) {
            subscriber.recipient.cast(event);
        }
    }
}

#[test]
fn dispatcher_decides_by_the_metadata_of_the_subscribers() {
    static EVENTS: PubSub<u64, u64> = PubSub::new("events");
    on_both_kinds(|kind| {
        let ((low, lows), (high, highs)) = (ear(kind), ear(kind));
        EVENTS.subscribe_with("a", low.recipient(|event| event), 1);
        EVENTS.subscribe_with("a", high.recipient(|event| event), 10);
        EVENTS.broadcast("a", 0);
        let asked = Arc::new(Mutex::default());
        EVENTS.set_dispatcher(Choosy(asked.clone()));
        EVENTS.broadcast("a", 5);
        EVENTS.broadcast_from(&low, "a", 20);
        EVENTS.local_broadcast("a", 30);
        EVENTS.broadcast("nobody", 40);
        EVENTS.direct_broadcast("nonode@nohost", "a", 50).unwrap();
        assert_eq!(heard(&lows, 50), [0, 5, 30, 50]);
        assert_eq!(heard(&highs, 50), [0, 20, 30, 50]);
        EVENTS.unsubscribe("a", &high);
        EVENTS.broadcast_from(&low, "a", 60);
        let both = ("a".to_owned(), vec![1, 10]);
        let only = ("a".to_owned(), vec![10]);
        assert_eq!(
            *asked.lock().unwrap(),
            [both.clone(), only, both.clone(), both]
        );
        gen_server::stop(&low).unwrap();
        gen_server::stop(&high).unwrap();
    });
}

/// Knows one other node.
struct Pair(Arc<Mutex<Vec<u64>>>);

impl Adapter<u64> for Pair {
    fn broadcast(&self, _: &str, event: &u64) {
        self.0.lock().unwrap().push(*event);
    }

    fn direct_broadcast(&self, node: &str, _: &str, event: &u64) -> Result<(), NoConnection> {
        if node != "there" {
            return Err(NoConnection);
        }
        self.0.lock().unwrap().push(*event);
        Ok(())
    }

    fn node_name(&self) -> &str {
        "here"
    }
}

#[test]
fn direct_broadcast_reaches_one_node() {
    static EVENTS: PubSub<u64> = PubSub::new("events");
    on_both_kinds(|kind| {
        let (ear, receive) = ear(kind);
        subscribe(&EVENTS, "a", &ear);
        let alone = EVENTS.node_name();
        assert_eq!(EVENTS.direct_broadcast(&alone, "a", 1), Ok(()));
        assert_eq!(EVENTS.direct_broadcast("there", "a", 2), Err(NoConnection));
        let carried = Arc::new(Mutex::default());
        EVENTS.set_adapter(Pair(carried.clone()));
        assert_eq!(EVENTS.node_name(), "here");
        assert_eq!(EVENTS.direct_broadcast("here", "a", 3), Ok(()));
        assert_eq!(EVENTS.direct_broadcast("there", "a", 4), Ok(()));
        assert_eq!(EVENTS.direct_broadcast(&alone, "a", 5), Err(NoConnection));
        ear.cast(6);
        assert_eq!(heard(&receive, 6), [1, 3, 6]);
        assert_eq!(*carried.lock().unwrap(), [4]);
        gen_server::stop(&ear).unwrap();
    });
    // Whoever carries broadcasts only reaches no node by name.
    in_runtime(|| {
        EVENTS.set_adapter(Wire(Arc::default()));
        assert_eq!(EVENTS.direct_broadcast("there", "a", 1), Err(NoConnection));
    });
}
