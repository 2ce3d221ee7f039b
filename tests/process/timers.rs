//! Timers, by a clock that is moved by hand.

use crate::support::puppet::{Breed, Msg, Puppet, Record, both_kinds_in};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::process::{self, CallError, Name, Received};
use perennial::time::{Clock, ManualClock};
use perennial::{ExitReason, Runtime, TimerRef};
use std::cell::RefCell;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const NAME: Name<Msg> = Name::new("timely");

/// Plays a rule for each breed, in runtimes whose clock the test moves.
fn by_hand(rule: impl Fn(Breed, &Runtime, &ManualClock)) {
    let hand: RefCell<Option<ManualClock>> = RefCell::new(None);
    let make = || {
        let (clock, moved_by) = Clock::manual();
        hand.replace(Some(moved_by));
        builder().clock(clock)
    };
    both_kinds_in(make, |kind, runtime| {
        let hand = hand.borrow().clone().expect("the builder was asked first");
        rule(kind, runtime, &hand);
        eventually("no timer is left", || runtime.counts().timers == 0);
    });
}

fn tell_after(delay: Duration, puppet: &Puppet, n: u64) -> TimerRef {
    process::send_after(delay, puppet.me(), Msg::Tell(n))
}

#[test]
fn timers_fire_in_order_and_not_early() {
    by_hand(|kind, runtime, hand| {
        let puppet = kind.puppet();
        tell_after(3 * SECOND, &puppet, 3);
        tell_after(SECOND, &puppet, 1);
        tell_after(2 * SECOND, &puppet, 2);
        tell_after(2 * SECOND, &puppet, 22);
        assert_eq!(runtime.counts().timers, 4);
        hand.advance(SECOND - Duration::from_nanos(1));
        puppet.nothing_more();
        hand.advance(Duration::from_nanos(1));
        assert_eq!(puppet.next(), Record::Told(1));
        puppet.nothing_more();
        hand.advance(2 * SECOND);
        assert_eq!(puppet.next(), Record::Told(2));
        assert_eq!(puppet.next(), Record::Told(22));
        assert_eq!(puppet.next(), Record::Told(3));
        puppet.nothing_more();
    });
}

/// Rows: exproc.cancel
#[test]
fn cancelled_timer_says_what_it_had_left() {
    by_hand(|kind, _, hand| {
        let puppet = kind.puppet();
        let timer = tell_after(3 * SECOND, &puppet, 1);
        hand.advance(SECOND);
        assert_eq!(process::read_timer(timer), Some(2 * SECOND));
        assert_eq!(process::cancel_timer(timer), Some(2 * SECOND));
        assert_eq!(process::cancel_timer(timer), None);
        assert_eq!(process::read_timer(timer), None);
        hand.advance(3 * SECOND);
        puppet.nothing_more();

        let fired = tell_after(SECOND, &puppet, 2);
        hand.advance(SECOND);
        assert_eq!(puppet.next(), Record::Told(2));
        assert_eq!(process::read_timer(fired), None);
        assert_eq!(process::cancel_timer(fired), None);
    });
}

/// Rows: timer.send_after7
#[test]
fn timer_finds_who_has_the_name_when_it_fires() {
    by_hand(|kind, _, hand| {
        let first = kind.named(&NAME);
        process::send_after(SECOND, NAME, Msg::Tell(1));
        first.end_and_wait(ExitReason::Normal);
        let second = kind.named(&NAME);
        hand.advance(SECOND);
        assert_eq!(second.next(), Record::Told(1));
    });
}

/// Rows: v.timer_owner_dies
#[test]
fn timer_outlives_who_set_it() {
    by_hand(|kind, _, hand| {
        let (owner, target) = (kind.puppet(), kind.puppet());
        let to = target.me();
        owner.run(move |_| process::send_after(SECOND, to, Msg::Tell(1)));
        owner.end_and_wait(ExitReason::Normal);
        hand.advance(SECOND);
        assert_eq!(target.next(), Record::Told(1));
    });
}

