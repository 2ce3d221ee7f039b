//! Where the code of `src` may act: who names threads and locks, and which files only decide.

use crate::hold;
use crate::source::{Tree, paths, rust, tokens};

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
                    ["parking_lot", "spin", "loom"].contains(one) || one.starts_with("crossbeam")
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
const ACTS: [&str; 18] = [
    "std::fs",
    "std::process",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "Instant::now",
    "SystemTime::now",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "crate::time",
    "crate::sync::thread",
    "crate::sync::Parker",
    "crate::sync::channel",
    "crate::scheduler",
    "mio",
    "socket2",
    "rusqlite",
];

/// A file whose header says PURE, without a "but", decides and does not act; its tests may.
pub(crate) fn pure(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in rust(tree, &["src"]) {
        let mut header = text.lines().take_while(|line| line.starts_with("//!"));
        if !header.any(|line| line.contains("PURE") && !line.contains("PURE, but")) {
            continue;
        }
        for named in paths(&tokens(text)) {
            let in_tests = named.inside.iter().any(|module| module == "tests");
            let full = named.segments.join("::");
            let act = ACTS.iter().find(|act| {
                full.strip_prefix(*act)
                    .is_some_and(|rest| rest.starts_with("::"))
                    || (full == **act && full.contains("::"))
            });
            if let Some(act) = act.filter(|_| !in_tests) {
                faults.push(format!("{path}:{}: a PURE file names {act}", named.line));
            }
        }
    }
    faults
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
            &[("src/process/pooled.rs", "body: spin::Mutex<u8>,")],
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
            &[(
                "src/a.rs",
                "//! PURE, but for the last function.\nuse rusqlite::Connection;",
            )],
            &[(
                "src/a.rs",
                "//! PURE.\nuse std::net::IpAddr; mod tests { fn f() { Instant::now(); } }",
            )],
        ],
    );
}
