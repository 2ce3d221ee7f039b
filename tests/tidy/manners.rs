//! How files look and what they say: headers, length, words, attributes, names of tests.

use crate::source::{FOLDERS, Token, Tree, paths, rust, tokens};
use crate::{Files, hold};

/// A file over this length has a second noun in it.
const FILE_LINES_MAX: usize = 600;

/// The checker names what it forbids, so the rules on words leave it out; so do lock files and licences.
fn is_prose(path: &str) -> bool {
    !path.starts_with("tests/tidy") && !is_lock(path) && !path.starts_with("LICENSE")
}

fn is_lock(path: &str) -> bool {
    path.ends_with(".lock") || path.ends_with("-lock.json")
}

/// Every Rust file opens with a header that says what it is.
pub(crate) fn headers(tree: &Tree) -> Vec<String> {
    let mute = rust(tree, &FOLDERS).filter(|(_, text)| {
        let first = text.lines().next().unwrap_or_default();
        let header = first.strip_prefix("//!").unwrap_or_default();
        header.trim().len() <= 3
    });
    mute.map(|(path, _)| format!("{path}:1: no `//!` header"))
        .collect()
}

/// No Rust file is longer than [`FILE_LINES_MAX`].
pub(crate) fn length(tree: &Tree) -> Vec<String> {
    let counted = rust(tree, &FOLDERS).map(|(path, text)| (path, text.lines().count()));
    let long = counted.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    long.map(|(path, lines)| format!("{path}:{lines}: more than {FILE_LINES_MAX} lines"))
        .collect()
}

/// Words that put off what should be done now, or that speak of something other than the project.
const WORDS: [&str; 25] = [
    "todo",
    "fixme",
    "hack",
    "xxx",
    "tbd",
    "wip",
    "for now",
    "not yet implemented",
    "unimplemented",
    "in a real",
    "in the real world",
    "quick and dirty",
    "this session",
    "next session",
    "this issue",
    "next issue",
    "as an ai",
    "language model",
    "chatgpt",
    "claude",
    "copilot",
    "worktree",
    "the brief",
    "to be done later",
    "lorem ipsum",
];

/// Where a word of [`WORDS`] is the name of something else.
const WORDS_MEANT: [(&str, &str); 2] = [
    ("Cargo.toml", "todo = \"warn\""),
    (".gitignore", "worktree"),
];

/// Folders of one machine. A path of the project itself (`src/work/`) does not begin with them.
const MACHINE_PATHS: [&str; 6] = ["/work", "/root", "/farm", "/tmp/wt", "/home/", "/Users/"];

/// Hosts of package registries: only clients and lock files know them.
const REGISTRY_HOSTS: [&str; 6] = [
    "index.crates.io",
    "static.crates.io",
    "registry.npmjs.org",
    "deb.debian.org",
    "static.rust-lang.org",
    "proxy.golang.org",
];

/// No banned word, machine path or registry host in anything that a person reads.
pub(crate) fn words(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| is_prose(path)) {
        for (number, line) in text.lines().enumerate() {
            if WORDS_MEANT
                .iter()
                .any(|(file, meant)| file == path && line.trim() == *meant)
            {
                continue;
            }
            let low = line.to_lowercase();
            let words = WORDS.iter().filter(|word| has_word(&low, word));
            let folders = MACHINE_PATHS
                .iter()
                .filter(|folder| has_folder(line, folder));
            let hosts = REGISTRY_HOSTS.iter().filter(|host| line.contains(*host));
            let found = words.chain(folders).chain(hosts);
            faults.extend(found.map(|word| format!("{path}:{}: says `{word}`", number + 1)));
            if has_numbered(&low, "issue") {
                faults.push(format!(
                    "{path}:{}: speaks of an issue by its number",
                    number + 1
                ));
            }
        }
    }
    faults
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `word` stands in `line` with no letter next to it.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word_char) && !after.is_some_and(is_word_char)
    })
}

/// `folder` stands in `line` as the beginning of an absolute path.
fn has_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let inside = before.is_some_and(|c| is_word_char(c) || ".-/}*)".contains(c));
        let longer = !folder.ends_with('/') && after.is_some_and(|c| is_word_char(c) || c == '-');
        !inside && !longer
    })
}

/// `word 12`, `word #12`.
fn has_numbered(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let rest = line[at + word.len()..].trim_start().trim_start_matches('#');
        line[at + word.len()..].starts_with([' ', '#'])
            && rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// A page that a text names (`README.md`) is in the package.
pub(crate) fn pages(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| is_prose(path)) {
        for (number, line) in text.lines().enumerate() {
            let names = line.split(|c: char| c.is_whitespace() || "`\"'()[]<>,;:*{}!|".contains(c));
            let pages = names.filter(|name| {
                let name = name.trim_end_matches('.');
                name.ends_with(".md") && name.len() > 3 && !name.starts_with("//")
            });
            for page in pages {
                let page = page.trim_end_matches('.').trim_start_matches(['.', '/']);
                let exists = |file: &String| file == page || file.ends_with(&format!("/{page}"));
                if !line.contains("://") && !tree.keys().any(exists) {
                    faults.push(format!(
                        "{path}:{}: {page} is not in the package",
                        number + 1
                    ));
                }
            }
        }
    }
    faults
}

