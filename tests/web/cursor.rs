//! The cursor of one reader: each number once, in order, whatever happens on the way.

use perennial::web::cursor::{ATTEMPTS_MAX, Cursor, HELD_MAX, Step};
use proptest::prelude::*;
use std::sync::Arc;

/// Frames are their own numbers here.
type Steps = Vec<Step<u64>>;

fn of(happen: impl FnOnce(&mut dyn FnMut(Step<u64>))) -> Steps {
    let mut steps = Vec::new();
    happen(&mut |step| steps.push(step));
    steps
}

fn live(cursor: &mut Cursor<u64>, seq: u64) -> Steps {
    of(|act| cursor.live(seq, seq, act))
}

fn sync(cursor: &mut Cursor<u64>, max: u64) -> Steps {
    of(|act| cursor.sync(max, act))
}

fn page(cursor: &mut Cursor<u64>, seqs: impl IntoIterator<Item = u64>) -> Steps {
    let frames: Vec<(u64, u64)> = seqs.into_iter().map(|seq| (seq, seq)).collect();
    of(|act| cursor.page(frames, act))
}

fn page_failed(cursor: &mut Cursor<u64>) -> Steps {
    of(|act| cursor.page_failed(act))
}

fn retry(cursor: &mut Cursor<u64>) -> Steps {
    of(|act| cursor.retry(act))
}

fn resume(cursor: &mut Cursor<u64>) -> Steps {
    of(|act| cursor.resume(act))
}

fn writes(seqs: impl IntoIterator<Item = u64>) -> Steps {
    seqs.into_iter().map(Step::Write).collect()
}

#[test]
fn wanted_frame_is_written_and_an_older_one_dropped() {
    let mut cursor = Cursor::after(4);
    assert_eq!(live(&mut cursor, 4), []);
    assert_eq!(live(&mut cursor, 1), []);
    assert_eq!(live(&mut cursor, 5), writes([5]));
    assert_eq!(live(&mut cursor, 5), []);
    assert_eq!(live(&mut cursor, 6), writes([6]));
    assert_eq!(cursor.next(), 7);
    assert!(!cursor.is_lagging());
}

#[test]
fn first_message_of_an_empty_room_is_number_one() {
    let mut cursor = Cursor::after(0);
    assert_eq!(sync(&mut cursor, 0), []);
    assert_eq!(live(&mut cursor, 1), writes([1]));
}

#[test]
fn gap_is_filled_from_the_store_and_then_what_was_held() {
    let mut cursor = Cursor::after(4);
    assert_eq!(live(&mut cursor, 7), [Step::Fill { after: 4 }]);
    assert!(cursor.is_lagging());
    assert_eq!(live(&mut cursor, 8), []);
    assert_eq!(page(&mut cursor, [5, 6]), writes([5, 6, 7, 8]));
    assert!(!cursor.is_lagging());
    assert_eq!(live(&mut cursor, 9), writes([9]));
}

#[test]
fn sync_above_the_cursor_fills_and_one_below_does_nothing() {
    let mut cursor = Cursor::after(4);
    assert_eq!(sync(&mut cursor, 3), []);
    assert_eq!(sync(&mut cursor, 4), []);
    assert_eq!(sync(&mut cursor, 6), [Step::Fill { after: 4 }]);
    assert_eq!(page(&mut cursor, [5, 6]), writes([5, 6]));
}

#[test]
fn short_page_is_followed_by_the_next() {
    let mut cursor = Cursor::after(0);
    assert_eq!(sync(&mut cursor, 5), [Step::Fill { after: 0 }]);
    let mut expected = writes([1, 2]);
    expected.push(Step::Fill { after: 2 });
    assert_eq!(page(&mut cursor, [1, 2]), expected);
    assert_eq!(page(&mut cursor, [3, 4, 5]), writes([3, 4, 5]));
}

#[test]
fn page_that_knows_more_than_was_heard_is_written_whole() {
    let mut cursor = Cursor::after(0);
    sync(&mut cursor, 2);
    assert_eq!(page(&mut cursor, [1, 2, 3, 4]), writes([1, 2, 3, 4]));
    assert_eq!(live(&mut cursor, 3), []);
    assert_eq!(live(&mut cursor, 5), writes([5]));
}

