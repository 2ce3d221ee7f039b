//! In which order the posts of one socket are numbered, whatever comes between.

use crate::faults::{eventually, hold_writer, is_alive, kill, room};
use crate::server::Server;
use crate::socket_client::{Socket, topic};
use perennial::chat::config::Limit;
use perennial::chat::name::Name;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn push(socket: &mut Socket, body: &str) -> String {
    let post = json!({"body": body, "client_id": body});
    socket.push(&Value::Null, &topic("lobby"), "new_msg", &post)
}

/// The number that a post got, or why it was refused.
fn outcome(socket: &mut Socket, msg_ref: &str) -> Result<u64, String> {
    let answer = socket.reply_to(msg_ref);
    match answer.reply() {
        ("ok", response) => Ok(response["seq"].as_u64().unwrap()),
        (_, response) => Err(response["reason"].as_str().unwrap().to_owned()),
    }
}

// The first of two posts found that its room had ended, and was sent again when there was a new one; the second found
// the new one already, and had the smaller number.
#[test]
fn posts_keep_their_order_while_their_room_ends_and_starts() {
    const ROUNDS: usize = 150;
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    let name = Name::new("lobby").unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Somebody else who wants the room, so that it is back at any moment.
        scope.spawn(|| {
            let _entered = server.runtime().enter();
            while !over.load(Ordering::Relaxed) {
                let _ = server.program().chat().open_room(&name);
            }
        });
        let over = Over(&over);
        let mut last = 0;
        for round in 0..ROUNDS {
            if let Some(pid) = room(&server, "lobby") {
                kill(&server, pid);
            }
            let refs: Vec<String> = (0..12)
                .map(|n| push(&mut socket, &format!("{round}-{n}")))
                .collect();
            for msg_ref in refs {
                // A post may be in the mailbox of a room that is killed: that is told, and it has no place.
                if let Ok(seq) = outcome(&mut socket, &msg_ref) {
                    assert!(seq > last, "{seq} after {last} in round {round}");
                    last = seq;
                }
            }
            socket.forget();
        }
        assert!(last > ROUNDS as u64, "only {last} posts were taken");
        drop(over);
    });
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_post_that_was_busy_gets_its_place_when_it_is_taken() {
    let server = Server::with(|config| config.limits.posts_in_flight = Limit::at(2));
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    assert_eq!(socket.posted("lobby", &json!({"body": "awake"}))["seq"], 1);
    let held = hold_writer(&server);
    let (a, b, c) = (
        push(&mut socket, "a"),
        push(&mut socket, "b"),
        push(&mut socket, "c"),
    );
    assert_eq!(outcome(&mut socket, &c), Err("busy".to_owned()));
    drop(held);
    assert_eq!(outcome(&mut socket, &a), Ok(2));
    assert_eq!(outcome(&mut socket, &b), Ok(3));
    // The first is sent once more: it has its place already, and the others keep theirs.
    let (d, a_again, c_again) = (
        push(&mut socket, "d"),
        push(&mut socket, "a"),
        push(&mut socket, "c"),
    );
    let mut taken = |msg_ref: &str| outcome(&mut socket, msg_ref);
    assert_eq!(taken(&d), Ok(4));
    assert_eq!(taken(&a_again), Ok(2));
    // The room may have been busy with the two before.
    let c = match taken(&c_again) {
        Err(reason) => {
            assert_eq!(reason, "busy");
            let c = push(&mut socket, "c");
            outcome(&mut socket, &c)
        }
        taken => taken,
    };
    assert_eq!(c, Ok(5));
}

#[test]
fn a_post_whose_first_try_was_lost_with_the_room_keeps_its_place_if_it_was_written() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "awake"}));
    let held = hold_writer(&server);
    let a = push(&mut socket, "a");
    let pid = room(&server, "lobby").unwrap();
    eventually("the room has the post on its way", || {
        server.inside(|| {
            let writer = crate::faults::WRITER.whereis().unwrap();
            perennial::process::info(writer.pid()).is_some_and(|info| info.message_queue_len > 0)
        })
    });
    kill(&server, pid);
    assert_eq!(outcome(&mut socket, &a), Err("storage".to_owned()));
    assert!(!is_alive(&server, pid));
    let (b, a_again) = (push(&mut socket, "b"), push(&mut socket, "a"));
    drop(held);
    assert_eq!(outcome(&mut socket, &a_again), Ok(2));
    assert_eq!(outcome(&mut socket, &b), Ok(3));
}
