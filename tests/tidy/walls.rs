//! The walls between the modules of `src`: who may import whom, who may name threads and locks, and which
//! files only decide.

use crate::source::{Named, Token, Tree, paths, rust, tokens};
use crate::{assert_none, hold, tree_of};
use std::collections::{BTreeMap, BTreeSet};

/// The layers, bottom up. A module imports from its own level and below, never above.
pub(crate) const LAYERS: [&[&str]; 9] = [
    &["pid", "reason", "time", "telemetry", "sync"],
    &["scheduler"],
    &["process"],
    &["behaviour"],
    &["service"],
    &["store", "web", "dist"],
    &["observer"],
    &["chat"],
    // Pages and short cuts for users, above everything: nothing inside imports them.
    &["prelude", "differences", "coming_from_elixir"],
];

/// The level of outside worlds, of which none imports another.
const WORLDS: usize = 5;

/// Sibling modules that may know one another in a circle, each with the reason. A circle that is not inside
/// one of these is a fault, and so is an entry here for which no circle exists any more.
const KNOTS: [(&str, &[&str], &str); 0] = [];

/// A file of `src` as a module of the crate.
struct Module {
    path: String,
    /// Where it stands: `["process", "table"]`; empty for lib.rs.
    at: Vec<String>,
    named: Vec<Named>,
}

/// The modules of `src` that are files, except `main.rs`, which is a crate of its own.
struct Crate(BTreeMap<Vec<String>, Module>);

impl Crate {
    fn read(tree: &Tree) -> Self {
        let files = rust(tree, &["src"]).filter(|(path, _)| *path != "src/main.rs");
        let modules = files.map(|(path, text)| {
            let at = place(path);
            let named = paths(&tokens(text));
            (
                at.clone(),
                Module {
                    path: path.to_owned(),
                    at,
                    named,
                },
            )
        });
        Crate(modules.collect())
    }

    /// The path from the root of the crate that `named` means in `module`; `None` if it leads outside.
    fn resolve(&self, module: &Module, named: &Named) -> Option<Vec<String>> {
        let mut base: Vec<String> = module.at.iter().chain(&named.inside).cloned().collect();
        let mut rest = named.segments.as_slice();
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                base = module.at.clone();
                base.push(first.to_owned());
                if named.segments.len() < 2 || !self.0.contains_key(&base) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        Some(base.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// The file module that defines what `target` names, following what other modules hand on.
    fn home(&self, target: &[String], hops: usize) -> Option<&Module> {
        let length = (0..=target.len())
            .rev()
            .find(|n| self.0.contains_key(&target[..*n]))?;
        let module = &self.0[&target[..length]];
        let next = target.get(length).filter(|_| hops < 8);
        let handed = next.and_then(|name| {
            let entry = module
                .named
                .iter()
                .find(|named| named.handed_on && named.name == *name)?;
            self.resolve(module, entry)
        });
        match handed {
            Some(mut onward) => {
                onward.extend_from_slice(&target[length + 1..]);
                self.home(&onward, hops + 1)
            }
            None => Some(module),
        }
    }

    /// Every import of one file module by another: importer, imported, line.
    fn imports(&self) -> Vec<(&Module, &Module, usize)> {
        let mut imports = Vec::new();
        for module in self.0.values() {
            for named in &module.named {
                let target = self.resolve(module, named);
                let home = target.and_then(|target| self.home(&target, 0));
                if let Some(home) = home.filter(|home| home.at != module.at) {
                    imports.push((module, home, named.line));
                }
            }
        }
        imports
    }
}

fn place(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut at: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(at.last().map(String::as_str), Some("mod" | "lib")) {
        at.pop();
    }
    at
}

fn level(top: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&top))
}

