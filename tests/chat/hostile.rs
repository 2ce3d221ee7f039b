//! Clients that mean harm, or only do things that nobody thought of.

use crate::server::Server;
use crate::socket_client::{Frame, Socket};
use perennial::chat::config::Limit;
use serde_json::json;

/// One name, in NFC and spelled with a combining accent.
const CAFE: [&str; 2] = ["caf\u{e9}", "cafe\u{301}"];

#[track_caller]
fn event(socket: &mut Socket, event: &str) -> Frame {
    socket.wait_for(|frame| frame.event == event)
}

#[test]
fn each_client_gets_the_topic_as_it_spells_it() {
    let server = Server::start();
    server.room(CAFE[0]);
    let (ada, eve) = (server.user("ada"), server.user("eve"));
    // Whoever is first in the room is not to choose the spelling for the others.
    let mut odd = server.socket(&eve);
    odd.join(CAFE[1], &json!({}));
    let state = event(&mut odd, "presence_state");
    assert_eq!(state.topic, format!("room:{}", CAFE[1]));

    let mut plain = server.socket(&ada);
    plain.join(CAFE[0], &json!({}));
    // They are in one room, and see each other there.
    let state = event(&mut plain, "presence_state");
    assert!(state.payload.get("eve").is_some(), "{state:?}");
    let diff = odd.wait_for(|frame| {
        frame.event == "presence_diff" && frame.payload["joins"].get("ada").is_some()
    });
    assert_eq!(diff.topic, format!("room:{}", CAFE[1]));

    plain.posted(CAFE[0], &json!({"body": "hello"}));
    for (socket, spelling) in [(&mut plain, CAFE[0]), (&mut odd, CAFE[1])] {
        assert_eq!(socket.message(spelling)["body"], "hello");
    }
}

#[test]
fn topics_per_socket_are_limited_by_the_setting() {
    let server = Server::with(|config| config.limits.topics_per_socket = Limit::at(1));
    let ada = server.user("ada");
    server.room("one");
    server.room("two");
    let mut socket = server.socket(&ada);
    socket.join("one", &json!({}));
    let refused = socket.ask_to_join("two", &json!({}));
    assert_eq!(
        refused.reply(),
        ("error", &json!({"reason": "too many channels joined"}))
    );
}
