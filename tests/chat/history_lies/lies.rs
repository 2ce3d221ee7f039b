//! Lies: each changes a true history in one way, and breaks one promise by it.

use super::made::Dice;
use crate::history::{History, Id, Post, What};
use std::collections::{HashMap, HashSet};

/// Changes a history; `None` if it has nothing that could be changed so.
pub(super) type Lie = fn(&mut History, &mut Dice) -> Option<()>;

/// Each with the fault that it makes.
pub(super) const LIES: [(&str, Lie); 20] = [
    ("Lost", lose_one_of_many),
    ("Lost", lose_one_and_close_the_gap),
    ("Lost", lose_the_end),
    ("Lost", acknowledge_what_is_not_there),
    ("Lost", show_what_is_not_there),
    ("NeverRead", hide_the_last_from_all),
    ("Gap", leave_a_number_out),
    ("Gap", skip_one_for_one_client),
    ("Conflict", swap_two_of_the_room),
    ("Conflict", tell_one_client_of_another_message),
    ("Conflict", acknowledge_with_another_number),
    ("Overtaken", put_the_later_first),
    ("Doubled", store_one_twice),
    ("SenderOrder", reorder_one_sender),
    ("OwnWriteMissing", show_a_room_without_ones_own),
    ("Stale", show_a_room_as_it_was),
    ("Backwards", tell_one_client_twice),
    ("Phantom", store_what_nobody_said),
    ("RefusedShown", store_what_was_refused),
    ("Behind", end_early_for_one_client),
];

// ## What lies are made of

fn stored_at(history: &History, dice: &mut Dice) -> usize {
    dice.below(history.stored.len())
}

fn acknowledged(history: &History) -> HashMap<Id, u64> {
    let mut all = HashMap::new();
    for event in history.logs.iter().flat_map(|log| &log.events) {
        if let What::Ok { id, .. } = event.what {
            all.entry(id).or_insert(event.at);
        }
    }
    all
}

/// How often each was sent, first when, and last on which line.
fn sendings(history: &History) -> HashMap<Id, (usize, u64, u32)> {
    let mut all: HashMap<Id, (usize, u64, u32)> = HashMap::new();
    for event in history.logs.iter().flat_map(|log| &log.events) {
        if let What::Send { id, line } = event.what {
            let entry = all.entry(id).or_insert((0, event.at, line));
            entry.0 += 1;
            entry.2 = line;
        }
    }
    all
}

/// Changes every mention of a message: `None` takes it away.
fn rewrite(history: &mut History, change: impl Fn(Post) -> Option<Post>) {
    history.stored = history.stored.iter().copied().filter_map(&change).collect();
    for log in &mut history.logs {
        let told = std::mem::take(&mut log.events);
        log.events = told
            .into_iter()
            .filter_map(|mut event| {
                match &mut event.what {
                    What::Hear(post) => *post = change(*post)?,
                    What::Join { page, .. } | What::Look { page } => {
                        *page = page.iter().copied().filter_map(&change).collect();
                    }
                    What::Ok { id, seq } => {
                        if let Some(post) = change(Post { seq: *seq, id: *id }) {
                            (*id, *seq) = (post.id, post.seq);
                        }
                    }
                    _ => {}
                }
                Some(event)
            })
            .collect();
    }
}

/// Two messages change places, wherever they are told of.
fn exchange(history: &mut History, a: Post, b: Post) {
    rewrite(history, |post| {
        Some(match post.id {
            id if id == a.id => Post { seq: b.seq, id },
            id if id == b.id => Post { seq: a.seq, id },
            _ => post,
        })
    });
    // The numbers stay in order; the messages under them have changed.
    let by_seq = |page: &mut Vec<Post>| page.sort_by_key(|post| post.seq);
    by_seq(&mut history.stored);
    for log in &mut history.logs {
        for event in &mut log.events {
            if let What::Join { page, .. } | What::Look { page } = &mut event.what {
                by_seq(page);
            }
        }
    }
}

/// Everybody hears one more message, which is at the end of the room.
fn append(history: &mut History, id: Id) {
    let post = Post {
        seq: history.stored.len() as u64 + 1,
        id,
    };
    history.stored.push(post);
    for log in &mut history.logs {
        log.note(u64::MAX, What::Hear(post));
    }
}

/// Where in the log of some client something like this happened.
fn find(
    history: &History,
    dice: &mut Dice,
    is_it: impl Fn(&What) -> bool,
) -> Option<(usize, usize)> {
    let places: Vec<_> = history
        .logs
        .iter()
        .enumerate()
        .flat_map(|(log, of)| (0..of.events.len()).map(move |at| (log, at)))
        .filter(|(log, at)| is_it(&history.logs[*log].events[*at].what))
        .collect();
    (!places.is_empty()).then(|| places[dice.below(places.len())])
}

