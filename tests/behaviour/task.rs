//! Tasks: spawn, join, yield, shutdown, ignore; ids as in the table of conformance cases.

use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds, play, reason};
use perennial::prelude::*;
use perennial::process::{self, Kind, StartError};
use perennial::{ExitReason, Pid, Runtime, Task, TaskError, task};
use std::sync::mpsc;
use std::time::Duration;

/// Waits inside the library, so that signals reach it.
fn rest() {
    process::sleep(Duration::from_secs(3600));
}

fn me() -> Pid {
    process::self_pid().unwrap()
}

fn mailbox_len() -> usize {
    process::info(me()).unwrap().message_queue_len
}

/// A task that has ended with `reason`, of an owner that lives on.
fn dead_task(reason: ExitReason) -> Task<u32> {
    process::trap_exit(true).unwrap();
    ended_task(move || {
        process::exit_self(reason).unwrap();
        unreachable!("exit_self does not return")
    })
}

/// A task whose result is there, and whose process has ended.
fn done_task(value: u32) -> Task<u32> {
    ended_task(move || value)
}

/// A task whose owner has heard of its end: links hear before those who watched already when it came.
fn ended_task(run: impl FnOnce() -> u32 + Send + 'static) -> Task<u32> {
    let (go, begin) = mpsc::channel();
    let task = Task::spawn(move || {
        begin.recv().unwrap();
        run()
    });
    let task = task.unwrap();
    let watch = process::watch(task.pid().unwrap());
    go.send(()).unwrap();
    reason(watch);
    task
}

fn exit<T>(reason: ExitReason) -> Option<Result<T, TaskError>> {
    Some(Err(TaskError::Exit(reason)))
}

/// Rows: task.async
#[test]
fn spawned_task_is_linked_and_brings_one_result() {
    on_both_kinds(|kind| {
        let result = play(kind, || {
            let (go, wait) = mpsc::channel::<()>();
            let task = Task::spawn(move || {
                wait.recv().unwrap();
                process::info(me()).unwrap().parent
            });
            let task = task.unwrap();
            let pid = task.pid().unwrap();
            let info = process::info(pid).unwrap();
            assert_eq!((info.kind, info.links), (Kind::Thread, vec![me()]));
            assert_eq!(process::info(me()).unwrap().links, [pid]);
            assert_eq!(task.owner(), me());
            let watch = process::watch(pid);
            go.send(()).unwrap();
            assert_eq!(task.join(), Ok(me()));
            assert_eq!(reason(watch), ExitReason::Normal);
            let info = process::info(me()).unwrap();
            assert!(
                info.links.is_empty() && info.monitors.is_empty(),
                "{info:?}"
            );
        });
        assert_eq!(result, Ok(()));
    });
}

#[test]
fn pooled_task_computes_on_the_pool() {
    on_both_kinds(|kind| {
        let result = play(kind, || {
            let tasks: Vec<Task<(u64, Kind)>> = (0..100)
                .map(|n| {
                    let kind = || process::info(me()).unwrap().kind;
                    task::spec(move || (n * n, kind()))
                        .pooled()
                        .spawn()
                        .unwrap()
                })
                .collect();
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join_for(LONG), Ok(((n * n) as u64, Kind::Pooled)));
            }
        });
        assert_eq!(result, Ok(()));
    });
}

/// Rows: task.yield_reply_and_down
#[test]
fn result_never_enters_the_mailbox() {
    in_runtime(|| {
        play(Kind::Thread, || {
            let mut task = done_task(7);
            assert_eq!(mailbox_len(), 0);
            assert_eq!(task.yield_for(Duration::ZERO), Some(Ok(7)));
            let timed_out = Task::spawn(rest).unwrap();
            let pid = timed_out.pid().unwrap();
            assert_eq!(
                timed_out.join_for(Duration::from_millis(1)),
                Err(TaskError::Timeout)
            );
            process::unlink(pid).unwrap();
            process::exit(pid, ExitReason::Shutdown);
            ended(pid);
            assert_eq!(mailbox_len(), 0);
        })
        .unwrap();
    });
}

/// Rows: v.await_timeout_task_lives
#[test]
fn task_outlives_a_join_that_timed_out() {
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let (pid, error) = play(kind, move || {
            let task = Task::spawn(move || receive.recv().unwrap()).unwrap();
            let pid = task.pid().unwrap();
            let error = task.join_for(Duration::from_millis(1)).unwrap_err();
            assert!(process::info(pid).unwrap().monitored_by.is_empty());
            (pid, error)
        })
        .unwrap();
        assert_eq!(error, TaskError::Timeout);
        let watch = process::watch(pid);
        assert!(process::is_alive(pid));
        send.send(1).unwrap();
        assert_eq!(reason(watch), ExitReason::Normal);
    });
}

