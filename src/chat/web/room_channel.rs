//! One client in one room. The process is [`channel`](crate::web::channel)'s: one per client and topic, started by the
//! connection, dies with it, on leave, or on a crash.
//!
//! A join, told as steps. 1. The client's connection is subscribed to the room: what is said from now on reaches it,
//! and it remembers the highest number. 2. The room's process is started if it does not run. 3. A page is read from
//! the store. 4. The reply carries that page, and sets the cursor behind it. So nothing falls between page and live
//! messages: whatever was committed before step 3 is on the page or is read next, whatever came after step 1 is known
//! by its number.

use super::json;
use super::members::{Change, Members};
use super::posting::Posting;
use super::reading::READ;
use crate::behaviour::gen_server::{Info, Next};
use crate::chat::application::Chat;
use crate::chat::body::{Body, BodyError, ClientId};
use crate::chat::config::Limits;
use crate::chat::event::RoomEvent;
use crate::chat::name::Name;
use crate::chat::room::NewPost;
use crate::chat::rooms::{OpenRoomError, RoomsMsg};
use crate::chat::sessions;
use crate::chat::store::{
    CannotEnter, EnterRoom, Entered, HISTORY_MAX, HistoryOfRoom, Message, Page, TokenHash,
};
use crate::process::Dest;
use crate::service::limiter::RateLimit;
use crate::store::ReaderMsg;
use crate::sync::Arc;
use crate::web::channel::{
    Broadcast, Channel, ChannelCx, Fill, Frame, Join, Payload, Reply, codec,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The topics of rooms begin so.
const PREFIX: &str = "room:";

/// How many of the newest messages a client gets that says nothing of what it has seen.
const NEWEST: usize = 50;

/// Bytes of the bodies of a page for a client that catches up, at most: what waits for one client is limited, and pages
/// of the longest messages would exceed it at once. What does not fit comes with the next page.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Which part of the frames, and of the bytes, that may wait for a client one page of them may be. The next page is read when less than
/// half waits, so that a quarter leaves room for what else is said.
const PAGE_PART: usize = 4;

/// Which part of them those may be that are held back while a page is read, and are written behind it.
const HELD_PART: usize = 8;

/// How many messages may be held back for one client.
pub(super) fn held_back_max(limits: &Limits) -> usize {
    let longest = limits
        .message_bytes
        .max_or_all()
        .min(limits.frame_bytes.max_or_all());
    let by_bytes = limits.outbound_bytes.max_or_all() / HELD_PART / longest;
    by_bytes.min(limits.outbound_frames.max_or_all() / HELD_PART)
}

/// What every room channel gets.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) chat: Chat,
    /// Messages of each user.
    pub(super) sends: Arc<RateLimit<Arc<str>>>,
    /// Joins of each user.
    pub(super) joins: Arc<RateLimit<Arc<str>>>,
    /// Read cursors that each user moves.
    pub(super) reads: Arc<RateLimit<Arc<str>>>,
    pub(super) members: Members,
}

/// Who is at the other end of a socket.
pub(super) struct Client {
    pub(super) account: crate::chat::Account,
    /// The session in which it signed in.
    pub(super) session: TokenHash,
}

pub(super) struct RoomChannel {
    pub(super) shared: Shared,
    pub(super) room: Arc<str>,
    pub(super) posting: Posting,
    /// What the client has seen, if it said so.
    after: Option<u64>,
    /// How far the user has read, as far as is known here.
    pub(super) read_seq: u64,
    /// When the session was last noted to be in use.
    seen_at: i64,
    /// Equals `true` once the client is in.
    pub(super) is_in: bool,
    /// Equals `true` once the client was told who is here. The tracker answers after it has told all that changed
    /// before, so that this is not to be told again.
    pub(super) knows_members: bool,
}

/// What a room channel hears from others.
#[derive(Debug)]
pub(super) enum Note {
    /// Somebody came or went.
    Change(Arc<Change>),
    /// The client's user has read up to this message.
    Read(u64),
}

impl Channel for RoomChannel {
    type Assigns = Client;
    type Args = Shared;
    type Msg = Note;

    fn join(shared: Shared, payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        let Some(room) = cx
            .topic()
            .strip_prefix(PREFIX)
            .and_then(|name| Name::new(name).ok())
        else {
            return Join::Refused(Payload::reason("not_found"));
        };
        let Ok(after) = after_of(&payload) else {
            return Join::Refused(Payload::reason("invalid"));
        };
        if let Err(retry) = shared.joins.check(cx.assigns().account.name.clone()) {
            return Join::Refused(retry_later("rate_limited", retry.retry_after));
        }
        let room: Arc<str> = room.as_str().into();
        let recipient = subscription(&room, cx);
        shared.chat.topics().subscribe(&room, recipient);
        let name = room.clone();
        cx.request(
            shared.chat.rooms().clone(),
            |answer| RoomsMsg::Open(name, answer),
            |channel, opened, cx| match opened {
                Ok(Ok(_)) => channel.read_page(cx),
                Ok(Err(OpenRoomError::NoSuchRoom)) => cx.refuse(Payload::reason("not_found")),
                Ok(Err(OpenRoomError::Storage)) | Err(_) => cx.refuse(Payload::reason("storage")),
            },
        );
        let waiting_max = shared.chat.config().limits.channel_mailbox.max();
        Join::Pending(RoomChannel {
            posting: Posting::new(waiting_max.unwrap_or(0) as usize),
            shared,
            room,
            after,
            read_seq: 0,
            seen_at: 0,
            is_in: false,
            knows_members: false,
        })
    }

    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<Note> {
        self.note_use(cx);
        match event {
            "new_msg" => self.new_msg(&payload, reply, cx),
            READ => self.read(&payload, reply, cx),
            _ => reply.error(Payload::reason("invalid")),
        }
        Next::Loop
    }

