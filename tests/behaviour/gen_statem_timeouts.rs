//! GenStatem: event timeouts, state timeouts and generic ones, by a clock that the test moves.

use crate::machine::{
    A, B, C, EVENT, Entered, Got, Log, Message, Msg, Record, STATE, go, machine, mark, named, run,
    script, stop, sync,
};
use crate::support::scripted::{both_servers, both_servers_in, gate};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::Runtime;
use perennial::gen_statem::{Enter, Event, Init, Next, Timeout, When};
use perennial::prelude::{Dest, Ref};
use perennial::process::{self, Kind};
use perennial::time::{Clock, ManualClock};
use std::cell::RefCell;
use std::sync::mpsc;
use std::time::Duration;

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// Plays a rule for each kind, in runtimes whose clock the test moves.
fn by_hand(rule: impl Fn(Kind, &Runtime, &ManualClock)) {
    let hand: RefCell<Option<ManualClock>> = RefCell::new(None);
    let make = || {
        let (clock, moved_by) = Clock::manual();
        hand.replace(Some(moved_by));
        builder().clock(clock)
    };
    both_servers_in(make, |kind, runtime| {
        let hand = hand.borrow().clone().expect("the builder was asked first");
        rule(kind, runtime, &hand);
    });
}

/// What has happened when all timers that are due by now have rung: timers ring one after the other, and the last
/// of them is this one's.
#[track_caller]
fn until_now(machine: &Ref<Msg>, hand: &ManualClock, log: &Log) -> Vec<Record> {
    machine.cast(run(|_, cx| {
        Next::keep_state().timeout("last", cx.now(), mark(0, |_, _| Next::keep_state()))
    }));
    sync(machine);
    hand.advance(ZERO);
    let mut all = Vec::new();
    loop {
        match log.next() {
            Got(kind, 0, _) if kind == named("last") => return all,
            record => all.push(record),
        }
    }
}

fn set_state(delay: Duration, n: u64) -> Msg {
    run(move |_, _| Next::keep_state().state_timeout(delay, Msg::Note(n)))
}

fn set_event(delay: Duration, n: u64) -> Msg {
    run(move |_, _| Next::keep_state().event_timeout(delay, Msg::Note(n)))
}

fn set(name: &'static str, delay: Duration, n: u64) -> Msg {
    run(move |_, _| Next::keep_state().timeout(name, delay, Msg::Note(n)))
}

/// Rows: statem.state_timeout
#[test]
fn state_timeout_comes_unless_the_state_changes_before() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(set_state(2 * SECOND, 1));
        sync(&machine);
        hand.advance(SECOND);
        assert_eq!(until_now(&machine, hand, &log), []);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(STATE, 1, A));
        // Other events leave it alone, and so do the same state and a state that is repeated.
        machine.cast(set_state(SECOND, 2));
        machine.cast(Msg::Note(3));
        machine.cast(go(A));
        machine.cast(run(|_, _| Next::repeat_state()));
        assert_eq!(log.after(&machine), [Got(Message, 3, A), Entered(A, A)]);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(STATE, 2, A));
        // A change takes it back, timer and all.
        machine.cast(set_state(SECOND, 4));
        machine.cast(go(B));
        assert_eq!(log.after(&machine), [Entered(A, B)]);
        assert_eq!(runtime.scheduler_stats().timers, 0);
        hand.advance(SECOND);
        assert_eq!(until_now(&machine, hand, &log), []);
        // What the change itself sets is for the new state, and what is set there later is as well.
        machine.cast(run(|_, _| {
            Next::next_state(C).state_timeout(SECOND, Msg::Note(5))
        }));
        assert_eq!(log.after(&machine), [Entered(B, C)]);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(STATE, 5, C));
        stop(&machine);
    });
}

/// Rows: statem.state_timeout
#[test]
fn state_timeout_of_no_time_comes_before_the_mailbox() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, cx| {
            cx.me().cast(Msg::Note(2));
            Next::next_state(B).state_timeout(ZERO, Msg::Note(1))
        }));
        sync(&machine);
        let expected = [Entered(A, B), Got(STATE, 1, B), Got(Message, 2, B)];
        assert_eq!(log.after(&machine), expected);
        // A change by an event that is handled before takes it back.
        machine.cast(run(|_, _| {
            let change = mark(3, |_, _| Next::next_state(C));
            Next::keep_state()
                .state_timeout(ZERO, Msg::Note(4))
                .next_event(Event::Message(change))
        }));
        let expected = [Got(Message, 3, B), Entered(B, C)];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

