//! The official clients are the judges: what they expect of a server of theirs, they get from this one.

use crate::faults::{eventually, is_alive, kill, labelled};
use crate::killed_program::{make_room, sign_in};
use crate::program::{Program, serve, serve_at};
use crate::server::{Scratch, Server};
use perennial::Pid;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const VERSIONS: [&str; 2] = ["1.7", "1.8"];

/// Installs the clients outside of the tree, once for all tests and runs; `None` if there is no Node here.
fn clients() -> Option<PathBuf> {
    for tool in ["node", "npm"] {
        let version = Command::new(tool).arg("--version").output();
        if !version.is_ok_and(|output| output.status.success()) {
            println!("skipped: {tool} is not installed");
            return None;
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chat/official");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("official");
    fs::create_dir_all(&folder).unwrap();
    // One test installs, the others wait for it.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let wanted = fs::read(source.join("package-lock.json")).unwrap();
    let installed = folder.join("installed.json");
    if !fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), folder.join(file)).unwrap();
        }
        let npm = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&npm.stderr);
        assert!(npm.status.success(), "npm ci: {said}");
        fs::write(installed, wanted).unwrap();
    }
    // Modules are looked for beside the script.
    fs::copy(source.join("drive.mjs"), folder.join("drive.mjs")).unwrap();
    Some(folder)
}

/// A script at work. It does not outlive the test.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the script to its end, and does to the server what it asks for.
#[track_caller]
fn drive(
    folder: &Path,
    arguments: [&str; 2],
    tokens: [&str; 2],
    server: SocketAddr,
    mut obey: impl FnMut(&str),
) {
    let node = Command::new("node")
        .arg(folder.join("drive.mjs"))
        .args(arguments)
        .arg(server.to_string())
        .args(tokens)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut script = Script(node.unwrap());
    let mut stdin = script.0.stdin.take().unwrap();
    for order in BufReader::new(script.0.stdout.take().unwrap()).lines() {
        let order = order.unwrap();
        obey(&order);
        writeln!(stdin, "done: {order}").unwrap();
    }
    let status = script.0.wait().unwrap();
    assert!(status.success(), "{arguments:?}: {status}");
}

#[test]
fn official_clients_talk_through_a_kill_and_a_stop_of_the_program() {
    let Some(folder) = clients() else { return };
    for version in VERSIONS {
        let scratch = Scratch::new();
        let mut program = Some(Program::start(serve(&scratch.data())));
        let addr = program.as_ref().unwrap().addr();
        let tokens = ["ada", "bob"].map(|name| sign_in(addr, name));
        make_room(addr, &tokens[0], "lobby");
        let [ada, bob] = tokens.each_ref().map(String::as_str);
        drive(
            &folder,
            [version, "talk"],
            [ada, bob],
            addr,
            |order| match order {
                "restart" => {
                    program.take().unwrap().kill();
                    // The clients know one address.
                    program = Some(Program::start(serve_at(&scratch.data(), addr)));
                }
                "stop" => program.as_ref().unwrap().signal("TERM"),
                order => panic!("{order}"),
            },
        );
        assert_eq!(program.unwrap().end().code, Some(0));
    }
}

#[test]
fn official_clients_talk_by_long_poll_and_fall_back_to_it() {
    let Some(folder) = clients() else { return };
    for version in VERSIONS {
        for scenario in ["poll", "fallback"] {
            let server = Server::start();
            let [ada, bob] = ["ada", "bob"].map(|name| server.user(name));
            server.room("lobby");
            let tokens = [&*ada.token, &bob.token];
            drive(
                &folder,
                [version, scenario],
                tokens,
                server.addr(),
                |order| {
                    assert_eq!(order, "kill sessions");
                    let sessions: Vec<Pid> = labelled(&server, "long poll");
                    assert_eq!(sessions.len(), 1, "{version} {scenario}");
                    for pid in sessions {
                        kill(&server, pid);
                        eventually(order, || !is_alive(&server, pid));
                    }
                },
            );
        }
    }
}

#[test]
fn official_clients_come_back_when_a_part_of_the_server_dies() {
    let Some(folder) = clients() else { return };
    for version in VERSIONS {
        let server = Server::start();
        let [ada, bob] = ["ada", "bob"].map(|name| server.user(name));
        server.room("lobby");
        let tokens = [&*ada.token, &bob.token];
        drive(
            &folder,
            [version, "crash"],
            tokens,
            server.addr(),
            |order| {
                let (label, count) = match order {
                    "kill channels" => ("room:lobby", 2),
                    "kill connections" => ("connection", 2),
                    "kill rooms" => ("room lobby", 1),
                    order => panic!("{order}"),
                };
                let victims: Vec<Pid> = labelled(&server, label);
                assert_eq!(victims.len(), count, "{order}");
                for pid in victims {
                    kill(&server, pid);
                    eventually(order, || !is_alive(&server, pid));
                }
            },
        );
    }
}
