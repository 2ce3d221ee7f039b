//! A room to which the writer owes an answer reminds itself to ask again; a full mailbox takes no reminder.

use crate::faults::{WRITER, eventually, hold_writer, kill};
use crate::server::{PATIENCE, Server, unlimited};
use crate::socket_client::topic;
use perennial::chat::RoomMsg;
use perennial::chat::config::Limit;
use perennial::prelude::*;
use perennial::process::CallError;
use perennial::sys;
use perennial::time::Clock;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const MAILBOX: u32 = 10;

#[test]
fn room_that_was_not_reminded_asks_by_itself() {
    let (clock, hand) = Clock::manual();
    let config = |data: &Path| {
        let mut config = unlimited(data);
        config.limits.room_mailbox = Limit::at(MAILBOX);
        // A writer that waited for company would do so by the clock that stands still.
        config.store.commit_wait = Duration::ZERO;
        config
    };
    // The room looks at the store's clock, and its reminder comes by that of the runtime.
    let same = clock.clone();
    let server = Server::start_as(config, |store| store.clock = same, Some(clock));
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    // The room starts, asks the writer, and is told that it is gone.
    let held = hold_writer(&server);
    socket.join("lobby", &json!({}));
    let early = socket.push(
        &Value::Null,
        &topic("lobby"),
        "new_msg",
        &json!({"body": "a"}),
    );
    let running = || server.program().chat().running_room("lobby");
    let room = server.inside(running).expect("it is joined");
    let writer = server.inside(|| WRITER.whereis()).expect("it is busy");
    // The channel has given it the post when it answers, and the room has taken it when that does.
    let other = socket.push(&Value::Null, &topic("lobby"), "shout", &json!({}));
    socket.reply_to(&other);
    let head = server.inside(|| room.call_for(PATIENCE, RoomMsg::Head));
    assert_eq!(head, Ok(0));
    kill(&server, writer.pid());
    drop(held);
    let refused = socket.reply_to(&early);
    assert_eq!(refused.reply().1["reason"], "storage");
    eventually("the writer is back", || {
        let now = server.inside(|| WRITER.whereis());
        now.is_some_and(|now| now != writer)
    });
    // From here on a reminder is on its way, and meets a full mailbox.
    let pid = room.pid();
    server.inside(|| sys::suspend(pid)).expect("it lives");
    let heads: Vec<_> = (0..=MAILBOX)
        .map(|_| server.inside(|| room.send_request(RoomMsg::Head)))
        .collect();
    let timers = || server.runtime().counts().timers;
    let before = timers();
    hand.advance(Duration::from_millis(250));
    eventually("a timer has fired", || timers() < before);
    server.inside(|| sys::resume(pid)).expect("it lives");
    let answers: Vec<_> = heads
        .into_iter()
        .map(|head| server.inside(|| head.receive(PATIENCE)))
        .collect();
    let (full, last) = answers.split_at(MAILBOX as usize);
    assert!(full.iter().all(|head| *head == Ok(0)), "{answers:?}");
    assert_eq!(last, [Err(CallError::Overloaded)]);
    // Until it has the answer it keeps what it is told.
    assert_eq!(socket.posted("lobby", &json!({"body": "b"}))["seq"], 1);
}
