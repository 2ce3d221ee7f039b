//! Exit signals that wait in a mailbox while their receiver starts or stops trapping exits.

use perennial::process::{self, Dest, Received, Ref};
use perennial::{ExitReason, Runtime};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// Ends one that waits for a message. A watch that was there before hears after the links.
fn end_watched(child: &Ref<()>) {
    let mut watch = process::watch(child);
    child.cast(());
    watch.wait(LONG).unwrap();
}

/// A signal that came while exits were trapped is a message, and stays one.
#[test]
fn exit_that_was_trapped_is_harmless_when_trapping_ends() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let lived = process::run::<(), _>(|cx| {
        cx.trap_exit(true);
        let child = process::spawn_link::<()>(|cx| {
            cx.receive();
            panic!("out of paper")
        })
        .unwrap();
        end_watched(&child);
        assert!(cx.trap_exit(false));
        process::checkpoint();
        match cx.receive_timeout(LONG) {
            Some(Received::Exit(exit)) => assert_eq!(exit.from, child.pid()),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(lived, Ok(()));
}

/// Short-lived children of a process that seldom receives leave nothing in its mailbox.
#[test]
fn normal_end_leaves_nothing_with_a_process_that_does_not_trap() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let lived = process::run::<(), _>(|cx| {
        for _ in 0..10 {
            let child = process::spawn_link::<()>(|cx| drop(cx.receive())).unwrap();
            end_watched(&child);
        }
        let me = cx.pid();
        let stranger = process::spawn::<()>(move |_| process::exit(me, ExitReason::Normal));
        process::watch(&stranger).wait(LONG).unwrap();
        let info = process::info(me).unwrap();
        assert_eq!((info.message_queue_len, info.links.len()), (0, 0));
    });
    assert_eq!(lived, Ok(()));
}
