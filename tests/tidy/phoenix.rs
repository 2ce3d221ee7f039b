//! The account of Phoenix's own tests of its server: each is a number, E1 to E105, and each is held by a test of ours
//! or named here with the reason why it cannot be.
//!
//! A test says which it holds in a comment inside it that begins with them: `// E18, E78: other channels live on.`

use crate::hold;
use crate::source::Tree;
use std::collections::BTreeMap;

/// How many there are.
const CASES: u32 = 105;

/// Where tests hold them.
const FOLDERS: [&str; 3] = ["tests/service/", "tests/web/", "tests/chat/"];

/// Cases about what only Elixir has, or what is not there to go wrong here.
const ELIXIR_ONLY: [(u32, &str); 5] = [
    (
        59,
        "no handler is called for control frames: the reactor answers pings, with their payload, by itself",
    ),
    (
        72,
        "a Reply is made for events alone, by the connection: there is no way to one without a ref or before a join",
    ),
    (81, "there are no atoms: keys are strings on both sides"),
    (
        87,
        "there is no code change: a new version of a program is another program",
    ),
    (
        94,
        "there is no bag of assigns to be filled: a channel is a struct, and changes its fields",
    ),
];

#[test]
fn every_case_of_phoenix_is_held_or_has_a_reason() {
    let held: &str = "#[test]\nfn a() {\n    // E1, E2: both.\n}\n";
    let loose: &str = "fn a() {\n    // E1.\n}\n";
    assert_eq!(cases_of(held), [1, 2]);
    assert_eq!(cases_of(loose), [0_u32; 0], "it is no test");
    let w: &str = "#[test]\nfn a() {\n    // W, E104.\n    let e = 1; // E5\n    // Each, E6.\n}\n";
    assert_eq!(cases_of(w), [104]);
    hold(faults, &[], &[]);
}

fn faults(tree: &Tree) -> Vec<String> {
    let mut holders: BTreeMap<u32, usize> = BTreeMap::new();
    let tests = tree
        .iter()
        .filter(|(path, _)| FOLDERS.iter().any(|folder| path.starts_with(folder)));
    for (_, text) in tests.filter(|(path, _)| path.ends_with(".rs")) {
        for case in cases_of(text) {
            *holders.entry(case).or_default() += 1;
        }
    }
    let mut faults = Vec::new();
    for case in 1..=CASES {
        let reason = ELIXIR_ONLY.iter().any(|(number, _)| *number == case);
        match (holders.contains_key(&case), reason) {
            (false, false) => faults.push(format!("no test holds E{case} of Phoenix")),
            (true, true) => faults.push(format!("E{case} is held, and said to be impossible")),
            _ => {}
        }
    }
    let strange = holders.keys().filter(|case| !(1..=CASES).contains(case));
    faults.extend(strange.map(|case| format!("there is no E{case}")));
    faults
}

/// The cases that the tests of a file say they hold.
fn cases_of(text: &str) -> Vec<u32> {
    let (mut cases, mut is_test, mut before) = (Vec::new(), false, "");
    for line in text.lines().map(str::trim) {
        if line.starts_with("fn ") {
            is_test = before == "#[test]";
        }
        if let Some(comment) = line.strip_prefix("// ").filter(|_| is_test) {
            cases.extend(numbers(comment));
        }
        before = line;
    }
    cases
}

/// The numbers that a comment begins with, among those of other lists: `W, E104, J158.`
fn numbers(comment: &str) -> Vec<u32> {
    let end = comment.find(['.', ':', ';']).unwrap_or(comment.len());
    let names = comment[..end].split(", ").map(|name| {
        let letter = name.get(..1)?;
        let number = name.get(1..)?;
        ("EJTW".contains(letter) && number.bytes().all(|byte| byte.is_ascii_digit()))
            .then_some((letter, number))
    });
    let names: Option<Vec<_>> = names.collect();
    let of_phoenix = names
        .unwrap_or_default()
        .into_iter()
        .filter(|(letter, _)| *letter == "E");
    of_phoenix
        .filter_map(|(_, number)| number.parse().ok())
        .collect()
}
