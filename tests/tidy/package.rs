//! The package as a newcomer finds it: what lies at the top, what the README promises, what is pulled in.

use crate::source::{Tree, tokens};
use crate::walls::{LAYERS, LIB, PAGES};
use crate::{assert_none, hold, root};
use std::collections::BTreeSet;
use std::process::Command;

/// Everything at the top of the package that is not a dot file.
const TOP: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "examples",
    "tests",
    "benches",
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// `listing` names what lies at the top; what `.gitignore` names as `/name` is not part of the package.
pub(crate) fn top(listing: &BTreeSet<String>, gitignore: &str) -> Vec<String> {
    let ignored: BTreeSet<&str> = gitignore
        .lines()
        .filter_map(|line| line.strip_prefix('/'))
        .collect();
    let mut faults = Vec::new();
    for name in TOP {
        if !listing.contains(name) {
            faults.push(format!("{name} is missing at the top"));
        }
        if gitignore.lines().any(|line| line.trim_matches('/') == name) {
            faults.push(format!("{name} is ignored by git"));
        }
    }
    let seen = listing.iter().map(String::as_str);
    let strange = seen
        .filter(|name| !name.starts_with('.') && !TOP.contains(name) && !ignored.contains(name));
    faults.extend(strange.map(|name| format!("{name} does not belong at the top")));
    faults
}

/// Runtimes and libraries of async Rust: a name, or the beginning of one where it ends in `*`.
const ASYNC: [&str; 14] = [
    "tokio*",
    "futures*",
    "async-*",
    "async_*",
    "smol*",
    "actix*",
    "embassy*",
    "monoio*",
    "glommio*",
    "compio*",
    "pollster",
    "hyper*",
    "tower*",
    "mini-redis",
];

/// No package of async Rust in `listing`, one package a line as `cargo tree --prefix none` prints them.
pub(crate) fn free_of_async(listing: &str) -> Vec<String> {
    let packages = listing
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let found = packages.filter(|name| {
        ASYNC.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        })
    });
    found
        .map(|name| format!("the package depends on {name}"))
        .collect()
}

/// Lock files name the public registries and no other source.
pub(crate) fn sources(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    if !tree.contains_key("Cargo.lock") {
        faults.push("Cargo.lock is missing".into());
    }
    for (path, text) in tree {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let wrong = if path.ends_with(".lock") {
                line.starts_with("source = ")
                    && line != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
            } else if path.ends_with("-lock.json") {
                line.starts_with("\"resolved\"")
                    && !line.starts_with("\"resolved\": \"https://registry.npmjs.org/")
            } else {
                false
            };
            if wrong {
                faults.push(format!(
                    "{path}:{}: not a public registry: {line}",
                    number + 1
                ));
            }
        }
    }
    faults
}

/// What the gate says to run a command that it takes from the README by its beginning.
const EXAMPLE: &str = "cargo run --example ";

/// The commands in the README's blocks for a shell, each with the line it begins on.
fn commands(readme: &str) -> Vec<(usize, String)> {
    let mut shell = false;
    let mut open = false;
    let mut goes_on = false;
    let mut found: Vec<(usize, String)> = Vec::new();
    for (number, line) in readme.lines().enumerate() {
        let code = line.split(" # ").next().unwrap_or_default().trim();
        let (code, more) = match code.strip_suffix('\\') {
            Some(code) => (code.trim(), true),
            None => (code, false),
        };
        if let Some(info) = code.strip_prefix("```") {
            open = !open;
            shell = open && ["sh", "bash", "shell", "console"].contains(&info.trim());
        } else if goes_on && let Some((_, command)) = found.last_mut() {
            command.extend([" ", code]);
        } else if shell && !code.is_empty() && !code.starts_with('#') {
            found.push((number + 1, code.trim_start_matches("$ ").to_owned()));
        }
        goes_on = shell && more;
    }
    found
}

/// The settings before a command, `NAME="value"` each, and the command itself.
fn parts(command: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = command;
    while let Some((setting, next)) = rest.split_once("\" ")
        && setting.contains("=\"")
    {
        parts.push(&rest[..=setting.len()]);
        rest = next.trim_start();
    }
    parts.push(rest);
    parts
}

