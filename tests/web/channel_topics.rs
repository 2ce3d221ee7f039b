//! Topics of the endpoint: who hears what is broadcast, from where, and what a channel may make of it.
//!
//! Cases marked E come from Phoenix's `channel_test.exs`, `test/channel_test.exs` and
//! `integration/websocket_channels_test.exs`.

use crate::client::{Client, DEADLINE, Heard, end_of, on_both_kinds};
use perennial::prelude::*;
use perennial::web::channel::{
    Broadcast, Channel, ChannelCx, Join, Payload, Reply, Status, Stop, UserSocket, codec, endpoint,
};
use perennial::{ExitReason, Pid, process};
use serde_json::{Value, json};
use std::sync::mpsc::{self, Receiver, Sender};

/// A channel that follows its topic, or looks at what is said there itself.
struct Member {
    name: &'static str,
    told: Sender<Pid>,
}

enum MemberMsg {
    Heard(Broadcast),
}

/// What a channel is told from outside.
enum OpenMsg {
    Ask(ReplyTo<String>),
    Say(Value),
    Stop,
}

impl Channel for Member {
    type Assigns = &'static str;
    type Args = Sender<Pid>;
    type Msg = MemberMsg;

    fn join(told: Sender<Pid>, payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        let payload = payload.value().expect("JSON");
        match payload["do"].as_str() {
            Some("broadcast") => cx.broadcast("early", json!({})),
            // What `intercept` is in Phoenix: it hears for its client.
            Some("intercept") => {
                let to = cx.recipient(MemberMsg::Heard).owned_by(cx.pid());
                endpoint::subscribe(cx.topic(), to);
            }
            _ => cx.subscribe(),
        }
        let _ = told.send(cx.pid());
        let name = *cx.assigns();
        Join::Ok(Member { name, told }, Payload::empty())
    }

    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<MemberMsg> {
        match event {
            "all" => cx.broadcast("said", payload),
            "others" => cx.broadcast_from("said", payload),
            "also" => {
                let topic = payload.value().expect("JSON")["topic"]
                    .as_str()
                    .expect("a topic")
                    .to_owned();
                endpoint::subscribe(&topic, cx.recipient(MemberMsg::Heard).owned_by(cx.pid()));
            }
            "push and stop" => {
                cx.push("bye", payload);
                return Next::Stop(ExitReason::Normal);
            }
            "reply and stop" => {
                reply.ok(payload);
                return Next::Stop(ExitReason::Normal);
            }
            other => panic!("what is {other}?"),
        }
        reply.send(Status::OK, Payload::empty());
        Next::Loop
    }

    fn handle(&mut self, msg: MemberMsg, cx: &mut ChannelCx<'_, Self>) -> Next<MemberMsg> {
        match msg {
            MemberMsg::Heard(Broadcast::Event(frame)) => {
                let said: Value = serde_json::from_slice(frame.bytes()).expect("JSON");
                if said[4]["stop"] == json!(true) {
                    return Next::Stop(ExitReason::Normal);
                }
                let mine =
                    json!({"from": said[2], "event": said[3], "for": self.name, "body": said[4]});
                cx.push("heard", mine);
            }
            MemberMsg::Heard(_) => {}
        }
        Next::Loop
    }

    fn terminate(&mut self, _: &ExitReason, cx: &mut ChannelCx<'_, Self>) {
        // Whoever waits for it knows that it is over.
        let _ = self.told.send(cx.pid());
    }
}

fn sockets() -> (UserSocket<&'static str>, Receiver<Pid>) {
    let (told, heard) = mpsc::channel();
    (UserSocket::new().channel::<Member>("room:*", told), heard)
}

fn said(topic: &str, payload: Value) -> Value {
    json!([null, null, topic, "said", payload])
}

#[test]
fn broadcast_reaches_everybody_on_the_topic_its_author_too() {
    // E2, E65, E80.
    on_both_kinds(|| {
        let (sockets, _pids) = sockets();
        let [anna, bob, carl] = ["anna", "bob", "carl"].map(|name| Client::connect(&sockets, name));
        anna.joined("1", "room:1");
        bob.joined("7", "room:1");
        carl.joined("1", "room:2");
        anna.write(json!(["1", "2", "room:1", "all", {"body": 1}]));
        // What a handler broadcasts comes before its reply.
        anna.hears(said("room:1", json!({"body": 1})));
        anna.hears_reply("1", "2", "room:1", "ok", json!({}));
        bob.hears(said("room:1", json!({"body": 1})));
        carl.hears_nothing();
    });
}

