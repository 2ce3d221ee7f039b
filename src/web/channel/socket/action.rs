//! PURE: the words between a socket's decisions and whoever acts on them.

use crate::service::rate_limit::Rate;
use crate::web::channel::message::{Frame, Message};
use crate::web::cursor::HELD_MAX;

/// How much one connection may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// Topics joined at the same time. 100, as in Phoenix.
    pub channels_max: usize,
    /// Messages that wait for joins, on all topics. 32: the official client sends none before it is joined,
    /// others pipeline a few.
    pub held_max: usize,
    /// Bytes of the payloads that wait. 256 KiB: four frames of the largest size.
    pub held_bytes_max: usize,
    /// Broadcasts that are held back for one channel while what comes before them is read from the store: written at
    /// once, they have to fit into what may wait for the client. 64, and never more.
    pub held_back_max: usize,
    /// Events of the client that wait for one channel; above it the answer is `busy`, not a longer queue. 64: what a
    /// client says in a second of a busy game.
    pub events_max: usize,
    /// Frames of the client. Above it the connection is closed with 4429. Off: what comes is read no faster than it is
    /// handled.
    pub frames: Rate,
}

impl Default for SocketLimits {
    fn default() -> Self {
        SocketLimits {
            channels_max: 100,
            held_max: 32,
            held_bytes_max: 256 * 1024,
            held_back_max: HELD_MAX,
            events_max: 64,
            frames: Rate::OFF,
        }
    }
}

/// One channel of one socket, from its join to its end. Never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId {
    pub(super) index: usize,
    pub(super) serial: u64,
}

/// Why a channel is to stop. All of these are orderly ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The client left.
    Left,
    /// The client joined the same topic again.
    DuplicateJoin,
    /// The connection is gone.
    Closed,
    /// What the client missed could not be read from the store, or would not fit; it was told to join again.
    Lost,
}

/// How a channel came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Normally: it stopped itself, or was stopped.
    Stopped,
    /// By a panic or any other reason that is no orderly end.
    Crashed,
}

/// What the connection has to do, in this order, after something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<H> {
    /// Write a frame to the client.
    Write(Frame),
    /// Start a channel. To be answered by [`Socket::joined`](super::Socket::joined) or [`Socket::refused`](super::Socket::refused), and in every case in the
    /// end, also if nothing could be started, by one [`Socket::down`](super::Socket::down).
    Join {
        /// Its identity.
        channel: ChannelId,
        /// What the topic was routed to.
        handler: H,
        /// The client's `phx_join`.
        message: Message,
    },
    /// Give a channel an event of its client.
    Deliver {
        /// To whom.
        channel: ChannelId,
        /// The event.
        message: Message,
    },
    /// Stop a channel; [`Socket::down`](super::Socket::down) says when it has.
    Stop {
        /// Which.
        channel: ChannelId,
        /// Why.
        why: Stop,
    },
    /// Read what comes after a number and hand it in by [`Socket::page`](super::Socket::page) or [`Socket::page_failed`](super::Socket::page_failed).
    Fill {
        /// For whom.
        channel: ChannelId,
        /// The last number that the client has seen.
        after: u64,
    },
    /// Call [`Socket::retry_fill`](super::Socket::retry_fill) after a pause.
    RetryFill {
        /// For whom.
        channel: ChannelId,
    },
}
