//! What is bounded: posts on their way, what waits for a room, and that reads and writes do not wait for one another.

use crate::faults::{eventually, hold_writer, room};
use crate::http_client::get;
use crate::server::Server;
use crate::socket_client::{Socket, topic};
use perennial::chat::config::Limit;
use perennial::process;
use perennial::sys;
use serde_json::{Value, json};

fn push(socket: &mut Socket, body: &str) -> String {
    let post = json!({"body": body, "client_id": body});
    socket.push(&Value::Null, &topic("lobby"), "new_msg", &post)
}

/// What a post that is refused as `busy` is told to wait, in milliseconds.
#[track_caller]
fn wait_of(socket: &mut Socket, msg_ref: &str) -> u64 {
    let answer = socket.reply_to(msg_ref);
    let ("error", response) = answer.reply() else {
        panic!("{answer:?}");
    };
    let ms = response["retry_after_ms"].as_u64().unwrap();
    assert_eq!(*response, json!({"reason": "busy", "retry_after_ms": ms}));
    ms
}

#[test]
fn a_room_that_is_busy_says_to_come_back_the_later_the_more_it_has_refused() {
    let server = Server::with(|config| config.limits.posts_in_flight = Limit::at(2));
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "awake"}));
    let held = hold_writer(&server);
    let taken = [push(&mut socket, "a"), push(&mut socket, "b")];
    let waits: Vec<u64> = (0..20)
        .map(|n| {
            let msg_ref = push(&mut socket, &format!("refused-{n}"));
            wait_of(&mut socket, &msg_ref)
        })
        .collect();
    assert!(waits.is_sorted(), "{waits:?}");
    // Two come back with each crossing, so the last is some ten crossings away.
    assert!(waits[19] >= 5 * waits[0], "{waits:?}");
    assert!(waits[0] >= 50 && waits[19] <= 10_000, "{waits:?}");
    drop(held);
    for (seq, msg_ref) in (2..).zip(&taken) {
        assert_eq!(socket.reply_to(msg_ref).reply().1["seq"], seq);
    }
    // All of them get in, under the ids that were refused, each once.
    for n in 0..20 {
        let body = format!("refused-{n}");
        let seq = loop {
            let msg_ref = push(&mut socket, &body);
            let answer = socket.reply_to(&msg_ref);
            if let ("ok", response) = answer.reply() {
                break response["seq"].clone();
            }
        };
        assert_eq!(seq, n + 4);
    }
}

#[test]
fn what_waits_for_a_room_that_does_not_run_is_bounded() {
    let server = Server::with(|config| config.limits.room_mailbox = Limit::at(3));
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "awake"}));
    let pid = room(&server, "lobby").unwrap();
    server.inside(|| sys::suspend(pid)).unwrap();
    let refs: Vec<String> = (0..10).map(|n| push(&mut socket, &n.to_string())).collect();
    for msg_ref in &refs[3..] {
        assert_eq!(wait_of(&mut socket, msg_ref), 1_000);
    }
    server.inside(|| sys::resume(pid)).unwrap();
    for (seq, msg_ref) in (2..5).zip(&refs) {
        assert_eq!(socket.reply_to(msg_ref).reply().1["seq"], seq);
    }
    assert_eq!(socket.posted("lobby", &json!({"body": "x"}))["seq"], 5);
}

#[test]
fn a_busy_room_does_not_delay_who_reads_it() {
    let server = Server::with(|config| config.limits.posts_in_flight = Limit::at(4));
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for n in 1..=300 {
        assert_eq!(socket.posted("lobby", &json!({"body": "x"}))["seq"], n);
    }
    let pid = room(&server, "lobby").unwrap();
    let held = hold_writer(&server);
    let refs: Vec<String> = (0..5).map(|n| push(&mut socket, &n.to_string())).collect();
    wait_of(&mut socket, &refs[4]);
    // Not even the process of the room is asked.
    server.inside(|| sys::suspend(pid)).unwrap();
    let page = get("/api/rooms/lobby/messages?before=200&limit=100").bearer(&ada.token);
    let page = server.send(page).ok(200);
    assert_eq!(page["messages"].as_array().unwrap().len(), 100);
    let mut other = server.socket(&ada);
    let joined = other.join("lobby", &json!({"after": 20}));
    assert_eq!(joined["seq"], 220);
    for seq in 221..=300 {
        assert_eq!(other.message("lobby")["seq"], seq);
    }
    server.inside(|| sys::resume(pid)).unwrap();
    drop(held);
    for (seq, msg_ref) in (301..305).zip(&refs) {
        assert_eq!(socket.reply_to(msg_ref).reply().1["seq"], seq);
        assert_eq!(other.message("lobby")["seq"], seq);
    }
}

#[test]
fn readers_that_are_busy_do_not_delay_what_is_said() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut socket, mut other) = (server.socket(&ada), server.socket(&bob));
    socket.join("lobby", &json!({}));
    other.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "awake"}));
    assert_eq!(other.message("lobby")["seq"], 1);
    let readers = server.inside(|| {
        ["chat.store.reader-1", "chat.store.reader-2"].map(|name| process::whereis(name).unwrap())
    });
    server.inside(|| readers.map(|reader| sys::suspend(reader).unwrap()));
    // Somebody waits for a page meanwhile.
    let page = get("/api/rooms/lobby/messages").bearer(&ada.token);
    let addr = server.addr();
    let waiting = std::thread::spawn(move || page.send(addr).ok(200));
    eventually("the page is asked for", || {
        let waits = |pid| process::info(pid).is_some_and(|info| info.message_queue_len > 0);
        server.inside(|| readers.into_iter().any(waits))
    });
    for seq in 2..=40 {
        assert_eq!(socket.posted("lobby", &json!({"body": "x"}))["seq"], seq);
        assert_eq!(other.message("lobby")["seq"], seq);
    }
    assert!(!waiting.is_finished());
    server.inside(|| readers.map(|reader| sys::resume(reader).unwrap()));
    let page = waiting.join().unwrap();
    assert_eq!(page["messages"].as_array().unwrap().len(), 40);
}
