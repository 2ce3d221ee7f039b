//! A client that talks without end and takes whatever happens to its server: it connects again, joins after what it
//! has seen, and repeats what was not acknowledged under the same client id. It watches what is promised to one
//! client: every message once, in order, without a gap, and at most one reply for each `ref`.

use crate::checker::{Acknowledged, Heard, Log};
use crate::server::PATIENCE;
use crate::socket_client::{Frame, Gone, Socket, topic};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Posts that a talker has under way.
const WINDOW: usize = 8;

/// How long a talker listens before it looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// What the talkers of a run share.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Shared>);

struct Shared {
    server: Mutex<SocketAddr>,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    /// Talkers that may still say something.
    speakers: AtomicUsize,
    /// How far each room is in the end; 0 while that is not known.
    heads: Mutex<HashMap<String, u64>>,
}

impl Stage {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Stage(Arc::new(Shared {
            server: Mutex::new(server),
            is_over: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            speakers: AtomicUsize::new(0),
            heads: Mutex::default(),
        }))
    }

    /// The server is somewhere else now.
    pub(crate) fn moved(&self, server: SocketAddr) {
        *self.0.server.lock().unwrap() = server;
    }

    /// Nobody begins a new post, and all that were begun are acknowledged.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_over() && self.0.speakers.load(Ordering::Relaxed) == 0
    }

    /// Nobody begins a new post.
    pub(crate) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// Talkers of this room end when they have heard everything up to here.
    pub(crate) fn head(&self, room: &str, seq: u64) {
        self.0.heads.lock().unwrap().insert(room.to_owned(), seq);
    }

    /// How many posts were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.0.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) {
        self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until so many more posts are acknowledged.
    #[track_caller]
    pub(crate) fn progress(&self, count: u64) {
        let goal = self.acknowledged() + count;
        crate::faults::eventually("posts are acknowledged", || self.acknowledged() >= goal);
    }
}

/// A post that is not acknowledged.
struct Pending {
    client_id: String,
    body: String,
    /// The `ref` under which it was sent on this connection, if it was.
    msg_ref: Option<String>,
}

/// A talker at work.
struct Talker {
    stage: Stage,
    name: String,
    token: String,
    room: String,
    pending: Vec<Pending>,
    next_post: u64,
    /// `ref`s of this connection that were answered.
    answered: HashSet<String>,
    join_ref: Value,
    log: Log,
    progress_at: Instant,
    has_said_all: bool,
}

/// Starts a talker, who has a name and a session's token. It ends when the stage says so, and shows what it has seen.
pub(crate) fn talk(stage: &Stage, name: &str, token: &str, room: &str) -> JoinHandle<Log> {
    let talker = Talker {
        stage: stage.clone(),
        name: name.to_owned(),
        token: token.to_owned(),
        room: room.to_owned(),
        pending: Vec::new(),
        next_post: 0,
        answered: HashSet::new(),
        join_ref: Value::Null,
        log: Log::new(room, name),
        progress_at: Instant::now(),
        has_said_all: false,
    };
    stage.0.speakers.fetch_add(1, Ordering::Relaxed);
    thread::spawn(move || talker.run())
}

impl Talker {
    fn run(mut self) -> Log {
        while !self.is_done() {
            self.assert_progress();
            let server = *self.stage.0.server.lock().unwrap();
            let bearer = format!("Bearer {}", self.token);
            let fields = [("authorization", &*bearer)];
            // A server that restarts refuses, or hangs up in the middle.
            let Some(Ok(mut socket)) = Socket::try_open(server, "?vsn=2.0.0", &fields) else {
                thread::yield_now();
                continue;
            };
            socket.patience = LOOK;
            self.answered.clear();
            // What is left of the connection is not worth knowing: there will be another.
            let _ = self.converse(&mut socket);
            self.log.connections += 1;
        }
        self.log
    }

    /// Everything was said and heard.
    fn is_done(&mut self) -> bool {
        if !self.stage.is_over() || !self.pending.is_empty() {
            return false;
        }
        if !std::mem::replace(&mut self.has_said_all, true) {
            self.stage.0.speakers.fetch_sub(1, Ordering::Relaxed);
        }
        let heads = self.stage.0.heads.lock().unwrap();
        heads
            .get(&self.room)
            .is_some_and(|head| *head == self.log.seen())
    }

    #[track_caller]
    fn assert_progress(&self) {
        assert!(
            self.progress_at.elapsed() < PATIENCE,
            "{} in {} hears nothing more after {}, and waits for {} answers",
            self.name,
            self.room,
            self.log.seen(),
            self.pending.len(),
        );
    }

