//! The account of conformance rows: which row is held by which test, and which rows have none, and why.
//!
//! A test says which rows it holds in a line of its doc comment, `/// Rows: link.links_trap, v.link_twice`.

use std::collections::BTreeMap;
use std::path::Path;

/// A row that has no test here, with the reason.
pub(crate) type Excused = (&'static str, &'static str);

/// Prints the account of one test binary and fails if a row is neither held nor excused, or both.
pub(crate) fn account(folder: &str, rows: &[&str], excused: &[Excused]) {
    let held = held(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(folder),
    );
    let mut faults = Vec::new();
    for row in rows {
        let tests = held.get(*row);
        let excuse = excused.iter().find(|(excused, _)| excused == row);
        match (tests, excuse) {
            (Some(tests), None) => {
                for test in tests {
                    println!("{row:<40} {:<14} {}", test.kinds, test.name);
                }
            }
            (None, Some((_, why))) => println!("{row:<40} {:<14} {why}", "-"),
            (None, None) => faults.push(format!("{row}: no test, and no reason for that")),
            (Some(_), Some(_)) => faults.push(format!("{row}: has a test, and an excuse")),
        }
    }
    for row in held.keys() {
        if !rows.contains(&row.as_str()) {
            faults.push(format!(
                "{row}: a test holds it, and the list has no such row"
            ));
        }
    }
    println!(
        "{} rows, {} held, {} excused",
        rows.len(),
        held.len(),
        excused.len()
    );
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}

struct Held {
    name: String,
    kinds: &'static str,
}

/// Reads the tests of a folder; row → tests.
fn held(folder: &Path) -> BTreeMap<String, Vec<Held>> {
    let mut held: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    let files = std::fs::read_dir(folder).expect("the tests are where they were built");
    for file in files {
        let path = file.expect("a folder can be read").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("a test is text");
        read(&module, &text, &mut held);
    }
    held
}

fn read(module: &str, text: &str, held: &mut BTreeMap<String, Vec<Held>>) {
    let mut rows: Vec<String> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(listed) = line.trim_start().strip_prefix("/// Rows: ") {
            rows.extend(listed.trim_end_matches('.').split(", ").map(str::to_owned));
        } else if let Some(rest) = line.trim_start().strip_prefix("fn ")
            && !rows.is_empty()
        {
            let name = rest.split('(').next().unwrap_or_default();
            let body: Vec<&str> = lines.clone().take_while(|line| *line != "}").collect();
            let both = ["both_kinds", "all_pairs", "both_servers"];
            let both = body
                .iter()
                .any(|line| both.iter().any(|word| line.contains(word)));
            for row in rows.drain(..) {
                held.entry(row).or_default().push(Held {
                    name: format!("{module}::{name}"),
                    kinds: if both { "both kinds" } else { "one kind" },
                });
            }
        }
    }
}