/// Rows: statem.state_timeout
#[test]
fn enter_call_sets_the_timeout_of_its_state() {
    by_hand(|kind, _, hand| {
        let (script, log) = script();
        let script = script.init(|mut script, _| {
            script.on_enter(A, |_, _| {
                Enter::keep_state().state_timeout(SECOND, Msg::Note(1))
            });
            script.on_enter(B, |_, _| {
                Enter::keep_state().state_timeout(SECOND, Msg::Note(2))
            });
            // What the enter call says about the same timeout comes later in the list.
            Init::ok(A, script).state_timeout(2 * SECOND, Msg::Note(3))
        });
        let machine = script.on(kind).start().expect("it starts");
        assert_eq!(log.after(&machine), [Record::Init, Entered(A, A)]);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(STATE, 1, A));
        machine.cast(run(|_, _| {
            Next::next_state(B).state_timeout(ZERO, Msg::Note(4))
        }));
        assert_eq!(log.after(&machine), [Entered(A, B)]);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(STATE, 2, B));
        stop(&machine);
    });
}

#[test]
fn event_timeout_comes_only_if_nothing_else_does() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(set_event(SECOND, 1));
        eventually("it is set", || runtime.scheduler_stats().timers == 1);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(EVENT, 1, A));
        // A message, an inserted event, a signal and another timeout are events.
        machine.cast(set_event(SECOND, 2));
        assert_eq!(log.after(&machine), []);
        eventually("it is cancelled", || runtime.scheduler_stats().timers == 0);
        machine.cast(run(|_, _| {
            Next::keep_state()
                .event_timeout(SECOND, Msg::Note(3))
                .next_event(Event::Internal(go(B)))
        }));
        assert_eq!(log.next(), Entered(A, B));
        machine.cast(run(|_, cx| {
            cx.monitor(perennial::Pid::INIT);
            Next::keep_state().event_timeout(SECOND, Msg::Note(4))
        }));
        assert!(matches!(log.next(), Record::Down(..)));
        machine.cast(run(|_, _| {
            Next::keep_state()
                .event_timeout(2 * SECOND, Msg::Note(5))
                .timeout("x", SECOND, Msg::Note(6))
        }));
        eventually("both are set", || runtime.scheduler_stats().timers == 2);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(named("x"), 6, B));
        eventually("none is left", || runtime.scheduler_stats().timers == 0);
        hand.advance(10 * SECOND);
        assert_eq!(until_now(&machine, hand, &log), []);
        stop(&machine);
    });
}

/// An enter call is no event.
#[test]
fn event_timeout_survives_an_enter_call() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, _| {
            Next::next_state(B).event_timeout(SECOND, Msg::Note(1))
        }));
        assert_eq!(log.next(), Entered(A, B));
        eventually("it is set", || runtime.scheduler_stats().timers == 1);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(EVENT, 1, B));
        stop(&machine);
    });
}

#[test]
fn timeouts_of_no_time_come_in_the_order_in_which_they_were_set() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, cx| {
            cx.me().cast(Msg::Note(9));
            Next::keep_state()
                .event_timeout(ZERO, Msg::Note(1))
                .timeout("x", ZERO, Msg::Note(2))
                .state_timeout(ZERO, Msg::Note(3))
                .timeout("y", ZERO, Msg::Note(4))
                .timeout("x", ZERO, Msg::Note(5))
        }));
        sync(&machine);
        let expected = [
            Got(EVENT, 1, A),
            Got(STATE, 3, A),
            Got(named("y"), 4, A),
            Got(named("x"), 5, A),
            Got(Message, 9, A),
        ];
        assert_eq!(log.after(&machine), expected);
        // Behind another one, the event timeout is cancelled by it.
        machine.cast(run(|_, _| {
            Next::keep_state()
                .timeout("x", ZERO, Msg::Note(6))
                .event_timeout(ZERO, Msg::Note(7))
        }));
        assert_eq!(log.after(&machine), [Got(named("x"), 6, A)]);
        stop(&machine);
    });
}

