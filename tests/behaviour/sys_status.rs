//! What servers show of themselves: to whoever asks for their status, and in the report of their failure.

use crate::clerk::*;
use crate::support::LONG;
use crate::support::scripted::{both_servers, both_servers_in};
use crate::support::stage::builder;
use perennial::prelude::*;
use perennial::process::{self, CallError, CrashReport, Kind, ServerReport};
use perennial::sys::{self, Incoming, Switch, SysEvent};
use perennial::{ExitReason, Pid, Runtime};
use std::sync::mpsc;

/// Rows: gs.call_format_status
#[test]
fn status_shows_what_the_server_makes_of_itself() {
    both_servers(|kind| {
        let (spec, _ends) = spec(kind, Manner::Open);
        let name: Name<Msg> = Name::new("registrar");
        let clerk = spec.name(&name).label("window 3").start().unwrap();
        sys::log(&clerk, Switch::On).unwrap();
        clerk.cast(Msg::Add(1));
        let status = sys::get_status("registrar").unwrap();
        let process = &status.process;
        assert_eq!((process.pid, process.kind), (clerk.pid(), kind));
        assert_eq!(process.registered_name.as_deref(), Some("registrar"));
        assert_eq!(process.label.as_deref(), Some("window 3"));
        assert_eq!((process.parent, process.links.len()), (Pid::INIT, 0));
        assert_eq!(process.message_queue_len, 0);
        assert_eq!((status.suspended, status.debug.log), (false, Some(10)));
        assert_eq!(status.shown.state.as_deref(), Some("Clerk 1 hunter2"));
        assert_eq!(status.shown.message.as_deref(), Some("Add(1)"));
        assert_eq!(status.shown.reason, None);
        assert_eq!(status.shown.log, ["in message Add(1)", "waits"]);
        stop(&clerk);
    });
}

/// As on the BEAM, where the state is `format_status/1 crashed`.
///
/// Rows: gs.call_format_status
#[test]
fn server_that_cannot_show_itself_goes_on() {
    both_servers(|kind| {
        let (clumsy, _ends) = clerk_of(kind, Manner::Clumsy);
        clumsy.cast(Msg::Add(1));
        let shown = sys::get_status(&clumsy).unwrap().shown;
        assert_eq!(shown.state.as_deref(), Some("format_status panicked"));
        assert_eq!(shown.message.as_deref(), Some("format_status panicked"));
        assert_eq!(get(&clumsy), Ok(1));
        stop(&clumsy);
        let (unprintable, _ends) = clerk_of(kind, Manner::Unprintable);
        let shown = sys::get_status(&unprintable).unwrap().shown;
        assert_eq!(
            shown.state.as_deref(),
            Some("a value that cannot be printed")
        );
        assert_eq!(get(&unprintable), Ok(0));
        stop(&unprintable);
    });
}

#[test]
fn huge_messages_are_shown_cut() {
    both_servers(|kind| {
        let clerk = clerk(kind);
        sys::log(&clerk, Switch::On).unwrap();
        clerk.cast(Msg::Fill(vec![7; 1 << 20]));
        assert_eq!(get(&clerk), Ok(1 << 20));
        let log = sys::get_log(&clerk).unwrap();
        let SysEvent::In(Incoming::Message(Some(text))) = &log[0] else {
            panic!("{log:?}");
        };
        assert!(text.starts_with("Fill([7, 7") && text.chars().count() < 1_010);
        stop(&clerk);
    });
}

/// What a server that ends reports of itself.
fn report_of(
    runtime: &Runtime,
    kind: Kind,
    manner: Manner,
    end: impl Fn(&Ref<Msg>),
) -> ServerReport {
    let (sender, reports) = mpsc::channel();
    let (crashed, crashes) = mpsc::channel();
    let bus = runtime.telemetry();
    let server = bus.attach(move |report: &ServerReport| drop(sender.send(report.clone())));
    let crash = bus.attach(move |report: &CrashReport| {
        let _ = crashed.send(report.pid);
    });
    let (clerk, _ends) = clerk_of(kind, manner);
    sys::log(&clerk, Switch::On).unwrap();
    let mut watch = process::watch(&clerk);
    end(&clerk);
    watch.wait(LONG).expect("it ends");
    // Both come before anybody hears of the end.
    let report = reports.try_recv().expect("it is reported");
    assert_eq!(crashes.try_recv(), Ok(clerk.pid()));
    assert_eq!(report.pid, clerk.pid());
    bus.detach(server);
    bus.detach(crash);
    report
}

