//! Runs what there is, a process for each: two at a time.

use crate::{canary, churn, facade, processes, services};
use perennial::sync::{Arc, Mutex, Parker, thread};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::panic::catch_unwind;
use std::process::Command;
use std::time::{Duration, Instant};
use test::{ShouldPanic, StaticTestFn, TestDescAndFn};

type Scenario = (&'static str, fn());

/// Names what a child process is to run.
const RUN: &str = "PERENNIAL_TSAN_RUN";

/// A part of the name of what is to be run; all if it is not there.
const ONLY: &str = "PERENNIAL_TSAN_ONLY";

/// What the sanitizer makes the exit code once it has reported something.
const REPORTED: i32 = 66;

/// What a test that failed makes it.
const FAILED: i32 = 67;

/// What it is if the time is over.
const LATE: i32 = 68;

/// How long one has.
const PATIENCE: Duration = Duration::from_secs(150);

const AT_ONCE: usize = 2;

/// Tests that play no part here: the end of a name, and why.
const LEFT_OUT: [(&str, &str); 6] = [
    (
        "each_of_many_children_of_a_dynamic_supervisor_is_found",
        CROWD,
    ),
    ("each_of_many_children_of_a_supervisor_is_found", CROWD),
    ("messages_that_wait_do_not_slow_calls", MEASURES),
    (
        "line_of_a_hundred_thousand_dies_without_a_deep_stack",
        "a minute, for the depth of a stack",
    ),
    (
        "hundred_thousand_pooled_processes_come_and_go",
        "a minute, and the storms do the same",
    ),
    (
        "global_runtime_asks_the_environment_for_its_kind",
        "its program ends under the threads of the global runtime, which the sanitizer calls leaked",
    ),
];

const CROWD: &str = "a minute, for how many there are";

const MEASURES: &str = "it measures what the sanitizer makes slow";

fn scenarios() -> impl Iterator<Item = Scenario> {
    facade::ALL
        .into_iter()
        .chain(processes::ALL)
        .chain(services::ALL)
        .chain(churn::ALL)
}

/// What the compiler has found, by layer and module.
fn modules<'a>(tests: &[&'a TestDescAndFn]) -> BTreeMap<String, Vec<(&'a str, Test)>> {
    let mut modules = BTreeMap::<_, Vec<_>>::new();
    for test in tests {
        let name = test.desc.name.as_slice();
        let name = name.strip_prefix("everything::").unwrap_or(name);
        let StaticTestFn(run) = test.testfn else {
            continue;
        };
        let run = Test {
            run,
            panics: !matches!(test.desc.should_panic, ShouldPanic::No),
        };
        let is_left_out = LEFT_OUT.iter().any(|(end, _)| name.ends_with(end));
        let module: Vec<_> = name.split("::").take(2).collect();
        if !is_left_out && module.len() == 2 {
            modules
                .entry(module.join("::"))
                .or_default()
                .push((name, run));
        }
    }
    modules
}

/// A test, and whether it is to panic.
#[derive(Clone, Copy)]
struct Test {
    run: fn() -> Result<(), String>,
    panics: bool,
}

pub(crate) fn run(tests: &[&TestDescAndFn]) {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    // A test runner asks what there is before it runs it.
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            say("thread_sanitizer: test");
        }
        return;
    }
    let modules = modules(tests);
    // A test that plays a child program.
    if let Some(at) = arguments.iter().position(|argument| argument == "--exact") {
        let end = format!("::{}", arguments[at + 1]);
        let all = modules.values().flatten();
        let chosen = all.filter(|(name, _)| name.ends_with(&end)).copied();
        return play(&chosen.collect::<Vec<_>>());
    }
    if let Ok(wanted) = std::env::var(RUN) {
        let limit = Limit::new(&wanted);
        match modules.get(&wanted) {
            Some(tests) => play(tests),
            None => {
                let all = scenarios().chain(canary::ALL);
                let found = all.into_iter().find(|(name, _)| *name == wanted);
                found.unwrap_or_else(|| panic!("there is no {wanted}")).1();
            }
        }
        return limit.lift();
    }
    lead(modules.keys().map(String::as_str));
}