    fn handle(&mut self, note: Note, cx: &mut ChannelCx<'_, Self>) -> Next<Note> {
        match note {
            Note::Change(change) if self.knows_members => change.tell(cx),
            Note::Change(_) => {}
            Note::Read(seq) => self.was_read(seq, cx),
        }
        Next::Loop
    }

    fn handle_info(&mut self, _info: Info, _cx: &mut ChannelCx<'_, Self>) -> Next<Note> {
        Next::Loop
    }

    fn fill(&mut self, after: u64, fill: Fill, cx: &mut ChannelCx<'_, Self>) -> Next<Note> {
        let frames_max = self.shared.chat.config().limits.outbound_frames.max();
        let limit = frames_max.map_or(HISTORY_MAX, |max| (max as usize / PAGE_PART).max(1));
        let history = HistoryOfRoom {
            name: self.room.clone(),
            page: Page::After(after),
            limit: limit.min(HISTORY_MAX),
        };
        let bytes_max = self.page_bytes_max();
        let topic: Arc<str> = cx.topic().into();
        let read = ReaderMsg::read_then(history, move |page| {
            // Without an answer `fill` is dropped, which says that the store could not answer.
            if let Ok(Some(messages)) = page {
                let frame = |message: &Message| (message.seq, frame(&topic, message));
                let page = within_bytes(&messages, bytes_max);
                fill.page(page.iter().map(frame).collect());
            }
        });
        self.shared.chat.store().reader().cast(read);
        Next::Loop
    }
}

impl RoomChannel {
    /// `{"body","client_id"?}`: the client says something.
    fn new_msg(&mut self, payload: &Payload, reply: Reply, cx: &mut ChannelCx<'_, Self>) {
        let limits = &self.shared.chat.config().limits;
        let (body, client_id) = match post_of(payload, limits) {
            Ok(post) => post,
            Err(reason) => return reply.error(Payload::reason(reason)),
        };
        let author = cx.assigns().account.clone();
        if let Err(retry) = self.shared.sends.check(author.name.clone()) {
            return reply.error(retry_later("rate_limited", retry.retry_after));
        }
        let post = NewPost {
            author,
            body,
            client_id,
        };
        self.post(post, reply, cx);
    }

    /// What a client says on its socket is a use of its session as much as a request is.
    fn note_use(&mut self, cx: &ChannelCx<'_, Self>) {
        let chat = &self.shared.chat;
        let now = chat.clock().unix_ms();
        self.seen_at = sessions::touch(chat.store(), cx.assigns().session, self.seen_at, now);
    }

    pub(super) fn members(&self) -> Members {
        self.shared.members().clone()
    }

    fn page_bytes_max(&self) -> usize {
        let may_wait = self.shared.chat.config().limits.outbound_bytes.max_or_all();
        PAGE_BYTES_MAX.min(may_wait / PAGE_PART)
    }

    fn read_page(&mut self, cx: &mut ChannelCx<'_, Self>) -> Next<Note> {
        self.follow_reads(cx);
        let max = self.shared.chat.config().limits.join_messages.max();
        let limit = max.map_or(HISTORY_MAX, |max| (max as usize).min(HISTORY_MAX));
        let page = match self.after {
            Some(after) => (Page::After(after), limit),
            None => (Page::Newest, NEWEST.min(limit)),
        };
        let (chat, client) = (&self.shared.chat, cx.assigns());
        let enter = EnterRoom {
            name: self.room.clone(),
            user: client.account.id,
            session: client.session,
            expiry: sessions::expiry(&chat.config().sessions, chat.clock()),
            page: page.0,
            limit: page.1,
        };
        let reader = chat.store().reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(enter, answer),
            |channel, entered, cx| match entered {
                Ok(Ok(Ok(entered))) => channel.enter(entered, cx),
                Ok(Ok(Err(CannotEnter::NoSuchRoom))) => cx.refuse(Payload::reason("not_found")),
                // It ended before this socket could hear of that.
                Ok(Ok(Err(CannotEnter::SignedOut))) => {
                    let refused = cx.refuse(Payload::reason("unauthorized"));
                    sessions::disconnect(&cx.assigns().session, "the session is over");
                    refused
                }
                Ok(Err(_)) | Err(_) => cx.refuse(Payload::reason("storage")),
            },
        );
        Next::Loop
    }

    fn enter(&mut self, entered: Entered, cx: &mut ChannelCx<'_, Self>) -> Next<Note> {
        let Entered {
            head,
            read_seq,
            messages,
            seen_at,
        } = entered;
        self.seen_at = seen_at;
        self.note_use(cx);
        let messages = match self.after {
            Some(_) => within_bytes(&messages, self.page_bytes_max()),
            None => &messages,
        };
        if self.after.is_some_and(|after| after > head) {
            return cx.refuse(Payload::reason("bad_after"));
        }
        let seen = messages
            .last()
            .map_or(self.after.unwrap_or(0), |last| last.seq);
        let cursor = self.cursor(head, read_seq);
        let reply = json!({
            "seq": seen,
            "messages": json::messages(messages),
            "last_seq": cursor.last_seq,
            "read_seq": cursor.read_seq,
            "unread": cursor.unread(),
        });
        cx.accept(reply, Some(seen));
        self.is_in = true;
        // What did not fit on the page.
        cx.fastlane().cast(Broadcast::Sync(head));
        let shared = self.shared.clone();
        let topic = topic_of(&self.room);
        shared.members().enter(topic, shared.chat.clock(), cx);
        Next::Loop
    }
}

