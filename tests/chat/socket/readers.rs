//! Readers that do not keep up.

use crate::faults::hold_writer;
use crate::server::{Server, User};
use crate::socket_client::topic;
use perennial::chat::body::Body;
use perennial::chat::config::Limit;
use perennial::chat::name::Name;
use serde_json::{Value, json};
use std::collections::HashMap;

/// More than the buffers of both ends of a loopback connection hold, and than may wait for one client.
const MESSAGES: u64 = 800;

/// 16 000 bytes.
fn long_body() -> String {
    "\u{1f600}".repeat(4_000)
}

#[test]
fn a_slow_reader_misses_nothing_and_holds_nobody_up() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut slow, mut quick) = (server.socket(&ada), server.socket(&bob));
    slow.join("lobby", &json!({}));
    quick.join("lobby", &json!({}));
    let room = Name::new("lobby").unwrap();
    let body = Body::new(&long_body()).unwrap();
    for seq in 1..=MESSAGES {
        let chat = server.program().chat();
        let posted = server.inside(|| chat.post(&bob.account, &room, body.clone(), None));
        assert_eq!(posted.unwrap().seq, seq);
        assert_eq!(quick.message("lobby")["seq"], seq);
    }
    // Only now it reads: all of it, from its connection or from the store.
    for seq in 1..=MESSAGES {
        assert_eq!(slow.message("lobby")["seq"], seq);
    }
    slow.nothing_more();
}

fn say(server: &Server, user: &User, room: &str, count: u64) {
    let room = Name::new(room).unwrap();
    server.inside(|| {
        for n in 1..=count {
            let body = Body::new(&n.to_string()).unwrap();
            let posted = server
                .program()
                .chat()
                .post(&user.account, &room, body, None);
            assert_eq!(posted.unwrap().seq, n);
        }
    });
}

// A page of what a client had missed was larger than what was left of its queue: it was closed for being slow, joined
// again, and was closed again, although it read all the time.
#[test]
fn pages_for_who_catches_up_fit_into_what_may_wait() {
    const COUNT: u64 = 500;
    let server = Server::with(|config| config.limits.outbound_frames = Limit::at(16));
    let ada = server.user("ada");
    server.room("lobby");
    say(&server, &ada, "lobby", COUNT);
    let mut socket = server.socket(&ada);
    let seen = socket.join("lobby", &json!({"after": 0}))["seq"]
        .as_u64()
        .unwrap();
    assert_eq!(seen, 200);
    for seq in seen + 1..=COUNT {
        assert_eq!(socket.message("lobby")["seq"], seq);
    }
}

#[test]
fn who_catches_up_in_many_rooms_at_once_gets_on() {
    const ROOMS: usize = 20;
    const COUNT: u64 = 100;
    // Joins are answered with little, so that nearly all of it has to follow; and one page of each room is several
    // times what may wait.
    let server = Server::with(|config| {
        config.limits.outbound_frames = Limit::at(128);
        config.limits.join_messages = Limit::at(1);
    });
    let ada = server.user("ada");
    let mut seen = HashMap::new();
    for n in 0..ROOMS {
        let room = format!("room-{n}");
        server.room(&room);
        say(&server, &ada, &room, COUNT);
        seen.insert(topic(&room), 0);
    }
    let mut socket = server.socket(&ada);
    for topic in seen.keys() {
        socket.push(&Value::Null, topic, "phx_join", &json!({"after": 0}));
    }
    while seen.values().any(|seen| *seen < COUNT) {
        let frame = socket.next();
        let seen = seen.get_mut(&frame.topic).unwrap();
        match &*frame.event {
            "new_msg" => {
                assert_eq!(frame.payload["seq"], *seen + 1);
                *seen += 1;
            }
            _ => {
                assert_eq!(frame.reply().0, "ok", "{frame:?}");
                *seen = 1;
            }
        }
    }
}

// What a room tells at once can be more than may wait for one client. All of it was written before anybody looked, and
// clients were closed for being slow that were not.
#[test]
fn a_commit_of_many_long_messages_closes_nobody() {
    const COUNT: u64 = 150;
    let server = Server::with(|config| {
        config.limits.outbound_bytes = Limit::at(200_000);
        config.limits.posts_in_flight = Limit::Off;
        config.limits.channel_mailbox = Limit::Off;
    });
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut socket, mut reader) = (server.socket(&ada), server.socket(&bob));
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "awake"}));
    reader.join("lobby", &json!({"after": 1}));
    let held = hold_writer(&server);
    let post = json!({"body": long_body()});
    let refs: Vec<String> = (1..COUNT)
        .map(|_| socket.push(&Value::Null, &topic("lobby"), "new_msg", &post))
        .collect();
    drop(held);
    for (seq, msg_ref) in (2..).zip(&refs) {
        assert_eq!(socket.reply_to(msg_ref).reply().1["seq"], seq);
    }
    // Only now the other reads.
    for seq in 2..=COUNT {
        assert_eq!(reader.message("lobby")["seq"], seq);
    }
    reader.nothing_more();
}
