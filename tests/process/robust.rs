//! What user code does at bad moments: values whose destructors, `Debug` and `Hash` call back into the library or
//! panic, and numbers beyond all reason.

use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, Exited, Overflow, Received, StartError};
use perennial::supervisor::StartChildError;
use perennial::{ExitReason, Pid, Registry, TaskSupervisor};
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Looks at a process when it is dropped.
#[derive(PartialEq)]
struct Nosy(Pid);

impl Drop for Nosy {
    fn drop(&mut self) {
        process::info(self.0);
    }
}

impl fmt::Debug for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nosy")
    }
}

#[test]
fn reason_that_was_never_met_is_dropped_with_no_lock_held() {
    on_stage(builder(), |_| {
        let (begin, begun) = mpsc::channel::<()>();
        let deaf = process::spawn::<()>(move |cx| {
            cx.trap_exit(true);
            let _ = begun.recv();
        });
        eventually("it traps exits", || {
            process::info(&deaf).is_some_and(|info| info.trap_exit)
        });
        let mut watch = process::watch(&deaf);
        process::exit(&deaf, ExitReason::other(Nosy(deaf.pid())));
        begin.send(()).unwrap();
        assert_eq!(watch.wait(LONG).unwrap().reason, ExitReason::Normal);
    });
}

#[test]
fn reason_that_is_flushed_is_dropped_with_no_lock_held() {
    on_stage(builder(), |runtime| {
        process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let me = cx.pid();
            let child = process::spawn_link::<()>(move |cx| cx.exit(ExitReason::other(Nosy(me))));
            let child = child.unwrap().pid();
            // From then on the signal alone has the reason.
            eventually("nothing is left of the child", || {
                runtime.counts().threads == 0
            });
            process::unlink_flush(child).unwrap();
            assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        })
        .unwrap();
    });
}

/// Cannot be printed.
#[derive(PartialEq)]
struct Unprintable;

impl fmt::Debug for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("Unprintable was printed")
    }
}

struct Ender;

impl GenServer for Ender {
    type Args = ();
    type Msg = ();

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Ender)
    }

    fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
        Next::Stop(ExitReason::other(Unprintable))
    }
}

#[test]
fn process_with_a_reason_that_cannot_be_printed_dies_to_the_end() {
    on_stage(builder(), |runtime| {
        let (send, ended) = mpsc::channel();
        runtime
            .telemetry()
            .attach(move |exited: &Exited| send.send(exited.pid).unwrap());
        for spec in [
            gen_server::spec::<Ender>(()).pooled(),
            gen_server::spec::<Ender>(()).thread(),
        ] {
            let server = spec.start().unwrap();
            let mut watch = process::watch(&server);
            server.cast(());
            assert!(watch.wait(LONG).unwrap().reason == ExitReason::other(Unprintable));
            assert_eq!(ended.recv_timeout(LONG), Ok(server.pid()));
        }
    });
}

#[test]
fn durations_without_end_are_no_panic() {
    let runtime = builder().kill_grace(Duration::MAX).build().unwrap();
    let entered = runtime.enter();
    let quick = process::spawn::<()>(|_| {});
    assert!(process::wait_quiesced(quick.pid(), Duration::MAX));
    let stubborn = process::spawn::<()>(|cx| {
        cx.trap_exit(true);
        while !matches!(cx.receive(), Received::Message(())) {}
    });
    eventually("it traps exits", || {
        process::info(&stubborn).is_some_and(|info| info.trap_exit)
    });
    process::exit(&stubborn, ExitReason::Kill);
    drop(entered);
    assert_eq!(runtime.shutdown(Duration::MAX).zombies, 0);
}

/// Waits in its first message until it is let go.
struct Gate(mpsc::Receiver<()>);

impl GenServer for Gate {
    type Args = mpsc::Receiver<()>;
    type Msg = ();

    fn init(gate: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Gate(gate))
    }

    fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
        let _ = self.0.recv();
        Next::Loop
    }
}

#[test]
fn timer_for_a_full_mailbox_holds_up_no_other_timer() {
    on_stage(builder(), |_| {
        let (gate, closed) = mpsc::channel();
        let full = gen_server::spec::<Gate>(closed)
            .thread()
            .mailbox(1, Overflow::Block(Duration::MAX))
            .start()
            .unwrap();
        full.cast(());
        eventually("it has taken the first", || {
            process::info(&full).is_some_and(|info| info.message_queue_len == 0)
        });
        full.cast(());
        process::run::<(), _>(|cx| {
            process::send_after(Duration::from_millis(1), full.clone(), ());
            cx.send_after(Duration::from_millis(2), ());
            assert_eq!(cx.receive_timeout(LONG), Some(Received::Message(())));
        })
        .unwrap();
        drop(gate);
        gen_server::stop(&full).unwrap();
    });
}

