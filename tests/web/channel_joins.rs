//! One connection: heartbeats, joins, and what comes before a join is decided.
//!
//! Cases marked E come from Phoenix's `integration/websocket_channels_test.exs`, `channel_test.exs` and
//! `socket/*_test.exs`, those marked W from what a running Phoenix puts on the wire.

use crate::door::{Door, NOTHING, ended, ok, unmatched};
use perennial::web::channel::{End, SocketLimits};

// ## Heartbeats and topics without a channel

#[test]
fn heartbeat_is_answered_without_join_ref() {
    // W.
    let mut door = Door::new();
    assert_eq!(
        door.frame(r#"[null,"7","phoenix","heartbeat",{}]"#),
        [ok("null", "\"7\"", "phoenix")]
    );
    assert_eq!(
        door.frame(r#"["1",8,"phoenix","heartbeat",{}]"#),
        [ok("null", "8", "phoenix")]
    );
}

#[test]
fn phoenix_topic_knows_nothing_but_heartbeats() {
    // W.
    let mut door = Door::new();
    for event in ["phx_join", "phx_leave", "other"] {
        assert_eq!(
            door.frame(&format!(r#"["1","2","phoenix","{event}",{{}}]"#)),
            [unmatched("\"2\"", "phoenix")]
        );
    }
}

#[test]
fn join_of_an_unknown_topic_is_unmatched() {
    // E28, E92.
    let mut door = Door::new();
    for topic in ["nope", "roo", "custom:1"] {
        assert_eq!(
            door.frame(&format!(r#"["1","1","{topic}","phx_join",{{}}]"#)),
            [unmatched("\"1\"", topic)]
        );
    }
    assert!(door.socket.is_empty());
}

#[test]
fn event_for_a_topic_never_joined_is_unmatched() {
    // E20.
    let mut door = Door::new();
    for _ in 0..3 {
        assert_eq!(
            door.frame(r#"["1","2","room:1","new_msg",{}]"#),
            [unmatched("\"2\"", "room:1")]
        );
    }
}

#[test]
fn leave_of_a_topic_not_joined_is_ok_without_a_close() {
    // W. The client's send buffer may begin with a leave.
    let mut door = Door::new();
    assert_eq!(
        door.frame(r#"["1","2","room:1","phx_leave",{}]"#),
        [ok("\"1\"", "\"2\"", "room:1")]
    );
}

// ## Joins

#[test]
fn join_starts_the_channel_that_its_topic_is_routed_to() {
    // E2, E92.
    let mut door = Door::new();
    assert_eq!(
        door.frame(r#"["1","1","room:1","phx_join",{}]"#),
        ["join 0 room room:1"]
    );
    assert_eq!(
        door.frame(r#"["2","2","custom","phx_join",null]"#),
        ["join 1 custom custom"]
    );
    assert_eq!(
        door.joined(0, "1", "room:1"),
        [ok("\"1\"", "\"1\"", "room:1")]
    );
    assert_eq!(door.socket.len(), 2);
}

#[test]
fn refused_join_leaves_nothing_behind() {
    // E73.
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(
        door.refused(0, "1", "room:1", "unauthorized"),
        [
            r#"["1","1","room:1","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]"#
        ]
    );
    assert!(door.socket.is_empty());
    assert_eq!(door.down(0, End::Stopped), NOTHING);
    assert_eq!(
        door.frame(r#"["1","2","room:1","e",{}]"#),
        [unmatched("\"2\"", "room:1")]
    );
    // And the client tries again, as it does for ever.
    assert_eq!(
        door.frame(r#"["3","3","room:1","phx_join",{}]"#),
        ["join 1 room room:1"]
    );
}

#[test]
fn join_that_crashes_is_answered_and_the_socket_lives_on() {
    // E29, E74. A channel that ends by itself without an answer has not joined either.
    for end in [End::Crashed, End::Stopped] {
        let mut door = Door::new();
        let other = door.join("1", "room:1");
        door.frame(r#"["2","2","room:2","phx_join",{}]"#);
        assert_eq!(
            door.down(1, end),
            [
                r#"["2","2","room:2","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]"#
            ]
        );
        assert_eq!(
            door.frame(r#"["1","3","room:1","e",{}]"#),
            [format!("deliver {other} e")]
        );
    }
}

#[test]
fn join_above_the_limit_is_refused() {
    // E6, E7.
    let mut door = Door::new();
    for n in 0..100 {
        door.frame(&format!(r#"["{n}","{n}","room:{n}","phx_join",{{}}]"#));
    }
    assert_eq!(door.channels.len(), 100);
    let join = r#"["x","x","room:x","phx_join",{}]"#;
    assert_eq!(
        door.frame(join),
        [
            r#"["x","x","room:x","phx_reply",{"response":{"reason":"too many channels joined"},"status":"error"}]"#
        ]
    );
    // A topic that is joined already takes no more room.
    assert_eq!(
        door.frame(r#"["y","y","room:5","phx_join",{}]"#),
        ["stop 5 DuplicateJoin"]
    );
    door.joined(7, "7", "room:7");
    door.down(7, End::Crashed);
    assert_eq!(door.frame(join), ["join 100 room room:x"]);
}

#[test]
fn second_join_waits_for_the_end_of_the_first_and_closes_it() {
    // E25, W: the close carries the old join_ref.
    let mut door = Door::new();
    door.join("1", "room:1");
    assert_eq!(
        door.frame(r#"["5","5","room:1","phx_join",{}]"#),
        ["stop 0 DuplicateJoin"]
    );
    assert_eq!(
        door.down(0, End::Stopped),
        [
            ended("\"1\"", "room:1", "phx_close"),
            "join 1 room room:1".into()
        ]
    );
    assert_eq!(
        door.joined(1, "5", "room:1"),
        [ok("\"5\"", "\"5\"", "room:1")]
    );
    assert_eq!(door.frame(r#"["5","6","room:1","e",{}]"#), ["deliver 1 e"]);
}

#[test]
fn channel_that_crashes_while_it_is_replaced_is_closed_not_in_error() {
    // Its client would join a third time on phx_error.
    let mut door = Door::new();
    door.join("1", "room:1");
    door.frame(r#"["5","5","room:1","phx_join",{}]"#);
    assert_eq!(
        door.down(0, End::Crashed),
        [
            ended("\"1\"", "room:1", "phx_close"),
            "join 1 room room:1".into()
        ]
    );
}

#[test]
fn join_timed_out_by_the_client_is_left_and_joined_again() {
    // What phoenix.js does when a join takes over 10 s: leave, then join with a new ref.
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(door.frame(r#"["1","2","room:1","phx_leave",{}]"#), NOTHING);
    assert_eq!(
        door.frame(r#"["3","3","room:1","phx_join",{}]"#),
        [
            "stop 0 DuplicateJoin".into(),
            ok("\"1\"", "\"2\"", "room:1")
        ]
    );
    // The first join is decided too late: nobody waits for it.
    assert_eq!(door.joined(0, "1", "room:1"), NOTHING);
    assert_eq!(
        door.down(0, End::Stopped),
        [
            ended("\"1\"", "room:1", "phx_close"),
            "join 1 room room:1".into()
        ]
    );
    assert_eq!(
        door.joined(1, "3", "room:1"),
        [ok("\"3\"", "\"3\"", "room:1")]
    );
}

#[test]
fn third_join_closes_the_second_that_never_began() {
    let mut door = Door::new();
    door.join("1", "room:1");
    door.frame(r#"["2","2","room:1","phx_join",{}]"#);
    assert_eq!(door.frame(r#"["2","3","room:1","e",{}]"#), NOTHING);
    assert_eq!(
        door.frame(r#"["4","4","room:1","phx_join",{}]"#),
        [
            ended("\"2\"", "room:1", "phx_close"),
            unmatched("\"3\"", "room:1")
        ]
    );
    assert_eq!(
        door.down(0, End::Stopped),
        [
            ended("\"1\"", "room:1", "phx_close"),
            "join 1 room room:1".into()
        ]
    );
    assert_eq!(
        door.joined(1, "4", "room:1"),
        [ok("\"4\"", "\"4\"", "room:1")]
    );
}

// ## Messages that come before the join is decided

#[test]
fn events_wait_for_the_join_and_keep_their_order() {
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(door.frame(r#"["1","2","room:1","a",{}]"#), NOTHING);
    assert_eq!(door.frame(r#"[null,"3","room:1","b",{}]"#), NOTHING);
    assert_eq!(
        door.joined(0, "1", "room:1"),
        [
            &ok("\"1\"", "\"1\"", "room:1"),
            "deliver 0 a",
            "deliver 0 b"
        ]
    );
}

#[test]
fn events_that_waited_for_a_refused_join_are_unmatched() {
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    door.frame(r#"["1","2","room:1","a",{}]"#);
    door.frame(r#"["1","3","room:1","phx_leave",{}]"#);
    let answers = door.refused(0, "1", "room:1", "no");
    assert_eq!(
        answers[1..],
        [unmatched("\"2\"", "room:1"), ok("\"1\"", "\"3\"", "room:1")]
    );
}

#[test]
fn leave_that_waited_comes_after_the_events_before_it() {
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    door.frame(r#"["1","2","room:1","a",{}]"#);
    door.frame(r#"["1","3","room:1","phx_leave",{}]"#);
    door.frame(r#"["1","4","room:1","b",{}]"#);
    assert_eq!(
        door.joined(0, "1", "room:1")[1..],
        ["deliver 0 a", "stop 0 Left", &unmatched("\"4\"", "room:1")]
    );
}

#[test]
fn what_waits_is_bounded_in_number_and_bytes() {
    let busy = |n: usize| {
        format!(
            r#"["1","{n}","room:1","phx_reply",{{"response":{{"reason":"busy","retry_after_ms":1000}},"status":"error"}}]"#
        )
    };
    let limits = SocketLimits {
        held_max: 3,
        held_bytes_max: 10,
        ..SocketLimits::default()
    };
    let mut door = Door::with(limits);
    // As often as one likes: what was taken from the desk makes room for others.
    for round in 0..5 {
        door.frame(r#"["1","1","room:1","phx_join",{}]"#);
        for n in 0..3 {
            assert_eq!(
                door.frame(&format!(r#"["1","{n}","room:1","e",{{}}]"#)),
                NOTHING
            );
        }
        assert_eq!(door.frame(r#"["1","3","room:1","e",{}]"#), [busy(3)]);
        assert_eq!(door.joined(round, "1", "room:1").len(), 4);
        door.down(round, End::Crashed);
    }
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(door.frame(r#"["1","8","room:1","e","12345678"]"#), NOTHING);
    assert_eq!(door.frame(r#"["1","9","room:1","e",{}]"#), [busy(9)]);
}

#[test]
fn leave_on_a_full_desk_ends_the_join_at_once() {
    let limits = SocketLimits {
        held_max: 1,
        ..SocketLimits::default()
    };
    let mut door = Door::with(limits);
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    door.frame(r#"["1","2","room:1","e",{}]"#);
    assert_eq!(
        door.frame(r#"["1","3","room:1","phx_leave",{}]"#),
        ["stop 0 Left".into(), unmatched("\"2\"", "room:1")]
    );
    assert_eq!(door.joined(0, "1", "room:1"), NOTHING);
    assert_eq!(
        door.down(0, End::Stopped),
        [
            ok("\"1\"", "\"3\"", "room:1"),
            ended("\"1\"", "room:1", "phx_close")
        ]
    );
    // The same for a join that still waits for the end of another.
    door.join("4", "room:1");
    door.frame(r#"["5","5","room:1","phx_join",{}]"#);
    door.frame(r#"["5","6","room:1","e",{}]"#);
    assert_eq!(
        door.frame(r#"["5","7","room:1","phx_leave",{}]"#),
        [
            ok("\"5\"", "\"7\"", "room:1"),
            ended("\"5\"", "room:1", "phx_close"),
            unmatched("\"6\"", "room:1")
        ]
    );
    assert_eq!(
        door.down(1, End::Stopped),
        [ended("\"4\"", "room:1", "phx_close")]
    );
    assert!(door.socket.is_empty());
}
