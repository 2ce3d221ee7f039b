//! Who is here: the state after each join, and what changes.

use crate::faults::{eventually, kill, labelled};
use crate::server::Server;
use crate::socket_client::{Frame, Socket};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The connections of each user by their refs, as a client knows them.
type Members = BTreeMap<String, Vec<String>>;

fn refs(entry: &Value) -> Vec<String> {
    let metas = entry["metas"].as_array().unwrap();
    let phx_ref = |meta: &Value| meta["phx_ref"].as_str().unwrap().to_owned();
    metas.iter().map(phx_ref).collect()
}

fn entries(of: &Value) -> &Map<String, Value> {
    of.as_object().unwrap()
}

/// What a client knows after a state, or after a change.
fn apply(members: &mut Members, frame: &Frame) {
    if frame.event == "presence_state" {
        *members = entries(&frame.payload)
            .iter()
            .map(|(user, entry)| (user.clone(), refs(entry)))
            .collect();
        return;
    }
    assert_eq!(frame.event, "presence_diff", "{frame:?}");
    for (user, entry) in entries(&frame.payload["joins"]) {
        let known = members.entry(user.clone()).or_default();
        for phx_ref in refs(entry) {
            assert!(
                !known.contains(&phx_ref),
                "{user} is here already: {frame:?}"
            );
            known.push(phx_ref);
        }
    }
    for (user, entry) in entries(&frame.payload["leaves"]) {
        let gone = refs(entry);
        let known = members.get_mut(user).unwrap();
        assert!(
            gone.iter().all(|phx_ref| known.contains(phx_ref)),
            "{frame:?}"
        );
        known.retain(|phx_ref| !gone.contains(phx_ref));
        if known.is_empty() {
            members.remove(user);
        }
    }
}

/// How many connections each user has.
fn counts(members: &Members) -> Vec<(&str, usize)> {
    members
        .iter()
        .map(|(user, refs)| (&**user, refs.len()))
        .collect()
}

fn presence(socket: &mut Socket) -> Frame {
    socket.wait_for(|frame| frame.event.starts_with("presence_"))
}

/// Applies what comes until it is so.
#[track_caller]
fn until(socket: &mut Socket, members: &mut Members, expected: &[(&str, usize)]) {
    while counts(members) != expected {
        apply(members, &presence(socket));
    }
}

#[test]
fn everybody_knows_who_is_here_with_how_many_connections() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let mut one = server.socket(&ada);
    let join = one.ask_to_join("lobby", &json!({}));
    let state = presence(&mut one);
    // A push of the state, with the join's ref.
    assert_eq!(
        (&*state.event, &*state.topic),
        ("presence_state", "room:lobby")
    );
    assert_eq!(
        (&state.join_ref, &state.msg_ref),
        (&join.join_ref, &Value::Null)
    );
    let meta = &state.payload["ada"]["metas"][0];
    assert_eq!(state.payload, json!({"ada": {"metas": [meta]}}));
    assert_eq!(meta.as_object().unwrap().len(), 2);
    let online_at = meta["online_at"].as_u64().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    assert!((now - 60..=now).contains(&online_at), "Unix seconds");

    let mut members = Members::new();
    apply(&mut members, &state);
    let mut other = server.socket(&bob);
    other.join("lobby", &json!({}));
    let diff = presence(&mut one);
    assert_eq!(
        (&diff.join_ref, &diff.msg_ref),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(diff.payload["leaves"], json!({}));
    apply(&mut members, &diff);
    assert_eq!(counts(&members), [("ada", 1), ("bob", 1)]);
    let mut tablet = server.socket(&bob);
    tablet.join("lobby", &json!({}));
    until(&mut one, &mut members, &[("ada", 1), ("bob", 2)]);
    assert_ne!(members["bob"][0], members["bob"][1]);
    drop(tablet);
    until(&mut one, &mut members, &[("ada", 1), ("bob", 1)]);
    let leave = other.push(&Value::Null, "room:lobby", "phx_leave", &json!({}));
    other.reply_to(&leave);
    until(&mut one, &mut members, &[("ada", 1)]);
    // Back again, the state comes again.
    other.forget();
    other.join("lobby", &json!({}));
    until(&mut one, &mut members, &[("ada", 1), ("bob", 1)]);
    let mut others = Members::new();
    until(&mut other, &mut others, &[("ada", 1), ("bob", 1)]);
    assert_eq!(others, members);
}

