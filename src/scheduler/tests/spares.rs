//! Workers that wait, and the spares that stand in.

use super::*;

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
            inner.schedule(count());
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
    end(&scheduler);
}

#[test]
fn worker_that_blocks_on_another_pool_has_a_spare_in_its_own() {
    let (scheduler, other) = (pool(1, 1), pool(1, 0));
    let gate = Arc::new(Gate::default());
    let inner = gate.clone();
    let elsewhere = other.clone();
    scheduler.schedule(job(move || elsewhere.block(|| inner.wait()).unwrap()));
    eventually("it waits", || gate.waiting() == 1);
    let done = Arc::new(Parker::new());
    let signal = done.clone();
    scheduler.schedule(job(move || signal.unpark()));
    assert!(
        done.park_until(Some(soon())),
        "the spare runs the next task"
    );
    gate.open();
    end(&scheduler);
    end(&other);
}

#[test]
fn spare_without_work_ends_and_another_takes_its_place() {
    let scheduler = Scheduler::start(Config {
        workers: 1,
        spare_max: 1,
        spare_keep: Duration::from_millis(20),
        ..Config::default()
    })
    .unwrap();
    for _ in 0..3 {
        let gate = Arc::new(Gate::default());
        let (inner, waits) = (scheduler.clone(), gate.clone());
        scheduler.schedule(job(move || inner.block(|| waits.wait()).unwrap()));
        eventually("it waits", || gate.waiting() == 1);
        assert_eq!(scheduler.stats().spares, 1);
        gate.open();
        eventually("the spare's thread ends", || scheduler.stats().threads == 3);
    }
    end(&scheduler);
}