/// Rows: v.timer_dead_target
#[test]
fn timer_for_the_dead_does_nothing() {
    by_hand(|kind, runtime, hand| {
        let puppet = kind.puppet();
        tell_after(SECOND, &puppet, 1);
        process::send_after(SECOND, NAME, Msg::Tell(1));
        puppet.end_and_wait(ExitReason::Normal);
        hand.advance(SECOND);
        eventually("both have fired", || runtime.counts().timers == 0);
        assert_eq!(puppet.all(), vec![]);
    });
}

/// Rows: timer.apply_interval, timer.send_interval
#[test]
fn interval_ticks_until_it_is_cancelled() {
    by_hand(|kind, _, hand| {
        let puppet = kind.puppet();
        let mut n = 0;
        let timer = process::send_interval(SECOND, puppet.me(), move || {
            n += 1;
            Msg::Tell(n)
        });
        for n in 1..=5 {
            puppet.nothing_more();
            hand.advance(SECOND);
            assert_eq!(puppet.next(), Record::Told(n));
        }
        eventually("the next tick is armed", || {
            process::read_timer(timer) == Some(SECOND)
        });
        assert_eq!(process::cancel_timer(timer), Some(SECOND));
        hand.advance(10 * SECOND);
        puppet.nothing_more();
    });
}

#[test]
fn interval_ends_with_its_target_and_not_with_its_name() {
    by_hand(|kind, runtime, hand| {
        let puppet = kind.named(&NAME);
        process::send_interval(SECOND, puppet.me(), || Msg::Tell(1));
        let by_name = process::send_interval(SECOND, NAME, || Msg::Tell(2));
        puppet.end_and_wait(ExitReason::Normal);
        hand.advance(SECOND);
        eventually("one has ended", || runtime.counts().timers == 1);
        let successor = kind.named(&NAME);
        eventually("the other is armed", || {
            process::read_timer(by_name) == Some(SECOND)
        });
        hand.advance(SECOND);
        assert_eq!(successor.next(), Record::Told(2));
        // Only then: a cancel in the middle of a tick is the last one.
        eventually("it is armed again", || {
            process::read_timer(by_name) == Some(SECOND)
        });
        assert_eq!(process::cancel_timer(by_name), Some(SECOND));
    });
}

/// Rows: timer.exit_after
#[test]
fn exit_signal_comes_later() {
    by_hand(|kind, runtime, hand| {
        let died = || ExitReason::other("died");
        let (by_pid, by_name, to_itself) = (kind.puppet(), kind.named(&NAME), kind.puppet());
        process::exit_after(SECOND, by_pid.pid(), died());
        process::exit_after(SECOND, &NAME, died());
        process::exit_after(SECOND, "nobody", died());
        to_itself.run(move |inside| process::exit_after(SECOND, inside.pid(), died()));
        // One that traps hears who had set the timer.
        let (setter, trapper) = (kind.puppet(), kind.puppet().traps());
        let to = trapper.pid();
        setter.run(move |_| process::exit_after(SECOND, to, ExitReason::Normal));
        let late = process::exit_after(SECOND, setter.pid(), died());
        assert_eq!(process::cancel_timer(late), Some(SECOND));
        let puppets = [&by_pid, &by_name, &to_itself];
        let watches = puppets.map(|puppet| process::watch(puppet.pid()));
        hand.advance(SECOND - Duration::from_nanos(1));
        puppets.iter().for_each(|puppet| puppet.sync());
        hand.advance(Duration::from_nanos(1));
        for mut watch in watches {
            assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
        }
        assert_eq!(trapper.next_exit(), (setter.pid(), ExitReason::Normal));
        assert!(setter.is_alive() && trapper.is_alive());
        // The timers themselves survive that nobody was there.
        eventually("all have fired", || runtime.counts().timers == 0);
        tell_after(SECOND, &setter, 1);
        hand.advance(SECOND);
        assert_eq!(setter.next(), Record::Told(1));
    });
}

