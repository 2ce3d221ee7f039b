//! What a client is told when it joins a room, and what follows.

use crate::http_client::get;
use crate::server::{Server, User};
use crate::socket_client::Socket;
use perennial::chat::body::Body;
use perennial::chat::config::Limit;
use perennial::chat::name::Name;
use serde_json::{Value, json};

/// A server with a room in which so many messages were said: the body of each is its number.
fn room_with(count: u64) -> (Server, User) {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    say(&server, &ada, 1, count);
    (server, ada)
}

fn say(server: &Server, user: &User, from: u64, to: u64) {
    let room = Name::new("lobby").unwrap();
    server.inside(|| {
        for n in from..=to {
            let body = Body::new(&n.to_string()).unwrap();
            let posted = server
                .program()
                .chat()
                .post(&user.account, &room, body, None);
            assert_eq!(posted.unwrap().seq, n);
        }
    });
}

fn numbers(response: &Value) -> Vec<u64> {
    let messages = response["messages"].as_array().unwrap();
    let number = |message: &Value| message["seq"].as_u64().unwrap();
    messages.iter().map(number).collect()
}

#[track_caller]
fn assert_next(socket: &mut Socket, from: u64, to: u64) {
    for n in from..=to {
        let message = socket.message("lobby");
        assert_eq!(
            (&message["seq"], &message["body"]),
            (&json!(n), &json!(n.to_string()))
        );
    }
}

#[test]
fn an_empty_room_begins_at_zero() {
    let (server, ada) = room_with(0);
    let mut socket = server.socket(&ada);
    let empty = json!({"seq": 0, "messages": [], "last_seq": 0, "read_seq": 0, "unread": 0});
    assert_eq!(socket.join("lobby", &json!({})), empty);
    let mut other = server.socket(&ada);
    assert_eq!(other.join("lobby", &json!({"after": 0})), empty);
    say(&server, &ada, 1, 2);
    assert_next(&mut socket, 1, 2);
    assert_next(&mut other, 1, 2);
}

#[test]
fn who_has_seen_nothing_gets_the_last_fifty() {
    let (server, ada) = room_with(60);
    let mut socket = server.socket(&ada);
    for payload in [json!({}), json!({"after": null}), Value::Null] {
        let response = socket.join("lobby", &payload);
        assert_eq!(response["seq"], 60);
        assert_eq!(numbers(&response), (11..=60).collect::<Vec<_>>());
    }
    let message = &socket.join("lobby", &json!({}))["messages"][0];
    let shape =
        json!({"seq": 11, "user": "ada", "body": "11", "at": message["at"], "client_id": null});
    assert_eq!(*message, shape);
    assert!(message["at"].is_i64());
}

#[test]
fn who_has_seen_something_gets_what_came_after() {
    let (server, ada) = room_with(60);
    let mut socket = server.socket(&ada);
    for after in [0, 1, 30, 59, 60] {
        let response = socket.join("lobby", &json!({"after": after}));
        assert_eq!(response["seq"], 60);
        assert_eq!(numbers(&response), (after + 1..=60).collect::<Vec<_>>());
    }
}

#[test]
fn what_does_not_fit_into_the_answer_follows_in_order_and_before_what_is_said_then() {
    let (server, ada) = room_with(700);
    let mut socket = server.socket(&ada);
    let response = socket.join("lobby", &json!({"after": 100}));
    assert_eq!(response["seq"], 300);
    assert_eq!(numbers(&response), (101..=300).collect::<Vec<_>>());
    say(&server, &ada, 701, 720);
    assert_next(&mut socket, 301, 720);
    socket.nothing_more();
}

#[test]
fn the_answer_may_be_made_shorter() {
    let server = Server::with(|config| config.limits.join_messages = Limit::at(3));
    let ada = server.user("ada");
    server.room("lobby");
    say(&server, &ada, 1, 8);
    let mut socket = server.socket(&ada);
    let response = socket.join("lobby", &json!({}));
    assert_eq!(response["seq"], 8);
    assert_eq!(numbers(&response), [6, 7, 8]);
    let mut other = server.socket(&ada);
    let response = other.join("lobby", &json!({"after": 1}));
    assert_eq!(response["seq"], 4);
    assert_eq!(numbers(&response), [2, 3, 4]);
    assert_next(&mut other, 5, 8);
}

#[test]
fn a_number_above_the_last_is_refused() {
    let (server, ada) = room_with(3);
    let mut socket = server.socket(&ada);
    for after in [4, 1_000, u64::MAX] {
        let answer = socket.ask_to_join("lobby", &json!({"after": after}));
        assert_eq!(answer.reply(), ("error", &json!({"reason": "bad_after"})));
    }
    assert_eq!(socket.join("lobby", &json!({"after": 3}))["seq"], 3);
}

