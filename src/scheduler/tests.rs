//! The pool as its callers see it.

use super::{Config, LongTurn, PoolExhausted, Runnable, Scheduler, Turn};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Parker, thread};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use std::time::{Duration, Instant};

enum Want {
    Nothing,
    AnotherTurn,
}

/// A task that calls a closure once per turn.
struct Job<F>(F);

impl<F: Fn(&Arc<dyn Runnable>) -> Want + Send + Sync + 'static> Runnable for Job<F> {
    fn run(self: Arc<Self>) -> Turn {
        let this: Arc<dyn Runnable> = self.clone();
        match (self.0)(&this) {
            Want::Nothing => Turn::Done,
            Want::AnotherTurn => Turn::Again(this),
        }
    }
}

fn job(f: impl Fn() + Send + Sync + 'static) -> Arc<dyn Runnable> {
    looping(move |_| {
        f();
        Want::Nothing
    })
}

fn looping(f: impl Fn(&Arc<dyn Runnable>) -> Want + Send + Sync + 'static) -> Arc<dyn Runnable> {
    Arc::new(Job(f))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn pool(workers: usize, spare_max: usize) -> Scheduler {
    Scheduler::start(Config {
        workers,
        spare_max,
        ..Config::default()
    })
    .unwrap()
}

fn end(scheduler: &Scheduler) {
    assert_eq!(scheduler.shutdown(soon()), 0);
}

/// Threads left after a shutdown without much patience.
fn left(scheduler: &Scheduler) -> usize {
    scheduler.shutdown(Instant::now() + Duration::from_millis(10))
}

/// Waits until `fact` holds.
fn eventually(what: &str, fact: impl Fn() -> bool) {
    let deadline = soon();
    let pause = Parker::new();
    while !fact() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        pause.park_until(Some(Instant::now() + Duration::from_millis(1)));
    }
}

/// A gate that threads wait at until it is opened.
#[derive(Default)]
struct Gate {
    waiting: AtomicUsize,
    open: Mutex<bool>,
    opened: crate::sync::Condvar,
}

impl Gate {
    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock();
        while !*open {
            self.opened.wait(&mut open);
        }
    }

    fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

#[test]
fn every_task_of_many_producers_gets_its_turns() {
    const PRODUCERS: usize = 4;
    const TASKS: usize = 2_000;
    let scheduler = pool(2, 0);
    let turns = Arc::new(AtomicUsize::new(0));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|number| {
            let scheduler = scheduler.clone();
            let turns = turns.clone();
            thread::spawn(format!("producer-{number}"), None, move || {
                for task in 0..TASKS {
                    let left = AtomicUsize::new(2);
                    let turns = turns.clone();
                    let task = (task, scheduler.clone());
                    let work = looping(move |_| {
                        turns.fetch_add(1, Ordering::SeqCst);
                        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                            let turns = turns.clone();
                            let last = job(move || {
                                turns.fetch_add(1, Ordering::SeqCst);
                            });
                            if task.0 % 2 == 0 {
                                task.1.schedule(last);
                            } else {
                                task.1.schedule_fair(last);
                            }
                            return Want::Nothing;
                        }
                        Want::AnotherTurn
                    });
                    scheduler.schedule(work);
                }
            })
            .unwrap()
        })
        .collect();
    for producer in producers {
        producer.join().unwrap();
    }
    eventually("all turns given", || {
        turns.load(Ordering::SeqCst) == PRODUCERS * TASKS * 3
    });
    eventually("turns counted", || {
        scheduler.stats().turns == (PRODUCERS * TASKS * 3) as u64
    });
    end(&scheduler);
}

/// One task at a time, with the pool falling asleep in between: a lost wake-up hangs the test.
#[test]
fn sleeping_pool_wakes_for_every_single_task() {
    for workers in [1, 2, 4] {
        let scheduler = pool(workers, 0);
        for round in 0..500 {
            if round % 5 == 0 {
                eventually("all asleep", || scheduler.stats().sleeping == workers);
            }
            let done = Arc::new(Parker::new());
            let signal = done.clone();
            scheduler.schedule(job(move || signal.unpark()));
            assert!(done.park_until(Some(soon())));
        }
        end(&scheduler);
    }
}

#[test]
fn panicking_task_costs_no_worker() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor, on purpose");
        }
    }
    let scheduler = pool(1, 0);
    scheduler.schedule(job(|| panic!("on purpose")));
    scheduler.schedule(job(|| std::panic::panic_any(Bomb)));
    let done = Arc::new(Parker::new());
    let signal = done.clone();
    scheduler.schedule(job(move || signal.unpark()));
    assert!(done.park_until(Some(soon())));
    end(&scheduler);
}