#[test]
fn broadcast_from_leaves_its_author_out() {
    // E66, E71: and a reply of a status alone says `{}`.
    on_both_kinds(|| {
        let (sockets, _pids) = sockets();
        let [anna, bob] = ["anna", "bob"].map(|name| Client::connect(&sockets, name));
        anna.joined("1", "room:1");
        bob.joined("1", "room:1");
        anna.write(json!(["1", "2", "room:1", "others", {"body": 1}]));
        anna.hears_reply("1", "2", "room:1", "ok", json!({}));
        anna.hears_nothing();
        bob.hears(said("room:1", json!({"body": 1})));
    });
}

#[test]
fn broadcast_before_the_join_is_a_crash() {
    // E67.
    let (sockets, _pids) = sockets();
    let client = Client::connect(&sockets, "anna");
    client.join("1", "room:1", json!({"do": "broadcast"}));
    client.hears_reply(
        "1",
        "1",
        "room:1",
        "error",
        json!({"reason": "join crashed"}),
    );
}

#[test]
fn broadcast_from_outside_reaches_all_and_one_that_is_no_object_is_an_error() {
    // E80, E99.
    on_both_kinds(|| {
        let (sockets, _pids) = sockets();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        endpoint::broadcast("room:1", "said", json!({"body": "from outside"})).expect("an object");
        client.hears(said("room:1", json!({"body": "from outside"})));
        let bad = endpoint::broadcast("room:1", "said", json!([1]));
        assert_eq!(bad, Err(codec::EncodeError::NotAnObject));
        client.hears_nothing();
    });
}

#[test]
fn channel_that_looks_for_its_client_may_change_what_it_hears_and_stop() {
    // E3, E82.
    on_both_kinds(|| {
        let (sockets, pids) = sockets();
        let [anna, bob] = ["anna", "bob"].map(|name| Client::connect(&sockets, name));
        for client in [&anna, &bob] {
            client.join("1", "room:1", json!({"do": "intercept"}));
            client.hears_reply("1", "1", "room:1", "ok", json!({}));
        }
        anna.write(json!(["1", "2", "room:1", "all", {"body": 1}]));
        for (client, name) in [(&anna, "anna"), (&bob, "bob")] {
            let mut heard = Vec::new();
            while heard.len() < if name == "anna" { 2 } else { 1 } {
                heard.push(client.next());
            }
            let own = json!({"from": "room:1", "event": "said", "for": name, "body": {"body": 1}});
            assert!(
                heard.contains(&Heard::Text(json!(["1", null, "room:1", "heard", own]))),
                "{heard:?}"
            );
        }
        let channels: Vec<Pid> = pids.try_iter().collect();
        endpoint::broadcast("room:1", "said", json!({"stop": true})).expect("an object");
        for client in [&anna, &bob] {
            client.hears(json!(["1", "1", "room:1", "phx_close", {}]));
        }
        channels
            .into_iter()
            .for_each(|channel| drop(end_of(channel)));
    });
}

#[test]
fn channel_may_follow_further_topics() {
    // E88.
    on_both_kinds(|| {
        let (sockets, _pids) = sockets();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        client.write(json!(["1", "2", "room:1", "also", {"topic": "news"}]));
        client.hears_reply("1", "2", "room:1", "ok", json!({}));
        endpoint::broadcast("news", "flash", json!({"n": 1})).expect("an object");
        let heard = json!({"from": "news", "event": "flash", "for": "anna", "body": {"n": 1}});
        client.hears(json!(["1", null, "room:1", "heard", heard]));
    });
}

/// Sends to a channel from outside: its recipient is told by the channel, as in an application.
struct Open;

impl Channel for Open {
    type Assigns = &'static str;
    type Args = Sender<process::Recipient<OpenMsg>>;
    type Msg = OpenMsg;

    fn join(out: Self::Args, _: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        cx.subscribe();
        let _ = out.send(cx.recipient(|msg| msg));
        Join::Ok(Open, Payload::empty())
    }

