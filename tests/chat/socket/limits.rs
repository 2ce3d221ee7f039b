//! What one user or one connection may take from the others.

use crate::faults::hold_writer;
use crate::server::Server;
use crate::socket_client::topic;
use perennial::chat::config::Limit;
use serde_json::{Value, json};

#[track_caller]
fn assert_later(refusal: &Value, reason: &str, ms_max: u64) {
    let ms = refusal["retry_after_ms"].as_u64().unwrap();
    assert_eq!(*refusal, json!({"reason": reason, "retry_after_ms": ms}));
    assert!((1..=ms_max).contains(&ms), "{refusal}");
}

#[test]
fn a_user_says_so_much_at_once_on_all_connections_together() {
    let server = Server::with(|config| {
        config.limits.messages_per_second = Limit::at(1);
        config.limits.messages_burst = Limit::at(3);
    });
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut one, mut other) = (server.socket(&ada), server.socket(&ada));
    let mut bobs = server.socket(&bob);
    for socket in [&mut one, &mut other, &mut bobs] {
        socket.join("lobby", &json!({}));
    }
    one.posted("lobby", &json!({"body": "1"}));
    other.posted("lobby", &json!({"body": "2"}));
    // What is refused for what it says takes nothing.
    one.refused("lobby", &json!({"body": ""}));
    one.posted("lobby", &json!({"body": "3"}));
    let refusal = loop {
        // A slow machine may have earned another one.
        let (status, response) = other.post("lobby", &json!({"body": "4"}));
        if status == "error" {
            break response;
        }
    };
    assert_later(&refusal, "rate_limited", 1_000);
    bobs.posted("lobby", &json!({"body": "mine"}));
}

#[test]
fn a_user_joins_so_often() {
    let server = Server::with(|config| config.limits.joins_per_second = Limit::at(1));
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    let refusal = loop {
        let answer = socket.ask_to_join("lobby", &json!({}));
        let (status, response) = answer.reply();
        if status == "error" {
            break response.clone();
        }
    };
    assert_later(&refusal, "rate_limited", 1_000);
}

// R4: a longer queue would only be a longer wait.
#[test]
fn a_room_has_so_many_posts_on_their_way() {
    let server = Server::with(|config| config.limits.posts_in_flight = Limit::at(2));
    let ada = server.user("ada");
    server.room("lobby");
    server.room("attic");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.join("attic", &json!({}));
    socket.posted("lobby", &json!({"body": "1"}));
    socket.posted("attic", &json!({"body": "1"}));
    let held = hold_writer(&server);
    let push = |socket: &mut crate::socket_client::Socket, room: &str, body: &str| {
        socket.push(
            &Value::Null,
            &topic(room),
            "new_msg",
            &json!({"body": body}),
        )
    };
    let taken = [
        push(&mut socket, "lobby", "2"),
        push(&mut socket, "lobby", "3"),
    ];
    let refused = push(&mut socket, "lobby", "4");
    let answer = socket.reply_to(&refused);
    assert_eq!(answer.reply().0, "error");
    assert_later(answer.reply().1, "busy", 10_000);
    // One room's queue is not another's.
    let elsewhere = push(&mut socket, "attic", "2");
    drop(held);
    for (seq, msg_ref) in (2..).zip(&taken) {
        assert_eq!(socket.reply_to(msg_ref).reply().1["seq"], seq);
    }
    assert_eq!(socket.reply_to(&elsewhere).reply().1["seq"], 2);
    assert_eq!(socket.posted("lobby", &json!({"body": "4"}))["seq"], 4);
}

#[test]
fn a_room_that_was_left_makes_place_for_another() {
    let server = Server::with(|config| config.limits.topics_per_socket = Limit::at(2));
    let ada = server.user("ada");
    let mut socket = server.socket(&ada);
    for room in ["a", "b", "c"] {
        server.room(room);
    }
    socket.join("a", &json!({}));
    let join = socket.ask_to_join("b", &json!({}));
    let third = socket.ask_to_join("c", &json!({}));
    assert_eq!(
        third.reply(),
        ("error", &json!({"reason": "too many channels joined"}))
    );
    let leave = socket.push(&join.join_ref, "room:b", "phx_leave", &json!({}));
    socket.reply_to(&leave);
    socket.wait_for(|frame| frame.event == "phx_close");
    socket.join("c", &json!({}));
}

#[test]
fn connections_from_one_address_are_limited() {
    let server = Server::with(|config| config.limits.connections_per_ip = Limit::at(2));
    let ada = server.user("ada");
    let (_one, other) = (server.socket(&ada), server.socket(&ada));
    let refused = crate::socket_client::Socket::connect(server.addr(), &ada.token);
    let answer = refused.map(|_| ()).unwrap_err();
    assert_eq!(answer.status, 503);
    other.close();
    crate::faults::eventually("the place of a connection that has gone is free", || {
        crate::socket_client::Socket::connect(server.addr(), &ada.token).is_ok()
    });
}
