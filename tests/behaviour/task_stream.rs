//! Streams of tasks; ids as in the table of conformance cases.

use crate::stage::{
    KINDS, LONG, eventually, in_runtime, nothing_left, on_both_kinds, play, reason,
};
use crate::support::record;
use perennial::prelude::*;
use perennial::process::{self, Kind, Received, StartError};
use perennial::supervisor::StartChildError;
use perennial::task::{self, OnItemTimeout};
use perennial::time::{Clock, ManualClock};
use perennial::{ExitReason, Pid, Runtime, StreamError, StreamOptionError, Task, TaskSupervisor};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Waits inside the library, so that signals reach it.
fn rest() {
    process::sleep(Duration::from_secs(3600));
}

fn me() -> Pid {
    process::self_pid().unwrap()
}

fn fail(reason: ExitReason) -> ! {
    process::exit_self(reason).unwrap();
    unreachable!("exit_self does not return")
}

fn exited<I>(reason: ExitReason, input: Option<I>) -> StreamError<I> {
    StreamError::Exit { reason, input }
}

/// Counts what is read of it.
fn counted(read: &Arc<AtomicUsize>) -> impl Iterator<Item = usize> + use<> {
    let read = read.clone();
    (0..).inspect(move |_| {
        read.fetch_add(1, Ordering::SeqCst);
    })
}

/// Rows: task.stream_ordered
#[test]
fn results_come_in_the_order_of_the_input() {
    on_both_kinds(|kind| {
        for max in [1, 2, 4, 8] {
            play(kind, move || {
                let done: Arc<[AtomicBool; 4]> = Arc::default();
                let run = move |n: usize| {
                    // Whoever comes later among those that run together is done first.
                    if n % max + 1 < max && n < 3 {
                        eventually("the next is done", || done[n + 1].load(Ordering::SeqCst));
                    }
                    done[n].store(true, Ordering::SeqCst);
                    10 * n
                };
                let stream = task::stream(0..4, run).max_concurrency(max).build();
                let results: Result<Vec<_>, _> = stream.unwrap().collect();
                assert_eq!(results, Ok(vec![0, 10, 20, 30]));
                nothing_left();
            })
            .unwrap();
        }
    });
}

/// Rows: task.stream_unordered
#[test]
fn results_come_as_they_are_there() {
    on_both_kinds(|kind| {
        play(kind, || {
            // The last one first, and each when its successor was received.
            let next = Arc::new(AtomicUsize::new(3));
            let seen = next.clone();
            let run = move |n: usize| {
                eventually("it is my turn", || seen.load(Ordering::SeqCst) == n);
                n
            };
            let stream = task::stream(0..4, run).max_concurrency(4).unordered();
            let results = stream.build().unwrap().inspect(|_| {
                next.fetch_sub(1, Ordering::SeqCst);
            });
            assert_eq!(results.collect::<Result<Vec<_>, _>>(), Ok(vec![3, 2, 1, 0]));
            nothing_left();
        })
        .unwrap();
    });
}

#[test]
fn stream_of_nothing_has_ended() {
    on_both_kinds(|kind| {
        play(kind, || {
            let mut stream = task::stream([0_u8; 0], |n| n).build().unwrap();
            assert_eq!((stream.next(), stream.next()), (None, None));
            assert_eq!(stream.size_hint(), (0, Some(0)));
        })
        .unwrap();
    });
}

/// Rows: task.stream_timeout_exit
#[test]
fn consumer_exits_if_an_item_takes_too_long() {
    on_both_kinds(|kind| {
        let died = play(kind, || {
            let stuck = task::stream(0..3, |_| rest()).timeout(Duration::ZERO);
            stuck.max_concurrency(3).build().unwrap().for_each(drop);
        });
        assert_eq!(died, Err(ExitReason::Timeout));
    });
}

/// A plain thread cannot exit.
#[test]
fn timeout_is_the_last_item_of_a_plain_thread() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let stuck = TaskSupervisor::stream_nolink(&tasks, 0..3, |_| rest());
        let stuck = stuck.timeout(Duration::ZERO).max_concurrency(3);
        let items: Vec<_> = stuck.build().unwrap().collect();
        assert_eq!(items, [Err(StreamError::Timeout { input: None })]);
        assert_eq!(TaskSupervisor::children(&tasks), Ok(vec![]));
        supervisor::stop(&tasks).unwrap();
    });
}

