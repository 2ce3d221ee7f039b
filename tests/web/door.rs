//! A connection without a network: frames and channel events in, what is to be done out, in words.

use perennial::web::channel::codec::{self, Limits};
use perennial::web::channel::{
    Action, ChannelId, End, Frame, Routes, Socket, SocketLimits, Status,
};
use serde_json::{Value, json};

/// A socket, its channels by the order of their start, and what is to be done in words.
pub(crate) struct Door {
    pub(crate) socket: Socket<&'static str>,
    pub(crate) channels: Vec<ChannelId>,
}

impl Door {
    pub(crate) fn new() -> Self {
        Door::with(SocketLimits::default())
    }

    pub(crate) fn with(limits: SocketLimits) -> Self {
        let routes = Routes::new()
            .channel("room:*", "room")
            .channel("custom", "custom");
        Door {
            socket: Socket::new(routes.into(), limits),
            channels: Vec::new(),
        }
    }

    pub(crate) fn act(
        &mut self,
        happen: impl FnOnce(&mut Socket<&'static str>, &mut dyn FnMut(Action<&'static str>)),
    ) -> Vec<String> {
        let channels = &mut self.channels;
        let mut words = Vec::new();
        let number = |channels: &Vec<ChannelId>, id: ChannelId| {
            channels
                .iter()
                .position(|known| *known == id)
                .expect("a channel that was started")
        };
        happen(&mut self.socket, &mut |action| {
            words.push(match action {
                Action::Write(frame) => text(&frame),
                Action::Join {
                    channel,
                    handler,
                    message,
                } => {
                    assert!(!channels.contains(&channel), "an identity is used once");
                    channels.push(channel);
                    let n = channels.len() - 1;
                    format!("join {n} {handler} {}", message.topic)
                }
                Action::Deliver { channel, message } => {
                    format!("deliver {} {}", number(channels, channel), message.event)
                }
                Action::Stop { channel, why } => {
                    format!("stop {} {why:?}", number(channels, channel))
                }
                Action::Fill { channel, after } => {
                    format!("fill {} after {after}", number(channels, channel))
                }
                Action::RetryFill { channel } => format!("retry {}", number(channels, channel)),
            });
        });
        words
    }

    /// A frame of the client.
    pub(crate) fn frame(&mut self, text: &str) -> Vec<String> {
        let message = codec::decode_text(text, &Limits::default()).expect("a good frame");
        self.act(|socket, act| socket.receive(message, act))
    }

    pub(crate) fn joined(&mut self, n: usize, refs: &str, topic: &str) -> Vec<String> {
        let reply = reply(refs, refs, topic, "ok", json!({}));
        let id = self.channels[n];
        self.act(|socket, act| socket.joined(id, reply, None, act))
    }

    pub(crate) fn refused(
        &mut self,
        n: usize,
        refs: &str,
        topic: &str,
        reason: &str,
    ) -> Vec<String> {
        let reply = reply(refs, refs, topic, "error", json!({ "reason": reason }));
        let id = self.channels[n];
        self.act(|socket, act| socket.refused(id, reply, act))
    }

    pub(crate) fn down(&mut self, n: usize, end: End) -> Vec<String> {
        let id = self.channels[n];
        self.act(|socket, act| socket.down(id, end, act))
    }

    pub(crate) fn write(&mut self, n: usize, frame: Frame) -> Vec<String> {
        let id = self.channels[n];
        self.act(|socket, act| socket.write(id, frame, act))
    }

    pub(crate) fn broadcast(&mut self, n: usize, seq: Option<u64>, frame: Frame) -> Vec<String> {
        let id = self.channels[n];
        self.act(|socket, act| socket.broadcast(id, seq, frame, act))
    }

    /// Joins a topic with this `join_ref`; the number of the channel.
    pub(crate) fn join(&mut self, refs: &str, topic: &str) -> usize {
        self.frame(&format!(r#"["{refs}","{refs}","{topic}","phx_join",{{}}]"#));
        let n = self.channels.len() - 1;
        self.joined(n, refs, topic);
        n
    }
}

pub(crate) fn text(frame: &Frame) -> String {
    String::from_utf8(frame.bytes().to_vec()).expect("UTF-8")
}

pub(crate) fn reply(
    join_ref: &str,
    msg_ref: &str,
    topic: &str,
    status: &'static str,
    response: Value,
) -> Frame {
    let status = Status::new(status);
    codec::reply(
        &join_ref.into(),
        &msg_ref.into(),
        topic,
        &status,
        &response.into(),
    )
    .expect("a reply")
}

pub(crate) fn unmatched(msg_ref: &str, topic: &str) -> String {
    format!(
        r#"[null,{msg_ref},"{topic}","phx_reply",{{"response":{{"reason":"unmatched topic"}},"status":"error"}}]"#
    )
}

pub(crate) fn ok(join_ref: &str, msg_ref: &str, topic: &str) -> String {
    format!(r#"[{join_ref},{msg_ref},"{topic}","phx_reply",{{"response":{{}},"status":"ok"}}]"#)
}

pub(crate) fn ended(join_ref: &str, topic: &str, event: &str) -> String {
    format!(r#"[{join_ref},{join_ref},"{topic}","{event}",{{}}]"#)
}

pub(crate) const NOTHING: [&str; 0] = [];
