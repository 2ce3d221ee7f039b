//! Task supervisors; ids as in the table of conformance cases.

use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds, play, reason};
use perennial::process::{self, StartError};
use perennial::supervisor::{self, ChildError, Restart, StartChildError};
use perennial::{ExitReason, Pid, Runtime, TaskError, TaskSupervisor, task};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn rest() {
    process::sleep(Duration::from_secs(3600));
}

fn me() -> Pid {
    process::self_pid().unwrap()
}

/// Rows: tsup.async
#[test]
fn spawned_task_is_a_child_and_linked_to_its_owner() {
    on_both_kinds(|kind| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let under = tasks.clone();
        play(kind, move || {
            let (go, wait) = mpsc::channel::<()>();
            let task = TaskSupervisor::spawn(&under, move || wait.recv().unwrap()).unwrap();
            let pid = task.pid().unwrap();
            assert_eq!(TaskSupervisor::children(&under).unwrap(), [pid]);
            let info = process::info(pid).unwrap();
            assert_eq!(info.parent, under.pid());
            assert!(info.links.contains(&me()) && info.links.contains(&under.pid()));
            assert_eq!(task.owner(), me());
            go.send(()).unwrap();
            assert_eq!(task.join_for(LONG), Ok(()));
        })
        .unwrap();
        let under = tasks.clone();
        let died = play(kind, move || {
            let task = TaskSupervisor::spawn(&under, || panic!("out of paper"));
            let result: Result<(), _> = task.unwrap().join();
            unreachable!("the owner goes on with {result:?}");
        });
        let reason = Result::<(), _>::unwrap_err(died);
        assert!(
            matches!(&reason, ExitReason::Panic(panic) if panic.message() == "out of paper"),
            "{reason}"
        );
        assert!(tasks.is_alive());
        eventually("the tasks are forgotten", || {
            TaskSupervisor::children(&tasks).unwrap().is_empty()
        });
        supervisor::stop(&tasks).unwrap();
    });
}

/// Rows: tsup.async_nolink
#[test]
fn crash_of_a_task_that_is_not_linked_is_a_value() {
    on_both_kinds(|kind| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let under = tasks.clone();
        play(kind, move || {
            for pooled in [false, true] {
                let spec = task::spec(|| -> u32 { panic!("out of paper") });
                let spec = if pooled { spec.pooled() } else { spec };
                let mut task = spec.spawn_nolink_under(&under).unwrap();
                assert!(process::info(me()).unwrap().links.is_empty());
                let Some(Err(TaskError::Exit(reason))) = task.yield_for(LONG) else {
                    panic!("a task that crashed has no result");
                };
                assert!(reason.to_string().contains("out of paper"), "{reason}");
            }
            process::checkpoint();
        })
        .unwrap();
        assert!(tasks.is_alive());
        supervisor::stop(&tasks).unwrap();
    });
}

#[test]
fn plain_thread_may_own_a_task_that_is_not_linked() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let task = TaskSupervisor::spawn_nolink(&tasks, || 6 * 7).unwrap();
        assert_eq!((task.owner(), task.join()), (Pid::INIT, Ok(42)));
        let refused = TaskSupervisor::spawn(&tasks, || 1).map(|task| task.pid());
        assert_eq!(
            refused,
            Err(StartChildError::Failed(StartError::NotAProcess))
        );
        let stuck = TaskSupervisor::spawn_nolink(&tasks, rest).unwrap();
        assert_eq!(stuck.shutdown(), None);
        supervisor::stop(&tasks).unwrap();
    });
}

/// Rows: tsup.max_children
#[test]
fn full_supervisor_refuses() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().max_children(1).start().unwrap();
        let first = TaskSupervisor::spawn_nolink(&tasks, rest).unwrap();
        let full = Err(StartChildError::MaxChildren);
        assert_eq!(TaskSupervisor::start_child(&tasks, || {}), full);
        let second = TaskSupervisor::spawn_nolink(&tasks, || {});
        assert_eq!(
            second.map(|task| task.pid()),
            Err(StartChildError::MaxChildren)
        );
        first.brutal_kill();
        eventually("there is room", || {
            TaskSupervisor::start_child(&tasks, || {}).is_ok()
        });
        supervisor::stop(&tasks).unwrap();
    });
}

