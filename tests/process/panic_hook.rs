//! The panic hook: what plain threads do is none of its business, and no crash of a process is silent.

use crate::support::puppet::{BREEDS, Breed};
use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, child};
use perennial::process;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Counts the lines of a text that contain a part.
fn lines(text: &str, part: &str) -> usize {
    text.lines().filter(|line| line.contains(part)).count()
}

/// In a program of its own: the hook belongs to the whole program.
#[test]
fn plain_threads_keep_their_hook_and_processes_report() {
    const NAME: &str = "panic_hook::plain_threads_keep_their_hook_and_processes_report";
    if child::role().is_some() {
        std::panic::set_hook(Box::new(|info| {
            eprintln!("the hook before: {info}");
        }));
        for kind in BREEDS {
            on_stage(builder(), |_| crash(kind));
        }
        std::process::exit(11);
    }
    let ended = child::play(NAME, "hook");
    let text = &ended.stderr;
    assert_eq!(ended.code, Some(11), "{text}");
    // One line for the plain thread of each runtime, by the hook that was there before.
    assert_eq!(lines(text, "the hook before"), BREEDS.len(), "{text}");
    assert_eq!(lines(text, "plain trouble"), BREEDS.len(), "{text}");
    // One line for each process, with its reason and its place.
    assert_eq!(lines(text, "process trouble"), BREEDS.len(), "{text}");
    assert_eq!(lines(text, "panic_hook.rs:"), 2 * BREEDS.len(), "{text}");
    // What a process catches itself is its own business.
    assert_eq!(lines(text, "caught trouble"), 0, "{text}");
    assert_eq!(lines(text, "no trouble"), 0, "{text}");
}

fn crash(kind: Breed) {
    let plain = std::thread::spawn(|| panic!("plain trouble"));
    assert!(plain.join().is_err());
    let puppet = kind.puppet();
    puppet.run(|_| {
        let caught = catch_unwind(AssertUnwindSafe(|| panic!("caught trouble")));
        assert!(caught.is_err());
    });
    let mut watch = process::watch(puppet.pid());
    puppet.order(|_| panic!("process trouble"));
    watch.wait(LONG).expect("it crashes");
    let clean = kind.puppet();
    let mut watch = process::watch(clean.pid());
    clean.order(|inside| inside.exit(perennial::ExitReason::shutdown_with("no trouble")));
    watch.wait(LONG).expect("it ends");
}

/// A runtime may leave the hook alone; then a panic of a process is printed by whatever hook there is.
#[test]
fn hook_is_left_alone_if_the_builder_says_so() {
    const NAME: &str = "panic_hook::hook_is_left_alone_if_the_builder_says_so";
    if child::role().is_some() {
        std::panic::set_hook(Box::new(|info| {
            eprintln!("the only hook: {info}");
        }));
        on_stage(builder().panic_hook(false), |_| crash(Breed::Pooled));
        std::process::exit(12);
    }
    let ended = child::play(NAME, "hook");
    let text = &ended.stderr;
    assert_eq!(ended.code, Some(12), "{text}");
    assert_eq!(lines(text, "the only hook"), 3, "{text}");
    // The crash report comes all the same, without the place.
    assert_eq!(
        lines(text, "crashed: panicked: process trouble"),
        1,
        "{text}"
    );
}
