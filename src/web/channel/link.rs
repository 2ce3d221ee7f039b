//! The thread between a channel, its connection, and whoever holds one of its replies.

use super::codec;
use super::message::{Frame, Message, Payload, Status, WireRef};
use super::socket::{ChannelId, Stop};
use crate::process::{Dest, Recipient, Ref, ReplyTo};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::web::net::Incoming;
use std::fmt;

/// What a connection process is sent.
#[derive(Debug)]
pub(super) enum ToConnection {
    /// From the transport. What comes from the reactor counts against what its client may have under way until it
    /// is dropped.
    Incoming(Incoming),
    Text(String),
    Binary(Vec<u8>),
    Drained,
    Closed,
    /// From whoever wants the client gone.
    Disconnect(u16, String),
    /// From a channel.
    Joined(ChannelId, Frame, Option<u64>),
    Refused(ChannelId, Frame),
    Write(ChannelId, Frame),
    Page(ChannelId, Option<Vec<(u64, Frame)>>),
    /// From a topic.
    Broadcast(ChannelId, Broadcast),
    /// From a transport that wants to know when all before is handled.
    Sync(ReplyTo<()>),
    /// From its own timers.
    RetryFill(ChannelId),
    StopDue(ChannelId),
}

/// What a channel process is sent by its connection.
#[derive(Debug)]
pub(super) enum ToChannel {
    In(Message),
    Fill(u64),
    Stop(Stop),
}

/// What a topic sends to the clients that were subscribed to it by their channels.
#[derive(Clone, Debug, PartialEq)]
pub enum Broadcast {
    /// An event, encoded once by [`codec::broadcast`].
    Event(Frame),
    /// Events of a numbered topic, one after another; the first has this number.
    Sequenced(u64, Arc<[Frame]>),
    /// Everything up to this number exists: whoever has not seen it all reads the store.
    Sync(u64),
}

/// One channel as its connection is known to it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Ref<ToConnection>,
    pub(super) channel: ChannelId,
    pub(super) topic: Arc<str>,
    pub(super) join_ref: WireRef,
    /// Events that the connection has sent and the channel has not handled.
    in_flight: AtomicUsize,
}

impl Link {
    pub(super) fn new(
        connection: Ref<ToConnection>,
        channel: ChannelId,
        topic: Arc<str>,
        join_ref: WireRef,
    ) -> Self {
        Link {
            connection,
            channel,
            topic,
            join_ref,
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Takes room for one more event; only the connection does.
    pub(super) fn admit(&self, events_max: usize) -> bool {
        let waiting = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if waiting < events_max {
            return true;
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// An event was handled.
    pub(super) fn release(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn write(&self, frame: Frame) {
        // A connection that is gone needs no frames.
        let _ = self
            .connection
            .try_cast(ToConnection::Write(self.channel, frame));
    }

    /// A reply. Bytes whose envelope does not fit into a binary frame are answered with an error instead: the
    /// process that answers is often not the one that chose the names.
    pub(super) fn reply(&self, msg_ref: &WireRef, status: &Status, response: &Payload) -> Frame {
        let encode = |status: &Status, response: &Payload| {
            codec::reply(&self.join_ref, msg_ref, &self.topic, status, response)
        };
        encode(status, response).unwrap_or_else(|_| {
            encode(&Status::ERROR, &Payload::reason("response too long"))
                .expect("only binary payloads can be too long for their frame")
        })
    }

    pub(super) fn fastlane(&self) -> Recipient<Broadcast> {
        let channel = self.channel;
        self.connection
            .recipient(move |broadcast| ToConnection::Broadcast(channel, broadcast))
    }
}

/// The right to answer one event of a client, once: a `socket_ref`.
///
/// It may be moved to another process, which is how a room answers after the commit. Dropped, there is no answer.
/// After the channel has ended an answer goes nowhere: its client was told `phx_close` or `phx_error`.
#[must_use = "an event whose reply is dropped has no answer"]
pub struct Reply {
    link: Arc<Link>,
    msg_ref: WireRef,
}

impl Reply {
    pub(super) fn new(link: Arc<Link>, msg_ref: WireRef) -> Self {
        Reply { link, msg_ref }
    }

    /// Answers with status `ok`.
    pub fn ok(self, response: impl Into<Payload>) {
        self.send(Status::OK, response);
    }

    /// Answers with status `error`.
    pub fn error(self, response: impl Into<Payload>) {
        self.send(Status::ERROR, response);
    }

    /// Answers with any status that the client listens for.
    pub fn send(self, status: Status, response: impl Into<Payload>) {
        let frame = self.link.reply(&self.msg_ref, &status, &response.into());
        self.link.write(frame);
    }

    /// The topic that the event came on.
    pub fn topic(&self) -> &str {
        &self.link.topic
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({:?}, {:?})", self.link.topic, self.msg_ref)
    }
}

/// The duty to hand in what a client misses; see [`Channel::fill`](super::Channel::fill).
///
/// It may be moved to another process. Dropped, it says that the store could not answer: the channel is asked
/// again after a pause, and a client that still misses something after some of these is told to join again.
#[must_use = "a fill that is dropped says that the store could not answer"]
pub struct Fill {
    link: Arc<Link>,
    answered: bool,
}

impl Fill {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Fill {
            link,
            answered: false,
        }
    }

    /// Hands in the frames that come after the number, in order and without a gap, each with its own; as many as
    /// are good to read at once. If more are missing, the channel is asked again.
    pub fn page(mut self, frames: Vec<(u64, Frame)>) {
        self.answer(Some(frames));
    }

    fn answer(&mut self, frames: Option<Vec<(u64, Frame)>>) {
        self.answered = true;
        let page = ToConnection::Page(self.link.channel, frames);
        let _ = self.link.connection.try_cast(page);
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        if !self.answered {
            self.answer(None);
        }
    }
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fill({:?})", self.link.topic)
    }
}