// ## P1

fn lose_one_of_many(history: &mut History, dice: &mut Dice) -> Option<()> {
    let known = acknowledged(history);
    let at = stored_at(history, dice);
    let lost = history.stored[at];
    known.get(&lost.id)?;
    rewrite(history, |post| (post.id != lost.id).then_some(post));
    Some(())
}

fn lose_one_and_close_the_gap(history: &mut History, dice: &mut Dice) -> Option<()> {
    let known = acknowledged(history);
    let at = stored_at(history, dice);
    let lost = history.stored[at];
    known.get(&lost.id)?;
    history.stored.remove(at);
    for (post, seq) in history.stored.iter_mut().zip(1..) {
        post.seq = seq;
    }
    Some(())
}

fn lose_the_end(history: &mut History, dice: &mut Dice) -> Option<()> {
    let known = acknowledged(history);
    let kept = history.stored.len() - 1 - dice.below(5);
    let lost = history.stored.split_off(kept);
    lost.iter()
        .any(|post| known.contains_key(&post.id))
        .then_some(())
}

fn acknowledge_what_is_not_there(history: &mut History, dice: &mut Dice) -> Option<()> {
    let there: HashSet<Id> = history.stored.iter().map(|post| post.id).collect();
    let is_absent = |what: &What| matches!(what, What::Info { id } if !there.contains(id));
    let (log, at) = find(history, dice, is_absent)?;
    let event = &mut history.logs[log].events[at];
    let What::Info { id } = event.what else {
        return None;
    };
    let seq = history.stored.len() as u64 + 1;
    event.what = What::Ok { id, seq };
    Some(())
}

fn show_what_is_not_there(history: &mut History, dice: &mut Dice) -> Option<()> {
    let known = acknowledged(history);
    let sent = sendings(history);
    let stored: HashSet<Id> = history.stored.iter().map(|post| post.id).collect();
    let mut refusals: HashMap<Id, usize> = HashMap::new();
    for event in history.logs.iter().flat_map(|log| &log.events) {
        if let What::Fail { id } = event.what {
            *refusals.entry(id).or_default() += 1;
        }
    }
    // Sent, and nobody was told what became of it.
    let is_unknown = |id: &Id| {
        let refusals = refusals.get(id).copied().unwrap_or(0);
        !known.contains_key(id) && !stored.contains(id) && refusals < sent[id].0
    };
    let id = sent.keys().filter(|id| is_unknown(id)).min().copied()?;
    let seq = history.stored.len() as u64 + 1;
    let one = dice.below(history.logs.len());
    history.logs[one].note(u64::MAX, What::Hear(Post { seq, id }));
    Some(())
}

fn hide_the_last_from_all(history: &mut History, _: &mut Dice) -> Option<()> {
    let known = acknowledged(history);
    let last = *history.stored.last()?;
    known.get(&last.id)?;
    let stored = history.stored.clone();
    rewrite(history, |post| (post.id != last.id).then_some(post));
    history.stored = stored;
    Some(())
}

// ## P2

fn leave_a_number_out(history: &mut History, dice: &mut Dice) -> Option<()> {
    let from = 1 + dice.below(history.stored.len() - 1) as u64;
    rewrite(history, |mut post| {
        post.seq += u64::from(post.seq > from);
        Some(post)
    });
    Some(())
}

fn skip_one_for_one_client(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (log, at) = find(history, dice, |what| matches!(what, What::Hear(_)))?;
    let events = &mut history.logs[log].events;
    events.remove(at);
    let hears_on = |event: &crate::history::Event| matches!(event.what, What::Hear(_));
    events[at..].iter().any(hears_on).then_some(())?;
    // Who joins before it hears more asks for what it has seen, and tells another lie.
    let next = events[at..]
        .iter()
        .find(|event| hears_on(event) || matches!(event.what, What::Join { .. }));
    next.is_some_and(hears_on).then_some(())
}

fn swap_two_of_the_room(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (a, b) = (stored_at(history, dice), stored_at(history, dice));
    let ids = (history.stored[a].id, history.stored[b].id);
    (history.stored[b].id, history.stored[a].id) = ids;
    // Somebody else must have told of one of them before.
    (a != b && contradicted(history, &[a, b])).then_some(())
}

/// Whether a client tells of one of these numbers.
fn contradicted(history: &History, at: &[usize]) -> bool {
    let tells = |what: &What| {
        what.posts()
            .iter()
            .any(|post| at.contains(&(post.seq as usize - 1)))
    };
    history.logs.iter().any(|log| log.count(tells) > 0)
}

fn tell_one_client_of_another_message(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (log, at) = find(history, dice, |what| matches!(what, What::Hear(_)))?;
    let id = Id {
        client: 0,
        nth: u32::MAX,
    };
    let What::Hear(post) = &mut history.logs[log].events[at].what else {
        return None;
    };
    post.id = id;
    Some(())
}