#[test]
fn payloads_that_make_no_sense_are_refused() {
    let (server, ada) = room_with(3);
    let mut socket = server.socket(&ada);
    for payload in [
        json!({"after": -1}),
        json!({"after": 1.5}),
        json!({"after": "1"}),
        json!({"after": [1]}),
        json!([1]),
        json!("after"),
    ] {
        let answer = socket.ask_to_join("lobby", &payload);
        assert_eq!(answer.reply(), ("error", &json!({"reason": "invalid"})));
    }
    socket.join("lobby", &json!({}));
}

#[test]
fn joining_makes_no_room() {
    let (server, ada) = room_with(0);
    let mut socket = server.socket(&ada);
    for room in ["attic", "", "two words", "Lobby", "lobby ", "room:lobby"] {
        let answer = socket.ask_to_join(room, &json!({}));
        assert_eq!(answer.reply(), ("error", &json!({"reason": "not_found"})));
    }
    let rooms = server.send(get("/api/rooms").bearer(&ada.token)).ok(200);
    assert_eq!(
        rooms,
        json!({"rooms": [{"name": "lobby", "seq": 0, "read_seq": 0, "unread": 0}]})
    );
    // Nor does it do harm to a room that is made later.
    server.room("attic");
    assert_eq!(socket.join("attic", &json!({}))["seq"], 0);
}

#[test]
fn rooms_of_one_socket_do_not_mix() {
    let server = Server::start();
    let ada = server.user("ada");
    let mut socket = server.socket(&ada);
    for room in ["lobby", "방"] {
        server.room(room);
        socket.join(room, &json!({}));
    }
    for n in 1..=3 {
        for room in ["방", "lobby"] {
            let posted = socket.posted(room, &json!({"body": room}));
            assert_eq!(posted["seq"], n);
            let message = socket.message(room);
            assert_eq!(
                (&message["seq"], &message["body"]),
                (&json!(n), &json!(room))
            );
        }
    }
}

#[test]
fn a_second_join_replaces_the_first() {
    let (server, ada) = room_with(2);
    let mut socket = server.socket(&ada);
    let first = socket.ask_to_join("lobby", &json!({}));
    let second = socket.ask_to_join("lobby", &json!({"after": 1}));
    assert_eq!(numbers(&second.payload["response"]), [2]);
    let close = socket.wait_for(|frame| frame.event == "phx_close");
    assert_eq!(
        (&close.join_ref, &close.msg_ref),
        (&first.join_ref, &first.join_ref)
    );
    // One subscription, and it is the second's.
    say(&server, &ada, 3, 3);
    assert_next(&mut socket, 3, 3);
    socket.nothing_more();
    let old = socket.push(
        &first.join_ref,
        "room:lobby",
        "new_msg",
        &json!({"body": "4"}),
    );
    socket.nothing_more();
    let new = socket.push(
        &second.join_ref,
        "room:lobby",
        "new_msg",
        &json!({"body": "4"}),
    );
    assert_ne!(old, new);
    let answer = socket.reply_to(&new);
    assert_eq!(
        (&answer.join_ref, answer.reply().0),
        (&second.join_ref, "ok")
    );
}

#[test]
fn who_left_hears_nothing_and_may_come_back() {
    let (server, ada) = room_with(1);
    let (mut socket, mut other) = (server.socket(&ada), server.socket(&ada));
    let join = socket.ask_to_join("lobby", &json!({}));
    other.join("lobby", &json!({}));
    let leave = socket.push(&join.join_ref, "room:lobby", "phx_leave", &json!({}));
    let (reply, close) = (socket.next(), socket.next());
    assert_eq!(reply.reply(), ("ok", &json!({})));
    assert_eq!(
        (&reply.join_ref, &reply.msg_ref),
        (&join.join_ref, &json!(leave))
    );
    assert_eq!((&*close.event, &close.payload), ("phx_close", &json!({})));
    assert_eq!(
        (&close.join_ref, &close.msg_ref),
        (&join.join_ref, &join.join_ref)
    );

    let (status, response) = socket.post("lobby", &json!({"body": "I am gone"}));
    assert_eq!(
        (&*status, &response),
        ("error", &json!({"reason": "unmatched topic"}))
    );
    say(&server, &ada, 2, 3);
    assert_next(&mut other, 2, 3);
    socket.nothing_more();
    let back = socket.join("lobby", &json!({"after": 1}));
    assert_eq!((&back["seq"], numbers(&back)), (&json!(3), vec![2, 3]));
    say(&server, &ada, 4, 4);
    assert_next(&mut socket, 4, 4);
}
