//! The walls between the modules of `src`: who may import whom.

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

/// The level of what stands above the house.
pub(crate) const PAGES: usize = 8;

/// The level of outside worlds, of which none imports another.
const WORLDS: usize = 5;

/// Sibling modules that may know one another in a circle: the folder, the modules (`*` for all), the reason.
/// A circle that is not inside one of these is a fault, and so is an entry whose circle is gone.
const KNOTS: [(&str, &[&str], &str); 2] = [
    (
        "src/process",
        &["*"],
        "the kernel is one thing in many files: a process, its signals, the table and the runtime hold one another",
    ),
    (
        "src/chat",
        &["config", "config_key"],
        "a key is a row that fills a field of the configuration, which is made of its keys",
    ),
];

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
                // `crate` alone is the reach of a `pub(crate)`.
                let target = self
                    .resolve(module, named)
                    .filter(|target| !target.is_empty());
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

/// No circle among the modules at the top, nor among those of one layer, but for [`KNOTS`].
pub(crate) fn circles(tree: &Tree) -> Vec<String> {
    circles_but_for(tree, &KNOTS)
}

pub(crate) fn circles_but_for(tree: &Tree, knots: &[(&str, &[&str], &str)]) -> Vec<String> {
    let mut graphs: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, home, _) in Crate::read(tree).imports() {
        let pairs = module.at.iter().zip(&home.at);
        let shared = pairs.take_while(|(a, b)| a == b).count();
        if shared > 1 {
            continue; // The inner matter of one module.
        }
        if let (Some(from), Some(to)) = (module.at.get(shared), home.at.get(shared)) {
            let folder = [&["src".to_owned()], &module.at[..shared]]
                .concat()
                .join("/");
            let graph = graphs.entry(folder).or_default();
            graph.entry(from.clone()).or_default().insert(to.clone());
        }
    }
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for (folder, graph) in &graphs {
        for circle in strongly_connected(graph) {
            let known = knots.iter().position(|(place, members, _)| {
                place == folder
                    && (*members == ["*"]
                        || circle.iter().all(|name| members.contains(&name.as_str())))
            });
            match known {
                Some(knot) => drop(needed.insert(knot)),
                None => faults.push(format!("{folder}: in a circle: {}", circle.join(", "))),
            }
        }
    }
    for (number, (folder, members, _)) in knots.iter().enumerate() {
        let is_there = |name: &&str| {
            let (file, inner) = (
                format!("{folder}/{name}.rs"),
                format!("{folder}/{name}/mod.rs"),
            );
            tree.contains_key(&file) || tree.contains_key(&inner)
        };
        if !needed.contains(&number) && members.iter().all(is_there) {
            faults.push(format!(
                "{folder}: the knot {} is untied: strike it out",
                members.join(", ")
            ));
        }
    }
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
                (
                    "src/pid.rs",
                    "pub(crate) struct Pid { pub(in crate) id: u32 }",
                ),
            ],
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
                PID,
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
    let knot = [("src", ["pid", "time"].as_slice(), "they share a word")];
    assert_none(&circles_but_for(&circle, &knot));
    let line = tree_of(&[("src/pid.rs", "use crate::time::x;"), ("src/time.rs", "")]);
    assert_eq!(
        circles_but_for(&line, &knot).len(),
        1,
        "a knot that is untied is a fault"
    );
}
