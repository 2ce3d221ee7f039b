//! RFC 6455 by an outside suite: kosoku drives the case files of the Autobahn test suite against an echo server that
//! is made of this layer.
//!
//! Its categories are 1 framing, 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing,
//! 9 limits and speed, 10 automatic fragmentation, 12 and 13 compression, which is never negotiated here. Category 9
//! takes minutes, and is run on demand:
//!
//! ```text
//! PERENNIAL_AUTOBAHN='9.*' cargo test --release --features web --test web autobahn -- --nocapture
//! ```

use crate::support::{Echo, Server};
use perennial::web::http::Request;
use perennial::web::net::{Config, Responder};
use perennial::web::websocket::{Handshake, Limits};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = "tests/web/autobahn/requirements.txt";

/// What is run unless somebody asks for something else, and how many cases that is.
const CASES: [&str; 8] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
const CASES_LEN: usize = 247;

/// Cases that prescribe nothing and show what a server does: with a message of 256 KiB, a Close and a ping at once
/// (1009, as a message has at most 64 KiB here), and with the close codes 5000 and 65535 (1002, as for all that must not
/// be sent).
const INFORMATIONAL: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

/// Cases that may end `NON-STRICT`: these look at the clock. They send text that is no UTF-8 in three parts, a second
/// apart, and like it best if the connection fails at the part that cannot be; it does, but on a busy machine the
/// second may be over.
const BY_THE_CLOCK: [&str; 4] = ["6.4.1", "6.4.2", "6.4.3", "6.4.4"];

/// Ends of a connection that are as they should be.
const GOOD: [&str; 2] = ["OK", "INFORMATIONAL"];

/// How often in a row a case has to be good that was not good once. The suite waits for an answer for a second and no
/// longer, which a busy machine may need for something else; what is wrong with the server now and then is wrong in one of
/// these.
const GOOD_AGAIN: usize = 3;

/// How often such a case is tried at most.
const TRIES: usize = 12;

/// Installs the suite outside of the tree, once for all runs; `None` if that cannot be done here.
fn suite() -> Option<PathBuf> {
    if !cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    )) {
        println!("skipped: the suite is built for other systems");
        return None;
    }
    let python = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output();
    if !python.is_ok_and(|output| output.status.success()) {
        println!("skipped: python3 with its venv is not installed");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("autobahn");
    fs::create_dir_all(&folder).expect("a folder");
    // Another run may be installing it.
    let lock = File::create(folder.join("lock")).expect("a lock");
    lock.lock().expect("the lock");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(REQUIREMENTS);
    let wanted = fs::read(&source).expect("the requirements");
    let (venv, installed) = (folder.join("venv"), folder.join("installed.txt"));
    if !fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        succeed(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&venv),
        );
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]);
        succeed(pip.args(["--require-hashes", "--requirement"]).arg(&source));
        fs::write(&installed, wanted).expect("a note of what is installed");
    }
    Some(folder)
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("a program");
    let (said, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{said}\n{wrong}");
}

/// What became of each case, by its number: `OK`, `NON-STRICT`, `INFORMATIONAL`, `FAILED` and the like; first the
/// conversation, then how it was closed.
fn run(folder: &Path, cases: &[&str], server: SocketAddr) -> BTreeMap<String, [String; 2]> {
    let report = folder.join(format!("report-{}", std::process::id()));
    let mut kosoku = Command::new(folder.join("venv/bin/kosoku"));
    kosoku
        .args(["-m", "fuzzingclient", "-p", "2", "-o"])
        .arg(&report);
    for case in cases {
        kosoku.args(["-i", case]);
    }
    // It ends with an error if a case failed, and then the report says which.
    let output = kosoku.arg(server.to_string()).output().expect("the suite");
    let said = String::from_utf8_lossy(&output.stderr);
    let index =
        fs::read(report.join("index.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    fs::remove_dir_all(&report).expect("the report is here");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let agents = index.as_object().expect("an object").values();
    let cases = agents.flat_map(|agent| agent.as_object().expect("an object"));
    let word = |case: &Value, key: &str| case[key].as_str().expect("a word").to_owned();
    cases
        .map(|(id, case)| {
            (
                id.clone(),
                ["behavior", "behaviorClose"].map(|key| word(case, key)),
            )
        })
        .collect()
}

fn is_good(verdict: &[String; 2]) -> bool {
    verdict[0] != "FAILED" && GOOD.contains(&&*verdict[1])
}

/// Tries the cases that were not good until each has been good often enough in a row; those that never were.
fn try_again(
    folder: &Path,
    server: SocketAddr,
    verdicts: &mut BTreeMap<String, [String; 2]>,
) -> Vec<String> {
    let bad = verdicts.iter().filter(|(_, verdict)| !is_good(verdict));
    let mut in_a_row: BTreeMap<String, usize> = bad.map(|(case, _)| (case.clone(), 0)).collect();
    for at in 1..=TRIES {
        in_a_row.retain(|_, good| *good < GOOD_AGAIN);
        if in_a_row.is_empty() {
            break;
        }
        for case in in_a_row.keys() {
            println!("{case} was {:?}: try {at} of it", verdicts[case]);
        }
        let cases: Vec<&str> = in_a_row.keys().map(String::as_str).collect();
        let tried = run(folder, &cases, server);
        for (case, good) in &mut in_a_row {
            // A case that is not in the report was not run.
            let is_good = tried.get(case).is_some_and(is_good);
            *good = if is_good { *good + 1 } else { 0 };
        }
        verdicts.extend(tried);
    }
    let still = in_a_row.iter().filter(|(_, good)| **good < GOOD_AGAIN);
    still
        .map(|(case, good)| format!("{case}: good {good} times in a row, and not {GOOD_AGAIN}"))
        .collect()
}

#[test]
fn autobahn_finds_no_fault() {
    let Some(folder) = suite() else { return };
    let wanted = std::env::var("PERENNIAL_AUTOBAHN").ok();
    let (cases, config) = match &wanted {
        None => (CASES.to_vec(), Config::default()),
        Some(wanted) => (wanted.split_whitespace().collect(), large()),
    };
    let server = Server::start(config, |request: Request, responder: Responder| {
        let handshake = Handshake::check(&request).expect("the suite opens WebSockets");
        responder.upgrade(handshake, |connection| Echo(connection.clone()));
    });
    let addr = server.listener.local_addr();
    let mut verdicts = run(&folder, &cases, addr);
    let mut faults = try_again(&folder, addr, &mut verdicts);
    assert!(
        wanted.is_some() || verdicts.len() == CASES_LEN,
        "{} cases",
        verdicts.len()
    );
    let mut strict = 0;
    for (case, verdict) in &verdicts {
        match verdict.each_ref().map(String::as_str) {
            ["OK", "OK"] => strict += 1,
            ["INFORMATIONAL", _] if wanted.is_some() || INFORMATIONAL.contains(&&**case) => {}
            ["NON-STRICT", "OK"] if BY_THE_CLOCK.contains(&&**case) => {
                println!("{case} was not strict")
            }
            _ => faults.push(format!("{case}: {verdict:?}")),
        }
    }
    println!(
        "{strict} of {} cases are strictly as the suite wants them",
        verdicts.len()
    );
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Settings for messages of any size that the suite sends, in any number of fragments.
fn large() -> Config {
    const MESSAGE_MAX: usize = 16 << 20;
    Config {
        websocket: Limits {
            message_max: MESSAGE_MAX,
            fragments_max: MESSAGE_MAX,
        },
        out_bytes_max: 2 * MESSAGE_MAX,
        in_bytes_max: 2 * MESSAGE_MAX,
        ..Config::default()
    }
}