/// Imports go down the layers only, the outside worlds do not know one another, and `lib.rs` lists the
/// modules bottom up.
pub(crate) fn layers(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let modules = Crate::read(tree);
    for (module, home, line) in modules.imports() {
        let (Some(from), Some(to)) = (module.at.first(), home.at.first()) else {
            if home.at.is_empty() && !module.at.is_empty() {
                let root = "names an item of lib.rs itself, which stands above all layers";
                faults.push(format!("{}:{line}: {root}", module.path));
            }
            continue;
        };
        let (Some(low), Some(high)) = (level(from), level(to)) else {
            continue;
        };
        if high > low || (low == WORLDS && high == WORLDS && from != to) {
            faults.push(format!(
                "{}:{line}: {from} imports {to}, which is not below it",
                module.path
            ));
        }
    }
    for module in modules.0.values() {
        if let Some(top) = module.at.first().filter(|top| level(top).is_none()) {
            faults.push(format!("{}:1: `{top}` has no layer", module.path));
        }
    }
    faults.extend(order_in_lib(tree));
    faults
}

fn order_in_lib(tree: &Tree) -> Option<String> {
    let code = tokens(tree.get("src/lib.rs")?);
    let declared = code.windows(2).filter(|pair| pair[0].is("mod"));
    let levels: Vec<(usize, &Token)> = declared
        .filter_map(|pair| Some((level(&pair[1].text)?, &pair[1])))
        .collect();
    let wrong = levels.windows(2).find(|pair| pair[0].0 > pair[1].0)?;
    let (above, below) = (wrong[0].1, wrong[1].1);
    Some(format!(
        "src/lib.rs:{}: `{}` stands after `{}`",
        below.line, below.text, above.text
    ))
}

/// No circle among sibling modules of one folder, but for those in [`KNOTS`].
pub(crate) fn circles(tree: &Tree) -> Vec<String> {
    circles_but_for(tree, &KNOTS)
}

pub(crate) fn circles_but_for(tree: &Tree, knots: &[(&str, &[&str], &str)]) -> Vec<String> {
    let mut graphs: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, home, _) in Crate::read(tree).imports() {
        let shared = module
            .at
            .iter()
            .zip(&home.at)
            .take_while(|(a, b)| a == b)
            .count();
        if let (Some(from), Some(to)) = (module.at.get(shared), home.at.get(shared)) {
            let folder = format!("src/{}", module.at[..shared].join("/"));
            let graph = graphs.entry(folder).or_default();
            graph.entry(from.clone()).or_default().insert(to.clone());
        }
    }
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for (folder, graph) in &graphs {
        for circle in strongly_connected(graph) {
            let known = knots.iter().position(|(place, members, _)| {
                place == folder && circle.iter().all(|name| members.contains(&name.as_str()))
            });
            match known {
                Some(knot) => drop(needed.insert(knot)),
                None => faults.push(format!("{folder}: in a circle: {}", circle.join(", "))),
            }
        }
    }
    let stale = (0..knots.len()).filter(|knot| !needed.contains(knot));
    faults
        .extend(stale.map(|knot| format!("{}: the knot is untied; strike it out", knots[knot].0)));
    faults
}