/// Rows: tsup.start_child_restart
#[test]
fn permanent_task_is_restarted_and_a_temporary_one_is_not() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new()
            .intensity(100, Duration::from_secs(1))
            .start()
            .unwrap();
        let runs = Arc::new(AtomicU32::new(0));
        let count = runs.clone();
        let run = move || {
            // Two crashes, and then it stays.
            if count.fetch_add(1, Ordering::SeqCst) < 2 {
                panic!("out of paper");
            }
            rest();
        };
        TaskSupervisor::start_child_with(&tasks, Restart::Permanent, run).unwrap();
        eventually("the third run", || runs.load(Ordering::SeqCst) == 3);
        assert_eq!(TaskSupervisor::children(&tasks).unwrap().len(), 1);
        let once = TaskSupervisor::start_child(&tasks, || panic!("once"));
        let once: Pid = once.map_err(|error| panic!("{error}")).unwrap();
        ended(once);
        eventually("only the permanent one is left", || {
            TaskSupervisor::children(&tasks).unwrap().len() == 1
        });
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        supervisor::stop(&tasks).unwrap();
    });
}

/// Rows: tsup.terminate_child
#[test]
fn terminated_task_is_gone() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let pid = TaskSupervisor::start_child(&tasks, rest).unwrap();
        let watch = process::watch(pid);
        assert_eq!(TaskSupervisor::terminate_child(&tasks, pid), Ok(()));
        assert_eq!(reason(watch), ExitReason::Shutdown);
        let again = TaskSupervisor::terminate_child(&tasks, pid);
        assert_eq!(again, Err(ChildError::NotFound));
        supervisor::stop(&tasks).unwrap();
    });
}

#[test]
fn stopped_supervisor_takes_its_tasks_along_and_their_owners_hear_why() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let owned = TaskSupervisor::spawn_nolink(&tasks, rest).unwrap();
        let other = TaskSupervisor::start_child(&tasks, rest).unwrap();
        supervisor::stop(&tasks).unwrap();
        assert!(!process::is_alive(other));
        assert_eq!(owned.join(), Err(TaskError::Exit(ExitReason::Shutdown)));
    });
}

/// An owner that ends takes its linked task along, whoever started the process of that.
#[test]
fn crash_of_the_owner_ends_a_linked_task_and_no_other() {
    on_both_kinds(|kind| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let under = tasks.clone();
        let (send, receive) = mpsc::channel();
        let died = play(kind, move || {
            let linked = TaskSupervisor::spawn(&under, rest).unwrap();
            let alone = TaskSupervisor::spawn_nolink(&under, rest).unwrap();
            let pids = [linked, alone].map(|task| task.pid().unwrap());
            send.send((process::watch(pids[0]), pids[1])).unwrap();
            panic!("owner crashes");
        });
        let crash: ExitReason = Result::<(), _>::unwrap_err(died);
        let (linked, alone) = receive.recv().unwrap();
        assert_eq!(reason(linked), crash);
        assert_eq!(TaskSupervisor::children(&tasks).unwrap(), [alone]);
        supervisor::stop(&tasks).unwrap();
    });
}

/// The supervisor comes to it when the owner has ended: in Elixir such a task ends while it waits for its owner's word.
#[test]
fn task_whose_owner_ended_before_it_began_does_nothing() {
    for linked in [true, false] {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        let entered = runtime.enter();
        let tasks = TaskSupervisor::new().start().unwrap();
        let (send, exits) = mpsc::channel();
        let told = process::attach(move |exited: &process::Exited| {
            let _ = send.send((exited.pid, exited.reason.clone()));
        });
        // Nobody on the pool gets anywhere, the supervisor least of all.
        let (go, wait) = mpsc::channel::<()>();
        let busy = task::spec(move || wait.recv().unwrap()).pooled();
        let busy = busy.start().unwrap();
        let (ran, under) = (Arc::new(AtomicU32::new(0)), tasks.clone());
        let count = ran.clone();
        let owner = process::spawn::<()>(move |_| {
            let run = move || count.fetch_add(1, Ordering::SeqCst);
            let task = if linked {
                TaskSupervisor::spawn(&under, run)
            } else {
                TaskSupervisor::spawn_nolink(&under, run)
            };
            unreachable!("the owner got {task:?}");
        });
        let waiting = || process::info(&tasks).unwrap().message_queue_len == 1;
        eventually("the supervisor is asked", waiting);
        process::exit(&owner, ExitReason::Kill);
        eventually("the owner has ended", || !owner.is_alive());
        go.send(()).unwrap();
        let known = [busy, owner.pid()];
        let reason = loop {
            let (pid, reason) = exits.recv_timeout(LONG).unwrap();
            if !known.contains(&pid) {
                break reason;
            }
        };
        assert_eq!(reason, ExitReason::shutdown_with(ExitReason::Killed));
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        runtime.telemetry().detach(told);
        supervisor::stop(&tasks).unwrap();
        drop(entered);
        assert_eq!(runtime.shutdown(LONG).zombies, 0);
    }
}
