//! One connection: events, replies, pushes, broadcasts, and ends.
//!
//! Cases marked E come from Phoenix's `integration/websocket_channels_test.exs`, `channel_test.exs` and
//! `socket/*_test.exs`, those marked W from what a running Phoenix puts on the wire.

use crate::door::{Door, NOTHING, ended, ok, reply, text, unmatched};
use perennial::web::channel::codec::{self, Limits};
use perennial::web::channel::{Action, End, Payload, Status, WireRef};
use serde_json::json;

// ## Events, replies, pushes, broadcasts

#[test]
fn event_goes_to_the_channel_of_its_topic() {
    // E75.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    let two = door.join("2", "room:2");
    assert_eq!(
        door.frame(r#"["2","3","room:2","e",{}]"#),
        [format!("deliver {two} e")]
    );
    assert_eq!(
        door.frame(r#"["1","4","room:1","e",[1]]"#),
        [format!("deliver {one} e")]
    );
}

#[test]
fn binary_event_goes_to_the_channel() {
    // E30.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    let bytes = b"\x00\x01\x01\x06\x0112room:1e\xff";
    let message = codec::decode_binary(bytes, &Limits::default()).expect("a good frame");
    assert_eq!(
        door.act(|socket, act| socket.receive(message, act)),
        [format!("deliver {one} e")]
    );
}

#[test]
fn event_of_an_older_join_is_dropped_and_one_without_join_ref_delivered() {
    // W, as Phoenix 1.8.
    let mut door = Door::new();
    door.join("1", "room:1");
    door.frame(r#"["5","5","room:1","phx_join",{}]"#);
    // While the new join waits, the old conversation is over.
    assert_eq!(door.frame(r#"["1","6","room:1","e",{}]"#), NOTHING);
    door.down(0, End::Stopped);
    door.joined(1, "5", "room:1");
    assert_eq!(door.frame(r#"["1","7","room:1","e",{}]"#), NOTHING);
    assert_eq!(door.frame(r#"["1","8","room:1","phx_leave",{}]"#), NOTHING);
    assert_eq!(door.frame(r#"[5,"9","room:1","e",{}]"#), NOTHING);
    assert_eq!(
        door.frame(r#"[null,"10","room:1","e",{}]"#),
        ["deliver 1 e"]
    );
    assert_eq!(door.frame(r#"["5","11","room:1","e",{}]"#), ["deliver 1 e"]);
}

#[test]
fn replies_and_pushes_reach_the_client() {
    // E68, E70, E75, E77.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    let answer = reply("1", "4", "room:1", "ok", json!({"n": 1}));
    assert_eq!(door.write(one, answer.clone()), [text(&answer)]);
    let push = codec::push(&"1".into(), "room:1", "hello", &Payload::empty()).expect("a push");
    assert_eq!(door.write(one, push.clone()), [text(&push)]);
}

#[test]
fn nothing_of_a_channel_reaches_the_client_before_it_has_joined_or_after_it_ended() {
    // E69.
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    let push = codec::push(&"1".into(), "room:1", "early", &Payload::empty()).expect("a push");
    assert_eq!(door.write(0, push.clone()), NOTHING);
    door.joined(0, "1", "room:1");
    door.down(0, End::Stopped);
    assert_eq!(door.write(0, push.clone()), NOTHING);
    assert_eq!(door.broadcast(0, None, push), NOTHING);
    assert_eq!(door.joined(0, "1", "room:1"), NOTHING);
    assert_eq!(door.refused(0, "1", "room:1", "late"), NOTHING);
    assert_eq!(door.down(0, End::Crashed), NOTHING);
    // Nor does it reach the channel that has its place now.
    let two = door.join("2", "room:1");
    assert_eq!(door.down(0, End::Crashed), NOTHING);
    assert_eq!(
        door.frame(r#"["2","3","room:1","e",{}]"#),
        [format!("deliver {two} e")]
    );
}

#[test]
fn broadcast_is_written_with_the_shared_bytes() {
    // E65; the fast lane.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    let frame = codec::broadcast("room:1", "new_msg", &Payload::empty()).expect("a broadcast");
    let id = door.channels[one];
    let mut written = Vec::new();
    door.socket
        .broadcast(id, None, frame.clone(), &mut |action| written.push(action));
    let [Action::Write(out)] = &written[..] else {
        panic!("{written:?}")
    };
    assert!(out.shares_bytes_with(&frame));
}

#[test]
fn broadcast_without_a_number_is_for_those_who_are_in() {
    let frame = codec::broadcast("room:1", "typing", &Payload::empty()).expect("a broadcast");
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(door.broadcast(0, None, frame.clone()), NOTHING);
    door.joined(0, "1", "room:1");
    assert_eq!(door.broadcast(0, None, frame.clone()), [text(&frame)]);
    door.frame(r#"["1","2","room:1","phx_leave",{}]"#);
    assert_eq!(door.broadcast(0, None, frame), NOTHING);
}

// ## Ends

#[test]
fn leave_is_answered_after_the_channel_has_said_its_last_word() {
    // E4, E85: terminate may push, then the reply, then the close.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    assert_eq!(
        door.frame(r#"["1","8","room:1","phx_leave",{}]"#),
        ["stop 0 Left"]
    );
    let push = codec::push(&"1".into(), "room:1", "you_left", &Payload::empty()).expect("a push");
    assert_eq!(door.write(one, push.clone()), [text(&push)]);
    assert_eq!(
        door.down(one, End::Stopped),
        [
            ok("\"1\"", "\"8\"", "room:1"),
            ended("\"1\"", "room:1", "phx_close")
        ]
    );
    assert!(door.socket.is_empty());
}

#[test]
fn events_after_a_leave_are_unmatched() {
    // E5.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    door.frame(r#"["1","2","room:1","phx_leave",{}]"#);
    assert_eq!(
        door.frame(r#"["1","3","room:1","e",{}]"#),
        [unmatched("\"3\"", "room:1")]
    );
    assert_eq!(
        door.frame(r#"["1","4","room:1","phx_leave",{}]"#),
        [ok("\"1\"", "\"4\"", "room:1")]
    );
    door.down(one, End::Stopped);
    for _ in 0..3 {
        assert_eq!(
            door.frame(r#"["1","5","room:1","e",{}]"#),
            [unmatched("\"5\"", "room:1")]
        );
    }
}

#[test]
fn leave_that_crashes_on_the_way_is_still_left() {
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    door.frame(r#"["1","2","room:1","phx_leave",{}]"#);
    assert_eq!(
        door.down(one, End::Crashed),
        [
            ok("\"1\"", "\"2\"", "room:1"),
            ended("\"1\"", "room:1", "phx_close")
        ]
    );
}

#[test]
fn join_right_after_a_leave_begins_when_the_channel_is_out() {
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    door.frame(r#"["1","2","room:1","phx_leave",{}]"#);
    assert_eq!(door.frame(r#"["3","3","room:1","phx_join",{}]"#), NOTHING);
    assert_eq!(
        door.down(one, End::Stopped),
        [
            ok("\"1\"", "\"2\"", "room:1"),
            ended("\"1\"", "room:1", "phx_close"),
            "join 1 room room:1".into()
        ]
    );
}

#[test]
fn crash_is_phx_error_and_a_normal_end_phx_close() {
    // E18, E46, E47, E79: other channels are not touched.
    let table = [(End::Crashed, "phx_error"), (End::Stopped, "phx_close")];
    for (end, event) in table {
        let mut door = Door::new();
        let one = door.join("1", "room:1");
        let two = door.join("2", "room:2");
        assert_eq!(door.down(one, end), [ended("\"1\"", "room:1", event)]);
        assert_eq!(
            door.frame(r#"["1","3","room:1","e",{}]"#),
            [unmatched("\"3\"", "room:1")]
        );
        assert_eq!(
            door.frame(r#"["2","4","room:2","e",{}]"#),
            [format!("deliver {two} e")]
        );
    }
}

#[test]
fn join_without_join_ref_ends_with_null_refs() {
    let mut door = Door::new();
    door.frame(r#"[null,"1","room:1","phx_join",{}]"#);
    let reply = codec::reply(
        &WireRef::Null,
        &"1".into(),
        "room:1",
        &Status::OK,
        &Payload::empty(),
    );
    let (id, reply) = (door.channels[0], reply.expect("a reply"));
    door.act(|socket, act| socket.joined(id, reply, None, act));
    assert_eq!(door.frame(r#"[null,"2","room:1","e",{}]"#), ["deliver 0 e"]);
    assert_eq!(
        door.down(0, End::Crashed),
        [ended("null", "room:1", "phx_error")]
    );
}

#[test]
fn closed_connection_stops_its_channels_and_writes_nothing_more() {
    // E19, E24, E86.
    let mut door = Door::new();
    let one = door.join("1", "room:1");
    door.join("2", "room:2");
    door.frame(r#"["3","3","room:3","phx_join",{}]"#);
    door.frame(r#"["2","4","room:2","phx_leave",{}]"#);
    // The one that left was told before.
    assert_eq!(
        door.act(|socket, act| socket.close(act)),
        ["stop 0 Closed", "stop 2 Closed"]
    );
    let frame = codec::broadcast("room:1", "e", &Payload::empty()).expect("a broadcast");
    assert_eq!(door.broadcast(one, None, frame), NOTHING);
    assert_eq!(door.joined(2, "3", "room:3"), NOTHING);
    for n in 0..3 {
        assert_eq!(door.down(n, End::Stopped), NOTHING);
    }
    assert_eq!(door.frame(r#"["5","5","room:1","phx_join",{}]"#), NOTHING);
    assert_eq!(
        door.frame(r#"[null,"6","phoenix","heartbeat",{}]"#),
        NOTHING
    );
    assert_eq!(door.act(|socket, act| socket.close(act)), NOTHING);
}