/// Plays a case on both kinds with a clock that the case moves.
fn by_hand(case: impl Fn(Kind, ManualClock)) {
    for kind in KINDS {
        let _play = record::play(&[kind]);
        let (clock, hand) = Clock::manual();
        let runtime = Runtime::builder().workers(2).clock(clock).build().unwrap();
        let entered = runtime.enter();
        case(kind, hand);
        eventually("all processes have ended", || {
            runtime.counts().processes == 0
        });
        drop(entered);
        assert_eq!(runtime.shutdown(LONG).zombies, 0);
    }
}

/// Nobody else moves the clock, so the others are not late, whatever the machine does.
///
/// Rows: task.stream_kill_task
#[test]
fn late_task_is_killed_and_the_stream_goes_on() {
    by_hand(|kind, hand| {
        play(kind, move || {
            for pooled in [false, true] {
                let (send, stuck) = mpsc::channel();
                let hand = hand.clone();
                let run = move |n: u32| {
                    if n == 1 {
                        send.send(me()).unwrap();
                        hand.advance(Duration::from_secs(5));
                        rest();
                    }
                    n
                };
                let stream = task::stream(0..3, run).max_concurrency(1);
                let stream = if pooled { stream.pooled() } else { stream };
                let stream = stream.on_timeout(OnItemTimeout::KillTask);
                let results: Vec<_> = stream.build().unwrap().collect();
                let late = StreamError::Timeout { input: None };
                assert_eq!(results, [Ok(0), Err(late), Ok(2)]);
                assert!(!process::is_alive(stuck.recv().unwrap()));
                nothing_left();
            }
        })
        .unwrap();
    });
}

/// A task is late by the time that it has run, whether its consumer looks or not.
#[test]
fn late_task_is_killed_while_its_consumer_does_something_else() {
    by_hand(|kind, hand| {
        play(kind, move || {
            let (send, stuck) = mpsc::channel();
            let run = move |n: u32| {
                if n == 1 {
                    send.send(process::watch(me())).unwrap();
                    rest();
                }
            };
            let stream = task::stream(0..2, run).max_concurrency(2);
            let mut stream = stream
                .timeout(Duration::from_secs(9))
                .on_timeout(OnItemTimeout::KillTask)
                .build()
                .unwrap();
            assert_eq!(stream.next(), Some(Ok(())));
            let watch = stuck.recv().unwrap();
            hand.advance(Duration::from_secs(9));
            assert_eq!(reason(watch), ExitReason::Killed);
            let late = StreamError::Timeout { input: None };
            assert_eq!(stream.next(), Some(Err(late)));
            assert_eq!((stream.next(), stream.next()), (None, None));
        })
        .unwrap();
    });
}

/// What a task of each kind of end makes of its item.
const ENDS: [fn() -> ExitReason; 4] = [
    || ExitReason::Normal,
    || ExitReason::Shutdown,
    || ExitReason::shutdown_with(1),
    || ExitReason::other("abnormal"),
];

fn end(n: usize) -> usize {
    match ENDS.get(n) {
        Some(reason) => fail(reason()),
        None => n,
    }
}

/// Rows: task.stream_exits_trap, task.stream_zip_input
#[test]
fn consumer_that_traps_exits_has_them_as_items_and_no_messages() {
    on_both_kinds(|kind| {
        play(kind, || {
            process::trap_exit(true).unwrap();
            for pooled in [false, true] {
                let stream = task::stream(0..5, end).max_concurrency(2);
                let stream = if pooled { stream.pooled() } else { stream };
                let plain: Vec<_> = stream.build().unwrap().collect();
                let reasons = ENDS.iter().map(|reason| Err(exited(reason(), None)));
                let expected: Vec<_> = reasons.chain([Ok(4)]).collect();
                assert_eq!(plain, expected);
                let zipped = task::stream(0..5, end).zip_input_on_exit();
                let zipped: Vec<_> = zipped.build().unwrap().collect();
                for (n, item) in zipped.into_iter().enumerate().take(4) {
                    assert_eq!(item, Err(exited(ENDS[n](), Some(n))));
                }
                nothing_left();
            }
        })
        .unwrap();
    });
}

