//! GenStatem: which event is handled when, what postpones and inserts do, and enter calls. The orders are those
//! that Erlang/OTP 25 was seen to have.

use crate::machine::{
    A, B, C, Entered, Got, Internal, Message, Msg, Record, STATE, Scripted, ask, go, machine, mark,
    named, on, run, script, stop, sync,
};
use crate::support::scripted::both_servers;
use crate::support::{LONG, eventually};
use perennial::ExitReason;
use perennial::gen_statem::{self, Cx, Enter, Event, Init, Next, Timeout, TooManyEvents};
use perennial::prelude::{Dest, GenStatem, ReplyTo};
use perennial::process::{self, CallError};
use std::sync::mpsc;
use std::time::Duration;

const ZERO: Duration = Duration::ZERO;

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Rows: statem.event_order
#[test]
fn inserted_events_come_before_postponed_ones_and_those_before_zero_timeouts() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(Msg::Wait(1));
        machine.cast(Msg::Wait(2));
        machine.cast(run(|_, cx| {
            cx.me().cast(Msg::Note(9));
            Next::next_state(B)
                .state_timeout(ZERO, Msg::Note(5))
                .timeout("g", ZERO, Msg::Note(6))
                .event_timeout(ZERO, Msg::Note(7))
                .next_event(Event::Internal(Msg::Note(3)))
                .next_event(Event::Message(Msg::Note(4)))
        }));
        sync(&machine);
        let expected = [
            Got(Message, 1, A),
            Got(Message, 2, A),
            Entered(A, B),
            Got(Internal, 3, B),
            Got(Message, 4, B),
            Got(Message, 1, B),
            Got(Message, 2, B),
            // The event timeout was cancelled by all of these.
            Got(STATE, 5, B),
            Got(named("g"), 6, B),
            Got(Message, 9, B),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

/// Rows: statem.event_order
#[test]
fn what_was_inserted_before_comes_after_what_is_tried_again() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(Msg::Wait(1));
        machine.cast(run(|_, _| {
            let change = mark(2, |_, _| {
                Next::next_state(B).next_event(Event::Internal(Msg::Note(4)))
            });
            Next::keep_state()
                .next_event(Event::Internal(change))
                .next_event(Event::Internal(Msg::Note(3)))
        }));
        let expected = [
            Got(Message, 1, A),
            Got(Internal, 2, A),
            Entered(A, B),
            Got(Internal, 4, B),
            Got(Message, 1, B),
            Got(Internal, 3, B),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

/// Rows: statem.next_events
#[test]
fn next_events_come_in_the_order_of_the_list() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(run(|_, cx| {
            cx.me().cast(Msg::Note(9));
            let nested = mark(2, |_, _| {
                Next::keep_state()
                    .next_event(Event::Internal(Msg::Note(3)))
                    .next_event(Event::Message(Msg::Note(4)))
            });
            Next::keep_state()
                .next_event(Event::Internal(Msg::Note(1)))
                .next_event(Event::Internal(nested))
                .next_event(Event::Internal(Msg::Note(5)))
        }));
        let expected = [
            Got(Internal, 1, A),
            Got(Internal, 2, A),
            Got(Internal, 3, A),
            Got(Message, 4, A),
            Got(Internal, 5, A),
            Got(Message, 9, A),
        ];
        sync(&machine);
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

#[test]
fn postponed_event_stays_until_the_state_changes() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(Msg::Wait(1));
        // Neither the same state, nor a state that is repeated, is a change.
        machine.cast(go(A));
        machine.cast(run(|_, _| Next::repeat_state()));
        assert_eq!(log.after(&machine), [Got(Message, 1, A), Entered(A, A)]);
        machine.cast(go(B));
        assert_eq!(log.after(&machine), [Entered(A, B), Got(Message, 1, B)]);
        // Once handled it is gone.
        machine.cast(go(C));
        assert_eq!(log.after(&machine), [Entered(B, C)]);
        stop(&machine);
    });
}