#[test]
fn one_request_at_a_time_is_under_way() {
    let mut cursor = Cursor::after(0);
    assert_eq!(live(&mut cursor, 3), [Step::Fill { after: 0 }]);
    assert_eq!(live(&mut cursor, 5), []);
    assert_eq!(sync(&mut cursor, 9), []);
    assert_eq!(resume(&mut cursor), []);
    assert_eq!(retry(&mut cursor), []);
}

#[test]
fn gap_that_closes_by_itself_makes_the_page_superfluous() {
    let mut cursor = Cursor::after(4);
    assert_eq!(live(&mut cursor, 6), [Step::Fill { after: 4 }]);
    assert_eq!(live(&mut cursor, 5), writes([5, 6]));
    assert!(!cursor.is_lagging());
    assert_eq!(page(&mut cursor, [5, 6]), []);
    assert_eq!(live(&mut cursor, 7), writes([7]));
}

#[test]
fn new_gap_before_the_page_of_the_old_one_is_filled_after_it() {
    let mut cursor = Cursor::after(4);
    live(&mut cursor, 6);
    live(&mut cursor, 5);
    assert_eq!(live(&mut cursor, 9), []);
    assert_eq!(page(&mut cursor, [5, 6, 7]), {
        let mut expected = writes([7]);
        expected.push(Step::Fill { after: 7 });
        expected
    });
    assert_eq!(page(&mut cursor, [8]), writes([8, 9]));
}

#[test]
fn held_frames_are_bounded_and_the_rest_comes_from_the_store() {
    let many = HELD_MAX as u64 + 10;
    for (asked, held_max) in [
        (usize::MAX, HELD_MAX),
        (HELD_MAX, HELD_MAX),
        (3, 3),
        (1, 1),
        (0, 0),
    ] {
        let mut cursor = Cursor::after(0).holding(asked);
        // From the highest down, so that the last to come is the first to be kept.
        for seq in (2..=many).rev() {
            live(&mut cursor, seq);
        }
        let kept = held_max as u64 + 1;
        let mut expected = writes(1..=kept);
        expected.push(Step::Fill { after: kept });
        assert_eq!(page(&mut cursor, [1]), expected);
    }
}

#[test]
fn paused_reader_is_not_written_to_and_catches_up_from_the_store() {
    let mut cursor = Cursor::after(0);
    assert_eq!(live(&mut cursor, 1), writes([1]));
    cursor.pause();
    for seq in 2..500 {
        assert_eq!(live(&mut cursor, seq), []);
    }
    assert_eq!(sync(&mut cursor, 500), []);
    assert_eq!(resume(&mut cursor), [Step::Fill { after: 1 }]);
    assert_eq!(page(&mut cursor, 2..=500), writes(2..=500));
    assert!(!cursor.is_lagging());
}

#[test]
fn paused_reader_keeps_no_frame_alive() {
    let frame = Arc::new(());
    let mut steps = Vec::new();
    let mut cursor = Cursor::after(0);
    cursor.live(3, frame.clone(), &mut |step| steps.push(step));
    assert_eq!(Arc::strong_count(&frame), 2);
    cursor.pause();
    cursor.live(4, frame.clone(), &mut |step| steps.push(step));
    assert_eq!(Arc::strong_count(&frame), 1);
    assert_eq!(steps, [Step::Fill { after: 0 }]);
}

#[test]
fn pause_without_news_costs_nothing() {
    let mut cursor = Cursor::after(3);
    cursor.pause();
    assert_eq!(resume(&mut cursor), []);
    assert_eq!(live(&mut cursor, 4), writes([4]));
}

// Of many topics that catch up at once each had a page under way, and all of them were written to a client that had
// too much waiting already.
#[test]
fn page_under_way_when_the_reader_pauses_is_read_again() {
    let mut cursor = Cursor::after(0);
    assert_eq!(live(&mut cursor, 2), [Step::Fill { after: 0 }]);
    cursor.pause();
    assert_eq!(page(&mut cursor, 1..=9), []);
    assert!(cursor.is_lagging());
    assert_eq!(live(&mut cursor, 3), []);
    assert_eq!(resume(&mut cursor), [Step::Fill { after: 0 }]);
    assert_eq!(page(&mut cursor, 1..=9), writes(1..=9));
    // One that comes only after the end of the pause is the one that was asked for.
    assert_eq!(live(&mut cursor, 11), [Step::Fill { after: 9 }]);
    cursor.pause();
    assert_eq!(resume(&mut cursor), []);
    assert_eq!(page(&mut cursor, [10, 11]), writes([10, 11]));
}

