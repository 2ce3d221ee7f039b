//! A closure that goes on as a server: then it is one, with all that waits in its mailbox.

use crate::support::puppet::{Breed, both_kinds};
use crate::support::record;
use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{
    self, CallError, CrashReport, Exit, Kind, Name, RegisterError, ThreadContext,
};
use perennial::{ExitReason, Pid};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

enum Msg {
    Add(u64),
    Get(ReplyTo<u64>),
    Note(&'static str),
    Hold(ReplyTo<u64>),
    Held(ReplyTo<usize>),
    Continue,
    Panic,
    End(ExitReason),
}

#[derive(Debug, PartialEq)]
enum Event {
    Noted(&'static str),
    Continued,
    Timeout,
    Exit(Pid),
    Terminated(ExitReason),
    Dropped,
}

/// A sum, which tells what it is called back with.
struct Sum {
    sum: u64,
    events: mpsc::Sender<Event>,
    held: Vec<ReplyTo<u64>>,
}

impl Sum {
    fn new(sum: u64) -> (Self, mpsc::Receiver<Event>) {
        let (events, told) = mpsc::channel();
        let held = Vec::new();
        (Sum { sum, events, held }, told)
    }

    fn tell(&self, event: Event) {
        // A test that has ended reads no more.
        let _ = self.events.send(event);
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        self.tell(Event::Dropped);
    }
}

impl GenServer for Sum {
    type Args = ();
    type Msg = Msg;
    const TRAP_EXIT: bool = true;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        unreachable!("the state is there already")
    }

    fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Add(n) => self.sum += n,
            Msg::Get(reply) => reply.send(self.sum),
            Msg::Note(text) => self.tell(Event::Noted(text)),
            Msg::Hold(reply) => self.held.push(reply),
            Msg::Held(reply) => reply.send(self.held.len()),
            Msg::Continue => self.tell(Event::Continued),
            Msg::Panic => panic!("told to"),
            Msg::End(reason) => return Next::Stop(reason),
        }
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<Msg> {
        match info {
            Info::Timeout => self.tell(Event::Timeout),
            Info::Exit(Exit { from, .. }) => self.tell(Event::Exit(from)),
            Info::Down(_) => {}
        }
        Next::Loop
    }

    fn terminate(&mut self, reason: &ExitReason, _: &mut Cx<Self>) {
        self.tell(Event::Terminated(reason.clone()));
    }
}

/// Starts a closure that does something and goes on as a sum.
fn enter(
    before: impl FnOnce(&mut ThreadContext<Msg>) + Send + 'static,
    init: impl FnOnce(Sum) -> Init<Sum> + Send + 'static,
) -> (Ref<Msg>, mpsc::Receiver<Event>) {
    let (sum, told) = Sum::new(40);
    let server = process::spawn::<Msg>(move |cx| {
        before(cx);
        gen_server::enter_loop(cx, init(sum));
        unreachable!("the process ends with the server");
    });
    (server, told)
}

/// Rows: gs.spec_init
#[test]
fn closure_goes_on_as_a_server() {
    both_kinds(|breed| {
        const NAME: Name<Msg> = Name::new("sum");
        let (server, told) = enter(|cx| cx.register(&NAME).expect("the name is free"), Init::Ok);
        let to = server.clone();
        let caller = breed.puppet();
        caller.run(move |_| {
            to.cast(Msg::Add(2));
            assert_eq!(to.call(Msg::Get), Ok(42));
        });
        assert_eq!(NAME.call(Msg::Get), Ok(42));
        assert_eq!(gen_server::stop(&NAME), Ok(()));
        assert_eq!(
            told.iter().collect::<Vec<_>>(),
            [Event::Terminated(ExitReason::Normal), Event::Dropped]
        );
        assert_eq!(server.call(Msg::Get), Err(CallError::NoProc));
    });
}

/// What a selective receive has passed over comes first.
#[test]
fn what_waits_in_the_mailbox_is_handled_in_order() {
    on_stage(builder(), |_| {
        let (ready, is_ready) = mpsc::channel::<()>();
        let (server, told) = enter(
            move |cx| {
                is_ready.recv().unwrap();
                let second = cx.receive_match(LONG, |received| match received.message() {
                    Some(Msg::Note("second")) => Ok(()),
                    Some(other) => Err(process::Received::Message(other)),
                    None => unreachable!("only messages are sent"),
                });
                assert_eq!(second, Some(()));
            },
            Init::Ok,
        );
        for text in ["first", "second", "third"] {
            server.cast(Msg::Note(text));
        }
        ready.send(()).unwrap();
        gen_server::stop(&server).unwrap();
        let noted = [Event::Noted("first"), Event::Noted("third")];
        assert_eq!(told.iter().take(2).collect::<Vec<_>>(), noted);
    });
}