/// Rows: v.await_twice
///
/// A join consumes the task, so only a yield can come first; the second wait is not waited for.
#[test]
fn result_is_had_once() {
    on_both_kinds(|kind| {
        play(kind, || {
            let mut task = done_task(7);
            assert_eq!(task.yield_for(LONG), Some(Ok(7)));
            assert_eq!(task.yield_for(LONG), exit(ExitReason::NoProc));
            assert_eq!(
                task.join_for(LONG),
                Err(TaskError::Exit(ExitReason::NoProc))
            );
        })
        .unwrap();
    });
}

/// Rows: v.crash_kills_caller
#[test]
fn crash_of_a_task_ends_an_owner_that_does_not_trap() {
    on_both_kinds(|kind| {
        for pooled in [false, true] {
            let died = play(kind, move || {
                let spec = task::spec(|| -> u32 { panic!("out of paper") });
                let spec = if pooled { spec.pooled() } else { spec };
                let result = spec.spawn().unwrap().join();
                unreachable!("the owner goes on with {result:?}");
            });
            // The very reason of the task, and not what the owner made of it.
            let reason = died.unwrap_err();
            assert!(
                matches!(&reason, ExitReason::Panic(panic) if panic.message() == "out of paper"),
                "{reason}"
            );
        }
    });
}

#[test]
fn owner_that_traps_exits_gets_the_reason_and_the_exit() {
    in_runtime(|| {
        let result = process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            let task = Task::spawn(|| -> u32 { panic!("out of paper") }).unwrap();
            let pid = task.pid().unwrap();
            let Err(TaskError::Exit(reason)) = task.join() else {
                panic!("a task that crashed has no result");
            };
            match cx.receive_timeout(LONG) {
                Some(process::Received::Exit(exit)) => {
                    assert_eq!((exit.from, exit.reason), (pid, reason));
                }
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(result, Ok(()));
    });
}

/// Rows: v.caller_normal_exit
#[test]
fn task_goes_on_after_the_normal_end_of_its_owner() {
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let pid = play(kind, move || {
            let task = Task::spawn(move || receive.recv().unwrap()).unwrap();
            task.pid().unwrap()
        });
        let pid = pid.unwrap();
        let watch = process::watch(pid);
        assert!(process::is_alive(pid));
        send.send(()).unwrap();
        assert_eq!(reason(watch), ExitReason::Normal);
    });
}

#[test]
fn task_ends_with_an_owner_that_crashes() {
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let died = play(kind, move || {
            let task = Task::spawn(rest).unwrap();
            send.send(process::watch(task.pid().unwrap())).unwrap();
            panic!("owner crashes");
        });
        let crash: ExitReason = Result::<(), _>::unwrap_err(died);
        assert_eq!(reason(receive.recv().unwrap()), crash);
    });
}

/// Rows: task.non_owner
#[test]
fn only_the_owner_may_wait() {
    on_both_kinds(|kind| {
        play(kind, || {
            let owner = me();
            let (mut first, second, third) = (done_task(1), done_task(2), done_task(3));
            let stranger = Task::spawn(move || {
                let error = TaskError::NotOwner {
                    owner,
                    caller: me(),
                };
                assert_eq!(first.yield_for(LONG), Some(Err(error.clone())));
                assert_eq!(first.ignore(), Some(Err(error.clone())));
                assert_eq!(second.shutdown(), Some(Err(error.clone())));
                assert_eq!(third.join(), Err(error.clone()));
                error.to_string()
            });
            let text = stranger.unwrap().join().unwrap();
            assert!(text.contains(&owner.to_string()), "{text}");
        })
        .unwrap();
    });
}

#[test]
fn plain_thread_has_no_linked_task() {
    in_runtime(|| {
        assert!(matches!(Task::spawn(|| 1), Err(StartError::NotAProcess)));
        assert_eq!(Task::start_link(|| 1), Err(StartError::NotAProcess));
        assert_eq!(Task::completed(1).join(), Ok(1));
    });
}

/// Rows: task.yield_timeout
#[test]
fn yield_may_be_repeated() {
    on_both_kinds(|kind| {
        play(kind, || {
            let (send, receive) = mpsc::channel();
            let mut task = Task::spawn(move || receive.recv().unwrap()).unwrap();
            assert_eq!(task.yield_for(Duration::ZERO), None);
            assert_eq!(task.yield_for(Duration::from_millis(1)), None);
            send.send(9).unwrap();
            assert_eq!(task.yield_for(LONG), Some(Ok(9)));
        })
        .unwrap();
    });
}

