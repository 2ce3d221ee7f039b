//! Shutdown: every thread joined, everything dropped.

use super::*;

#[test]
fn shutdown_joins_every_thread() {
    alone("scheduler::tests::end::shutdown_joins_every_thread", || {
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
        .expect("Linux says")
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
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
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([name, "--exact", "--test-threads=1", "--nocapture"])
        .env("PERENNIAL_TEST_ALONE", "1")
        .output()
        .expect("this program runs");
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

#[test]
fn shutdown_from_within_waits_for_all_but_its_own_thread() {
    let scheduler = pool(2, 1);
    let (say, heard) = crate::sync::channel::unbounded();
    let inner = scheduler.clone();
    scheduler.schedule(job(move || {
        say.send(inner.shutdown(soon())).unwrap();
    }));
    let left = Mutex::new(None);
    eventually("the task has its answer", || {
        let mut left = left.lock();
        *left = left.or_else(|| heard.try_recv().ok());
        left.is_some()
    });
    assert_eq!(*left.lock(), Some(1));
    end(&scheduler);
}