#[test]
fn store_that_cannot_answer_is_asked_again_after_a_pause() {
    let mut cursor = Cursor::after(0);
    sync(&mut cursor, 1);
    assert_eq!(page_failed(&mut cursor), [Step::RetryLater]);
    // News during the pause do not shorten it.
    assert_eq!(live(&mut cursor, 3), []);
    assert_eq!(retry(&mut cursor), [Step::Fill { after: 0 }]);
    assert_eq!(page(&mut cursor, []), [Step::RetryLater]);
    // Nor does a page that begins above what is wanted count as an answer.
    retry(&mut cursor);
    assert_eq!(page(&mut cursor, [2, 3]), [Step::RetryLater]);
    retry(&mut cursor);
    assert_eq!(page(&mut cursor, [1, 2]), writes([1, 2, 3]));
}

#[test]
fn store_that_never_answers_is_given_up() {
    let mut cursor = Cursor::after(0);
    sync(&mut cursor, 2);
    for _ in 1..ATTEMPTS_MAX {
        assert_eq!(page_failed(&mut cursor), [Step::RetryLater]);
        assert_eq!(retry(&mut cursor), [Step::Fill { after: 0 }]);
    }
    assert_eq!(page_failed(&mut cursor), [Step::GiveUp]);
    assert_eq!(retry(&mut cursor), []);
    assert_eq!(live(&mut cursor, 3), []);
}

#[test]
fn progress_forgives_earlier_failures() {
    let mut cursor = Cursor::after(0);
    sync(&mut cursor, 1000);
    for seq in 1..100 {
        assert_eq!(page_failed(&mut cursor), [Step::RetryLater]);
        retry(&mut cursor);
        assert_eq!(page(&mut cursor, [seq])[0], Step::Write(seq));
    }
}

// ## Any interleaving

#[derive(Clone, Debug)]
enum Op {
    /// The writer commits this many and the room broadcasts them.
    Commit(u64),
    /// One of the broadcasts that are under way arrives.
    Deliver(prop::sample::Index),
    /// One arrives and is still under way, as a room that restarts broadcasts again.
    Duplicate(prop::sample::Index),
    /// Everything under way is lost in a restart, and the new room says what exists.
    Restart,
    /// The room says what exists, but the word was long under way.
    StaleSync(u64),
    /// The store answers with at most this many, from what it had this many commits ago.
    Answer {
        most: u64,
        behind: u64,
    },
    Fail,
    Retry,
    Pause,
    Resume,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..6_u64).prop_map(Op::Commit),
        8 => any::<prop::sample::Index>().prop_map(Op::Deliver),
        2 => any::<prop::sample::Index>().prop_map(Op::Duplicate),
        1 => Just(Op::Restart),
        1 => (0..20_u64).prop_map(Op::StaleSync),
        4 => (1..9_u64, 0..3_u64).prop_map(|(most, behind)| Op::Answer { most, behind }),
        1 => Just(Op::Fail),
        3 => Just(Op::Retry),
        1 => Just(Op::Pause),
        1 => Just(Op::Resume),
    ]
}

/// A room, its store, the post between them and a client, with one client at the end of it.
struct World {
    committed: u64,
    under_way: Vec<u64>,
    cursor: Cursor<u64>,
    /// What the client was sent.
    seen: u64,
    /// What the cursor has heard of, by any way.
    heard: u64,
    asked: Option<u64>,
    to_retry: bool,
    paused: bool,
    rejoins: u32,
}

impl World {
    fn new(before: u64) -> Self {
        World {
            committed: before,
            under_way: Vec::new(),
            cursor: Cursor::after(before),
            seen: before,
            heard: before,
            asked: None,
            to_retry: false,
            paused: false,
            rejoins: 0,
        }
    }

