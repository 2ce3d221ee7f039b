//! GenStatem, looked into from outside, entered by a closure, and asked by those who take their address back.

use crate::support::puppet::{Breed, Msg as PuppetMsg, Record, both_kinds};
use crate::support::scripted::{both_servers, both_servers_in};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::ExitReason;
use perennial::gen_statem::{self, Cx, Event, Init, Next, Timeout};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, Recipient, RegisterError, ServerReport, Unalias};
use perennial::supervisor::{PartitionSupervisor, Partitions};
use perennial::sys::{self, Incoming, Shown, SysError, SysEvent};
use perennial::time::Clock;
use std::cell::RefCell;
use std::sync::mpsc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Locked,
    Open,
}

#[derive(Debug)]
enum Msg {
    /// Unlocks it, if the code is right; what it opens for stays open for so long.
    Code(u32, Duration),
    Walk(ReplyTo<u32>),
    /// As `Walk`, with the answer to an address.
    WalkTo(Recipient<u64>),
    Relock,
    Crash,
}

/// A lock, and how many walked through.
struct Lock {
    code: u32,
    walked: u32,
    manner: Manner,
    ends: Option<mpsc::Sender<ExitReason>>,
}

/// What it does when it is to show itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Open,
    Discreet,
    Clumsy,
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lock {} after {}", self.code, self.walked)
    }
}

impl GenStatem for Lock {
    type Args = (u32, Manner);
    type Msg = Msg;
    type State = Door;
    type Timer = ();

    const TRAP_EXIT: bool = true;

    fn init((code, manner): (u32, Manner), _: &mut Cx<Self>) -> Init<Self> {
        Init::ok(Door::Locked, lock(code, manner))
    }

    fn handle(&mut self, event: Event<Self>, door: &Door, _: &mut Cx<Self>) -> Next<Self> {
        match (door, event) {
            (_, Event::Message(Msg::Crash)) => panic!("the bolt is broken"),
            (Door::Locked, Event::Message(Msg::Code(code, open))) if code == self.code => {
                Next::next_state(Door::Open).state_timeout(open, Msg::Relock)
            }
            (_, Event::Message(Msg::Code(..))) => Next::keep_state(),
            (Door::Locked, event) => Next::keep_state().postpone(event),
            (Door::Open, Event::Message(Msg::Walk(reply))) => {
                self.walked += 1;
                Next::keep_state().reply(reply, self.walked)
            }
            (Door::Open, Event::Message(Msg::WalkTo(address))) => {
                self.walked += 1;
                address.cast(u64::from(self.walked));
                Next::keep_state()
            }
            (Door::Open, Event::Timeout(Timeout::State, _)) => Next::next_state(Door::Locked),
            (Door::Open, _) => Next::keep_state(),
        }
    }

    fn terminate(&mut self, reason: &ExitReason, _: &Door, _: &mut Cx<Self>) {
        if let Some(ends) = &self.ends {
            // A test that has ended reads no more.
            let _ = ends.send(reason.clone());
        }
    }

    fn inspect(current: &(Door, Self)) -> Option<&dyn std::fmt::Debug> {
        Some(current)
    }

    fn inspect_message(msg: &Msg) -> Option<&dyn std::fmt::Debug> {
        Some(msg)
    }

    fn format_status(&self, door: &Door, shown: &mut Shown) {
        match self.manner {
            Manner::Open => {}
            Manner::Discreet => {
                shown.state = Some(format!("{door:?}"));
                shown.message = None;
            }
            Manner::Clumsy => panic!("it slipped"),
        }
    }
}

fn lock(code: u32, manner: Manner) -> Lock {
    Lock {
        code,
        walked: 0,
        manner,
        ends: None,
    }
}

fn start(kind: Kind, manner: Manner) -> Ref<Msg> {
    let spec = gen_statem::spec::<Lock>((4711, manner));
    crate::machine::on(spec, kind).start().unwrap()
}

fn code(open: Duration) -> Msg {
    Msg::Code(4711, open)
}

