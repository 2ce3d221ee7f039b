//! Exit signals: what they do to one that traps and to one that does not, and the one that nobody survives.

use crate::support::LONG;
use crate::support::puppet::{Breed, Puppet, all_pairs, both_kinds};
use perennial::ExitReason;
use perennial::process;

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Rows: proc.t_exit_2_other_normal
#[test]
fn normal_exit_sent_to_another_does_nothing() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        let target = b.pid();
        a.run(move |_| process::exit(target, ExitReason::Normal));
        b.nothing_more();
        assert!(b.is_alive());
    });
}

#[test]
fn normal_exit_sent_to_one_that_traps_is_a_message() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet().traps());
        let target = b.pid();
        a.run(move |_| process::exit(target, ExitReason::Normal));
        assert_eq!(b.next_exit(), (a.pid(), ExitReason::Normal));
    });
}

#[test]
fn exit_sent_to_another_ends_it_or_is_a_message() {
    all_pairs(|one, other| {
        let (a, b, c) = (one.puppet(), other.puppet(), other.puppet().traps());
        let (not_trapping, trapping) = (b.pid(), c.pid());
        let mut watch = process::watch(not_trapping);
        a.run(move |_| {
            process::exit(not_trapping, died());
            process::exit(trapping, died());
        });
        assert_eq!(b.ended(&mut watch), died());
        assert_eq!(c.next_exit(), (a.pid(), died()));
        c.nothing_more();
    });
}

/// The head of a chain of linked puppets, and its last link.
fn chain(kind: Breed, length: usize) -> (Puppet, Vec<Puppet>) {
    let head = kind.puppet().traps();
    let mut links = vec![head.child(kind)];
    for _ in 1..length {
        let last = links.last().expect("there is a first link");
        let next = last.child(kind);
        links.push(next);
    }
    (head, links)
}

fn head_reports(cause: impl Fn(&Puppet), reason: &ExitReason) {
    both_kinds(|kind| {
        for length in [1, 2, 9, 10] {
            let (head, links) = chain(kind, length);
            cause(links.last().expect("there is a last link"));
            assert_eq!(head.next_exit(), (links[0].pid(), reason.clone()));
            head.nothing_more();
        }
    });
}

/// Rows: sig.kill2killed_other
#[test]
fn kill_from_another_spreads_as_killed() {
    head_reports(
        |last| process::exit(last.pid(), ExitReason::Kill),
        &ExitReason::Killed,
    );
}

/// Rows: sig.kill2killed_exit2_self
#[test]
fn kill_sent_to_oneself_spreads_as_killed() {
    head_reports(
        |last| last.order(|inside| process::exit(inside.pid(), ExitReason::Kill)),
        &ExitReason::Killed,
    );
}

/// Rows: sig.kill2killed_exit1
#[test]
fn end_with_the_reason_kill_spreads_as_kill() {
    head_reports(
        |last| last.order(|inside| inside.exit(ExitReason::Kill)),
        &ExitReason::Kill,
    );
}

/// Rows: v.kill_untrappable
#[test]
fn kill_is_not_trapped() {
    both_kinds(|kind| {
        let puppet = kind.puppet().traps();
        let mut watch = process::watch(puppet.pid());
        process::exit(puppet.pid(), ExitReason::Kill);
        assert_eq!(puppet.ended(&mut watch), ExitReason::Killed);
        assert_eq!(puppet.all(), vec![]);
    });
}

/// Rows: proc.self_exit
#[test]
fn exit_sent_to_oneself_is_trapped() {
    both_kinds(|kind| {
        let puppet = kind.puppet().traps();
        puppet.run(|inside| process::exit(inside.pid(), died()));
        assert_eq!(puppet.next_exit(), (puppet.pid(), died()));
        puppet.run(|inside| process::exit(inside.pid(), ExitReason::Normal));
        assert_eq!(puppet.next_exit(), (puppet.pid(), ExitReason::Normal));
    });
}

/// Rows: proc.normal_suicide_exit, exproc.exit_self_normal
#[test]
fn normal_exit_sent_to_oneself_ends_the_process() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        let mut watch = process::watch(puppet.pid());
        let after = puppet.attempt(|inside| process::exit(inside.pid(), ExitReason::Normal));
        assert_eq!(after, None);
        assert_eq!(puppet.ended(&mut watch), ExitReason::Normal);
    });
}

/// Rows: proc.abnormal_suicide_exit, proc.t_exit_1, mon.large_exit
#[test]
fn large_reason_arrives_whole() {
    both_kinds(|kind| {
        let large = vec![0x5a_u8; 128 * 1024];
        let reason = ExitReason::other(large.clone());
        let watcher = kind.puppet();
        for to_itself in [true, false] {
            let puppet = kind.puppet();
            let monitor = watcher.monitors(&puppet);
            let raised = reason.clone();
            puppet.order(move |inside| {
                if to_itself {
                    process::exit(inside.pid(), raised);
                } else {
                    inside.exit(raised);
                }
            });
            let down = watcher.next_down();
            assert_eq!((down.monitor, down.pid), (monitor, puppet.pid()));
            assert_eq!(down.reason, reason);
            assert_eq!(down.reason.downcast_ref::<Vec<u8>>(), Some(&large));
        }
    });
}

/// Rows: proc.exit_twice
#[test]
fn first_exit_wins() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        let mut watch = process::watch(puppet.pid());
        let busy = puppet.busy();
        process::exit(puppet.pid(), ExitReason::other(1));
        process::exit(puppet.pid(), ExitReason::other(2));
        drop(busy);
        assert_eq!(puppet.ended(&mut watch), ExitReason::other(1));
    });
}

#[test]
fn panic_is_a_reason_with_text_and_place() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        let mut watch = process::watch(puppet.pid());
        puppet.order(|_| panic!("out of {}", "paper"));
        let ExitReason::Panic(panic) = puppet.ended(&mut watch) else {
            panic!("the reason is a panic");
        };
        assert_eq!(panic.message(), "out of paper");
        let place = panic.location().expect("the hook saw where it was");
        assert!(place.contains("exits.rs:"), "{place}");
    });
}
/// What was an exit message when it came stays one, and what was deadly when it came stays deadly.
#[test]
fn trapping_counts_when_the_signal_comes() {
    both_kinds(|kind| {
        let (puppet, other) = (kind.puppet().traps(), kind.puppet());
        let target = puppet.pid();
        let busy = puppet.busy();
        other.run(move |_| process::exit(target, died()));
        puppet.order(|inside| assert!(inside.trap_exit(false)));
        drop(busy);
        assert_eq!(puppet.next_exit(), (other.pid(), died()));

        let was = puppet.run(|inside| {
            inside.trap_exit(true);
            process::exit(inside.pid(), died());
            inside.trap_exit(false)
        });
        assert!(was);
        assert_eq!(puppet.next_exit(), (puppet.pid(), died()));

        let mut watch = process::watch(target);
        let (go, told) = std::sync::mpsc::channel::<()>();
        let (here, waits) = std::sync::mpsc::channel::<()>();
        puppet.order(move |inside| {
            here.send(()).expect("the test listens");
            told.recv_timeout(LONG).expect("told");
            inside.trap_exit(true);
        });
        waits.recv_timeout(LONG).expect("it runs");
        other.run(move |_| process::exit(target, ExitReason::other("deadly")));
        go.send(()).expect("the puppet waits");
        assert_eq!(puppet.ended(&mut watch), ExitReason::other("deadly"));
        assert_eq!(puppet.all(), vec![]);
    });
}