/// Runs each in a thread under its own name, as ever; ends the process if one fails.
fn play(tests: &[(&str, Test)]) {
    let mut failed = false;
    for (name, run) in tests {
        let started = Instant::now();
        let Test { run, panics } = *run;
        // As in the binary of its layer, without the layer.
        let own = name.split_once("::").map_or(*name, |(_, own)| own);
        let main = move || catch_unwind(run).is_ok_and(|result| result.is_ok()) != panics;
        let thread = thread::spawn(own.to_owned(), None, main).expect("a thread");
        let held = thread.join().expect("panics are caught");
        let seconds = started.elapsed().as_secs_f64();
        if !held || seconds > 3.0 {
            let word = if held { "held" } else { "FAILED" };
            say(&format!("  {name}: {word}, {seconds:.1} s"));
        }
        failed |= !held;
    }
    if failed {
        std::process::exit(FAILED);
    }
}

/// Ends a process whose time is over.
struct Limit(Arc<Parker>, thread::JoinHandle<()>);

impl Limit {
    fn new(name: &str) -> Self {
        let parker = Arc::new(Parker::new());
        let (lifted, name) = (parker.clone(), name.to_owned());
        let watch = move || {
            let deadline = Instant::now() + PATIENCE;
            if !lifted.park_until(Some(deadline)) {
                say(&format!("  {name}: not done after {PATIENCE:?}"));
                std::process::exit(LATE);
            }
        };
        // Threads with such a name are those of the tests, which nobody counts.
        let thread = thread::spawn("::limit".into(), None, watch).expect("a thread");
        Limit(parker, thread)
    }

    fn lift(self) {
        self.0.unpark();
        self.1.join().expect("no panic");
    }
}

/// Has all of them run, and fails if one of them did not end as it should.
fn lead<'a>(modules: impl Iterator<Item = &'a str>) {
    let canaries = canary::ALL.iter().map(|(name, _)| (*name, true));
    let others = scenarios().map(|(name, _)| (name, false));
    let modules = modules.map(|name| (name, false));
    let only = std::env::var(ONLY).unwrap_or_default();
    let all = canaries.chain(others).chain(modules);
    let queue: VecDeque<_> = all
        .map(|(name, is_canary)| (name.to_owned(), is_canary))
        .filter(|(name, _)| name.contains(&only))
        .collect();
    assert!(!queue.is_empty(), "nothing has {only} in its name");
    let (queue, faults) = (Arc::new(Mutex::new(queue)), Arc::new(Mutex::new(vec![])));
    let started = Instant::now();
    let hands: Vec<_> = (0..AT_ONCE)
        .map(|hand| {
            let (queue, faults) = (queue.clone(), faults.clone());
            let main = move || {
                loop {
                    let Some((name, is_canary)) = queue.lock().pop_front() else {
                        return;
                    };
                    if !is_as_expected(&name, is_canary) {
                        faults.lock().push(name);
                    }
                }
            };
            thread::spawn(format!("hand-{hand}"), None, main).expect("a thread")
        })
        .collect();
    for hand in hands {
        hand.join().expect("no panic");
    }
    say(&format!("{:.0} s", started.elapsed().as_secs_f64()));
    let faults = faults.lock();
    assert!(faults.is_empty(), "see above: {faults:?}");
}

/// Runs one in a process of its own: a canary has to be reported, everything else must not be.
fn is_as_expected(name: &str, is_canary: bool) -> bool {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .env(RUN, name)
        .env("PROPTEST_CASES", "8")
        .env("PERENNIAL_TEST_SEEDS", "20")
        .env("PERENNIAL_TEST_KILLS", "18")
        .env(
            "TSAN_OPTIONS",
            format!("exitcode={REPORTED} halt_on_error=0 history_size=4 second_deadlock_stack=1"),
        )
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let reports = text.matches("WARNING: ThreadSanitizer").count();
    let seconds = started.elapsed().as_secs_f64();
    let code = output.status.code();
    // Whether a rule holds is the business of the tests of the layers, at the speed for which their patience was chosen.
    // Here one that does not is shown, and what counts is the races on the way.
    let is_rule_broken = code == Some(FAILED) && name.contains("::");
    let is_well = match is_canary {
        true => reports > 0 && code == Some(REPORTED),
        false => reports == 0 && (code == Some(0) || is_rule_broken),
    };
    let out = String::from_utf8_lossy(&output.stdout);
    let told: Vec<_> = out.lines().filter(|line| line.starts_with("  ")).collect();
    say(&format!("{name}: {reports} reports, {seconds:.1} s"));
    told.iter().for_each(|line| say(line));
    if !is_well {
        say(&format!("{name} ended with {code:?}\n{text}"));
    }
    is_well
}

/// The order of those who write is one that the sanitizer sees, unlike that of the lock inside.
fn say(line: &str) {
    static PEN: Mutex<()> = Mutex::new(());
    let _alone = PEN.lock();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").expect("somebody listens");
}
