//! How far a user has read a room: on all of the user's sockets, and in the list of rooms.

use crate::faults::{hold_writer, lock_store};
use crate::http_client::get;
use crate::server::{Server, User};
use crate::socket_client::{Socket, topic};
use perennial::chat::MarkReadError;
use perennial::chat::body::Body;
use perennial::chat::config::Limit;
use perennial::chat::name::Name;
use perennial::chat::store::CannotRead;
use serde_json::{Value, json};
use std::time::Duration;

fn say(server: &Server, user: &User, room: &str, count: u64) {
    let room = Name::new(room).unwrap();
    server.inside(|| {
        for _ in 0..count {
            let body = Body::new("x").unwrap();
            let posted = server
                .program()
                .chat()
                .post(&user.account, &room, body, None);
            posted.unwrap();
        }
    });
}

/// Says how far one has read; the answer.
#[track_caller]
fn read(socket: &mut Socket, room: &str, payload: &Value) -> (String, Value) {
    let msg_ref = socket.push(&Value::Null, &topic(room), "read", payload);
    let answer = socket.reply_to(&msg_ref);
    let (status, response) = answer.reply();
    (status.to_owned(), response.clone())
}

#[track_caller]
fn assert_read(socket: &mut Socket, seq: u64, read_seq: u64) {
    let answer = read(socket, "lobby", &json!({"seq": seq}));
    assert_eq!(answer, ("ok".to_owned(), json!({"read_seq": read_seq})));
}

/// What a new socket is told of the room when it joins, beside the messages.
#[track_caller]
fn cursor(server: &Server, user: &User) -> [Value; 3] {
    let mut joined = server.socket(user).join("lobby", &json!({}));
    ["last_seq", "read_seq", "unread"].map(|key| joined[key].take())
}

/// What the list of rooms says of the first.
fn listed(server: &Server, user: &User) -> Value {
    server.send(get("/api/rooms").bearer(&user.token)).ok(200)["rooms"][0].take()
}

#[test]
fn a_cursor_moves_forward_and_never_back() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    say(&server, &bob, "lobby", 9);
    assert_eq!(cursor(&server, &ada), [9, 0, 9].map(Value::from));
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    assert_read(&mut socket, 0, 0);
    assert_read(&mut socket, 4, 4);
    assert_read(&mut socket, 2, 4);
    // Another socket of the same user, which does not know it from its own past.
    let mut other = server.socket(&ada);
    other.join("lobby", &json!({}));
    assert_read(&mut other, 3, 4);
    assert_read(&mut other, 7, 7);
    assert_eq!(cursor(&server, &ada), [9, 7, 2].map(Value::from));
    say(&server, &bob, "lobby", 1);
    assert_eq!(
        listed(&server, &ada),
        json!({"name": "lobby", "seq": 10, "read_seq": 7, "unread": 3})
    );
    // One user's cursor is no other's.
    assert_eq!(
        listed(&server, &bob),
        json!({"name": "lobby", "seq": 10, "read_seq": 0, "unread": 10})
    );
}

#[test]
fn the_other_sockets_of_the_user_are_told_once_and_nobody_else() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    for room in ["lobby", "attic"] {
        server.room(room);
        say(&server, &bob, room, 5);
    }
    let (mut here, mut there) = (server.socket(&ada), server.socket(&ada));
    let (mut elsewhere, mut bobs) = (server.socket(&ada), server.socket(&bob));
    for socket in [&mut here, &mut there, &mut bobs] {
        socket.join("lobby", &json!({}));
    }
    elsewhere.join("attic", &json!({}));
    assert_read(&mut here, 3, 3);
    let told = there.next();
    assert_eq!(
        (&*told.event, &*told.topic, &told.payload),
        ("read", "room:lobby", &json!({"read_seq": 3}))
    );
    // It knows: that is no news.
    assert_read(&mut there, 3, 3);
    assert_read(&mut there, 5, 5);
    assert_eq!(here.next().payload, json!({"read_seq": 5}));
    // A program that embeds the chat reads for the same user.
    let (chat, lobby) = (server.program().chat(), Name::new("lobby").unwrap());
    say(&server, &bob, "lobby", 1);
    let marked = server
        .inside(|| chat.mark_read(&ada.account, &lobby, 6))
        .unwrap();
    assert_eq!(
        (marked.read_seq, marked.last_seq, marked.unread()),
        (6, 6, 0)
    );
    for socket in [&mut here, &mut there] {
        let told = socket.wait_for(|frame| frame.event == "read");
        assert_eq!(told.payload, json!({"read_seq": 6}));
        assert_eq!(socket.message("lobby")["seq"], 6);
        socket.nothing_more();
    }
    elsewhere.nothing_more();
    assert_eq!(bobs.message("lobby")["seq"], 6);
    bobs.nothing_more();
}

