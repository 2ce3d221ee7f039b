//! PURE. Three ways to break a promise, each on the frames that pass by.

use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// None: everything is passed on as it came.
    Honest,
    /// Says that a post is there before it is handed on, and hands it on later.
    AcknowledgesBeforeCommit,
    /// Takes each repetition of a post for a new one.
    KnowsNoRepetition,
    /// Leaves a message out for whoever comes back.
    DropsOnResume,
}

/// How many posts are acknowledged and not handed on.
const HELD: usize = 5;

/// Stands between what a client called its post and which repetition it is.
const REPETITION: char = '~';

/// What the lies of all connections share.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last number that was seen of each topic, and the last that was made up.
    heads: HashMap<String, (u64, u64)>,
    repetitions: u64,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Liar {
    lie: Lie,
    held: VecDeque<String>,
    /// `ref`s that were answered here.
    answered: HashSet<String>,
    /// `ref`s of those who come back.
    resumes: HashSet<String>,
}

/// A frame to one of both ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum To {
    Server(String),
    Client(String),
}

impl Liar {
    pub(super) fn new(lie: Lie) -> Self {
        Liar {
            lie,
            held: VecDeque::new(),
            answered: HashSet::new(),
            resumes: HashSet::new(),
        }
    }

    /// What becomes of a client's frame.
    pub(super) fn up(&mut self, text: String, memory: &mut Memory) -> Vec<To> {
        let Some(mut frame) = frame_of(&text) else {
            return vec![To::Server(text)];
        };
        let (is_join, is_post) = (frame[3] == "phx_join", frame[3] == "new_msg");
        match self.lie {
            Lie::AcknowledgesBeforeCommit if is_post => {
                let topic = frame[2].as_str().unwrap_or_default().to_owned();
                let (seen, said) = memory.heads.entry(topic).or_default();
                *said = 1 + (*said).max(*seen);
                let payload = json!({"status": "ok", "response": {"seq": said, "at": 0}});
                let reply = json!([frame[0], frame[1], frame[2], "phx_reply", payload]);
                self.answered.insert(frame[1].to_string());
                self.held.push_back(text);
                let mut to = vec![To::Client(reply.to_string())];
                if self.held.len() > HELD {
                    to.extend(self.held.pop_front().map(To::Server));
                }
                to
            }
            Lie::KnowsNoRepetition if is_post => {
                memory.repetitions += 1;
                let id = frame[4]["client_id"].as_str().unwrap_or_default();
                let id = format!("{id}{REPETITION}{}", memory.repetitions);
                frame[4]["client_id"] = json!(id);
                vec![To::Server(frame.to_string())]
            }
            Lie::DropsOnResume if is_join && frame[4]["after"].as_u64() > Some(0) => {
                self.resumes.insert(frame[1].to_string());
                vec![To::Server(text)]
            }
            _ => vec![To::Server(text)],
        }
    }

    /// What becomes of a server's frame.
    pub(super) fn down(&mut self, text: String, memory: &mut Memory) -> Vec<To> {
        if self.lie == Lie::Honest {
            return vec![To::Client(text)];
        }
        let Some(mut frame) = frame_of(&text) else {
            return vec![To::Client(text)];
        };
        let msg_ref = frame[1].to_string();
        if frame[3] == "phx_reply" && self.answered.remove(&msg_ref) {
            return Vec::new();
        }
        let is_resume = self.resumes.remove(&msg_ref);
        let topic = frame[2].as_str().unwrap_or_default().to_owned();
        if frame[3] == "new_msg" {
            tell(&mut frame[4], &topic, memory);
        } else if let Some(page) = frame[4]["response"]["messages"].as_array_mut() {
            page.iter_mut()
                .for_each(|message| tell(message, &topic, memory));
            if is_resume && page.len() > 1 {
                page.remove(page.len() / 2 - 1);
            }
        }
        vec![To::Client(frame.to_string())]
    }

    /// Nothing has passed for a while: what is held is handed on.
    pub(super) fn idle(&mut self) -> Vec<To> {
        mem::take(&mut self.held)
            .into_iter()
            .map(To::Server)
            .collect()
    }
}

impl Memory {
    /// The server has died: what was made up last may never come.
    pub(super) fn forget(&mut self) {
        for (seen, said) in self.heads.values_mut() {
            *said = *seen;
        }
    }
}

/// A message of the protocol, if it is one; clients send others too.
fn frame_of(text: &str) -> Option<Value> {
    let frame: Value = serde_json::from_str(text).ok()?;
    let is_ref = |part: &Value| part.is_string() || part.is_null();
    let is_whole = frame.as_array().is_some_and(|parts| match &parts[..] {
        [join_ref, msg_ref, topic, event, payload] => {
            is_ref(join_ref)
                && is_ref(msg_ref)
                && topic.is_string()
                && event.is_string()
                && payload.is_object()
        }
        _ => false,
    });
    is_whole.then_some(frame)
}

/// A message passes on its way to a client, who knows it by the name that it gave it.
fn tell(message: &mut Value, topic: &str, memory: &mut Memory) {
    let seq = message["seq"].as_u64().unwrap_or(0);
    let (seen, _) = memory.heads.entry(topic.to_owned()).or_default();
    *seen = seq.max(*seen);
    let id = message["client_id"].as_str().unwrap_or_default();
    if let Some((id, _)) = id.split_once(REPETITION) {
        message["client_id"] = json!(id.to_owned());
    }
}
