//! One witness at work.

use super::crowd::{Crowd, Tally};
use super::flaky::Fate;
use super::line::{Line, Lost};
use super::read::{page, posts_of};
use super::wire::{NO_MESSAGES, payload, payload_refused, post_of};
use crate::history::{Id, Log, What};
use crate::server::PATIENCE;
use crate::socket_client::{Frame, topic};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long it waits before it tries again where nobody told it how long.
const AGAIN: Duration = Duration::from_millis(30);

/// Connections that were left half open and are kept so.
const GRAVES_MAX: usize = 2;

/// What a witness does how often: once in so many times, never if 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// From one post to the next; zero is as fast as the window allows.
    pub(crate) pace: Duration,
    /// Posts under way.
    pub(crate) window: usize,
    /// Connections with a bad fate.
    pub(crate) bad_fate: usize,
    /// Joins that say nothing of what was seen.
    pub(crate) newest: usize,
    /// Turns in which it reads the newest messages besides.
    pub(crate) look: usize,
    /// Posts that are given up when nobody tells what became of them.
    pub(crate) give_up: usize,
    /// Posts that are refused.
    pub(crate) refused: usize,
}

/// Who bears witness.
pub(crate) struct Witness {
    pub(crate) client: u32,
    pub(crate) room: String,
    pub(crate) token: String,
    /// The name of the user behind a client.
    pub(crate) name_of: fn(u32) -> String,
    pub(crate) habits: Habits,
    pub(crate) seed: u64,
}

/// A post that is not answered for good.
struct Pending {
    id: Id,
    is_refused: bool,
    /// The `ref` under which it was sent on this line, if it was.
    msg_ref: Option<u64>,
    not_before: Instant,
}

struct Talk {
    who: Witness,
    crowd: Crowd,
    log: Log,
    random: u64,
    seen: u64,
    nth: u32,
    line: u32,
    join_ref: u64,
    pending: VecDeque<Pending>,
    next_post: Instant,
    progress_at: Instant,
    has_said_all: bool,
    graves: VecDeque<TcpStream>,
}

/// Starts a witness. It ends when the crowd is over and it has heard everything.
pub(crate) fn bear_witness(crowd: &Crowd, who: Witness) -> JoinHandle<Log> {
    let crowd = crowd.clone();
    crowd.enter();
    let name = format!("witness-{}", who.client);
    let thread = thread::Builder::new().name(name).stack_size(512 << 10);
    let work = move || Talk::new(who, crowd).run();
    thread.spawn(work).expect("a thread starts")
}

impl Talk {
    fn new(who: Witness, crowd: Crowd) -> Self {
        let now = Instant::now();
        let mut talk = Talk {
            log: Log::new(who.client),
            random: who.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            who,
            crowd,
            seen: 0,
            nth: 0,
            line: 0,
            join_ref: 0,
            pending: VecDeque::new(),
            next_post: now,
            progress_at: now,
            has_said_all: false,
            graves: VecDeque::new(),
        };
        // Not all of them at once.
        let spread = talk.who.habits.pace.as_micros() as u64;
        let first = Duration::from_micros(talk.below(spread.max(1)));
        talk.next_post += first;
        talk
    }

    fn below(&mut self, sides: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % sides
    }

    fn one_in(&mut self, sides: usize) -> bool {
        sides > 0 && self.below(sides as u64) == 0
    }

    fn note(&mut self, what: What) {
        self.log.note(self.crowd.now(), what);
    }

    fn pause(&self, duration: Duration) {
        self.crowd.wait_until(duration, |_| false);
    }

    fn run(mut self) -> Log {
        while !self.is_done() {
            self.assert_progress();
            let fate = self.fate();
            let server = self.crowd.server();
            let Some(mut line) = Line::open(server, &self.who.token, fate) else {
                self.pause(AGAIN);
                continue;
            };
            self.crowd.count(Tally::Connections);
            // How it ends, it ends: there will be another.
            let _ = self.converse(&mut line);
            if line.was_reset() {
                self.crowd.count(Tally::Resets);
            }
            self.lose();
        }
        self.log
    }

    fn fate(&mut self) -> Fate {
        if self.crowd.is_over() || !self.one_in(self.who.habits.bad_fate) {
            return Fate::Sound;
        }
        let at = 300 + self.below(20_000);
        match self.below(8) {
            0 => Fate::HalfOpen(at),
            1 => Fate::Slow(at, Duration::from_millis(200 + self.below(3_000))),
            2 => Fate::Garbage(at),
            _ => Fate::Reset(at),
        }
    }

