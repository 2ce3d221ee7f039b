//! The table: what was played, joined with what there is to play.

use crate::catalogue::{CASES, IMPOSSIBLE, LATER, OUT_OF_SCOPE, names, suite};
use crate::holders::{self, Holders};
use crate::support::LONG;
use crate::support::record::{self, Score, Test};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::Instant;

/// Where tests that hold rows are.
const FOLDERS: [&str; 3] = ["process", "behaviour", "service"];

/// What became of a row.
enum Fate {
    /// Played; on a thread, on the pool.
    Played(Outcome, Outcome),
    Later,
    Impossible(&'static str),
    OutOfScope(&'static str),
    /// There is neither a test nor a reason.
    Forgotten,
}

/// How a row did on one kind of process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotPlayed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotPlayed => "-",
        })
    }
}

/// Waits until all tests have ended, prints the table, and fails if a row did.
pub(crate) fn make() {
    if is_partial() {
        return say("only some of the tests were asked for: there is no table\n");
    }
    let holders = holders::read(&FOLDERS);
    let tests = wait_for(&holders);
    let mut faults = missing_tests(&holders, &tests);
    faults.extend(strangers(&holders));
    faults.extend(needless(&holders));
    let fates = fates(&holders, &tests);
    faults.extend(broken(&fates));
    say(&listing(&fates, &holders));
    say(&summary(&fates));
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}

/// Printed whether output is captured or not.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).expect("somebody listens");
}

/// Equals `true` if the arguments of this program choose among the tests.
fn is_partial() -> bool {
    let chooses = |arg: String| {
        matches!(arg.as_str(), "--skip" | "--exact" | "--ignored")
            || !arg.starts_with('-') && arg.parse::<usize>().is_err()
    };
    std::env::args().skip(1).any(chooses)
}

/// What is known of all tests, when all that hold rows have ended, or nothing more comes.
fn wait_for(holders: &Holders) -> BTreeMap<String, Test> {
    let wanted: BTreeSet<&String> = holders.values().flatten().collect();
    let ended = |tests: &BTreeMap<String, Test>| tests.values().filter(|test| test.ended).count();
    let is_over = |tests: &BTreeMap<String, Test>| {
        wanted.iter().all(|name| tests.contains_key(*name)) && ended(tests) == tests.len()
    };
    let (mut count, mut since) = (0, Instant::now());
    loop {
        let tests = record::all();
        // A test that runs waits for nothing so long; one that has begun has soon said so.
        let patience = if ended(&tests) == tests.len() {
            LONG / 4
        } else {
            2 * LONG
        };
        if is_over(&tests) || since.elapsed() > patience {
            return tests;
        }
        if ended(&tests) != count {
            (count, since) = (ended(&tests), Instant::now());
        }
        std::thread::yield_now();
    }
}

/// Tests that say they hold rows and were not heard of.
fn missing_tests(holders: &Holders, tests: &BTreeMap<String, Test>) -> Vec<String> {
    let silent = |name: &&String| tests.get(*name).is_none_or(|test| !test.ended);
    let all: BTreeSet<&String> = holders.values().flatten().filter(silent).collect();
    let fault = |name: &String| {
        format!(
            "{name}: holds rows and was not played; its file is to be named in main.rs, its stage to record"
        )
    };
    all.into_iter().map(fault).collect()
}

/// Rows that a test holds and the catalogue does not know.
fn strangers(holders: &Holders) -> Vec<String> {
    let known: BTreeSet<&str> = CASES.split_whitespace().collect();
    let unknown = holders.keys().filter(|row| !known.contains(row.as_str()));
    unknown
        .map(|row| format!("{row}: a test holds it, and it is not in the catalogue"))
        .collect()
}

/// Reasons for having no test that a row with a test has, or that no row has.
fn needless(holders: &Holders) -> Vec<String> {
    let cases: BTreeSet<&str> = CASES.split_whitespace().collect();
    let later = LATER.iter().filter(|row| !row.ends_with(".*")).copied();
    let excused = IMPOSSIBLE.iter().map(|(row, _)| *row).chain(later);
    let fault = |row: &str| match (cases.contains(row), holders.contains_key(row)) {
        (true, false) => None,
        (true, true) => Some(format!("{row}: has a test, and a reason why there is none")),
        (false, _) => Some(format!("{row}: has a reason, and is not in the catalogue")),
    };
    excused.filter_map(fault).collect()
}