/// Rows: v.stream_crash_notrap
#[test]
fn crash_of_an_item_ends_a_consumer_that_does_not_trap() {
    on_both_kinds(|kind| {
        for pooled in [false, true] {
            let died = play(kind, move || {
                let run = |n: u32| {
                    assert_eq!(n, 0, "out of paper");
                    // The crash of a later one does not wait for its turn.
                    rest();
                };
                let stream = task::stream(0..2, run).max_concurrency(2);
                let stream = if pooled { stream.pooled() } else { stream };
                let items: Vec<_> = stream.timeout(Duration::MAX).build().unwrap().collect();
                unreachable!("the consumer goes on with {items:?}");
            });
            let reason = died.unwrap_err();
            assert!(reason.to_string().contains("out of paper"), "{reason}");
        }
        let died = play(kind, || {
            task::stream([1], end).build().unwrap().for_each(drop);
        });
        assert_eq!(died, Err(ExitReason::Shutdown));
        // As a link: a normal end is nobody's.
        let lives = play(kind, || task::stream([0], end).build().unwrap().collect());
        let normal = vec![Err(exited(ExitReason::Normal, None))];
        assert_eq!(lives, Ok(normal));
    });
}

/// Rows: tsup.stream_nolink_exits
#[test]
fn consumer_without_links_outlives_its_items() {
    let consume = |tasks: &_| {
        let stream = TaskSupervisor::stream_nolink(tasks, 0..6, |n| {
            assert_ne!(n, 5, "out of paper");
            end(n)
        });
        let items: Vec<_> = stream.max_concurrency(3).build().unwrap().collect();
        let reasons = ENDS.iter().map(|reason| Err(exited(reason(), None)));
        let expected: Vec<_> = reasons.chain([Ok(4)]).collect();
        assert_eq!(items[..5], expected);
        assert!(
            matches!(
                &items[5],
                Err(StreamError::Exit {
                    reason: ExitReason::Panic(_),
                    ..
                })
            ),
            "{items:?}"
        );
    };
    on_both_kinds(|kind| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let under = tasks.clone();
        play(kind, move || {
            consume(&under);
            nothing_left();
        })
        .unwrap();
        // And from a plain thread.
        consume(&tasks);
        assert_eq!(TaskSupervisor::children(&tasks), Ok(vec![]));
        supervisor::stop(&tasks).unwrap();
    });
}

#[test]
fn linked_stream_needs_a_process() {
    in_runtime(|| {
        let mut stream = task::stream([1], |n| n).build().unwrap();
        let refused = StreamError::Start(StartChildError::Failed(StartError::NotAProcess));
        assert_eq!(stream.next(), Some(Err(refused)));
        assert_eq!(stream.next(), None);
    });
}

/// Rows: task.stream_bad_options
///
/// A timeout is a `Duration` and what happens after it an enum: only the number is left to be wrong.
#[test]
fn stream_without_concurrency_is_refused_when_it_is_made() {
    on_both_kinds(|kind| {
        let refused = play(kind, || {
            task::stream([1], |n| n).max_concurrency(0).build().err()
        });
        assert_eq!(refused, Ok(Some(StreamOptionError::MaxConcurrency)));
    });
    let text = StreamOptionError::MaxConcurrency.to_string();
    assert!(text.contains("max_concurrency"), "{text}");
}

/// Rows: task.stream_zip
#[test]
fn two_streams_are_consumed_in_turn() {
    on_both_kinds(|kind| {
        play(kind, || {
            let stream = || task::stream(0..20, |n| 2 * n).max_concurrency(3).build();
            let pairs: Vec<_> = stream()
                .unwrap()
                .zip(stream().unwrap())
                .map(|(one, other)| (one.unwrap(), other.unwrap()))
                .collect();
            let expected: Vec<_> = (0..20).map(|n| (2 * n, 2 * n)).collect();
            assert_eq!(pairs, expected);
            nothing_left();
        })
        .unwrap();
    });
}

