//! The account of conformance rows: which row is held by which test, and which rows have none, and why.
//!
//! A test says which rows it holds in a line of its doc comment, `/// Rows: link.links_trap, v.link_twice`.

use std::collections::BTreeMap;
use std::path::Path;

/// A row that has no test here, with the reason.
pub(crate) type Excused = (&'static str, &'static str);

/// Prints the account of some folders of tests and fails if a row is neither held nor excused, or both, or if a test
/// holds a row of one of these suites that is not in the list.
pub(crate) fn account(folders: &[&str], rows: &[&str], excused: &[Excused]) {
    let mut held = BTreeMap::new();
    for folder in folders {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        read_folder(&tests.join(folder), &mut held);
    }
    let mut faults = Vec::new();
    let mut count = 0;
    for row in rows {
        let tests = held.get(*row);
        let excuse = excused.iter().find(|(excused, _)| excused == row);
        match (tests, excuse) {
            (Some(tests), None) => {
                count += 1;
                for test in tests {
                    println!("{row:<40} {:<10} {}", test.kinds, test.name);
                }
            }
            (None, Some((_, why))) => println!("{row:<40} {:<10} {why}", "none"),
            (None, None) => faults.push(format!("{row}: no test, and no reason for that")),
            (Some(_), Some(_)) => faults.push(format!("{row}: has a test, and an excuse")),
        }
    }
    for (row, why) in excused {
        if !rows.contains(row) {
            faults.push(format!("{row}: excused ({why}), and not in the list"));
        }
    }
    for row in held.keys() {
        let of_suite = rows.iter().any(|listed| suite(listed) == suite(row));
        if of_suite && suite(row) != "v" && !rows.contains(&row.as_str()) {
            faults.push(format!("{row}: a test holds it, and it is not in the list"));
        }
    }
    println!(
        "{} rows: {count} held, {} excused",
        rows.len(),
        excused.len()
    );
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}

fn suite(row: &str) -> &str {
    row.split('.').next().unwrap_or(row)
}

/// Which tests in some folders hold which rows; a test by its path in a binary.
pub(crate) fn holders(folders: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut held = BTreeMap::new();
    for folder in folders {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        read_folder(&tests.join(folder), &mut held);
    }
    let names = |tests: Vec<Held>| {
        let paths = tests.iter().filter_map(|test| test.name.split_once("::"));
        paths.map(|(_, path)| path.to_owned()).collect()
    };
    held.into_iter()
        .map(|(row, tests)| (row, names(tests)))
        .collect()
}

/// What a test says that plays for both kinds of process.
const BOTH: [&str; 10] = [
    "both_kinds(",
    "both_kinds_in(",
    "all_pairs(",
    "both_servers(",
    "both_servers_in(",
    "by_hand(",
    "at_leisure(",
    "in_families(",
    "head_reports(",
    "waits_for_the_acknowledgement(",
];

struct Held {
    name: String,
    kinds: &'static str,
}

/// Reads the tests of a layer's folder.
fn read_folder(folder: &Path, held: &mut BTreeMap<String, Vec<Held>>) {
    let layer = folder.file_name().unwrap_or_default();
    read_modules(folder, &layer.display().to_string(), held);
}

fn read_modules(folder: &Path, parent: &str, held: &mut BTreeMap<String, Vec<Held>>) {
    let files = std::fs::read_dir(folder).expect("the tests are where they were built");
    for file in files {
        let path = file.expect("a folder can be read").path();
        let stem = path.file_stem().unwrap_or_default().display();
        let module = match stem.to_string().as_str() {
            "mod" => parent.to_owned(),
            stem => format!("{parent}::{stem}"),
        };
        if path.is_dir() {
            read_modules(&path, &module, held);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a test is text");
        read(&module, &text, held);
    }
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
            let each = |line: &&str| BOTH.iter().any(|word| line.contains(word));
            let both = body.iter().any(each);
            for row in rows.drain(..) {
                held.entry(row).or_default().push(Held {
                    name: format!("{module}::{name}"),
                    kinds: if both { "both" } else { "once" },
                });
            }
        }
    }
}
