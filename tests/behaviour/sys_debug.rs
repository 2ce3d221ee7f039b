//! What running processes do, seen from outside: statistics, trace, log, hooks.

use crate::clerk::*;
use crate::support::LONG;
use crate::support::scripted::{both_servers, both_servers_in};
use crate::support::stage::builder;
use perennial::prelude::*;
use perennial::process;
use perennial::sys::{self, Hook, HookId, Statistics, Switch, SysError, SysEvent, Then, Traced};
use std::sync::mpsc;
use std::time::Duration;

/// Rows: sys.stats
#[test]
fn statistics_count_what_comes_and_what_is_answered() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        assert_eq!(sys::get_statistics(&clerk), Err(SysError::NoStatistics));
        get(&clerk).unwrap();
        sys::statistics(&clerk, Switch::On).unwrap();
        let counted = |counted: Statistics| {
            assert!(counted.start <= counted.now);
            (counted.messages_in, counted.messages_out, counted.callbacks)
        };
        get(&clerk).unwrap();
        assert_eq!(sys::get_statistics(&clerk).map(counted), Ok((1, 1, 1)));
        // Answered later, from another callback: OTP does not count that either.
        clerk.call_for(LONG, Msg::Keep).unwrap();
        clerk.cast(Msg::Go);
        get(&clerk).unwrap();
        assert_eq!(sys::get_statistics(&clerk).map(counted), Ok((5, 2, 6)));
        sys::statistics(&clerk, Switch::Off).unwrap();
        assert_eq!(sys::get_statistics(&clerk), Err(SysError::NoStatistics));
        stop(&clerk);
    });
}

/// Rows: sys.trace
#[test]
fn trace_tells_what_comes_and_goes() {
    both_servers_in(builder, |kind, runtime| {
        let (sender, traced) = mpsc::channel();
        let attached = runtime.telemetry().attach(move |traced: &Traced| {
            let _ = sender.send((traced.pid, traced.event.clone(), traced.to_string()));
        });
        let clerk = clerk(kind);
        clerk.cast(Msg::Add(1));
        sys::trace(&clerk, Switch::On).unwrap();
        clerk.cast(Msg::Add(2));
        get(&clerk).unwrap();
        sys::trace(&clerk, Switch::Off).unwrap();
        get(&clerk).unwrap();
        stop(&clerk);
        let events: Vec<_> = traced.try_iter().collect();
        assert!(events.iter().all(|(pid, ..)| *pid == clerk.pid()));
        let lines: Vec<&str> = events.iter().map(|(_, _, line)| &**line).collect();
        let text = |rest: &str| format!("{}: {rest}", clerk.pid());
        assert_eq!(lines[0], text("in message Add(2)"));
        assert_eq!(lines[1], text("waits"));
        assert!(lines[2].starts_with(&text("in call from <0.0.0>: Get(")));
        assert_eq!(lines[3..], [text("out to <0.0.0>"), text("waits")]);
        runtime.telemetry().detach(attached);
    });
}

/// Rows: sys.log
#[test]
fn log_keeps_the_last_events() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        assert_eq!(sys::get_log(&clerk), Ok(vec![]));
        sys::log(&clerk, Switch::On).unwrap();
        for n in 0..8 {
            clerk.cast(Msg::Add(n));
        }
        let log = sys::get_log(&clerk).unwrap();
        assert_eq!(log.len(), 10);
        assert_eq!(log[..2], [message("Add(3)"), SysEvent::Then(Then::Loop)]);
        assert_eq!(log[8..], [message("Add(7)"), SysEvent::Then(Then::Loop)]);
        // A shorter one keeps the newest of them.
        sys::log_last(&clerk, 3).unwrap();
        assert_eq!(sys::get_log(&clerk).unwrap(), log[7..]);
        sys::log_last(&clerk, 0).unwrap();
        clerk.cast(Msg::Later(Duration::from_secs(1_000)));
        let after = Then::Timeout(Duration::from_secs(1_000));
        assert_eq!(sys::get_log(&clerk), Ok(vec![SysEvent::Then(after)]));
        sys::log(&clerk, Switch::Off).unwrap();
        clerk.cast(Msg::Go);
        assert_eq!(sys::get_log(&clerk), Ok(vec![]));
        stop(&clerk);
    });
}

