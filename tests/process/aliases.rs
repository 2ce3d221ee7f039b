//! Aliases: an address that is taken back is no address any more, whatever was on its way.

use crate::support::puppet::{Msg, Puppet, Record, all_pairs, both_kinds};
use crate::support::stage::{builder, on_stage};
use perennial::process::{self, Alias, Gone, Overflow, Received, Recipient, Unalias};
use perennial::{ExitReason, MonitorRef};
use std::sync::mpsc;
use std::time::Duration;

fn alias_of(owner: &Puppet) -> Alias<u64> {
    owner.run(|inside| inside.alias(Msg::Tell))
}

fn monitor_with_alias(owner: &Puppet, target: &Puppet, how: Unalias) -> (MonitorRef, Alias<u64>) {
    let target = target.pid();
    owner.run(move |inside| inside.monitor_with_alias(target, how, Msg::Tell))
}

/// Has a puppet send, and waits until it has.
fn sends(sender: &Puppet, to: &Recipient<u64>, n: u64) {
    let to = to.clone();
    assert_eq!(sender.run(move |_| to.try_cast(n)), Ok(()));
}

/// Rows: exproc.alias_unalias
#[test]
fn nothing_comes_through_an_alias_that_was_taken_back() {
    all_pairs(|one, other| {
        let (owner, sender) = (one.puppet(), other.puppet());
        let alias = alias_of(&owner);
        let address = alias.recipient();
        assert_eq!(address.pid(), owner.pid());
        sends(&sender, &address, 1);
        assert_eq!(owner.next(), Record::Told(1));
        let (go, gate) = mpsc::channel::<()>();
        let (off, is_off) = mpsc::channel();
        owner.order(move |_| {
            gate.recv().unwrap();
            off.send((alias.unalias(), alias.unalias(), alias.is_active()))
                .unwrap();
        });
        // On its way when the alias is taken back.
        sends(&sender, &address, 2);
        go.send(()).unwrap();
        assert_eq!(is_off.recv().unwrap(), (true, false, false));
        sends(&sender, &address, 3);
        owner.nothing_more();
    });
}

#[test]
fn dropped_alias_is_taken_back() {
    all_pairs(|one, other| {
        let (owner, sender) = (one.puppet(), other.puppet());
        let alias = alias_of(&owner);
        let address = alias.recipient();
        owner.run(move |_| drop(alias));
        sends(&sender, &address, 1);
        owner.nothing_more();
    });
}

/// Rows: exproc.monitor_alias_explicit
#[test]
fn answer_and_down_both_arrive_where_the_alias_outlives_the_monitor() {
    all_pairs(|one, other| {
        let (owner, target) = (one.puppet(), other.puppet());
        let (monitor, alias) = monitor_with_alias(&owner, &target, Unalias::Explicit);
        sends(&target, &alias.recipient(), 7);
        target.end_and_wait(ExitReason::Shutdown);
        assert_eq!(owner.next(), Record::Told(7));
        let down = owner.next_down();
        assert_eq!((down.monitor, down.reason), (monitor, ExitReason::Shutdown));
        alias.recipient().cast(8);
        assert_eq!(owner.next(), Record::Told(8));
        assert!(alias.is_active());
    });
}

/// Rows: mon.unexpected_alias_at_demonitor
#[test]
fn alias_goes_with_its_monitor() {
    all_pairs(|one, other| {
        for how in [Unalias::Demonitor, Unalias::ReplyDemonitor] {
            let (owner, target) = (one.puppet(), other.puppet());
            let (monitor, alias) = monitor_with_alias(&owner, &target, how);
            assert!(owner.run(move |inside| inside.demonitor(monitor)));
            assert!(!alias.is_active());
            sends(&target, &alias.recipient(), 1);
            target.end_and_wait(ExitReason::Shutdown);
            owner.nothing_more();
        }
    });
}

