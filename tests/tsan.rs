//! The stress under ThreadSanitizer. Every scenario and every canary is a process of its own: a scenario must end
//! without a report, a canary with one. Built without `--cfg tsan` it says so and does nothing.
//!
//! ```text
//! RUSTFLAGS="--cfg tsan -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer \
//!   -Clink-arg=-Wl,--wrap=__tsan_atomic64_fetch_sub" \
//!   cargo +nightly test --test tsan --target x86_64-unknown-linux-gnu --target-dir target/tsan
//! ```

#[path = "support/canary.rs"]
mod canary;
#[path = "tsan/facade.rs"]
mod facade;
#[path = "tsan/processes.rs"]
mod processes;
#[path = "tsan/services.rs"]
mod services;

use std::io::Write;
use std::process::Command;
use std::time::Instant;

type Scenario = (&'static str, fn());

/// Names what a child process is to run.
const RUN: &str = "PERENNIAL_TSAN_RUN";

/// What the sanitizer makes the exit code once it has reported something.
const REPORTED: i32 = 66;

fn scenarios() -> impl Iterator<Item = Scenario> {
    facade::ALL
        .into_iter()
        .chain(processes::ALL)
        .chain(services::ALL)
}

fn main() {
    // A test runner asks what there is before it runs it.
    if std::env::args().any(|arg| arg == "--list") {
        if !std::env::args().any(|arg| arg == "--ignored") {
            say("thread_sanitizer: test");
        }
        return;
    }
    if !cfg!(tsan) {
        say("skipped: not built with --cfg tsan, see tests/tsan.rs");
        return;
    }
    if let Ok(wanted) = std::env::var(RUN) {
        let all = scenarios().chain(canary::ALL);
        let found = all.into_iter().find(|(name, _)| *name == wanted);
        let (_, run) = found.unwrap_or_else(|| panic!("there is no scenario {wanted}"));
        return run();
    }
    let silent = canary::ALL.iter().filter(|(name, _)| !reports(name));
    let silent: Vec<_> = silent.map(|(name, _)| name).collect();
    assert!(
        silent.is_empty(),
        "races that were not reported: {silent:?}"
    );
    let faulty = scenarios().filter(|(name, _)| reports(name));
    let faulty: Vec<_> = faulty.map(|(name, _)| name).collect();
    assert!(faulty.is_empty(), "reports, see above: {faulty:?}");
}

/// Runs one in a process of its own; whether the sanitizer reported anything.
fn reports(name: &str) -> bool {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .env(RUN, name)
        .env(
            "TSAN_OPTIONS",
            format!("exitcode={REPORTED} halt_on_error=0 history_size=4 second_deadlock_stack=1"),
        )
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let reports = text.matches("WARNING: ThreadSanitizer").count();
    let is_canary = canary::ALL.iter().any(|(canary, _)| *canary == name);
    say(&format!(
        "{name}: {reports} reports, {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    if reports > 0 && !is_canary {
        say(&text);
    }
    let wanted = if reports > 0 { REPORTED } else { 0 };
    assert_eq!(output.status.code(), Some(wanted), "{name}:\n{text}");
    reports > 0
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").expect("somebody listens");
}
