//! Every limit bites when it is small, and is gone when it is 0: the same provocation, twice.

use crate::faults::{eventually, hold_writer, labelled, room};
use crate::http_client::{get, post};
use crate::server::Server;
use crate::socket_client::{Gone, Socket, topic};
use perennial::chat::RoomMsg;
use perennial::chat::config::{Config, Place, Setting};
use perennial::chat::config_key::KEYS;
use perennial::chat::name::Name;
use perennial::chat::store::Page;
use perennial::prelude::Dest;
use perennial::sys;
use perennial::time::{Clock, ManualClock};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// A server all of whose limits are off but these.
fn server(settings: &[(&str, &str)]) -> (Server, ManualClock) {
    let (clock, hand) = Clock::manual();
    let server = Server::with_clock(|data| config(data, settings), Some(clock));
    (server, hand)
}

fn config(data: &Path, settings: &[(&str, &str)]) -> Config {
    let off = KEYS
        .iter()
        .filter(|key| key.name.starts_with("limits."))
        .map(|key| (key.name, "0"));
    // A writer that waited for company would do so by the clock that stands still.
    let fixed = [("store.commit_wait", "0")];
    let all = off.chain(fixed).chain(settings.iter().copied());
    let setting = |(key, value): (&str, &str)| Setting {
        key: key.into(),
        value: value.into(),
        place: Place::Set,
    };
    let config = Config::new(all.map(setting)).unwrap();
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.to_owned(),
        ..config
    }
}

/// Plays a provocation against a small limit, which must bite, and against none, which must not.
fn bites_unless_off(
    key: &str,
    small: &str,
    others: &[(&str, &str)],
    provoke: impl Fn(&Server, &ManualClock) -> bool,
) {
    for (value, bites) in [(small, true), ("0", false)] {
        let mut settings = others.to_vec();
        settings.push((key, value));
        let (server, hand) = server(&settings);
        assert_eq!(provoke(&server, &hand), bites, "{key}={value}");
    }
}

/// Somebody in a room, which has answered once.
fn in_room(server: &Server) -> Socket {
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "x"}));
    socket
}

fn push(socket: &mut Socket, event: &str, payload: &Value) -> String {
    socket.push(&Value::Null, &topic("lobby"), event, payload)
}

/// Sends events one after another, and tells whether one of them was refused with this reason.
fn refuses(socket: &mut Socket, reason: &str, events: &[(&str, Value)]) -> bool {
    let refs: Vec<String> = events
        .iter()
        .map(|(event, payload)| push(socket, event, payload))
        .collect();
    refused(socket, reason, &refs)
}

fn refused(socket: &mut Socket, reason: &str, refs: &[String]) -> bool {
    let mut is_refused = false;
    for msg_ref in refs {
        let answer = socket.reply_to(msg_ref);
        let (status, response) = answer.reply();
        if status == "error" {
            assert_eq!(response["reason"], reason);
            is_refused = true;
        }
    }
    is_refused
}

fn posts(count: usize, body: &str) -> Vec<(&'static str, Value)> {
    vec![("new_msg", json!({"body": body})); count]
}

#[test]
fn every_limit_is_played_here() {
    let played = include_str!("switched_off.rs");
    for key in KEYS.iter().filter(|key| key.name.starts_with("limits.")) {
        assert!(
            played.contains(&format!("\"{}\"", key.name)),
            "{}",
            key.name
        );
    }
}

#[test]
fn messages() {
    let one = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        refuses(&mut socket, "rate_limited", &posts(30, "x"))
    };
    let (rate, burst) = ("limits.messages_per_second", "limits.messages_burst");
    bites_unless_off(rate, "1", &[(burst, "3")], one);
    bites_unless_off(burst, "3", &[(rate, "1")], one);
    let long = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        refuses(&mut socket, "too_long", &posts(1, &"x".repeat(20_000)))
    };
    bites_unless_off("limits.message_length", "19999", &[], long);
    bites_unless_off("limits.message_bytes", "19999", &[], long);
}

#[test]
fn joins_reads_and_topics() {
    let joins = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let mut is_refused = || socket.ask_to_join("lobby", &json!({})).reply().0 == "error";
        (0..10).any(|_| is_refused())
    };
    bites_unless_off("limits.joins_per_second", "1", &[], joins);
    let reads = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        for _ in 0..10 {
            socket.posted("lobby", &json!({"body": "x"}));
        }
        let reads = (1..=10).map(|seq| ("read", json!({"seq": seq})));
        refuses(&mut socket, "rate_limited", &reads.collect::<Vec<_>>())
    };
    bites_unless_off("limits.reads_per_second", "1", &[], reads);
    let topics = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        server.room("attic");
        let answer = socket.ask_to_join("attic", &json!({}));
        answer.reply().0 == "error"
    };
    bites_unless_off("limits.topics_per_socket", "1", &[], topics);
    let page = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        socket.posted("lobby", &json!({"body": "x"}));
        let joined = socket.join("lobby", &json!({"after": 0}));
        joined["messages"].as_array().unwrap().len() == 1
    };
    bites_unless_off("limits.join_messages", "1", &[], page);
}