/// A script on one line, with single spaces.
fn joined(script: &str) -> String {
    let lines = script.replace("\\\n", " ");
    lines.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every command of the README is run by the gate, every example is in the README, and both exist.
pub(crate) fn readme_commands(tree: &Tree) -> Vec<String> {
    let (Some(readme), Some(gate)) = (tree.get("README.md"), tree.get(".ci/run")) else {
        return vec!["README.md or .ci/run is missing".into()];
    };
    let gate = joined(gate);
    let mut faults = Vec::new();
    let mut listed = BTreeSet::new();
    for (line, command) in commands(readme) {
        if let Some(rest) = command.strip_prefix(EXAMPLE) {
            listed.insert(
                rest.split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            );
        } else if !parts(&command).iter().all(|part| gate.contains(part)) {
            faults.push(format!(
                "README.md:{line}: the gate does not run `{command}`"
            ));
        }
    }
    let files = tree
        .keys()
        .filter_map(|path| path.strip_prefix("examples/"));
    let examples: BTreeSet<String> = files
        .filter_map(|file| file.strip_suffix("/main.rs").or(file.strip_suffix(".rs")))
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    let absent = listed.difference(&examples);
    faults.extend(absent.map(|name| format!("README.md: there is no example {name}")));
    let unlisted = examples.difference(&listed);
    faults.extend(unlisted.map(|name| format!("examples/{name}: the README does not list it")));
    faults
}

/// The README's map of the layers has every module, bottom up, in rows that begin with its name.
pub(crate) fn readme_layers(tree: &Tree) -> Vec<String> {
    let readme = tree.get("README.md").map_or("", String::as_str);
    let lib = tokens(tree.get("src/lib.rs").map_or("", String::as_str));
    let declared = lib
        .windows(2)
        .filter(|pair| pair[0].is("mod"))
        .map(|pair| pair[1].text.as_str());
    let declared: Vec<&str> = declared.collect();
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    let row = |name: &str| {
        rows.iter().position(|row| {
            row.split('|')
                .nth(1)
                .is_some_and(|cell| cell.contains(&format!("`{name}`")))
        })
    };
    let mut faults = Vec::new();
    let mut last = 0;
    for name in LAYERS[..PAGES].iter().flat_map(|layer| layer.iter()) {
        if !declared.contains(name) {
            continue;
        }
        match row(name) {
            None => faults.push(format!(
                "README.md: `{name}` is not on the map of the layers"
            )),
            Some(at) if at < last => faults.push(format!("README.md: `{name}` is out of order")),
            Some(at) => last = at,
        }
    }
    faults
}

/// The changelog keeps the form that tools and people expect.
pub(crate) fn changelog(tree: &Tree) -> Vec<String> {
    let changelog = tree.get("CHANGELOG.md").map_or("", String::as_str);
    let sections: Vec<&str> = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let known = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    let mut faults = Vec::new();
    if !changelog.contains("\n## [Unreleased]") {
        faults.push("CHANGELOG.md: no section [Unreleased]".into());
    }
    let strange = sections
        .into_iter()
        .filter(|section| !known.contains(section));
    faults.extend(strange.map(|section| format!("CHANGELOG.md: no kind of change: {section}")));
    faults
}

#[test]
fn nothing_strange_lies_at_the_top() {
    let every = "Cargo.toml Cargo.lock src examples tests benches README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE";
    let listing = |names: &str| names.split_whitespace().map(str::to_owned).collect();
    assert_none(&top(&listing(&format!("{every} .ci target")), "/target\n"));
    for (names, gitignore) in [
        (every.replace("README.md", ""), ""),
        (format!("{every} docs"), ""),
        (format!("{every} target"), ""),
        (every.to_owned(), "Cargo.lock"),
    ] {
        assert!(
            !top(&listing(&names), gitignore).is_empty(),
            "{names} / {gitignore}"
        );
    }

    let gitignore =
        std::fs::read_to_string(root().join(".gitignore")).expect("there is a .gitignore");
    let entries = std::fs::read_dir(root()).expect("the package can be listed");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    assert_none(&top(&names.collect::<BTreeSet<_>>(), &gitignore));
}

#[test]
fn no_async_runtime_is_pulled_in() {
    for name in [
        "tokio v1.40.0",
        "tokio-util v0.7.1",
        "futures-core v0.3.30",
        "async-std v1.12.0",
        "smol v2.0.0",
    ] {
        assert_eq!(
            free_of_async(&format!("log v0.4.0\n{name}")).len(),
            1,
            "{name}"
        );
    }
    assert_none(&free_of_async(
        "perennial v0.1.0\nmio v1.0.0\ncrossbeam-channel v0.5.0 (*)",
    ));

    let tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal",
            "--all-features",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let listing = String::from_utf8_lossy(&tree.stdout);
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    assert!(
        listing.contains("rusqlite"),
        "the listing holds the optional packages:\n{listing}"
    );
    assert_none(&free_of_async(&listing));

    // Nor anywhere in the lock file: not for another system, not for the tests.
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("there is a Cargo.lock");
    let names = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = "))
        .map(|name| name.trim_matches('"'));
    assert_none(&free_of_async(&names.collect::<Vec<_>>().join("\n")));
}

#[test]
fn locked_packages_come_from_the_public_registries() {
    hold(
        sources,
        &[
            &[],
            &[(
                "Cargo.lock",
                "source = \"registry+https://mirror.example/index\"",
            )],
            &[("Cargo.lock", "source = \"git+https://github.com/a/b#c\"")],
            &[
                ("Cargo.lock", ""),
                (
                    "tests/web/package-lock.json",
                    "\"resolved\": \"http://10.0.0.1/ws.tgz\"",
                ),
            ],
        ],
        &[&[(
            "Cargo.lock",
            "source = \"registry+https://github.com/rust-lang/crates.io-index\"",
        )]],
    );
}

const GATE: (&str, &str) = (".ci/run", "cargo test --all-features\n");

#[test]
fn commands_of_the_readme_are_run_by_the_gate() {
    hold(
        readme_commands,
        &[
            &[GATE],
            &[GATE, ("README.md", "```sh\ncargo bench\n```")],
            &[
                GATE,
                (
                    "README.md",
                    "```sh\n$ cargo test --all-features --release\n```",
                ),
            ],
            &[
                GATE,
                ("README.md", "```sh\ncargo run --example absent\n```"),
            ],
            &[GATE, ("README.md", ""), ("examples/counter.rs", "")],
            &[
                (".ci/run", "FLAGS=\"-a\" limited 9 cargo test --test b"),
                (
                    "README.md",
                    "```sh\nFLAGS=\"-a -c\" \\\n  cargo test --test b\n```",
                ),
            ],
        ],
        &[
            &[
                GATE,
                (
                    "README.md",
                    "```rust\nlet x = 1;\n```\n\n```sh\n# All of it:\ncargo test --all-features # a while\n```",
                ),
            ],
            &[
                GATE,
                (
                    "README.md",
                    "```sh\ncargo run --example a --features signals\n```",
                ),
                ("examples/a.rs", ""),
            ],
            &[
                (
                    ".ci/run",
                    "FLAGS=\"-a -c\" limited 9 \\\n  cargo test --test b",
                ),
                (
                    "README.md",
                    "```sh\nFLAGS=\"-a -c\" \\\n  cargo test --test b\n```",
                ),
            ],
        ],
    );
}

#[test]
fn the_map_in_the_readme_follows_the_layers() {
    hold(
        readme_layers,
        &[
            &[LIB, ("README.md", "| `pid` | x |\n| `process` | x |")],
            &[
                LIB,
                (
                    "README.md",
                    "| `process` | x |\n| `pid` | x |\n| `web` | x |",
                ),
            ],
        ],
        &[&[
            LIB,
            (
                "README.md",
                "| layer | what |\n|---|---|\n| `pid` | x |\n| `process` | x |\n| `web` | x |",
            ),
        ]],
    );
}

#[test]
fn the_changelog_keeps_its_form() {
    hold(
        changelog,
        &[
            &[("CHANGELOG.md", "# Changelog\n")],
            &[("CHANGELOG.md", "# C\n## [Unreleased]\n### News\n")],
        ],
        &[&[(
            "CHANGELOG.md",
            "# Changelog\n\n## [Unreleased]\n\n### Added\n",
        )]],
    );
}
