//! A room as a log of which a number stands for one message, whoever tells of it.

use super::fault::Fault;
use super::log::{History, Id, What};
use std::collections::{HashMap, HashSet};

/// What is known of one message from all who sent or saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) sends: usize,
    pub(super) fails: usize,
    /// When it was sent for the first time.
    pub(super) first_sent: u64,
    /// On which line it was sent last.
    pub(super) line: u32,
    /// When it was first acknowledged, and as what.
    pub(super) acknowledged: Option<(u64, u64)>,
    /// Its number, by the first that told of it.
    pub(super) seq: Option<u64>,
    pub(super) was_seen: bool,
}

/// Numbers and messages, each by the other.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) messages: HashMap<Id, Known>,
    by_seq: HashMap<u64, Id>,
    /// Equals the messages that the room holds in the end.
    pub(super) stored: HashMap<Id, u64>,
}

impl Room {
    /// Gathers all that was told. Whoever contradicts what was told before is a fault, once for each contradiction.
    pub(super) fn gather(history: &History, faults: &mut Vec<Fault>) -> Self {
        let mut room = Room::default();
        let mut last = 0;
        for post in &history.stored {
            if post.seq != last + 1 {
                faults.push(Fault::Gap {
                    client: None,
                    after: last,
                    seq: post.seq,
                });
            }
            last = post.seq;
            room.stored.insert(post.id, post.seq);
        }
        let mut found = HashSet::new();
        let mut claim = |room: &mut Room, seq, id| {
            let contradictions = room.claim(seq, id);
            if !contradictions.is_empty() && found.insert((seq, id)) {
                faults.extend(contradictions);
            }
        };
        for post in &history.stored {
            claim(&mut room, post.seq, post.id);
        }
        for log in &history.logs {
            for event in &log.events {
                room.note(event.at, &event.what);
                if let What::Ok { id, seq } = event.what {
                    claim(&mut room, seq, id);
                }
                for post in event.what.posts() {
                    claim(&mut room, post.seq, post.id);
                    room.known(post.id).was_seen = true;
                }
            }
        }
        room
    }

    fn known(&mut self, id: Id) -> &mut Known {
        self.messages.entry(id).or_default()
    }

    fn note(&mut self, at: u64, what: &What) {
        match *what {
            What::Send { id, line } => {
                let known = self.known(id);
                if known.sends == 0 || at < known.first_sent {
                    known.first_sent = at;
                }
                known.sends += 1;
                known.line = line;
            }
            What::Fail { id } => self.known(id).fails += 1,
            What::Ok { id, seq } => {
                let known = self.known(id);
                if known.acknowledged.is_none_or(|(before, _)| at < before) {
                    known.acknowledged = Some((at, seq));
                }
            }
            _ => {}
        }
    }

    /// Somebody tells that this number is this message: what contradicts it.
    fn claim(&mut self, seq: u64, id: Id) -> Vec<Fault> {
        let mut faults = Vec::new();
        let holder = *self.by_seq.entry(seq).or_insert(id);
        if holder != id {
            let ids = [holder, id];
            faults.push(Fault::Conflict { seq, ids });
        }
        let known = *self.known(id).seq.get_or_insert(seq);
        if known != seq {
            let seqs = [known, seq];
            faults.push(Fault::Doubled { id, seqs });
        }
        faults
    }
}