/// Rows: task.stream_fake_down
#[test]
fn messages_of_the_consumer_are_left_alone() {
    in_runtime(|| {
        process::run::<u32, _>(|cx| {
            let dead = process::spawn::<()>(|_| ());
            crate::stage::ended(dead.pid());
            let monitor = cx.monitor(dead.pid());
            cx.me().clone().cast(7);
            let stream = task::stream(0..10, |n| n).max_concurrency(2).build();
            assert_eq!(
                stream.unwrap().collect::<Result<Vec<_>, _>>(),
                Ok((0..10).collect::<Vec<_>>())
            );
            match cx.receive_timeout(LONG) {
                Some(Received::Down(down)) => assert_eq!(down.monitor, monitor),
                other => panic!("{other:?}"),
            }
            assert!(matches!(
                cx.receive_timeout(LONG),
                Some(Received::Message(7))
            ));
            nothing_left();
        })
        .unwrap();
    });
}

/// Rows: task.stream_other_process
#[test]
fn stream_belongs_to_whoever_begins_it() {
    on_both_kinds(|kind| {
        let whole = task::stream(0..4, |n| n).build().unwrap();
        let result = play(kind, move || whole.collect::<Result<Vec<_>, _>>());
        assert_eq!(result, Ok(Ok(vec![0, 1, 2, 3])));
        // One that was begun stays with whoever did.
        play(kind, || {
            let owner = me();
            let mut begun = task::stream(0..4, |n| n)
                .max_concurrency(1)
                .build()
                .unwrap();
            assert_eq!(begun.next(), Some(Ok(0)));
            let elsewhere = Task::spawn(move || {
                let caller = me();
                let error = StreamError::NotOwner { owner, caller };
                assert_eq!(begun.next(), Some(Err(error.clone())));
                assert_eq!(begun.next(), None);
                error.to_string()
            });
            let text = elsewhere.unwrap().join().unwrap();
            assert!(text.contains(&owner.to_string()), "{text}");
        })
        .unwrap();
    });
}

/// The input runs where the stream is consumed, so it may borrow what is there.
#[test]
fn input_may_borrow_and_is_read_by_the_consumer() {
    on_both_kinds(|kind| {
        play(kind, || {
            let consumer = me();
            let numbers = [1_u32, 2, 3];
            let mut readers = Vec::new();
            let input = numbers.iter().map(|n| {
                readers.push(me());
                *n
            });
            let sum = task::stream(input, |n| n).build().unwrap();
            assert_eq!(sum.map(Result::unwrap).sum::<u32>(), 6);
            assert_eq!(readers, [consumer; 3]);
        })
        .unwrap();
    });
}

#[test]
fn input_is_read_no_further_ahead_than_tasks_may_run() {
    on_both_kinds(|kind| {
        play(kind, || {
            for unordered in [false, true] {
                let read = Arc::<AtomicUsize>::default();
                let input = counted(&read);
                let stream = task::stream(input, |n| n).max_concurrency(3);
                let stream = if unordered {
                    stream.unordered()
                } else {
                    stream
                };
                let mut stream = stream.build().unwrap();
                assert_eq!(read.load(Ordering::SeqCst), 0);
                for given in 1..50 {
                    assert!(matches!(stream.next(), Some(Ok(_))));
                    assert_eq!(read.load(Ordering::SeqCst), given + 2);
                }
            }
            nothing_left();
        })
        .unwrap();
    });
}

#[test]
fn watches_are_for_nobody_to_see() {
    on_both_kinds(|kind| {
        play(kind, || {
            let consumer = me();
            let run = move |_| process::info(consumer).map(|info| (info.links, info.monitors));
            let stream = task::stream(0..2, run).build().unwrap();
            assert_eq!(
                stream.collect::<Result<Vec<_>, _>>(),
                Ok(vec![Some((vec![], vec![])); 2])
            );
        })
        .unwrap();
    });
}