#[test]
fn server_begins_as_it_is_told() {
    on_stage(builder(), |_| {
        let (server, told) = enter(|_| (), |sum| Init::Timeout(sum, Duration::from_millis(1)));
        assert_eq!(told.recv_timeout(LONG), Ok(Event::Timeout));
        gen_server::stop(&server).unwrap();

        let (go, gate) = mpsc::channel::<()>();
        let (server, told) = enter(
            move |_| assert!(gate.recv().is_err()),
            |sum| Init::Continue(sum, Msg::Continue),
        );
        server.cast(Msg::Note("later"));
        drop(go);
        assert_eq!(told.recv_timeout(LONG), Ok(Event::Continued));
        assert_eq!(told.recv_timeout(LONG), Ok(Event::Noted("later")));
        gen_server::stop(&server).unwrap();

        let (go, gate) = mpsc::channel::<()>();
        let (server, _told) = enter(
            move |_| assert!(gate.recv().is_err()),
            |_| Init::Stop(ExitReason::other("no")),
        );
        let mut watch = process::watch(&server);
        drop(go);
        assert_eq!(
            watch.wait(LONG).map(|down| down.reason),
            Some(ExitReason::other("no"))
        );
    });
}

/// What ends a server.
type End = fn(&Ref<Msg>);

/// Ends as every server does: its own, a crash, a signal, a kill; and its callers hear why.
#[test]
fn process_ends_as_the_server_does() {
    both_kinds(|breed| {
        let ends: [(End, bool); 4] = [
            (|server| server.cast(Msg::End(ExitReason::Shutdown)), true),
            (|server| server.cast(Msg::Panic), true),
            // From this thread, which is its parent.
            (|server| process::exit(server, ExitReason::Shutdown), true),
            (|server| process::exit(server, ExitReason::Kill), false),
        ];
        for (end, terminates) in ends {
            let (server, told) = enter(|_| (), Init::Ok);
            let caller = breed.puppet();
            let to = server.clone();
            let (sender, answer) = mpsc::channel();
            caller.order(move |_| sender.send(to.call_for(LONG, Msg::Hold)).unwrap());
            eventually("the request is held", || server.call(Msg::Held) == Ok(1));
            let mut watch = process::watch(&server);
            end(&server);
            let reason = watch.wait(LONG).expect("it ends").reason;
            let mut events = vec![Event::Dropped];
            if terminates {
                events.insert(0, Event::Terminated(reason.clone()));
            }
            assert_eq!(told.iter().collect::<Vec<_>>(), events);
            let answer = answer.recv_timeout(LONG);
            assert_eq!(answer, Ok(Err(CallError::Exited(reason))));
        }
    });
}

#[test]
fn exit_of_a_stranger_is_an_info_for_one_that_traps() {
    both_kinds(|breed| {
        let (server, told) = enter(|_| (), Init::Ok);
        assert_eq!(server.call(Msg::Get), Ok(40));
        let (stranger, to) = (breed.puppet(), server.pid());
        stranger.run(move |_| process::exit(to, ExitReason::Shutdown));
        assert_eq!(told.recv_timeout(LONG), Ok(Event::Exit(stranger.pid())));
        gen_server::stop(&server).unwrap();
    });
}

/// It is its own end, so a crash of it is reported; and whoever catches it on its way meets it again.
#[test]
fn crash_of_the_server_is_that_of_the_process() {
    on_stage(builder(), |runtime| {
        let (sender, reports) = mpsc::channel();
        runtime.telemetry().attach(move |report: &CrashReport| {
            // A test that has ended reads no more.
            let _ = sender.send(report.pid);
        });
        let (sum, _told) = Sum::new(0);
        let server = process::spawn::<Msg>(move |cx| {
            let enter = AssertUnwindSafe(|| gen_server::enter_loop(cx, Init::Ok(sum)));
            assert!(catch_unwind(enter).is_err());
            process::checkpoint();
            unreachable!("it has ended");
        });
        let mut watch = process::watch(&server);
        server.cast(Msg::Panic);
        let reason = watch.wait(LONG).expect("it ends").reason;
        assert!(reason.to_string().contains("told to"), "{reason}");
        assert_eq!(reports.recv_timeout(LONG), Ok(server.pid()));
    });
}

/// Rows: gs.otp_5854
#[test]
fn name_of_another_is_refused() {
    for kind in [Kind::Thread, Kind::Pooled] {
        let _play = record::play(&[kind]);
        on_stage(builder(), |_| {
            const NAME: Name<Msg> = Name::new("sum");
            let breed = match kind {
                Kind::Thread => Breed::Thread,
                Kind::Pooled => Breed::Pooled,
            };
            let other_name = Name::new("sum");
            let other = breed.named(&other_name);
            let (sender, refused) = mpsc::channel();
            let closure = process::spawn::<Msg>(move |cx| {
                let (sum, _told) = Sum::new(0);
                sender
                    .send(gen_server::enter_loop_as(cx, &NAME, Init::Ok(sum)))
                    .unwrap();
            });
            let mut watch = process::watch(&closure);
            let taken = Err(RegisterError::Taken(other.pid()));
            assert_eq!(refused.recv_timeout(LONG), Ok(taken));
            watch.wait(LONG).expect("it goes on, to its end");
            other.end_and_wait(ExitReason::Normal);
            // Free, it is taken; its own, it stays.
            for registers in [false, true] {
                let server = process::spawn::<Msg>(move |cx| {
                    if registers {
                        cx.register(&NAME).unwrap();
                    }
                    let (sum, _told) = Sum::new(7);
                    let refused = gen_server::enter_loop_as(cx, &NAME, Init::Ok(sum));
                    unreachable!("{refused:?}");
                });
                eventually("it has the name", || NAME.whereis().is_some());
                assert_eq!(NAME.call(Msg::Get), Ok(7));
                gen_server::stop(&server).unwrap();
            }
        });
    }
}
