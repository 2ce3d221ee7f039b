//! How long a worker that has run out of work looks for more before it sleeps.

use std::cell::Cell;
use std::time::Duration;

/// How long a worker looks before it sleeps: gaps of up to 20 µs between messages then cost no wake-up, which is 50 µs on
/// a processor that has gone idle; longer was measured to take time from those who have work.
const PATIENCE_MAX: Duration = Duration::from_micros(100);

/// How long a worker looks that has looked in vain each time before: where the gaps are longer than its patience, as in a
/// chat that waits for its disk, looking is but heat.
const PATIENCE_MIN: Duration = Duration::from_micros(12);

/// Every so many searches the impatient look for as long as the patient, to see whether it would pay by now.
const PROBE_EVERY: u32 = 16;

/// How long a worker looks, by how it fared.
pub(super) struct Patience {
    for_long: Cell<Duration>,
    searches: Cell<u32>,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Patience {
            for_long: Cell::new(PATIENCE_MAX),
            searches: Cell::new(0),
        }
    }

    /// For how long to look this time.
    pub(super) fn next(&self) -> Duration {
        let searches = self.searches.get().wrapping_add(1);
        self.searches.set(searches);
        if searches.is_multiple_of(PROBE_EVERY) {
            PATIENCE_MAX
        } else {
            self.for_long.get()
        }
    }

    /// Something came while it looked.
    pub(super) fn pays(&self) {
        self.for_long.set(PATIENCE_MAX);
    }

    pub(super) fn is_in_vain(&self) {
        self.for_long
            .set((self.for_long.get() / 2).max(PATIENCE_MIN));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn looking_in_vain_makes_impatient_until_it_pays() {
        let patience = Patience::new();
        let mut last = PATIENCE_MAX;
        for _ in 1..PROBE_EVERY {
            assert_eq!(patience.next(), last);
            patience.is_in_vain();
            last = (last / 2).max(PATIENCE_MIN);
        }
        assert_eq!(last, PATIENCE_MIN);
        assert_eq!(patience.next(), PATIENCE_MAX, "whether it would pay by now");
        patience.is_in_vain();
        assert_eq!(patience.next(), PATIENCE_MIN);
        patience.pays();
        assert_eq!(patience.next(), PATIENCE_MAX);
    }
}
