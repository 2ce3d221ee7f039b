//! The reactor's command queue: anyone posts, the reactor takes, and a sleeping reactor is woken once per batch.

use super::service::GuardedSink;
use super::table::ConnectionId;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, channel};
use crate::web::http::Response;
use crate::web::websocket::Handshake;
use std::fmt;
use std::time::Instant;

/// What the reactor is asked to do.
pub(super) enum Command {
    /// Answer the request of the connection.
    Respond {
        id: ConnectionId,
        response: Box<Response>,
    },
    /// Answer it with a 101.
    Upgrade {
        id: ConnectionId,
        handshake: Box<Handshake>,
        sink: GuardedSink,
    },
    /// Frames or a Close wait at the connection.
    Flush(ConnectionId),
    /// Messages of the connection are done; read on.
    Resume(ConnectionId),
    /// Take no more connections and end those that are, at the latest then.
    Shutdown(Instant),
    /// Drop everything and return.
    Stop,
    /// Nothing, but do not sleep.
    Wake,
}

/// The sending side. A clone is the same queue.
#[derive(Clone)]
pub(super) struct Post(Arc<Inner>);

struct Inner {
    commands: channel::Sender<Command>,
    /// Equals `true` while the reactor sleeps or is about to: whoever sets it to `false` owes it a wake-up.
    is_asleep: AtomicBool,
    waker: mio::Waker,
}

/// The receiving side.
pub(super) struct Inbox {
    commands: channel::Receiver<Command>,
    post: Post,
}

impl Post {
    pub(super) fn new(waker: mio::Waker) -> (Post, Inbox) {
        let (sender, receiver) = channel::unbounded();
        let post = Post(Arc::new(Inner {
            commands: sender,
            is_asleep: AtomicBool::new(false),
            waker,
        }));
        let inbox = Inbox {
            commands: receiver,
            post: post.clone(),
        };
        (post, inbox)
    }

    /// Posts a command. Once the reactor is gone it is dropped, which fails the sink or the answer in it.
    pub(super) fn send(&self, command: Command) {
        if self.0.commands.send(command).is_ok() {
            self.wake();
        }
    }

    /// Wakes the reactor if it sleeps.
    ///
    /// No command is slept over. Both sides touch `is_asleep` only by read-modify-write, so one comes first:
    /// 1. The sender has queued its command, then swaps in `false`.
    /// 2. The reactor swaps in `true`, then looks into the queue, then sleeps.
    ///
    /// If 1 is first, 2 reads what 1 wrote, and so sees the command in the queue. If 2 is first, 1 finds `true` and wakes.
    pub(super) fn wake(&self) {
        if self.0.is_asleep.swap(false, Ordering::AcqRel) {
            // It can only fail when the reactor's poll is gone, and then there is nobody to wake.
            let _ = self.0.waker.wake();
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

impl Inbox {
    pub(super) fn post(&self) -> Post {
        self.post.clone()
    }

    pub(super) fn next(&self) -> Option<Command> {
        self.commands.try_recv().ok()
    }

    /// Says that the reactor is about to sleep; `false` if it must not, because there is a command.
    pub(super) fn may_sleep(&self) -> bool {
        self.post.0.is_asleep.swap(true, Ordering::AcqRel);
        self.commands.is_empty()
    }

    /// Says that the reactor is awake again.
    pub(super) fn awake(&self) {
        self.post.0.is_asleep.swap(false, Ordering::AcqRel);
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
