//! Registries in partitions: nobody sees them but in numbers, and in a dispatch that runs in each at once; and what
//! is chosen of entries by what they hold. Ids as in the table of conformance cases.

use crate::stage::{KINDS, in_runtime, on_both_kinds, play, reason};
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::registry::{MetaKey, PartitionBy};
use perennial::{DuplicateRegistry, ExitReason, Pid, Registry, TaskError};
use std::collections::HashSet;
use std::sync::{Arc, Barrier, Mutex};

/// A process that only is there.
struct Idle;

impl GenServer for Idle {
    type Args = ();
    type Msg = u32;

    fn init((): (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Idle)
    }

    fn handle(&mut self, _: u32, _: &mut Cx<Self>) -> Next<u32> {
        Next::Loop
    }
}

pub(crate) fn idle(kind: Kind) -> Ref<u32> {
    let spec = gen_server::spec::<Idle>(());
    let spec = match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    };
    spec.start().unwrap()
}

pub(crate) fn kill(process: &Ref<u32>) {
    let watch = process::watch(process);
    process::exit(process, ExitReason::Kill);
    assert_eq!(reason(watch), ExitReason::Killed);
}

fn duplicates(by: PartitionBy, count: usize) -> DuplicateRegistry<u32, u32, u32> {
    DuplicateRegistry::owned("duplicates").partitions_by(by, count)
}

/// Rows: reg.partitions, reg.count, reg.cleanup_on_crash
#[test]
fn partitions_change_no_count_and_keep_nothing_of_the_dead() {
    for partitions in [1, 8] {
        on_both_kinds(|kind| {
            let keys: Registry<u32, u32, u32> = Registry::owned("keys").partitions(partitions);
            let by_pid = duplicates(PartitionBy::Pid, partitions);
            let by_key: DuplicateRegistry<u32, u32, u32> =
                DuplicateRegistry::owned("by key").partitions_by(PartitionBy::Key, partitions);
            let counts = || (keys.count(), by_pid.count(), by_key.count());
            let processes: Vec<_> = (0..10).map(|_| idle(kind)).collect();
            for (n, process) in (0..).zip(&processes) {
                for key in 0..20 {
                    keys.register_with(n * 20 + key, process, n).unwrap();
                    by_pid.register_with(key, process, n).unwrap();
                    by_key.register_with(key, process, n).unwrap();
                }
            }
            assert_eq!(counts(), (200, 200, 200));
            let sizes = [
                keys.partition_count(),
                by_pid.partition_count(),
                by_key.partition_count(),
            ];
            assert_eq!(sizes, [partitions; 3]);
            for registry in [&by_pid, &by_key] {
                let mut values: Vec<u32> = registry.lookup(&7).iter().map(|it| it.1).collect();
                values.sort_unstable();
                assert_eq!(values, (0..10).collect::<Vec<_>>());
                assert_eq!(registry.values(&7, &processes[3]), [3]);
                assert_eq!(registry.keys(&processes[3]).len(), 20);
            }
            assert_eq!(
                (
                    keys.values(&67, &processes[3]),
                    keys.values(&67, &processes[4])
                ),
                (vec![3], vec![])
            );
            for (dead, process) in (1..).zip(&processes) {
                kill(process);
                let left = 200 - dead * 20;
                assert_eq!(counts(), (left, left, left));
            }
            assert!(keys.select(|key, _, _| Some(*key)).is_empty());
        });
    }
}

/// Rows: reg.no_leak_on_already_registered
///
/// Neither the keys nor what is kept of each process grow.
#[test]
fn failed_registers_leave_nothing_with_the_process_that_failed() {
    let keys: Registry<u32, u32, u32> = Registry::owned("keys").partitions(8);
    on_both_kinds(|kind| {
        let (first, second) = (idle(kind), idle(kind));
        keys.register_with(1, &first, 1).unwrap();
        for _ in 0..1000 {
            keys.register_with(1, &second, 2).unwrap_err();
        }
        assert_eq!((keys.count(), keys.keys(&second)), (1, vec![]));
        kill(&second);
        assert_eq!(keys.lookup(&1), Some((first.clone(), 1)));
        kill(&first);
    });
}

/// Where a part of a dispatch ran, and for how many.
type Ran = Arc<Mutex<Vec<(Pid, usize)>>>;

fn note(ran: &Ran) -> impl Fn(&[(Ref<u32>, u32)]) + Send + Sync + 'static {
    let ran = ran.clone();
    move |entries| {
        let here = process::self_pid().unwrap_or(Pid::INIT);
        ran.lock().unwrap().push((here, entries.len()));
    }
}