#[test]
fn event_that_changes_the_state_may_be_postponed_itself() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(Msg::Wait(1));
        machine.cast(mark(2, |_, _| {
            let again = Event::Message(mark(2, |_, _| Next::keep_state()));
            Next::next_state(B).postpone(again)
        }));
        machine.cast(Msg::Note(3));
        let expected = [
            Got(Message, 1, A),
            Got(Message, 2, A),
            Entered(A, B),
            Got(Message, 1, B),
            Got(Message, 2, B),
            Got(Message, 3, B),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

#[test]
fn postponed_event_may_be_postponed_again() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(go(B));
        machine.cast(mark(1, |_, _| {
            Next::keep_state().postpone(Event::Message(Msg::Wait(2)))
        }));
        machine.cast(Msg::Note(3));
        machine.cast(go(A));
        machine.cast(go(C));
        let expected = [
            Entered(A, B),
            Got(Message, 1, B),
            Got(Message, 3, B),
            Entered(B, A),
            Got(Message, 2, A),
            Entered(A, C),
            Got(Message, 2, C),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

/// A call that waits for a better state is answered there, however long its caller is willing to wait.
#[test]
fn postponed_call_is_answered_later() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let asker = machine.clone();
        let call =
            std::thread::spawn(move || asker.call_for(Duration::MAX, |reply| Msg::Hold(7, reply)));
        assert_eq!(log.next(), Got(Message, 7, A));
        sync(&machine);
        assert!(!call.is_finished());
        machine.cast(go(B));
        assert_eq!(call.join().expect("no panic"), Ok(7));
        stop(&machine);
    });
}

#[test]
fn postponed_call_fails_with_the_end_of_the_machine() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let asker = machine.clone();
        let call = std::thread::spawn(move || asker.call_for(LONG, |reply| Msg::Hold(7, reply)));
        assert_eq!(log.next(), Got(Message, 7, A));
        machine.cast(run(|_, _| Next::stop(died())));
        let answer = call.join().expect("no panic");
        assert_eq!(answer, Err(CallError::Exited(died())));
    });
}

#[test]
fn call_that_is_neither_kept_nor_answered_fails() {
    both_servers(|kind| {
        let (machine, _log) = machine(kind);
        let dropped = machine.call(ask(|_, _reply, _| Next::keep_state()));
        assert_eq!(dropped, Err(CallError::NoReply));
        let dropped = machine.call(ask(|_, _reply, _| Next::next_state(B)));
        assert_eq!(dropped, Err(CallError::NoReply));
        stop(&machine);
    });
}

/// Rows: statem.event_types
#[test]
fn every_type_of_event_may_be_inserted() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let dead = process::spawn::<()>(|_| {});
        eventually("it has ended", || !dead.is_alive());
        let pid = dead.pid();
        let asked = machine.call(ask(move |_, reply, cx| {
            let monitor = cx.monitor(pid);
            cx.demonitor_flush(monitor);
            let down = process::Down {
                monitor,
                pid,
                name: None,
                tag: None,
                reason: died(),
            };
            let exit = process::Exit {
                from: pid,
                reason: died(),
            };
            let answers = ask(|_, reply, _| Next::keep_state().reply(reply, 6));
            Next::keep_state()
                .next_event(Event::Message(Msg::Note(1)))
                .next_event(Event::Internal(Msg::Note(2)))
                .next_event(Event::Timeout(Timeout::Event, Msg::Note(3)))
                .next_event(Event::Timeout(Timeout::State, Msg::Note(4)))
                .next_event(Event::Timeout(Timeout::Named("x"), Msg::Note(5)))
                .next_event(Event::Down(down))
                .next_event(Event::Exit(exit))
                .next_event(Event::Message(answers(reply)))
        }));
        assert_eq!(asked, Ok(6));
        let expected = [
            Got(Message, 1, A),
            Got(Internal, 2, A),
            Got(crate::machine::EVENT, 3, A),
            Got(STATE, 4, A),
            Got(named("x"), 5, A),
            Record::Down(pid, died(), A),
            Record::Exit(pid, died(), A),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

/// Rows: statem.state_enter
#[test]
fn enter_is_called_at_the_start_for_a_change_and_for_a_repeat() {
    both_servers(|kind| {
        let (script, log) = script();
        let machine = script.on(kind).start().expect("it starts");
        assert_eq!(log.after(&machine), [Record::Init, Entered(A, A)]);
        machine.cast(go(B));
        assert_eq!(log.after(&machine), [Entered(A, B)]);
        machine.cast(go(B));
        machine.cast(run(|_, _| Next::keep_state()));
        assert_eq!(log.after(&machine), []);
        machine.cast(run(|_, _| Next::repeat_state()));
        assert_eq!(log.after(&machine), [Entered(B, B)]);
        stop(&machine);
    });
}

/// Rows: statem.state_enter
#[test]
fn enter_call_has_its_say_before_any_event() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        machine.cast(Msg::Wait(1));
        machine.cast(run(|script, cx| {
            cx.me().cast(Msg::Note(9));
            script.on_enter(B, |_, _| {
                Enter::keep_state().state_timeout(ZERO, Msg::Note(3))
            });
            Next::next_state(B).next_event(Event::Internal(Msg::Note(2)))
        }));
        sync(&machine);
        let expected = [
            Got(Message, 1, A),
            Entered(A, B),
            Got(Internal, 2, B),
            Got(Message, 1, B),
            Got(STATE, 3, B),
            Got(Message, 9, B),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

#[test]
fn enter_call_may_be_repeated_and_may_answer() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let answer = machine.call(ask(|script, reply, _| {
            script.held.push(reply);
            script.on_enter(B, |_, _| {
                Enter::repeat_state().timeout("x", ZERO, Msg::Note(1))
            });
            script.on_enter(B, |script, _| {
                let reply = script.held.pop().expect("it was kept");
                Enter::keep_state().reply(reply, 5)
            });
            Next::next_state(B)
        }));
        assert_eq!(answer, Ok(5));
        let expected = [Entered(A, B), Entered(A, B), Got(named("x"), 1, B)];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

#[test]
fn enter_call_may_end_the_machine() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let mut watch = process::watch(&machine);
        machine.cast(run(|script, _| {
            script.on_enter(B, |_, _| Enter::stop(died()));
            Next::next_state(B).next_event(Event::Internal(Msg::Note(1)))
        }));
        assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
        let end = [Record::Terminated(died(), B), Record::Dropped];
        assert_eq!(log.all(), [&[Entered(A, B)][..], &end].concat());
    });
}