/// Phoenix sends a thousand who enter together a million frames; here each gets one state, and one change for each
/// twentieth of a second that the entering takes.
#[test]
fn a_crowd_that_enters_together_is_told_by_ticks_and_not_by_heads() {
    const CROWD: usize = 100;
    const TICK: Duration = Duration::from_millis(50);
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut watcher = server.socket(&ada);
    watcher.join("lobby", &json!({}));
    let mut members = Members::new();
    until(&mut watcher, &mut members, &[("ada", 1)]);
    let mut crowd: Vec<Socket> = (0..CROWD).map(|_| server.socket(&ada)).collect();
    let started = Instant::now();
    for socket in &mut crowd {
        socket.push(&json!("1"), "room:lobby", "phx_join", &json!({}));
    }
    let mut changes = 0;
    while counts(&members) != [("ada", CROWD + 1)] {
        apply(&mut members, &presence(&mut watcher));
        changes += 1;
    }
    // The first comes at once, and the last may be on its way.
    let ticks = started.elapsed().div_duration_f64(TICK) as usize + 2;
    assert!(changes <= ticks, "{changes} changes in {ticks} ticks");
    for socket in &mut crowd {
        let mut known = Members::new();
        let mut told = 0;
        while counts(&known) != [("ada", CROWD + 1)] {
            let frame = presence(socket);
            assert_eq!(
                frame.event == "presence_state",
                told == 0,
                "the state first, and once"
            );
            apply(&mut known, &frame);
            told += 1;
        }
        assert!(
            told <= ticks + 1,
            "a state and {told} changes in {ticks} ticks"
        );
        assert_eq!(known, members);
    }
}

#[test]
fn rooms_and_refused_joins_do_not_mix() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    server.room("attic");
    let (mut one, mut other) = (server.socket(&ada), server.socket(&bob));
    one.join("lobby", &json!({}));
    other.join("attic", &json!({}));
    let refused = other.ask_to_join("lobby", &json!({"after": 9}));
    assert_eq!(refused.reply().0, "error");
    assert_eq!(entries(&presence(&mut one).payload).len(), 1);
    assert_eq!(entries(&presence(&mut other).payload).len(), 1);
    one.nothing_more();
    assert!(labelled(&server, "room:lobby").len() <= 2);
}

// The official client keeps changes that come before the state for the state of a later join, if this join dies: it
// showed people who had left long ago.
#[test]
fn the_state_comes_before_any_change_and_after_that_every_change() {
    let server = Server::start();
    let ada = server.user("ada");
    let others = ["bob", "cem", "dan"].map(|name| server.user(name));
    server.room("lobby");
    let is_over = AtomicBool::new(false);
    let mut socket = server.socket(&ada);
    let mut members = thread::scope(|scope| {
        for other in &others {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let mut other = server.socket(other);
                    other.join("lobby", &json!({}));
                    other.heartbeat();
                }
            });
        }
        // However this ends, the others are told.
        let over = Over(&is_over);
        let mut members = Members::new();
        for _ in 0..20 {
            socket.join("lobby", &json!({}));
            let first = presence(&mut socket);
            assert_eq!(first.event, "presence_state", "{first:?}");
            apply(&mut members, &first);
            assert_eq!(members["ada"].len(), 1, "{first:?}");
            for _ in 0..3 {
                apply(&mut members, &presence(&mut socket));
            }
            let leave = socket.push(&Value::Null, "room:lobby", "phx_leave", &json!({}));
            socket.reply_to(&leave);
            // What was on its way is of the past.
            socket.forget();
        }
        socket.join("lobby", &json!({}));
        apply(&mut members, &presence(&mut socket));
        drop(over);
        members
    });
    until(&mut socket, &mut members, &[("ada", 1)]);
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn whoever_is_killed_is_gone_and_comes_back_as_somebody_new() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut one, mut other) = (server.socket(&ada), server.socket(&bob));
    one.join("lobby", &json!({}));
    let mut members = Members::new();
    until(&mut one, &mut members, &[("ada", 1)]);
    let before = labelled(&server, "room:lobby");
    other.join("lobby", &json!({}));
    until(&mut one, &mut members, &[("ada", 1), ("bob", 1)]);
    let first = members["bob"].clone();
    let channel = labelled(&server, "room:lobby")
        .into_iter()
        .find(|pid| !before.contains(pid))
        .unwrap();
    kill(&server, channel);
    until(&mut one, &mut members, &[("ada", 1)]);
    other.wait_for(|frame| frame.event == "phx_error");
    other.forget();
    other.join("lobby", &json!({}));
    until(&mut one, &mut members, &[("ada", 1), ("bob", 1)]);
    assert_ne!(members["bob"], first);
    let mut others = Members::new();
    until(&mut other, &mut others, &[("ada", 1), ("bob", 1)]);
    eventually("nobody else is there", || {
        labelled(&server, "room:lobby").len() == 2
    });
}