    fn converse(&mut self, socket: &mut Socket) -> Result<(), Gone> {
        self.join(socket)?;
        while !self.is_done() {
            self.assert_progress();
            self.post(socket)?;
            match socket.read() {
                Ok(frame) => self.handle(&frame, socket)?,
                Err(Gone::Silent) => {}
                Err(gone) => return Err(gone),
            }
        }
        Ok(())
    }

    fn join(&mut self, socket: &mut Socket) -> Result<(), Gone> {
        for post in &mut self.pending {
            post.msg_ref = None;
        }
        loop {
            let payload = json!({"after": self.log.seen()});
            let topic = topic(&self.room);
            let msg_ref = socket.try_push(&Value::Null, &topic, "phx_join", &payload)?;
            self.join_ref = json!(msg_ref);
            let reply = self.reply_to_join(socket)?;
            let (status, response) = reply.reply();
            if status == "ok" {
                self.log.joins += 1;
                let messages = response["messages"].as_array().unwrap();
                messages.iter().for_each(|message| self.hear(message));
                assert_eq!(response["seq"], self.log.seen(), "the answer to a join");
                return Ok(());
            }
            let reason = response["reason"].as_str().unwrap();
            assert!(matches!(reason, "storage" | "join crashed"), "{reply:?}");
        }
    }

    fn reply_to_join(&mut self, socket: &mut Socket) -> Result<Frame, Gone> {
        loop {
            self.assert_progress();
            match socket.read() {
                // What belongs to an older join is dropped, as the official client does.
                Ok(frame) if frame.event == "phx_reply" && frame.msg_ref == self.join_ref => {
                    return Ok(frame);
                }
                Ok(frame) => self.note_reply(&frame),
                Err(Gone::Silent) => {}
                Err(gone) => return Err(gone),
            }
        }
    }

    /// R3.
    fn note_reply(&mut self, frame: &Frame) {
        if frame.event == "phx_reply" {
            let msg_ref = frame.msg_ref.as_str().unwrap().to_owned();
            assert!(self.answered.insert(msg_ref), "answered twice: {frame:?}");
        }
    }

    fn handle(&mut self, frame: &Frame, socket: &mut Socket) -> Result<(), Gone> {
        self.note_reply(frame);
        match &*frame.event {
            "new_msg" => self.hear(&frame.payload),
            "phx_reply" => self.answer(frame),
            "phx_error" | "phx_close" if frame.join_ref == self.join_ref => {
                self.log.crashes += 1;
                return self.join(socket);
            }
            _ => {}
        }
        Ok(())
    }

    fn hear(&mut self, message: &Value) {
        self.progress_at = Instant::now();
        self.log.hear(Heard::from_json(message));
    }

    fn answer(&mut self, frame: &Frame) {
        let is_it = |post: &Pending| post.msg_ref.as_deref() == frame.msg_ref.as_str();
        let Some(at) = self.pending.iter().position(is_it) else {
            return;
        };
        let (status, response) = frame.reply();
        if status == "ok" {
            self.progress_at = Instant::now();
            let post = self.pending.swap_remove(at);
            self.stage.count();
            self.log.acknowledged.push(Acknowledged {
                client_id: post.client_id,
                body: post.body,
                seq: response["seq"].as_u64().unwrap(),
            });
        } else {
            let reason = response["reason"].as_str().unwrap();
            assert!(
                matches!(reason, "storage" | "busy" | "unmatched topic"),
                "{frame:?}"
            );
            self.log.refusals += 1;
            self.pending[at].msg_ref = None;
        }
    }

    /// Fills the window, unless it is over, and repeats what was refused.
    fn post(&mut self, socket: &mut Socket) -> Result<(), Gone> {
        while self.pending.len() < WINDOW && !self.stage.is_over() {
            self.next_post += 1;
            let client_id = format!("{}-{}", self.room, self.next_post);
            self.pending.push(Pending {
                body: format!("{} says {client_id}", self.name),
                client_id,
                msg_ref: None,
            });
        }
        let topic = topic(&self.room);
        for post in &mut self.pending {
            if post.msg_ref.is_none() {
                let payload = json!({"body": post.body, "client_id": post.client_id});
                let sent = socket.try_push(&self.join_ref, &topic, "new_msg", &payload)?;
                post.msg_ref = Some(sent);
            }
        }
        Ok(())
    }
}