/// A file that is removed when the test is over.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Rows: sys.log_to_file
#[test]
fn log_to_file_writes_a_line_for_each_event() {
    both_servers(|kind| {
        let name = format!("perennial-sys-{}-{kind:?}", std::process::id());
        let scratch = Scratch(std::env::temp_dir().join(name));
        let clerk = clerk(kind);
        let missing = scratch.0.join("no").join("such");
        let refused = sys::log_to_file(&clerk, &missing);
        assert_eq!(refused, Err(SysError::File(std::io::ErrorKind::NotFound)));
        for _ in 0..2 {
            sys::log_to_file(&clerk, &scratch.0).unwrap();
            clerk.cast(Msg::Add(1));
            clerk.cast(Msg::Go);
            sys::log_to_file_off(&clerk).unwrap();
            clerk.cast(Msg::Add(2));
            sys::log_to_file_off(&clerk).unwrap();
            let text = std::fs::read_to_string(&scratch.0).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let expected = [
                "in message Add(1)",
                "waits",
                "in message Go",
                "goes on",
                "in continue",
                "waits",
            ];
            assert_eq!(lines, expected);
        }
        stop(&clerk);
    });
}

/// A hook that sends its number for each message that comes, and stays.
fn numbered(
    number: u32,
    seen: &mpsc::Sender<u32>,
) -> impl FnMut(&SysEvent) -> Hook + Send + 'static {
    let seen = seen.clone();
    move |event| {
        if matches!(event, SysEvent::In(_)) {
            seen.send(number).unwrap();
        }
        Hook::Stays
    }
}

/// The BEAM keeps the first hook of a name and says ok; here the answer tells.
///
/// Rows: sys.install
#[test]
fn hooks_stack_unless_they_have_the_same_name() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        let (seen, numbers) = mpsc::channel();
        let first = sys::install(&clerk, numbered(1, &seen)).unwrap();
        let second = sys::install(&clerk, numbered(2, &seen)).unwrap();
        assert_ne!(first, second);
        assert_eq!(sys::install_as(&clerk, "x", numbered(3, &seen)), Ok(true));
        assert_eq!(sys::install_as(&clerk, "x", numbered(4, &seen)), Ok(false));
        let options = sys::get_status(&clerk).unwrap().debug;
        let installed = [HookId::from("x"), second.clone(), first.clone()];
        assert_eq!(options.hooks, installed);
        get(&clerk).unwrap();
        assert_eq!(numbers.try_iter().collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(sys::remove(&clerk, second), Ok(true));
        assert_eq!(sys::remove(&clerk, "x"), Ok(true));
        assert_eq!(sys::remove(&clerk, "x"), Ok(false));
        get(&clerk).unwrap();
        assert_eq!(numbers.try_iter().collect::<Vec<_>>(), [1]);
        sys::no_debug(&clerk).unwrap();
        get(&clerk).unwrap();
        assert_eq!(numbers.try_iter().count(), 0);
        stop(&clerk);
    });
}

#[test]
fn hook_that_is_done_or_panics_is_removed_and_hurts_nobody() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        let (seen, numbers) = mpsc::channel();
        sys::install_as(&clerk, "panics", |_| panic!("a hook broke")).unwrap();
        sys::install_as(&clerk, "exits", |_| {
            process::exit_self(boom()).unwrap();
            Hook::Stays
        })
        .unwrap();
        sys::install_as(&clerk, "done", move |_| {
            seen.send(7).unwrap();
            Hook::Done
        })
        .unwrap();
        assert_eq!(get(&clerk), Ok(0));
        assert_eq!(get(&clerk), Ok(0));
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [7]);
        assert!(sys::get_status(&clerk).unwrap().debug.hooks.is_empty());
        stop(&clerk);
    });
}

#[test]
fn process_takes_no_more_than_64_hooks() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        for _ in 0..64 {
            sys::install(&clerk, |_| Hook::Stays).unwrap();
        }
        let refused = sys::install(&clerk, |_| Hook::Stays);
        assert_eq!(refused, Err(SysError::TooManyHooks));
        assert_eq!(get(&clerk), Ok(0));
        stop(&clerk);
    });
}

#[test]
fn hook_sees_the_state_as_it_is_at_each_event() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        let (seen, states) = mpsc::channel();
        let wrong = sys::install_with_state(&clerk, |_, _: &String| Hook::Stays);
        assert_eq!(wrong, Err(SysError::OtherState));
        sys::install_with_state(&clerk, move |event, clerk: &Clerk| {
            seen.send((event.to_string(), clerk.count)).unwrap();
            Hook::Stays
        })
        .unwrap();
        clerk.cast(Msg::Add(5));
        get(&clerk).unwrap();
        let states: Vec<_> = states.try_iter().take(2).collect();
        let expected = [("in message Add(5)".to_owned(), 0), ("waits".to_owned(), 5)];
        assert_eq!(states, expected);
        stop(&clerk);
    });
}
