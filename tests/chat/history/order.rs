//! The order of messages: of one sender on one line, and of those that did not overlap.

use super::fault::Fault;
use super::log::{History, Id, Log, What};
use super::room::Room;
use std::collections::HashMap;

pub(super) fn check(history: &History, room: &Room, faults: &mut Vec<Fault>) {
    history
        .logs
        .iter()
        .for_each(|log| of_sender(log, room, faults));
    by_time(history, room, faults);
}

/// P4. A post that was sent more than once may have been stored by any of these, so it stands in no order.
fn of_sender(log: &Log, room: &Room, faults: &mut Vec<Fault>) {
    let mut last: HashMap<u32, (u64, Id)> = HashMap::new();
    for event in &log.events {
        let What::Send { id, line } = event.what else {
            continue;
        };
        if room.messages[&id].sends != 1 {
            continue;
        }
        let Some(&seq) = room.stored.get(&id) else {
            continue;
        };
        match last.insert(line, (seq, id)) {
            Some((before, first)) if before > seq => {
                faults.push(Fault::SenderOrder { first, second: id });
                // What follows is compared with the one that is further.
                last.insert(line, (before, first));
            }
            _ => {}
        }
    }
}

/// P2. What was acknowledged before another was said stands before it. From the end of the room to its beginning,
/// so that the earliest acknowledgement of all that follow is known.
fn by_time(history: &History, room: &Room, faults: &mut Vec<Fault>) {
    let mut earliest: Option<(u64, Id)> = None;
    for post in history.stored.iter().rev() {
        let Some(known) = room.messages.get(&post.id).filter(|known| known.sends > 0) else {
            continue;
        };
        if let Some((at, first)) = earliest
            && at < known.first_sent
        {
            faults.push(Fault::Overtaken { first, by: post.id });
        }
        if let Some((at, _)) = known.acknowledged
            && earliest.is_none_or(|(before, _)| at < before)
        {
            earliest = Some((at, post.id));
        }
    }
}