/// Rows: reg.duplicate_dispatch_serial, reg.duplicate_dispatch_parallel, reg.dispatch_empty
#[test]
fn dispatch_in_parallel_has_a_task_for_each_partition() {
    on_both_kinds(|kind| {
        let registry = duplicates(PartitionBy::Pid, 4);
        let processes: Vec<_> = (0..8).map(|_| idle(kind)).collect();
        for process in &processes {
            registry.register_with(1, process, 0).unwrap();
        }
        let partitions: HashSet<u32> = processes.iter().map(|it| it.pid().id() % 4).collect();
        let (own, all) = (registry.clone(), Ran::default());
        let (serial, parallel) = (note(&all), note(&all));
        let me = play(kind, move || {
            own.dispatch(&1, serial);
            own.dispatch_parallel(&1, parallel).unwrap();
            own.dispatch_parallel(&2, |_| unreachable!("nobody is there"))
                .unwrap();
            process::self_pid().unwrap()
        });
        let (me, mut ran) = (me.unwrap(), all.lock().unwrap().clone());
        assert_eq!(ran.remove(0), (me, 8));
        let tasks: HashSet<Pid> = ran.iter().map(|it| it.0).collect();
        assert_eq!(
            (tasks.len(), ran.len()),
            (partitions.len(), partitions.len())
        );
        assert!(!tasks.contains(&me));
        assert_eq!(ran.iter().map(|it| it.1).sum::<usize>(), 8);
        processes.iter().for_each(kill);
    });
}

/// The tasks run at the same time: each waits for the others.
#[test]
fn parts_of_a_parallel_dispatch_wait_for_one_another_if_they_like() {
    in_runtime(|| {
        let registry = duplicates(PartitionBy::Pid, 2);
        let processes: Vec<_> = (0..8).map(|_| idle(Kind::Pooled)).collect();
        for process in &processes {
            registry.register_with(1, process, 0).unwrap();
        }
        let line = Barrier::new(2);
        let each = move |_: &[_]| {
            line.wait();
        };
        // A plain thread waits for them, too.
        assert_eq!(registry.dispatch_parallel(&1, each), Ok(()));
        processes.iter().for_each(kill);
    });
}

/// With one partition there is nothing to do at the same time.
#[test]
fn parallel_dispatch_of_one_partition_runs_where_it_is_called() {
    in_runtime(|| {
        for by in [PartitionBy::Key, PartitionBy::Pid] {
            let registry: DuplicateRegistry<u32, u32, u32> =
                DuplicateRegistry::owned(format!("{by:?}")).partitions_by(by, 1);
            let process = idle(Kind::Pooled);
            registry.register_with(1, &process, 0).unwrap();
            let ran = Ran::default();
            registry.dispatch_parallel(&1, note(&ran)).unwrap();
            assert_eq!(*ran.lock().unwrap(), [(Pid::INIT, 1)]);
            kill(&process);
        }
    });
}

#[test]
fn crash_in_a_parallel_dispatch_is_its_callers() {
    let panics = |_: &[(Ref<u32>, u32)]| panic!("out of paper");
    in_runtime(|| {
        let registry = duplicates(PartitionBy::Pid, 4);
        let processes: Vec<_> = (0..4).map(|_| idle(Kind::Pooled)).collect();
        for process in &processes {
            registry.register_with(1, process, 0).unwrap();
        }
        let outcome = registry.dispatch_parallel(&1, panics);
        assert!(
            matches!(outcome, Err(TaskError::Exit(ExitReason::Panic(_)))),
            "{outcome:?}"
        );
        for kind in KINDS {
            let own = registry.clone();
            let linked = play(kind, move || own.dispatch_parallel(&1, panics));
            assert!(matches!(linked, Err(ExitReason::Panic(_))), "{linked:?}");
            let own = registry.clone();
            let trapping = play(kind, move || {
                process::trap_exit(true).unwrap();
                own.dispatch_parallel(&1, panics)
            });
            assert!(
                matches!(trapping, Ok(Err(TaskError::Exit(_)))),
                "{trapping:?}"
            );
        }
        processes.iter().for_each(kill);
    });
}

/// Rows: reg.match_guards, reg.unregister_match, reg.count_match, reg.count_select
#[test]
fn entries_are_chosen_by_what_they_hold() {
    for partitions in [1, 8] {
        on_both_kinds(|kind| {
            let registry = duplicates(PartitionBy::Pid, partitions);
            let (first, second) = (idle(kind), idle(kind));
            for value in 1..=6 {
                registry.register_with(1, &first, value).unwrap();
                registry.register_with(1, &second, value).unwrap();
            }
            let high = registry.match_values(&1, |process, value| *process == first && *value > 4);
            assert_eq!(high.len(), 2);
            assert!(
                high.iter()
                    .all(|(process, value)| *process == first && *value > 4)
            );
            assert_eq!(registry.count_match(&1, |_, value| *value > 4), 4);
            assert_eq!(registry.count_match(&2, |_, _| true), 0);
            assert_eq!(
                registry.count_select(|key, process, _| *key == 1 && *process == second),
                6
            );
            // Only the entries of the process that is named, and of those only the ones that are chosen; nothing is
            // locked meanwhile.
            let odd = |value: &u32| registry.count() == 12 && value % 2 == 1;
            assert_eq!(registry.unregister_match(&1, &first, odd), 3);
            let mut left = registry.values(&1, &first);
            left.sort_unstable();
            assert_eq!(
                (left, registry.values(&1, &second).len()),
                (vec![2, 4, 6], 6)
            );
            assert_eq!(registry.unregister_match(&1, &first, |_| false), 0);
            assert_eq!((registry.keys(&first).len(), registry.count()), (3, 9));
            kill(&first);
            assert_eq!((registry.count(), registry.lookup(&1).len()), (6, 6));
            kill(&second);
        });
    }
}