/// Rows: statem.generic_timers
#[test]
fn generic_timeouts_come_in_the_order_of_time_whatever_the_state() {
    by_hand(|kind, _, hand| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, cx| {
            Next::next_state(B)
                .timeout("a", 4 * SECOND, Msg::Note(1))
                .timeout("b", 2 * SECOND, Msg::Note(2))
                .timeout("c", cx.now() + 3 * SECOND, Msg::Note(3))
                .timeout("d", When::At(cx.now() + SECOND), Msg::Note(4))
        }));
        machine.cast(go(C));
        machine.cast(Msg::Note(5));
        let expected = [Entered(A, B), Entered(B, C), Got(Message, 5, C)];
        assert_eq!(log.after(&machine), expected);
        for (name, n) in [("d", 4), ("b", 2), ("c", 3), ("a", 1)] {
            hand.advance(SECOND - Duration::from_nanos(1));
            assert_eq!(until_now(&machine, hand, &log), []);
            hand.advance(Duration::from_nanos(1));
            assert_eq!(log.next(), Got(named(name), n, C));
        }
        // All at once, they come in the same order.
        machine.cast(run(|_, cx| {
            Next::keep_state()
                .timeout("a", 2 * SECOND, Msg::Note(6))
                .timeout("b", cx.now() + SECOND, Msg::Note(7))
                .timeout("c", 2 * SECOND, Msg::Note(8))
        }));
        sync(&machine);
        hand.advance(5 * SECOND);
        let expected = [
            Got(named("b"), 7, C),
            Got(named("a"), 6, C),
            Got(named("c"), 8, C),
        ];
        assert_eq!(until_now(&machine, hand, &log), expected);
        stop(&machine);
    });
}

#[test]
fn timeout_that_is_set_anew_forgets_the_old_one() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(set("x", SECOND, 1));
        machine.cast(set("x", 3 * SECOND, 2));
        sync(&machine);
        assert_eq!(runtime.scheduler_stats().timers, 1);
        hand.advance(2 * SECOND);
        assert_eq!(until_now(&machine, hand, &log), []);
        machine.cast(set("x", ZERO, 3));
        assert_eq!(log.next(), Got(named("x"), 3, A));
        assert_eq!(runtime.scheduler_stats().timers, 0);
        hand.advance(10 * SECOND);
        assert_eq!(until_now(&machine, hand, &log), []);
        stop(&machine);
    });
}

/// Rows: statem.timeout_cancel_and_update
#[test]
fn timeout_that_is_cancelled_never_comes() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(set_state(SECOND, 1));
        machine.cast(set("x", SECOND, 2));
        machine.cast(set("y", SECOND, 3));
        machine.cast(run(|_, _| {
            Next::keep_state()
                .cancel(Timeout::State)
                .cancel(Timeout::Named("x"))
                .cancel(Timeout::Named("never set"))
        }));
        sync(&machine);
        assert_eq!(runtime.scheduler_stats().timers, 1);
        hand.advance(SECOND);
        assert_eq!(until_now(&machine, hand, &log), [Got(named("y"), 3, A)]);
        // One of zero as well, and one that an event would have cancelled anyway.
        machine.cast(run(|_, _| {
            let cancel = run(|_, _| Next::keep_state().cancel(Timeout::Named("x")));
            Next::keep_state()
                .timeout("x", ZERO, Msg::Note(4))
                .timeout("y", ZERO, Msg::Note(5))
                .next_event(Event::Internal(cancel))
        }));
        assert_eq!(log.after(&machine), [Got(named("y"), 5, A)]);
        stop(&machine);
    });
}

/// Rows: statem.timeout_cancel_and_update
#[test]
fn timeout_that_is_updated_comes_in_its_time_with_the_new_payload() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(set_state(2 * SECOND, 1));
        machine.cast(set("x", 3 * SECOND, 2));
        sync(&machine);
        hand.advance(SECOND);
        machine.cast(run(|_, _| {
            Next::keep_state()
                .update(Timeout::State, Msg::Note(3))
                .update(Timeout::Named("x"), Msg::Note(4))
        }));
        sync(&machine);
        assert_eq!(runtime.scheduler_stats().timers, 2);
        hand.advance(SECOND);
        assert_eq!(until_now(&machine, hand, &log), [Got(STATE, 3, A)]);
        hand.advance(SECOND);
        assert_eq!(until_now(&machine, hand, &log), [Got(named("x"), 4, A)]);
        stop(&machine);
    });
}

