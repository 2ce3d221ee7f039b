//! Channels and connections as processes, with a client but without a network: how they end, and what is too much.
//!
//! Cases marked E come from Phoenix's `integration/websocket_channels_test.exs` and `channel_test.exs`.

use crate::actor::{Told, ended, push, stage};
use crate::client::{Client, DEADLINE, Heard, end_of, on_both_kinds, with_manual_clock};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use perennial::web::channel::{
    Broadcast, Channel, ChannelCx, Join, Payload, Reply, Stop, UserSocket, codec,
};
use serde_json::json;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

// ## Ends

#[test]
fn leave_ends_the_channel_after_its_last_word() {
    // E4, E5, E85.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        let channel = behind.joined();
        client.write(push("1", "2", "room:1", "phx_leave"));
        client.hears(json!(["1", null, "room:1", "you_left", {}]));
        client.hears_reply("1", "2", "room:1", "ok", json!({}));
        client.hears(ended("1", "room:1", "phx_close"));
        let left = ExitReason::shutdown_with(Stop::Left);
        assert_eq!(behind.next(), Told::Terminated(left));
        end_of(channel);
        client.write(push("1", "3", "room:1", "echo"));
        let reason = json!({"status": "error", "response": {"reason": "unmatched topic"}});
        client.hears(json!([null, "3", "room:1", "phx_reply", reason]));
        client.connection.closed();
    });
}

#[test]
fn crash_of_a_channel_is_its_own_affair() {
    // E18, E78; and of a push that cannot be encoded.
    on_both_kinds(|| {
        let (sockets, _behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        client.joined("2", "room:2");
        for event in ["crash", "bad push", "stop oddly", "unknown"] {
            client.write(push("1", "3", "room:1", event));
            client.hears(ended("1", "room:1", "phx_error"));
            client.write(push("2", "4", "room:2", "echo"));
            client.hears_reply("2", "4", "room:2", "ok", json!({}));
            client.joined("1", "room:1");
        }
        client.connection.closed();
    });
}

#[test]
fn killed_channel_is_phx_error_and_comes_back() {
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        process::exit(behind.joined(), ExitReason::Kill);
        client.hears(ended("1", "room:1", "phx_error"));
        client.joined("2", "room:1");
        client.connection.closed();
    });
}

#[test]
fn orderly_stop_is_phx_close_and_a_reply_before_it_arrives() {
    // E79.
    on_both_kinds(|| {
        let (sockets, _behind) = stage();
        let client = Client::connect(&sockets, "anna");
        for event in ["stop", "stop shutdown"] {
            client.joined("1", "room:1");
            client.write(push("1", "2", "room:1", event));
            client.hears(ended("1", "room:1", "phx_close"));
        }
        client.joined("3", "room:1");
        client.write(json!(["3", "4", "room:1", "reply and stop", {"n": 1}]));
        client.hears_reply("3", "4", "room:1", "ok", json!({"n": 1}));
        client.hears(ended("3", "room:1", "phx_close"));
        client.connection.closed();
    });
}

#[test]
fn closed_transport_ends_the_channels_and_then_the_connection() {
    // E19, E86.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        client.joined("2", "room:2");
        let channels = [behind.joined(), behind.joined()];
        client.connection.closed();
        let closed = || Told::Terminated(ExitReason::shutdown_with(Stop::Closed));
        assert_eq!((behind.next(), behind.next()), (closed(), closed()));
        for channel in channels {
            end_of(channel);
        }
        end_of(client.connection.pid());
        // Nothing is written to a transport that is gone, nor is it closed again.
        assert_eq!(client.next(), Heard::Dropped);
    });
}

#[test]
fn disconnect_closes_the_transport_and_ends_all_channels() {
    // E24.
    on_both_kinds(|| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        let channel = behind.joined();
        client.connection.disconnect(1001, "logout");
        assert_eq!(client.next(), Heard::Close(1001, "logout".into()));
        end_of(channel);
        assert_eq!(client.next(), Heard::Dropped);
    });
}

#[test]
fn undecodable_frame_closes_the_connection() {
    // What the wire says of malformed JSON: 1011.
    let (sockets, behind) = stage();
    let client = Client::connect(&sockets, "anna");
    client.joined("1", "room:1");
    let channel = behind.joined();
    client.connection.text("{".into());
    assert_eq!(client.next(), Heard::Close(1011, String::new()));
    end_of(channel);
    assert_eq!(client.next(), Heard::Dropped);
}

#[test]
fn killed_connection_closes_its_transport_and_takes_its_channels_along() {
    on_both_kinds(|| {
        let table = [
            (ExitReason::Kill, 1011),
            (ExitReason::other("odd"), 1011),
            (ExitReason::Shutdown, 1012),
        ];
        for (reason, code) in table {
            let (sockets, behind) = stage();
            let client = Client::connect(&sockets, "anna");
            client.joined("1", "room:1");
            let channel = behind.joined();
            process::exit(client.connection.pid(), reason);
            assert_eq!(client.next(), Heard::Close(code, String::new()));
            let closed = ExitReason::shutdown_with(Stop::Closed);
            assert_eq!(behind.next(), Told::Terminated(closed.clone()));
            end_of(channel);
        }
    });
}

