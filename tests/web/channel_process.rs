//! Channels and connections as processes, with a client but without a network: joins and events.
//!
//! Cases marked E come from Phoenix's `integration/websocket_channels_test.exs` and `channel_test.exs`.

use crate::actor::{Told, ended, push, stage};
use crate::client::{Client, Heard, end_of, on_both_kinds};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use perennial::web::channel::{Channel, ChannelCx, Join, Payload, Reply, Stop, UserSocket};
use serde_json::json;

// ## Joins

#[test]
fn join_sees_who_the_client_is_and_replies() {
    // E2, E91.
    on_both_kinds(|| {
        let (sockets, _behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.join("1", "room:1", json!({"do": "who"}));
        let who = json!({"user": "anna", "topic": "room:1"});
        client.hears_reply("1", "1", "room:1", "ok", who);
        client.connection.closed();
    });
}

#[test]
fn refused_join_says_why_and_leaves_no_process() {
    // E73.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.join("1", "room:1", json!({"do": "refuse"}));
        client.hears_reply(
            "1",
            "1",
            "room:1",
            "error",
            json!({"reason": "unauthorized"}),
        );
        end_of(behind.joined());
        client.hears_nothing();
        client.joined("2", "room:1");
        client.connection.closed();
    });
}

#[test]
fn join_that_crashes_is_answered_and_the_connection_lives_on() {
    // E29, E69, E74: a push before the join is a crash as well.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        for what in ["crash", "early push"] {
            client.join("1", "room:1", json!({"do": what}));
            client.hears_reply(
                "1",
                "1",
                "room:1",
                "error",
                json!({"reason": "join crashed"}),
            );
            end_of(behind.joined());
        }
        client.joined("3", "room:1");
        client.connection.closed();
    });
}

#[test]
fn pending_join_holds_the_events_of_its_client_until_it_is_accepted() {
    on_both_kinds(|| {
        let (sockets, _behind) = later_sockets();
        let client = Client::connect(&sockets, ());
        client.join("1", "later:yes", json!({}));
        client.write(push("1", "2", "later:yes", "event"));
        client.hears_reply("1", "1", "later:yes", "ok", json!({"n": 7}));
        client.hears_reply("1", "2", "later:yes", "ok", json!({}));
        client.connection.closed();
    });
}

#[test]
fn pending_join_may_be_refused_or_end_without_a_word() {
    on_both_kinds(|| {
        let (sockets, _behind) = later_sockets();
        let client = Client::connect(&sockets, ());
        client.join("1", "later:no", json!({}));
        client.hears_reply("1", "1", "later:no", "error", json!({"reason": "full"}));
        client.join("2", "later:stop", json!({}));
        client.hears_reply(
            "2",
            "2",
            "later:stop",
            "error",
            json!({"reason": "join crashed"}),
        );
        client.hears_nothing();
        client.connection.closed();
    });
}

/// A channel that asks before it decides.
struct Later;

fn later_sockets() -> (UserSocket<()>, ()) {
    (UserSocket::new().channel::<Later>("later:*", ()), ())
}

impl Channel for Later {
    type Assigns = ();
    type Args = ();
    type Msg = ();

    fn join((): (), _payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        let asked = process::spawn::<ReplyTo<u32>>(|cx| {
            if let Some(reply) = cx.receive().message() {
                reply.send(7);
            }
        });
        cx.request(
            asked,
            |reply| reply,
            |_, answer, cx| match cx.topic() {
                "later:yes" => {
                    cx.accept(json!({"n": answer.expect("an answer")}), None);
                    Next::Loop
                }
                "later:no" => cx.refuse(Payload::reason("full")),
                _ => Next::Stop(ExitReason::Normal),
            },
        );
        Join::Pending(Later)
    }

    fn handle_in(
        &mut self,
        _event: &str,
        _payload: Payload,
        reply: Reply,
        _cx: &mut ChannelCx<'_, Self>,
    ) -> Next<()> {
        reply.ok(json!({}));
        Next::Loop
    }
}

#[test]
fn second_join_ends_the_first_channel() {
    // E25.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        let first = behind.joined();
        client.join("2", "room:1", json!({}));
        assert_eq!(
            behind.next(),
            Told::Terminated(ExitReason::shutdown_with(Stop::DuplicateJoin))
        );
        client.hears(ended("1", "room:1", "phx_close"));
        client.hears_reply("2", "2", "room:1", "ok", json!({}));
        assert_ne!(behind.joined(), first);
        client.connection.closed();
    });
}

// ## Events