    fn happen(&mut self, op: &Op) {
        match op {
            Op::Commit(count) => {
                for _ in 0..*count {
                    self.committed += 1;
                    self.under_way.push(self.committed);
                }
            }
            Op::Deliver(_) | Op::Duplicate(_) if self.under_way.is_empty() => {}
            Op::Deliver(which) => {
                let seq = self.under_way.remove(which.index(self.under_way.len()));
                self.deliver(seq);
            }
            Op::Duplicate(which) => {
                let seq = self.under_way[which.index(self.under_way.len())];
                self.deliver(seq);
            }
            Op::Restart => {
                self.under_way.clear();
                self.sync(self.committed);
            }
            Op::StaleSync(ago) => self.sync(self.committed.saturating_sub(*ago)),
            Op::Answer { most, behind } => self.answer(*most, *behind),
            Op::Fail => {
                if self.asked.take().is_some() {
                    let steps = page_failed(&mut self.cursor);
                    self.act(steps);
                }
            }
            Op::Retry => {
                if std::mem::take(&mut self.to_retry) {
                    let steps = retry(&mut self.cursor);
                    self.act(steps);
                }
            }
            Op::Pause => {
                self.paused = true;
                self.cursor.pause();
            }
            Op::Resume => {
                self.paused = false;
                let steps = resume(&mut self.cursor);
                self.act(steps);
            }
        }
        assert_eq!(self.cursor.next(), self.seen + 1, "C1");
        assert_eq!(self.cursor.is_lagging(), self.heard > self.seen, "C2");
        let alive = self.asked.is_some() || self.to_retry || self.paused;
        assert!(
            alive || !self.cursor.is_lagging(),
            "a lagging cursor does something about it"
        );
    }

    fn deliver(&mut self, seq: u64) {
        self.heard = self.heard.max(seq);
        let steps = live(&mut self.cursor, seq);
        self.act(steps);
    }

    fn sync(&mut self, max: u64) {
        self.heard = self.heard.max(max);
        let steps = sync(&mut self.cursor, max);
        self.act(steps);
    }

    fn answer(&mut self, most: u64, behind: u64) {
        let Some(after) = self.asked.take() else {
            return;
        };
        let end = self.committed.saturating_sub(behind).min(after + most);
        self.heard = self.heard.max(end);
        let steps = page(&mut self.cursor, after + 1..=end);
        self.act(steps);
    }

    fn act(&mut self, steps: Steps) {
        for step in steps {
            match step {
                Step::Write(seq) => {
                    assert_eq!(seq, self.seen + 1, "C1");
                    assert!(!self.paused, "C5");
                    self.seen = seq;
                }
                Step::Fill { after } => {
                    assert_eq!(self.asked, None, "C3");
                    assert!(!self.to_retry && !self.paused);
                    assert_eq!(after, self.seen);
                    self.asked = Some(after);
                }
                Step::RetryLater => {
                    assert_eq!(self.asked, None, "C3");
                    self.to_retry = true;
                }
                Step::GiveUp => self.rejoin(),
            }
        }
    }

    /// The channel crashed, and the client comes again with the last number it has seen.
    fn rejoin(&mut self) {
        self.rejoins += 1;
        self.paused = false;
        self.cursor = Cursor::after(self.seen);
        self.heard = self.seen;
        self.sync(self.committed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// The client sees each number once and in order; and when the post is quiet again and the room has said
    /// once what exists, it has seen all of them.
    #[test]
    fn every_reader_sees_every_number_once_in_order_and_catches_up(
        before in 0..20_u64,
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let mut world = World::new(before);
        for op in &ops {
            world.happen(op);
        }
        world.happen(&Op::Resume);
        world.happen(&Op::Restart);
        for _ in 0..2 * world.committed + 10 {
            world.happen(&Op::Retry);
            world.happen(&Op::Answer { most: 3, behind: 0 });
        }
        prop_assert_eq!(world.seen, world.committed);
        prop_assert!(!world.cursor.is_lagging());
    }

    /// The rooms that lose nothing need no last word: after all broadcasts have arrived, in whatever order,
    /// the store is asked at most for what was missed while paused.
    #[test]
    fn reordered_but_complete_broadcasts_need_no_store(
        count in 1..HELD_MAX as u64,
        order in prop::collection::vec(any::<prop::sample::Index>(), HELD_MAX),
    ) {
        let mut world = World::new(0);
        world.happen(&Op::Commit(count));
        for which in &order {
            world.happen(&Op::Deliver(*which));
        }
        prop_assert_eq!(world.seen, count);
    }
}