/// Rows: task.yield_exit
#[test]
fn task_that_exits_has_no_result_but_a_reason() {
    on_both_kinds(|kind| {
        play(kind, || {
            for reason in [
                ExitReason::Normal,
                ExitReason::Shutdown,
                ExitReason::other(3),
            ] {
                let mut task = dead_task(reason.clone());
                assert_eq!(task.yield_for(LONG), exit(reason));
            }
        })
        .unwrap();
    });
}

/// Rows: task.shutdown_reply_wins
#[test]
fn shutdown_gives_a_result_that_is_there() {
    on_both_kinds(|kind| {
        play(kind, || {
            assert_eq!(done_task(1).shutdown(), Some(Ok(1)));
            assert_eq!(done_task(2).brutal_kill(), Some(Ok(2)));
            assert_eq!(Task::completed(3).shutdown(), Some(Ok(3)));
        })
        .unwrap();
    });
}

/// Rows: task.shutdown_running, task.shutdown_brutal
#[test]
fn shutdown_stops_a_running_task_and_leaves_its_owner_alone() {
    on_both_kinds(|kind| {
        play(kind, || {
            for pooled in [false, true] {
                let start = || {
                    let spec = task::spec(rest);
                    let spec = if pooled { spec.pooled() } else { spec };
                    spec.spawn().unwrap()
                };
                let (asked, killed) = (start(), start());
                let pids = [asked.pid().unwrap(), killed.pid().unwrap()];
                assert_eq!(asked.shutdown(), None);
                assert_eq!(killed.brutal_kill(), None);
                assert!(pids.iter().all(|pid| !process::is_alive(*pid)));
            }
            assert!(process::info(me()).unwrap().links.is_empty());
            process::checkpoint();
        })
        .unwrap();
    });
}

/// Rows: task.shutdown_timeout_kill, task.shutdown_brutal
#[test]
fn task_that_traps_exits_is_killed() {
    on_both_kinds(|kind| {
        play(kind, || {
            let stubborn = || {
                let (trapping, traps) = mpsc::channel();
                let task = Task::spawn(move || {
                    process::trap_exit(true).unwrap();
                    trapping.send(()).unwrap();
                    rest();
                });
                traps.recv().unwrap();
                task.unwrap()
            };
            let (asked, killed) = (stubborn(), stubborn());
            let short = Duration::from_millis(1);
            assert_eq!(asked.shutdown_for(short), exit(ExitReason::Killed));
            assert_eq!(killed.brutal_kill(), None);
        })
        .unwrap();
    });
}

/// Rows: task.shutdown_exit, task.shutdown_shutdown_down, task.shutdown_brutal_table
#[test]
fn shutdown_of_a_task_that_has_ended_says_why_it_did() {
    on_both_kinds(|kind| {
        play(kind, || {
            use ExitReason::{Killed, Normal, Shutdown};
            let other = ExitReason::other("abnormal");
            // (reason, what shutdown says, what brutal_kill says)
            let table = [
                (Normal, exit(Normal), exit(Normal)),
                (other.clone(), exit(other.clone()), exit(other)),
                (Killed, exit(Killed), None),
                (Shutdown, None, exit(Shutdown)),
            ];
            for (reason, asked, killed) in table {
                assert_eq!(dead_task(reason.clone()).shutdown(), asked, "{reason}");
                assert_eq!(dead_task(reason.clone()).brutal_kill(), killed, "{reason}");
            }
        })
        .unwrap();
    });
}

/// Rows: task.shutdown_noproc
#[test]
fn shutdown_of_a_task_whose_result_was_taken_finds_no_process() {
    on_both_kinds(|kind| {
        play(kind, || {
            let mut task = done_task(1);
            assert_eq!(task.yield_for(LONG), Some(Ok(1)));
            assert_eq!(task.shutdown(), exit(ExitReason::NoProc));
        })
        .unwrap();
    });
}

/// Rows: task.ignore_on_time, task.ignore_late, task.ignore_failures
#[test]
fn ignored_task_runs_on_alone() {
    on_both_kinds(|kind| {
        play(kind, || {
            assert_eq!(done_task(1).ignore(), Some(Ok(1)));
            let failed = ExitReason::other("abnormal");
            assert_eq!(dead_task(failed.clone()).ignore(), exit(failed));
            process::trap_exit(false).unwrap();
            let (send, receive) = mpsc::channel::<()>();
            let task = Task::spawn(move || {
                receive.recv().unwrap();
                panic!("nobody cares");
            });
            let task: Task<()> = task.unwrap();
            let pid = task.pid().unwrap();
            assert_eq!(task.ignore(), None);
            let watch = process::watch(pid);
            assert!(process::is_alive(pid));
            send.send(()).unwrap();
            assert!(matches!(reason(watch), ExitReason::Panic(_)));
            process::checkpoint();
        })
        .unwrap();
    });
}