/// Endings of type names, and names of files, that say nothing.
const EMPTY_NOUNS: [&str; 6] = ["Manager", "Helper", "Helpers", "Util", "Utils", "Impl"];
const EMPTY_FILES: [&str; 6] = ["util", "utils", "helper", "helpers", "misc", "common"];

/// Types are named after what they are.
pub(crate) fn nouns(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &FOLDERS) {
        for pair in tokens(text).windows(2) {
            let declares = ["struct", "enum", "trait", "type"]
                .iter()
                .any(|word| pair[0].is(word));
            let empty = EMPTY_NOUNS.iter().any(|noun| pair[1].text.ends_with(noun));
            if declares && empty {
                faults.push(format!(
                    "{path}:{}: `{}` says nothing",
                    pair[1].line, pair[1].text
                ));
            }
        }
        let parts = path.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| EMPTY_FILES.contains(part)) {
            faults.push(format!(
                "{path}:1: a file called `{part}` collects what has no place"
            ));
        }
    }
    faults
}

/// Nothing waits for a duration in the library or its tests.
pub(crate) fn sleeps(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &["src", "tests"]) {
        for named in paths(&tokens(text)) {
            let ends: Vec<&str> = named.segments.iter().rev().map(String::as_str).collect();
            if let [
                "sleep" | "sleep_ms" | "sleep_until" | "park_timeout",
                "thread",
                ..,
            ] = ends.as_slice()
            {
                faults.push(format!("{path}:{}: waits for a duration", named.line));
            }
        }
    }
    faults
}

/// Tests carry no `#[ignore]` and no name that says only that they test; examples in docs are compiled.
pub(crate) fn tests(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &FOLDERS) {
        let code = tokens(text);
        for attribute in attributes(&code).filter(|words| words.iter().any(|t| t.is("ignore"))) {
            faults.push(format!("{path}:{}: an ignored test", attribute[0].line));
        }
        for pair in code.windows(2).filter(|pair| pair[0].is("fn")) {
            let name = &pair[1].text;
            let should = name.split('_').any(|part| part == "should");
            if name.starts_with("test_") || should {
                faults.push(format!("{path}:{}: `{name}` is not a fact", pair[1].line));
            }
        }
    }
    for (path, text) in tree.iter().filter(|(path, _)| is_prose(path)) {
        for (number, line) in text.lines().enumerate() {
            let fence = line.trim_start_matches(['/', '!', ' ']).strip_prefix("```");
            if fence.is_some_and(|info| info.split(',').any(|word| word.trim() == "ignore")) {
                faults.push(format!(
                    "{path}:{}: an example that is not compiled",
                    number + 1
                ));
            }
        }
    }
    faults
}

/// The attributes of a file, each from its first word to its closing bracket.
fn attributes(code: &[Token]) -> impl Iterator<Item = &[Token]> {
    (0..code.len()).filter_map(|at| {
        let bang = code.get(at + 1).is_some_and(|token| token.is("!"));
        let open = at + 1 + usize::from(bang);
        if !code[at].is("#") || !code.get(open)?.is("[") {
            return None;
        }
        let mut depth = 0;
        let close = code[open..].iter().position(|token| {
            depth += i32::from(token.is("[")) - i32::from(token.is("]"));
            depth == 0
        })?;
        Some(&code[open + 1..open + close]).filter(|words| !words.is_empty())
    })
}

/// In the library a lint is silenced only with a reason.
pub(crate) fn silenced(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &["src"]).filter(|(path, _)| *path != "src/main.rs") {
        for attribute in attributes(&tokens(text)) {
            let silences = attribute
                .windows(2)
                .any(|pair| (pair[0].is("allow") || pair[0].is("expect")) && pair[1].is("("));
            if silences && !attribute.iter().any(|token| token.is("reason")) {
                faults.push(format!(
                    "{path}:{}: silenced without a reason",
                    attribute[0].line
                ));
            }
        }
    }
    faults
}

/// The files that may say `unsafe`: none of them is part of a normal build.
const UNSAFE_FILES: [&str; 3] = [
    "src/sync/tsan.rs",
    "tests/support/vfs.rs",
    "tests/support/canary.rs",
];

/// Safe code only, and `lib.rs` forbids the rest.
pub(crate) fn safe(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &FOLDERS).filter(|(path, _)| !UNSAFE_FILES.contains(path)) {
        let found = tokens(text).into_iter().find(|token| token.is("unsafe"));
        faults.extend(found.map(|token| format!("{path}:{}: unsafe code", token.line)));
    }
    let lib = tree.get("src/lib.rs").map_or("", String::as_str);
    if !lib.contains("#![cfg_attr(not(tsan), forbid(unsafe_code))]") {
        faults.push("src/lib.rs:1: does not forbid unsafe code".into());
    }
    faults
}