fn acknowledge_with_another_number(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (log, at) = find(history, dice, |what| matches!(what, What::Ok { .. }))?;
    let other = 1 + stored_at(history, dice) as u64;
    let What::Ok { id, seq } = &mut history.logs[log].events[at].what else {
        return None;
    };
    // A number of its own that nobody has is one message under two numbers; this is two messages under one.
    let is_own = *seq == other;
    *seq = other;
    let id = *id;
    if is_own {
        return None;
    }
    // The only one to tell of it, so that nothing is known but the number.
    rewrite(history, |post| (post.id != id).then_some(post));
    Some(())
}

fn put_the_later_first(history: &mut History, _: &mut Dice) -> Option<()> {
    let (known, sent) = (acknowledged(history), sendings(history));
    let pair = history.stored.windows(2).find(|pair| {
        let (a, b) = (pair[0].id, pair[1].id);
        a.client != b.client && known.get(&a).is_some_and(|at| *at < sent[&b].1)
    })?;
    let (a, b) = (pair[0], pair[1]);
    exchange(history, a, b);
    Some(())
}

// ## P3, P4

fn store_one_twice(history: &mut History, dice: &mut Dice) -> Option<()> {
    let at = stored_at(history, dice);
    let id = history.stored[at].id;
    append(history, id);
    Some(())
}

fn reorder_one_sender(history: &mut History, _: &mut Dice) -> Option<()> {
    let sent = sendings(history);
    let once = |id: &Id| sent[id].0 == 1;
    let stored = &history.stored;
    let pair = stored.iter().enumerate().find_map(|(at, a)| {
        let mut later = stored[at + 1..].iter();
        let b = later.find(|b| b.id.client == a.id.client)?;
        let is_pair = once(&a.id) && once(&b.id) && sent[&a.id].2 == sent[&b.id].2;
        is_pair.then_some((*a, *b))
    })?;
    exchange(history, pair.0, pair.1);
    Some(())
}

// ## P5, P6

fn show_a_room_without_ones_own(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (log, at) = find(history, dice, |what| matches!(what, What::Look { .. }))?;
    let events = &mut history.logs[log].events;
    let own = events[..at].iter().filter_map(|event| match event.what {
        What::Ok { seq, .. } => Some(seq),
        _ => None,
    });
    let own = own.max()?;
    let What::Look { page } = &mut events[at].what else {
        return None;
    };
    page.retain(|post| post.seq < own);
    Some(())
}

fn show_a_room_as_it_was(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (log, at) = find(history, dice, |what| matches!(what, What::Look { .. }))?;
    let events = &mut history.logs[log].events;
    let before = &events[..at];
    let own = before.iter().filter_map(|event| match event.what {
        What::Ok { seq, .. } => Some(seq),
        _ => None,
    });
    let own = own.max().unwrap_or(0);
    let seen = before.iter().flat_map(|event| event.what.posts());
    let seen = seen.map(|post| post.seq).max()?;
    if own >= seen {
        return None;
    }
    let What::Look { page } = &mut events[at].what else {
        return None;
    };
    page.retain(|post| post.seq < seen);
    Some(())
}

fn tell_one_client_twice(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (log, at) = find(history, dice, |what| matches!(what, What::Hear(_)))?;
    let again = history.logs[log].events[at].clone();
    history.logs[log].events.insert(at + 1, again);
    Some(())
}

// ## P7, P10

fn store_what_nobody_said(history: &mut History, dice: &mut Dice) -> Option<()> {
    let client = dice.below(history.logs.len()) as u32;
    let nth = u32::MAX;
    append(history, Id { client, nth });
    Some(())
}

fn store_what_was_refused(history: &mut History, dice: &mut Dice) -> Option<()> {
    let (known, sent) = (acknowledged(history), sendings(history));
    let there: HashSet<Id> = history.stored.iter().map(|post| post.id).collect();
    let is_it = |what: &What| {
        matches!(what, What::Fail { id }
            if sent[id].0 == 1 && !known.contains_key(id) && !there.contains(id))
    };
    let (log, at) = find(history, dice, is_it)?;
    let What::Fail { id } = history.logs[log].events[at].what else {
        return None;
    };
    append(history, id);
    Some(())
}

fn end_early_for_one_client(history: &mut History, dice: &mut Dice) -> Option<()> {
    let log = dice.below(history.logs.len());
    let events = &mut history.logs[log].events;
    let last = events
        .iter()
        .rposition(|event| matches!(event.what, What::Hear(_)))?;
    // Not even on a page is there more.
    let later = events[last..]
        .iter()
        .any(|event| matches!(event.what, What::Join { .. }));
    events.remove(last);
    (!later).then_some(())
}