/// Rows: task.completed
#[test]
fn completed_task_needs_no_process() {
    on_both_kinds(|kind| {
        play(kind, || {
            let mut task = Task::completed(5);
            assert_eq!((task.pid(), task.owner()), (None, me()));
            assert_eq!(task.yield_for(Duration::ZERO), Some(Ok(5)));
            assert_eq!(Task::completed(6).ignore(), Some(Ok(6)));
        })
        .unwrap();
    });
}

/// Rows: task.start_vs_start_link
#[test]
fn started_task_is_linked_only_if_asked() {
    on_both_kinds(|kind| {
        play(kind, || {
            let alone = Task::start(rest).unwrap();
            let linked = Task::start_link(rest).unwrap();
            assert_eq!(process::info(me()).unwrap().links, [linked]);
            process::unlink(linked).unwrap();
            for pid in [alone, linked] {
                process::exit(pid, ExitReason::Shutdown);
                ended(pid);
            }
        })
        .unwrap();
    });
}

struct Boss;

impl GenServer for Boss {
    type Args = ();
    type Msg = ReplyTo<Result<bool, TaskError>>;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Boss)
    }

    fn handle(&mut self, reply: Self::Msg, cx: &mut Cx<Self>) -> Next<Self::Msg> {
        let boss = cx.me().clone();
        let task = Task::spawn(move || {
            let answer = boss.call_for(LONG, |reply| reply);
            matches!(answer, Err(process::CallError::Deadlock(_)))
        });
        reply.send(task.unwrap().join_for(LONG));
        Next::Loop
    }
}

/// One of the two who wait for each other is told, whichever closed the circle.
#[test]
fn owner_and_task_that_wait_for_each_other_are_a_deadlock() {
    for kind in [Kind::Thread, Kind::Pooled] {
        let runtime = Runtime::builder().default_kind(kind).build().unwrap();
        let entered = runtime.enter();
        let boss = gen_server::start::<Boss>(()).unwrap();
        let answer = boss.call_for(LONG, |reply| reply).unwrap();
        assert!(
            matches!(answer, Ok(true) | Err(TaskError::Deadlock(_))),
            "{answer:?}"
        );
        drop(entered);
        assert_eq!(runtime.shutdown(LONG).zombies, 0);
    }
}

#[test]
fn dropped_task_runs_on_linked_and_its_result_is_dropped_with_it() {
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        play(kind, move || {
            let (go, wait) = mpsc::channel::<()>();
            let task = Task::spawn(move || {
                wait.recv().unwrap();
                Told(send)
            });
            let task = task.unwrap();
            let pid = task.pid().unwrap();
            drop(task);
            assert_eq!(process::info(me()).unwrap().links, [pid]);
            let watch = process::watch(pid);
            go.send(()).unwrap();
            receive.recv_timeout(LONG).unwrap();
            assert_eq!(reason(watch), ExitReason::Normal);
        })
        .unwrap();
    });
}

/// An owner that unwinds may look at its tasks, but not wait for them.
#[test]
fn owner_that_unwinds_does_not_wait() {
    struct Last(Option<Task<u32>>, mpsc::Sender<Result<u32, TaskError>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.1.send(self.0.take().unwrap().join_for(LONG)).unwrap();
        }
    }
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let died = play(kind, move || {
            let (done, endless) = (
                done_task(1),
                task::spec(|| {
                    rest();
                    2
                })
                .spawn()
                .unwrap(),
            );
            let _last = (Last(Some(done), send.clone()), Last(Some(endless), send));
            panic!("owner crashes");
        });
        assert!(Result::<(), _>::is_err(&died));
        assert_eq!(receive.recv().unwrap(), Ok(1));
        assert_eq!(receive.recv().unwrap(), Err(TaskError::Exiting));
    });
}

#[test]
fn many_tasks_leave_nothing_behind() {
    on_both_kinds(|kind| {
        play(kind, || {
            for round in 0..200 {
                let spec = task::spec(move || round);
                let task = if round % 2 == 0 { spec.pooled() } else { spec }
                    .spawn()
                    .unwrap();
                match round % 5 {
                    0 => drop(task),
                    1 => drop(task.ignore()),
                    2 => drop(task.shutdown()),
                    3 => drop(task.brutal_kill()),
                    _ => assert_eq!(task.join(), Ok(round)),
                }
            }
            eventually("links are gone", || {
                process::info(me()).unwrap().links.is_empty()
            });
        })
        .unwrap();
    });
}