#[test]
fn spares_stand_in_for_blocked_workers_up_to_the_bound() {
    let scheduler = pool(1, 2);
    let gate = Arc::new(Gate::default());
    let refused = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let (inner, gate) = (scheduler.clone(), gate.clone());
        scheduler.schedule(job(move || {
            let nested = inner.clone();
            // Within a blocking call another one counts for nothing.
            let result = inner.block(|| nested.block(|| gate.wait()));
            assert_eq!(result, Ok(Ok(())));
        }));
    }
    eventually("both wait, so a spare took the second", || {
        gate.waiting() == 2
    });
    let (inner, count) = (scheduler.clone(), refused.clone());
    scheduler.schedule(job(move || {
        let result = inner.block(|| unreachable!("at the bound nothing runs"));
        assert_eq!(result, Err::<(), _>(PoolExhausted));
        count.fetch_add(1, Ordering::SeqCst);
    }));
    eventually("the third is refused, on the second spare", || {
        refused.load(Ordering::SeqCst) == 1
    });
    let stats = scheduler.stats();
    assert_eq!((stats.blocked, stats.spares), (2, 2));
    gate.open();
    eventually("nobody is blocked", || scheduler.stats().blocked == 0);
    // Spares learn between two turns that they are too many, so they get some.
    let idle = Arc::new(AtomicBool::new(false));
    for _ in 0..4 {
        let idle = idle.clone();
        scheduler.schedule(looping(move |_| {
            if idle.load(Ordering::SeqCst) {
                Want::Nothing
            } else {
                Want::AnotherTurn
            }
        }));
    }
    eventually("the spares stand down", || scheduler.stats().spares == 0);
    idle.store(true, Ordering::SeqCst);
    // Those that stand by are called back; no third place exists, and none is needed.
    let gate = Arc::new(Gate::default());
    for _ in 0..2 {
        let (inner, gate) = (scheduler.clone(), gate.clone());
        scheduler.schedule(job(move || inner.block(|| gate.wait()).unwrap()));
    }
    eventually("both wait again", || gate.waiting() == 2);
    gate.open();
    end(&scheduler);
}

#[test]
fn tasks_behind_a_blocked_one_go_on() {
    let scheduler = pool(1, 1);
    let gate = Arc::new(Gate::default());
    let done = Arc::new(AtomicUsize::new(0));
    let (inner, inner_gate, inner_done) = (scheduler.clone(), gate.clone(), done.clone());
    scheduler.schedule(job(move || {
        let count = || {
            let done = inner_done.clone();
            job(move || {
                done.fetch_add(1, Ordering::SeqCst);
            })
        };
        for _ in 0..10 {
            inner.schedule(count());
        }
        let within = || {
            inner.schedule(count());
            inner.schedule_fair(count());
            inner_gate.wait();
        };
        inner.block(within).unwrap();
    }));
    eventually("twelve tasks ran", || done.load(Ordering::SeqCst) == 12);
    assert_eq!(gate.waiting(), 1);
    gate.open();
    end(&scheduler);
}

#[test]
fn block_off_the_pool_just_runs() {
    let scheduler = pool(1, 0);
    assert_eq!(scheduler.block(|| 7), Ok(7));
    assert!(!scheduler.on_worker());
    end(&scheduler);
}

#[test]
fn task_in_the_lifo_slot_runs_in_place() {
    let scheduler = pool(1, 0);
    let (say, heard) = crate::sync::channel::unbounded();
    let inner = scheduler.clone();
    scheduler.schedule(job(move || {
        assert!(inner.on_worker());
        let turns = Arc::new(AtomicUsize::new(0));
        let count = turns.clone();
        let wanted = looping(move |_| {
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                Want::AnotherTurn
            } else {
                Want::Nothing
            }
        });
        let other = job(|| {});
        inner.schedule(wanted.clone());
        assert!(!inner.run_in_place(&other));
        assert_eq!(turns.load(Ordering::SeqCst), 0);
        assert!(inner.run_in_place(&wanted));
        assert_eq!(turns.load(Ordering::SeqCst), 1);
        // It wanted another turn and waits in the queue for it, no more in the slot.
        assert!(!inner.run_in_place(&wanted));
        // Displaced from the slot: the queue keeps the order.
        let queued = job(|| {});
        inner.schedule(queued.clone());
        inner.schedule(job(|| {}));
        assert!(!inner.run_in_place(&queued));
        say.send(turns).unwrap();
    }));
    let turns = Mutex::new(None);
    eventually("the outer task is done", || {
        let mut turns = turns.lock();
        if turns.is_none() {
            *turns = heard.try_recv().ok();
        }
        turns.is_some()
    });
    let turns = turns.into_inner().unwrap();
    eventually("the second turn", || turns.load(Ordering::SeqCst) == 2);
    assert!(!scheduler.run_in_place(&job(|| {})));
    end(&scheduler);
}

