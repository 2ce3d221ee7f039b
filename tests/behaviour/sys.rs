//! A hand on running processes: suspend and resume, the state, an end in order.

use crate::clerk::*;
use crate::support::puppet::{BREEDS, both_kinds};
use crate::support::scripted::{KINDS, both_servers, gate};
use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, Overflow, TryCastError};
use perennial::sys::{self, Incoming, Switch, SysError, SysEvent};
use perennial::{ExitReason, Pid, Task, supervisor};
use std::sync::mpsc;
use std::time::Duration;

/// Far less than [`LONG`]: what does not come has to be waited for.
const SOON: Duration = Duration::from_millis(30);

/// Rows: sys.suspend
#[test]
fn suspended_server_answers_nobody_until_it_is_resumed() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        assert_eq!(sys::suspend(&clerk), Ok(()));
        assert_eq!(sys::suspend(&clerk), Ok(()));
        assert_eq!(clerk.call_for(SOON, Msg::Get), Err(CallError::Timeout));
        for n in 1..=10 {
            clerk.cast(Msg::Add(n));
        }
        assert_eq!(sys::get_state(&clerk), Ok(Some("Clerk 0 hunter2".into())));
        assert!(sys::get_status(&clerk).unwrap().suspended);
        // The call that gave up, and the numbers.
        eventually("all of it waits", || queue(&clerk) == 11);
        assert_eq!(sys::resume(&clerk), Ok(()));
        assert_eq!(sys::resume(&clerk), Ok(()));
        assert_eq!(get(&clerk), Ok(55));
        assert_eq!(queue(&clerk), 0);
        assert!(!sys::get_status(&clerk).unwrap().suspended);
        stop(&clerk);
    });
}

#[test]
fn what_a_suspended_server_holds_is_handled_in_order() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        sys::log_last(&clerk, 100).unwrap();
        sys::suspend(&clerk).unwrap();
        clerk.cast(Msg::Add(1));
        sys::get_state(&clerk).unwrap();
        clerk.cast(Msg::Add(2));
        let get = std::thread::spawn({
            let clerk = clerk.clone();
            move || get(&clerk)
        });
        eventually("the call waits behind them", || queue(&clerk) == 3);
        clerk.cast(Msg::Add(4));
        sys::resume(&clerk).unwrap();
        assert_eq!(get.join().unwrap(), Ok(3));
        self::get(&clerk).unwrap();
        let log = sys::get_log(&clerk).unwrap();
        let messages = log
            .iter()
            .filter(|event| !matches!(event, SysEvent::Then(_)));
        let messages: Vec<&SysEvent> = messages.collect();
        assert_eq!(messages[0], &message("Add(1)"));
        assert_eq!(messages[1], &message("Add(2)"));
        assert!(matches!(
            messages[2],
            SysEvent::In(Incoming::Call(Pid::INIT, _))
        ));
        assert_eq!(messages[3], &SysEvent::Out(Pid::INIT));
        assert_eq!(messages[4], &message("Add(4)"));
        stop(&clerk);
    });
}

/// What waits behind the order to go on is handled after what is held.
#[test]
fn what_comes_after_the_resume_is_handled_after_what_was_held() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        sys::log(&clerk, Switch::On).unwrap();
        sys::suspend(&clerk).unwrap();
        clerk.cast(Msg::Add(1));
        let (gate, wait) = gate();
        let (busy, is_busy) = mpsc::channel();
        let looks = aside(&clerk, |clerk| {
            let look = move |_: &Clerk| {
                busy.send(()).unwrap();
                wait();
            };
            sys::with_state(clerk, look).unwrap();
        });
        is_busy.recv_timeout(LONG).unwrap();
        let resumes = aside(&clerk, |clerk| sys::resume(clerk).unwrap());
        eventually("the order to go on waits", || queue(&clerk) == 2);
        clerk.cast(Msg::Add(2));
        drop(gate);
        eventually("both are through", || {
            !looks.is_alive() && !resumes.is_alive()
        });
        assert_eq!(get(&clerk), Ok(3));
        let log = sys::get_log(&clerk).unwrap();
        assert_eq!((&log[0], &log[2]), (&message("Add(1)"), &message("Add(2)")));
        stop(&clerk);
    });
}

