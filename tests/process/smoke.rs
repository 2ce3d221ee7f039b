use perennial::prelude::*;
use perennial::process::{self, Received};
use perennial::{ExitReason, Runtime};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

#[test]
fn thread_process_answers_calls() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let echo = process::spawn::<(u32, ReplyTo<u32>)>(|cx| {
        while let Some((n, reply)) = cx.receive().message() {
            reply.send(n + 1);
        }
    });
    assert_eq!(echo.call(|reply| (7, reply)), Ok(8));
    process::exit(&echo, ExitReason::Kill);
    let down = process::watch(&echo).wait(LONG).unwrap();
    assert!(matches!(
        down.reason,
        ExitReason::Killed | ExitReason::NoProc
    ));
    drop(_entered);
    let report = runtime.shutdown(LONG);
    assert_eq!(report.zombies, 0, "{report:?}");
}

#[test]
fn linked_crash_reaches_the_trapper() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    process::run::<(), _>(|cx| {
        cx.trap_exit(true);
        let child = process::spawn_link::<()>(|_| panic!("out of paper")).unwrap();
        match cx.receive_timeout(LONG) {
            Some(Received::Exit(exit)) => {
                assert_eq!(exit.from, child.pid());
                assert!(
                    exit.reason.to_string().contains("out of paper"),
                    "{}",
                    exit.reason
                );
            }
            other => panic!("{other:?}"),
        }
    })
    .unwrap();
}
