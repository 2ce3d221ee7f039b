//! PURE: what one reader of a sequenced topic has seen, and what it gets next.
//!
//! Think of a reader of a serial novel. Instalments come by post: some twice, some in the wrong order, some
//! lost when the post office burned down. The reader keeps one number, that of the instalment wanted next.
//! An older one goes to the bin, the wanted one is read, and a later one says that something was missed: the
//! reader lays it aside and writes to the library, which has them all. So does whoever hears that
//! instalment 9 is out and has read only 5. It does not matter why something was missed: it was broadcast
//! between a join and its reply, the room was restarted, the connection was too slow to be written to. There
//! is one way back.
//!
//! - C1: what is written has exactly the number `next`, and then `next` grows by one. So every number is
//!   written at most once, and in order.
//! - C2: a cursor that is not lagging has seen everything it has heard of (`newest < next`).
//! - C3: at most one request to the store is under way.
//! - C4: at most [`HELD_MAX`] frames are held, or as many as [`Cursor::holding`] says, each above `next`.
//! - C5: while paused, nothing is written. A page that was under way is read again later: a client that catches up
//!   on many topics has as many pages under way, and not all of them fit into what may wait for it.

use std::collections::BTreeMap;

/// Frames held back while a page is under way. 64: what a busy room says in the time of one read from the
/// store; anything above comes from the store as well, so the number trades memory for reads, not for safety.
pub const HELD_MAX: usize = 64;

/// How often in a row the store may answer without the frame that is wanted. 10: together with the pauses of
/// whoever calls [`Cursor::retry`], longer than a writer or reader takes to restart.
pub const ATTEMPTS_MAX: u32 = 10;

/// What is to be done, in this order, after something happened to a [`Cursor`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<F> {
    /// Write this frame to the client: it has seen everything before.
    Write(F),
    /// Read from the store what comes after this number, in order and from there on without a gap, and hand
    /// it in by [`Cursor::page`], or [`Cursor::page_failed`].
    Fill {
        /// The last number that the client has seen.
        after: u64,
    },
    /// The store did not have what it must have: call [`Cursor::retry`] after a pause.
    RetryLater,
    /// It did not have it [`ATTEMPTS_MAX`] times: end the channel, so that the client joins again.
    GiveUp,
}

/// The cursor of one subscription.
///
/// ```
/// use perennial::web::cursor::{Cursor, Step};
/// let mut steps = Vec::new();
/// let mut act = |step| steps.push(step);
/// let mut cursor = Cursor::after(4);
/// cursor.live(4, "d", &mut act);
/// cursor.live(5, "e", &mut act);
/// cursor.live(7, "g", &mut act);
/// cursor.page([(6, "f")], &mut act);
/// assert_eq!(steps, [Step::Write("e"), Step::Fill { after: 5 }, Step::Write("f"), Step::Write("g")]);
/// ```
///
/// What there is to do is given to the last parameter of each method, in order.
#[derive(Clone, Debug)]
pub struct Cursor<F> {
    /// The number of the frame that the client gets next.
    next: u64,
    /// The highest number that was ever heard of.
    newest: u64,
    held: BTreeMap<u64, F>,
    fill: Fill,
    paused: bool,
    held_max: u8,
    attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// Nothing is asked of the store.
    Idle,
    /// A page is under way.
    Asked,
    /// The store had nothing; somebody will call [`Cursor::retry`].
    Waiting,
    /// Nothing is asked any more.
    GivenUp,
}

impl<F> Cursor<F> {
    /// The cursor of a client that has seen everything up to `seq`; 0 if it has seen nothing.
    pub fn after(seq: u64) -> Self {
        Cursor {
            next: seq + 1,
            newest: seq,
            held: BTreeMap::new(),
            fill: Fill::Idle,
            paused: false,
            held_max: HELD_MAX as u8,
            attempts: 0,
        }
    }

    /// With so many frames held back at most, and never more than [`HELD_MAX`]: they are written all at once behind a
    /// page, so they have to fit into what may wait for the client.
    #[must_use]
    pub fn holding(self, held_max: usize) -> Self {
        let held_max = held_max.min(HELD_MAX) as u8;
        Cursor { held_max, ..self }
    }

