//! Links: symmetric, idempotent, and gone when they are taken back.

use crate::support::eventually;
use crate::support::puppet::{Puppet, Record, Tell, all_pairs, all_sync, both_kinds};
use perennial::ExitReason;
use perennial::process::{self, LinkError};

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Rows: link.links_common
#[test]
fn links_are_seen_from_both_sides() {
    all_pairs(|one, other| {
        let parent = one.puppet();
        let child = parent.child(other);
        let (p, c) = (parent.pid(), child.pid());
        assert_eq!(
            (parent.info().links, child.info().links),
            (vec![c], vec![p])
        );
        parent.run(move |inside| inside.unlink(c));
        assert_eq!((parent.info().links, child.info().links), (vec![], vec![]));
        child.links(&parent);
        assert_eq!(
            (parent.info().links, child.info().links),
            (vec![c], vec![p])
        );
        child.run(move |_| process::unlink(p).expect("a puppet is a process"));
        assert_eq!((parent.info().links, child.info().links), (vec![], vec![]));
    });
}

/// Rows: link.links_trap
#[test]
fn linked_death_reaches_one_that_traps() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet().traps());
        b.links(&a);
        a.end(died());
        assert_eq!(b.next_exit(), (a.pid(), died()));
        assert_eq!(b.info().links, vec![]);
        b.nothing_more();
    });
}

/// Rows: link.links_notrap
#[test]
fn linked_death_takes_one_that_does_not_trap() {
    all_pairs(|one, other| {
        let (b, c) = (one.puppet(), other.puppet());
        let mut watch = process::watch(c.pid());
        c.links(&b);
        b.end(died());
        assert_eq!(c.ended(&mut watch), died());
    });
}

/// Rows: v.link_normal_no_trap
#[test]
fn linked_normal_end_changes_nothing() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        b.links(&a);
        assert_eq!(a.end_and_wait(ExitReason::Normal), ExitReason::Normal);
        b.nothing_more();
        assert_eq!(b.info().links, vec![]);
    });
}

#[test]
fn linked_normal_end_is_a_message_to_one_that_traps() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet().traps());
        b.links(&a);
        a.end(ExitReason::Normal);
        assert_eq!(b.next_exit(), (a.pid(), ExitReason::Normal));
    });
}

/// Rows: v.link_kill_trappable
#[test]
fn end_with_the_reason_kill_is_trapped_like_any_other() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet().traps());
        b.links(&a);
        a.end(ExitReason::Kill);
        assert_eq!(b.next_exit(), (a.pid(), ExitReason::Kill));
        b.nothing_more();
    });
}

/// Rows: link.links_self
#[test]
fn link_with_oneself_is_none() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        let links = puppet.run(|inside| {
            let me = inside.pid();
            inside.link(me).expect("a process may try to link itself");
            let links = process::info(me).map(|info| info.links);
            inside.unlink(me);
            links
        });
        assert_eq!(links, Some(vec![]));
        puppet.nothing_more();
    });
}

/// Rows: v.link_twice
#[test]
fn two_links_are_one() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet().traps());
        b.links(&a);
        b.links(&a);
        a.links(&b);
        a.end(died());
        assert_eq!(b.next_exit(), (a.pid(), died()));
        b.nothing_more();
    });
}

/// Rows: v.link_dead_trap
#[test]
fn link_with_the_dead_is_an_exit_for_one_that_traps() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet().traps());
        a.end_and_wait(ExitReason::Normal);
        b.links(&a);
        assert_eq!(b.next_exit(), (a.pid(), ExitReason::NoProc));
        assert_eq!(b.info().links, vec![]);
    });
}

/// Rows: v.link_dead_notrap
#[test]
fn link_with_the_dead_is_an_error_for_one_that_does_not_trap() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        a.end_and_wait(ExitReason::Normal);
        let dead = a.pid();
        let linked = b.run(move |inside| (inside.link(dead), process::link(dead)));
        assert_eq!(linked, (Err(LinkError::NoProc), Err(LinkError::NoProc)));
        b.nothing_more();
    });
}

#[test]
fn plain_thread_has_no_links() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        assert_eq!(process::link(puppet.pid()), Err(LinkError::NotAProcess));
        assert!(process::unlink(puppet.pid()).is_err());
        let error = process::spawn_link::<()>(|_| ()).expect_err("no link to a plain thread");
        assert!(error.to_string().contains("process::run"), "{error}");
    });
}