#[test]
fn event_is_answered_now_later_by_anybody_or_never() {
    // E70, E71, E75, E77.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        behind.joined();
        client.write(json!(["1", "2", "room:1", "echo", [1, {"a": null}]]));
        client.hears_reply("1", "2", "room:1", "ok", json!([1, {"a": null}]));
        client.write(push("1", "3", "room:1", "status"));
        client.hears_reply("1", "3", "room:1", "stale", json!([1]));
        client.write(push("1", "4", "room:1", "later"));
        client.write(push("1", "5", "room:1", "echo"));
        client.hears_reply("1", "5", "room:1", "ok", json!({}));
        // From a plain thread, with the ref of the event that asked.
        behind.reply().error(Payload::reason("late"));
        client.hears_reply("1", "4", "room:1", "error", json!({"reason": "late"}));
        client.write(push("1", "6", "room:1", "silence"));
        client.hears_nothing();
        client.connection.closed();
    });
}

#[test]
fn event_without_join_ref_is_answered_with_the_live_one() {
    let (sockets, _behind) = stage();
    let client = Client::connect(&sockets, "anna");
    client.joined("1", "room:1");
    client.write(json!([null, 2, "room:1", "echo", {}]));
    client.hears(json!(["1", 2, "room:1", "phx_reply", {"status": "ok", "response": {}}]));
    client.connection.closed();
}

#[test]
fn reply_after_the_channel_has_ended_goes_nowhere() {
    // R3: phx_error was the answer.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        behind.joined();
        client.write(push("1", "2", "room:1", "later"));
        let reply = behind.reply();
        client.write(push("1", "3", "room:1", "crash"));
        client.hears(ended("1", "room:1", "phx_error"));
        reply.ok(json!({}));
        client.joined("4", "room:1");
        client.connection.closed();
    });
}

#[test]
fn pushes_come_before_the_reply_that_follows_them() {
    // E75.
    on_both_kinds(|| {
        let (sockets, _behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        client.write(json!(["1", "2", "room:1", "push", {"n": 1}]));
        client.hears(json!(["1", null, "room:1", "pushed", {"n": 1}]));
        client.hears_reply("1", "2", "room:1", "ok", json!({}));
        client.connection.closed();
    });
}

#[test]
fn binary_event_is_answered_in_binary() {
    // E30.
    let (sockets, _behind) = stage();
    let client = Client::connect(&sockets, "anna");
    client.joined("1", "room:b");
    client
        .connection
        .binary(b"\x00\x01\x01\x06\x0412room:becho\x01\x02\xff".to_vec());
    let reply = b"\x01\x01\x01\x06\x0212room:bok\x01\x02\xff".to_vec();
    assert_eq!(client.next(), Heard::Binary(reply));
    client
        .connection
        .binary(b"\x00\x01\x01\x06\x0413room:bpush\xff".to_vec());
    let pushed = b"\x00\x01\x06\x061room:bpushed\xff".to_vec();
    assert_eq!(client.next(), Heard::Binary(pushed));
    client.connection.closed();
}

#[test]
fn binary_reply_that_has_no_frame_is_an_error() {
    let (sockets, behind) = stage();
    let client = Client::connect(&sockets, "anna");
    let topic = format!("room:{}", "x".repeat(300));
    client.joined("1", &topic);
    // Only text frames can name such a topic, so the bytes come from the server's side.
    client.write(json!(["1", "2", topic, "later", {}]));
    behind.joined();
    behind.reply().ok(Payload::binary(b"data".as_slice()));
    client.hears_reply(
        "1",
        "2",
        &topic,
        "error",
        json!({"reason": "response too long"}),
    );
    client.connection.closed();
}

#[test]
fn channel_hears_messages_timeouts_answers_and_ends() {
    // E80, E83, E88.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        behind.joined();
        client.write(json!(["1", "2", "room:1", "tell me", {"n": 1}]));
        client.hears(json!(["1", null, "room:1", "told", {"n": 1}]));
        client.write(push("1", "3", "room:1", "continue"));
        client.hears(json!(["1", null, "room:1", "told", {"n": 1}]));
        client.write(push("1", "4", "room:1", "ask"));
        client.hears(json!(["1", null, "room:1", "answer", {"n": 7}]));
        client.hears_reply("1", "4", "room:1", "ok", json!({}));
        client.write(push("1", "5", "room:1", "idle"));
        assert_eq!(behind.next(), Told::Info(Info::Timeout));
        client.write(push("1", "6", "room:1", "watch"));
        assert!(matches!(behind.next(), Told::Info(Info::Down(_))));
        client.write(push("1", "7", "room:1", "stop soon"));
        client.hears(ended("1", "room:1", "phx_close"));
        client.connection.closed();
    });
}
