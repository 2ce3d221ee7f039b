//! Timers, by the clock on the wall and by one that is moved by hand.

use super::*;

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
