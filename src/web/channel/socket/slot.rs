//! PURE: the table of a socket's topics, and the desk where messages wait for a join.

use super::action::{ChannelId, SocketLimits};
use crate::sync::Arc;
use crate::web::channel::message::{Frame, Message, WireRef};
use crate::web::cursor::Cursor;
use std::collections::HashMap;

/// One topic of one client, from the first join to the last end.
#[derive(Debug)]
pub(super) struct Slot<H> {
    pub(super) topic: Arc<str>,
    pub(super) handler: H,
    pub(super) channel: ChannelId,
    pub(super) join_ref: WireRef,
    pub(super) phase: Phase,
}

/// Where a topic stands; see the picture in the header of [`socket`](super).
#[derive(Debug)]
pub(super) enum Phase {
    Joining {
        msg_ref: WireRef,
        /// The highest number that was broadcast meanwhile.
        newest: u64,
        held: Vec<Message>,
    },
    Joined {
        cursor: Option<Cursor<Frame>>,
    },
    /// The channel was told to stop.
    Ending {
        /// The leave that is to be answered.
        leave: Option<WireRef>,
        next: Option<Next>,
    },
}

impl Phase {
    /// What waits for a join that is not decided.
    pub(super) fn into_held(self) -> Vec<Message> {
        match self {
            Phase::Joining { held, .. } => held,
            Phase::Ending { next, .. } => next.map(|next| next.held).unwrap_or_default(),
            Phase::Joined { .. } => Vec::new(),
        }
    }
}

/// A second join that waits for the end of the first.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) join: Message,
    pub(super) held: Vec<Message>,
}

impl<H> Slot<H> {
    /// The `join_ref` under which the client talks now.
    pub(super) fn conversation(&self) -> &WireRef {
        match &self.phase {
            Phase::Ending {
                next: Some(next), ..
            } => &next.join.join_ref,
            _ => &self.join_ref,
        }
    }

    pub(super) fn cursor(&mut self) -> Option<&mut Cursor<Frame>> {
        match &mut self.phase {
            Phase::Joined { cursor } => cursor.as_mut(),
            _ => None,
        }
    }

    /// Where messages wait, if the topic waits for a join.
    fn waiting(&mut self) -> Option<&mut Vec<Message>> {
        match &mut self.phase {
            Phase::Joining { held, .. } => Some(held),
            Phase::Ending { next, .. } => next.as_mut().map(|next| &mut next.held),
            Phase::Joined { .. } => None,
        }
    }
}

/// All slots of a socket. A channel is found by its number without hashing: broadcasts come that way.
#[derive(Debug)]
pub(super) struct Slots<H> {
    topics: HashMap<Arc<str>, usize>,
    /// Where the index of a [`ChannelId`] points; empty places are used again.
    places: Vec<Option<Slot<H>>>,
    serial: u64,
}

impl<H> Slots<H> {
    pub(super) fn new() -> Self {
        Slots {
            topics: HashMap::new(),
            places: Vec::with_capacity(1),
            serial: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    /// The slot of a channel, unless the channel has ended.
    pub(super) fn get(&mut self, channel: ChannelId) -> Option<&mut Slot<H>> {
        let slot = self.places.get_mut(channel.index)?.as_mut()?;
        (slot.channel == channel).then_some(slot)
    }

    /// The slot of a topic.
    pub(super) fn of_topic(&mut self, topic: &str) -> Option<&mut Slot<H>> {
        let index = *self.topics.get(topic)?;
        self.places[index].as_mut()
    }

    /// Takes a slot for a join.
    pub(super) fn insert(&mut self, handler: H, join: &Message) -> ChannelId {
        let free = self.places.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        let topic: Arc<str> = join.topic.as_ref().into();
        self.topics.insert(topic.clone(), index);
        let channel = self.next_id(index);
        self.places[index] = Some(Slot {
            topic,
            handler,
            channel,
            join_ref: join.join_ref.clone(),
            phase: joining(join, Vec::new()),
        });
        channel
    }

    /// Gives the slot of a channel that ended to the join that waited for that.
    pub(super) fn succeed(
        &mut self,
        ended: ChannelId,
        join: &Message,
        held: Vec<Message>,
    ) -> ChannelId {
        let channel = self.next_id(ended.index);
        if let Some(slot) = self.get(ended) {
            slot.channel = channel;
            slot.join_ref = join.join_ref.clone();
            slot.phase = joining(join, held);
        }
        channel
    }

    pub(super) fn remove(&mut self, channel: ChannelId) -> Option<Slot<H>> {
        self.get(channel)?;
        let slot = self.places[channel.index].take()?;
        self.topics.remove(&slot.topic);
        Some(slot)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot<H>> {
        self.places.iter_mut().flatten()
    }

    pub(super) fn clear(&mut self) {
        self.topics.clear();
        self.places.clear();
    }

    fn next_id(&mut self, index: usize) -> ChannelId {
        self.serial += 1;
        ChannelId {
            index,
            serial: self.serial,
        }
    }
}

fn joining(join: &Message, held: Vec<Message>) -> Phase {
    Phase::Joining {
        msg_ref: join.msg_ref.clone(),
        newest: 0,
        held,
    }
}

/// How much waits for joins, in all slots together.
#[derive(Debug, Default)]
pub(super) struct Desk {
    count: usize,
    bytes: usize,
}

impl Desk {
    /// Lays a message down until the join of its topic is decided; gives it back if there is no room.
    pub(super) fn hold<H>(
        &mut self,
        limits: &SocketLimits,
        slot: &mut Slot<H>,
        message: Message,
    ) -> Option<Message> {
        let (count, bytes) = (self.count + 1, self.bytes + message.payload.len());
        let fits = count <= limits.held_max && bytes <= limits.held_bytes_max;
        match slot.waiting() {
            Some(held) if fits => {
                held.push(message);
                *self = Desk { count, bytes };
                None
            }
            _ => Some(message),
        }
    }

    /// What was laid down is taken up.
    pub(super) fn release(&mut self, held: &[Message]) {
        let bytes: usize = held.iter().map(|message| message.payload.len()).sum();
        self.count -= held.len();
        self.bytes -= bytes;
    }
}
