//! The words in which a history is told.

use std::fmt;

/// A message, by who said it and as their how-manieth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) client: u32,
    pub(crate) nth: u32,
}

/// A message under its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) seq: u64,
    pub(crate) id: Id,
}

/// What happened to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A post was sent, for the first time or again. A line is what is between two joins: what is sent on one comes
    /// in order, or not at all.
    Send { id: Id, line: u32 },
    /// It was told that the post is there.
    Ok { id: Id, seq: u64 },
    /// It was told that this sending has done nothing.
    Fail { id: Id },
    /// It will never be told what this sending has done.
    Info { id: Id },
    /// It has joined, and got a page: what comes after a number, or the newest.
    Join { after: Option<u64>, page: Vec<Post> },
    /// It could not join, because the room has not come as far as it has.
    Forgotten { after: u64 },
    /// A message came.
    Hear(Post),
    /// It asked for the newest messages, and these are they.
    Look { page: Vec<Post> },
    /// What came under this number is not what anybody said.
    Garbled { seq: u64 },
}

/// What happened when, in microseconds of one clock for all clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: u64,
    pub(crate) what: What,
}

/// What happened to one client, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) client: u32,
    pub(crate) events: Vec<Event>,
}

/// Everything about one room: the logs of its clients, and what it holds in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) room: String,
    pub(crate) logs: Vec<Log>,
    pub(crate) stored: Vec<Post>,
}

impl Log {
    pub(crate) fn new(client: u32) -> Self {
        Log {
            client,
            events: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, at: u64, what: What) {
        self.events.push(Event { at, what });
    }

    /// How many of its events are like this.
    pub(crate) fn count(&self, is_it: impl Fn(&What) -> bool) -> usize {
        let like = self.events.iter().filter(|event| is_it(&event.what));
        like.count()
    }
}

impl What {
    /// The messages that are seen in it.
    pub(crate) fn posts(&self) -> &[Post] {
        match self {
            What::Join { page, .. } | What::Look { page } => page,
            What::Hear(post) => std::slice::from_ref(post),
            _ => &[],
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}-{}", self.client, self.nth)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Id {
    /// Reads what [`Display`](fmt::Display) wrote.
    pub(crate) fn parse(text: &str) -> Option<Id> {
        let (client, nth) = text.strip_prefix('c')?.split_once('-')?;
        Some(Id {
            client: client.parse().ok()?,
            nth: nth.parse().ok()?,
        })
    }
}