    fn handle_in(
        &mut self,
        _: &str,
        _: Payload,
        _: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<OpenMsg> {
        // The end of a process that nobody asked about, and there is no handle_info.
        let short = process::spawn::<()>(|_| {});
        cx.monitor(&short);
        Next::Loop
    }

    fn handle(&mut self, msg: OpenMsg, cx: &mut ChannelCx<'_, Self>) -> Next<OpenMsg> {
        match msg {
            OpenMsg::Ask(reply) => reply.send(format!("{} on {}", cx.assigns(), cx.topic())),
            OpenMsg::Say(value) => cx.broadcast("said", value),
            OpenMsg::Stop => return Next::Stop(ExitReason::Normal),
        }
        Next::Loop
    }
}

#[test]
fn other_processes_may_call_a_channel_cast_to_it_and_stop_it() {
    // E83, E84, E89: and what nobody handles is a warning.
    on_both_kinds(|| {
        let (out, channels) = mpsc::channel();
        let sockets = UserSocket::new().channel::<Open>("room:*", out);
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        client.write(json!(["1", "2", "room:1", "watch", {}]));
        let channel = channels.recv_timeout(DEADLINE).expect("a channel");
        // A call goes by whoever knows the channel; it stays until the answer is there.
        let asked = channel.clone();
        let clerk = process::spawn::<Option<ReplyTo<String>>>(move |cx| {
            while let Some(Some(reply)) = cx.receive().message() {
                asked.cast(OpenMsg::Ask(reply));
            }
        });
        assert_eq!(clerk.call(Some).as_deref(), Ok("anna on room:1"));
        clerk.cast(None);
        channel.cast(OpenMsg::Say(json!({"n": 1})));
        client.hears(said("room:1", json!({"n": 1})));
        let mut watch = process::watch(channel.pid());
        channel.cast(OpenMsg::Stop);
        client.hears(json!(["1", "1", "room:1", "phx_close", {}]));
        assert_eq!(
            watch.wait(DEADLINE).expect("an end in time").reason,
            ExitReason::Normal
        );
    });
}

#[test]
fn last_words_of_a_channel_are_heard_before_its_end() {
    // E79.
    on_both_kinds(|| {
        let (sockets, _pids) = sockets();
        let client = Client::connect(&sockets, "anna");
        client.joined("1", "room:1");
        client.write(json!(["1", "2", "room:1", "push and stop", {"n": 1}]));
        client.hears(json!(["1", null, "room:1", "bye", {"n": 1}]));
        client.hears(json!(["1", "1", "room:1", "phx_close", {}]));
        client.joined("3", "room:1");
        client.write(json!(["3", "4", "room:1", "reply and stop", [1, 2]]));
        client.hears_reply("3", "4", "room:1", "ok", json!([1, 2]));
        client.hears(json!(["3", "3", "room:1", "phx_close", {}]));
    });
}

#[test]
fn who_left_hears_no_broadcast() {
    // E4, E5, E20, E85.
    on_both_kinds(|| {
        let (sockets, pids) = sockets();
        let [anna, bob] = ["anna", "bob"].map(|name| Client::connect(&sockets, name));
        anna.joined("1", "room:1");
        let channel = pids.recv_timeout(DEADLINE).expect("a channel");
        let mut watch = process::watch(channel);
        bob.joined("1", "room:1");
        anna.write(json!(["1", "2", "room:1", "phx_leave", {}]));
        anna.hears_reply("1", "2", "room:1", "ok", json!({}));
        anna.hears(json!(["1", "1", "room:1", "phx_close", {}]));
        let end = watch.wait(DEADLINE).expect("an end in time").reason;
        assert_eq!(end, ExitReason::shutdown_with(Stop::Left));
        // It says something to nobody, and nobody hears it.
        anna.write(json!(["1", "3", "room:1", "all", {}]));
        anna.hears(json!([null, "3", "room:1", "phx_reply",
            {"status": "error", "response": {"reason": "unmatched topic"}}]));
        bob.hears_nothing();
        endpoint::broadcast("room:1", "said", json!({})).expect("an object");
        bob.hears(said("room:1", json!({})));
        anna.hears_nothing();
    });
}
