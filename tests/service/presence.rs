//! The tracker as a process: what it tells whom and when. What a diff says, `presence_state` tests.

use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds, reason};
use perennial::prelude::*;
use perennial::presence::{self, Config, Diff, Msg, PhxRef, Presence, Presences, TrackError};
use perennial::process::{self, CallError, Kind, Received, ThreadContext};
use perennial::time::Clock;
use perennial::{ExitReason, PubSub, Runtime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

type Meta = &'static str;
type Change = Arc<Diff<Meta>>;
type Tracker = Ref<Msg<Meta>>;

static CHANGES: PubSub<Change> = PubSub::new("changes");

fn tracker(kind: Kind, config: Config<Meta>) -> Tracker {
    let spec = gen_server::spec::<Presence<Meta>>(config);
    match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    }
    .start()
    .unwrap()
}

/// Plays a case with a tracker of each kind, as a process that gets the diffs of the lobby.
fn with_tracker(case: impl Fn(&Tracker, &mut ThreadContext<Change>)) {
    on_both_kinds(|kind| {
        let tracker = tracker(kind, Config::pub_sub(&CHANGES).every(Duration::ZERO));
        process::run::<Change, _>(|cx| {
            CHANGES.subscribe("lobby", cx.me().recipient(|change| change));
            case(&tracker, cx);
        })
        .unwrap();
        gen_server::stop(&tracker).unwrap();
    });
}

/// A process that is tracked until it is told to end.
fn device() -> Ref<()> {
    process::spawn::<()>(|_| process::sleep(Duration::MAX))
}

fn end(device: &Ref<()>) {
    process::exit(device, ExitReason::Shutdown);
    ended(device.pid());
}

fn change(cx: &mut ThreadContext<Change>) -> Change {
    match cx.receive_timeout(LONG) {
        Some(Received::Message(change)) => change,
        other => panic!("{other:?}"),
    }
}

/// Keys with their metas.
fn seen(presences: &Presences<Meta>) -> Vec<(&str, Vec<Meta>)> {
    let keys = presences.iter();
    keys.map(|(key, metas)| (&**key, metas.iter().map(|meta| meta.meta).collect()))
        .collect()
}

#[test]
fn tracked_process_joins_and_leaves_when_it_dies() {
    // E102, E103.
    with_tracker(|tracker, cx| {
        let (phone, laptop) = (device(), device());
        let first = presence::track(tracker, &phone, "lobby", "anna", "phone").unwrap();
        assert_eq!(seen(&change(cx).joins), [("anna", vec!["phone"])]);
        presence::track(tracker, &laptop, "lobby", "anna", "laptop").unwrap();
        assert_eq!(seen(&change(cx).joins), [("anna", vec!["laptop"])]);
        let both = [("anna", vec!["phone", "laptop"])];
        assert_eq!(seen(&presence::list(tracker, "lobby").unwrap()), both);
        let metas = presence::get_by_key(tracker, "lobby", "anna").unwrap();
        assert_eq!((metas.len(), metas[0].phx_ref), (2, first));
        end(&phone);
        let left = change(cx);
        assert_eq!(seen(&left.leaves), [("anna", vec!["phone"])]);
        assert!(left.joins.is_empty());
        end(&laptop);
        assert_eq!(seen(&change(cx).leaves), [("anna", vec!["laptop"])]);
        assert!(presence::list(tracker, "lobby").unwrap().is_empty());
        let nobody = presence::get_by_key(tracker, "lobby", "anna").unwrap();
        assert!(nobody.is_empty());
    });
}