/// What was sent before the end comes before the down, and only that ends the alias.
#[test]
fn down_takes_the_alias_and_not_what_came_before_it() {
    all_pairs(|one, other| {
        for how in [Unalias::Demonitor, Unalias::ReplyDemonitor] {
            let (owner, target) = (one.puppet(), other.puppet());
            let (_, alias) = monitor_with_alias(&owner, &target, how);
            let busy = owner.busy();
            if how == Unalias::Demonitor {
                sends(&target, &alias.recipient(), 1);
                sends(&target, &alias.recipient(), 2);
            }
            target.end_and_wait(ExitReason::Shutdown);
            assert!(alias.is_active(), "nothing was received yet");
            drop(busy);
            if how == Unalias::Demonitor {
                assert_eq!(owner.next(), Record::Told(1));
                assert_eq!(owner.next(), Record::Told(2));
            }
            assert_eq!(owner.next_down().reason, ExitReason::Shutdown);
            alias.recipient().cast(3);
            owner.nothing_more();
            assert!(!alias.is_active());
        }
    });
}

#[test]
fn first_answer_takes_alias_and_monitor() {
    all_pairs(|one, other| {
        let (owner, target) = (one.puppet(), other.puppet());
        let (_, alias) = monitor_with_alias(&owner, &target, Unalias::ReplyDemonitor);
        let busy = owner.busy();
        for n in 1..=3 {
            sends(&target, &alias.recipient(), n);
        }
        // Its down is on its way when the answer is met.
        target.end_and_wait(ExitReason::Shutdown);
        drop(busy);
        assert_eq!(owner.next(), Record::Told(1));
        owner.nothing_more();
        assert!(!alias.is_active());
        assert_eq!(owner.info().monitors, []);
    });
}

#[test]
fn address_of_the_dead_is_gone() {
    both_kinds(|kind| {
        let owner = kind.puppet();
        let alias = alias_of(&owner);
        owner.end_and_wait(ExitReason::Normal);
        assert_eq!(alias.recipient().try_cast(1), Err(Gone::NoProc));
    });
}

#[test]
fn message_through_an_alias_counts_against_the_bound() {
    use crate::support::scripted::{Event, Msg, both_servers, busy, plain, run, stop};
    use perennial::prelude::*;
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((1, Overflow::Reject)));
        let (sender, alias) = mpsc::channel();
        server.cast(run(move |_, cx| {
            sender.send(cx.alias(Msg::Note)).unwrap();
            Next::Loop
        }));
        let alias = alias.recv().unwrap();
        let gate = busy(&server);
        assert_eq!(alias.recipient().try_cast(1), Ok(()));
        assert_eq!(alias.recipient().try_cast(2), Err(Gone::Full));
        drop(gate);
        assert_eq!(log.next(), Event::Init);
        assert_eq!(log.next(), Event::Noted(1));
        stop(&server);
    });
}

/// A selective receive passes over what came through an alias, and forgets it once that is taken back.
#[test]
fn selective_receive_knows_aliases() {
    on_stage(builder(), |_| {
        let done = process::run::<u64, _>(|cx| {
            let (kept, off) = (cx.alias(|n: u64| n), cx.alias(|n: u64| n));
            for n in 0..4 {
                let to = if n % 2 == 0 { &kept } else { &off };
                to.recipient().cast(n);
            }
            let only = |wanted| {
                move |received| match received {
                    Received::Message(n) if n == wanted => Ok(n),
                    other => Err(other),
                }
            };
            assert_eq!(cx.receive_match(Duration::ZERO, only(2)), Some(2));
            assert_eq!(cx.receive_match(Duration::ZERO, only(1)), Some(1));
            off.unalias();
            assert_eq!(cx.receive_match(Duration::ZERO, only(3)), None);
            assert_eq!(cx.receive(), Received::Message(0));
            assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        });
        assert_eq!(done, Ok(()));
    });
}