#[test]
fn sign_ins() {
    let sign_ins = |server: &Server, _: &ManualClock| {
        let credentials = json!({"username": "no name", "password": "x"});
        (0..15).any(|_| server.send(post("/api/session", &credentials)).status == 429)
    };
    bites_unless_off("limits.sign_ins_per_minute", "3", &[], sign_ins);
}

#[test]
fn connections() {
    let connections = |server: &Server, _: &ManualClock| {
        let many: Vec<TcpStream> = (0..20)
            .map(|_| TcpStream::connect(server.addr()).unwrap())
            .collect();
        let refused = |mut stream: &TcpStream| {
            // Each is answered: with 503 at once, or with what it asks for.
            let request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
            let _ = stream.write_all(request);
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            answer.ends_with(b"503")
        };
        many.iter().any(refused)
    };
    for key in [
        "limits.connections",
        "limits.connections_per_ip",
        "limits.connections_unauthenticated",
    ] {
        bites_unless_off(key, "10", &[], connections);
    }
}

#[test]
fn frames() {
    let many = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let beat = json!([null, "b", "phoenix", "heartbeat", {}]).to_string();
        let sent = (0..200).all(|_| socket.send_text(&beat).is_ok());
        let last = sent
            .then(|| socket.try_push(&Value::Null, "phoenix", "heartbeat", &json!({})))
            .and_then(Result::ok);
        loop {
            match socket.read() {
                Ok(frame) if Some(&frame.msg_ref) == last.clone().map(Value::from).as_ref() => {
                    return false;
                }
                Ok(_) => {}
                Err(gone) => {
                    assert_eq!(gone, Gone::Closed(Some(4429)));
                    return true;
                }
            }
        }
    };
    bites_unless_off("limits.frames_per_second", "20", &[], many);
    let long = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let text = json!([null, "x", "phoenix", "heartbeat", {"x": "x".repeat(200_000)}]);
        let _ = socket.send_text(&text.to_string());
        loop {
            match socket.read() {
                Ok(frame) if frame.msg_ref == "x" => return false,
                Ok(_) => {}
                Err(gone) => {
                    let closed = matches!(gone, Gone::Closed(Some(1009)) | Gone::Lost);
                    assert!(closed, "{gone:?}");
                    return true;
                }
            }
        }
    };
    bites_unless_off("limits.frame_bytes", "100000", &[], long);
}

#[test]
fn posts_on_their_way() {
    let posts = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let held = hold_writer(server);
        let refs: Vec<String> = (0..600)
            .map(|_| push(&mut socket, "new_msg", &json!({"body": "x"})))
            .collect();
        handled_by_room(server, &mut socket);
        drop(held);
        refused(&mut socket, "busy", &refs)
    };
    bites_unless_off("limits.posts_in_flight", "500", &[], posts);
}

/// Waits until the channel has given the room all that its client has said so far.
#[track_caller]
fn given_to_room(socket: &mut Socket) {
    let last = push(socket, "shout", &json!({}));
    socket.reply_to(&last);
}

/// Waits until the room has handled all that the client has said so far.
#[track_caller]
fn handled_by_room(server: &Server, socket: &mut Socket) {
    given_to_room(socket);
    server.inside(|| {
        let room = server.program().chat().running_room("lobby").unwrap();
        room.call(RoomMsg::Head).unwrap()
    });
}

