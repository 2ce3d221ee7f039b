//! PURE. Histories in which all is well, made by chance: people in a room who send, are cut off, send again, give up,
//! are refused, come back and read on.

use crate::history::{History, Id, Log, Post, What};
use std::collections::{HashMap, VecDeque};

/// The generator xorshift64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
}

/// How much happens.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) clients: u32,
    pub(crate) posts: usize,
}

enum Reply {
    Ok(Id, u64),
    Fail(Id),
}

/// One client, and what is on its way on its line.
struct Client {
    log: Log,
    line: u32,
    is_joined: bool,
    seen: u64,
    next: u32,
    /// Sent, and not answered.
    pending: Vec<Id>,
    /// To be sent again.
    again: VecDeque<Id>,
    to_room: VecDeque<Id>,
    replies: VecDeque<Reply>,
}

struct World {
    dice: Dice,
    at: u64,
    stored: Vec<Id>,
    seqs: HashMap<Id, u64>,
    clients: Vec<Client>,
    posts_left: usize,
}

/// A history without a fault.
pub(crate) fn history(seed: u64, size: Size) -> History {
    let clients = (0..size.clients).map(|n| Client {
        log: Log::new(n),
        line: 0,
        is_joined: false,
        seen: 0,
        next: 0,
        pending: Vec::new(),
        again: VecDeque::new(),
        to_room: VecDeque::new(),
        replies: VecDeque::new(),
    });
    let mut world = World {
        dice: Dice::new(seed),
        at: 0,
        stored: Vec::new(),
        seqs: HashMap::new(),
        clients: clients.collect(),
        posts_left: size.posts,
    };
    while world.posts_left > 0 {
        let one = world.dice.below(world.clients.len());
        world.step(one);
    }
    (0..world.clients.len()).for_each(|one| world.finish(one));
    // Everybody hears what the last of them said.
    (0..world.clients.len()).for_each(|one| while world.hear(one) {});
    History {
        room: format!("made by {seed}"),
        stored: world.posts(0, world.stored.len()),
        logs: world.clients.into_iter().map(|one| one.log).collect(),
    }
}

impl World {
    /// Posts `from..to` by position, which is one less than the number.
    fn posts(&self, from: usize, to: usize) -> Vec<Post> {
        let stored = self.stored[from..to].iter().zip(from as u64 + 1..);
        stored.map(|(id, seq)| Post { seq, id: *id }).collect()
    }

    fn note(&mut self, one: usize, what: What) {
        self.at += 1 + self.dice.below(3) as u64;
        let at = self.at;
        self.clients[one].log.note(at, what);
    }

    fn step(&mut self, one: usize) {
        if !self.clients[one].is_joined {
            return self.join(one);
        }
        match self.dice.below(100) {
            0..20 => self.send(one),
            20..50 => drop(self.serve(one)),
            50..70 => drop(self.receive(one)),
            70..95 => drop(self.hear(one)),
            95..98 => self.look(one),
            _ => self.cut(one),
        }
    }

    fn join(&mut self, one: usize) {
        let head = self.stored.len();
        let after = (!self.dice.one_in(8)).then_some(self.clients[one].seen);
        let page = match after {
            Some(after) => self.posts(after as usize, head.min(after as usize + 60)),
            None => self.posts(head.saturating_sub(50), head),
        };
        let client = &mut self.clients[one];
        client.is_joined = true;
        client.line += 1;
        client.seen = match (after, page.last()) {
            (_, Some(last)) => last.seq,
            (Some(after), None) => after,
            (None, None) => 0,
        };
        self.note(one, What::Join { after, page });
    }

    fn send(&mut self, one: usize) {
        let client = &mut self.clients[one];
        let id = match client.again.pop_front() {
            Some(id) => id,
            None if client.pending.len() > 6 || self.posts_left == 0 => return,
            None => {
                self.posts_left -= 1;
                client.next += 1;
                Id {
                    client: client.log.client,
                    nth: client.next,
                }
            }
        };
        client.pending.push(id);
        client.to_room.push_back(id);
        let line = client.line;
        self.note(one, What::Send { id, line });
    }

    /// The room takes, or refuses, what is next on this line.
    fn serve(&mut self, one: usize) -> bool {
        let Some(id) = self.clients[one].to_room.pop_front() else {
            return false;
        };
        let is_new = !self.seqs.contains_key(&id);
        if is_new && !self.dice.one_in(30) {
            self.stored.push(id);
            self.seqs.insert(id, self.stored.len() as u64);
        }
        let reply = match self.seqs.get(&id) {
            Some(seq) => Reply::Ok(id, *seq),
            None => Reply::Fail(id),
        };
        self.clients[one].replies.push_back(reply);
        true
    }

    fn receive(&mut self, one: usize) -> bool {
        let client = &mut self.clients[one];
        let Some(reply) = client.replies.pop_front() else {
            return false;
        };
        match reply {
            Reply::Ok(id, seq) => {
                client.pending.retain(|pending| *pending != id);
                self.note(one, What::Ok { id, seq });
            }
            Reply::Fail(id) => {
                client.pending.retain(|pending| *pending != id);
                // Some let it be.
                if !self.dice.one_in(3) {
                    client.again.push_back(id);
                }
                self.note(one, What::Fail { id });
            }
        }
        true
    }

    fn hear(&mut self, one: usize) -> bool {
        let seen = self.clients[one].seen as usize;
        let Some(id) = self.stored.get(seen).copied() else {
            return false;
        };
        let seq = seen as u64 + 1;
        self.clients[one].seen = seq;
        self.note(one, What::Hear(Post { seq, id }));
        true
    }

    fn look(&mut self, one: usize) {
        let head = self.stored.len();
        let page = self.posts(head.saturating_sub(50), head);
        self.note(one, What::Look { page });
    }

    /// The line breaks: what was on its way may have come, the first of it before the rest, and no answer does.
    fn cut(&mut self, one: usize) {
        while self.dice.one_in(2) && self.serve(one) {}
        let client = &mut self.clients[one];
        client.is_joined = false;
        client.to_room.clear();
        client.replies.clear();
        for id in std::mem::take(&mut self.clients[one].pending) {
            self.note(one, What::Info { id });
            if !self.dice.one_in(4) {
                self.clients[one].again.push_back(id);
            }
        }
    }

    fn finish(&mut self, one: usize) {
        loop {
            if !self.clients[one].is_joined {
                self.join(one);
            }
            while !self.clients[one].again.is_empty() {
                self.send(one);
            }
            while self.serve(one) || self.receive(one) {}
            if self.clients[one].again.is_empty() {
                return;
            }
        }
    }
}