    /// Everything was said and heard.
    fn is_done(&mut self) -> bool {
        if !self.crowd.is_over() || !self.pending.is_empty() {
            return false;
        }
        if !std::mem::replace(&mut self.has_said_all, true) {
            self.crowd.has_said_all();
        }
        let head = self.crowd.head(&self.who.room);
        head.is_some_and(|head| head <= self.seen)
    }

    #[track_caller]
    fn assert_progress(&self) {
        assert!(
            self.progress_at.elapsed() < 2 * PATIENCE,
            "client {} in {} gets nothing more after {}, and waits for {:?}",
            self.who.client,
            self.who.room,
            self.seen,
            self.pending.iter().map(|one| one.id).collect::<Vec<_>>(),
        );
    }

    /// Nobody will answer any more what was sent on this line.
    fn lose(&mut self) {
        for mut post in std::mem::take(&mut self.pending) {
            if post.msg_ref.take().is_some() {
                self.note(What::Info { id: post.id });
                if self.one_in(self.who.habits.give_up) {
                    continue;
                }
            }
            self.pending.push_back(post);
        }
    }

    fn converse(&mut self, line: &mut Line) -> Result<(), Lost> {
        self.join(line)?;
        while !self.is_done() {
            self.assert_progress();
            self.meet(line)?;
            self.post(line)?;
            if self.one_in(self.who.habits.look) {
                self.look();
            }
            if let Some(frame) = line.read(self.patience())? {
                self.handle(&frame, line)?;
            }
        }
        Ok(())
    }

    /// Until it has something to do by itself.
    fn patience(&self) -> Duration {
        let longest = Duration::from_millis(100);
        let now = Instant::now();
        let waiting = self.pending.iter().filter(|post| post.msg_ref.is_none());
        let again = waiting.map(|post| post.not_before).min();
        let next = (!self.crowd.is_over() && self.pending.len() < self.who.habits.window)
            .then_some(self.next_post);
        let at = again.into_iter().chain(next).min();
        at.map_or(longest, |at| at.saturating_duration_since(now).min(longest))
    }

    fn meet(&mut self, line: &mut Line) -> Result<(), Lost> {
        match line.meet() {
            Some(Fate::HalfOpen(_)) => {
                self.crowd.count(Tally::HalfOpen);
                // The socket is closed when the line is dropped; a copy of it stays open.
                let grave = TcpStream::try_clone(line.stream()).map_err(|_| Lost)?;
                self.graves.push_back(grave);
                if self.graves.len() > GRAVES_MAX {
                    self.graves.pop_front();
                }
                Err(Lost)
            }
            Some(Fate::Slow(_, how_long)) => {
                self.crowd.count(Tally::Slow);
                self.pause(how_long);
                Ok(())
            }
            Some(Fate::Garbage(_)) => {
                self.crowd.count(Tally::Garbage);
                let which = self.below(NO_MESSAGES.len() as u64) as usize;
                line.send(NO_MESSAGES[which])
            }
            Some(Fate::Sound | Fate::Reset(_)) | None => Ok(()),
        }
    }

    fn join(&mut self, line: &mut Line) -> Result<(), Lost> {
        let topic = topic(&self.who.room);
        let mut after = Some(self.seen);
        if self.one_in(self.who.habits.newest) && !self.crowd.is_over() {
            after = None;
        }
        loop {
            let payload = after.map_or(json!({}), |after| json!({"after": after}));
            let msg_ref = line.push(None, &topic, "phx_join", &payload)?;
            self.join_ref = msg_ref;
            let reply = self.reply_to_join(line)?;
            let (status, response) = reply.reply();
            if status == "ok" {
                return self.joined(after, response);
            }
            self.crowd.count(Tally::Refusals);
            if response["reason"] == "bad_after" {
                self.note(What::Forgotten { after: self.seen });
                after = None;
            }
            self.pause(retry_after(response));
        }
    }

    fn joined(&mut self, after: Option<u64>, response: &Value) -> Result<(), Lost> {
        self.crowd.count(Tally::Joins);
        self.line += 1;
        let (page, garbled) = posts_of(&response["messages"], &self.who.name_of);
        let seen = page.last().map_or(after.unwrap_or(0), |last| last.seq);
        if response["seq"] != seen {
            self.note(What::Garbled { seq: seen });
        }
        for seq in garbled {
            self.note(What::Garbled { seq });
        }
        self.seen = seen;
        self.progress_at = Instant::now();
        self.note(What::Join { after, page });
        Ok(())
    }

