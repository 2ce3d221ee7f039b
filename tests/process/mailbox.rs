//! Mailbox bounds: what happens to a message that comes to a full one, and that signals are never refused.

use crate::support::LONG;
use crate::support::puppet::both_kinds;
use crate::support::scripted::{
    Event, Msg, Script, both_servers, both_servers_in, busy, echo, plain, run, stop,
};
use crate::support::stage::builder;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{
    self, CallError, DeadLetter, DeadLetterCause, Kind, MailboxWatermark, Overflow, TryCastError,
    Watermark,
};
use std::sync::mpsc;
use std::time::Duration;

/// A message came back because the mailbox was full; its number.
#[track_caller]
fn came_back(sent: Result<(), TryCastError<Msg>>) -> u64 {
    match sent {
        Err(TryCastError::Full(Msg::Note(n))) => n,
        other => panic!("{other:?}"),
    }
}

fn delivered(sent: Result<(), TryCastError<Msg>>) {
    assert!(sent.is_ok(), "{sent:?}");
}

#[test]
fn reject_gives_the_newest_back() {
    both_servers_in(builder, |kind, runtime| {
        let (sender, letters) = mpsc::channel();
        runtime.telemetry().attach(move |letter: &DeadLetter| {
            let _ = sender.send((letter.to, letter.cause));
        });
        let (server, log) = plain(kind, Some((3, Overflow::Reject)));
        let gate = busy(&server);
        for n in 1..=3 {
            delivered(server.try_cast(Msg::Note(n)));
        }
        assert_eq!(came_back(server.try_cast(Msg::Note(4))), 4);
        assert_eq!(letters.try_recv().ok(), None);
        server.cast(Msg::Note(5));
        assert_eq!(
            letters.try_recv(),
            Ok((Some(server.pid()), DeadLetterCause::Full))
        );
        assert_eq!(server.call(echo(1)), Err(CallError::Overloaded));
        drop(gate);
        sync_when_there_is_room(&server);
        assert_eq!(log.noted(), [1, 2, 3]);
        // Room that was made is room: the bound counts what waits, not what ever came.
        for round in 0..10 {
            let gate = busy(&server);
            for n in 1..=3 {
                delivered(server.try_cast(Msg::Note(10 * round + n)));
            }
            came_back(server.try_cast(Msg::Note(0)));
            drop(gate);
            sync_when_there_is_room(&server);
            assert_eq!(
                log.noted(),
                [10 * round + 1, 10 * round + 2, 10 * round + 3]
            );
        }
        stop(&server);
    });
}

/// The bound counts the request for it as well.
fn sync_when_there_is_room(server: &Ref<Msg>) {
    crate::support::eventually("there is room", || {
        server.call_for(LONG, echo(1)) != Err(CallError::Overloaded)
    });
}

#[test]
fn drop_newest_keeps_what_came_first() {
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((3, Overflow::DropNewest)));
        let gate = busy(&server);
        for n in 1..=6 {
            delivered(server.try_cast(Msg::Note(n)));
        }
        assert_eq!(server.call(echo(1)), Err(CallError::Overloaded));
        drop(gate);
        stop(&server);
        assert_eq!(log.noted(), [1, 2, 3]);
    });
}

#[test]
fn drop_oldest_keeps_what_came_last() {
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((3, Overflow::DropOldest)));
        let gate = busy(&server);
        for n in 1..=6 {
            delivered(server.try_cast(Msg::Note(n)));
        }
        drop(gate);
        stop(&server);
        assert_eq!(log.noted(), [4, 5, 6]);
    });
}

#[test]
fn call_that_makes_room_is_overloaded() {
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((1, Overflow::DropOldest)));
        let gate = busy(&server);
        let to = server.clone();
        let caller = std::thread::spawn(move || {
            // The thread has entered no runtime, and needs none: the reference knows its process.
            to.call_for(LONG, echo(1))
        });
        crate::support::eventually("the request waits", || {
            process::info(&server).is_some_and(|info| info.message_queue_len == 1)
        });
        delivered(server.try_cast(Msg::Note(1)));
        assert_eq!(caller.join().ok(), Some(Err(CallError::Overloaded)));
        drop(gate);
        stop(&server);
        assert_eq!(log.noted(), [1]);
    });
}

