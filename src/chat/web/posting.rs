//! The posts of one client in one room, on their way from its channel to the room.
//!
//! A room that runs gets them as they come. One that has ended is started again, and then order is at stake, as the
//! room may be back before it is known which posts the old one has not seen. So: a post is given to a room only when
//! all before it were given to the same incarnation, or are answered. Those that an ended room has not seen are given
//! to the next one first. What waits for that is bounded; above it the answer is `busy`.
//!
//! What holds, then: of the posts of one connection that are taken, each has a higher number than those that were sent
//! before it. One that is refused (`busy`, `rate_limited`, `storage`) has no place in that order until it is sent
//! again and taken. Whoever needs an order across refusals sends the next when the one before is taken, as the page
//! does. A repetition of one that was taken keeps the number of the first.

use super::room_channel::{RoomChannel, retry_later};
use crate::behaviour::gen_server::Next;
use crate::chat::room::{NewPost, PostError, RoomMsg};
use crate::chat::rooms::{OpenRoomError, RoomsMsg};
use crate::chat::store::Posted;
use crate::pid::Pid;
use crate::process::{CallError, Ref};
use crate::web::channel::{ChannelCx, Payload, Reply};
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

/// What a client is told to wait whose posts wait for their room to start, which takes a few milliseconds.
const STARTING_RETRY: Duration = Duration::from_millis(250);

/// A post that is not given to a room.
struct Waiting {
    post: NewPost,
    reply: Reply,
    attempt: Attempt,
}

/// Whether a room that is not there is worth starting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Last,
}

/// The posts of one channel that have no answer.
pub(super) struct Posting {
    /// So many wait at most; 0 for no limit.
    waiting_max: usize,
    waiting: VecDeque<Waiting>,
    /// What a room that had ended did not see, in order.
    back: Vec<Waiting>,
    /// Posts that a room has, and which.
    under_way: usize,
    room: Option<Pid>,
    /// The room is being started.
    is_opening: bool,
}

impl Posting {
    pub(super) fn new(waiting_max: usize) -> Self {
        Posting {
            waiting_max,
            waiting: VecDeque::new(),
            back: Vec::new(),
            under_way: 0,
            room: None,
            is_opening: false,
        }
    }

    fn is_full(&self) -> bool {
        self.waiting_max != 0 && self.waiting.len() + self.back.len() >= self.waiting_max
    }

    /// What is to be done with the next one, by the room that runs.
    fn step(&self, running: Option<Pid>) -> Step {
        match running {
            // It has those that are under way, or none are.
            Some(room) if !self.is_opening && (self.under_way == 0 || self.room == Some(room)) => {
                Step::Give
            }
            // It has ended. Those that it has will say so, and then it is started.
            None if self.under_way == 0 => Step::Open,
            _ => Step::Wait,
        }
    }
}

/// What is to be done with a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The room gets it.
    Give,
    /// The room is to be started.
    Open,
    /// An answer will say how it goes on.
    Wait,
}

impl RoomChannel {
    /// Says something, after all that was said before.
    pub(super) fn post(&mut self, post: NewPost, reply: Reply, cx: &mut ChannelCx<'_, Self>) {
        if self.posting.is_full() {
            return reply.error(retry_later("busy", STARTING_RETRY));
        }
        self.posting.waiting.push_back(Waiting {
            post,
            reply,
            attempt: Attempt::First,
        });
        self.pump(cx);
    }

    /// Gives the room what it may have, or has it started.
    fn pump(&mut self, cx: &mut ChannelCx<'_, Self>) {
        while !self.posting.waiting.is_empty() {
            let running = self.shared.chat.running_room(&self.room);
            let step = self.posting.step(running.as_ref().map(Ref::pid));
            match (step, running) {
                (Step::Give, Some(room)) => self.give_next(&room, cx),
                (Step::Open, _) => return self.open(cx),
                _ => return,
            }
        }
    }

    fn give_next(&mut self, room: &Ref<RoomMsg>, cx: &mut ChannelCx<'_, Self>) {
        let Some(Waiting {
            post,
            reply,
            attempt,
        }) = self.posting.waiting.pop_front()
        else {
            return;
        };
        self.posting.room = Some(room.pid());
        self.posting.under_way += 1;
        let again = post.clone();
        cx.request(
            room.clone(),
            |answer| RoomMsg::Post(post, answer),
            move |channel, answer, cx| {
                channel.posting.under_way -= 1;
                match answer {
                    // It had ended before the post came: nothing has happened.
                    Err(CallError::NoProc) if attempt == Attempt::First => {
                        channel.posting.back.push(Waiting {
                            post: again,
                            reply,
                            attempt: Attempt::Last,
                        });
                    }
                    answer => tell(answer.unwrap_or_else(|error| Err(error.into())), reply),
                }
                if channel.posting.under_way == 0 {
                    for back in std::mem::take(&mut channel.posting.back).into_iter().rev() {
                        channel.posting.waiting.push_front(back);
                    }
                }
                channel.pump(cx);
                Next::Loop
            },
        );
    }

    /// Has the room started, and gives it all that waits.
    fn open(&mut self, cx: &mut ChannelCx<'_, Self>) {
        if std::mem::replace(&mut self.posting.is_opening, true) {
            return;
        }
        let name = self.room.clone();
        cx.request(
            self.shared.chat.rooms().clone(),
            |answer| RoomsMsg::Open(name, answer),
            |channel, opened, cx| {
                channel.posting.is_opening = false;
                let error = match opened {
                    // This very room: if it has ended too, each post learns that once, and nobody tries for ever.
                    Ok(Ok(room)) => {
                        while !channel.posting.waiting.is_empty() {
                            channel.give_next(&room, cx);
                        }
                        return Next::Loop;
                    }
                    Ok(Err(OpenRoomError::NoSuchRoom)) => PostError::NoSuchRoom,
                    Ok(Err(OpenRoomError::Storage)) | Err(_) => PostError::Storage,
                };
                for waiting in std::mem::take(&mut channel.posting.waiting) {
                    tell(Err(error), waiting.reply);
                }
                Next::Loop
            },
        );
    }
}

fn tell(answer: Result<Posted, PostError>, reply: Reply) {
    match answer {
        Ok(posted) => reply.ok(json!({"seq": posted.seq, "at": posted.at})),
        Err(PostError::Busy(retry)) => reply.error(retry_later("busy", retry)),
        Err(PostError::NoSuchRoom) => reply.error(Payload::reason("not_found")),
        Err(PostError::Storage) => reply.error(Payload::reason("storage")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a post on its way to a room that has ended, the next one must not overtake it by going to its successor.
    #[test]
    fn a_post_goes_only_to_the_room_that_has_those_before_it() {
        let [old, new] = [1, 2].map(|serial| Pid::from_parts(0, 7, serial));
        let state = |under_way, room, is_opening| Posting {
            under_way,
            room,
            is_opening,
            ..Posting::new(0)
        };
        for (posting, running, step) in [
            (state(0, None, false), Some(old), Step::Give),
            (state(0, None, false), None, Step::Open),
            (state(1, Some(old), false), Some(old), Step::Give),
            (state(1, Some(old), false), Some(new), Step::Wait),
            (state(1, Some(old), false), None, Step::Wait),
            (state(0, Some(old), false), Some(new), Step::Give),
            (state(0, Some(old), true), Some(new), Step::Wait),
            (state(0, Some(old), true), None, Step::Open),
        ] {
            assert_eq!(posting.step(running), step, "{running:?}");
        }
    }
}