    fn reply_to_join(&mut self, line: &mut Line) -> Result<Frame, Lost> {
        let msg_ref = self.join_ref.to_string();
        let deadline = Instant::now() + PATIENCE / 2;
        while Instant::now() < deadline {
            let frame = line.read(Duration::from_millis(100))?;
            // What belongs to an older join is dropped, as the official client does.
            let is_it = |frame: &Frame| frame.event == "phx_reply" && frame.msg_ref == *msg_ref;
            if let Some(frame) = frame.filter(is_it) {
                return Ok(frame);
            }
            self.meet(line)?;
        }
        Err(Lost)
    }

    fn handle(&mut self, frame: &Frame, line: &mut Line) -> Result<(), Lost> {
        let join_ref = self.join_ref.to_string();
        match &*frame.event {
            "new_msg" => self.hear(&frame.payload),
            "phx_reply" => self.answer(frame),
            "phx_error" | "phx_close" if frame.join_ref == *join_ref => {
                self.crowd.count(Tally::ChannelCrashes);
                self.lose();
                return self.join(line);
            }
            _ => {}
        }
        Ok(())
    }

    fn hear(&mut self, message: &Value) {
        self.progress_at = Instant::now();
        match post_of(message, self.who.name_of) {
            Ok(post) => {
                self.seen = self.seen.max(post.seq);
                self.note(What::Hear(post));
            }
            Err(seq) => {
                self.seen = self.seen.max(seq);
                self.note(What::Garbled { seq });
            }
        }
    }

    fn answer(&mut self, frame: &Frame) {
        let Some(msg_ref) = frame.msg_ref.as_str().and_then(|text| text.parse().ok()) else {
            return;
        };
        let is_it = |post: &Pending| post.msg_ref == Some(msg_ref);
        let Some(at) = self.pending.iter().position(is_it) else {
            return;
        };
        let mut post = self.pending.remove(at).unwrap();
        let (id, (status, response)) = (post.id, frame.reply());
        if status == "ok" {
            self.progress_at = Instant::now();
            let seq = response["seq"].as_u64().unwrap_or(0);
            self.note(What::Ok { id, seq });
            return self.crowd.acknowledge();
        }
        self.crowd.count(Tally::Refusals);
        match response["reason"].as_str().unwrap_or_default() {
            // The store may have it or not.
            "storage" => self.note(What::Info { id }),
            "invalid" | "too_long" => return self.note(What::Fail { id }),
            "busy" | "rate_limited" | "unmatched topic" => self.note(What::Fail { id }),
            other => panic!("client {} was told {other:?} of {id}", self.who.client),
        }
        if !self.one_in(self.who.habits.give_up) {
            post.msg_ref = None;
            post.not_before = Instant::now() + retry_after(response);
            self.pending.push_back(post);
        }
    }

    /// Says the next thing if it is time, and repeats what is to be repeated.
    fn post(&mut self, line: &mut Line) -> Result<(), Lost> {
        let now = Instant::now();
        let Habits {
            pace,
            window,
            refused,
            ..
        } = self.who.habits;
        while self.pending.len() < window && self.next_post <= now && !self.crowd.is_over() {
            self.nth += 1;
            // What was missed while nobody listened is not made up for.
            self.next_post = (self.next_post + pace).max(now.checked_sub(pace).unwrap_or(now));
            let id = Id {
                client: self.who.client,
                nth: self.nth,
            };
            let is_refused = self.one_in(refused);
            self.pending.push_back(Pending {
                id,
                is_refused,
                msg_ref: None,
                not_before: now,
            });
            if pace.is_zero() && self.pending.len() >= window {
                break;
            }
        }
        let topic = topic(&self.who.room);
        for at in 0..self.pending.len() {
            let Pending { id, is_refused, .. } = self.pending[at];
            if self.pending[at].msg_ref.is_some() || self.pending[at].not_before > now {
                continue;
            }
            let payload = if is_refused {
                payload_refused(id)
            } else {
                payload(id)
            };
            let line_number = self.line;
            self.note(What::Send {
                id,
                line: line_number,
            });
            // Whether or not it gets through: from here on it may.
            self.pending[at].msg_ref = Some(0);
            let sent = line.push(Some(self.join_ref), &topic, "new_msg", &payload)?;
            self.pending[at].msg_ref = Some(sent);
        }
        Ok(())
    }

    /// Reads the newest messages besides, in the same session.
    fn look(&mut self) {
        let Witness {
            token,
            room,
            name_of,
            ..
        } = &self.who;
        let Some((page, garbled)) = page(self.crowd.server(), token, room, "", name_of) else {
            return;
        };
        self.crowd.count(Tally::Looks);
        for seq in garbled {
            self.note(What::Garbled { seq });
        }
        self.note(What::Look { page });
    }
}

/// What one is told to wait, if one is told.
fn retry_after(response: &Value) -> Duration {
    let told = response["retry_after_ms"].as_u64();
    told.map_or(AGAIN, Duration::from_millis)
}