/// Rows: statem.sys1
#[test]
fn suspended_machine_answers_when_it_is_resumed() {
    both_servers(|kind| {
        let lock = start(kind, Manner::Open);
        lock.cast(code(LONG));
        sys::suspend(&lock).unwrap();
        let late = lock.call_for(Duration::from_millis(5), Msg::Walk);
        assert_eq!(late, Err(CallError::Timeout));
        assert!(sys::get_status(&lock).unwrap().suspended);
        sys::resume(&lock).unwrap();
        // The one whose caller gave up was handled as well.
        assert_eq!(lock.call_for(LONG, Msg::Walk), Ok(2));
        gen_statem::stop(&lock).unwrap();
    });
}

/// A timeout rings while it is suspended, and is handled afterwards.
///
/// Rows: statem.sys1
#[test]
fn timeout_of_a_suspended_machine_waits() {
    let hand = RefCell::new(None);
    let manual = || {
        let (clock, manual) = Clock::manual();
        hand.replace(Some(manual));
        builder().clock(clock)
    };
    both_servers_in(manual, |kind, _| {
        let lock = start(kind, Manner::Open);
        let door = || sys::with_state(&lock, |(door, _): &(Door, Lock)| *door).unwrap();
        lock.cast(code(Duration::from_secs(1)));
        assert_eq!(door(), Door::Open);
        sys::suspend(&lock).unwrap();
        hand.borrow()
            .as_ref()
            .unwrap()
            .advance(Duration::from_secs(2));
        assert_eq!(door(), Door::Open);
        sys::resume(&lock).unwrap();
        eventually("it is locked again", || door() == Door::Locked);
        gen_statem::stop(&lock).unwrap();
    });
}

/// Rows: statem.get_state
#[test]
fn state_and_data_are_seen_from_outside() {
    both_servers(|kind| {
        let lock = start(kind, Manner::Discreet);
        let shown = || sys::get_state(&lock).unwrap();
        assert_eq!(shown().as_deref(), Some("(Locked, Lock 4711 after 0)"));
        lock.cast(code(LONG));
        assert_eq!(lock.call_for(LONG, Msg::Walk), Ok(1));
        assert_eq!(shown().as_deref(), Some("(Open, Lock 4711 after 1)"));
        sys::suspend(&lock).unwrap();
        let seen = sys::with_state(&lock, |(door, lock): &(Door, Lock)| (*door, lock.walked));
        assert_eq!(seen, Ok((Door::Open, 1)));
        let other = sys::with_state(&lock, |_: &Lock| ());
        assert_eq!(other, Err(SysError::OtherState));
        gen_statem::stop(&lock).unwrap();
    });
}

/// As on the BEAM: it is no transition, so nothing that was postponed comes again by it.
///
/// Rows: statem.replace_state
#[test]
fn state_and_data_are_replaced_from_outside() {
    both_servers(|kind| {
        let machine = start(kind, Manner::Open);
        let (waiting, postponed) = (machine.clone(), mpsc::channel());
        let walker = process::spawn::<()>(move |_| {
            postponed.0.send(waiting.call_for(LONG, Msg::Walk)).unwrap();
        });
        eventually("the walker waits", || {
            let shown = sys::get_status(&machine).unwrap().shown;
            shown.message.is_some_and(|last| last.starts_with("Walk"))
        });
        let replaced = sys::replace_state(&machine, |(_, old): &(Door, Lock)| {
            (
                Door::Open,
                Lock {
                    walked: 10,
                    ..lock(old.code, old.manner)
                },
            )
        });
        let (door, old) = replaced.unwrap();
        assert_eq!((door, old.walked), (Door::Locked, 0));
        assert_eq!(machine.call_for(LONG, Msg::Walk), Ok(11));
        assert!(postponed.1.try_recv().is_err());
        // What panics replaces nothing.
        let failed = sys::replace_state(&machine, |_: &(Door, Lock)| panic!("no such lock"));
        assert!(
            matches!(failed, Err(SysError::CallbackFailed(_))),
            "{failed:?}"
        );
        // While it is suspended, too.
        sys::suspend(&machine).unwrap();
        let locked = |(_, old): &(Door, Lock)| {
            (
                Door::Locked,
                Lock {
                    walked: 20,
                    ..lock(old.code, old.manner)
                },
            )
        };
        assert_eq!(sys::replace_state(&machine, locked).unwrap().1.walked, 11);
        sys::resume(&machine).unwrap();
        machine.cast(code(LONG));
        assert_eq!(postponed.1.recv_timeout(LONG), Ok(Ok(21)));
        let mut end = process::watch(&walker);
        end.wait(LONG);
        gen_statem::stop(&machine).unwrap();
    });
}