/// Groups of two and more nodes that all reach one another.
fn strongly_connected(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = graph[from].iter().collect();
        while let Some(name) = next.pop() {
            if seen.insert(name) {
                next.extend(graph.get(name).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|name| (name, reach(name))).collect();
    let mut circles = BTreeSet::new();
    for (name, seen) in &reached {
        let both = seen
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|r| r.contains(name)));
        let circle: Vec<String> = both.map(|other| (*other).clone()).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// Only `src/sync` names threads, locks, atomics and channels.
pub(crate) fn facade(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &["src"]) {
        if path.starts_with("src/sync/") || path == "src/sync.rs" {
            continue;
        }
        for named in paths(&tokens(text)) {
            let segments: Vec<&str> = named.segments.iter().map(String::as_str).collect();
            let outside = match segments.as_slice() {
                ["std" | "core" | "alloc", "sync" | "thread", ..] => true,
                [one, _, ..] => {
                    ["parking_lot", "loom"].contains(one) || one.starts_with("crossbeam")
                }
                _ => false,
            };
            if outside {
                faults.push(format!(
                    "{path}:{}: {} goes through crate::sync",
                    named.line,
                    segments.join("::")
                ));
            }
        }
    }
    faults
}

/// What a file that only decides may not name: sockets, files, clocks, threads, waiting, databases.
const ACTS: [&[&str]; 14] = [
    &["std", "net"],
    &["std", "fs"],
    &["std", "io"],
    &["std", "process"],
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["crate", "time"],
    &["crate", "sync", "thread"],
    &["crate", "sync", "Parker"],
    &["crate", "sync", "channel"],
    &["crate", "scheduler"],
    &["mio"],
    &["socket2"],
    &["rusqlite"],
];

/// A file whose header says PURE decides and does not act.
pub(crate) fn pure(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &["src"]) {
        let header = text.lines().take_while(|line| line.starts_with("//!"));
        if !header.into_iter().any(|line| line.contains("PURE")) {
            continue;
        }
        for named in paths(&tokens(text)) {
            let acts = ACTS.iter().find(|act| {
                let act: Vec<String> = act.iter().map(|part| (*part).to_owned()).collect();
                let clock = act.last().is_some_and(|last| last == "now");
                named.segments.starts_with(&act) || (clock && named.segments.ends_with(&act))
            });
            if let Some(act) = acts.filter(|act| act.len() > 1 || named.segments.len() > 1) {
                let line = named.line;
                faults.push(format!(
                    "{path}:{line}: a PURE file names {}",
                    act.join("::")
                ));
            }
        }
    }
    faults
}

pub(crate) const LIB: (&str, &str) = (
    "src/lib.rs",
    "pub mod pid;\n\npub mod process;\n\npub mod web;\n\npub use process::Table;",
);
const PID: (&str, &str) = ("src/pid.rs", "pub struct Pid;");
const PROCESS: (&str, &str) = ("src/process/mod.rs", "mod table; pub use table::Table;");
const TABLE: (&str, &str) = (
    "src/process/table.rs",
    "use crate::pid::Pid; pub struct Table;",
);

#[test]
fn imports_go_down_the_layers() {
    hold(
        layers,
        &[
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/pid.rs", "use crate::process::table::Table;"),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/pid.rs", "use super::process::Table;"),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/pid.rs", "fn make() -> crate::Table { Table }"),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/pid.rs", "mod m { use super::super::process; }"),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/pid.rs", "use crate::{process::{self, Table}};"),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/pid.rs", "macro_rules! m { () => { $crate::Table } }"),
            ],
            &[LIB, ("src/pid.rs", "use crate::VERSION;")],
            &[
                ("src/store/mod.rs", ""),
                ("src/web/mod.rs", "use crate::store;"),
            ],
            &[
                ("src/web/mod.rs", ""),
                ("src/dist/link.rs", "use crate::web::net;"),
            ],
            &[
                ("src/chat/room.rs", ""),
                ("src/store/writer.rs", "use crate::chat::room::Room;"),
            ],
            &[
                ("src/chat/mod.rs", ""),
                ("src/prelude.rs", ""),
                ("src/chat/a.rs", "use crate::prelude::*;"),
            ],
            &[("src/gadgets.rs", "")],
            &[("src/lib.rs", "pub mod process; pub mod pid;")],
        ],
        &[
            &[LIB, PID, PROCESS, TABLE],
            &[
                LIB,
                PROCESS,
                TABLE,
                (
                    "src/pid.rs",
                    "// crate::process\nconst S: &str = \"crate::web\";",
                ),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                (
                    "src/pid.rs",
                    "/// See [`t`](crate::process::t).\npub struct Pid;",
                ),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                (
                    "src/pid.rs",
                    "const R: &str = r#\"\"crate::process\"\"#; /* crate::web */",
                ),
            ],
            &[
                ("src/web/mod.rs", "mod net; use crate::web::net;"),
                ("src/web/net.rs", "use super::x;"),
            ],
            &[
                LIB,
                PROCESS,
                TABLE,
                ("src/prelude.rs", "pub use crate::process::Table;"),
            ],
        ],
    );
}