/// Runs a closure in a process of its own.
fn aside(clerk: &Ref<Msg>, run: impl FnOnce(&Ref<Msg>) + Send + 'static) -> Ref<()> {
    let clerk = clerk.clone();
    process::spawn(move |_| run(&clerk))
}

#[test]
fn suspended_server_hears_of_signals_later() {
    both_servers(|kind| {
        let (clerk, _ends) = clerk_of(kind, Manner::Traps);
        sys::suspend(&clerk).unwrap();
        let pid = clerk.pid();
        let stranger = process::spawn::<()>(move |cx| {
            process::exit(pid, boom());
            cx.link(pid).unwrap();
        });
        eventually("the stranger has ended", || !stranger.is_alive());
        assert_eq!(sys::with_state(&clerk, |clerk: &Clerk| clerk.count), Ok(0));
        assert!(clerk.is_alive());
        sys::resume(&clerk).unwrap();
        // The signal that was sent, and the end of the process that linked itself.
        eventually("it has heard of both", || get(&clerk) == Ok(200_000));
        stop(&clerk);
    });
}

#[test]
fn suspended_server_ends_by_what_ends_any() {
    both_servers(|kind| {
        for (traps, reason) in [
            (false, boom()),
            (false, ExitReason::Kill),
            (true, ExitReason::Kill),
        ] {
            let manner = if traps { Manner::Traps } else { Manner::Open };
            let (clerk, _ends) = clerk_of(kind, manner);
            sys::suspend(&clerk).unwrap();
            clerk.cast(Msg::Add(1));
            let mut watch = process::watch(&clerk);
            let pid = clerk.pid();
            // From a process that is not its parent.
            process::spawn::<()>({
                let reason = reason.clone();
                move |_| process::exit(pid, reason)
            });
            let expected = match reason {
                ExitReason::Kill => ExitReason::Killed,
                reason => reason,
            };
            assert_eq!(watch.wait(LONG).unwrap().reason, expected);
        }
    });
}

#[test]
fn calls_that_a_suspended_server_held_hear_of_its_end() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        sys::suspend(&clerk).unwrap();
        let get = std::thread::spawn({
            let clerk = clerk.clone();
            move || get(&clerk)
        });
        eventually("the call is held", || queue(&clerk) == 1);
        let died = ExitReason::shutdown_with("closed");
        assert_eq!(gen_server::stop_for(&clerk, died.clone(), LONG), Ok(()));
        assert_eq!(get.join().unwrap(), Err(CallError::Exited(died)));
    });
}

#[test]
fn end_of_the_parent_ends_a_suspended_server_after_terminate() {
    both_servers(|kind| {
        let (sender, started) = mpsc::channel();
        let parent = process::spawn::<()>(move |cx| {
            let (spec, ends) = spec(kind, Manner::Traps);
            let clerk = spec.start_link().expect("it starts");
            sender.send((clerk, ends)).unwrap();
            cx.receive();
            cx.exit(boom());
        });
        let (clerk, ends) = started.recv_timeout(LONG).unwrap();
        sys::suspend(&clerk).unwrap();
        clerk.cast(Msg::Add(1));
        let mut watch = process::watch(&clerk);
        parent.cast(());
        assert_eq!(ends.recv_timeout(LONG), Ok(boom()));
        assert_eq!(watch.wait(LONG).unwrap().reason, boom());
    });
}

#[test]
fn mailbox_of_a_suspended_server_stays_bounded() {
    both_servers(|kind| {
        for overflow in [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
            let (spec, _ends) = spec(kind, Manner::Open);
            let clerk = spec.mailbox(3, overflow).start().unwrap();
            sys::suspend(&clerk).unwrap();
            for n in 0..8 {
                let sent = clerk.try_cast(Msg::Add(1 << n));
                let fits = n < 3 || overflow != Overflow::Reject;
                assert_eq!(sent.is_ok(), fits, "{overflow:?}, {n}");
                if let Err(error) = sent {
                    assert!(matches!(error, TryCastError::Full(_)));
                }
                // Answered when what came before has been put aside, and counts as in the mailbox still.
                sys::get_state(&clerk).unwrap();
                assert_eq!(queue(&clerk), 3.min(n + 1), "{overflow:?}");
            }
            let oldest = overflow != Overflow::DropOldest;
            let expected = if oldest { 0b111 } else { 0b1110_0000 };
            sys::resume(&clerk).unwrap();
            eventually("what was held is handled", || queue(&clerk) == 0);
            assert_eq!(get(&clerk), Ok(expected), "{overflow:?}");
            stop(&clerk);
        }
    });
}

