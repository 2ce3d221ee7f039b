//! The program as a user has it: the real binary, on a port and a data directory of its own.

use crate::server::PATIENCE;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// Switches off what would limit a test.
const UNLIMITED: [&str; 8] = [
    "limits.messages_per_second=0",
    "limits.messages_burst=0",
    "limits.joins_per_second=0",
    "limits.reads_per_second=0",
    "limits.frames_per_second=0",
    "limits.sign_ins_per_minute=0",
    "limits.connections_per_ip=0",
    "limits.connections_unauthenticated=0",
];

/// A program that runs. It does not outlive the test.
pub(crate) struct Program {
    process: Child,
    out: Option<BufReader<ChildStdout>>,
    log: Option<JoinHandle<String>>,
    addr: SocketAddr,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to stdout after it had said where it listens.
    pub(crate) out: String,
    pub(crate) log: String,
}

/// The program with these arguments, in an environment that says nothing to it.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let is_ours = |name: &str| name.starts_with("PERENNIAL_");
        if name.to_str().is_some_and(is_ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Serves a data directory on a free port, without limits.
pub(crate) fn serve(data: &Path) -> Command {
    serve_at(data, SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// As [`serve`], at an address.
pub(crate) fn serve_at(data: &Path, addr: SocketAddr) -> Command {
    let mut command = command(["serve", "--listen", &addr.to_string(), "--data"]);
    command.arg(data);
    for setting in UNLIMITED {
        command.args(["--set", setting]);
    }
    command
}

/// Runs a program that is to end by itself.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

impl Program {
    /// Starts a server, and returns when it says where it listens.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let addr = line
            .strip_prefix("listening on http://")
            .and_then(|rest| rest.strip_suffix('\n')?.parse().ok());
        let Some(addr) = addr else {
            let _ = process.kill();
            panic!("it says {line:?}: {}", log.join().unwrap());
        };
        Program {
            process,
            out: Some(out),
            log: Some(log),
            addr,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success(), "{kill}");
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let mut out = self.out.take().unwrap();
        let (tell, ended) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            let _ = tell.send(());
            rest
        });
        if ended.recv_timeout(PATIENCE).is_err() {
            self.process.kill().unwrap();
            panic!(
                "the program does not end: {}",
                self.log.take().unwrap().join().unwrap()
            );
        }
        Ended {
            code: self.process.wait().unwrap().code(),
            out: reader.join().unwrap(),
            log: self.log.take().unwrap().join().unwrap(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
