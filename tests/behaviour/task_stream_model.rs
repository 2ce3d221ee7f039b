//! Streams of tasks against a model that does one item after the other.

use crate::stage::{in_runtime, on_both_kinds, play};
use perennial::process;
use perennial::process::Dest;
use perennial::supervisor::DynamicMsg;
use perennial::task::StreamSpec;
use perennial::{ExitReason, Ref, StreamError, TaskSupervisor, supervisor, task};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the task of an item does.
#[derive(Clone, Copy, Debug)]
enum Item {
    Return(u16),
    Panic(u16),
    Exit(u16),
    /// Says nothing for a moment, so that others overtake it.
    Yield(u16, u8),
}

/// Where the tasks of a stream run.
#[derive(Clone, Copy, Debug)]
enum Place {
    Linked,
    Supervised,
    Unlinked,
}

#[derive(Clone, Debug)]
struct Plan {
    items: Vec<Item>,
    max: usize,
    place: Place,
    is_ordered: bool,
    is_pooled: bool,
    /// How many results the consumer asks for.
    take: usize,
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        4 => any::<u16>().prop_map(Item::Return),
        1 => any::<u16>().prop_map(Item::Panic),
        2 => any::<u16>().prop_map(Item::Exit),
        2 => (any::<u16>(), 0..50_u8).prop_map(|(n, turns)| Item::Yield(n, turns)),
    ]
}

fn plan(places: &'static [Place]) -> impl Strategy<Value = Plan> {
    let place = proptest::sample::select(places);
    let items = proptest::collection::vec(item(), 0..24);
    let take = prop_oneof![3 => Just(usize::MAX), 1 => 0..24_usize];
    (items, 1..6_usize, place, any::<bool>(), any::<bool>(), take).prop_map(
        |(items, max, place, is_ordered, is_pooled, take)| Plan {
            items,
            max,
            place,
            is_ordered,
            is_pooled,
            take,
        },
    )
}

/// What comes of an item: a value, or why there is none.
type Outcome = Result<u16, String>;

/// The model.
fn outcome(item: Item) -> Outcome {
    match item {
        Item::Return(n) | Item::Yield(n, _) => Ok(n),
        Item::Panic(n) => Err(format!("torn at {n}")),
        Item::Exit(n) => Err(format!("left with {n}")),
    }
}

/// How many run, and the most that ever did.
#[derive(Default)]
struct Gauge {
    running: AtomicUsize,
    most: AtomicUsize,
}

struct Running(Arc<Gauge>);

impl Running {
    fn begin(gauge: &Arc<Gauge>) -> Self {
        let now = gauge.running.fetch_add(1, Ordering::SeqCst) + 1;
        gauge.most.fetch_max(now, Ordering::SeqCst);
        Running(gauge.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(item: Item) -> u16 {
    match item {
        Item::Return(n) => n,
        Item::Panic(n) => panic!("torn at {n}"),
        Item::Exit(n) => {
            process::exit_self(ExitReason::other(format!("left with {n}"))).unwrap();
            unreachable!("exit_self does not return")
        }
        Item::Yield(n, turns) => {
            for _ in 0..turns {
                std::thread::yield_now();
                process::checkpoint();
            }
            n
        }
    }
}

fn shown(result: Result<u16, StreamError<Item>>) -> Outcome {
    match result {
        Ok(n) => Ok(n),
        Err(StreamError::Exit { reason, .. }) => Err(match &reason {
            ExitReason::Panic(panic) => panic.message().to_owned(),
            reason => match reason.downcast_ref::<String>() {
                Some(text) => text.clone(),
                None => reason.to_string(),
            },
        }),
        Err(other) => Err(other.to_string()),
    }
}

/// Consumes a stream and looks at all that is promised of it.
fn consume<J: Iterator<Item = Item>, D: Dest<Msg = DynamicMsg>>(
    plan: &Plan,
    spec: StreamSpec<J, u16, D>,
    read: &AtomicUsize,
    gauge: &Gauge,
) {
    let spec = spec.max_concurrency(plan.max);
    let spec = if plan.is_ordered {
        spec
    } else {
        spec.unordered()
    };
    let spec = if plan.is_pooled { spec.pooled() } else { spec };
    let mut stream = spec.build().unwrap();
    let mut given = Vec::new();
    while given.len() < plan.take
        && let Some(result) = stream.next()
    {
        given.push(shown(result));
        let ahead = read.load(Ordering::SeqCst) - (given.len() - 1);
        assert!(ahead <= plan.max, "{ahead} read ahead: {plan:?}");
    }
    drop(stream);
    assert_eq!(gauge.running.load(Ordering::SeqCst), 0, "{plan:?}");
    let most = gauge.most.load(Ordering::SeqCst);
    assert!(most <= plan.max, "{most} ran at once: {plan:?}");

    let mut model: Vec<Outcome> = plan.items.iter().copied().map(outcome).collect();
    if plan.is_ordered {
        model.truncate(plan.take);
        assert_eq!(given, model, "{plan:?}");
    } else {
        // Each is one of those that the model has left.
        for one in &given {
            match model.iter().position(|other| other == one) {
                Some(at) => drop(model.remove(at)),
                None => panic!("{one:?} came from nowhere: {plan:?}"),
            }
        }
        assert_eq!(given.len(), plan.items.len().min(plan.take), "{plan:?}");
    }
}

fn follow(plan: &Plan, tasks: &Ref<DynamicMsg>) {
    let (gauge, read) = (Arc::<Gauge>::default(), AtomicUsize::new(0));
    let measured = gauge.clone();
    let work = move |item| {
        let _running = Running::begin(&measured);
        run(item)
    };
    let input = plan.items.iter().copied().inspect(|_| {
        read.fetch_add(1, Ordering::SeqCst);
    });
    match plan.place {
        Place::Linked => consume(plan, task::stream(input, work), &read, &gauge),
        Place::Supervised => {
            let stream = TaskSupervisor::stream(tasks, input, work);
            consume(plan, stream, &read, &gauge);
        }
        Place::Unlinked => {
            let stream = TaskSupervisor::stream_nolink(tasks, input, work);
            consume(plan, stream, &read, &gauge);
        }
    }
    assert_eq!(TaskSupervisor::children(tasks), Ok(vec![]), "{plan:?}");
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: 80,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

const ALL: &[Place] = &[Place::Linked, Place::Supervised, Place::Unlinked];

#[test]
fn stream_of_a_process_agrees_with_the_model() {
    on_both_kinds(|kind| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let agrees = |plan: Plan| {
            let under = tasks.clone();
            let consumed = play(kind, move || {
                process::trap_exit(true).unwrap();
                follow(&plan, &under);
                crate::stage::nothing_left();
            });
            prop_assert_eq!(consumed, Ok(()));
            Ok(())
        };
        runner().run(&plan(ALL), agrees).unwrap();
        supervisor::stop(&tasks).unwrap();
    });
}

#[test]
fn stream_of_a_plain_thread_agrees_with_the_model() {
    in_runtime(|| {
        let tasks = TaskSupervisor::new().start().unwrap();
        let agrees = |plan: Plan| {
            follow(&plan, &tasks);
            Ok(())
        };
        runner().run(&plan(&[Place::Unlinked]), agrees).unwrap();
        supervisor::stop(&tasks).unwrap();
    });
}
