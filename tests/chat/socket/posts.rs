//! Saying something: the answer, the broadcast, and what is refused.

use crate::http_client::get;
use crate::server::Server;
use serde_json::{Value, json};

#[test]
fn a_post_is_answered_and_everybody_hears_it_once() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut one, mut other) = (server.socket(&ada), server.socket(&bob));
    one.join("lobby", &json!({}));
    other.join("lobby", &json!({}));
    let posted = one.posted(
        "lobby",
        &json!({"body": "안녕 <b>\"x\"\n</b>", "client_id": "c-1"}),
    );
    assert_eq!(posted, json!({"seq": 1, "at": posted["at"]}));
    assert!(posted["at"].is_i64());
    let message = json!({
        "seq": 1,
        "user": "ada",
        "body": "안녕 <b>\"x\"\n</b>",
        "at": posted["at"],
        "client_id": "c-1",
    });
    assert_eq!(one.message("lobby"), message);
    assert_eq!(other.message("lobby"), message);
    let answered = other.posted("lobby", &json!({"body": "hello", "client_id": null}));
    assert_eq!(answered["seq"], 2);
    for socket in [&mut one, &mut other] {
        let message = socket.message("lobby");
        assert_eq!(
            (&message["user"], &message["seq"]),
            (&json!("bob"), &json!(2))
        );
        assert_eq!(message["client_id"], Value::Null);
        socket.nothing_more();
    }
    // The same on HTTP, letter by letter.
    let page = get("/api/rooms/lobby/messages").bearer(&bob.token);
    assert_eq!(server.send(page).ok(200)["messages"][0], message);
}

#[test]
fn a_repeated_post_gets_the_first_answer_and_is_heard_once() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    server.room("attic");
    let (mut socket, mut other) = (server.socket(&ada), server.socket(&bob));
    socket.join("lobby", &json!({}));
    other.join("lobby", &json!({}));
    let first = socket.posted("lobby", &json!({"body": "one", "client_id": "c"}));
    // What it says the second time is not asked.
    let again = socket.posted("lobby", &json!({"body": "two", "client_id": "c"}));
    assert_eq!(again, first);
    // Another connection of the same user is no other sender.
    let mut elsewhere = server.socket(&ada);
    elsewhere.join("lobby", &json!({}));
    assert_eq!(
        elsewhere.posted("lobby", &json!({"body": "one", "client_id": "c"})),
        first
    );
    assert_eq!(other.message("lobby")["body"], "one");
    other.nothing_more();

    // Another user and another room are.
    assert_eq!(
        other.posted("lobby", &json!({"body": "mine", "client_id": "c"}))["seq"],
        2
    );
    socket.join("attic", &json!({}));
    assert_eq!(
        socket.posted("attic", &json!({"body": "there", "client_id": "c"}))["seq"],
        1
    );
    // Without an id nothing is a repetition.
    for seq in [3, 4] {
        assert_eq!(socket.posted("lobby", &json!({"body": "one"}))["seq"], seq);
    }
    let page = get("/api/rooms/lobby/messages").bearer(&ada.token);
    let page = server.send(page).ok(200);
    let bodies = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["body"]);
    assert_eq!(bodies.collect::<Vec<_>>(), ["one", "mine", "one", "one"]);
}

#[test]
fn posts_that_are_no_posts_are_refused_and_nothing_is_heard() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for payload in [
        json!({}),
        json!({"body": null}),
        json!({"body": 7}),
        json!({"body": ["x"]}),
        json!({"body": ""}),
        json!({"body": " \n\t\u{200b}"}),
        json!({"body": "\u{0}\u{7}"}),
        json!({"body": "x", "client_id": 7}),
        json!({"body": "x", "client_id": "x".repeat(65)}),
        json!({"body": "x", "client_id": "방".repeat(22)}),
        json!(["x"]),
        json!("x"),
        Value::Null,
    ] {
        assert_eq!(
            socket.refused("lobby", &payload),
            json!({"reason": "invalid"})
        );
    }
    socket.nothing_more();
    let longest = "x".repeat(64);
    let posted = socket.posted(
        "lobby",
        &json!({"body": "x", "client_id": longest, "more": 1}),
    );
    assert_eq!(posted["seq"], 1, "no number was spent");
    assert_eq!(socket.message("lobby")["client_id"], longest);
}

#[test]
fn an_empty_client_id_is_none() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for seq in [1, 2] {
        let posted = socket.posted("lobby", &json!({"body": "x", "client_id": ""}));
        assert_eq!(posted["seq"], seq, "it repeats nothing");
        assert_eq!(socket.message("lobby")["client_id"], Value::Null);
    }
}

#[test]
fn a_body_has_four_thousand_code_points() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for letter in ["x", "방", "\u{1f600}", "\""] {
        let body = letter.repeat(4_000);
        socket.posted("lobby", &json!({"body": body}));
        assert_eq!(socket.message("lobby")["body"], body);
        let body = letter.repeat(4_001);
        assert_eq!(
            socket.refused("lobby", &json!({"body": body})),
            json!({"reason": "too_long"})
        );
    }
    // More than 16 KiB, as large as a frame may be.
    let body = "x".repeat(60_000);
    assert_eq!(
        socket.refused("lobby", &json!({"body": body})),
        json!({"reason": "too_long"})
    );
    socket.nothing_more();
}

#[test]
fn events_that_nobody_knows_are_refused_and_the_channel_lives() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for event in ["shout", "", "new_msg ", "phx_reply", "presence_state"] {
        let msg_ref = socket.push(&Value::Null, "room:lobby", event, &json!({"body": "x"}));
        let answer = socket.reply_to(&msg_ref);
        assert_eq!(
            answer.reply(),
            ("error", &json!({"reason": "invalid"})),
            "{event}"
        );
    }
    assert_eq!(socket.posted("lobby", &json!({"body": "x"}))["seq"], 1);
}

#[test]
fn posts_of_one_socket_are_numbered_in_the_order_they_were_sent() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    let mut asked = Vec::new();
    for n in 1..=32 {
        let body = json!({"body": n.to_string()});
        asked.push(socket.push(&Value::Null, "room:lobby", "new_msg", &body));
    }
    for (n, msg_ref) in (1..).zip(asked) {
        let answer = socket.reply_to(&msg_ref);
        assert_eq!(answer.reply().1["seq"], n);
    }
    for n in 1..=32 {
        let message = socket.message("lobby");
        assert_eq!(
            (&message["seq"], &message["body"]),
            (&json!(n), &json!(n.to_string()))
        );
    }
    socket.nothing_more();
}