/// Rows: statem.timeout_cancel_and_update
#[test]
fn update_of_what_is_not_set_comes_at_once() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, cx| {
            cx.me().cast(Msg::Note(9));
            // Only the last of these counts, and by then nothing is set.
            Next::keep_state()
                .timeout("x", Duration::from_secs(1_000), Msg::Note(1))
                .update(Timeout::Named("x"), Msg::Note(2))
                .update(Timeout::State, Msg::Note(3))
        }));
        sync(&machine);
        let expected = [Got(named("x"), 2, A), Got(STATE, 3, A), Got(Message, 9, A)];
        assert_eq!(log.after(&machine), expected);
        // The change of state has cancelled it before the update.
        machine.cast(set_state(Duration::from_secs(1_000), 4));
        machine.cast(run(|_, _| {
            Next::next_state(B).update(Timeout::State, Msg::Note(5))
        }));
        let expected = [Entered(A, B), Got(STATE, 5, B)];
        assert_eq!(log.after(&machine), expected);
        // One of zero that waits keeps its place.
        machine.cast(run(|_, _| {
            let update = run(|_, _| Next::keep_state().update(Timeout::Named("x"), Msg::Note(8)));
            Next::keep_state()
                .timeout("x", ZERO, Msg::Note(6))
                .timeout("y", ZERO, Msg::Note(7))
                .next_event(Event::Internal(update))
        }));
        let expected = [Got(named("x"), 8, B), Got(named("y"), 7, B)];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

/// Its ring is in the mailbox already when the machine takes it back, changes it, or sets it anew.
#[test]
fn timeout_that_has_rung_is_taken_back_all_the_same() {
    by_hand(|kind, _, hand| {
        let (machine, log) = machine(kind);
        for name in ["cancelled", "updated", "anew"] {
            machine.cast(set(name, SECOND, 1));
        }
        machine.cast(set_state(SECOND, 2));
        let (open, wait) = gate();
        let (sender, at_gate) = mpsc::channel();
        machine.cast(run(move |_, _| {
            let _ = sender.send(());
            wait();
            Next::next_state(B)
                .cancel(Timeout::Named("cancelled"))
                .update(Timeout::Named("updated"), Msg::Note(3))
                .timeout("anew", SECOND, Msg::Note(4))
        }));
        at_gate.recv_timeout(LONG).expect("it comes to the gate");
        hand.advance(SECOND);
        eventually("all have rung", || {
            process::info(&machine).is_some_and(|info| info.message_queue_len == 4)
        });
        drop(open);
        assert_eq!(
            until_now(&machine, hand, &log),
            [Entered(A, B), Got(named("updated"), 3, B)]
        );
        hand.advance(SECOND);
        assert_eq!(until_now(&machine, hand, &log), [Got(named("anew"), 4, B)]);
        stop(&machine);
    });
}

/// One whose moment has passed rings at once, but by way of the mailbox.
#[test]
fn moment_that_has_passed_comes_after_what_waits() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, cx| {
            cx.me().cast(Msg::Note(2));
            Next::keep_state()
                .timeout("past", cx.now(), Msg::Note(3))
                .state_timeout(ZERO, Msg::Note(1))
        }));
        let expected = [
            Got(STATE, 1, A),
            Got(Message, 2, A),
            Got(named("past"), 3, A),
        ];
        assert_eq!([log.next(), log.next(), log.next()], expected);
        stop(&machine);
    });
}

/// A timeout may be postponed like any event.
#[test]
fn timeout_may_be_postponed() {
    by_hand(|kind, _, hand| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, _| {
            Next::keep_state().timeout("x", SECOND, Msg::Wait(1))
        }));
        sync(&machine);
        hand.advance(SECOND);
        assert_eq!(log.next(), Got(named("x"), 1, A));
        machine.cast(go(B));
        let expected = [Entered(A, B), Got(named("x"), 1, B)];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

#[test]
fn timeouts_of_the_dead_are_forgotten() {
    both_servers_in(builder, |kind, runtime| {
        for by_signal in [false, true] {
            let (machine, _log) = machine(kind);
            machine.cast(run(|_, _| {
                Next::keep_state()
                    .state_timeout(1_000 * SECOND, Msg::Note(1))
                    .timeout("x", 1_000 * SECOND, Msg::Note(2))
            }));
            eventually("both are set", || runtime.scheduler_stats().timers == 2);
            if by_signal {
                process::exit(&machine, perennial::ExitReason::Shutdown);
            } else {
                stop(&machine);
            }
            eventually("their timers are gone", || {
                runtime.scheduler_stats().timers == 0
            });
        }
    });
}

/// A timeout longer than any clock can tell never comes, costs nothing, and takes back what was set.
#[test]
fn timeout_of_all_time_never_comes() {
    by_hand(|kind, runtime, hand| {
        let (machine, log) = machine(kind);
        machine.cast(set("x", SECOND, 1));
        machine.cast(set("x", Duration::MAX, 2));
        sync(&machine);
        assert_eq!(runtime.scheduler_stats().timers, 0);
        hand.advance(1_000_000 * SECOND);
        assert_eq!(until_now(&machine, hand, &log), []);
        stop(&machine);
    });
}