/// Rows: statem.format_status
#[test]
fn machine_says_what_is_shown_of_it() {
    both_servers_in(builder, |kind, runtime| {
        // (manner, state, message, state in the report of its failure)
        let slipped = Some("format_status panicked");
        let open = Some("(Open, Lock 4711 after 0)");
        let table = [
            (Manner::Open, open, Some("Code(4711, 20s)"), Some("Crash")),
            (Manner::Discreet, Some("Open"), None, None),
            (Manner::Clumsy, slipped, slipped, slipped),
        ];
        for (manner, state, message, last) in table {
            let (sender, reports) = mpsc::channel();
            let handler = runtime
                .telemetry()
                .attach(move |report: &ServerReport| drop(sender.send(report.clone())));
            let lock = start(kind, manner);
            lock.cast(Msg::Code(4711, Duration::from_secs(20)));
            let shown = sys::get_status(&lock).unwrap().shown;
            assert_eq!(shown.state.as_deref(), state);
            assert_eq!(shown.message.as_deref(), message);
            let mut end = process::watch(&lock);
            lock.cast(Msg::Crash);
            end.wait(LONG).expect("it ends");
            let report = reports.try_recv().expect("it is reported");
            assert_eq!(
                (report.pid, report.behaviour),
                (lock.pid(), "state machine")
            );
            assert!(report.initial.contains("Lock"), "{report}");
            assert_eq!(report.shown.state.as_deref(), state);
            assert_eq!(report.shown.message.as_deref(), last);
            runtime.telemetry().detach(handler);
        }
    });
}

#[test]
fn hook_sees_what_a_machine_is_sent_and_where_it_is() {
    both_servers(|kind| {
        let lock = start(kind, Manner::Open);
        let (sender, seen) = mpsc::channel();
        sys::install_with_state(&lock, move |event, (door, _): &(Door, Lock)| {
            if let SysEvent::In(Incoming::Message(Some(text))) = event {
                sender.send((text.to_string(), *door)).unwrap();
            }
            sys::Hook::Stays
        })
        .unwrap();
        lock.cast(Msg::Code(4711, Duration::from_secs(20)));
        lock.cast(Msg::Relock);
        let next = || seen.recv_timeout(LONG).unwrap();
        assert_eq!(next(), ("Code(4711, 20s)".to_owned(), Door::Locked));
        assert_eq!(next(), ("Relock".to_owned(), Door::Open));
        gen_statem::stop(&lock).unwrap();
    });
}

/// Starts a closure that waits for its gate and goes on as a lock that is open.
fn enter(registers: Option<&'static Name<Msg>>) -> (Ref<Msg>, mpsc::Receiver<ExitReason>) {
    let (ends, told) = mpsc::channel();
    let machine = process::spawn::<Msg>(move |cx| {
        let open = Lock {
            ends: Some(ends),
            ..lock(1, Manner::Open)
        };
        let init = Init::ok(Door::Open, open);
        match registers {
            None => gen_statem::enter_loop(cx, init),
            Some(name) => match gen_statem::enter_loop_as(cx, name, init) {
                Err(RegisterError::Taken(_)) => return,
                other => panic!("{other:?}"),
            },
        }
        unreachable!("the process ends with the machine");
    });
    (machine, told)
}