fn crash(clerk: &Ref<Msg>) {
    assert!(matches!(
        clerk.call_for(LONG, Msg::Crash),
        Err(CallError::Exited(ExitReason::Panic(_)))
    ));
}

/// Rows: gs.error_format_status
#[test]
fn report_of_a_failed_server_has_its_state_its_message_and_its_client() {
    both_servers_in(builder, |kind, runtime| {
        let report = report_of(runtime, kind, Manner::Open, crash);
        assert_eq!(report.behaviour, "server");
        assert!(report.initial.contains("Clerk"));
        assert_eq!(report.shown.state.as_deref(), Some("Clerk 0 hunter2"));
        let message = report.shown.message.as_deref();
        assert_eq!(message, Some("Crash(ReplyTo(<0.0.0>))"));
        let reason = report.shown.reason.as_deref().unwrap();
        assert!(reason.contains("out of paper") && reason.contains("clerk.rs"));
        assert_eq!(
            report.shown.log,
            ["in call from <0.0.0>: Crash(ReplyTo(<0.0.0>))"]
        );
        let client = report.client.as_ref().unwrap();
        assert_eq!((client.pid, client.alive), (Pid::INIT, true));
        let text = report.to_string();
        for part in [
            "Clerk 0 hunter2",
            "Crash(",
            "out of paper",
            "client: <0.0.0>",
        ] {
            assert!(text.contains(part), "{text}");
        }
        // A stop with a reason that is not clean is a failure as well.
        let report = report_of(runtime, kind, Manner::Open, |clerk| {
            clerk.cast(Msg::Stop(boom()));
        });
        assert_eq!(report.shown.reason.as_deref(), Some("\"boom\""));
        assert_eq!(report.client, None);
    });
}

#[test]
fn report_names_the_client_and_whether_it_lives() {
    both_servers_in(builder, |kind, runtime| {
        static CALLER: Name<()> = Name::new("caller");
        let report = report_of(runtime, kind, Manner::Open, |clerk| {
            let clerk = clerk.clone();
            let called = process::run::<(), _>(move |cx| {
                cx.register(&CALLER).unwrap();
                clerk.call_for(LONG, Msg::Crash)
            });
            assert!(matches!(called, Ok(Err(CallError::Exited(_)))));
        });
        let client = report.client.unwrap();
        assert_eq!(
            (client.name.as_deref(), client.alive),
            (Some("caller"), true)
        );
        assert_ne!(client.pid, Pid::INIT);
    });
}

/// Rows: gs.terminate_crash_format
#[test]
fn report_of_a_failed_terminate_has_the_state() {
    both_servers_in(builder, |kind, runtime| {
        let report = report_of(runtime, kind, Manner::Untidy, |clerk| {
            clerk.cast(Msg::Stop(ExitReason::Normal));
        });
        let reason = report.shown.reason.as_deref().unwrap();
        assert!(reason.contains("dropped the files"), "{reason}");
        assert_eq!(report.shown.state.as_deref(), Some("Clerk 0 hunter2"));
    });
}

/// Rows: gs.format_all_status
#[test]
fn nothing_that_is_hidden_is_shown_anywhere() {
    both_servers_in(builder, |kind, runtime| {
        let report = report_of(runtime, kind, Manner::Discreet, |clerk| {
            clerk.cast(Msg::Secret("swordfish"));
            let shown = sys::get_status(clerk).unwrap().shown;
            assert_eq!(shown.state.as_deref(), Some("hidden"));
            assert_eq!(shown.message.as_deref(), Some("hidden"));
            assert_eq!(shown.log, ["hidden", "hidden"]);
            clerk.cast(Msg::Stop(ExitReason::other("the key is swordfish")));
        });
        let text = format!("{report} {report:?}");
        assert!(
            !text.contains("swordfish") && !text.contains("hunter2"),
            "{text}"
        );
        assert_eq!(report.shown.reason.as_deref(), Some("hidden"));
        assert_eq!(report.shown.log, ["hidden"; 4]);
        // Whose hand slips shows nothing.
        let report = report_of(runtime, kind, Manner::Clumsy, crash);
        let text = report.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("out of paper"),
            "{text}"
        );
    });
}