#[test]
fn siblings_stand_in_no_circle() {
    hold(
        circles,
        &[
            &[
                ("src/pid.rs", "use crate::time::now;"),
                ("src/time.rs", "use crate::pid::Pid;"),
            ],
            &[
                ("src/pid.rs", "use crate::time::now;"),
                ("src/time.rs", "use crate::sync::Arc;"),
                ("src/sync/mod.rs", "mod parker;"),
                ("src/sync/parker.rs", "use crate::pid::Pid;"),
            ],
            &[
                (
                    "src/web/mod.rs",
                    "pub mod net; pub mod http; pub use net::Socket;",
                ),
                ("src/web/net.rs", "use super::http;"),
                ("src/web/http.rs", "use super::Socket;"),
            ],
            &[
                ("src/web/mod.rs", "pub mod net; pub mod http;"),
                ("src/web/net.rs", "fn f() { crate::web::http::answer() }"),
                (
                    "src/web/http/parse.rs",
                    "use super::super::net::Socket as S;",
                ),
                ("src/web/http/mod.rs", "mod parse;"),
            ],
        ],
        &[&[
            (
                "src/web/mod.rs",
                "mod net; mod http; pub use net::Socket; fn f() { http::answer() }",
            ),
            ("src/web/net.rs", "use super::http;"),
            ("src/web/http.rs", "use super::f;"),
        ]],
    );
    let circle = tree_of(&[
        ("src/pid.rs", "use crate::time::x;"),
        ("src/time.rs", "use crate::pid::y;"),
    ]);
    let knot = [("src/", ["pid", "time"].as_slice(), "they share a word")];
    assert_none(&circles_but_for(&circle, &knot));
    assert_eq!(
        circles_but_for(&Tree::new(), &knot).len(),
        1,
        "a stale knot is a fault"
    );
}

#[test]
fn only_the_facade_names_threads_and_locks() {
    hold(
        facade,
        &[
            &[("src/pid.rs", "use std::sync::Arc;")],
            &[(
                "src/pid.rs",
                "use std::{fmt, sync::{atomic::AtomicU64, Weak}};",
            )],
            &[("src/pid.rs", "fn f() { let _ = ::std::thread::current(); }")],
            &[("src/pid.rs", "use core::sync::atomic::Ordering;")],
            &[("src/store/mod.rs", "use parking_lot::Mutex;")],
            &[(
                "src/store/mod.rs",
                "fn f() { crossbeam_channel::unbounded::<u8>(); }",
            )],
            &[(
                "src/main.rs",
                "fn f<'a>(c: char) { if c == '\"' { std::thread::yield_now() } }",
            )],
            &[("src/pid.rs", "use loom::sync::Arc;")],
        ],
        &[
            &[(
                "src/sync/mod.rs",
                "pub use std::sync::Arc; pub use parking_lot::Mutex;",
            )],
            &[(
                "src/pid.rs",
                "use crate::sync::Arc; use std::time::Duration;",
            )],
            &[(
                "src/pid.rs",
                "//! use std::sync::Arc;\n/// ```\n/// use std::thread;\n/// ```\nstruct S;",
            )],
        ],
    );
}

#[test]
fn pure_files_do_not_act() {
    hold(
        pure,
        &[
            &[("src/a.rs", "//! PURE: decides.\nuse std::net::TcpStream;")],
            &[(
                "src/a.rs",
                "//! Rules.\n//! PURE.\nfn f() { std::time::Instant::now(); }",
            )],
            &[(
                "src/a.rs",
                "//! PURE.\nuse std::time::Instant;\nfn f() { Instant::now(); }",
            )],
            &[("src/a.rs", "//! PURE.\nuse crate::sync::{Arc, thread};")],
        ],
        &[
            &[(
                "src/a.rs",
                "//! PURE.\nuse std::time::{Duration, Instant}; use crate::sync::Arc;",
            )],
            &[("src/a.rs", "//! Acts.\nuse std::net::TcpStream;")],
        ],
    );
}