#[test]
fn sender_waits_for_room_until_a_suspended_server_goes_on() {
    both_servers(|kind| {
        let (spec, _ends) = spec(kind, Manner::Open);
        let clerk = spec.mailbox(1, Overflow::Block(LONG)).start().unwrap();
        sys::suspend(&clerk).unwrap();
        clerk.cast(Msg::Add(1));
        let sender = aside(&clerk, |clerk| clerk.cast(Msg::Add(2)));
        eventually("the sender waits for room", || {
            let info = process::info(&sender);
            info.is_some_and(|info| info.status == process::Status::Waiting)
        });
        sys::resume(&clerk).unwrap();
        eventually("the sender has found room", || !sender.is_alive());
        eventually("both have come", || get(&clerk) == Ok(3));
        stop(&clerk);
    });
}

/// Rows: sys.special_process, gs.replace_state_fail
#[test]
fn closure_that_fails_leaves_the_state_as_it_was() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        clerk.cast(Msg::Add(3));
        for suspended in [false, true] {
            if suspended {
                sys::suspend(&clerk).unwrap();
            }
            let failed = sys::replace_state(&clerk, |_: &Clerk| -> Clerk { panic!("no") });
            let Err(SysError::CallbackFailed(ExitReason::Panic(panic))) = failed else {
                panic!("{failed:?}");
            };
            assert_eq!(panic.message(), "no");
            let left = sys::replace_state(&clerk, |clerk: &Clerk| {
                process::exit_self(boom()).unwrap();
                Clerk {
                    secret: "new",
                    ends: clerk.ends.clone(),
                    ..*clerk
                }
            });
            assert_eq!(left.unwrap_err(), SysError::CallbackFailed(boom()));
            let failed = sys::with_state(&clerk, |_: &Clerk| -> u64 { panic!("no") });
            assert!(matches!(failed, Err(SysError::CallbackFailed(_))));
            let other = sys::replace_state(&clerk, |_: &u64| 7);
            assert_eq!(other, Err(SysError::OtherState));
            assert_eq!(sys::with_state(&clerk, |clerk: &Clerk| clerk.count), Ok(3));
        }
        sys::resume(&clerk).unwrap();
        assert_eq!(get(&clerk), Ok(3));
        stop(&clerk);
    });
}

/// Rows: sys.special_process
#[test]
fn state_is_seen_and_replaced_while_a_server_is_suspended_too() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        for (round, suspended) in [(1, false), (2, true)] {
            if suspended {
                sys::suspend(&clerk).unwrap();
            }
            let before = sys::replace_state(&clerk, move |clerk: &Clerk| Clerk {
                count: 10 * round,
                ends: clerk.ends.clone(),
                ..*clerk
            });
            assert_eq!(before.map(|clerk| clerk.count).ok(), Some(10 * (round - 1)));
            let text = format!("Clerk {} hunter2", 10 * round);
            assert_eq!(sys::get_state(&clerk), Ok(Some(text)));
        }
        sys::resume(&clerk).unwrap();
        assert_eq!(get(&clerk), Ok(20));
        stop(&clerk);
    });
}

/// Rows: sys.special_process
#[test]
fn terminate_ends_a_server_after_its_own_terminate() {
    both_servers(|kind| {
        for suspended in [false, true] {
            let (clerk, ends) = clerk_of(kind, Manner::Open);
            if suspended {
                sys::suspend(&clerk).unwrap();
            }
            let mut watch = process::watch(&clerk);
            let reason = ExitReason::shutdown_with("enough");
            assert_eq!(sys::terminate(&clerk, reason.clone()), Ok(()));
            assert_eq!(ends.recv_timeout(LONG), Ok(reason.clone()));
            assert_eq!(watch.wait(LONG).unwrap().reason, reason);
            let gone = Err(SysError::Call(CallError::NoProc));
            eventually("it is not there any more", || {
                sys::terminate(&clerk, boom()) == gone
            });
        }
    });
}

