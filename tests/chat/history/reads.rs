//! What one client reads: every message once, in order, and all of it in the end.

use super::fault::Fault;
use super::log::{Log, Post, What};

/// A join answers with this many at least, if there are as many; with fewer, it has shown all there was.
const PAGE_MIN: usize = 50;

/// One who reads.
struct Reader<'a> {
    client: u32,
    /// The number up to which it has heard everything.
    seen: u64,
    /// The largest number that it knows to be there, from whatever it was told.
    known: u64,
    /// The largest number of its own that was acknowledged.
    own: u64,
    has_joined: bool,
    faults: &'a mut Vec<Fault>,
}

pub(super) fn check(log: &Log, head: u64, faults: &mut Vec<Fault>) {
    let mut reader = Reader {
        client: log.client,
        seen: 0,
        known: 0,
        own: 0,
        has_joined: false,
        faults,
    };
    for event in &log.events {
        reader.take(&event.what);
    }
    if reader.has_joined && reader.seen < head {
        let Reader { client, seen, .. } = reader;
        faults.push(Fault::Behind { client, seen, head });
    }
}

impl Reader<'_> {
    fn take(&mut self, what: &What) {
        match what {
            What::Ok { seq, .. } => {
                self.own = self.own.max(*seq);
                self.known = self.known.max(*seq);
            }
            What::Join { after, page } => self.join(*after, page),
            What::Hear(post) => self.hear(post.seq),
            What::Look { page } => self.look(page),
            What::Forgotten { after } => self.faults.push(Fault::Stale {
                client: self.client,
                seen: *after,
                head: 0,
            }),
            What::Garbled { seq } => self.faults.push(Fault::Garbled {
                client: self.client,
                seq: *seq,
            }),
            What::Send { .. } | What::Fail { .. } | What::Info { .. } => {}
        }
    }

    fn join(&mut self, after: Option<u64>, page: &[Post]) {
        self.has_joined = true;
        match (after, page.first()) {
            (Some(after), _) => self.seen = after,
            // Who says nothing of what it has seen begins with the newest.
            (None, Some(first)) => self.seen = first.seq.saturating_sub(1),
            (None, None) => self.seen = 0,
        }
        page.iter().for_each(|post| self.hear(post.seq));
        if page.len() < PAGE_MIN {
            self.reaches(self.seen);
        }
    }

    fn hear(&mut self, seq: u64) {
        if seq <= self.seen {
            return self.faults.push(Fault::Backwards {
                client: self.client,
                seen: self.seen,
                seq,
            });
        }
        if seq > self.seen + 1 {
            self.faults.push(Fault::Gap {
                client: Some(self.client),
                after: self.seen,
                seq,
            });
        }
        self.seen = seq;
        self.known = self.known.max(seq);
    }

    fn look(&mut self, page: &[Post]) {
        for pair in page.windows(2) {
            if pair[1].seq != pair[0].seq + 1 {
                self.faults.push(Fault::Gap {
                    client: Some(self.client),
                    after: pair[0].seq,
                    seq: pair[1].seq,
                });
            }
        }
        let head = page.last().map_or(0, |last| last.seq);
        self.reaches(head);
        self.known = self.known.max(head);
    }

    /// It is shown the room up to here.
    fn reaches(&mut self, head: u64) {
        let client = self.client;
        if head < self.own {
            let seq = self.own;
            self.faults
                .push(Fault::OwnWriteMissing { client, seq, head });
        } else if head < self.known {
            let seen = self.known;
            self.faults.push(Fault::Stale { client, seen, head });
        }
    }
}
