//! How streams of tasks end before their input does, and what is left of them: nothing.

use crate::stage::{LONG, eventually, in_runtime, nothing_left, on_both_kinds, play, reason};
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::supervisor::{DynamicMsg, StartChildError};
use perennial::{ExitReason, Pid, Runtime, StreamError, TaskSupervisor, task};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn rest() {
    process::sleep(Duration::from_secs(3600));
}

fn me() -> Pid {
    process::self_pid().unwrap()
}

/// The first task returns when all others have begun; those rest, and are told of here.
fn resting(send: mpsc::Sender<Pid>) -> impl Fn(u32) + Send + Sync + 'static {
    move |n| {
        send.send(me()).unwrap();
        if n > 0 {
            rest();
        }
    }
}

fn supervisor() -> Ref<DynamicMsg> {
    TaskSupervisor::new().start().unwrap()
}

/// Rows: task.stream_halt_early
#[test]
fn halted_stream_stops_its_tasks() {
    on_both_kinds(|kind| {
        let tasks = supervisor();
        let under = tasks.clone();
        play(kind, move || {
            for turn in 0..6 {
                let (send, begun) = mpsc::channel();
                let run = resting(send);
                let pooled = turn % 2 == 1;
                macro_rules! first {
                    ($stream:expr) => {{
                        let stream = $stream.max_concurrency(4).timeout(Duration::MAX);
                        let stream = if pooled { stream.pooled() } else { stream };
                        let taken: Vec<_> = stream.build().unwrap().take(1).collect();
                        assert_eq!(taken, [Ok(())]);
                    }};
                }
                match turn / 2 {
                    0 => first!(task::stream(0.., run)),
                    1 => first!(TaskSupervisor::stream(&under, 0.., run)),
                    _ => first!(TaskSupervisor::stream_nolink(&under, 0.., run)),
                }
                let begun: Vec<Pid> = begun.try_iter().collect();
                // One that was killed before its first line has not begun.
                assert!((1..=4).contains(&begun.len()), "{begun:?}");
                assert!(begun.iter().all(|pid| !process::is_alive(*pid)));
                nothing_left();
            }
        })
        .unwrap();
        assert_eq!(TaskSupervisor::children(&tasks), Ok(vec![]));
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

#[test]
fn stream_that_a_plain_thread_drops_stops_its_tasks() {
    in_runtime(|| {
        let tasks = supervisor();
        let (send, begun) = mpsc::channel();
        let stream = TaskSupervisor::stream_nolink(&tasks, 0.., resting(send));
        let mut stream = stream.max_concurrency(3).build().unwrap();
        assert_eq!(stream.next(), Some(Ok(())));
        drop(stream);
        assert!(begun.iter().all(|pid| !process::is_alive(pid)));
        assert_eq!(TaskSupervisor::children(&tasks), Ok(vec![]));
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

/// An input that tells when it is dropped.
struct Input(u32, Arc<AtomicBool>);

impl Iterator for Input {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0 += 1;
        Some(self.0)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

/// Rows: task.stream_inner_outer_halt
#[test]
fn input_is_dropped_with_the_stream_wherever_it_was_cut() {
    on_both_kinds(|kind| {
        play(kind, || {
            for inside in [true, false] {
                let closed = Arc::<AtomicBool>::default();
                let input = Input(0, closed.clone());
                let double = |n: u32| 2 * n;
                let items: Result<Vec<_>, _> = if inside {
                    let stream = task::stream(input.take(3), double);
                    stream.max_concurrency(2).build().unwrap().collect()
                } else {
                    let stream = task::stream(input, double);
                    stream.max_concurrency(2).build().unwrap().take(3).collect()
                };
                assert_eq!(items, Ok(vec![2, 4, 6]));
                assert!(closed.load(Ordering::SeqCst));
                nothing_left();
            }
        })
        .unwrap();
    });
}

/// Whoever catches the panic of its input has a stream that has ended.
#[test]
fn panic_of_the_input_stops_the_tasks() {
    on_both_kinds(|kind| {
        play(kind, || {
            let (send, begun) = mpsc::channel();
            let input = (0..).inspect(|n| assert!(*n < 2, "the input is torn"));
            let run = move |_| {
                send.send(process::watch(me())).unwrap();
                rest();
            };
            let stream = task::stream(input, run).max_concurrency(3);
            let mut stream = stream.build().unwrap();
            let caught = catch_unwind(AssertUnwindSafe(|| stream.next()));
            assert!(caught.is_err());
            assert_eq!(stream.next(), None);
            drop(stream);
            for watch in begun {
                assert_eq!(reason(watch), ExitReason::Killed);
            }
            nothing_left();
        })
        .unwrap();
        // One that does not catch it dies of it, and takes its tasks along.
        let died = play(kind, || {
            let input = (0..).inspect(|n| assert!(*n < 2, "the input is torn"));
            let stream = task::stream(input, |_| rest()).max_concurrency(3);
            stream.build().unwrap().for_each(drop);
        });
        assert!(matches!(died, Err(ExitReason::Panic(_))), "{died:?}");
    });
}

/// A consumer that is killed does not get to halt its stream: one of its tasks does that.
#[test]
fn killed_consumer_takes_its_tasks_along() {
    on_both_kinds(|kind| {
        let tasks = supervisor();
        for linked in [true, false] {
            let (send, begun) = mpsc::channel();
            let under = tasks.clone();
            let died = play(kind, move || {
                let consumer = me();
                let first = AtomicBool::new(false);
                let run = move |n: u32| {
                    send.send(process::watch(me())).unwrap();
                    if n == 0 {
                        first.store(true, Ordering::SeqCst);
                    } else {
                        eventually("the first has begun", || first.load(Ordering::SeqCst));
                        process::exit(consumer, ExitReason::Kill);
                    }
                    rest();
                };
                if linked {
                    let stream = task::stream(0..2, run).max_concurrency(2);
                    let stream = stream.timeout(Duration::MAX);
                    stream.build().unwrap().for_each(drop);
                } else {
                    let stream = TaskSupervisor::stream_nolink(&under, 0..2, run);
                    let stream = stream.max_concurrency(2).timeout(Duration::MAX);
                    stream.build().unwrap().for_each(drop);
                }
            });
            assert_eq!(died, Err(ExitReason::Killed));
            let reasons: Vec<_> = begun.iter().map(reason).collect();
            assert_eq!(reasons, [ExitReason::Killed, ExitReason::Killed]);
        }
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

/// Code outside the library meets a kill only when it comes back: the consumer's identity is cut, and its stream with
/// it, while its stack still stands.
#[test]
fn consumer_that_is_cut_takes_its_tasks_along() {
    on_both_kinds(|kind| {
        let tasks = supervisor();
        let under = tasks.clone();
        let (send, begun) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let died = play(kind, move || {
            let (ready, second) = mpsc::channel();
            let run = move |n: u32| {
                if n > 0 {
                    send.send(process::watch(me())).unwrap();
                    ready.send(()).unwrap();
                    rest();
                }
            };
            let stream = TaskSupervisor::stream_nolink(&under, 0.., run).max_concurrency(2);
            let mut stream = stream.timeout(Duration::MAX).build().unwrap();
            assert_eq!(stream.next(), Some(Ok(())));
            second.recv().unwrap();
            let consumer = me();
            process::spawn::<()>(move |_| process::exit(consumer, ExitReason::Kill));
            // Nothing of this looks at the kill, and it lasts until the task has ended.
            let _ = wait.recv();
        });
        assert_eq!(died, Err(ExitReason::Killed));
        assert_eq!(reason(begun.recv().unwrap()), ExitReason::Killed);
        go.send(()).unwrap();
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

/// Nobody unwinds and nothing is dropped, and yet nothing is left.
#[test]
fn forgotten_stream_ends_with_its_consumer() {
    on_both_kinds(|kind| {
        let tasks = supervisor();
        let under = tasks.clone();
        let (send, begun) = mpsc::channel();
        play(kind, move || {
            let stream = TaskSupervisor::stream_nolink(&under, 0..9, resting(send));
            let stream = stream.max_concurrency(2).timeout(Duration::MAX);
            let mut stream = stream.build().unwrap();
            assert_eq!(stream.next(), Some(Ok(())));
            std::mem::forget(stream);
        })
        .unwrap();
        for pid in begun.try_iter() {
            eventually("the task has ended", || !process::is_alive(pid));
        }
        eventually("no task is left", || {
            TaskSupervisor::children(&tasks) == Ok(vec![])
        });
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

/// Rows: tsup.max_children
#[test]
fn full_supervisor_ends_a_stream_and_its_tasks() {
    let consume = |tasks: &Ref<DynamicMsg>| {
        let stream = TaskSupervisor::stream_nolink(tasks, 0..9, |_| rest());
        let items: Vec<_> = stream.max_concurrency(3).build().unwrap().collect();
        let full = StreamError::Start(StartChildError::MaxChildren);
        assert_eq!(items, [Err(full)]);
        assert_eq!(TaskSupervisor::children(tasks), Ok(vec![]));
    };
    on_both_kinds(|kind| {
        let tasks = TaskSupervisor::new().max_children(2).start().unwrap();
        consume(&tasks);
        let under = tasks.clone();
        play(kind, move || {
            consume(&under);
            nothing_left();
        })
        .unwrap();
        perennial::supervisor::stop(&tasks).unwrap();
    });
}

/// The supervisor has heard of the end of each task before it is asked for the next.
#[test]
fn stream_fits_a_supervisor_with_room_for_exactly_its_tasks() {
    on_both_kinds(|kind| {
        for pooled in [false, true] {
            let tasks = TaskSupervisor::new().max_children(2).start().unwrap();
            let under = tasks.clone();
            play(kind, move || {
                let stream = TaskSupervisor::stream(&under, 0..200, |n| n).max_concurrency(2);
                let stream = if pooled { stream.pooled() } else { stream };
                let items: Result<Vec<_>, _> = stream.build().unwrap().collect();
                assert_eq!(items, Ok((0..200).collect()));
                nothing_left();
            })
            .unwrap();
            perennial::supervisor::stop(&tasks).unwrap();
        }
    });
}

#[test]
fn supervised_items_are_children_and_their_crash_ends_a_linked_consumer() {
    on_both_kinds(|kind| {
        let tasks = supervisor();
        let under = tasks.clone();
        play(kind, move || {
            let (asked, pid) = (under.clone(), under.pid());
            let run = move |_: u32| {
                let children = TaskSupervisor::children(&asked).unwrap();
                (
                    children == [me()],
                    process::info(me()).unwrap().parent == pid,
                )
            };
            let stream = TaskSupervisor::stream(&under, 0..2, run).max_concurrency(1);
            assert_eq!(
                stream.build().unwrap().collect::<Result<Vec<_>, _>>(),
                Ok(vec![(true, true); 2])
            );
        })
        .unwrap();
        let under = tasks.clone();
        let died = play(kind, move || {
            let run = |n: u32| assert_eq!(n, 0, "out of paper");
            let stream = TaskSupervisor::stream(under, 0..2, run);
            stream.build().unwrap().for_each(drop);
        });
        let reason = died.unwrap_err();
        assert!(reason.to_string().contains("out of paper"), "{reason}");
        // The end of the supervisor is the end of its tasks.
        let under = tasks.clone();
        let died = play(kind, move || {
            let asked = under.clone();
            let run = move |_: u32| {
                // When it answers this it has told the consumer that the task runs.
                TaskSupervisor::children(&asked).unwrap();
                process::exit(&asked, ExitReason::Kill);
                rest();
            };
            let stream = TaskSupervisor::stream(under, 0..1, run);
            stream.build().unwrap().for_each(drop);
        });
        assert_eq!(died, Err(ExitReason::Killed));
        eventually("the supervisor has ended", || !tasks.is_alive());
    });
}

#[test]
fn pooled_consumer_without_a_spare_worker_is_told() {
    let runtime = Runtime::builder().workers(1).spare_max(0).build().unwrap();
    let entered = runtime.enter();
    play(Kind::Pooled, || {
        let stream = task::stream(0..3, |_| rest()).max_concurrency(2);
        let items: Vec<_> = stream.build().unwrap().collect();
        assert_eq!(items, [Err(StreamError::PoolExhausted)]);
        nothing_left();
    })
    .unwrap();
    eventually("all processes have ended", || {
        runtime.counts().processes == 0
    });
    drop(entered);
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
}

/// A destructor of a process that ends may not wait.
#[test]
fn consumer_that_unwinds_gets_no_items() {
    struct Last(mpsc::Sender<Vec<Result<u32, StreamError<u32>>>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let stream = task::stream(0..3, |n: u32| n).build().unwrap();
            self.0.send(stream.collect()).unwrap();
        }
    }
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let died = play(kind, move || {
            let _last = Last(send);
            panic!("consumer crashes");
        });
        assert!(Result::<(), _>::is_err(&died));
        assert_eq!(receive.recv(), Ok(vec![Err(StreamError::Exiting)]));
    });
}
