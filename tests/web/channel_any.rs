//! One connection with any client and any channels: the promises W1 to W4 of the socket hold.

use crate::door::{reply, text};
use perennial::web::channel::codec::{self, Limits};
use perennial::web::channel::{
    Action, ChannelId, End, Payload, Routes, Socket, SocketLimits, Stop, WireRef,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Op {
    Join {
        topic: u8,
    },
    /// With the `join_ref` of the last join, an older one, or none.
    Event {
        topic: u8,
        which: u8,
    },
    Leave {
        topic: u8,
        which: u8,
    },
    Accept(prop::sample::Index),
    Refuse(prop::sample::Index),
    End(prop::sample::Index, bool),
    Push(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (0..3_u8).prop_map(|topic| Op::Join { topic }),
        5 => (0..3_u8, 0..4_u8).prop_map(|(topic, which)| Op::Event { topic, which }),
        2 => (0..3_u8, 0..4_u8).prop_map(|(topic, which)| Op::Leave { topic, which }),
        5 => index().prop_map(Op::Accept),
        1 => index().prop_map(Op::Refuse),
        4 => (index(), any::<bool>()).prop_map(|(which, crash)| Op::End(which, crash)),
        3 => index().prop_map(Op::Push),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Joining,
    Joined,
    Stopped,
    Down,
}

/// The channels as their processes are, and everything that the client was sent.
struct World {
    socket: Socket<()>,
    refs: u32,
    /// The join refs of each topic, the oldest first.
    joins: BTreeMap<u8, Vec<u32>>,
    channels: Vec<(ChannelId, String, u32, State)>,
    replied: BTreeMap<String, u32>,
    ended: BTreeSet<String>,
    /// The refs of the leaves that were sent.
    leaves: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let limits = SocketLimits {
            channels_max: 2,
            held_max: 3,
            held_bytes_max: 1000,
            ..SocketLimits::default()
        };
        World {
            socket: Socket::new(Routes::new().channel("room:*", ()).into(), limits),
            refs: 0,
            joins: BTreeMap::new(),
            channels: Vec::new(),
            replied: BTreeMap::new(),
            ended: BTreeSet::new(),
            leaves: BTreeSet::new(),
        }
    }

    fn act(&mut self, happen: impl FnOnce(&mut Socket<()>, &mut dyn FnMut(Action<()>))) {
        let mut actions = Vec::new();
        happen(&mut self.socket, &mut |action| actions.push(action));
        for action in actions {
            match action {
                Action::Write(frame) => self.see(&text(&frame)),
                Action::Join {
                    channel, message, ..
                } => {
                    let topic = message.topic.to_string();
                    let alive = |(_, other, _, state): &(ChannelId, String, u32, State)| {
                        *other == topic && *state != State::Down
                    };
                    assert!(!self.channels.iter().any(alive), "W1");
                    let WireRef::Text(join_ref) = message.join_ref else {
                        panic!("a join with a ref")
                    };
                    let join_ref = join_ref.parse().expect("a number");
                    self.channels
                        .push((channel, topic, join_ref, State::Joining));
                }
                Action::Deliver { channel, message } => {
                    let (_, topic, join_ref, state) = self.find(channel);
                    assert_eq!(*state, State::Joined, "W2");
                    assert_eq!(*topic, *message.topic);
                    let current = WireRef::Text(join_ref.to_string().into());
                    assert!(message.join_ref.is_null() || message.join_ref == current);
                }
                Action::Stop { channel, why } => {
                    assert!(matches!(
                        why,
                        Stop::Left | Stop::DuplicateJoin | Stop::Closed
                    ));
                    let state = &mut self.find(channel).3;
                    assert!(matches!(state, State::Joining | State::Joined), "one stop");
                    *state = State::Stopped;
                }
                other => panic!("{other:?} without a cursor"),
            }
        }
    }

    fn find(&mut self, channel: ChannelId) -> &mut (ChannelId, String, u32, State) {
        let mut channels = self.channels.iter_mut();
        channels
            .find(|(id, ..)| *id == channel)
            .expect("a channel that was started")
    }

    fn see(&mut self, frame: &str) {
        let [join_ref, msg_ref, _, event, _] =
            serde_json::from_str::<[Value; 5]>(frame).expect("a frame");
        let late_leave = self.leaves.contains(&msg_ref.to_string());
        if let Some(join_ref) = join_ref.as_str().filter(|_| !late_leave) {
            assert!(!self.ended.contains(join_ref), "W3: {frame} after the end");
        }
        match event.as_str().expect("an event") {
            "phx_reply" => *self.replied.entry(msg_ref.to_string()).or_default() += 1,
            "phx_close" | "phx_error" => {
                let join_ref = join_ref.as_str().expect("a join_ref");
                assert!(self.ended.insert(join_ref.to_string()), "W3: one end");
            }
            _ => {}
        }
    }

    fn frame(&mut self, join_ref: &str, topic: u8, event: &str) {
        let frame = format!(
            r#"[{join_ref},"{}","room:{topic}","{event}",{{}}]"#,
            self.refs
        );
        let message = codec::decode_text(&frame, &Limits::default()).expect("a good frame");
        self.act(|socket, act| socket.receive(message, act));
    }

    fn join_ref(&self, topic: u8, which: u8) -> String {
        let joins = self
            .joins
            .get(&topic)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let chosen = match which {
            0 => None,
            1 => joins.first(),
            _ => joins.last(),
        };
        chosen.map_or("null".into(), |join_ref| format!("\"{join_ref}\""))
    }

    fn pick(
        &self,
        which: prop::sample::Index,
        states: &[State],
    ) -> Option<(ChannelId, String, u32)> {
        let fit = self.channels.iter().filter(|it| states.contains(&it.3));
        let fit: Vec<_> = fit
            .map(|(id, topic, refs, _)| (*id, topic.clone(), *refs))
            .collect();
        (!fit.is_empty()).then(|| fit[which.index(fit.len())].clone())
    }

    fn happen(&mut self, op: &Op) {
        self.refs += 1;
        match op {
            Op::Join { topic } => {
                let refs = self.refs;
                self.joins.entry(*topic).or_default().push(refs);
                self.frame(&format!("\"{refs}\""), *topic, "phx_join");
            }
            Op::Event { topic, which } => {
                let join_ref = self.join_ref(*topic, *which);
                self.frame(&join_ref, *topic, "event");
            }
            Op::Leave { topic, which } => {
                let join_ref = self.join_ref(*topic, *which);
                self.leaves.insert(format!("\"{}\"", self.refs));
                self.frame(&join_ref, *topic, "phx_leave");
            }
            Op::Accept(which) => {
                // A channel that was told to stop may have accepted before it heard of it.
                if let Some((id, topic, refs)) =
                    self.pick(*which, &[State::Joining, State::Stopped])
                {
                    let it = self.find(id);
                    if it.3 == State::Joining {
                        it.3 = State::Joined;
                    }
                    let refs = refs.to_string();
                    let reply = reply(&refs, &refs, &topic, "ok", json!({}));
                    self.act(|socket, act| socket.joined(id, reply, None, act));
                }
            }
            Op::Refuse(which) => {
                if let Some((id, topic, refs)) = self.pick(*which, &[State::Joining]) {
                    self.find(id).3 = State::Down;
                    let refs = refs.to_string();
                    let reply = reply(&refs, &refs, &topic, "error", json!({}));
                    self.act(|socket, act| socket.refused(id, reply, act));
                    self.act(|socket, act| socket.down(id, End::Stopped, act));
                }
            }
            Op::End(which, crash) => {
                let alive = [State::Joining, State::Joined, State::Stopped];
                if let Some((id, ..)) = self.pick(*which, &alive) {
                    self.find(id).3 = State::Down;
                    let end = if *crash { End::Crashed } else { End::Stopped };
                    self.act(|socket, act| socket.down(id, end, act));
                }
            }
            Op::Push(which) => {
                let any = [State::Joining, State::Joined, State::Stopped, State::Down];
                if let Some((id, topic, refs)) = self.pick(*which, &any) {
                    let refs = WireRef::Text(refs.to_string().into());
                    let push =
                        codec::push(&refs, &topic, "push", &Payload::empty()).expect("a push");
                    self.act(|socket, act| socket.write(id, push, act));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_client_with_any_channels_keeps_w1_to_w4(
        ops in prop::collection::vec(op(), 0..120),
        last in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        for op in &ops {
            world.happen(op);
        }
        // Everything that runs comes to an end, and so do the joins that waited for that.
        for _ in 0..20 {
            world.happen(&Op::End(last, false));
        }
        prop_assert!(world.socket.is_empty());
        for (msg_ref, count) in &world.replied {
            prop_assert_eq!(*count, 1, "W3: replies to {}", msg_ref);
        }
        for join_ref in world.joins.values().flatten() {
            let replied = world.replied.contains_key(&format!("\"{join_ref}\""));
            let ended = world.ended.contains(&join_ref.to_string());
            prop_assert!(replied || ended, "W4: join {}", join_ref);
        }
        // The desk is empty again: it takes three messages.
        world.happen(&Op::Join { topic: 0 });
        for _ in 0..3 {
            world.happen(&Op::Event { topic: 0, which: 2 });
            let msg_ref = format!("\"{}\"", world.refs);
            prop_assert!(!world.replied.contains_key(&msg_ref));
        }
        world.happen(&Op::Event { topic: 0, which: 2 });
        let msg_ref = format!("\"{}\"", world.refs);
        prop_assert!(world.replied.contains_key(&msg_ref));
    }
}
