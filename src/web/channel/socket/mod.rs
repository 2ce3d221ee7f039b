//! PURE: what one connection owes its client: which channels it has, who gets which frame, and what is
//! answered when there is nobody to ask.
//!
//! Think of the concierge of a house. He knows who lives behind which door (topic), takes letters up, and
//! answers himself when a door is closed: "nobody of that name". He never goes up to wait for an answer. While
//! a new tenant is moving in (*joining*) letters for the flat stay on his desk, a few; and a tenant who comes
//! for a flat that is taken waits at the desk until the old one is out, so no two ever live behind one door.
//!
//! A topic is in one of these phases:
//!
//! ```text
//!            joined                    leave, second join
//! (none) ──► Joining ─────────► Joined ─────────────────► Ending ──► (none)
//!    ▲         │  second join, leave on a full desk ─────►  │  └───► Joining of the second join
//!    └─────────┘  refused, crashed                          down
//! ```
//!
//! - W1: a channel is started only when the one before it on the same topic has ended.
//! - W2: an event goes to a channel only between its `joined` and its stop.
//! - W3: a socket answers a `ref` at most once, and nothing with a `join_ref` follows its `phx_close` or
//!   `phx_error`, except that a leave which comes too late is answered `ok`.
//! - W4: every join is answered in the end: by a reply, or by `phx_close` if the client itself gave it up.

mod action;

mod answer;

mod slot;

pub use action::{Action, ChannelId, End, SocketLimits, Stop};

use super::codec;
use super::message::{Frame, Message};
use super::router::Routes;
use crate::sync::Arc;
use crate::web::cursor::{Cursor, Step};
use slot::{Desk, Next, Phase, Slot, Slots};

/// All channels of one connection.
///
/// What there is to do is given to the last parameter of each method, in order.
///
/// ```
/// use perennial::web::channel::codec::{self, Limits};
/// use perennial::web::channel::{Action, Payload, Routes, Socket, SocketLimits, Status};
///
/// let routes = Routes::new().channel("room:*", "the room channel");
/// let mut socket = Socket::new(routes.into(), SocketLimits::default());
///
/// let text = r#"["1","1","room:7","phx_join",{}]"#;
/// let join = codec::decode_text(text, &Limits::default())?;
/// let mut started = None;
/// socket.receive(join, &mut |action| {
///     if let Action::Join { channel, handler, .. } = action {
///         assert_eq!(handler, "the room channel");
///         started = Some(channel);
///     }
/// });
///
/// let reply = codec::reply(&"1".into(), &"1".into(), "room:7", &Status::OK, &Payload::empty())?;
/// let mut written = Vec::new();
/// socket.joined(started.expect("a join"), reply.clone(), None, &mut |action| written.push(action));
/// assert_eq!(written, [Action::Write(reply)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Socket<H> {
    routes: Arc<Routes<H>>,
    limits: SocketLimits,
    slots: Slots<H>,
    desk: Desk,
    paused: bool,
    closed: bool,
}

/// Where a socket's decisions go.
/// How long the reply to a join may be while the client does not keep up. Several joins at once can carry more history
/// than may wait for one client; it would be closed, connect again, join all of them again, and never get on. So it
/// gets what fits, and tries the others later.
const LATE_REPLY_MAX: usize = 16 * 1024;

type Act<'a, H> = dyn FnMut(Action<H>) + 'a;

impl<H: Clone> Socket<H> {
    /// A connection that has joined nothing yet.
    pub fn new(routes: Arc<Routes<H>>, limits: SocketLimits) -> Self {
        Socket {
            routes,
            limits,
            slots: Slots::new(),
            desk: Desk::default(),
            paused: false,
            closed: false,
        }
    }

    /// How many topics have a channel, or wait for one to end.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Equals `true` if no topic has a channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // ## From the client

