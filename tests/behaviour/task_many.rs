//! Several tasks waited for together; ids as in the table of conformance cases.

use crate::stage::{
    LONG, ended, eventually, in_runtime, nothing_left, on_both_kinds, play, reason,
};
use perennial::prelude::*;
use perennial::process::{self, Received};
use perennial::task::{OnYieldTimeout, YieldMany};
use perennial::{ExitReason, Pid, Task, TaskError, TaskSupervisor, task};
use std::sync::mpsc;
use std::time::Duration;

fn rest() {
    process::sleep(Duration::from_secs(3600));
}

fn me() -> Pid {
    process::self_pid().unwrap()
}

/// A task that rests, and its pid.
fn resting() -> (Task<u32>, Pid) {
    let task = Task::spawn(|| {
        rest();
        0
    });
    let task = task.unwrap();
    let pid = task.pid().unwrap();
    (task, pid)
}

/// A task that waits for a word, and then has this value.
fn gated(value: u32) -> (Task<u32>, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let task = Task::spawn(move || {
        let _ = wait.recv();
        value
    });
    (task.unwrap(), go)
}

fn stop(pids: &[Pid]) {
    for pid in pids {
        process::unlink(*pid).unwrap();
        process::exit(*pid, ExitReason::Kill);
        ended(*pid);
    }
}

/// Rows: task.await_many_order
#[test]
fn results_of_many_come_in_the_order_of_the_tasks() {
    on_both_kinds(|kind| {
        play(kind, || {
            for pooled in [false, true] {
                let mut before: Option<mpsc::Receiver<()>> = None;
                // Each waits for its successor.
                let mut tasks: Vec<Task<u32>> = (0..if pooled { 1 } else { 5 })
                    .rev()
                    .map(|n| {
                        let (done, after) = mpsc::channel();
                        let wait = before.replace(after);
                        let spec = task::spec(move || {
                            let _ = wait.map(|wait| wait.recv());
                            let _ = done.send(());
                            n
                        });
                        let spec = if pooled { spec.pooled() } else { spec };
                        spec.spawn().unwrap()
                    })
                    .collect();
                tasks.reverse();
                tasks.push(Task::completed(9));
                let count = tasks.len() as u32 - 1;
                let expected: Vec<u32> = (0..count).chain([9]).collect();
                assert_eq!(Task::join_many_for(tasks, LONG), Ok(expected));
                eventually("the tasks have ended", || {
                    process::info(me()).unwrap().links.is_empty()
                });
                nothing_left();
            }
        })
        .unwrap();
    });
}

/// Rows: task.await_many_fail_fast
#[test]
fn first_of_many_to_fail_fails_the_wait() {
    on_both_kinds(|kind| {
        play(kind, || {
            process::trap_exit(true).unwrap();
            let abnormal = ExitReason::other("abnormal");
            for reason in [ExitReason::Normal, abnormal] {
                let (slow, pid) = resting();
                let ended_with = reason.clone();
                let failing = Task::spawn(move || -> u32 {
                    process::exit_self(ended_with).unwrap();
                    unreachable!("exit_self does not return")
                });
                let tasks = [slow, failing.unwrap()];
                let failed = Task::join_many_for(tasks, Duration::MAX);
                assert_eq!(failed, Err(TaskError::Exit(reason)));
                // It runs on, and nobody watches it.
                let info = process::info(pid).unwrap();
                assert!(info.monitored_by.is_empty(), "{info:?}");
                stop(&[pid]);
            }
        })
        .unwrap();
        let died = play(kind, || {
            let (slow, _) = resting();
            let crash = Task::spawn(|| -> u32 { panic!("out of paper") });
            let results = Task::join_many([slow, crash.unwrap()]);
            unreachable!("the owner goes on with {results:?}");
        });
        let reason = Result::<(), _>::unwrap_err(died);
        assert!(reason.to_string().contains("out of paper"), "{reason}");
    });
}

/// Rows: task.await_many_other_messages
#[test]
fn wait_for_many_leaves_messages_alone() {
    in_runtime(|| {
        process::run::<u32, _>(|cx| {
            cx.me().clone().cast(7);
            let tasks = [1, 2].map(|n| Task::spawn(move || n).unwrap());
            assert_eq!(Task::join_many(tasks), Ok(vec![1, 2]));
            let received = cx.receive_timeout(Duration::ZERO);
            assert!(matches!(received, Some(Received::Message(7))));
            assert!(cx.receive_timeout(Duration::ZERO).is_none());
        })
        .unwrap();
    });
}

/// Rows: task.await_many_timeout, task.await_many_empty
#[test]
fn many_have_one_deadline_and_none_have_none() {
    on_both_kinds(|kind| {
        play(kind, || {
            let none: [Task<u32>; 0] = [];
            assert_eq!(Task::join_many_for(none, Duration::MAX), Ok(vec![]));
            for timeout in [Duration::ZERO, Duration::from_millis(1)] {
                let ((one, one_pid), (other, other_pid)) = (resting(), resting());
                let tasks = [Task::completed(1), one, other];
                let late = Task::join_many_for(tasks, timeout);
                assert_eq!(late, Err(TaskError::Timeout));
                assert!(process::is_alive(one_pid) && process::is_alive(other_pid));
                stop(&[one_pid, other_pid]);
            }
            // What is there is had without waiting.
            let done = [Task::completed(1), Task::completed(2)];
            assert_eq!(Task::join_many_for(done, Duration::ZERO), Ok(vec![1, 2]));
            nothing_left();
        })
        .unwrap();
    });
}

