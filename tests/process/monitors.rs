//! Monitors: each its own, fired once, and gone when they are taken back.

use crate::support::puppet::{Puppet, Record, Tell, all_pairs, all_sync, both_kinds};
use crate::support::{LONG, eventually};
use perennial::process::{self, Down, Name};
use perennial::{ExitReason, MonitorRef, Pid};

fn died() -> ExitReason {
    ExitReason::other("died")
}

fn down(monitor: MonitorRef, pid: Pid, reason: ExitReason) -> Down {
    Down {
        monitor,
        pid,
        name: None,
        reason,
        tag: None,
    }
}

/// Rows: mon.mon_1_normal
#[test]
fn monitor_tells_the_reason() {
    all_pairs(|one, other| {
        let (watcher, target) = (one.puppet(), other.puppet());
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let target = other.puppet();
            let monitor = watcher.monitors(&target);
            assert_eq!(target.info().monitored_by, vec![watcher.pid()]);
            assert_eq!(watcher.info().monitors, vec![target.pid()]);
            target.end(reason.clone());
            assert_eq!(watcher.next_down(), down(monitor, target.pid(), reason));
            assert_eq!(watcher.info().monitors, vec![]);
        }
        watcher.nothing_more();
        target.nothing_more();
    });
}

/// Rows: mon.mon_1_dead
#[test]
fn monitor_of_the_dead_fires_at_once() {
    all_pairs(|one, other| {
        let (watcher, target) = (one.puppet(), other.puppet());
        target.end_and_wait(died());
        let monitor = watcher.monitors(&target);
        let expected = down(monitor, target.pid(), ExitReason::NoProc);
        assert_eq!(watcher.next_down(), expected);
        watcher.nothing_more();
    });
}

/// Rows: mon.mon_1_named
#[test]
fn monitor_by_name_tells_the_name() {
    all_pairs(|one, other| {
        let (watcher, name) = (one.puppet(), Name::new("target"));
        let target = other.named(&name);
        let monitor = watcher.run(|inside| inside.monitor("target"));
        target.end(died());
        let named = |monitor, pid, reason| Down {
            name: Some("target".into()),
            ..down(monitor, pid, reason)
        };
        assert_eq!(watcher.next_down(), named(monitor, target.pid(), died()));
        let monitor = watcher.run(|inside| inside.monitor("target"));
        assert_eq!(
            watcher.next_down(),
            named(monitor, Pid::INIT, ExitReason::NoProc)
        );
    });
}

/// Rows: mon.demon_2_before
#[test]
fn monitor_taken_back_never_fires() {
    all_pairs(|one, other| {
        let (watcher, target) = (one.puppet(), other.puppet());
        let monitor = watcher.monitors(&target);
        assert!(watcher.run(move |inside| inside.demonitor(monitor)));
        assert_eq!(target.info().monitored_by, vec![]);
        target.end_and_wait(died());
        watcher.nothing_more();
    });
}

/// Rows: mon.demon_2_twice, mon.demon_1
#[test]
fn demonitor_of_nothing_is_harmless() {
    both_kinds(|kind| {
        let (watcher, target) = (kind.puppet(), kind.puppet());
        let monitor = watcher.monitors(&target);
        let taken = watcher.run(move |inside| {
            let own = inside.monitor(inside.pid());
            (
                inside.demonitor(monitor),
                inside.demonitor(monitor),
                inside.demonitor_flush(monitor),
                inside.demonitor(own),
            )
        });
        assert_eq!(taken, (true, false, false, false));
        target.end_and_wait(died());
        watcher.nothing_more();
    });
}

/// Rows: mon.demon_e_1_foreign
#[test]
fn foreign_monitor_is_not_taken_back() {
    all_pairs(|one, other| {
        let (watcher, stranger, target) = (one.puppet(), other.puppet(), other.puppet());
        let monitor = watcher.monitors(&target);
        assert!(!stranger.run(move |inside| inside.demonitor(monitor)));
        assert!(!stranger.run(move |inside| inside.demonitor_flush(monitor)));
        assert!(!target.run(move |inside| inside.demonitor(monitor)));
        target.end(died());
        assert_eq!(watcher.next_down(), down(monitor, target.pid(), died()));
    });
}

/// Rows: mon.demonitor_flush
#[test]
fn flush_takes_back_what_is_in_the_mailbox() {
    all_pairs(|one, other| {
        let (watcher, target) = (one.puppet(), other.puppet());
        let monitors: Vec<_> = (0..4).map(|_| watcher.monitors(&target)).collect();
        let (flushed, plain) = ([monitors[0], monitors[1]], monitors[2]);
        let mut watch = process::watch(target.pid());
        let (go, told) = std::sync::mpsc::channel::<()>();
        watcher.order(move |inside| {
            told.recv_timeout(LONG).expect("told");
            for monitor in flushed {
                assert!(!inside.demonitor_flush(monitor));
            }
            assert!(!inside.demonitor(plain));
        });
        target.end(died());
        target.ended(&mut watch);
        go.send(()).expect("the puppet waits");
        let mut fired = [watcher.next_down().monitor, watcher.next_down().monitor];
        fired.sort_unstable();
        assert_eq!(fired, [monitors[2], monitors[3]]);
        watcher.nothing_more();
    });
}

