//! GenStatem: calls that are late, requests that do not block, and a supervisor's care.

use crate::machine::{
    A, B, Entered, Got, Message, Msg, ask, echo, go, machine, run, script, stop, sync,
};
use crate::support::LONG;
use crate::support::scripted::both_servers;
use perennial::ExitReason;
use perennial::gen_statem::{Cx, Event, Init, Next};
use perennial::prelude::{Child, Dest, GenStatem, Name, Ref, ReplyTo, Strategy, Supervisor};
use perennial::process::{self, CallError, Kind, Overflow};
use perennial::supervisor::{self, DynamicSupervisor, dynamic_supervisor};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(5);

#[track_caller]
fn ended(watch: &mut process::Watch) -> ExitReason {
    watch.wait(LONG).expect("it ends").reason
}

/// Rows: statem.abnormal1, statem.abnormal1clean, statem.abnormal1dirty
#[test]
fn call_that_times_out_leaves_nothing_behind() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let played = process::run::<u64, _>(|cx| {
            let late = machine.call_for(SOON, |reply| Msg::Hold(1, reply));
            assert_eq!(late, Err(CallError::Timeout));
            // It was postponed, and is answered now: nobody hears that.
            machine.cast(go(B));
            sync(&machine);
            cx.receive_timeout(Duration::ZERO)
        });
        assert_eq!(played, Ok(None));
        let expected = [Got(Message, 1, A), Entered(A, B), Got(Message, 1, B)];
        assert_eq!(log.so_far(), expected);
        stop(&machine);
    });
}

/// What a request came to is a message, which the machine handles in the state it is in by then.
///
/// Rows: statem.reqid
#[test]
fn answers_of_requests_are_messages() {
    both_servers(|kind| {
        let (machine, log) = machine(kind);
        let (other, _other_log) = crate::machine::machine(kind);
        let to = other.clone();
        machine.cast(run(move |_, cx| {
            let held = |n| move |reply| Msg::Hold(n, reply);
            let note = |answer: Result<u64, CallError>| match answer {
                Ok(n) => Msg::Note(n),
                Err(CallError::Timeout) => Msg::Note(100),
                Err(CallError::NoProc) => Msg::Note(101),
                Err(other) => panic!("{other}"),
            };
            cx.request(&to, held(1), note);
            cx.request(&to, echo(2), note);
            let dropped = cx.request(&to, echo(3), note);
            assert!(cx.cancel_request(dropped));
            assert!(!cx.cancel_request(dropped));
            cx.request_for(SOON, &to, held(4), note);
            cx.request(Name::new("nobody"), echo(5), note);
            assert_eq!(cx.requests(), 4);
            Next::keep_state()
        }));
        let first = [log.next(), log.next(), log.next()];
        for n in [2, 100, 101] {
            assert!(first.contains(&Got(Message, n, A)), "{first:?}");
        }
        machine.cast(go(B));
        assert_eq!(log.next(), Entered(A, B));
        other.cast(go(B));
        assert_eq!(log.next(), Got(Message, 1, B));
        let left = machine.call(ask(|_, reply, cx| {
            let left = cx.requests() as u64;
            Next::keep_state().reply(reply, left)
        }));
        assert_eq!(left, Ok(0));
        stop(&machine);
        stop(&other);
    });
}

/// The bound of the mailbox is for what waits there: what was postponed has left it.
#[test]
fn postponed_events_do_not_fill_the_mailbox() {
    both_servers(|kind| {
        let (script, log) = script();
        let spec = script.on(kind).mailbox(2, Overflow::Reject);
        let machine = spec.start().expect("it starts");
        for n in 0..10 {
            machine.try_cast(Msg::Wait(n)).expect("there is room");
            sync(&machine);
        }
        machine.cast(go(B));
        let log = log.after(&machine);
        assert_eq!(log.len(), 2 + 10 + 1 + 10);
        assert_eq!(
            log[13..],
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|n| Got(Message, n, B))
        );
        stop(&machine);
    });
}

/// A turnstile: its arguments are its data, and can be cloned.
struct Turnstile(u64);

enum TurnstileMsg {
    Coin,
    Push(ReplyTo<bool>),
    Crash,
}

static TURNSTILE: Name<TurnstileMsg> = Name::new("turnstile");

impl GenStatem for Turnstile {
    type Args = u64;
    type Msg = TurnstileMsg;
    type State = bool;
    type Timer = ();

    fn init(coins: u64, _: &mut Cx<Self>) -> Init<Self> {
        Init::ok(false, Turnstile(coins))
    }

    fn handle(&mut self, event: Event<Self>, open: &bool, _: &mut Cx<Self>) -> Next<Self> {
        match event {
            Event::Message(TurnstileMsg::Coin) => {
                self.0 += 1;
                Next::next_state(true)
            }
            Event::Message(TurnstileMsg::Push(reply)) => {
                Next::next_state(false).reply(reply, *open)
            }
            Event::Message(TurnstileMsg::Crash) => panic!("stuck after {} coins", self.0),
            _ => Next::keep_state(),
        }
    }
}

#[test]
fn supervised_machine_comes_back_in_its_first_state() {
    both_servers(|kind| {
        let child = Child::statem::<Turnstile>("turnstile", 0).name(&TURNSTILE);
        let child = match kind {
            Kind::Pooled => child.pooled(),
            Kind::Thread => child.thread(),
        };
        let child = child
            .shutdown(supervisor::Shutdown::Timeout(LONG))
            .label("gate");
        let tree = Supervisor::new(Strategy::OneForOne)
            .child(child)
            .start()
            .expect("it starts");
        let info = process::info(&TURNSTILE).expect("it lives");
        assert_eq!((info.kind, info.label.as_deref()), (kind, Some("gate")));
        TURNSTILE.cast(TurnstileMsg::Coin);
        assert_eq!(TURNSTILE.call(TurnstileMsg::Push), Ok(true));
        TURNSTILE.cast(TurnstileMsg::Coin);
        let mut watch = process::watch(&TURNSTILE);
        TURNSTILE.cast(TurnstileMsg::Crash);
        match ended(&mut watch) {
            ExitReason::Panic(panic) => assert_eq!(panic.message(), "stuck after 2 coins"),
            other => panic!("{other}"),
        }
        supervisor::which_children(&tree).expect("the restart is through");
        assert_eq!(TURNSTILE.call(TurnstileMsg::Push), Ok(false));
        supervisor::stop(&tree).expect("it stops");
        assert_eq!(TURNSTILE.whereis(), None);
    });
}

#[test]
fn dynamic_supervisor_starts_machines() {
    both_servers(|kind| {
        let rooms = DynamicSupervisor::new().start().expect("it starts");
        let mut coins = 4;
        let child = Child::statem_with::<Turnstile>("turnstile", move || {
            coins += 1;
            coins
        });
        let child = match kind {
            Kind::Pooled => child.pooled(),
            Kind::Thread => child.thread(),
        };
        let machine: Ref<TurnstileMsg> =
            dynamic_supervisor::start_child(&rooms, child.temporary()).expect("it starts");
        machine.cast(TurnstileMsg::Coin);
        assert_eq!(machine.call(TurnstileMsg::Push), Ok(true));
        let mut watch = process::watch(&machine);
        machine.cast(TurnstileMsg::Crash);
        match ended(&mut watch) {
            ExitReason::Panic(panic) => assert_eq!(panic.message(), "stuck after 6 coins"),
            other => panic!("{other}"),
        }
        supervisor::stop(&rooms).expect("it stops");
    });
}
