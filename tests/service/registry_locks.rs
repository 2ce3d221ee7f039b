//! Locks beside registries: one at a time, and free again however its holder leaves. Ids as in the table of
//! conformance cases.

use crate::stage::{LONG, eventually, in_runtime, on_both_kinds, play, reason};
use perennial::prelude::*;
use perennial::process::{self, Kind, Status};
use perennial::registry::LockError;
use perennial::{DuplicateRegistry, ExitReason, Pid, Registry};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

static KEYS: Registry<u32, ()> = Registry::new("keys");

/// A server that runs closures.
struct Runner;

type Job = Box<dyn FnOnce() + Send>;

impl GenServer for Runner {
    type Args = ();
    type Msg = Job;

    fn init((): (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Runner)
    }

    fn handle(&mut self, job: Job, _: &mut Cx<Self>) -> Next<Job> {
        job();
        Next::Loop
    }
}

fn runner(kind: Kind) -> Ref<Job> {
    let spec = gen_server::spec::<Runner>(());
    let spec = match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    };
    spec.start().unwrap()
}

fn end(runner: &Ref<Job>) {
    gen_server::stop(runner).unwrap();
}

fn waits(pid: Pid) -> bool {
    process::info(pid).is_some_and(|info| info.status == Status::Waiting)
}

/// Has a runner run what has to wait, and returns when it does.
fn has_wait(runner: &Ref<Job>, job: impl FnOnce() + Send + 'static) {
    let (begun, has_begun) = mpsc::channel();
    runner.cast(Box::new(move || {
        begun.send(()).unwrap();
        job();
    }));
    has_begun.recv_timeout(LONG).unwrap();
    eventually("it waits", || waits(runner.pid()));
}

/// Rows: reg.lock_same_key
#[test]
fn one_at_a_time_runs_under_a_key() {
    on_both_kinds(|kind| {
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let total = Arc::new(AtomicUsize::new(0));
        let runners: Vec<_> = (0..6).map(|_| runner(kind)).collect();
        for runner in &runners {
            for _ in 0..50 {
                let (inside, most, total) = (inside.clone(), most.clone(), total.clone());
                runner.cast(Box::new(move || {
                    KEYS.lock(1_u32, || {
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    })
                    .unwrap();
                    total.fetch_add(1, Ordering::SeqCst);
                }));
            }
        }
        eventually("all were inside", || total.load(Ordering::SeqCst) == 300);
        assert_eq!(most.load(Ordering::SeqCst), 1);
        runners.iter().for_each(end);
    });
}

/// Whoever came first comes first.
#[test]
fn lock_is_given_in_the_order_in_which_it_was_asked_for() {
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let runners: Vec<_> = (0..4).map(|_| runner(kind)).collect();
        let locked = KEYS.lock(1_u32, || {
            for (n, runner) in runners.iter().enumerate() {
                let send = send.clone();
                has_wait(runner, move || {
                    KEYS.lock(1_u32, || send.send(n).unwrap()).unwrap();
                });
            }
        });
        locked.unwrap();
        let order: Vec<usize> = (0..4)
            .map(|_| receive.recv_timeout(LONG).unwrap())
            .collect();
        assert_eq!(order, [0, 1, 2, 3]);
        runners.iter().for_each(end);
    });
}

/// Rows: reg.lock_other_key
///
/// Four are inside at once, each under another lock.
#[test]
fn other_keys_and_other_registries_are_not_locked() {
    static OTHERS: Registry<u32, ()> = Registry::new("others");
    static GROUPS: DuplicateRegistry<u32, ()> = DuplicateRegistry::new("keys");
    let locked = |n: usize, run: Job| match n {
        0 => KEYS.lock(1_u32, run),
        1 => KEYS.lock(2_u32, run),
        2 => OTHERS.lock(1_u32, run),
        _ => GROUPS.lock(1_u32, run),
    };
    on_both_kinds(|kind| {
        let runners: Vec<_> = (0..4).map(|_| runner(kind)).collect();
        let go = Arc::new(AtomicUsize::new(0));
        for (n, runner) in runners.iter().enumerate() {
            let inside = go.clone();
            // It waits in the library, so a worker is free for the others.
            let wait = move || {
                inside.fetch_add(1, Ordering::SeqCst);
                while inside.load(Ordering::SeqCst) < 4 {
                    process::sleep(Duration::from_millis(1));
                }
            };
            runner.cast(Box::new(move || locked(n, Box::new(wait)).unwrap()));
        }
        eventually("four are inside", || go.load(Ordering::SeqCst) == 4);
        runners.iter().for_each(end);
    });
}

/// Rows: reg.lock_raise
#[test]
fn panic_inside_frees_the_lock() {
    on_both_kinds(|kind| {
        let panicked = play(kind, || {
            KEYS.lock(1_u32, || panic!("out of paper")).unwrap()
        });
        assert!(
            matches!(panicked, Err(ExitReason::Panic(_))),
            "{panicked:?}"
        );
        assert_eq!(play(kind, || KEYS.lock(1_u32, || 7)), Ok(Ok(7)));
        // One that catches it lives on, without the lock.
        let caught = play(kind, || {
            std::panic::catch_unwind(|| KEYS.lock(1_u32, || panic!("out of paper"))).is_err()
        });
        assert_eq!(caught, Ok(true));
        assert_eq!(KEYS.lock(1_u32, || 8), Ok(8));
    });
}