    /// A frame of the client, taken apart.
    pub fn receive(&mut self, message: Message, act: &mut Act<'_, H>) {
        if self.closed {
            return;
        }
        if &*message.topic == "phoenix" {
            return act(Action::Write(answer::heartbeat(&message)));
        }
        let Some(slot) = self.slots.of_topic(&message.topic) else {
            return match &*message.event {
                "phx_join" => self.join(message, act),
                "phx_leave" => act(Action::Write(answer::ok(&message, &message.join_ref))),
                _ => act(Action::Write(answer::unmatched(&message))),
            };
        };
        let channel = slot.channel;
        // As Phoenix 1.8: what belongs to an older join is not for this channel.
        let current = message.join_ref.is_null() || message.join_ref == *slot.conversation();
        match &*message.event {
            "phx_join" => self.join_again(channel, message, act),
            "phx_leave" if current => self.leave(channel, message, act),
            _ if current => self.deliver(channel, message, act),
            _ => {}
        }
    }

    /// The connection is gone: all channels are to stop, and nothing is written any more.
    pub fn close(&mut self, act: &mut Act<'_, H>) {
        self.closed = true;
        for slot in self.slots.iter_mut() {
            if !matches!(slot.phase, Phase::Ending { .. }) {
                act(stop(slot.channel, Stop::Closed));
            }
        }
        self.slots.clear();
    }

    // ## From the channels