#[test]
fn handler_of_diffs_sees_topics_keys_and_metas_come_and_go() {
    // E103, E105: it is told each topic with what changed there, and may make what it likes of that.
    on_both_kinds(|kind| {
        let (told, hear) = std::sync::mpsc::channel();
        let config = Config::new(move |topic: &Arc<str>, diff: &Arc<Diff<Meta>>| {
            let words = |presences: &Presences<Meta>| format!("{:?}", seen(presences));
            let _ = told.send(format!(
                "{topic} +{} -{}",
                words(&diff.joins),
                words(&diff.leaves)
            ));
        });
        let tracker = tracker(kind, config.every(Duration::ZERO));
        let devices: Vec<Ref<()>> = (0..4).map(|_| device()).collect();
        let hears = |what: &str| assert_eq!(hear.recv_timeout(LONG).unwrap(), what);
        let track = |n: usize, topic: &str, key: &str, meta| {
            presence::track(&tracker, &devices[n], topic, key, meta).unwrap();
        };
        track(0, "lobby", "anna", "phone");
        hears(r#"lobby +[("anna", ["phone"])] -[]"#);
        track(1, "lobby", "ben", "tablet");
        hears(r#"lobby +[("ben", ["tablet"])] -[]"#);
        track(2, "lobby", "anna", "laptop");
        hears(r#"lobby +[("anna", ["laptop"])] -[]"#);
        track(3, "attic", "ben", "tablet");
        hears(r#"attic +[("ben", ["tablet"])] -[]"#);
        presence::untrack(&tracker, &devices[0], "lobby", "anna");
        hears(r#"lobby +[] -[("anna", ["phone"])]"#);
        presence::untrack(&tracker, &devices[2], "lobby", "anna");
        hears(r#"lobby +[] -[("anna", ["laptop"])]"#);
        end(&devices[3]);
        hears(r#"attic +[] -[("ben", ["tablet"])]"#);
        assert!(presence::list(&tracker, "attic").unwrap().is_empty());
        gen_server::stop(&tracker).unwrap();
        devices.iter().for_each(end);
    });
}

#[test]
fn process_is_tracked_once_for_each_place() {
    with_tracker(|tracker, cx| {
        let phone = device();
        presence::track(tracker, &phone, "lobby", "anna", "a").unwrap();
        let again = presence::track(tracker, &phone, "lobby", "anna", "b");
        assert_eq!(again, Err(TrackError::AlreadyTracked));
        presence::track(tracker, &phone, "lobby", "ben", "c").unwrap();
        presence::track(tracker, &phone, "attic", "anna", "d").unwrap();
        let (first, second) = (change(cx), change(cx));
        let joined = [seen(&first.joins), seen(&second.joins)].concat();
        assert_eq!(joined, [("anna", vec!["a"]), ("ben", vec!["c"])]);
        end(&phone);
        let left = change(cx);
        assert_eq!(
            seen(&left.leaves),
            [("anna", vec!["a"]), ("ben", vec!["c"])]
        );
        assert!(presence::list(tracker, "attic").unwrap().is_empty());
    });
}

#[test]
fn update_is_a_join_and_a_leave_at_once() {
    // E104.
    with_tracker(|tracker, cx| {
        let phone = device();
        let nobody = presence::update(tracker, &phone, "lobby", "anna", "away");
        assert_eq!(nobody, Err(presence::UpdateError::NoPresence));
        let old = presence::track(tracker, &phone, "lobby", "anna", "here").unwrap();
        change(cx);
        let new = presence::update(tracker, &phone, "lobby", "anna", "away").unwrap();
        assert_ne!(old, new);
        let diff = change(cx);
        assert_eq!(seen(&diff.joins), [("anna", vec!["away"])]);
        assert_eq!(seen(&diff.leaves), [("anna", vec!["here"])]);
        assert_eq!(diff.joins["anna"][0].phx_ref_prev, Some(old));
        end(&phone);
    });
}

#[test]
fn untracked_process_leaves_and_is_no_more_bound_to_the_tracker() {
    // E104.
    with_tracker(|tracker, cx| {
        let phone = device();
        let links = || process::info(&phone).unwrap().links;
        presence::track(tracker, &phone, "lobby", "anna", "a").unwrap();
        presence::track(tracker, &phone, "attic", "anna", "b").unwrap();
        change(cx);
        presence::untrack(tracker, &phone, "lobby", "anna");
        assert_eq!(seen(&change(cx).leaves), [("anna", vec!["a"])]);
        assert_eq!(links(), [tracker.pid()]);
        presence::untrack(tracker, &phone, "attic", "anna");
        presence::untrack(tracker, &phone, "nowhere", "anna");
        presence::list(tracker, "attic").unwrap();
        assert!(links().is_empty());
        presence::track(tracker, &phone, "lobby", "anna", "c").unwrap();
        change(cx);
        tracker.cast(Msg::UntrackAll(phone.pid()));
        assert_eq!(seen(&change(cx).leaves), [("anna", vec!["c"])]);
        assert!(links().is_empty());
        end(&phone);
    });
}

/// Nobody is told of a process that had ended before the tracker heard of it, and nothing is left of it.
#[test]
fn dead_process_is_never_here() {
    with_tracker(|tracker, cx| {
        let phone = device();
        end(&phone);
        presence::track(tracker, &phone, "lobby", "anna", "a").unwrap();
        eventually("it is gone", || {
            presence::list(tracker, "lobby").unwrap().is_empty()
        });
        let laptop = device();
        presence::track(tracker, &laptop, "lobby", "ben", "b").unwrap();
        let mut known = Known::default();
        while known.0.is_empty() || known.0.contains_key("anna") {
            known.apply(&change(cx));
        }
        assert_eq!(known.0.keys().collect::<Vec<_>>(), ["ben"]);
        end(&laptop);
    });
}

#[test]
fn crowd_that_enters_together_is_told_together() {
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().workers(2).clock(clock).build().unwrap();
    let _entered = runtime.enter();
    let every = Duration::from_millis(50);
    let tracker = tracker(Kind::Pooled, Config::pub_sub(&CHANGES).every(every));
    process::run::<Change, _>(|cx| {
        CHANGES.subscribe("lobby", cx.me().recipient(|change| change));
        let devices: Vec<Ref<()>> = (0..50).map(|_| device()).collect();
        // The first after a quiet time is told at once.
        presence::track(&tracker, &devices[0], "lobby", "0", "a").unwrap();
        assert_eq!(change(cx).joins.len(), 1);
        for (n, device) in devices.iter().enumerate().skip(1) {
            presence::track(&tracker, device, "lobby", n.to_string(), "a").unwrap();
        }
        // Here and gone between two tellings: nobody hears of it.
        presence::untrack(&tracker, &devices[49], "lobby", "49");
        assert_eq!(presence::list(&tracker, "lobby").unwrap().len(), 49);
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        hand.advance(every);
        let told = change(cx);
        assert_eq!((told.joins.len(), told.leaves.len()), (48, 0));
        assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        devices.iter().for_each(end);
        hand.advance(every);
        assert_eq!(change(cx).leaves.len(), 49);
    })
    .unwrap();
    gen_server::stop(&tracker).unwrap();
}

/// The state comes after the diffs before it, and is made once for all who ask at one time.
#[test]
fn states_are_told_after_diffs_and_shared() {
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().workers(2).clock(clock).build().unwrap();
    let _entered = runtime.enter();
    let every = Duration::from_millis(50);
    let tracker = tracker(Kind::Pooled, Config::pub_sub(&CHANGES).every(every));
    process::run::<Change, _>(|cx| {
        CHANGES.subscribe("lobby", cx.me().recipient(|change| change));
        let devices = [device(), device()];
        presence::track(&tracker, &devices[0], "lobby", "anna", "a").unwrap();
        change(cx);
        presence::track(&tracker, &devices[1], "lobby", "ben", "b").unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        let watchers: Vec<Ref<()>> = (0..3)
            .map(|_| {
                let (tracker, send) = (tracker.clone(), send.clone());
                process::spawn::<()>(move |_| {
                    let state =
                        tracker.call_for(Duration::MAX, |reply| Msg::State("lobby".into(), reply));
                    send.send(state.unwrap()).unwrap();
                })
            })
            .collect();
        for watcher in &watchers {
            let waits = || process::info(watcher).unwrap().status == process::Status::Waiting;
            eventually("it asks", waits);
        }
        presence::list(&tracker, "lobby").unwrap();
        assert!(receive.try_recv().is_err());
        hand.advance(every);
        let states: Vec<Arc<Presences<Meta>>> = (0..3)
            .map(|_| receive.recv_timeout(LONG).unwrap())
            .collect();
        // Whoever has the state has the diff before it in its mailbox.
        let diff = cx
            .receive_timeout(Duration::ZERO)
            .unwrap()
            .message()
            .unwrap();
        assert_eq!(seen(&diff.joins), [("ben", vec!["b"])]);
        assert_eq!(seen(&states[0]), [("anna", vec!["a"]), ("ben", vec!["b"])]);
        assert!(states.iter().all(|state| Arc::ptr_eq(state, &states[0])));
        devices.iter().for_each(end);
    })
    .unwrap();
    gen_server::stop(&tracker).unwrap();
}

/// Nobody is here unseen: a tracker that is killed takes along whom it tracked.
#[test]
fn killed_tracker_takes_along_whom_it_tracked() {
    on_both_kinds(|kind| {
        let tracker = tracker(kind, Config::pub_sub(&CHANGES));
        let (phone, stranger) = (device(), device());
        presence::track(&tracker, &phone, "lobby", "anna", "a").unwrap();
        let watch = process::watch(&phone);
        process::exit(&tracker, ExitReason::Kill);
        assert_eq!(reason(watch), ExitReason::Killed);
        assert!(stranger.is_alive());
        let error = Err(TrackError::Call(CallError::NoProc));
        eventually("the tracker is gone", || !tracker.is_alive());
        assert_eq!(
            presence::track(&tracker, &stranger, "lobby", "anna", "a"),
            error
        );
        end(&stranger);
    });
}

#[test]
fn restarted_tracker_gives_other_references() {
    static PRESENCE: Name<Msg<Meta>> = Name::new("presence");
    in_runtime(|| {
        let child = Child::server::<Presence<Meta>>("presence", Config::pub_sub(&CHANGES));
        let supervisor = Supervisor::new(Strategy::OneForOne)
            .intensity(100, Duration::from_secs(1))
            .child(child.name(&PRESENCE))
            .start()
            .unwrap();
        let mut refs: BTreeSet<PhxRef> = BTreeSet::new();
        for _ in 0..10 {
            let phone = device();
            refs.insert(presence::track(&PRESENCE, &phone, "lobby", "anna", "a").unwrap());
            let old = PRESENCE.whereis().unwrap();
            process::exit(&old, ExitReason::Kill);
            ended(phone.pid());
            eventually("the restart", || {
                PRESENCE.whereis().is_some_and(|new| new != old)
            });
            assert!(presence::list(&PRESENCE, "lobby").unwrap().is_empty());
        }
        assert_eq!(refs.len(), 10);
        perennial::supervisor::stop(&supervisor).unwrap();
    });
}

/// What a client knows: it takes a state and applies diffs to it, joins first, as Phoenix's own does.
#[derive(Default, Debug, PartialEq)]
struct Known(BTreeMap<String, BTreeSet<PhxRef>>);

impl Known {
    fn of(presences: &Presences<Meta>) -> Self {
        let mut known = Known::default();
        known.join(presences);
        known
    }

    fn join(&mut self, presences: &Presences<Meta>) {
        for (key, metas) in presences {
            let refs = self.0.entry(key.to_string()).or_default();
            refs.extend(metas.iter().map(|meta| meta.phx_ref));
        }
    }

    fn apply(&mut self, diff: &Diff<Meta>) {
        self.join(&diff.joins);
        for (key, metas) in &diff.leaves {
            let Some(refs) = self.0.get_mut(&**key) else {
                continue;
            };
            for meta in metas {
                refs.remove(&meta.phx_ref);
            }
            if refs.is_empty() {
                self.0.remove(&**key);
            }
        }
    }
}

/// The one promise: whoever subscribes, takes a state and applies the diffs knows who is here, whatever goes on.
#[test]
fn watcher_that_comes_in_the_middle_knows_who_is_here() {
    on_both_kinds(|kind| {
        let every = Duration::from_millis(1);
        let tracker = tracker(kind, Config::pub_sub(&CHANGES).every(every));
        let crowd: Vec<Ref<()>> = (0..4_u32)
            .map(|n| {
                let tracker = tracker.clone();
                process::spawn::<()>(move |_| {
                    for round in 0..50_u32 {
                        let (phone, key) = (device(), format!("user {}", (n + round) % 5));
                        presence::track(&tracker, &phone, "lobby", key.as_str(), "a").unwrap();
                        match round % 4 {
                            0 => presence::untrack(&tracker, &phone, "lobby", key.as_str()),
                            1 => drop(presence::update(&tracker, &phone, "lobby", key, "b")),
                            _ => {}
                        }
                        // Some stay to the end.
                        if round % 10 != 3 {
                            process::exit(&phone, ExitReason::Shutdown);
                        }
                    }
                })
            })
            .collect();
        let (ready, are_ready) = std::sync::mpsc::channel();
        let watchers: Vec<Ref<Change>> = (0..3)
            .map(|_| {
                let (tracker, ready) = (tracker.clone(), ready.clone());
                process::spawn::<Change>(move |cx| {
                    CHANGES.subscribe("lobby", cx.me().recipient(|change| change));
                    let mut known = Known::of(&presence::state(&tracker, "lobby").unwrap());
                    loop {
                        let change = change(cx);
                        known.apply(&change);
                        if change.joins.contains_key("the last") {
                            break ready.send(known).unwrap();
                        }
                    }
                })
            })
            .collect();
        for process in &crowd {
            ended(process.pid());
        }
        eventually("only those who stay are here", || {
            let here = presence::list(&tracker, "lobby").unwrap();
            here.values().map(Vec::len).sum::<usize>() == 20
        });
        eventually("all watch", || CHANGES.subscribers("lobby") == 3);
        let last = device();
        presence::track(&tracker, &last, "lobby", "the last", "a").unwrap();
        let here = Known::of(&presence::list(&tracker, "lobby").unwrap());
        for _ in &watchers {
            assert_eq!(are_ready.recv_timeout(LONG).unwrap(), here);
        }
        for pid in process::info(&tracker).unwrap().links {
            process::exit(pid, ExitReason::Shutdown);
            ended(pid);
        }
        gen_server::stop(&tracker).unwrap();
    });
}