#[test]
fn block_makes_a_sender_wait_for_room() {
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((2, Overflow::Block(LONG))));
        let gate = busy(&server);
        delivered(server.try_cast(Msg::Note(1)));
        delivered(server.try_cast(Msg::Note(2)));
        let to = server.clone();
        let (sent, done) = mpsc::channel();
        let sender = std::thread::spawn(move || {
            for n in 3..=40 {
                delivered(to.try_cast(Msg::Note(n)));
            }
            let _ = sent.send(());
        });
        assert_eq!(
            process::info(&server).map(|info| info.message_queue_len),
            Some(2)
        );
        assert!(done.try_recv().is_err());
        drop(gate);
        done.recv_timeout(LONG).expect("the sender got room");
        sender.join().expect("the sender is through");
        stop(&server);
        assert_eq!(log.noted(), (1..=40).collect::<Vec<_>>());
    });
}

#[test]
fn block_gives_up_after_its_time() {
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((1, Overflow::Block(Duration::from_millis(1)))));
        let gate = busy(&server);
        delivered(server.try_cast(Msg::Note(1)));
        assert_eq!(came_back(server.try_cast(Msg::Note(2))), 2);
        assert_eq!(server.call(echo(1)), Err(CallError::Overloaded));
        drop(gate);
        stop(&server);
        assert_eq!(log.noted(), [1]);
    });
}

/// A pooled sender holds a worker, so it never waits for room; one on a thread may, and a kill reaches it there.
#[test]
fn block_refuses_a_pooled_sender_at_once() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, Some((1, Overflow::Block(100 * LONG))));
        let (pooled, _) = plain(Kind::Pooled, None);
        let (thread, _) = plain(Kind::Thread, None);
        let gate = busy(&server);
        delivered(server.try_cast(Msg::Note(1)));
        let (sender, refused) = mpsc::channel();
        let to = server.clone();
        pooled.cast(run(move |_, _| {
            let _ = sender.send(came_back(to.try_cast(Msg::Note(2))));
            Next::Loop
        }));
        assert_eq!(refused.recv_timeout(LONG), Ok(2));

        let to = server.clone();
        thread.cast(run(move |_, _| {
            delivered(to.try_cast(Msg::Note(3)));
            Next::Loop
        }));
        crate::support::eventually("the thread waits", || {
            process::info(&thread).is_some_and(|info| info.status == process::Status::Waiting)
        });
        let mut watch = process::watch(&thread);
        process::exit(&thread, ExitReason::Kill);
        let down = watch.wait(LONG).expect("a kill ends the wait");
        assert_eq!(down.reason, ExitReason::Killed);
        drop(gate);
        stop(&server);
        stop(&pooled);
    });
}