/// Rows: reg.lock_holder_dies
///
/// Whoever hears of the death finds the lock free, or with the next who waited.
#[test]
fn death_of_the_holder_frees_the_lock() {
    on_both_kinds(|kind| {
        for signal in [ExitReason::Kill, ExitReason::other("told to")] {
            let (holder, waiter) = (runner(kind), runner(kind));
            let (inside, is_inside) = mpsc::channel();
            holder.cast(Box::new(move || {
                let held = KEYS.lock(1_u32, || {
                    inside.send(()).unwrap();
                    process::sleep(Duration::MAX);
                });
                unreachable!("{held:?}");
            }));
            is_inside.recv_timeout(LONG).unwrap();
            let (got, has_got) = mpsc::channel();
            has_wait(&waiter, move || {
                KEYS.lock(1_u32, || got.send(()).unwrap()).unwrap();
            });
            let watch = process::watch(&holder);
            process::exit(&holder, signal);
            reason(watch);
            has_got.recv_timeout(LONG).unwrap();
            end(&waiter);
        }
    });
}

/// Rows: reg.lock_waiter_dies
///
/// Those who wait behind it come one earlier, and nobody comes in while the holder is inside.
#[test]
fn death_of_a_waiter_leaves_its_place_to_the_next() {
    on_both_kinds(|kind| {
        let runners: Vec<_> = (0..4).map(|_| runner(kind)).collect();
        let (got, has_got) = mpsc::channel();
        let locked = KEYS.lock(1_u32, || {
            for (n, runner) in runners.iter().enumerate() {
                let got = got.clone();
                has_wait(runner, move || {
                    KEYS.lock(1_u32, || got.send(n).unwrap()).unwrap();
                });
            }
            for dying in [3, 0] {
                let watch = process::watch(&runners[dying]);
                process::exit(&runners[dying], ExitReason::Kill);
                assert_eq!(reason(watch), ExitReason::Killed);
            }
            assert!(runners[1..3].iter().all(|runner| waits(runner.pid())));
            assert!(has_got.try_recv().is_err());
        });
        locked.unwrap();
        drop(got);
        let order: Vec<usize> = has_got.iter().collect();
        assert_eq!(order, [1, 2]);
        runners[1..3].iter().for_each(end);
    });
}

/// A process that is killed in code which goes on keeps the lock: there are never two inside.
#[test]
fn zombie_keeps_its_lock_until_its_code_has_ended() {
    in_runtime(|| {
        let (holder, waiter) = (runner(Kind::Thread), runner(Kind::Pooled));
        let (inside, is_inside) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        holder.cast(Box::new(move || {
            let held = KEYS.lock(1_u32, || {
                inside.send(()).unwrap();
                // Outside the library, so no kill reaches it.
                wait.recv().unwrap_err();
            });
            assert_eq!(held, Ok(()));
        }));
        is_inside.recv_timeout(LONG).unwrap();
        let (got, has_got) = mpsc::channel();
        has_wait(&waiter, move || {
            KEYS.lock(1_u32, || got.send(()).unwrap()).unwrap();
        });
        let watch = process::watch(&holder);
        process::exit(&holder, ExitReason::Kill);
        assert_eq!(reason(watch), ExitReason::Killed);
        assert!(has_got.try_recv().is_err() && waits(waiter.pid()));
        drop(go);
        has_got.recv_timeout(LONG).unwrap();
        end(&waiter);
    });
}

/// What would wait for itself is told so, be it on top of another's stack.
#[test]
fn lock_that_is_held_here_is_refused() {
    on_both_kinds(|kind| {
        let again = play(kind, || KEYS.lock(1_u32, || KEYS.lock(1_u32, || ())));
        assert_eq!(again, Ok(Ok(Err(LockError::Held))));
        let other = play(kind, || KEYS.lock(1_u32, || KEYS.lock(2_u32, || 7)));
        assert_eq!(other, Ok(Ok(Ok(7))));
    });
}

/// A destructor of a process that ends may take a lock that is free, and does not wait for one that is not.
#[test]
fn destructor_of_a_dying_process_does_not_wait_for_a_lock() {
    struct Last(mpsc::Sender<[Result<u32, LockError>; 2]>);
    impl Drop for Last {
        fn drop(&mut self) {
            let free = KEYS.lock(2_u32, || 2);
            let _ = self.0.send([KEYS.lock(1_u32, || 1), free]);
        }
    }
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel();
        let locked = KEYS.lock(1_u32, || {
            let ended = play(kind, move || {
                let _last = Last(send);
                panic!("out of paper");
            });
            assert!(matches!(ended, Err(ExitReason::Panic(_))));
            receive.recv_timeout(LONG).unwrap()
        });
        assert_eq!(locked, Ok([Err(LockError::Exiting), Ok(2)]));
    });
}