#[test]
fn in_place_nesting_ends_at_eight() {
    fn nest(scheduler: &Scheduler, depth: usize, deepest: &Arc<AtomicUsize>) {
        deepest.fetch_max(depth, Ordering::SeqCst);
        let (inner, inner_deepest) = (scheduler.clone(), deepest.clone());
        if depth < 20 {
            let next = job(move || nest(&inner, depth + 1, &inner_deepest));
            scheduler.schedule(next.clone());
            let ran = scheduler.run_in_place(&next);
            // What did not run in place runs later, from the slot, and begins a stack of its own.
            assert_eq!(ran, depth % 9 != 8, "at depth {depth}");
        }
    }
    let scheduler = pool(1, 0);
    let deepest = Arc::new(AtomicUsize::new(0));
    let (inner, inner_deepest) = (scheduler.clone(), deepest.clone());
    scheduler.schedule(job(move || nest(&inner, 0, &inner_deepest)));
    eventually("all twenty ran", || deepest.load(Ordering::SeqCst) == 20);
    end(&scheduler);
}

#[test]
fn neighbours_of_a_hog_run_elsewhere() {
    let telemetry = Telemetry::new();
    let reported = Arc::new(AtomicBool::new(false));
    let report = reported.clone();
    telemetry.attach(move |long: &LongTurn| {
        assert!(long.elapsed >= super::watchdog::TURN_MAX);
        report.store(true, Ordering::SeqCst);
    });
    let scheduler = Scheduler::start(Config {
        workers: 2,
        telemetry,
        ..Config::default()
    })
    .unwrap();
    eventually("all asleep", || scheduler.stats().sleeping == 2);
    let gate = Arc::new(Gate::default());
    let done = Arc::new(AtomicUsize::new(0));
    let (inner, inner_gate, inner_done) = (scheduler.clone(), gate.clone(), done.clone());
    scheduler.schedule(job(move || {
        for _ in 0..3 {
            let done = inner_done.clone();
            inner.schedule(job(move || {
                done.fetch_add(1, Ordering::SeqCst);
            }));
        }
        // Holds the worker without telling the pool.
        inner_gate.wait();
    }));
    eventually("the three behind it ran, the LIFO slot's too", || {
        done.load(Ordering::SeqCst) == 3
    });
    eventually("the long turn is reported", || {
        reported.load(Ordering::SeqCst)
    });
    gate.open();
    end(&scheduler);
}

#[test]
fn pair_in_the_lifo_slot_lets_the_queue_go_on() {
    let scheduler = pool(1, 0);
    let stop = Arc::new(AtomicBool::new(false));
    let (inner, inner_stop) = (scheduler.clone(), stop.clone());
    // Schedules itself into the slot at every turn, as two processes that answer each other do.
    scheduler.schedule(looping(move |this| {
        if !inner_stop.load(Ordering::SeqCst) {
            inner.schedule(this.clone());
        }
        Want::Nothing
    }));
    for _ in 0..100 {
        let done = Arc::new(Parker::new());
        let signal = done.clone();
        let inner = scheduler.clone();
        // From outside by the injector, then through the worker's own queue.
        scheduler.schedule(job(move || {
            let signal = signal.clone();
            inner.schedule_fair(job(move || signal.unpark()));
        }));
        assert!(done.park_until(Some(soon())));
    }
    stop.store(true, Ordering::SeqCst);
    end(&scheduler);
}

#[test]
fn timers_fire_in_order_on_a_manual_clock() {
    let (clock, hand) = Clock::manual();
    let scheduler = Scheduler::start(Config {
        workers: 1,
        clock: clock.clone(),
        ..Config::default()
    })
    .unwrap();
    let fired = Arc::new(Mutex::new(Vec::new()));
    let start = clock.now();
    let second = Duration::from_secs(1);
    let add = |name: &'static str, after: Duration| {
        let fired = fired.clone();
        scheduler
            .timers()
            .insert(start + after, Box::new(move || fired.lock().push(name)))
    };
    add("c", 3 * second);
    add("a1", second);
    let b = add("b", 2 * second);
    add("a2", second);
    let gone = add("gone", second);
    hand.advance(second / 2);
    assert_eq!(scheduler.timers().remaining(b), Some(second * 3 / 2));
    assert_eq!(scheduler.timers().cancel(gone), Some(second / 2));
    assert_eq!(scheduler.timers().cancel(gone), None);
    assert_eq!(scheduler.stats().timers, 4);
    hand.advance(second / 2);
    eventually("the first two", || *fired.lock() == ["a1", "a2"]);
    hand.advance(10 * second);
    eventually("the rest", || *fired.lock() == ["a1", "a2", "b", "c"]);
    assert_eq!(scheduler.timers().cancel(b), None);
    assert_eq!(scheduler.timers().remaining(b), None);
    end(&scheduler);
}