/// Rows: task.non_owner
#[test]
fn many_have_to_be_ones_own() {
    on_both_kinds(|kind| {
        play(kind, || {
            let owner = me();
            let (foreign, pid) = resting();
            let own = Task::spawn(move || {
                let caller = me();
                let error = TaskError::NotOwner { owner, caller };
                let mut tasks = [foreign, Task::completed(1)];
                let results = Task::yield_many(&mut tasks, YieldMany::new());
                assert_eq!(results, [Some(Err(error.clone())), Some(Ok(1))]);
                assert_eq!(Task::join_many(tasks), Err(error));
            });
            assert_eq!(own.unwrap().join(), Ok(()));
            stop(&[pid]);
        })
        .unwrap();
    });
}

/// Rows: task.yield_many_mixed
#[test]
fn each_of_many_says_what_came_of_it() {
    on_both_kinds(|kind| {
        play(kind, || {
            process::trap_exit(true).unwrap();
            let (pending, go) = gated(2);
            let done = Task::spawn(|| 1_u32).unwrap();
            let exited = Task::spawn(|| -> u32 {
                process::exit_self(ExitReason::other("abnormal")).unwrap();
                unreachable!("exit_self does not return")
            });
            let exited = exited.unwrap();
            for task in [&done, &exited] {
                ended(task.pid().unwrap());
            }
            let mut tasks = [done, pending, exited];
            // One that has ended may take another moment to say so.
            let soon = YieldMany::new().timeout(Duration::from_millis(500));
            let results = Task::yield_many(&mut tasks, soon);
            let failed = TaskError::Exit(ExitReason::other("abnormal"));
            assert_eq!(results, [Some(Ok(1)), None, Some(Err(failed))]);
            // The one that was late may be asked again; the others are through.
            go.send(()).unwrap();
            let taken = || Some(Err(TaskError::Exit(ExitReason::NoProc)));
            let again = Task::yield_many(&mut tasks, YieldMany::new().timeout(LONG));
            assert_eq!(again, [taken(), Some(Ok(2)), taken()]);
        })
        .unwrap();
    });
}

/// Rows: task.yield_many_limit
#[test]
fn wait_for_some_of_many_ends_with_the_last_of_those() {
    on_both_kinds(|kind| {
        play(kind, || {
            let (slow, pid) = resting();
            let (quick, go) = gated(1);
            go.send(()).unwrap();
            let mut tasks = [slow, quick];
            // Nothing happens to the rest: there was no timeout.
            let first = YieldMany::new()
                .limit(1)
                .timeout(Duration::MAX)
                .on_timeout(OnYieldTimeout::KillTask);
            assert_eq!(Task::yield_many(&mut tasks, first), [None, Some(Ok(1))]);
            assert!(process::is_alive(pid));
            stop(&[pid]);
            let mut tasks = [1_u32, 2].map(|n| Task::spawn(move || n).unwrap());
            let more = YieldMany::new().limit(9).timeout(LONG);
            assert_eq!(
                Task::yield_many(&mut tasks, more),
                [Some(Ok(1)), Some(Ok(2))]
            );
            let none = YieldMany::new().limit(0).timeout(Duration::MAX);
            let (slow, pid) = resting();
            assert_eq!(Task::yield_many(&mut [slow], none), [None]);
            stop(&[pid]);
        })
        .unwrap();
    });
}

/// Rows: task.yield_many_kill, task.yield_many_ignore
#[test]
fn late_ones_of_many_are_killed_or_let_go() {
    on_both_kinds(|kind| {
        play(kind, || {
            let soon = YieldMany::new().timeout(Duration::from_millis(1));
            // Two that trap exits, too.
            let stubborn = || {
                let (trapping, traps) = mpsc::channel();
                let task = Task::spawn(move || {
                    process::trap_exit(true).unwrap();
                    trapping.send(()).unwrap();
                    rest();
                    0_u32
                });
                traps.recv().unwrap();
                task.unwrap()
            };
            let mut tasks = [resting().0, stubborn(), Task::completed(1)];
            let pids = [&tasks[0], &tasks[1]].map(|task| task.pid().unwrap());
            let kill = soon.on_timeout(OnYieldTimeout::KillTask);
            assert_eq!(
                Task::yield_many(&mut tasks, kill),
                [None, None, Some(Ok(1))]
            );
            assert!(pids.iter().all(|pid| !process::is_alive(*pid)));
            nothing_left();

            let (late, go) = gated(1);
            let watch = process::watch(late.pid().unwrap());
            let mut tasks = [late];
            let ignore = soon.on_timeout(OnYieldTimeout::Ignore);
            assert_eq!(Task::yield_many(&mut tasks, ignore), [None]);
            nothing_left();
            go.send(()).unwrap();
            assert_eq!(reason(watch), ExitReason::Normal);
            // Its result was dropped.
            let gone = Some(Err(TaskError::Exit(ExitReason::NoProc)));
            assert_eq!(Task::yield_many(&mut tasks, ignore), [gone]);
        })
        .unwrap();
    });
}

#[test]
fn plain_thread_waits_for_many_that_are_not_linked() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let start = |n: u32| TaskSupervisor::spawn_nolink(&tasks, move || n).unwrap();
        let many: Vec<_> = (0..100).map(start).collect();
        assert_eq!(Task::join_many(many), Ok((0..100).collect()));
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

/// A kill ends the wait, and the owner.
#[test]
fn owner_that_waits_for_many_meets_its_end() {
    on_both_kinds(|kind| {
        let died = play(kind, || {
            let owner = me();
            let killer = Task::spawn(move || {
                process::exit(owner, ExitReason::Kill);
                rest();
                0
            });
            let many = [resting().0, killer.unwrap()];
            Task::join_many_for(many, Duration::MAX)
        });
        assert_eq!(died, Err(ExitReason::Killed));
    });
}
