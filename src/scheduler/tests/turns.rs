//! Every task gets its turns, in what order, and on whose stack.

use super::*;

#[test]
fn every_task_of_many_producers_gets_its_turns() {
    const PRODUCERS: usize = 4;
    const TASKS: usize = 3_000;
    const TURNS: usize = PRODUCERS * TASKS * 3;
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
                    let inner = scheduler.clone();
                    scheduler.schedule(looping(move |_| {
                        turns.fetch_add(1, Ordering::SeqCst);
                        if left.fetch_sub(1, Ordering::SeqCst) > 1 {
                            return Want::AnotherTurn;
                        }
                        // Of every two the first is displaced from the slot by the second.
                        for _ in 0..task % 3 {
                            let turns = turns.clone();
                            inner.schedule(job(move || {
                                turns.fetch_add(1, Ordering::SeqCst);
                            }));
                        }
                        Want::Nothing
                    }));
                }
            })
            .unwrap()
        })
        .collect();
    for producer in producers {
        producer.join().unwrap();
    }
    eventually("all turns given", || turns.load(Ordering::SeqCst) == TURNS);
    eventually("turns counted", || scheduler.stats().turns == TURNS as u64);
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
fn task_in_the_lifo_slot_runs_in_place() {
    let scheduler = pool(1, 0);
    let (say, heard) = crate::sync::channel::unbounded();
    let inner = scheduler.clone();
    scheduler.schedule(job(move || {
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
        assert!(long.elapsed >= crate::scheduler::watchdog::TURN_MAX);
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
            inner.schedule(job(move || signal.unpark()));
            inner.schedule(job(|| {}));
        }));
        assert!(done.park_until(Some(soon())));
    }
    stop.store(true, Ordering::SeqCst);
    end(&scheduler);
}
