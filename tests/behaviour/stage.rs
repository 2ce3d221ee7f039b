//! Where a case is played: a runtime of its own, and processes of either kind that run a closure.
#![allow(
    dead_code,
    reason = "each test binary includes all of it and uses its own part"
)]

use crate::support::record;
use perennial::prelude::*;
use perennial::process::{self, Kind, Watch};
use perennial::{ExitReason, Pid, Runtime};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) const KINDS: [Kind; 2] = [Kind::Thread, Kind::Pooled];

type Job = Box<dyn FnOnce() + Send>;

struct Player;

impl GenServer for Player {
    type Args = ();
    type Msg = Job;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Player)
    }

    fn handle(&mut self, job: Job, _: &mut Cx<Self>) -> Next<Job> {
        job();
        Next::Loop
    }

    fn handle_info(&mut self, _: Info, _: &mut Cx<Self>) -> Next<Job> {
        Next::Loop
    }
}

/// Plays a case for owners of both kinds, each in a runtime of its own that is empty again at the end.
pub(crate) fn on_both_kinds(case: impl Fn(Kind)) {
    for kind in KINDS {
        let _play = record::play(&[kind]);
        in_runtime_of(Kind::Pooled, || case(kind));
    }
}

/// Plays a case once for each kind that processes can have by default, in a runtime of its own, which is empty
/// again at the end.
pub(crate) fn in_runtime(case: impl Fn()) {
    for kind in KINDS {
        let _play = record::play(&[kind]);
        in_runtime_of(kind, &case);
    }
}

fn in_runtime_of(kind: Kind, case: impl FnOnce()) {
    let runtime = Runtime::builder().workers(2).default_kind(kind);
    let runtime = runtime.build().unwrap();
    let entered = runtime.enter();
    case();
    eventually("all processes have ended", || {
        runtime.counts().processes == 0
    });
    eventually("all timers have fired", || runtime.counts().timers == 0);
    drop(entered);
    let report = runtime.shutdown(LONG);
    assert_eq!(report.zombies, 0, "{report:?}");
}

/// Runs a closure as a process of that kind, to the process's end; what it returned, or why it ended before.
pub(crate) fn play<R: Send + 'static>(
    kind: Kind,
    run: impl FnOnce() -> R + Send + 'static,
) -> Result<R, ExitReason> {
    let (send, receive) = mpsc::channel();
    // It begins when it is watched: a watch that comes after the end knows of no process.
    let (go, begin) = mpsc::channel();
    let job = move || {
        begin.recv().unwrap();
        send.send(run()).unwrap();
    };
    let pid = match kind {
        Kind::Thread => process::spawn::<()>(move |_| job()).pid(),
        Kind::Pooled => {
            let player = gen_server::spec::<Player>(()).pooled().start().unwrap();
            player.cast(Box::new(job));
            player.cast(Box::new(|| {
                process::exit_self(ExitReason::Normal).unwrap();
            }));
            player.pid()
        }
    };
    let watch = process::watch(pid);
    go.send(()).unwrap();
    let reason = reason(watch);
    receive.try_recv().map_err(|_| reason)
}

/// Waits for the end of a process.
pub(crate) fn ended(pid: Pid) {
    reason(process::watch(pid));
}

/// Waits for the end of a process that was watched before, and says why it came.
pub(crate) fn reason(mut watch: Watch) -> ExitReason {
    let down = watch.wait(LONG);
    down.unwrap_or_else(|| panic!("{watch:?} has not ended"))
        .reason
}

/// Waits for a fact.
pub(crate) fn eventually(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !fact() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Nothing is left in the process that runs on this thread, which [`play`] plays: no message, link or monitor.
#[track_caller]
pub(crate) fn nothing_left() {
    let me = process::self_pid().unwrap();
    let info = process::info(me).unwrap();
    // A player of the pool has one more job, which ends it.
    let jobs = usize::from(info.kind == Kind::Pooled);
    assert_eq!(info.message_queue_len, jobs, "{info:?}");
    assert!(
        info.links.is_empty() && info.monitors.is_empty(),
        "{info:?}"
    );
    process::checkpoint();
}