/// Rows: mon.local_remove_monitor
#[test]
fn demonitor_knows_whether_a_down_is_there() {
    const MARK: u64 = 1;
    all_pairs(|one, other| {
        for _ in 0..30 {
            let (watcher, target) = (one.puppet(), other.puppet());
            let pid = target.pid();
            let monitors = watcher.run(move |inside| {
                let monitors: Vec<_> = (0..20).map(|_| inside.monitor(pid)).collect();
                monitors
            });
            let taken = monitors.clone();
            target.end(died());
            let was_there = watcher.run(move |inside| {
                let was_there: Vec<_> = taken.iter().map(|one| inside.demonitor(*one)).collect();
                inside.me().tell(MARK);
                was_there
            });
            let mut fired = Vec::new();
            loop {
                match watcher.next() {
                    Record::Down(down) => fired.push(down.monitor),
                    Record::Told(MARK) => break,
                    other => panic!("{other:?}"),
                }
            }
            for (monitor, was_there) in monitors.iter().zip(was_there) {
                assert_eq!(was_there, !fired.contains(monitor));
            }
            watcher.nothing_more();
        }
    });
}

/// Rows: mon.down_on_alias_gh5310
#[test]
fn no_down_comes_after_a_flush() {
    all_pairs(|one, other| {
        for _ in 0..60 {
            let (watcher, target) = (one.puppet(), other.puppet());
            let (pid, mut watch) = (target.pid(), process::watch(target.pid()));
            let monitor = watcher.monitors(&target);
            target.end(died());
            // The flush and the end run into each other; what came before it may have been received.
            watcher.order(move |inside| {
                inside.demonitor_flush(monitor);
                inside.me().tell(0);
            });
            target.ended(&mut watch);
            watcher.sync();
            match watcher.next() {
                Record::Down(down) => {
                    assert_eq!(down.pid, pid);
                    assert_eq!(watcher.next(), Record::Told(0));
                }
                record => assert_eq!(record, Record::Told(0)),
            }
            watcher.nothing_more();
        }
    });
}

/// Rows: link.process_monitors_self
#[test]
fn monitor_of_oneself_is_none() {
    both_kinds(|kind| {
        let puppet = kind.named(&Name::new("oneself"));
        let info = puppet.run(|inside| {
            inside.monitor(inside.pid());
            inside.monitor("oneself");
            process::info(inside.pid()).map(|info| (info.monitors, info.monitored_by))
        });
        assert_eq!(info, Some((vec![], vec![])));
        puppet.nothing_more();
    });
}

/// Rows: v.monitor_twice
#[test]
fn each_monitor_fires_once() {
    all_pairs(|one, other| {
        let (watcher, target) = (one.puppet(), other.puppet());
        let mut set = [watcher.monitors(&target), watcher.monitors(&target)];
        assert_ne!(set[0], set[1]);
        target.end(died());
        let (first, second) = (watcher.next_down(), watcher.next_down());
        let mut fired = [first.monitor, second.monitor];
        fired.sort_unstable();
        set.sort_unstable();
        assert_eq!(fired, set);
        watcher.nothing_more();
    });
}

/// Rows: mon.case_1
#[test]
fn watcher_that_dies_leaves_nothing_with_the_watched() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        a.monitors(&b);
        let watcher = a.pid();
        let mut watch = process::watch(watcher);
        b.order(move |inside| {
            process::exit(watcher, ExitReason::Kill);
            inside.exit(died());
        });
        assert_eq!(a.ended(&mut watch), ExitReason::Killed);
        b.gone();

        let (a, b) = (one.puppet(), other.puppet());
        a.monitors(&b);
        a.end_and_wait(died());
        eventually("the watched has forgotten the watcher", || {
            b.info().monitored_by.is_empty()
        });
    });
}

