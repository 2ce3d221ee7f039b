//! Identities: the pid of a process and the references that name monitors, timers and requests.
//!
//! All of them are plain `Copy` values, unique for the life of a [`Runtime`](crate::Runtime) and never
//! reused, so that a stale one can only miss, never hit a stranger.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// The identity of one process incarnation.
///
/// A pid is never reused: a restarted process has a new one. It has the three parts of an Erlang pid, so
/// that it could travel to another node unchanged. `node` is 0 for the local node.
///
/// ```
/// use perennial::Pid;
/// let pid = Pid::from_parts(0, 7, 1);
/// assert_eq!(pid.to_string(), "<0.7.1>");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pid {
    node: u32,
    id: u32,
    serial: u32,
}

impl Pid {
    /// The runtime itself, seen as the parent of every process that was started from a plain thread.
    ///
    /// No process has it. An orderly shutdown arrives as an exit signal from this pid.
    pub const INIT: Pid = Pid {
        node: 0,
        id: 0,
        serial: 0,
    };

    /// A pid from its three parts. It names a process only if that process exists.
    pub const fn from_parts(node: u32, id: u32, serial: u32) -> Self {
        Pid { node, id, serial }
    }

    /// The node part; 0 is the local node.
    pub const fn node(self) -> u32 {
        self.node
    }

    /// The slot in the process table.
    pub const fn id(self) -> u32 {
        self.id
    }

    /// The incarnation of the slot.
    pub const fn serial(self) -> u32 {
        self.serial
    }
}

impl Hash for Pid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64((u64::from(self.serial) << 32) | u64::from(self.id));
        if self.node != 0 {
            state.write_u32(self.node);
        }
    }
}

/// The hash of a table of pids: the same in each run, and such that processes that were started one after the other lie
/// side by side, sixteen at a time. Whoever starts or stops a hundred thousand of them finds the next one where the last one
/// was.
pub(crate) type PidBuildHasher = BuildHasherDefault<PidHasher>;

#[derive(Default)]
pub(crate) struct PidHasher(u64);

impl PidHasher {
    /// Spreads what it is multiplied with over the upper bits: 2^64 through the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

    fn spread(part: u64) -> u64 {
        part.wrapping_mul(Self::SPREAD)
    }
}

impl Hasher for PidHasher {
    /// A table of the standard library takes the place from the lower bits, and knows those of one place apart by
    /// the upper seven. The serial is in these alone: of the processes of one slot one lives at a time.
    fn write_u64(&mut self, pid: u64) {
        let id = pid & u64::from(u32::MAX);
        let tag = Self::spread(pid) & (0x7f << 57);
        let block = Self::spread(id >> 4) >> 32;
        self.0 = tag | (block << 4) | (id & 0xf);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = Self::spread(self.0 ^ u64::from(*byte)).rotate_left(32);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}.{}>", self.node, self.id, self.serial)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $label:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            pub(crate) const fn from_raw(raw: u64) -> Self {
                $name(raw)
            }

            #[allow(dead_code, reason = "not every reference is looked up by its number")]
            pub(crate) const fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("#", $label, "<{}>"), self.0)
            }
        }
    };
}

reference! {
    /// One monitor: every call of [`process::monitor`](crate::process::monitor) makes a new one, and the
    /// [`Down`](crate::process::Down) it leads to carries it.
    MonitorRef, "Monitor"
}
reference! {
    /// One asynchronous request, as returned by [`Cx::request`](crate::Cx::request).
    RequestId, "Request"
}

/// One timer, as returned by [`process::send_after`](crate::process::send_after).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerRef {
    number: u64,
    /// Where the timer is kept; `None` if that changes.
    place: Option<u32>,
}

impl TimerRef {
    pub(crate) const fn new(number: u64, place: Option<u32>) -> Self {
        TimerRef { number, place }
    }

    pub(crate) const fn number(self) -> u64 {
        self.number
    }

    pub(crate) const fn place(self) -> Option<u32> {
        self.place
    }
}

impl fmt::Debug for TimerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Timer<{}>", self.number)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};
    use std::hash::BuildHasher;

    fn hash(pid: Pid) -> u64 {
        PidBuildHasher::default().hash_one(pid)
    }

    #[test]
    fn neighbours_lie_side_by_side_and_are_known_apart() {
        for id in (0..10_000).step_by(16) {
            // Some of them are in slots that others had before.
            let pid = |id: u32| Pid::from_parts(0, id, 1 + id % 3);
            let block: Vec<u64> = (id..id + 16).map(|id| hash(pid(id))).collect();
            let place = |hash: &u64| hash & 0xffff_ffff;
            let first = place(&block[0]);
            assert!(block.iter().map(place).eq(first..first + 16));
            let tags: HashSet<u64> = block.iter().map(|hash| hash >> 57).collect();
            assert!(tags.len() > 12, "{tags:?}");
        }
    }

    /// A supervisor of which every so manyth process is a child must not have them all in one place of its table.
    #[test]
    fn pids_at_any_distance_are_spread() {
        for distance in [1, 2, 3, 16, 17, 48, 64, 256, 1_000, 4_096, 65_536] {
            let mut groups = HashMap::new();
            for number in 0..2_000 {
                let pid = Pid::from_parts(0, 7 + number * distance, 1);
                *groups.entry((hash(pid) & 0xfff) >> 4).or_insert(0) += 1;
            }
            let fullest = groups.values().max();
            // Of 256 groups of 16 that 2,000 pids lie in.
            assert!(fullest < Some(&64), "{distance}: {fullest:?}");
        }
    }
}
