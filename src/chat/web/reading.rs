//! How far one user has read one room, on all of the user's connections.
//!
//! The cursor is the store's. A channel remembers what it last heard of it, so that what was read already is not
//! written again, and so that a client is told of each step forward once and of no step back: two channels of one
//! user may tell in another order than the store has written.

use super::room_channel::{Note, RoomChannel, retry_later};
use crate::behaviour::gen_server::Next;
use crate::chat::store::{CannotRead, MarkRead, ReadCursor};
use crate::process::CallError;
use crate::store::{WriteError, WriterMsg};
use crate::web::channel::{ChannelCx, Payload, Reply};
use serde_json::{Value, json};
use std::time::Duration;

/// The event, in both directions.
pub(super) const READ: &str = "read";

/// What a client is told to wait when the writer's queue is full: it is emptied in less.
const BUSY_RETRY: Duration = Duration::from_secs(1);

impl RoomChannel {
    /// `{"seq"}`: the client has read everything up to there.
    pub(super) fn read(&mut self, payload: &Payload, reply: Reply, cx: &mut ChannelCx<'_, Self>) {
        let seq = match payload.value() {
            Some(Value::Object(payload)) => payload.get("seq").and_then(Value::as_u64),
            _ => None,
        };
        let Some(seq) = seq else {
            return reply.error(Payload::reason("invalid"));
        };
        if seq <= self.read_seq {
            return reply.ok(json!({"read_seq": self.read_seq}));
        }
        let account = cx.assigns().account.clone();
        if let Err(retry) = self.shared.reads.check(account.name.clone()) {
            return reply.error(retry_later("rate_limited", retry.retry_after));
        }
        let mark = MarkRead {
            room: self.room.clone(),
            user: account.id,
            seq,
        };
        let writer = self.shared.chat.store().writer().clone();
        cx.request(
            writer,
            |answer| WriterMsg::write(mark, answer),
            move |channel, answer, _| {
                match answer {
                    Ok(Ok(cursor)) => {
                        channel.read_seq = channel.read_seq.max(cursor.read_seq);
                        channel
                            .shared
                            .chat
                            .tell_read(&account, &channel.room, cursor.read_seq);
                        reply.ok(json!({"read_seq": cursor.read_seq}));
                    }
                    Ok(Err(WriteError::Refused(CannotRead::AboveLast(last)))) => {
                        reply.error(json!({"reason": "bad_seq", "last_seq": last}));
                    }
                    Ok(Err(WriteError::Refused(CannotRead::NoSuchRoom))) => {
                        reply.error(Payload::reason("not_found"));
                    }
                    Err(CallError::Overloaded) => reply.error(retry_later("busy", BUSY_RETRY)),
                    Ok(Err(WriteError::Store(_))) | Err(_) => {
                        reply.error(Payload::reason("storage"));
                    }
                }
                Next::Loop
            },
        );
    }

    /// Listens to what the user's other connections read. It is to be called before the cursor is read.
    pub(super) fn follow_reads(&self, cx: &ChannelCx<'_, Self>) {
        let (chat, account) = (&self.shared.chat, &cx.assigns().account);
        chat.subscribe_read(account, &self.room, cx.recipient(Note::Read));
    }

    /// The user has read on somewhere else, or here: then it is known already.
    pub(super) fn was_read(&mut self, seq: u64, cx: &mut ChannelCx<'_, Self>) {
        if seq <= self.read_seq {
            return;
        }
        self.read_seq = seq;
        if self.is_in {
            cx.push(READ, json!({"read_seq": seq}));
        }
    }

    /// What the reply to a join says of it. What was heard meanwhile counts.
    pub(super) fn cursor(&mut self, last_seq: u64, read_seq: u64) -> ReadCursor {
        self.read_seq = self.read_seq.max(read_seq);
        ReadCursor {
            read_seq: self.read_seq,
            last_seq: last_seq.max(self.read_seq),
        }
    }
}