/// Rows: reg.match_guards, reg.unregister_match, reg.count_select
#[test]
fn one_entry_is_matched_by_its_value() {
    static LEVELS: Registry<&str, u32, u32> = Registry::new("levels");
    on_both_kinds(|kind| {
        let (first, second) = (idle(kind), idle(kind));
        LEVELS.register_with("a", &first, 1).unwrap();
        LEVELS.register_with("b", &second, 2).unwrap();
        assert_eq!(
            LEVELS.match_value("a", |_, level| *level == 1),
            Some((first.clone(), 1))
        );
        assert_eq!(
            LEVELS.match_value("a", |process, _| *process == second),
            None
        );
        assert_eq!(LEVELS.match_value("missing", |_, _| true), None);
        assert_eq!(LEVELS.count_select(|_, _, level| *level < 3), 2);
        assert!(!LEVELS.unregister_match("a", &second, |_| true));
        assert!(!LEVELS.unregister_match("a", &first, |level| *level > 1));
        // Between the look and the end the value changes: it is not the one that was chosen.
        let changes = |level: &u32| {
            LEVELS.update_value("a", &first, |level| level + 10);
            *level == 1
        };
        assert!(!LEVELS.unregister_match("a", &first, changes));
        assert!(LEVELS.unregister_match("a", &first, |level| *level == 11));
        assert_eq!((LEVELS.count(), LEVELS.keys(&first).len()), (1, 0));
        kill(&first);
        kill(&second);
    });
}

/// Rows: reg.reserved_keys
///
/// What looks like a pattern to Elixir is a key like any other.
#[test]
fn keys_that_look_like_patterns_are_only_themselves() {
    static KEYS: Registry<&str, u32> = Registry::new("keys");
    static GROUPS: DuplicateRegistry<&str, u32> = DuplicateRegistry::new("groups");
    in_runtime(|| {
        let process = idle(Kind::Pooled);
        for key in ["_", "$1", "%", "*", ".*"] {
            assert_eq!((KEYS.whereis(key), GROUPS.lookup(key).len()), (None, 0));
            KEYS.register(key, &process).unwrap();
            GROUPS.register(key, &process).unwrap();
        }
        assert_eq!(KEYS.whereis("a"), None);
        assert!(KEYS.unregister("_", &process));
        assert_eq!(
            (
                KEYS.count(),
                GROUPS.unregister("$1", &process),
                GROUPS.count()
            ),
            (4, 1, 4)
        );
        kill(&process);
    });
}

/// Rows: reg.meta
#[test]
fn meta_belongs_to_the_registry_and_to_its_type() {
    static LIMIT: MetaKey<u32> = MetaKey::new("limit");
    static TEXT: MetaKey<&str> = MetaKey::new("limit");
    static KEYS: Registry<u32, u32> = Registry::new("keys");
    static OTHERS: Registry<u32, u32> = Registry::new("others");
    static GROUPS: DuplicateRegistry<u32, u32> = DuplicateRegistry::new("keys");
    in_runtime(|| {
        assert_eq!((KEYS.meta(&LIMIT), GROUPS.meta(&LIMIT)), (None, None));
        assert_eq!(KEYS.put_meta(&LIMIT, 1), None);
        assert_eq!(KEYS.put_meta(&LIMIT, 2), Some(1));
        assert_eq!(GROUPS.put_meta(&LIMIT, 3), None);
        assert_eq!(
            (KEYS.meta(&TEXT), KEYS.put_meta(&TEXT, "few")),
            (None, None)
        );
        assert_eq!((KEYS.meta(&LIMIT), GROUPS.meta(&LIMIT)), (Some(2), Some(3)));
        assert_eq!(OTHERS.meta(&LIMIT), None);
        assert_eq!(KEYS.delete_meta(&LIMIT), Some(2));
        assert_eq!(
            (KEYS.delete_meta(&LIMIT), KEYS.meta(&TEXT)),
            (None, Some("few"))
        );
        assert_eq!(GROUPS.delete_meta(&LIMIT), Some(3));
    });
    // Another runtime has its own.
    in_runtime(|| assert_eq!(KEYS.meta(&TEXT), None));
}

/// Rows: reg.unique_delayed
///
/// Nothing cleans up late, so whoever has heard of the end of the holder takes the key at once.
#[test]
fn key_of_a_killed_holder_is_taken_at_once() {
    let keys: Registry<u32, u32> = Registry::owned("keys").partitions(8);
    on_both_kinds(|kind| {
        for _ in 0..50 {
            let (holder, next) = (idle(kind), idle(kind));
            keys.register(1, &holder).unwrap();
            kill(&holder);
            keys.register(1, &next).unwrap();
            assert_eq!(keys.whereis(&1), Some(next.clone()));
            kill(&next);
        }
    });
}