#[test]
fn timer_callback_may_insert_and_cancel_and_panic() {
    let (clock, hand) = Clock::manual();
    let scheduler = Scheduler::start(Config {
        workers: 1,
        clock: clock.clone(),
        ..Config::default()
    })
    .unwrap();
    let ticks = Arc::new(AtomicUsize::new(0));
    fn tick(scheduler: &Scheduler, at: Instant, ticks: &Arc<AtomicUsize>) {
        let (inner, inner_ticks) = (scheduler.clone(), ticks.clone());
        let next = move || {
            inner_ticks.fetch_add(1, Ordering::SeqCst);
            tick(&inner, at + Duration::from_secs(1), &inner_ticks);
        };
        scheduler.timers().insert(at, Box::new(next));
    }
    let start = clock.now();
    scheduler
        .timers()
        .insert(start, Box::new(|| panic!("on purpose")));
    let victim = scheduler.timers().insert(
        start + Duration::from_secs(1),
        Box::new(|| unreachable!("cancelled by a callback of the same burst")),
    );
    let inner = scheduler.clone();
    scheduler.timers().insert(
        start + Duration::from_millis(1),
        Box::new(move || assert!(inner.timers().cancel(victim).is_some())),
    );
    tick(&scheduler, start + Duration::from_secs(1), &ticks);
    hand.advance(Duration::from_secs(5));
    eventually("five ticks", || ticks.load(Ordering::SeqCst) == 5);
    assert_eq!(scheduler.stats().timers, 1);
    end(&scheduler);
}

#[test]
fn timers_of_the_system_clock_fire_in_time() {
    let scheduler = pool(1, 0);
    let (say, heard) = crate::sync::channel::unbounded();
    let done = Arc::new(Parker::new());
    for ms in [30, 10, 20] {
        let (say, done) = (say.clone(), done.clone());
        let at = Instant::now() + Duration::from_millis(ms);
        scheduler.timers().insert(
            at,
            Box::new(move || {
                assert!(Instant::now() >= at);
                say.send(ms).unwrap();
                if ms == 30 {
                    done.unpark();
                }
            }),
        );
    }
    assert!(done.park_until(Some(soon())));
    let order: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    assert_eq!(order, [10, 20, 30]);
    end(&scheduler);
}

#[test]
fn shutdown_joins_every_thread() {
    alone("scheduler::tests::shutdown_joins_every_thread", || {
        let before = thread_names();
        let scheduler = pool(3, 4);
        let gate = Arc::new(Gate::default());
        for _ in 0..4 {
            let (inner, gate) = (scheduler.clone(), gate.clone());
            scheduler.schedule(job(move || inner.block(|| gate.wait()).unwrap()));
        }
        eventually("four wait", || gate.waiting() == 4);
        eventually("all threads have their names", || {
            let names = thread_names();
            ["sched-0", "sched-2", "sched-spare-3", "timer", "watchdog"]
                .iter()
                .all(|wanted| names.iter().any(|name| name == wanted))
        });
        eventually("all end but the four in user code", || {
            left(&scheduler) == 4
        });
        gate.open();
        end(&scheduler);
        end(&scheduler);
        eventually("the system has forgotten the threads", || {
            thread_names() == before
        });
    });
}

/// The names of all threads of this process.
fn thread_names() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort();
    names
}

/// Runs a test in a process of its own, where no other test's threads are.
fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os("PERENNIAL_TEST_ALONE").is_some() {
        return test();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1", "--nocapture"])
        .env("PERENNIAL_TEST_ALONE", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Tells when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn shutdown_drops_what_waits_and_what_comes_later() {
    let scheduler = pool(1, 0);
    let drops = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Gate::default());
    let inner_gate = gate.clone();
    let (inner, inner_drops) = (scheduler.clone(), drops.clone());
    scheduler.schedule(job(move || {
        for _ in 0..2 {
            let dropped = Dropped(inner_drops.clone());
            inner.schedule(job(move || unreachable!("{:p}", &dropped)));
        }
        inner_gate.wait();
    }));
    eventually("the worker is busy", || gate.waiting() == 1);
    let dropped = Dropped(drops.clone());
    scheduler.schedule(job(move || unreachable!("{:p}", &dropped)));
    let dropped = Dropped(drops.clone());
    let later = Instant::now() + Duration::from_secs(3600);
    scheduler
        .timers()
        .insert(later, Box::new(move || unreachable!("{:p}", &dropped)));
    eventually("all end but the busy worker", || left(&scheduler) == 1);
    gate.open();
    end(&scheduler);
    assert_eq!(drops.load(Ordering::SeqCst), 4);
    let dropped = Dropped(drops.clone());
    scheduler.schedule(job(move || unreachable!("{:p}", &dropped)));
    assert_eq!(drops.load(Ordering::SeqCst), 5);
    assert_eq!(scheduler.stats().queued, 0);
}
