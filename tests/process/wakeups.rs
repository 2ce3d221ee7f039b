//! Wake-ups: whatever comes to a process that is about to wait ends the wait, at whatever moment it comes.

use crate::support::puppet::{both_kinds, both_kinds_in};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::ExitReason;
use perennial::process;
use perennial::time::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A moment of a length that differs from round to round, so that what follows meets every step on the way from
/// the end of a callback into the wait.
fn moment(round: u64) {
    let step = round / 3;
    match round % 3 {
        0 => (0..step % 40).for_each(|_| std::hint::spin_loop()),
        1 => (0..step % 300).for_each(|n| {
            std::hint::black_box(n);
        }),
        _ => (0..step % 1_000).for_each(|n| {
            std::hint::black_box(n);
        }),
    }
}

/// Waits for a number without leaving the core, as far as that is possible.
fn reaches(seen: &AtomicU64, n: u64) -> bool {
    let deadline = Instant::now() + LONG;
    let mut looks = 0_u32;
    while seen.load(Ordering::Acquire) != n {
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(1_000) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
    true
}

#[test]
fn message_ends_the_wait_at_whatever_moment_it_comes() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        let seen = Arc::new(AtomicU64::new(0));
        for round in 1..=90_000 {
            moment(round);
            let told = seen.clone();
            puppet.order(move |_| told.store(round, Ordering::Release));
            assert!(
                reaches(&seen, round),
                "{kind:?}: no wake-up in round {round}"
            );
        }
    });
}

/// The grace of a kill never ends here, so nothing but the kill itself can end the process.
#[test]
fn kill_ends_the_wait_at_whatever_moment_it_comes() {
    both_kinds_in(
        || builder().clock(Clock::manual().0),
        |kind, _| {
            let seen = Arc::new(AtomicU64::new(0));
            for round in 1..=2_000 {
                let puppet = kind.puppet();
                let told = seen.clone();
                puppet.order(move |_| told.store(round, Ordering::Release));
                assert!(
                    reaches(&seen, round),
                    "{kind:?}: no wake-up in round {round}"
                );
                moment(round);
                process::exit(puppet.pid(), ExitReason::Kill);
                eventually("the kill is met", || !puppet.is_alive());
            }
        },
    );
}
