//! Coming back after what was seen: whatever was missed comes, once, in order and without a gap.

use crate::server::{Server, User, unlimited};
use crate::socket_client::{Gone, Socket};
use perennial::chat::body::Body;
use perennial::chat::config::Limit;
use perennial::chat::name::Name;
use perennial::time::Clock;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn say(server: &Server, user: &User, body: &str) -> u64 {
    let (room, body) = (Name::new("lobby").unwrap(), Body::new(body).unwrap());
    let chat = server.program().chat();
    let posted = server.inside(|| chat.post(&user.account, &room, body, None));
    posted.unwrap().seq
}

fn numbers(response: &Value) -> Vec<u64> {
    let messages = response["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|m| m["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn thousands_that_were_missed_come_before_what_is_said_meanwhile() {
    const MISSED: u64 = 3_000;
    const MORE: u64 = 300;
    // Little may wait for the client, so that it is caught up page by page.
    let server = Server::with(|config| config.limits.outbound_frames = Limit::at(32));
    let ada = server.user("ada");
    server.room("lobby");
    for n in 1..=MISSED {
        assert_eq!(say(&server, &ada, &n.to_string()), n);
    }
    thread::scope(|scope| {
        let mut socket = server.socket(&ada);
        let joined = socket.join("lobby", &json!({"after": 7}));
        assert_eq!(joined["last_seq"], MISSED);
        let mut seen = 7;
        for seq in numbers(&joined) {
            assert_eq!(seq, seen + 1);
            seen = seq;
        }
        assert_eq!(joined["seq"], seen);
        scope.spawn(|| (0..MORE).for_each(|_| _ = say(&server, &ada, "meanwhile")));
        for seq in seen + 1..=MISSED + MORE {
            assert_eq!(socket.message("lobby")["seq"], seq);
        }
        socket.nothing_more();
    });
}

#[test]
fn a_second_join_of_one_socket_goes_on_after_its_own_number() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for n in 1..=5 {
        assert_eq!(say(&server, &ada, "x"), n);
    }
    for seq in 1..=5 {
        assert_eq!(socket.message("lobby")["seq"], seq);
    }
    // It asks for some of it once more, which is its right, and hears of what follows once.
    let joined = socket.join("lobby", &json!({"after": 3}));
    assert_eq!((numbers(&joined), &joined["seq"]), (vec![4, 5], &json!(5)));
    assert_eq!(say(&server, &ada, "x"), 6);
    let next = socket.wait_for(|frame| frame.event == "new_msg");
    assert_eq!(next.payload["seq"], 6);
    socket.wait_for(|frame| frame.event == "phx_close");
    socket.nothing_more();
}

#[test]
fn who_is_cut_off_again_and_again_hears_every_message_once() {
    const CUTS: usize = 60;
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let talker = scope.spawn(|| {
            let mut last = 0;
            while !over.load(Ordering::Relaxed) {
                last = say(&server, &bob, "x");
            }
            last
        });
        let mut seen = 0;
        let mut random = 0x2545_f491_u32;
        for _ in 0..CUTS {
            let mut socket = server.socket(&ada);
            listen(&mut socket, &mut seen, u64::from(random % 40));
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Dropped without a word.
        }
        over.store(true, Ordering::Relaxed);
        let last = talker.join().unwrap();
        let mut socket = server.socket(&ada);
        let rest = last - seen;
        listen(&mut socket, &mut seen, rest);
        assert_eq!(seen, last);
        socket.nothing_more();
    });
}

/// Joins after what was seen, and hears at least so many more.
#[track_caller]
fn listen(socket: &mut Socket, seen: &mut u64, count: u64) {
    let goal = *seen + count;
    let joined = socket.join("lobby", &json!({"after": *seen}));
    for seq in numbers(&joined) {
        assert_eq!(seq, *seen + 1);
        *seen = seq;
    }
    while *seen < goal {
        assert_eq!(socket.message("lobby")["seq"], *seen + 1);
        *seen += 1;
    }
}

// Frames that are no messages of a room cannot be read from the store later, so they are bounded: a client that does
// not read its answers is closed. What was said in its rooms it misses nothing of.
#[test]
fn a_slow_consumer_is_closed_with_4408_and_resumes_by_its_number() {
    // By a clock that stands still, so that a slow machine is not taken for a client that does not answer.
    let (clock, _hand) = Clock::manual();
    let config = |data: &Path| {
        let mut config = unlimited(data);
        config.limits.outbound_frames = Limit::at(16);
        // Nor by the system's.
        config.limits.write_timeout = Duration::ZERO;
        // A writer that waited for company would do so by that clock.
        config.store.commit_wait = Duration::ZERO;
        config
    };
    let server = Server::with_clock(config, Some(clock));
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let mut slow = server.socket(&ada);
    slow.join("lobby", &json!({}));
    assert_eq!(say(&server, &bob, "1"), 1);
    // Answers of 600 bytes, more than the system keeps for both ends; and what is said meanwhile.
    let topic = "x".repeat(500);
    for n in 0..30_000 {
        slow.push(&Value::Null, &topic, "y", &json!({}));
        if n % 100 == 0 {
            say(&server, &bob, "more");
        }
    }
    let mut seen = 0;
    let closed = loop {
        match slow.read() {
            Ok(frame) if frame.event == "new_msg" => {
                seen += 1;
                assert_eq!(frame.payload["seq"], seen);
            }
            Ok(_) => {}
            Err(gone) => break gone,
        }
    };
    assert_eq!(closed, Gone::Closed(Some(4408)));
    let last = say(&server, &bob, "last");
    let mut again = server.socket(&ada);
    let rest = last - seen;
    listen(&mut again, &mut seen, rest);
    assert_eq!(seen, last);
    again.nothing_more();
}