/// The start is through when `init` is: what the first enter call comes to is an end like any other.
#[test]
fn first_enter_call_comes_after_the_start() {
    both_servers(|kind| {
        let (script, log) = script();
        let script = script.init(|mut script, cx| {
            cx.me().cast(Msg::Note(1));
            script.on_enter(A, |_, _| panic!("out of paper"));
            Init::ok(A, script)
        });
        let machine = script.on(kind).start().expect("it starts");
        let end = log.all();
        assert_eq!(end[..2], [Record::Init, Entered(A, A)]);
        match &end[2..] {
            [
                Record::Terminated(ExitReason::Panic(panic), A),
                Record::Dropped,
            ] => {
                assert_eq!(panic.message(), "out of paper");
            }
            other => panic!("{other:?}"),
        }
        eventually("it has ended", || !machine.is_alive());
    });
}

/// A machine without enter calls.
struct Quiet(mpsc::Sender<&'static str>);

impl GenStatem for Quiet {
    type Args = mpsc::Sender<&'static str>;
    type Msg = ReplyTo<bool>;
    type State = bool;
    type Timer = ();

    fn init(told: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::ok(false, Quiet(told))
    }

    fn handle(&mut self, event: Event<Self>, on: &bool, _: &mut Cx<Self>) -> Next<Self> {
        match event {
            Event::Message(reply) => Next::next_state(!on).reply(reply, *on),
            _ => Next::repeat_state(),
        }
    }

    fn enter(&mut self, _: &bool, _: &bool, _: &mut Cx<Self>) -> Enter<Self> {
        let _ = self.0.send("entered");
        Enter::keep_state()
    }
}

/// Rows: statem.state_enter
#[test]
fn machine_that_asks_for_no_enter_calls_gets_none() {
    both_servers(|kind| {
        let (sender, told) = mpsc::channel();
        let spec = on(gen_statem::spec::<Quiet>(sender), kind);
        let machine = spec.start().expect("it starts");
        assert_eq!(machine.call(|reply| reply), Ok(false));
        assert_eq!(machine.call(|reply| reply), Ok(true));
        gen_statem::stop(&machine).expect("it stops");
        assert_eq!(told.try_iter().count(), 0);
    });
}

#[test]
fn init_may_insert_events_and_set_timeouts() {
    both_servers(|kind| {
        let (script, log) = script();
        let script = script.init(|script, cx| {
            cx.me().cast(Msg::Note(9));
            Init::ok(B, script)
                .event_timeout(ZERO, Msg::Note(4))
                .state_timeout(ZERO, Msg::Note(3))
                .next_event(Event::Internal(Msg::Note(1)))
                .next_event(Event::Message(Msg::Note(2)))
        });
        let machine = script.on(kind).start().expect("it starts");
        let expected = [
            Record::Init,
            Entered(B, B),
            Got(Internal, 1, B),
            Got(Message, 2, B),
            Got(STATE, 3, B),
            Got(Message, 9, B),
        ];
        assert_eq!(log.after(&machine), expected);
        stop(&machine);
    });
}

#[test]
fn signals_are_events_and_may_be_postponed() {
    both_servers(|kind| {
        let (script, log) = script();
        let machine = script.traps().on(kind).start().expect("it starts");
        let other = crate::machine::script()
            .0
            .on(kind)
            .start()
            .expect("it starts");
        let pid = other.pid();
        machine.cast(run(move |script, cx| {
            script.postpones = true;
            cx.monitor(pid);
            cx.link(pid).expect("it is there");
            Next::keep_state()
        }));
        assert_eq!(log.after(&machine), [Record::Init, Entered(A, A)]);
        other.cast(run(|_, _| Next::stop(died())));
        let (first, second) = (log.next(), log.next());
        let signals = [Record::Exit(pid, died(), A), Record::Down(pid, died(), A)];
        assert!(signals.contains(&first) && signals.contains(&second) && first != second);
        machine.cast(go(B));
        let again = [Record::Exit(pid, died(), B), Record::Down(pid, died(), B)];
        let log = log.after(&machine);
        assert_eq!(log[0], Entered(A, B));
        assert_eq!(log.len(), 3);
        assert!(again.iter().all(|signal| log.contains(signal)));
        stop(&machine);
    });
}

#[test]
fn machine_that_postpones_without_end_ends() {
    both_servers(|kind| {
        let max = Scripted::EVENTS_MAX as u64;
        let (machine, log) = machine(kind);
        (0..max).for_each(|n| machine.cast(Msg::Wait(n)));
        sync(&machine);
        let asker = std::thread::spawn({
            let machine = machine.clone();
            move || machine.call_for(LONG, |reply| Msg::Hold(max, reply))
        });
        let too_many = TooManyEvents {
            held: 1_001,
            postponed: 1_001,
        };
        let ended = Err(CallError::Exited(ExitReason::other(too_many)));
        assert_eq!(asker.join().expect("no panic"), ended);
        assert_eq!(
            too_many.to_string(),
            "a machine held 1001 events, 1001 of them postponed"
        );
        let log = log.all();
        let last = [
            Record::Terminated(ExitReason::other(too_many), A),
            Record::Dropped,
        ];
        assert_eq!(log[log.len() - 2..], last);
    });
}

/// Inserts two events for each that it handles, for ever.
fn breed() -> Msg {
    run(|_, _| {
        Next::keep_state()
            .next_event(Event::Internal(breed()))
            .next_event(Event::Internal(breed()))
    })
}

#[test]
fn machine_that_inserts_faster_than_it_handles_ends() {
    both_servers(|kind| {
        let (machine, _log) = machine(kind);
        let mut watch = process::watch(&machine);
        machine.cast(breed());
        let reason = watch.wait(LONG).expect("it ends").reason;
        let too_many: &TooManyEvents = reason.downcast_ref().expect("it ends for its events");
        assert_eq!((too_many.held, too_many.postponed), (1_001, 0));
    });
}

/// Inserts one event for each that it handles, for ever.
fn spin() -> Msg {
    run(|_, _| Next::keep_state().next_event(Event::Internal(spin())))
}

/// One that never comes to its mailbox hears signals all the same.
#[test]
fn machine_that_is_busy_with_itself_can_be_ended() {
    both_servers(|kind| {
        for reason in [ExitReason::Kill, died()] {
            let (machine, _log) = machine(kind);
            machine.cast(spin());
            let mut watch = process::watch(&machine);
            process::exit(machine.pid(), reason.clone());
            let ended = watch.wait(LONG).expect("it ends").reason;
            let expected = if reason == ExitReason::Kill {
                ExitReason::Killed
            } else {
                reason
            };
            assert_eq!(ended, expected);
        }
    });
}