#[test]
fn files_open_with_a_header() {
    hold(
        headers,
        &[
            &[("src/a.rs", "fn main() {}")],
            &[("tests/a.rs", "//!\n//! Late.")],
            &[("examples/a.rs", "// A comment.")],
        ],
        &[&[("src/a.rs", "//! What it is.\nfn main() {}")]],
    );
}

#[test]
fn files_stay_short() {
    let long: &'static str = "x;\n".repeat(601).leak();
    let fits: &'static str = "x;\n".repeat(600).leak();
    let bad: Files = vec![("src/a.rs", long)].leak();
    let good: Files = vec![("tests/a.rs", fits)].leak();
    hold(length, &[bad], &[good]);
}

#[test]
fn words_speak_of_the_project() {
    hold(
        words,
        &[
            &[("src/a.rs", "// TODO: more")],
            &[("src/a.rs", "/// Fixme.")],
            &[("README.md", "This is enough for now.")],
            &[("src/a.rs", "const HACK: &str = \"a hack\";")],
            &[("src/a.rs", "// xxx")],
            &[("tests/a.rs", "unimplemented!()")],
            &[(
                "examples/a.rs",
                "// In a real program one would check this.",
            )],
            &[("CHANGELOG.md", "- As issue 12 asks.")],
            &[("src/a.rs", "// See issue #7.")],
            &[("src/a.rs", "const AT: &str = \"/work/main\";")],
            &[(".ci/run", "cd /root")],
            &[(".ci/run", "cp a /tmp/wt/b")],
            &[("README.md", "fetched from static.crates.io")],
        ],
        &[
            &[(
                "src/work/root.rs",
                "// The worker issues a token; see src/work/a and ../root.",
            )],
            &[(
                "src/a.rs",
                "// A hackney carriage. The session of a user. /worker /rooms",
            )],
            &[("Cargo.toml", "todo = \"warn\"")],
            &[("Cargo.lock", "# todo")],
        ],
    );
}

#[test]
fn pages_that_are_named_exist() {
    hold(
        pages,
        &[
            &[("src/a.rs", "// See `plan.md`.")],
            &[("src/a.rs", "// (store/README.md)")],
        ],
        &[
            &[
                ("src/a.rs", "// See README.md."),
                ("src/store/README.md", ""),
            ],
            &[("src/a.rs", "// https://example.org/a.md")],
        ],
    );
}

#[test]
fn names_say_what_a_thing_is() {
    hold(
        nouns,
        &[
            &[("src/a.rs", "struct RoomManager;")],
            &[("tests/a.rs", "trait TestHelper {}")],
            &[("src/util.rs", "")],
            &[("tests/common/mod.rs", "")],
        ],
        &[&[("src/room.rs", "struct Room; // no Manager\nimpl Room {}")]],
    );
}

#[test]
fn nothing_waits_for_a_duration() {
    hold(
        sleeps,
        &[
            &[("tests/a.rs", "fn f() { std::thread::sleep(d); }")],
            &[("src/a.rs", "use std::thread; fn f() { thread::sleep(d); }")],
            &[("tests/a.rs", "use std::{thread::{sleep, spawn}};")],
            &[("tests/a.rs", "fn f() { thread::park_timeout(d) }")],
        ],
        &[&[(
            "src/a.rs",
            "// thread::sleep\nmod sleep; fn f() { sleep::prepare(); }",
        )]],
    );
}

#[test]
fn tests_are_facts_and_all_of_them_run() {
    hold(
        tests,
        &[
            &[("tests/a.rs", "#[test]\n#[ignore]\nfn a() {}")],
            &[("src/a.rs", "#[cfg_attr(miri, ignore = \"slow\")] fn a() {}")],
            &[("src/a.rs", "#[test] fn test_link() {}")],
            &[("tests/a.rs", "#[test] fn link_should_hold() {}")],
            &[("src/a.rs", "//! ```ignore\n//! x\n//! ```")],
            &[("README.md", "```rust,ignore\nx\n```")],
        ],
        &[&[(
            "tests/a.rs",
            "#[test] fn dead_links_are_gone() { let ignore = contest_shoulder(); }",
        )]],
    );
}

#[test]
fn lints_are_silenced_with_a_reason() {
    hold(
        silenced,
        &[
            &[("src/a.rs", "#[allow(dead_code)] fn f() {}")],
            &[("src/a.rs", "#![cfg_attr(test, expect(unused))]")],
        ],
        &[&[(
            "src/a.rs",
            "#[allow(dead_code, reason = \"why\")] fn f() { x.expect(\"y\"); }",
        )]],
    );
}

#[test]
fn code_is_safe() {
    const FORBIDS: (&str, &str) = ("src/lib.rs", "#![cfg_attr(not(tsan), forbid(unsafe_code))]");
    hold(
        safe,
        &[
            &[FORBIDS, ("src/a.rs", "fn f() { unsafe { x() } }")],
            &[FORBIDS, ("tests/a.rs", "unsafe impl Send for X {}")],
            &[("src/lib.rs", "//! A crate.")],
        ],
        &[
            &[FORBIDS, ("tests/support/canary.rs", "unsafe fn race() {}")],
            &[FORBIDS],
        ],
    );
}
