//! Agents: closures over a state in a process of its own.

use crate::support::LONG;
use crate::support::puppet::both_kinds;
use crate::support::scripted::{both_servers, gate};
use perennial::agent::{self, Agent};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, Received, StartError};
use perennial::supervisor::{self, ChildState, Restart};
use perennial::{ExitReason, sys};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

type Number = Ref<agent::Msg<u64>>;

fn on<S: Send + 'static>(
    kind: Kind,
    init: impl FnOnce() -> S + Send + 'static,
) -> gen_server::Spec<Agent<S>> {
    match kind {
        Kind::Pooled => agent::spec(init).pooled(),
        Kind::Thread => agent::spec(init).thread(),
    }
}

fn number(kind: Kind, n: u64) -> Number {
    on(kind, move || n).start().expect("the agent starts")
}

fn get(number: &Number) -> Result<u64, CallError> {
    agent::get(number, |n| *n)
}

#[test]
fn closures_see_and_change_the_state_in_order() {
    both_servers(|kind| {
        let number = number(kind, 1);
        agent::cast(&number, |n| *n += 1);
        assert_eq!(agent::update(&number, |n| *n *= 10), Ok(()));
        agent::cast(&number, |n| *n += 2);
        assert_eq!(get(&number), Ok(22));
        let had = agent::get_and_update(&number, |n| std::mem::replace(n, 5));
        assert_eq!((had, get(&number)), (Ok(22), Ok(5)));
        assert_eq!(agent::stop(&number), Ok(()));
        assert_eq!(get(&number), Err(CallError::NoProc));
        // As any cast to nobody.
        agent::cast(&number, |n| *n += 1);
    });
}

#[test]
fn closures_run_in_the_agent() {
    both_kinds(|breed| {
        let puppet = breed.puppet();
        let agent = agent::start(process::self_pid).unwrap();
        let to = agent.clone();
        let (began, runs) = puppet.run(move |_| {
            let began = agent::get(&to, |pid| *pid).unwrap();
            (began, agent::get(&to, |_| process::self_pid()).unwrap())
        });
        assert_eq!((began, runs), (Some(agent.pid()), Some(agent.pid())));
        agent::stop(&agent).unwrap();
    });
}

/// Rows: agent.named
#[test]
fn name_of_an_agent_leads_to_it_until_it_stops() {
    both_servers(|kind| {
        static NUMBER: Name<agent::Msg<u64>> = Name::new("the number");
        let first = on(kind, || 1).name(&NUMBER).start().unwrap();
        assert_eq!(agent::update(&NUMBER, |n| *n += 1), Ok(()));
        assert_eq!(agent::get(&NUMBER, |n| *n), Ok(2));
        let second = on(kind, || 2).name(&NUMBER).start();
        assert_eq!(second, Err(StartError::AlreadyStarted(first.pid())));
        assert_eq!(agent::stop(&NUMBER), Ok(()));
        assert_eq!(NUMBER.whereis(), None);
        assert_eq!(agent::get(&NUMBER, |n| *n), Err(CallError::NoProc));
    });
}

/// Rows: v.update_panics
#[test]
fn closure_that_panics_takes_the_agent_with_it_and_its_caller_is_told() {
    both_servers(|kind| {
        for way in 0..3 {
            let number = number(kind, 1);
            let mut watch = process::watch(&number);
            let told = match way {
                0 => agent::update(&number, |_| panic!("no such number")),
                1 => agent::get(&number, |_| panic!("no such number")),
                _ => agent::get_and_update(&number, |_| panic!("no such number")),
            };
            let reason = watch.wait(LONG).expect("it ends").reason;
            let ExitReason::Panic(panic) = &reason else {
                panic!("{reason:?}");
            };
            assert_eq!(panic.message(), "no such number");
            assert!(
                panic
                    .location()
                    .is_some_and(|place| place.contains("agent.rs"))
            );
            assert_eq!(told, Err(CallError::Exited(reason)));
            assert_eq!(get(&number), Err(CallError::NoProc));
        }
    });
}

/// A linked caller that does not trap goes down with its agent.
#[test]
fn linked_agent_takes_its_starter_with_it() {
    both_servers(|kind| {
        let ended = process::run::<(), _>(|cx| {
            let number = on(kind, || 1).start_link().unwrap();
            agent::cast(&number, |_| panic!("no such number"));
            cx.receive();
        });
        assert!(matches!(ended, Err(ExitReason::Panic(_))), "{ended:?}");
        process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let number = on(kind, || 1).start_link().unwrap();
            agent::stop(&number).unwrap();
            let Received::Exit(exit) = cx.receive() else {
                panic!("no exit");
            };
            assert_eq!((exit.from, exit.reason), (number.pid(), ExitReason::Normal));
        })
        .unwrap();
    });
}

#[test]
fn state_that_cannot_be_made_is_a_failed_start() {
    both_servers(|kind| {
        let failed = on(kind, || -> u64 { panic!("no number") }).start();
        let Err(StartError::Exit(ExitReason::Panic(panic))) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(panic.message(), "no number");
        assert_eq!(agent::start_link(|| 1), Err(StartError::NotAProcess));
    });
}

#[test]
fn caller_gives_up_and_the_closure_runs_all_the_same() {
    both_servers(|kind| {
        let number = number(kind, 1);
        let (gate, wait) = gate();
        let late = agent::get_and_update_for(Duration::from_millis(20), &number, |n| {
            wait();
            *n = 7;
        });
        assert_eq!(late, Err(CallError::Timeout));
        drop(gate);
        assert_eq!(get(&number), Ok(7));
        agent::stop(&number).unwrap();
    });
}

/// Rows: agent.supervised
#[test]
fn supervised_agent_is_permanent_and_begins_anew() {
    both_servers(|kind| {
        static NUMBER: Name<agent::Msg<u64>> = Name::new("a supervised number");
        let starts = Arc::new(AtomicU64::new(0));
        let count = starts.clone();
        let child = Child::agent("number", move || {
            10 * (1 + count.fetch_add(1, Ordering::SeqCst))
        });
        let child = match kind {
            Kind::Pooled => child.pooled(),
            Kind::Thread => child.thread(),
        };
        let tree = Supervisor::new(Strategy::OneForOne)
            .child(child.name(&NUMBER))
            .start()
            .unwrap();
        let rules = supervisor::get_childspec(&tree, "number").unwrap().unwrap();
        assert_eq!(rules.restart, Restart::Permanent);
        agent::update(&NUMBER, |n| *n += 1).unwrap();
        assert_eq!(agent::get(&NUMBER, |n| *n), Ok(11));
        // It is restarted even when it stops in order.
        let mut watch = process::watch(&NUMBER);
        agent::stop(&NUMBER).unwrap();
        watch.wait(LONG).unwrap();
        let children = supervisor::which_children(&tree).unwrap();
        assert!(matches!(children[0].state, ChildState::Running(_)));
        assert_eq!(agent::get(&NUMBER, |n| *n), Ok(20));
        supervisor::stop(&tree).unwrap();
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn state_of_an_agent_is_seen_from_outside() {
    both_servers(|kind| {
        let number = number(kind, 3);
        let seen = sys::with_state(&number, |agent: &Agent<u64>| *agent.state());
        assert_eq!(seen, Ok(3));
        // What has no Debug that may be shown shows nothing.
        assert_eq!(sys::get_state(&number), Ok(None));
        agent::stop(&number).unwrap();
    });
}