#[test]
fn channel_that_does_not_stop_is_killed() {
    // E86: past its timeout the process is killed.
    with_manual_clock(|hand| {
        let (sockets, behind) = stage();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:stubborn");
        let channel = behind.joined();
        client.write(push("1", "2", "room:stubborn", "phx_leave"));
        assert!(matches!(behind.next(), Told::Terminated(_)));
        assert_eq!(behind.next(), Told::Waits);
        client.hears_nothing();
        hand.advance(Duration::from_millis(4_999));
        client.hears_nothing();
        assert!(process::is_alive(channel));
        let mut watch = process::watch(channel);
        hand.advance(Duration::from_millis(1));
        // The kill has a grace; when that is over the channel's identity is cut, and its client is out.
        let left = client.next_while(|| hand.advance(Duration::from_millis(100)));
        let ok = json!({"status": "ok", "response": {}});
        let topic = "room:stubborn";
        assert_eq!(left, Heard::Text(json!(["1", "2", topic, "phx_reply", ok])));
        client.hears(ended("1", topic, "phx_close"));
        let cut = watch.wait(Duration::ZERO).expect("an end");
        assert_eq!(cut.reason, ExitReason::Killed);
        behind.go.send(()).expect("a channel that waits");
        client.connection.closed();
    });
}

// ## Too much

#[test]
fn events_above_the_bound_are_busy() {
    let (sockets, behind) = stage();
    let client = Client::connect(&sockets, "anna");
    client.joined("1", "room:1");
    behind.joined();
    client.write(push("1", "w", "room:1", "wait"));
    assert_eq!(behind.next(), Told::Waits);
    for n in 1..64 {
        client.write(push("1", &n.to_string(), "room:1", "echo"));
    }
    client.hears_nothing();
    client.write(push("1", "64", "room:1", "echo"));
    let busy = json!({"reason": "busy", "retry_after_ms": 1000});
    client.hears_reply("1", "64", "room:1", "error", busy);
    behind.go.send(()).expect("a channel that waits");
    client.hears_reply("1", "w", "room:1", "ok", json!({}));
    for n in 1..64 {
        client.hears_reply("1", &n.to_string(), "room:1", "ok", json!({}));
    }
    client.write(push("1", "65", "room:1", "echo"));
    client.hears_reply("1", "65", "room:1", "ok", json!({}));
    client.connection.closed();
}

#[test]
fn join_that_finds_no_thread_is_busy() {
    let runtime = perennial::Runtime::builder()
        .workers(1)
        .default_kind(process::Kind::Thread)
        .thread_max(0);
    let runtime = runtime.build().expect("a runtime");
    let _guard = runtime.enter();
    let (sockets, _behind) = stage();
    let client = Client::connect(&sockets, "anna");
    client.join("1", "room:1", json!({}));
    let busy = json!({"reason": "busy", "retry_after_ms": 1000});
    client.hears_reply("1", "1", "room:1", "error", busy);
    client.hears_nothing();
    client.connection.closed();
}

#[test]
fn broadcast_goes_past_the_channel() {
    // The fast lane: a channel that is busy does not hold up what its topic says.
    on_both_kinds(|| {
        let (told, lanes) = mpsc::channel();
        let sockets = UserSocket::new().channel::<Lane>("lane:*", told);
        let client = Client::connect(&sockets, ());
        client.joined("1", "lane:1");
        let lane = lanes.recv_timeout(DEADLINE).expect("a lane");
        let frame = codec::broadcast("lane:1", "news", &Payload::empty()).expect("a frame");
        lane.cast(Broadcast::Event(frame.clone()));
        client.hears(json!([null, null, "lane:1", "news", {}]));
        client.write(push("1", "2", "lane:1", "phx_leave"));
        client.hears_reply("1", "2", "lane:1", "ok", json!({}));
        client.hears(ended("1", "lane:1", "phx_close"));
        lane.cast(Broadcast::Event(frame));
        client.hears_nothing();
        client.connection.closed();
    });
}

type Lanes = Sender<process::Recipient<Broadcast>>;

struct Lane;

impl Channel for Lane {
    type Assigns = ();
    type Args = Lanes;
    type Msg = ();

    fn join(lanes: Lanes, _payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        let _ = lanes.send(cx.fastlane());
        Join::Ok(Lane, Payload::empty())
    }

    fn handle_in(
        &mut self,
        _event: &str,
        _payload: Payload,
        _reply: Reply,
        _cx: &mut ChannelCx<'_, Self>,
    ) -> Next<()> {
        Next::Loop
    }
}