fn fates(holders: &Holders, tests: &BTreeMap<String, Test>) -> Vec<(&'static str, Fate)> {
    let impossible: BTreeMap<&str, &str> = IMPOSSIBLE.iter().copied().collect();
    let cases = CASES.split_whitespace().map(|row| {
        let fate = match (holders.get(row), impossible.get(row)) {
            (Some(held_by), _) => {
                let by: Vec<Option<&Test>> = held_by.iter().map(|name| tests.get(name)).collect();
                Fate::Played(
                    outcome(&by, |test| test.thread),
                    outcome(&by, |test| test.pooled),
                )
            }
            (None, _) if names(LATER, row) => Fate::Later,
            (None, Some(why)) => Fate::Impossible(why),
            (None, None) => Fate::Forgotten,
        };
        (row, fate)
    });
    let others = OUT_OF_SCOPE
        .iter()
        .map(|(row, why)| (*row, Fate::OutOfScope(why)));
    cases.chain(others).collect()
}

/// How the tests of a row did together on one kind.
fn outcome(tests: &[Option<&Test>], score: impl Fn(&Test) -> Score) -> Outcome {
    let scores = || tests.iter().flatten().map(|test| score(test));
    let failed = tests.iter().flatten().any(|test| test.failed);
    if failed || scores().any(|score| score.broken > 0) {
        Outcome::Failed
    } else if scores().any(|score| score.held > 0) {
        Outcome::Passed
    } else {
        Outcome::NotPlayed
    }
}

/// Rows that did not pass on both kinds, or of which nothing is known.
fn broken(fates: &[(&'static str, Fate)]) -> Vec<String> {
    let fault = |(row, fate): &(&str, Fate)| match fate {
        Fate::Played(Outcome::Passed, Outcome::Passed) => None,
        Fate::Played(thread, pooled) => Some(format!("{row}: thread {thread}, pooled {pooled}")),
        Fate::Forgotten => Some(format!("{row}: no test, and no reason for that")),
        _ => None,
    };
    fates.iter().filter_map(fault).collect()
}

/// One line a row.
fn listing(fates: &[(&'static str, Fate)], holders: &Holders) -> String {
    let mut text = format!(
        "\n{:<52} {:<7} {:<7} held by, or why not\n",
        "row", "thread", "pooled"
    );
    for (row, fate) in fates {
        let (thread, pooled, note) = match fate {
            Fate::Played(thread, pooled) => (*thread, *pooled, holders[*row].join(", ")),
            Fate::Later => (
                Outcome::NotPlayed,
                Outcome::NotPlayed,
                "later: distribution".into(),
            ),
            Fate::Impossible(why) => not_played("impossible by types", why),
            Fate::OutOfScope(why) => not_played("out of scope", why),
            Fate::Forgotten => not_played("FORGOTTEN", "no test, and no reason for that"),
        };
        writeln!(text, "{row:<52} {thread:<7} {pooled:<7} {note}").expect("text grows");
    }
    text
}

fn not_played(fate: &str, why: &str) -> (Outcome, Outcome, String) {
    (
        Outcome::NotPlayed,
        Outcome::NotPlayed,
        format!("{fate}: {why}"),
    )
}

/// The numbers of one suite.
#[derive(Default)]
struct Line {
    cases: usize,
    thread: usize,
    pooled: usize,
    later: usize,
    impossible: usize,
    out_of_scope: usize,
    forgotten: usize,
}

impl Line {
    fn add(&mut self, fate: &Fate) {
        self.cases += 1;
        match fate {
            Fate::Played(thread, pooled) => {
                self.thread += usize::from(*thread == Outcome::Passed);
                self.pooled += usize::from(*pooled == Outcome::Passed);
            }
            Fate::Later => self.later += 1,
            Fate::Impossible(_) => self.impossible += 1,
            Fate::OutOfScope(_) => self.out_of_scope += 1,
            Fate::Forgotten => self.forgotten += 1,
        }
    }

    fn text(&self, suite: &str) -> String {
        format!(
            "{suite:<10} {:>7} {:>17} {:>17} {:>20} {:>20} {:>13} {:>10}\n",
            self.cases,
            self.thread,
            self.pooled,
            self.later,
            self.impossible,
            self.out_of_scope,
            self.forgotten
        )
    }
}

/// One line a suite.
fn summary(fates: &[(&'static str, Fate)]) -> String {
    let (mut suites, mut total) = (BTreeMap::<&str, Line>::new(), Line::default());
    for (row, fate) in fates {
        suites.entry(suite(row)).or_default().add(fate);
        total.add(fate);
    }
    let mut text = format!(
        "\n{:<10} {:>7} {:>17} {:>17} {:>20} {:>20} {:>13} {:>10}\n",
        "suite",
        "cases",
        "passed on thread",
        "passed on pooled",
        "later: distribution",
        "impossible by types",
        "out of scope",
        "forgotten"
    );
    for (suite, line) in &suites {
        text += &line.text(suite);
    }
    text += &total.text("all");
    text.push('\n');
    text
}