/// A process that runs a closure hears of none of this, and whoever asks is told so at once. On the BEAM the
/// caller times out.
///
/// Rows: sys.special_process
#[test]
fn closure_takes_no_system_messages() {
    on_stage(builder(), |_| {
        let closure = process::spawn::<()>(|cx| drop(cx.receive()));
        let refused = Err(SysError::NotSupported);
        assert_eq!(sys::suspend(&closure), refused);
        assert_eq!(sys::get_state(&closure), Err(SysError::NotSupported));
        assert_eq!(sys::terminate(&closure, boom()), refused);
        closure.cast(());
        process::run::<(), _>(|_| {
            let (go, wait) = mpsc::channel::<()>();
            let task = Task::spawn(move || wait.recv_timeout(LONG).is_ok()).unwrap();
            assert_eq!(
                sys::get_state(task.pid().unwrap()),
                Err(SysError::NotSupported)
            );
            go.send(()).unwrap();
            assert_eq!(task.join(), Ok(true));
        })
        .unwrap();
    });
}

#[test]
fn nobody_asks_itself_or_the_dead() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        let pid = clerk.pid();
        let asked = sys::with_state(&clerk, move |_: &Clerk| sys::get_state(pid));
        let itself = Err(SysError::Call(CallError::CallingSelf));
        assert_eq!(asked, Ok(itself));
        stop(&clerk);
        let gone = SysError::Call(CallError::NoProc);
        assert_eq!(sys::suspend(&clerk), Err(gone.clone()));
        assert_eq!(sys::suspend("nobody of this name"), Err(gone));
    });
}

#[test]
fn processes_of_every_breed_ask_one_another() {
    both_kinds(|breed| {
        let puppet = breed.puppet();
        for kind in KINDS {
            let clerk = clerk(kind);
            let pid = clerk.pid();
            let seen = puppet.run(move |_| {
                sys::suspend(pid)?;
                let state = sys::get_state(pid);
                sys::resume(pid)?;
                state
            });
            assert_eq!(seen, Ok(Some("Clerk 0 hunter2".into())));
            stop(&clerk);
        }
    });
    assert_eq!(BREEDS.len(), 3);
}

#[test]
fn supervisors_of_both_sorts_are_suspended_and_shown() {
    both_servers(|kind| {
        let (ends, _ended) = mpsc::channel();
        let child = move || {
            let child = Child::server::<Clerk>("clerk", (Manner::Open, ends.clone()));
            match kind {
                Kind::Pooled => child.pooled(),
                Kind::Thread => child.thread(),
            }
        };
        let tree = Supervisor::new(Strategy::OneForOne)
            .child(child())
            .start()
            .unwrap();
        let before = supervisor::which_children(&tree).unwrap();
        sys::suspend(&tree).unwrap();
        let supervisor::ChildState::Running(first) = before[0].state else {
            panic!("{before:?}");
        };
        let mut watch = process::watch(first);
        process::exit(first, ExitReason::Kill);
        watch.wait(LONG).unwrap();
        // Nobody restarts it yet.
        let state = sys::get_state(&tree).unwrap().unwrap();
        assert!(state.contains(&format!("Running({first})")), "{state}");
        sys::resume(&tree).unwrap();
        let after = supervisor::which_children(&tree).unwrap();
        assert!(matches!(after[0].state, supervisor::ChildState::Running(pid) if pid != first));
        // A suspended one stops all the same, and its children before it.
        sys::suspend(&tree).unwrap();
        assert_eq!(supervisor::stop(&tree), Ok(()));

        let rooms = DynamicSupervisor::new().start().unwrap();
        let room = supervisor::dynamic_supervisor::start_child(&rooms, child()).unwrap();
        let state = sys::get_state(&rooms).unwrap().unwrap();
        assert!(
            state.contains(&format!("Running({})", room.pid())),
            "{state}"
        );
        let mut watch = process::watch(&rooms);
        sys::suspend(&rooms).unwrap();
        sys::terminate(&rooms, ExitReason::Shutdown).unwrap();
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Shutdown);
        assert!(!room.is_alive());
    });
}

#[test]
fn runtime_that_stops_takes_suspended_processes_along() {
    for kind in KINDS {
        let runtime = builder().build().unwrap();
        let entered = runtime.enter();
        let (clerk, _ends) = clerk_of(kind, Manner::Traps);
        let tree = Supervisor::new(Strategy::OneForOne).start().unwrap();
        sys::suspend(&clerk).unwrap();
        sys::suspend(&tree).unwrap();
        drop(entered);
        let report = runtime.shutdown(LONG);
        assert_eq!((report.killed, report.zombies), (0, 0), "{report:?}");
    }
}
