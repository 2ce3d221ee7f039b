//! PURE: how a table is cut into partitions.
//!
//! Think of the counters of an office. Cut by key, a name leads to one counter, and whoever asks for it queues
//! there. Cut by process, everybody has a counter of his own, and whoever asks for a name walks along all of them.

use crate::pid::Pid;
use std::ops::Range;

/// More counters than this only cost memory: there are not so many cores to stand at them.
const PARTITIONS_MAX: usize = 1024;

/// By what a table is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// All entries of a key are in one partition: looking up a key asks one.
    Key,
    /// All entries of a process are in one partition: many processes under one key do not get in each other's way,
    /// and looking up a key asks every partition.
    Pid,
}

/// How many partitions a table has, and by what it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partitions {
    count: usize,
    by: PartitionBy,
}

impl Partitions {
    pub(crate) const ONE: Partitions = Partitions {
        count: 1,
        by: PartitionBy::Key,
    };

    /// # Panics
    /// If there are none or more than 1024; in a `static` that does not compile.
    pub(crate) const fn new(count: usize, by: PartitionBy) -> Self {
        assert!(count > 0, "a table with no partition");
        assert!(count <= PARTITIONS_MAX, "more than 1024 partitions");
        Partitions { count, by }
    }

    pub(crate) const fn count(self) -> usize {
        self.count
    }

    /// The partition in which a process has its entries of a key with this hash.
    pub(crate) fn of(self, hash: usize, pid: Pid) -> usize {
        match self.by {
            PartitionBy::Key => hash % self.count,
            PartitionBy::Pid => pid.id() as usize % self.count,
        }
    }

    /// The partitions in which there may be entries of a key with this hash.
    pub(crate) fn holding(self, hash: usize) -> Range<usize> {
        match self.by {
            PartitionBy::Key => {
                let one = hash % self.count;
                one..one + 1
            }
            PartitionBy::Pid => 0..self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_is_where_it_is_looked_for() {
        for by in [PartitionBy::Key, PartitionBy::Pid] {
            for count in [1, 2, 8] {
                let partitions = Partitions::new(count, by);
                for n in 0..100_u32 {
                    let pid = Pid::from_parts(0, n * 7 % 31, 1);
                    let hash = n as usize * 13;
                    assert!(partitions.of(hash, pid) < count);
                    assert!(partitions.holding(hash).contains(&partitions.of(hash, pid)));
                }
            }
        }
    }

    #[test]
    fn keys_and_processes_spread_over_all_partitions() {
        let hit =
            |by, hash: usize, id: u32| Partitions::new(4, by).of(hash, Pid::from_parts(0, id, 1));
        let by_key: Vec<usize> = (0..4).map(|n| hit(PartitionBy::Key, n, 9)).collect();
        let by_pid: Vec<usize> = (0..4).map(|n| hit(PartitionBy::Pid, 9, n)).collect();
        assert_eq!((by_key, by_pid), (vec![0, 1, 2, 3], vec![0, 1, 2, 3]));
        assert_eq!(Partitions::new(4, PartitionBy::Key).holding(6), 2..3);
        assert_eq!(Partitions::new(4, PartitionBy::Pid).holding(6), 0..4);
    }
}
