//! A channel that does what its client says, and tells the test what happens to it.

use crate::client::DEADLINE;
use perennial::prelude::*;
use perennial::process;
use perennial::web::channel::{Channel, ChannelCx, Join, Payload, Reply, Status, Stop, UserSocket};
use perennial::{ExitReason, Pid};
use serde_json::{Value, json};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a channel tells the test.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    Joined(Pid),
    Reply,
    Terminated(ExitReason),
    /// The channel waits for the test in a callback.
    Waits,
    Info(Info),
}

/// What all channels of a test get.
#[derive(Clone)]
pub(crate) struct Stage {
    told: Sender<Told>,
    /// Replies that are answered later, by the test.
    replies: Arc<Mutex<Vec<Reply>>>,
    /// A channel that waits goes on when something comes here.
    go: Arc<Mutex<Receiver<()>>>,
}

pub(crate) struct Behind {
    told: Receiver<Told>,
    replies: Arc<Mutex<Vec<Reply>>>,
    pub(crate) go: Sender<()>,
}

impl Behind {
    pub(crate) fn next(&self) -> Told {
        self.told.recv_timeout(DEADLINE).expect("a word in time")
    }

    pub(crate) fn joined(&self) -> Pid {
        match self.next() {
            Told::Joined(pid) => pid,
            other => panic!("{other:?} instead of a join"),
        }
    }

    pub(crate) fn reply(&self) -> Reply {
        assert_eq!(self.next(), Told::Reply);
        self.replies.lock().expect("a lock").remove(0)
    }
}

pub(crate) fn stage() -> (UserSocket<&'static str>, Behind) {
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
pub(crate) struct Actor(Stage);

pub(crate) enum ActorMsg {
    Push(Value),
    Stop,
}

impl Actor {
    fn wait(&self) {
        let _ = self.0.told.send(Told::Waits);
        let go = self.0.go.lock().expect("a lock");
        // Longer than any test waits: nothing goes on by itself.
        go.recv_timeout(3 * DEADLINE).expect("a go in time");
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

pub(crate) fn push(join_ref: &str, msg_ref: &str, topic: &str, event: &str) -> Value {
    json!([join_ref, msg_ref, topic, event, {}])
}

pub(crate) fn ended(join_ref: &str, topic: &str, event: &str) -> Value {
    json!([join_ref, join_ref, topic, event, {}])
}