#[test]
fn mailboxes() {
    let of_room = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let pid = room(server, "lobby").unwrap();
        server.inside(|| sys::suspend(pid)).unwrap();
        let refs: Vec<String> = (0..40)
            .map(|_| push(&mut socket, "new_msg", &json!({"body": "x"})))
            .collect();
        given_to_room(&mut socket);
        server.inside(|| sys::resume(pid)).unwrap();
        refused(&mut socket, "busy", &refs)
    };
    bites_unless_off("limits.room_mailbox", "10", &[], of_room);
    let of_channel = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let [channel] = labelled(server, "room:lobby")[..] else {
            panic!("one channel");
        };
        server.inside(|| sys::suspend(channel)).unwrap();
        let refs: Vec<String> = (0..100)
            .map(|_| push(&mut socket, "shout", &json!({})))
            .collect();
        // The connection has taken all of them.
        socket.heartbeat();
        server.inside(|| sys::resume(channel)).unwrap();
        let mut is_busy = |msg_ref: &String| {
            let answer = socket.reply_to(msg_ref);
            answer.reply().1["reason"] == "busy"
        };
        refs.iter().filter(|msg_ref| is_busy(msg_ref)).count() > 0
    };
    bites_unless_off("limits.channel_mailbox", "10", &[], of_channel);
    let of_writer = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let held = hold_writer(server);
        let refs: Vec<String> = (0..40)
            .map(|_| push(&mut socket, "new_msg", &json!({"body": "x"})))
            .collect();
        handled_by_room(server, &mut socket);
        drop(held);
        refused(&mut socket, "busy", &refs)
    };
    bites_unless_off("limits.store_queue", "10", &[], of_writer);
}

/// Answers of 600 bytes that nobody reads: more than the system keeps for both ends, so that some wait here.
const UNREAD: usize = 30_000;

#[test]
fn what_waits_for_a_slow_reader() {
    let slow = |server: &Server, _: &ManualClock| {
        let mut socket = in_room(server);
        let long = "x".repeat(500);
        for _ in 0..UNREAD {
            if socket
                .try_push(&Value::Null, &long, "y", &json!({}))
                .is_err()
            {
                return true;
            }
        }
        let last = socket.try_push(&Value::Null, "phoenix", "heartbeat", &json!({}));
        let Ok(last) = last else { return true };
        loop {
            match socket.read() {
                Ok(frame) if frame.msg_ref == *last => return false,
                Ok(_) => {}
                Err(gone) => {
                    assert_eq!(gone, Gone::Closed(Some(4408)));
                    return true;
                }
            }
        }
    };
    bites_unless_off("limits.outbound_frames", "8", &[], slow);
    bites_unless_off("limits.outbound_bytes", "8000", &[], slow);
}

const LONG: Duration = Duration::from_secs(600);

/// Lets a long time pass, and returns when the server has looked at the clock.
fn pass(server: &Server, hand: &ManualClock) {
    hand.advance(LONG);
    for _ in 0..2 {
        server.send(get("/health")).ok(200);
    }
}

#[test]
fn silence() {
    let idle = |server: &Server, hand: &ManualClock| {
        let mut socket = in_room(server);
        pass(server, hand);
        let beat = socket.try_push(&Value::Null, "phoenix", "heartbeat", &json!({}));
        let Ok(beat) = beat else { return true };
        loop {
            match socket.read() {
                Ok(frame) if frame.msg_ref == *beat => return false,
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    };
    bites_unless_off("limits.idle_timeout", "60s", &[], idle);
    let keep_alive = |server: &Server, hand: &ManualClock| {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        let mut ask = || -> std::io::Result<[u8; 12]> {
            stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")?;
            let mut answer = Vec::new();
            let mut byte = [0];
            while !answer.ends_with(br#""ok"}"#) {
                stream.read_exact(&mut byte)?;
                answer.extend(byte);
            }
            Ok(answer[..12].try_into().unwrap())
        };
        assert_eq!(ask().unwrap(), *b"HTTP/1.1 200");
        pass(server, hand);
        ask().is_err()
    };
    bites_unless_off("limits.keep_alive", "60s", &[], keep_alive);
}

#[test]
fn a_peer_that_takes_nothing() {
    let stalled = |server: &Server, hand: &ManualClock| {
        let mut socket = in_room(server);
        let long = "x".repeat(500);
        for _ in 0..UNREAD {
            if socket
                .try_push(&Value::Null, &long, "y", &json!({}))
                .is_err()
            {
                return true;
            }
        }
        // When this is there, all answers to what came before it are on their way to the peer.
        push(&mut socket, "new_msg", &json!({"body": "last"}));
        let (chat, lobby) = (server.program().chat(), Name::new("lobby").unwrap());
        eventually("all was handled", || {
            let page = server.inside(|| chat.history(&lobby, Page::Newest, 1));
            page.unwrap().unwrap()[0].seq == 2
        });
        let Ok(last) = socket.try_push(&Value::Null, "phoenix", "heartbeat", &json!({})) else {
            return true;
        };
        pass(server, hand);
        loop {
            match socket.read() {
                Ok(frame) if frame.msg_ref == *last => return false,
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    };
    bites_unless_off("limits.write_timeout", "60s", &[], stalled);
}