    /// A channel accepted its client; `reply` says so. With `seen`, its broadcasts are sequenced, and this is
    /// the last number that the client knows after it has applied the reply.
    pub fn joined(
        &mut self,
        channel: ChannelId,
        reply: Frame,
        seen: Option<u64>,
        act: &mut Act<'_, H>,
    ) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        let Phase::Joining {
            msg_ref,
            newest,
            held,
        } = &mut slot.phase
        else {
            return;
        };
        if self.paused && reply.bytes().len() > LATE_REPLY_MAX {
            let busy = answer::join_busy(&slot.join_ref, msg_ref, &slot.topic);
            self.fail_join(channel, busy, act);
            return act(stop(channel, Stop::Lost));
        }
        let (newest, held) = (*newest, std::mem::take(held));
        let held_back_max = self.limits.held_back_max;
        let cursor = seen.map(|seen| Cursor::after(seen).holding(held_back_max));
        slot.phase = Phase::Joined { cursor };
        act(Action::Write(reply));
        let paused = self.paused;
        self.step(channel, act, |cursor, act| {
            if paused {
                cursor.pause();
            }
            cursor.sync(newest, act);
        });
        self.receive_held(held, act);
    }

    /// A channel refused its client, or could not be started; `reply` says why.
    pub fn refused(&mut self, channel: ChannelId, reply: Frame, act: &mut Act<'_, H>) {
        let joining = |slot: &mut Slot<H>| matches!(slot.phase, Phase::Joining { .. });
        if self.slots.get(channel).is_some_and(joining) {
            self.fail_join(channel, reply, act);
        }
    }

    /// A reply or push of a channel, encoded with its `join_ref`. It has none to make before it has joined.
    pub fn write(&mut self, channel: ChannelId, frame: Frame, act: &mut Act<'_, H>) {
        let talking = |slot: &mut Slot<H>| !matches!(slot.phase, Phase::Joining { .. });
        if self.slots.get(channel).is_some_and(talking) {
            act(Action::Write(frame));
        }
    }

    /// A channel ended.
    pub fn down(&mut self, channel: ChannelId, end: End, act: &mut Act<'_, H>) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        match &mut slot.phase {
            Phase::Joining { msg_ref, .. } => {
                let reply = answer::join_crashed(&slot.join_ref, msg_ref, &slot.topic);
                self.fail_join(channel, reply, act);
            }
            Phase::Joined { .. } => {
                act(Action::Write(match end {
                    End::Stopped => codec::close(&slot.join_ref, &slot.topic),
                    End::Crashed => codec::error(&slot.join_ref, &slot.topic),
                }));
                self.slots.remove(channel);
            }
            Phase::Ending { leave, next } => {
                if let Some(msg_ref) = leave {
                    let reply = answer::left(&slot.join_ref, msg_ref, &slot.topic);
                    act(Action::Write(reply));
                }
                // Also if it crashed on the way: whoever asked for the end has it.
                act(Action::Write(codec::close(&slot.join_ref, &slot.topic)));
                match next.take() {
                    Some(next) => self.succeed(channel, next, act),
                    None => drop(self.slots.remove(channel)),
                }
            }
        }
    }

    // ## From the topics

    /// A broadcast that a channel subscribed its client to. With a number, the channel's cursor decides.
    pub fn broadcast(
        &mut self,
        channel: ChannelId,
        seq: Option<u64>,
        frame: Frame,
        act: &mut Act<'_, H>,
    ) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        match (&mut slot.phase, seq) {
            (Phase::Joined { cursor: Some(_) }, Some(seq)) => {
                self.step(channel, act, |cursor, act| cursor.live(seq, frame, act));
            }
            (Phase::Joined { .. }, _) => act(Action::Write(frame)),
            // The reply to the join comes first, and the cursor that it sets will know what it missed.
            (Phase::Joining { newest, .. }, Some(seq)) => *newest = seq.max(*newest),
            (Phase::Joining { .. } | Phase::Ending { .. }, _) => {}
        }
    }

    /// Everything up to `max` exists on the topic of a channel.
    pub fn sync(&mut self, channel: ChannelId, max: u64, act: &mut Act<'_, H>) {
        if let Some(slot) = self.slots.get(channel)
            && let Phase::Joining { newest, .. } = &mut slot.phase
        {
            *newest = max.max(*newest);
        }
        self.step(channel, act, |cursor, act| cursor.sync(max, act));
    }

    /// The answer to [`Action::Fill`].
    pub fn page(&mut self, channel: ChannelId, frames: Vec<(u64, Frame)>, act: &mut Act<'_, H>) {
        self.step(channel, act, |cursor, act| cursor.page(frames, act));
    }

    /// [`Action::Fill`] could not be answered.
    pub fn page_failed(&mut self, channel: ChannelId, act: &mut Act<'_, H>) {
        self.step(channel, act, |cursor, act| cursor.page_failed(act));
    }

    /// The pause after [`Action::RetryFill`] is over.
    pub fn retry_fill(&mut self, channel: ChannelId, act: &mut Act<'_, H>) {
        self.step(channel, act, |cursor, act| cursor.retry(act));
    }

    // ## From the transport

    /// The client does not read what was written: sequenced broadcasts wait in the store from now on.
    pub fn pause(&mut self) {
        self.paused = true;
        for cursor in self.slots.iter_mut().filter_map(Slot::cursor) {
            cursor.pause();
        }
    }

    /// The client reads again.
    pub fn resume(&mut self, act: &mut Act<'_, H>) {
        self.paused = false;
        let channels: Vec<ChannelId> = self.slots.iter_mut().map(|slot| slot.channel).collect();
        for channel in channels {
            self.step(channel, act, |cursor, act| cursor.resume(act));
        }
    }

    // ## Joins

    fn join(&mut self, message: Message, act: &mut Act<'_, H>) {
        let Some(handler) = self.routes.find(&message.topic).cloned() else {
            return act(Action::Write(answer::unmatched(&message)));
        };
        if self.slots.len() >= self.limits.channels_max {
            return act(Action::Write(answer::too_many(&message)));
        }
        let channel = self.slots.insert(handler.clone(), &message);
        act(Action::Join {
            channel,
            handler,
            message,
        });
    }

    /// The client joins a topic again: it has given the first channel up, or lost track of it.
    fn join_again(&mut self, channel: ChannelId, message: Message, act: &mut Act<'_, H>) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        let next = Some(Next {
            join: message,
            held: Vec::new(),
        });
        let held = match &mut slot.phase {
            Phase::Ending { next: waiting, .. } => {
                let Some(given_up) = std::mem::replace(waiting, next) else {
                    return;
                };
                let join = given_up.join;
                act(Action::Write(codec::close(&join.join_ref, &join.topic)));
                given_up.held
            }
            phase => {
                let leave = None;
                let before = std::mem::replace(phase, Phase::Ending { leave, next });
                act(stop(channel, Stop::DuplicateJoin));
                before.into_held()
            }
        };
        self.answer_held(held, act);
    }

    /// The channel before is down: the join that waited for that begins.
    fn succeed(&mut self, ended: ChannelId, next: Next, act: &mut Act<'_, H>) {
        let Some(handler) = self.slots.get(ended).map(|slot| slot.handler.clone()) else {
            return;
        };
        let channel = self.slots.succeed(ended, &next.join, next.held);
        act(Action::Join {
            channel,
            handler,
            message: next.join,
        });
    }

    fn fail_join(&mut self, channel: ChannelId, reply: Frame, act: &mut Act<'_, H>) {
        act(Action::Write(reply));
        if let Some(slot) = self.slots.remove(channel) {
            self.receive_held(slot.phase.into_held(), act);
        }
    }

    // ## Events and leaves

    fn deliver(&mut self, channel: ChannelId, message: Message, act: &mut Act<'_, H>) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        match &slot.phase {
            Phase::Joined { .. } => act(Action::Deliver { channel, message }),
            Phase::Ending { next: None, .. } => act(Action::Write(answer::unmatched(&message))),
            Phase::Joining { .. } | Phase::Ending { .. } => {
                if let Some(message) = self.desk.hold(&self.limits, slot, message) {
                    act(Action::Write(answer::busy(&message)));
                }
            }
        }
    }

    fn leave(&mut self, channel: ChannelId, message: Message, act: &mut Act<'_, H>) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        match &slot.phase {
            Phase::Joined { .. } => self.end(channel, message, act),
            Phase::Ending { next: None, .. } => {
                act(Action::Write(answer::ok(&message, &message.join_ref)));
            }
            Phase::Joining { .. } | Phase::Ending { .. } => {
                if let Some(message) = self.desk.hold(&self.limits, slot, message) {
                    self.end(channel, message, act);
                }
            }
        }
    }

    /// Begins the end that a leave asks for. A leave that found no room on the desk comes here before its
    /// join is decided, and that join is then not answered but closed.
    fn end(&mut self, channel: ChannelId, leave: Message, act: &mut Act<'_, H>) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        let held = match &mut slot.phase {
            Phase::Ending { next, .. } => {
                let Some(given_up) = next.take() else {
                    return;
                };
                let join = given_up.join;
                act(Action::Write(answer::ok(&leave, &join.join_ref)));
                act(Action::Write(codec::close(&join.join_ref, &join.topic)));
                given_up.held
            }
            phase => {
                let leave = Some(leave.msg_ref);
                let before = std::mem::replace(phase, Phase::Ending { leave, next: None });
                act(stop(channel, Stop::Left));
                before.into_held()
            }
        };
        self.answer_held(held, act);
    }

    /// A join is decided: what waited for that comes now.
    fn receive_held(&mut self, held: Vec<Message>, act: &mut Act<'_, H>) {
        self.desk.release(&held);
        for message in held {
            self.receive(message, act);
        }
    }

    /// A join was given up by the client: what waited for it has nowhere to go.
    fn answer_held(&mut self, held: Vec<Message>, act: &mut Act<'_, H>) {
        self.desk.release(&held);
        for message in held {
            act(Action::Write(match &*message.event {
                "phx_leave" => answer::ok(&message, &message.join_ref),
                _ => answer::unmatched(&message),
            }));
        }
    }

    // ## Cursors

    /// Lets something happen to the cursor of a channel, and does what follows.
    fn step(
        &mut self,
        channel: ChannelId,
        act: &mut Act<'_, H>,
        happen: impl FnOnce(&mut Cursor<Frame>, &mut dyn FnMut(Step<Frame>)),
    ) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        let Some(cursor) = slot.cursor() else {
            return;
        };
        let mut lost = false;
        happen(cursor, &mut |step| match step {
            Step::Write(frame) => act(Action::Write(frame)),
            Step::Fill { after } => act(Action::Fill { channel, after }),
            Step::RetryLater => act(Action::RetryFill { channel }),
            Step::GiveUp => lost = true,
        });
        if lost {
            act(Action::Write(codec::error(&slot.join_ref, &slot.topic)));
            act(stop(channel, Stop::Lost));
            self.slots.remove(channel);
        }
    }
}

fn stop<H>(channel: ChannelId, why: Stop) -> Action<H> {
    Action::Stop { channel, why }
}
