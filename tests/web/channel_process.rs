//! Channels and connections as processes, with a client but without a network.
//!
//! Cases marked E come from Phoenix's `integration/websocket_channels_test.exs` and `channel_test.exs`.

use crate::client::{Client, DEADLINE, Heard, end_of, on_both_kinds, with_manual_clock};
use perennial::prelude::*;
use perennial::process;
use perennial::web::channel::{
    Broadcast, Channel, ChannelCx, Join, Payload, Reply, Status, Stop, UserSocket, codec,
};
use perennial::{ExitReason, Pid};
use serde_json::{Value, json};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a channel tells the test.
#[derive(Debug, PartialEq)]
enum Told {
    Joined(Pid),
    Reply,
    Terminated(ExitReason),
    /// The channel waits for the test in a callback.
    Waits,
    Info(Info),
}

/// What all channels of a test get.
#[derive(Clone)]
struct Stage {
    told: Sender<Told>,
    /// Replies that are answered later, by the test.
    replies: Arc<Mutex<Vec<Reply>>>,
    /// A channel that waits goes on when something comes here.
    go: Arc<Mutex<Receiver<()>>>,
}

struct Behind {
    told: Receiver<Told>,
    replies: Arc<Mutex<Vec<Reply>>>,
    go: Sender<()>,
}

impl Behind {
    fn next(&self) -> Told {
        self.told.recv_timeout(DEADLINE).expect("a word in time")
    }

    fn joined(&self) -> Pid {
        match self.next() {
            Told::Joined(pid) => pid,
            other => panic!("{other:?} instead of a join"),
        }
    }

    fn reply(&self) -> Reply {
        assert_eq!(self.next(), Told::Reply);
        self.replies.lock().expect("a lock").remove(0)
    }
}

fn stage() -> (UserSocket<&'static str>, Behind) {
    let (told, heard) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let replies = Arc::default();
    let stage = Stage {
        told,
        replies: Arc::clone(&replies),
        go: Arc::new(Mutex::new(wait)),
    };
    let behind = Behind {
        told: heard,
        replies,
        go,
    };
    (UserSocket::new().channel::<Actor>("room:*", stage), behind)
}

/// A channel that does what its client says.
struct Actor(Stage);

enum ActorMsg {
    Push(Value),
    Stop,
}

impl Actor {
    fn wait(&self) {
        let _ = self.0.told.send(Told::Waits);
        let go = self.0.go.lock().expect("a lock");
        go.recv_timeout(DEADLINE).expect("a go in time");
    }
}

impl Channel for Actor {
    type Assigns = &'static str;
    type Args = Stage;
    type Msg = ActorMsg;

    fn join(stage: Stage, payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        let payload = payload.value().expect("JSON");
        let _ = stage.told.send(Told::Joined(cx.pid()));
        match payload["do"].as_str() {
            Some("refuse") => Join::Refused(Payload::reason("unauthorized")),
            Some("crash") => panic!("as told"),
            Some("early push") => {
                cx.push("early", json!({}));
                Join::Ok(Actor(stage), Payload::empty())
            }
            Some("pending") => Join::Pending(Actor(stage)),
            Some("who") => {
                let who = json!({"user": cx.assigns(), "topic": cx.topic()});
                Join::Ok(Actor(stage), who.into())
            }
            _ => Join::Ok(Actor(stage), Payload::empty()),
        }
    }

    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<ActorMsg> {
        match event {
            "echo" => reply.ok(payload),
            "status" => reply.send(Status::new("stale"), json!([1])),
            "silence" => drop(reply),
            "later" => {
                self.0.replies.lock().expect("a lock").push(reply);
                let _ = self.0.told.send(Told::Reply);
            }
            "push" => {
                cx.push("pushed", payload);
                reply.ok(json!({}));
            }
            "bad push" => cx.push("pushed", json!(["no object"])),
            "crash" => panic!("as told"),
            "stop" => return Next::Stop(ExitReason::Normal),
            "stop shutdown" => return Next::Stop(ExitReason::Shutdown),
            "stop oddly" => return Next::Stop(ExitReason::other("odd")),
            "reply and stop" => {
                reply.ok(payload);
                return Next::Stop(ExitReason::Normal);
            }
            "wait" => {
                self.wait();
                reply.ok(json!({}));
            }
            "tell me" => cx
                .recipient(ActorMsg::Push)
                .cast(payload.value().expect("JSON")),
            "stop soon" => {
                cx.send_after(Duration::from_millis(1), ActorMsg::Stop);
            }
            "idle" => return Next::Timeout(Duration::from_millis(1)),
            "continue" => return Next::Continue(ActorMsg::Push(json!({"n": 1}))),
            "watch" => {
                let short = process::spawn::<()>(|_| {});
                cx.monitor(&short);
            }
            "ask" => {
                let asked = process::spawn::<ReplyTo<u32>>(|cx| {
                    if let Some(reply) = cx.receive().message() {
                        reply.send(7);
                    }
                });
                cx.request(
                    asked,
                    |reply| reply,
                    |_, answer, cx| {
                        cx.push("answer", json!({"n": answer.expect("an answer")}));
                        reply.ok(json!({}));
                        Next::Loop
                    },
                );
            }
            other => panic!("what is {other}?"),
        }
        Next::Loop
    }

    fn handle(&mut self, msg: ActorMsg, cx: &mut ChannelCx<'_, Self>) -> Next<ActorMsg> {
        match msg {
            ActorMsg::Push(value) => cx.push("told", value),
            ActorMsg::Stop => return Next::Stop(ExitReason::Normal),
        }
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, _cx: &mut ChannelCx<'_, Self>) -> Next<ActorMsg> {
        let _ = self.0.told.send(Told::Info(info));
        Next::Loop
    }

    fn terminate(&mut self, reason: &ExitReason, cx: &mut ChannelCx<'_, Self>) {
        let _ = self.0.told.send(Told::Terminated(reason.clone()));
        if cx.topic() == "room:stubborn" {
            self.wait();
        }
        if *reason == ExitReason::shutdown_with(Stop::Left) {
            cx.push("you_left", json!({}));
        }
    }
}

fn push(join_ref: &str, msg_ref: &str, topic: &str, event: &str) -> Value {
    json!([join_ref, msg_ref, topic, event, {}])
}

fn ended(join_ref: &str, topic: &str, event: &str) -> Value {
    json!([join_ref, join_ref, topic, event, {}])
}

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
        hand.advance(Duration::from_millis(1));
        // The kill has a grace; when that is over the channel's identity is cut, and its client is out.
        let left = client.next_while(|| hand.advance(Duration::from_millis(100)));
        let ok = json!({"status": "ok", "response": {}});
        let topic = "room:stubborn";
        assert_eq!(left, Heard::Text(json!(["1", "2", topic, "phx_reply", ok])));
        client.hears(ended("1", topic, "phx_close"));
        assert!(!process::is_alive(channel));
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
