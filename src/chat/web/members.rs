//! Who is in which room: one entry per user, with one meta for each of their connections.
//!
//! A client is told the state first, and then what changes. The official client would take changes before the state
//! too and keep them until that comes; but if its join dies in between it keeps them for the state of the next join,
//! and shows whoever came meanwhile for ever, as it was not there when they left.

use super::room_channel::{Note, RoomChannel, Shared};
use crate::behaviour::gen_server::Next;
use crate::behaviour::supervisor::{Child, ServerChild};
use crate::process;
use crate::service::presence::{self, Config, Presence, Presences};
use crate::service::pub_sub::PubSub;
use crate::sync::{Arc, Mutex, Weak};
use crate::time::Clock;
use crate::web::channel::presence::{DIFF_EVENT, Fields, STATE_EVENT, diff, state};
use crate::web::channel::{Broadcast, ChannelCx, Frame, Payload, codec};
use std::collections::VecDeque;

/// The tracker, and where it tells what changed, by topic.
#[derive(Clone, Debug)]
pub(super) struct Members {
    tracker: process::Name<presence::Msg<Fields>>,
    changes: PubSub<Arc<Change>>,
    written: Arc<Written>,
}

/// States that were encoded lately. Those who enter together are told the same state, and a crowd of a thousand is
/// not to be written a thousand times.
#[derive(Debug, Default)]
struct Written {
    /// Guards itself; nothing else is locked or sent while it is held.
    states: Mutex<VecDeque<(Weak<Presences<Fields>>, Payload)>>,
}

/// States kept at a time: rooms that crowds enter at the same moment.
const WRITTEN_MAX: usize = 8;

impl Written {
    /// The payload for a state, made at the first asking.
    fn payload(&self, present: &Arc<Presences<Fields>>) -> Payload {
        let mut states = self.states.lock();
        // Only while the state is there: another may have its address later.
        states.retain(|(known, _)| known.strong_count() > 0);
        let known = states
            .iter()
            .find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(present)));
        if let Some((_, payload)) = known {
            return payload.clone();
        }
        let payload = state(present);
        states.truncate(WRITTEN_MAX - 1);
        states.push_front((Arc::downgrade(present), payload.clone()));
        payload
    }
}

/// A diff, and its frame: encoded once for all who spell the topic as its room is spelled.
#[derive(Debug)]
pub(super) struct Change {
    topic: Arc<str>,
    payload: Payload,
    frame: Frame,
}

impl Members {
    pub(super) fn new() -> Self {
        Members {
            tracker: process::Name::new("chat.presence"),
            changes: PubSub::new("chat.presence"),
            written: Arc::default(),
        }
    }

    /// The tracker as part of a tree.
    pub(super) fn child(&self) -> Child {
        let changes = self.changes.clone();
        let config = Config::new(move |topic: &Arc<str>, changed| {
            let payload = diff(changed);
            match codec::broadcast(topic, DIFF_EVENT, &payload) {
                Ok(frame) => {
                    let topic = topic.clone();
                    let change = Change {
                        topic: topic.clone(),
                        payload,
                        frame,
                    };
                    changes.broadcast(&topic, Arc::new(change));
                }
                Err(error) => {
                    log::error!(target: "perennial::chat", "a presence diff is no frame: {error}")
                }
            }
        });
        let tracker: ServerChild<Presence<Fields>> = Child::server("presence", config);
        tracker.name(&self.tracker).pooled().into()
    }

    /// The client of a channel has joined: others are told, and it is told who is there. It follows the changes from
    /// before it asks, so that it misses none.
    pub(super) fn enter(
        &self,
        topic: Arc<str>,
        clock: &Clock,
        cx: &mut ChannelCx<'_, RoomChannel>,
    ) {
        self.changes.subscribe(&topic, cx.recipient(Note::Change));
        let (pid, key) = (cx.pid(), cx.assigns().account.name.clone());
        let mut meta = Fields::new();
        meta.insert("online_at".to_owned(), (clock.unix_ms() / 1_000).into());
        let tracked = topic.clone();
        cx.request(
            self.tracker.clone(),
            |reply| presence::Msg::Track {
                pid,
                topic: tracked,
                key,
                meta,
                reply,
            },
            |channel, _, cx| {
                channel.members().tell_state(topic, cx);
                Next::Loop
            },
        );
    }

    fn tell_state(&self, topic: Arc<str>, cx: &mut ChannelCx<'_, RoomChannel>) {
        let written = self.written.clone();
        cx.request(
            self.tracker.clone(),
            |reply| presence::Msg::State(topic, reply),
            move |channel, present, cx| {
                // A tracker that ends takes this channel with it: the client joins again, and is told then.
                if let Ok(present) = present {
                    cx.push(STATE_EVENT, written.payload(&present));
                    channel.knows_members = true;
                }
                Next::Loop
            },
        );
    }
}

impl Change {
    /// Tells the client of a channel. One that spells the topic in its own way knows it only so, and gets a frame of
    /// its own.
    pub(super) fn tell(&self, cx: &ChannelCx<'_, RoomChannel>) {
        let own = (*cx.topic() != *self.topic)
            .then(|| codec::broadcast(cx.topic(), DIFF_EVENT, &self.payload).ok())
            .flatten();
        let frame = own.unwrap_or_else(|| self.frame.clone());
        cx.fastlane().cast(Broadcast::Event(frame));
    }
}

impl Shared {
    pub(super) fn members(&self) -> &Members {
        &self.members
    }
}