#[test]
fn interval_whose_message_cannot_be_made_is_over() {
    on_stage(builder(), |runtime| {
        process::run::<(), _>(|cx| {
            process::send_interval(Duration::from_millis(1), cx.me().clone(), || {
                panic!("no message")
            });
            eventually("the timer is forgotten", || runtime.counts().timers == 0);
        })
        .unwrap();
    });
}

#[test]
fn continue_without_end_lets_others_run() {
    struct Restless(Arc<Mutex<bool>>);

    impl GenServer for Restless {
        type Args = Arc<Mutex<bool>>;
        type Msg = ();

        fn init(stop: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            Init::Continue(Restless(stop), ())
        }

        fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
            if *self.0.lock().unwrap() {
                return Next::Stop(ExitReason::Normal);
            }
            Next::Continue(())
        }
    }

    struct Quiet;

    impl GenServer for Quiet {
        type Args = ();
        type Msg = ReplyTo<u8>;

        fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Quiet)
        }

        fn handle(&mut self, reply: ReplyTo<u8>, _: &mut Cx<Self>) -> Next<Self::Msg> {
            reply.send(7);
            Next::Loop
        }
    }

    on_stage(builder().workers(1), |_| {
        let quiet = gen_server::spec::<Quiet>(()).pooled().start().unwrap();
        let stop = Arc::new(Mutex::new(false));
        let restless = gen_server::spec::<Restless>(stop.clone())
            .pooled()
            .start()
            .unwrap();
        let answer = quiet.call(|reply| reply);
        let mut watch = process::watch(&restless);
        *stop.lock().unwrap() = true;
        assert_eq!(answer, Ok(7));
        watch.wait(LONG).unwrap();
        gen_server::stop(&quiet).unwrap();
    });
}

thread_local! {
    /// What hashing a [`Key`] does on this thread.
    static HASHES: Cell<Option<fn()>> = const { Cell::new(None) };
    static WATCHES: Cell<Option<process::Watch>> = const { Cell::new(None) };
}

/// Does as told when it is hashed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Key;

impl Hash for Key {
    fn hash<H: Hasher>(&self, _: &mut H) {
        if let Some(hashes) = HASHES.take() {
            hashes();
        }
    }
}

static KEYS: Registry<Key, ()> = Registry::new("keys");

#[test]
fn process_whose_key_panics_is_never_there() {
    on_stage(builder(), |_| {
        HASHES.set(Some(|| panic!("no hash")));
        let (_gate, closed) = mpsc::channel();
        let start = || gen_server::spec::<Gate>(closed).via(KEYS.via(Key)).start();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(start)).is_err());
        assert_eq!(process::processes(), []);
    });
}

#[test]
fn whoever_watches_a_start_that_fails_is_told() {
    on_stage(builder(), |_| {
        let (_gate, closed) = mpsc::channel();
        let first = gen_server::spec::<Gate>(closed)
            .via(KEYS.via(Key))
            .start()
            .unwrap();
        HASHES.set(Some(|| {
            let newest = process::processes().into_iter().max();
            WATCHES.set(newest.map(process::watch));
        }));
        let (_gate, closed) = mpsc::channel();
        let second = gen_server::spec::<Gate>(closed).via(KEYS.via(Key)).start();
        assert_eq!(second.err(), Some(StartError::AlreadyStarted(first.pid())));
        let mut watch = WATCHES.take().unwrap();
        assert_ne!(watch.pid(), first.pid());
        assert!(watch.wait(LONG).is_some());
        gen_server::stop(&first).unwrap();
    });
}

#[test]
fn failed_spawn_monitor_leaves_no_down() {
    on_stage(builder().thread_max(0), |_| {
        process::run::<(), _>(|cx| {
            let failed = process::spawn_monitor::<()>(|_| {});
            assert_eq!(failed.err(), Some(StartError::TooManyThreads));
            assert_eq!(cx.receive_timeout(Duration::ZERO), None);
        })
        .unwrap();
    });
}

#[test]
fn supervised_task_without_a_thread_is_no_end_of_its_owner() {
    on_stage(builder().thread_max(0), |_| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let owner = process::run::<(), _>(|_| {
            let failed = TaskSupervisor::spawn(&tasks, || ()).err();
            let wanted = StartChildError::Failed(StartError::TooManyThreads);
            assert_eq!(failed, Some(wanted));
        });
        assert_eq!(owner, Ok(()));
        perennial::supervisor::stop(&tasks).unwrap();
    });
}