/// Rows: statem.enter_loop
#[test]
fn closure_goes_on_as_a_machine() {
    static NAME: Name<Msg> = Name::new("the lock");
    both_kinds(|breed| {
        let (machine, told) = enter(Some(&NAME));
        let (to, walker) = (machine.clone(), breed.puppet());
        assert_eq!(walker.run(move |_| to.call_for(LONG, Msg::Walk)), Ok(1));
        assert_eq!(NAME.call_for(LONG, Msg::Walk), Ok(2));
        // The name is that of the machine: another closure is refused.
        let (_other, never) = enter(Some(&NAME));
        let nothing = Err(mpsc::RecvTimeoutError::Disconnected);
        assert_eq!(never.recv_timeout(LONG), nothing);
        assert_eq!(gen_statem::stop(&NAME), Ok(()));
        assert_eq!(told.recv_timeout(LONG), Ok(ExitReason::Normal));

        let (machine, told) = enter(None);
        assert_eq!(machine.call_for(LONG, Msg::Walk), Ok(1));
        machine.cast(Msg::Crash);
        let end = told.recv_timeout(LONG);
        assert!(matches!(end, Ok(ExitReason::Panic(_))), "{end:?}");
    });
}

/// Rows: statem.enter_loop
#[test]
fn name_of_another_makes_no_machine() {
    static NAME: Name<Msg> = Name::new("the other lock");
    both_servers(|kind| {
        let spec = gen_statem::spec::<Lock>((1, Manner::Open)).name(&NAME);
        let holder = crate::machine::on(spec, kind).start().unwrap();
        let (sender, refused) = mpsc::channel();
        let closure = process::spawn::<Msg>(move |cx| {
            let init = Init::ok(Door::Open, lock(1, Manner::Open));
            sender
                .send(gen_statem::enter_loop_as(cx, &NAME, init))
                .unwrap();
        });
        let taken = Err(RegisterError::Taken(holder.pid()));
        assert_eq!(refused.recv_timeout(LONG), Ok(taken));
        process::watch(&closure).wait(LONG);
        gen_statem::stop(&holder).unwrap();
    });
}

/// The answer comes to an address of the caller's, and not once that was taken back.
///
/// Rows: statem.reply_by_alias
#[test]
fn machine_answers_to_an_alias_of_its_caller() {
    both_kinds(|breed| {
        let kind = match breed {
            Breed::Pooled => Kind::Pooled,
            Breed::Thread | Breed::ThreadServer => Kind::Thread,
        };
        let machine = start(kind, Manner::Open);
        let (caller, pid) = (breed.puppet(), machine.pid());
        let ask =
            |how| caller.run(move |inside| inside.monitor_with_alias(pid, how, PuppetMsg::Tell));
        let (_monitor, alias) = ask(Unalias::ReplyDemonitor);
        let (monitor, late) = ask(Unalias::Demonitor);
        // Postponed, all of them, until the door opens.
        machine.cast(Msg::WalkTo(alias.recipient()));
        machine.cast(Msg::WalkTo(alias.recipient()));
        machine.cast(Msg::WalkTo(late.recipient()));
        assert!(caller.run(move |inside| inside.demonitor(monitor)));
        machine.cast(code(LONG));
        assert_eq!(caller.next(), Record::Told(1));
        assert_eq!(machine.call_for(LONG, Msg::Walk), Ok(4));
        caller.nothing_more();
        assert!(!alias.is_active() && !late.is_active());
        gen_statem::stop(&machine).unwrap();
        // The monitor went with the first answer.
        caller.nothing_more();
    });
}

#[test]
fn partitions_are_made_of_machines_and_of_agents() {
    static LOCKS: Partitions<Msg> = Partitions::new("locks");
    static NUMBERS: Partitions<perennial::agent::Msg<u32>> = Partitions::new("numbers");
    both_servers(|kind| {
        let locks = PartitionSupervisor::new(move |n| {
            let child = Child::statem::<Lock>("lock", (n as u32, Manner::Open));
            match kind {
                Kind::Thread => child.thread(),
                Kind::Pooled => child.pooled(),
            }
        });
        let locks = locks.partitions(3).name(&LOCKS).start().unwrap();
        LOCKS.key(5).cast(Msg::Code(2, LONG));
        assert_eq!(LOCKS.key(2).call_for(LONG, Msg::Walk), Ok(1));
        supervisor::stop(&locks).unwrap();
        let numbers = PartitionSupervisor::new(|n| Child::agent("number", move || n as u32));
        let numbers = numbers.partitions(2).name(&NUMBERS).start().unwrap();
        assert_eq!(perennial::agent::get(&NUMBERS.key(3), |n| *n), Ok(1));
        supervisor::stop(&numbers).unwrap();
    });
}
