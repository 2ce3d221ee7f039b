//! What storms leave in memory: nothing. Live bytes of the heap come back to where they were, and the peaks of what is
//! resident do not grow from round to round. A program of its own, as its allocator counts, and its tests run one by one.
#![cfg(not(tsan))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too, and says what it could not see"
)]

use perennial::prelude::*;
use perennial::supervisor::dynamic_supervisor;
use perennial::sync::Mutex;
use perennial::{ExitReason, Runtime, process};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(60);

/// Bytes by which two counts of the same differ: blocks of queues that are given back in bunches.
const SLACK: isize = 64 * 1024;

/// Rounds in which the system's allocator finds its arenas, and from which size on it asks for pages of their own: both
/// depend on what was given back before. And what is kept for the next rounds is there: slots of tables, blocks of queues.
const ROUNDS_OF_ALLOCATOR: usize = 3;

/// Rounds in which nothing may grow any more.
const ROUNDS: usize = 6;

/// One test after the other: they count what the whole program has.
static ALONE: Mutex<()> = Mutex::new(());

enum Msg {
    Add(u64),
    Get(ReplyTo<u64>),
}

struct Counter(u64);

impl GenServer for Counter {
    type Args = ();
    type Msg = Msg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Counter(0))
    }

    fn handle(&mut self, msg: Msg, _cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Add(n) => self.0 += n,
            Msg::Get(reply) => reply.send(self.0),
        }
        Next::Loop
    }
}

fn live_bytes() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// The peak of resident memory since it was last forgotten, in KiB, where the system says.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Forgets the peaks of the tests before.
fn forget_peak() {
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        println!("peaks of resident memory count from the beginning of the program");
    }
}

/// The peaks of the first rounds and of all.
type Peaks = Option<(u64, u64)>;

fn are_level(peaks: Peaks) {
    if let Some((first, all)) = peaks {
        assert!(
            all <= first + first / 10,
            "{all} KiB resident at the peak, {first} before"
        );
    }
}

/// Plays a round several times, and sees that from then on no round leaves anything.
fn leaves_nothing(round: impl Fn()) -> Peaks {
    let _alone = ALONE.lock();
    // Several workers allocate from several arenas of the system, each of which keeps its own peak.
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let _entered = runtime.enter();
    let before = runtime.counts();
    forget_peak();
    (0..ROUNDS_OF_ALLOCATOR).for_each(|_| round());
    let (first_peak, first) = (peak(), settled(isize::MAX));
    for number in 1..=ROUNDS {
        round();
        let left = settled(first + SLACK);
        assert!(
            left <= first + SLACK,
            "{left} bytes live after round {number}, {first} before"
        );
    }
    assert_eq!(runtime.counts(), before);
    first_peak.zip(peak())
}

/// What is live once it is no more than `enough`, or the best that was seen: the last of the dead are dropped by whoever
/// ran them, a moment after they have been heard of.
fn settled(enough: isize) -> isize {
    let until = Instant::now() + SOON;
    let mut least = live_bytes();
    while least > enough && Instant::now() < until {
        process::sleep(Duration::from_millis(1));
        least = least.min(live_bytes());
    }
    least
}

/// Ends all of them.
fn end(servers: &[Ref<Msg>]) {
    let watches: Vec<_> = servers.iter().map(process::watch).collect();
    for server in servers {
        process::exit(server, ExitReason::Kill);
    }
    for mut watch in watches {
        watch.wait(SOON).expect("a killed server ends");
    }
}

#[test]
fn crowds_that_come_and_go_leave_nothing() {
    let peaks = leaves_nothing(|| {
        let start = |_| gen_server::start::<Counter>(()).unwrap();
        let servers: Vec<_> = (0..20_000).map(start).collect();
        for server in &servers {
            server.cast(Msg::Add(1));
        }
        assert!(servers.iter().all(|one| one.call(Msg::Get) == Ok(1)));
        end(&servers);
    });
    are_level(peaks);
}

#[test]
fn mailbox_gives_back_what_a_flood_took() {
    const FLOOD: u64 = 200_000;
    // How high it rises depends on how far the reader has come meanwhile, so its peaks are its own.
    let _peaks = leaves_nothing(|| {
        let server = gen_server::start::<Counter>(()).unwrap();
        perennial::sys::suspend(&server).unwrap();
        let before = live_bytes();
        (0..FLOOD).for_each(|_| server.cast(Msg::Add(1)));
        perennial::sys::resume(&server).unwrap();
        assert_eq!(server.call_for(SOON, Msg::Get), Ok(FLOOD));
        // It lives, and is idle in a moment.
        let enough = before + SLACK;
        assert!(settled(enough) <= enough, "a live mailbox keeps its flood");
        end(&[server]);
    });
}

#[test]
fn trees_that_stop_leave_nothing() {
    let peaks = leaves_nothing(|| {
        let crowd = DynamicSupervisor::new().start().unwrap();
        for _ in 0..5_000 {
            let child = Child::server::<Counter>("counter", ());
            let counter = dynamic_supervisor::start_child(&crowd, child).unwrap();
            counter.cast(Msg::Add(1));
        }
        supervisor::stop(&crowd).unwrap();
    });
    are_level(peaks);
}

#[test]
fn children_that_crash_and_return_leave_nothing() {
    let peaks = leaves_nothing(|| {
        static WORKER: Name<Msg> = Name::new("memory.worker");
        let child = Child::server::<Counter>("worker", ()).name(&WORKER);
        let tree = Supervisor::new(Strategy::OneForOne)
            .intensity(usize::MAX, Duration::from_secs(1))
            .child(child)
            .start()
            .unwrap();
        for _ in 0..2_000 {
            let mut watch = process::watch(&WORKER);
            gen_server::stop_for(&WORKER, ExitReason::Shutdown, SOON).unwrap();
            watch.wait(SOON).unwrap();
            supervisor::which_children(&tree).unwrap();
        }
        supervisor::stop(&tree).unwrap();
    });
    are_level(peaks);
}