/// Rows: mon.mixer
#[test]
fn crowd_that_watches_itself_hears_of_each_end_once() {
    const CROWD: usize = 12;
    all_pairs(|one, other| {
        let crowd: Vec<Puppet> = (0..CROWD)
            .map(|n| if n % 2 == 0 { one } else { other }.puppet())
            .collect();
        let observer = one.puppet();
        let pids: Vec<Pid> = crowd.iter().map(Puppet::pid).collect();
        for puppet in &crowd {
            let others: Vec<Pid> = pids
                .iter()
                .copied()
                .filter(|pid| *pid != puppet.pid())
                .collect();
            puppet.run(move |inside| {
                for other in others {
                    inside.monitor(other);
                }
            });
        }
        let watched = pids.clone();
        observer.run(move |inside| {
            for pid in watched {
                inside.monitor(pid);
            }
        });
        // Each dies in its own time, in an order that has nothing to do with that of the starts.
        for at in 0..CROWD {
            crowd[at * 5 % CROWD].end(ExitReason::other(at));
        }
        let mut heard: Vec<Pid> = (0..CROWD).map(|_| observer.next_down().pid).collect();
        heard.sort_unstable();
        let mut expected = pids;
        expected.sort_unstable();
        assert_eq!(heard, expected);
        observer.nothing_more();
        for puppet in &crowd {
            let records = puppet.all();
            let mut seen: Vec<Pid> = records
                .iter()
                .map(|record| match record {
                    Record::Down(down) => down.pid,
                    other => panic!("{other:?}"),
                })
                .collect();
            let all = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), all, "nobody is heard of twice");
        }
    });
}

/// Rows: mon.list_cleanup
#[test]
fn monitors_leave_nothing_behind() {
    all_pairs(|one, other| {
        let watcher = one.puppet();
        let orders: [[usize; 3]; 6] = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        for order in orders {
            let named = other.named(&Name::new("listed"));
            let unnamed = other.puppet();
            let pid = unnamed.pid();
            watcher.run(move |inside| {
                let set = [
                    inside.monitor("listed"),
                    inside.monitor(pid),
                    inside.monitor("listed"),
                ];
                for at in order {
                    assert!(inside.demonitor(set[at]));
                }
            });
            all_sync(&[&named, &unnamed]);
            assert_eq!(watcher.info().monitors, vec![]);
            assert_eq!(named.info().monitored_by, vec![]);
            assert_eq!(unnamed.info().monitored_by, vec![]);
            named.end_and_wait(ExitReason::Normal);
        }
        watcher.nothing_more();
    });
}

#[test]
fn plain_thread_watches_instead_of_monitoring() {
    both_kinds(|kind| {
        let puppet = kind.named(&Name::new("watched"));
        assert!(process::monitor(puppet.pid()).is_err());
        assert!(process::demonitor_flush(puppet.monitors(&kind.puppet())).is_err());
        let (mut by_pid, mut by_name) = (process::watch(puppet.pid()), process::watch("watched"));
        assert_eq!(by_pid.wait(std::time::Duration::ZERO), None);
        drop(process::watch(puppet.pid()));
        puppet.end(died());
        for watch in [&mut by_pid, &mut by_name] {
            let first = watch.wait(LONG).expect("it ends");
            assert_eq!((first.pid, first.reason.clone()), (puppet.pid(), died()));
            assert_eq!(watch.wait(LONG), Some(first));
        }
        assert_eq!(
            by_name.wait(LONG).and_then(|down| down.name).as_deref(),
            Some("watched")
        );
        let late = process::watch("watched")
            .wait(LONG)
            .expect("there is nobody");
        assert_eq!(late.reason, ExitReason::NoProc);
    });
}

/// Rows: proc.monitor_tag
#[test]
fn tag_of_a_monitor_comes_back_with_its_down() {
    all_pairs(|one, other| {
        let (watcher, target, name) = (one.puppet(), other.puppet(), Name::new("target"));
        process::register(&name, &target.me()).expect("the name is free");
        let pid = target.pid();
        let monitors = watcher.run(move |inside| {
            [
                inside.monitor_with_tag(pid, "a text"),
                inside.monitor_with_tag(pid, 7_u64),
                inside.monitor_with_tag("target", vec![1_u8]),
                inside.monitor(pid),
            ]
        });
        target.end_and_wait(died());
        let downs: Vec<Down> = (0..4).map(|_| watcher.next_down()).collect();
        let of = |n: usize| {
            let down = downs.iter().find(|down| down.monitor == monitors[n]);
            down.expect("each monitor fires").tag.clone()
        };
        assert_eq!(of(0).and_then(|tag| tag.get().copied()), Some("a text"));
        assert_eq!(of(1).and_then(|tag| tag.get().copied()), Some(7_u64));
        assert_eq!(of(1).and_then(|tag| tag.get().copied()), None::<u8>);
        assert_eq!(of(2).and_then(|tag| tag.get().cloned()), Some(vec![1_u8]));
        assert_eq!(of(3), None);
        // Of the dead, too.
        watcher
            .run(move |_| process::monitor_with_tag(pid, "late"))
            .unwrap();
        let down = watcher.next_down();
        assert_eq!(down.reason, ExitReason::NoProc);
        assert_eq!(down.tag.and_then(|tag| tag.get().copied()), Some("late"));
    });
}