#[test]
fn two_sockets_that_race_are_told_of_no_step_back() {
    const COUNT: u64 = 200;
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    say(&server, &ada, "lobby", COUNT);
    let mut listener = server.socket(&ada);
    listener.join("lobby", &json!({}));
    std::thread::scope(|scope| {
        for offset in 0..2 {
            let mut socket = server.socket(&ada);
            scope.spawn(move || {
                socket.join("lobby", &json!({}));
                for seq in (1..=COUNT).filter(|seq| seq % 2 == offset) {
                    let (status, response) = read(&mut socket, "lobby", &json!({"seq": seq}));
                    assert_eq!(status, "ok", "{response}");
                    assert!(response["read_seq"].as_u64().unwrap() >= seq);
                }
            });
        }
        let mut heard = 0;
        while heard < COUNT {
            let told = listener.next();
            assert_eq!(told.event, "read");
            let seq = told.payload["read_seq"].as_u64().unwrap();
            assert!(seq > heard, "{seq} after {heard}");
            heard = seq;
        }
    });
    listener.nothing_more();
    assert_eq!(cursor(&server, &ada), [COUNT, COUNT, 0].map(Value::from));
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    server.room("attic");
    say(&server, &ada, "lobby", 3);
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for seq in [4, 1_000, u64::MAX] {
        let answer = read(&mut socket, "lobby", &json!({"seq": seq}));
        assert_eq!(
            answer,
            (
                "error".to_owned(),
                json!({"reason": "bad_seq", "last_seq": 3})
            )
        );
    }
    for payload in [
        json!({}),
        json!({"seq": null}),
        json!({"seq": -1}),
        json!({"seq": 1.5}),
        json!({"seq": "1"}),
        json!([1]),
        Value::Null,
    ] {
        let answer = read(&mut socket, "lobby", &payload);
        assert_eq!(answer, ("error".to_owned(), json!({"reason": "invalid"})));
    }
    // A room that one is not in, and one that there is not.
    for room in ["attic", "nowhere"] {
        let answer = read(&mut socket, room, &json!({"seq": 0}));
        assert_eq!(
            answer,
            ("error".to_owned(), json!({"reason": "unmatched topic"}))
        );
    }
    assert_eq!(cursor(&server, &ada), [3, 0, 3].map(Value::from));
    let (chat, nowhere) = (server.program().chat(), Name::new("nowhere").unwrap());
    let refused = server.inside(|| chat.mark_read(&ada.account, &nowhere, 0));
    assert_eq!(refused, Err(MarkReadError::Refused(CannotRead::NoSuchRoom)));
}

#[test]
fn a_cursor_that_is_not_stored_is_not_acknowledged_nor_told() {
    let server = Server::with_store(
        |_| (),
        |store| {
            store.busy_timeout = Duration::from_millis(1);
            store.retry_after = Duration::from_millis(1);
        },
    );
    let ada = server.user("ada");
    server.room("lobby");
    say(&server, &ada, "lobby", 3);
    let (mut socket, mut other) = (server.socket(&ada), server.socket(&ada));
    socket.join("lobby", &json!({}));
    other.join("lobby", &json!({}));
    let locked = lock_store(&server);
    let answer = read(&mut socket, "lobby", &json!({"seq": 2}));
    assert_eq!(answer, ("error".to_owned(), json!({"reason": "storage"})));
    other.nothing_more();
    drop(locked);
    crate::faults::eventually("the store is back", || {
        read(&mut socket, "lobby", &json!({"seq": 2})).0 == "ok"
    });
    assert_eq!(other.next().payload, json!({"read_seq": 2}));
}

#[test]
fn what_was_read_before_needs_no_write() {
    let server = Server::with(|config| config.limits.reads_per_second = Limit::at(1));
    let ada = server.user("ada");
    server.room("lobby");
    say(&server, &ada, "lobby", 100);
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    assert_read(&mut socket, 50, 50);
    let held = hold_writer(&server);
    for seq in 0..=50 {
        assert_read(&mut socket, seq, 50);
    }
    drop(held);
    // What does is limited, and says when to come back.
    let refusal = (51..=100)
        .map(|seq| read(&mut socket, "lobby", &json!({"seq": seq})))
        .find(|(status, _)| status == "error");
    let (_, response) = refusal.unwrap();
    let ms = response["retry_after_ms"].as_u64().unwrap();
    assert_eq!(
        response,
        json!({"reason": "rate_limited", "retry_after_ms": ms})
    );
    assert!((1..=1_000).contains(&ms), "{ms}");
}
