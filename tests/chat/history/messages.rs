//! What became of each message: stable, lost, never read, or one of those that nobody was told of.

use super::fault::Fault;
use super::log::{History, What};
use super::room::Room;

/// How many messages ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// Acknowledged, there, and seen.
    pub(crate) stable: usize,
    pub(crate) lost: usize,
    pub(crate) never_read: usize,
    /// Never acknowledged, and there.
    pub(crate) unknown_there: usize,
    /// Never acknowledged, and not there.
    pub(crate) unknown_absent: usize,
    /// Refused every time.
    pub(crate) refused: usize,
}

impl Outcomes {
    pub(crate) fn add(&mut self, other: Outcomes) {
        self.stable += other.stable;
        self.lost += other.lost;
        self.never_read += other.never_read;
        self.unknown_there += other.unknown_there;
        self.unknown_absent += other.unknown_absent;
        self.refused += other.refused;
    }
}

pub(super) fn check(history: &History, room: &Room, faults: &mut Vec<Fault>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let reads = |what: &What| !what.posts().is_empty();
    let has_readers = history.logs.iter().any(|log| log.count(reads) > 0);
    for (id, known) in &room.messages {
        let (id, stored) = (*id, room.stored.get(id).copied());
        if known.sends == 0 {
            // Whoever acknowledges or shows it has made it up.
            let seq = known.seq.unwrap_or(0);
            faults.push(Fault::Phantom { id, seq });
            continue;
        }
        let is_refused = known.fails >= known.sends;
        match (known.acknowledged, stored, known.seq) {
            (Some((_, seq)), None, _) => {
                outcomes.lost += 1;
                faults.push(Fault::Lost { id, seq });
            }
            (Some(_), Some(seq), _) if has_readers && !known.was_seen => {
                outcomes.never_read += 1;
                faults.push(Fault::NeverRead { id, seq });
            }
            (Some(_), Some(_), _) => outcomes.stable += 1,
            (None, _, Some(seq)) if is_refused => faults.push(Fault::RefusedShown { id, seq }),
            (None, None, Some(seq)) => {
                // Somebody saw it, so it was committed.
                outcomes.lost += 1;
                faults.push(Fault::Lost { id, seq });
            }
            (None, Some(_), _) => outcomes.unknown_there += 1,
            (None, None, None) if is_refused => outcomes.refused += 1,
            (None, None, None) => outcomes.unknown_absent += 1,
        }
    }
    outcomes
}