#[test]
fn death_wakes_those_who_wait_for_room() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, Some((1, Overflow::Block(100 * LONG))));
        let gate = busy(&server);
        delivered(server.try_cast(Msg::Note(1)));
        let to = server.clone();
        let sender = std::thread::spawn(move || to.try_cast(Msg::Note(2)));
        let mut watch = process::watch(&server);
        process::exit(&server, ExitReason::Kill);
        drop(gate);
        watch.wait(LONG).expect("it ends");
        match sender.join() {
            Ok(Err(TryCastError::NoProc(Msg::Note(2)))) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn signals_are_never_refused() {
    for overflow in [
        Overflow::Reject,
        Overflow::DropNewest,
        Overflow::DropOldest,
        Overflow::Block(Duration::from_millis(1)),
    ] {
        both_servers_in(builder, |kind, runtime| {
            let (script, log) = Script::new();
            let spec = script.traps().on(kind).mailbox(1, overflow);
            let server = spec.start().expect("the server starts");
            let (peer, _) = plain(kind, None);
            let target = peer.pid();
            let (sender, monitors) = mpsc::channel();
            server.cast(run(move |_, cx| {
                cx.link(target).expect("the peer is alive");
                let _ = sender.send(cx.monitor(target));
                Next::Loop
            }));
            let monitor = monitors.recv_timeout(LONG).expect("it monitors");
            let gate = busy(&server);
            delivered(server.try_cast(Msg::Note(1)));
            stop(&peer);
            crate::support::eventually("both signals wait beside the message", || {
                process::info(&server).is_some_and(|info| info.message_queue_len == 3)
            });
            drop(gate);
            assert_eq!(log.next(), Event::Init);
            assert_eq!(log.next(), Event::Noted(1));
            let Event::Info(Info::Exit(exit)) = log.next() else {
                panic!("the exit comes first");
            };
            assert_eq!((exit.from, exit.reason), (target, ExitReason::Normal));
            let Event::Info(Info::Down(down)) = log.next() else {
                panic!("then the down");
            };
            assert_eq!(down.monitor, monitor);
            // A stop is no message either.
            let gate = busy(&server);
            delivered(server.try_cast(Msg::Note(2)));
            std::thread::scope(|scope| {
                let stopping = scope.spawn(|| {
                    let _entered = runtime.enter();
                    stop(&server);
                });
                crate::support::eventually("the stop waits beside the message", || {
                    process::info(&server).is_some_and(|info| info.message_queue_len == 2)
                });
                drop(gate);
                stopping.join().expect("it stops");
            });
        });
    }
}

/// However many come, an unbounded mailbox takes them, in order.
#[test]
fn unbounded_mailbox_takes_all() {
    const MANY: u64 = 100_000;
    both_kinds(|kind| {
        use crate::support::puppet::{Record, Tell};
        let puppet = kind.puppet();
        let busy = puppet.busy();
        for n in 0..MANY {
            puppet.me().tell(n);
        }
        assert_eq!(puppet.info().message_queue_len, MANY as usize);
        drop(busy);
        for n in 0..MANY {
            assert_eq!(puppet.next(), Record::Told(n));
        }
    });
}
/// The same where the server had taken a look at its mailbox before it became busy.
#[test]
fn drop_oldest_drops_the_oldest_of_all_that_wait() {
    both_servers(|kind| {
        let (server, log) = plain(kind, Some((4, Overflow::DropOldest)));
        let first = busy(&server);
        let (started, running) = mpsc::channel();
        let (second, wait) = crate::support::scripted::gate();
        delivered(server.try_cast(run(move |_, _| {
            let _ = started.send(());
            wait();
            Next::Loop
        })));
        for n in 1..=3 {
            delivered(server.try_cast(Msg::Note(n)));
        }
        drop(first);
        running.recv_timeout(LONG).expect("it runs the second one");
        // Three wait; there is room for one, and then the oldest go.
        for n in 4..=6 {
            delivered(server.try_cast(Msg::Note(n)));
        }
        drop(second);
        stop(&server);
        assert_eq!(log.noted(), [3, 4, 5, 6]);
    });
}

#[test]
fn marks_of_a_mailbox_are_told_as_it_fills_and_as_it_empties() {
    both_servers_in(builder, |kind, runtime| {
        let (sender, marks) = mpsc::channel();
        runtime.telemetry().attach(move |at: &MailboxWatermark| {
            let _ = sender.send((at.pid, at.mark, at.max));
        });
        let (server, log) = plain(kind, Some((10, Overflow::Reject)));
        let high = || (server.pid(), Watermark::High, 10);
        let low = || (server.pid(), Watermark::Low, 10);
        for round in 0..3 {
            let gate = busy(&server);
            for n in 0..7 {
                delivered(server.try_cast(Msg::Note(10 * round + n)));
            }
            assert_eq!(marks.try_recv().ok(), None);
            delivered(server.try_cast(Msg::Note(10 * round + 7)));
            assert_eq!(marks.try_recv(), Ok(high()));
            delivered(server.try_cast(Msg::Note(10 * round + 8)));
            assert_eq!(marks.try_recv().ok(), None);
            drop(gate);
            assert_eq!(marks.recv_timeout(LONG), Ok(low()));
            sync_when_there_is_room(&server);
            assert_eq!(marks.try_recv().ok(), None);
        }
        assert_eq!(log.noted().len(), 27);
        stop(&server);
    });
}