    /// The number of the frame that the client gets next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Equals `true` while the client misses something that is known to exist.
    pub fn is_lagging(&self) -> bool {
        self.newest >= self.next
    }

    /// A frame was broadcast.
    pub fn live(&mut self, seq: u64, frame: F, act: &mut dyn FnMut(Step<F>)) {
        self.newest = self.newest.max(seq);
        if seq == self.next && !self.paused {
            self.write(frame, act);
            self.write_held(act);
        } else if seq > self.next && !self.paused {
            self.hold(seq, frame);
        }
        self.ask(act);
    }

    /// The room says that everything up to `max` exists.
    pub fn sync(&mut self, max: u64, act: &mut dyn FnMut(Step<F>)) {
        self.newest = self.newest.max(max);
        self.ask(act);
    }

    /// The store's answer to [`Step::Fill`]: what comes after the number asked for, as much as it gives at once.
    pub fn page(
        &mut self,
        frames: impl IntoIterator<Item = (u64, F)>,
        act: &mut dyn FnMut(Step<F>),
    ) {
        let before = self.next;
        for (seq, frame) in frames {
            self.newest = self.newest.max(seq);
            if seq == self.next && !self.paused {
                self.write(frame, act);
            }
        }
        if self.paused {
            return self.dropped();
        }
        self.write_held(act);
        self.answered(self.next > before, act);
    }

    /// The store could not answer [`Step::Fill`].
    pub fn page_failed(&mut self, act: &mut dyn FnMut(Step<F>)) {
        self.answered(false, act);
    }

    /// A page came while nothing is to be written; [`resume`](Cursor::resume) asks again.
    fn dropped(&mut self) {
        if self.fill == Fill::Asked {
            self.fill = Fill::Idle;
        }
    }

    /// The pause after [`Step::RetryLater`] is over.
    pub fn retry(&mut self, act: &mut dyn FnMut(Step<F>)) {
        if self.fill == Fill::Waiting {
            self.fill = Fill::Idle;
            self.ask(act);
        }
    }

    /// The client does not read: from now on frames are not written, nor held, but read from the store later.
    pub fn pause(&mut self) {
        self.paused = true;
        self.held.clear();
    }

    /// The client reads again.
    pub fn resume(&mut self, act: &mut dyn FnMut(Step<F>)) {
        self.paused = false;
        self.ask(act);
    }

    fn write(&mut self, frame: F, act: &mut dyn FnMut(Step<F>)) {
        act(Step::Write(frame));
        self.next += 1;
        self.newest = self.newest.max(self.next - 1);
        self.attempts = 0;
    }

    /// Writes what was held and follows without a gap; drops what came by another way meanwhile.
    fn write_held(&mut self, act: &mut dyn FnMut(Step<F>)) {
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > self.next {
                return;
            }
            let (seq, frame) = entry.remove_entry();
            if seq == self.next {
                self.write(frame, act);
            }
        }
    }

    /// Keeps the lowest: they are the next to be written.
    fn hold(&mut self, seq: u64, frame: F) {
        self.held.insert(seq, frame);
        if self.held.len() > usize::from(self.held_max) {
            self.held.pop_last();
        }
    }

    fn answered(&mut self, progress: bool, act: &mut dyn FnMut(Step<F>)) {
        if self.fill != Fill::Asked {
            return;
        }
        self.fill = Fill::Idle;
        if progress || !self.is_lagging() {
            return self.ask(act);
        }
        self.attempts += 1;
        if self.attempts < ATTEMPTS_MAX {
            self.fill = Fill::Waiting;
            act(Step::RetryLater);
        } else {
            self.fill = Fill::GivenUp;
            act(Step::GiveUp);
        }
    }

    fn ask(&mut self, act: &mut dyn FnMut(Step<F>)) {
        if self.is_lagging() && !self.paused && self.fill == Fill::Idle {
            self.fill = Fill::Asked;
            act(Step::Fill {
                after: self.next - 1,
            });
        }
    }
}
