//! Order: what one process sends to another arrives in the order in which it was sent, whatever it is.

use crate::support::puppet::{Record, Tell, all_pairs, both_kinds};
use crate::support::scripted::{Event, Msg, both_servers, busy, plain};
use perennial::ExitReason;
use perennial::prelude::Dest;
use perennial::process::{self, Name};

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Rows: sig.xm_sig_order
#[test]
fn no_message_after_an_exit_is_handled() {
    all_pairs(|one, other| {
        let sender = one.puppet();
        for _ in 0..120 {
            let target = other.puppet();
            let mut watch = process::watch(target.pid());
            let to = target.me();
            sender.order(move |_| {
                for n in 1..=3 {
                    to.tell(n);
                }
                process::exit(&to, died());
                for n in 4..=6 {
                    to.tell(n);
                }
            });
            assert_eq!(target.ended(&mut watch), died());
            let told = target.all();
            let whole = [Record::Told(1), Record::Told(2), Record::Told(3)];
            assert!(whole.starts_with(&told), "{told:?}");
        }
    });
}

/// Rows: sig.monitor_order
#[test]
fn down_does_not_overtake_messages() {
    all_pairs(|one, other| {
        let watcher = one.puppet();
        for _ in 0..100 {
            let target = other.puppet();
            let monitor = watcher.monitors(&target);
            let to = watcher.me();
            target.order(move |inside| {
                to.tell(1);
                to.tell(2);
                inside.exit(died());
            });
            assert_eq!(watcher.next(), Record::Told(1));
            assert_eq!(watcher.next(), Record::Told(2));
            assert_eq!(watcher.next_down().monitor, monitor);
        }
    });
}

/// Rows: sig.monitor_named_order_local
#[test]
fn down_of_a_name_does_not_overtake_messages() {
    all_pairs(|one, other| {
        let watcher = one.puppet();
        for _ in 0..50 {
            let target = other.named(&Name::new("orderly"));
            let monitor = watcher.run(|inside| inside.monitor("orderly"));
            let to = watcher.me();
            target.order(move |inside| {
                to.tell(1);
                to.tell(2);
                inside.exit(died());
            });
            assert_eq!(watcher.next(), Record::Told(1));
            assert_eq!(watcher.next(), Record::Told(2));
            assert_eq!(watcher.next_down().monitor, monitor);
        }
    });
}

#[test]
fn entries_of_every_sort_keep_their_order() {
    all_pairs(|one, other| {
        let receiver = one.puppet().traps();
        let sender = receiver.child(other);
        let monitor = receiver.monitors(&sender);
        let busy = receiver.busy();
        let (to, from) = (receiver.me(), sender.pid());
        sender.order(move |inside| {
            to.tell(1);
            process::exit(&to, ExitReason::Shutdown);
            to.tell(2);
            process::exit(&to, ExitReason::Normal);
            to.tell(3);
            inside.exit(died());
        });
        sender.gone();
        drop(busy);
        assert_eq!(receiver.next(), Record::Told(1));
        // A server that traps takes an exit of its parent as its end; this sender is a child.
        assert_eq!(receiver.next_exit(), (from, ExitReason::Shutdown));
        assert_eq!(receiver.next(), Record::Told(2));
        assert_eq!(receiver.next_exit(), (from, ExitReason::Normal));
        assert_eq!(receiver.next(), Record::Told(3));
        // Links are told before monitors.
        assert_eq!(receiver.next_exit(), (from, died()));
        assert_eq!(receiver.next_down().monitor, monitor);
        receiver.nothing_more();
    });
}

/// A closure meets a deadly signal at its next library call; a server gets to it in its turn.
#[test]
fn server_handles_what_came_before_an_exit() {
    both_servers(|kind| {
        let (server, log) = plain(kind, None);
        let gate = busy(&server);
        server.cast(Msg::Note(1));
        server.cast(Msg::Note(2));
        process::exit(&server, died());
        server.cast(Msg::Note(3));
        drop(gate);
        let expected = [
            Event::Init,
            Event::Noted(1),
            Event::Noted(2),
            Event::Dropped,
        ];
        assert_eq!(log.all(), expected);
    });
}

#[test]
fn only_a_kill_overtakes() {
    both_kinds(|kind| {
        let puppet = kind.puppet().traps();
        let mut watch = process::watch(puppet.pid());
        let busy = puppet.busy();
        puppet.me().tell(1);
        puppet.order(|_| panic!("handled after a kill"));
        process::exit(puppet.pid(), ExitReason::Kill);
        drop(busy);
        assert_eq!(puppet.ended(&mut watch), ExitReason::Killed);
        assert_eq!(puppet.all(), vec![]);
    });
}