/// Rows: timer.kill_after
#[test]
fn kill_comes_later() {
    by_hand(|kind, runtime, hand| {
        let (trapper, named) = (kind.puppet().traps(), kind.named(&NAME).traps());
        let watches = [&trapper, &named].map(|puppet| process::watch(puppet.pid()));
        process::kill_after(SECOND, trapper.pid());
        process::kill_after(SECOND, &NAME);
        process::kill_after(SECOND, "nobody");
        hand.advance(SECOND);
        for mut watch in watches {
            let reason = watch.wait(LONG).map(|down| down.reason);
            assert_eq!(reason, Some(ExitReason::Killed));
        }
        eventually("all have fired", || runtime.counts().timers == 0);
    });
}

#[test]
fn process_sends_to_itself_later() {
    by_hand(|kind, _, hand| {
        let puppet = kind.puppet();
        puppet.run(|inside| inside.send_after(SECOND, Msg::Tell(8)));
        hand.advance(SECOND);
        assert_eq!(puppet.next(), Record::Told(8));
    });
}

#[test]
fn timer_of_no_time_fires_at_once_and_one_of_all_time_never() {
    by_hand(|kind, runtime, hand| {
        let puppet = kind.puppet();
        tell_after(Duration::ZERO, &puppet, 1);
        let never = tell_after(Duration::MAX, &puppet, 2);
        assert_eq!(puppet.next(), Record::Told(1));
        hand.advance(1_000_000 * SECOND);
        puppet.nothing_more();
        assert_eq!(process::cancel_timer(never), None);
        assert_eq!(runtime.counts().timers, 0);
    });
}

#[test]
fn receive_waits_by_the_clock_of_its_runtime() {
    by_hand(|_, runtime, hand| {
        let (sender, got) = std::sync::mpsc::channel();
        let waiter = process::spawn::<u32>(move |cx| {
            let nothing = cx.receive_timeout(SECOND);
            let _ = sender.send(nothing);
            let _ = sender.send(cx.receive_timeout(SECOND));
            process::sleep(SECOND);
            let _ = sender.send(None);
        });
        let waits = || eventually("a wait is armed", || runtime.scheduler_stats().timers == 1);
        waits();
        hand.advance(SECOND - Duration::from_nanos(1));
        assert!(got.try_recv().is_err());
        hand.advance(Duration::from_nanos(1));
        assert_eq!(got.recv_timeout(LONG), Ok(None));
        waits();
        perennial::prelude::Dest::cast(&waiter, 5);
        assert_eq!(got.recv_timeout(LONG), Ok(Some(Received::Message(5))));
        waits();
        hand.advance(SECOND);
        assert_eq!(got.recv_timeout(LONG), Ok(None));
        process::watch(&waiter).wait(LONG).expect("it ends");
    });
}

#[test]
fn call_times_out_by_the_clock_of_its_runtime() {
    by_hand(|kind, runtime, hand| {
        let (caller, server) = (kind.puppet(), kind.puppet());
        let to = server.me();
        let (sender, answer) = std::sync::mpsc::channel();
        caller.order(move |_| {
            use perennial::prelude::Dest;
            let _ = sender.send(to.call(Msg::Hold));
        });
        eventually("the call is parked", || {
            runtime.scheduler_stats().timers == 1 && server.is_idle()
        });
        hand.advance(5 * SECOND - Duration::from_nanos(1));
        caller_still_waits(&answer);
        hand.advance(Duration::from_nanos(1));
        assert_eq!(answer.recv_timeout(LONG), Ok(Err(CallError::Timeout)));
        assert!(server.is_alive());
    });
}

fn caller_still_waits(answer: &std::sync::mpsc::Receiver<Result<u64, CallError>>) {
    assert!(answer.try_recv().is_err());
}