/// Rows: link.otp_5772_link
#[test]
fn no_exit_comes_after_an_unlink() {
    const MARK: u64 = 7;
    all_pairs(|one, other| {
        for _ in 0..50 {
            let a = one.puppet().traps();
            let b = a.child(other);
            let (peer, mut watch) = (b.pid(), process::watch(b.pid()));
            a.run(move |inside| {
                process::exit(peer, died());
                inside.unlink(peer);
                inside.me().tell(MARK);
            });
            b.ended(&mut watch);
            a.sync();
            // The exit may have been there before the unlink; then it was there before the mark.
            let mut record = a.next();
            if record != Record::Told(MARK) {
                record = a.next();
            }
            assert_eq!(record, Record::Told(MARK));
            a.nothing_more();
        }
    });
}

#[test]
fn unlink_with_flush_leaves_no_exit() {
    all_pairs(|one, other| {
        let a = one.puppet().traps();
        let b = a.child(other);
        let (peer, mut watch) = (b.pid(), process::watch(b.pid()));
        let busy = a.busy();
        b.end(died());
        b.ended(&mut watch);
        a.order(move |_| process::unlink_flush(peer).expect("a puppet is a process"));
        drop(busy);
        // The exit stood before the order in the mailbox, so it came first; only what comes later is flushed.
        assert_eq!(a.next_exit(), (peer, died()));
        a.nothing_more();

        let b = a.child(other);
        let (peer, mut watch) = (b.pid(), process::watch(b.pid()));
        a.order(move |_| {
            watch.wait(crate::support::LONG).expect("the peer ends");
            process::unlink_flush(peer).expect("a puppet is a process");
        });
        b.end(died());
        a.sync();
        a.nothing_more();
    });
}

/// One that does not trap may take a link back while the signal of it is on its way: it lives.
#[test]
fn unlink_in_time_saves_one_that_does_not_trap() {
    all_pairs(|one, other| {
        let a = one.puppet();
        let b = a.child(other);
        let (peer, mut watch) = (b.pid(), process::watch(b.pid()));
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (begun, began) = std::sync::mpsc::channel::<()>();
        a.order(move |inside| {
            begun.send(()).expect("the test waits");
            ended.recv_timeout(crate::support::LONG).expect("told");
            inside.unlink(peer);
        });
        began.recv_timeout(crate::support::LONG).expect("it runs");
        b.end(died());
        b.ended(&mut watch);
        end.send(()).expect("the puppet waits");
        a.sync();
        assert!(a.is_alive());
    });
}

/// Rows: link.otp_17127_local_simultaneous
#[test]
fn simultaneous_links_agree() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        let (pa, pb) = (a.pid(), b.pid());
        for _ in 0..100 {
            a.order(move |inside| inside.link(pb).expect("alive"));
            b.order(move |inside| {
                inside.link(pa).expect("alive");
                inside.unlink(pa);
            });
            all_sync(&[&a, &b]);
            agree(&a, &b);
            a.run(move |inside| inside.unlink(pb));
            assert_eq!((a.info().links, b.info().links), (vec![], vec![]));
        }
    });
}

/// Rows: link.otp_17127_local_random
#[test]
fn random_links_agree() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..100 {
            for (puppet, peer) in [(&a, b.pid()), (&b, a.pid())] {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(round);
                let mut steps = seed >> 20;
                puppet.order(move |inside| {
                    for _ in 0..8 {
                        match steps % 3 {
                            0 => inside.link(peer).expect("alive"),
                            1 => inside.unlink(peer),
                            _ => std::thread::yield_now(),
                        }
                        steps /= 3;
                    }
                });
            }
            all_sync(&[&a, &b]);
            agree(&a, &b);
        }
    });
}

#[track_caller]
fn agree(a: &Puppet, b: &Puppet) {
    let (from_a, from_b) = (a.info().links, b.info().links);
    assert_eq!(from_a.contains(&b.pid()), from_b.contains(&a.pid()));
    assert!(from_a.len() <= 1 && from_b.len() <= 1);
}

/// Rows: sig.unlink_exit
#[test]
fn link_back_to_a_parent_that_unlinks_and_dies_never_hangs() {
    all_pairs(|one, other| {
        for _ in 0..50 {
            let parent = one.puppet();
            let child = parent.child(other);
            let (p, c) = (parent.pid(), child.pid());
            parent.order(move |inside| {
                inside.unlink(c);
                inside.exit(died());
            });
            let linked = child.attempt(move |inside| inside.link(p));
            parent.gone();
            match linked {
                Some(Err(error)) => {
                    assert_eq!(error, LinkError::NoProc);
                    child.nothing_more();
                }
                // The link came before the unlink and went with it, or after it and takes the child along.
                _ => eventually("the child has no link to the dead", || {
                    process::info(c).is_none_or(|info| info.links.is_empty())
                }),
            }
        }
    });
}