/// The topic of a room as its name is spelled; names are in NFC, and clients may write them otherwise.
fn topic_of(room: &str) -> Arc<str> {
    format!("{PREFIX}{room}").into()
}

/// Where the room's events go: straight to the connection, in a frame that is made once for all who spell the topic
/// as its room is spelled. A client knows its topic only by its own spelling, so any other has frames of its own.
fn subscription(
    room: &str,
    cx: &ChannelCx<'_, RoomChannel>,
) -> crate::process::Recipient<RoomEvent> {
    let topic: Arc<str> = cx.topic().into();
    let is_shared = topic == topic_of(room);
    let convert = move |event| match event {
        RoomEvent::Messages(committed) => {
            let frames = |messages: &[Message]| -> Arc<[Frame]> {
                messages
                    .iter()
                    .map(|message| frame(&topic, message))
                    .collect()
            };
            let first = committed
                .messages()
                .first()
                .map_or(0, |message| message.seq);
            let frames = if is_shared {
                (*committed.encoded(frames)).clone()
            } else {
                frames(committed.messages())
            };
            Broadcast::Sequenced(first, frames)
        }
        RoomEvent::Sync(max) => Broadcast::Sync(max),
    };
    cx.fastlane().map(convert).owned_by(cx.pid())
}

/// The first of these messages, as many as have so many bytes together, at least one.
fn within_bytes(messages: &[Message], bytes_max: usize) -> &[Message] {
    let mut bytes = 0;
    let fits = messages.iter().take_while(|message| {
        bytes += message.body.len();
        bytes <= bytes_max
    });
    let count = fits.count().max(1).min(messages.len());
    &messages[..count]
}

fn frame(topic: &str, message: &Message) -> Frame {
    let payload = Payload::json_of(&json::OnWire(message)).expect("text and numbers are JSON");
    codec::broadcast(topic, "new_msg", &payload).expect("an object in a text frame always fits")
}

/// A payload that is not what was asked for.
struct Invalid;

/// `{"after": SEQ?}`. Some clients send `null` where they have nothing to say.
fn after_of(payload: &Payload) -> Result<Option<u64>, Invalid> {
    let payload = match payload.value() {
        Some(Value::Object(payload)) => payload,
        Some(Value::Null) => return Ok(None),
        _ => return Err(Invalid),
    };
    match payload.get("after") {
        None | Some(Value::Null) => Ok(None),
        Some(after) => after.as_u64().map(Some).ok_or(Invalid),
    }
}

/// `{"body","client_id"?}`; the word for what is wrong with it.
fn post_of(payload: &Payload, limits: &Limits) -> Result<(Body, Option<ClientId>), &'static str> {
    let Some(Value::Object(payload)) = payload.value() else {
        return Err("invalid");
    };
    let Some(Value::String(body)) = payload.get("body") else {
        return Err("invalid");
    };
    let client_id = match payload.get("client_id") {
        None | Some(Value::Null) => None,
        // A program that sends the same empty id with every post means none: taken for repetitions, all but its first
        // would be lost.
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) => Some(ClientId::new(id).map_err(|_| "invalid")?),
        Some(_) => return Err("invalid"),
    };
    match Body::within(
        body,
        limits.message_length.max_or_all(),
        limits.message_bytes.max_or_all(),
    ) {
        Ok(body) => Ok((body, client_id)),
        Err(BodyError::TooLong) => Err("too_long"),
        Err(BodyError::Blank) => Err("invalid"),
    }
}

/// A refusal that says when to try again; at least a millisecond, so that nobody tries again at once for ever.
pub(super) fn retry_later(reason: &str, after: Duration) -> Payload {
    let ms = u64::try_from(after.as_micros().div_ceil(1_000))
        .unwrap_or(u64::MAX)
        .max(1);
    json!({"reason": reason, "retry_after_ms": ms}).into()
}
