//! The program as a user has it: what its exit says when it is told to stop, and when it cannot start.

use crate::server::{PATIENCE, Scratch};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The program, over when the test is.
struct Program {
    process: Child,
    out: BufReader<ChildStdout>,
    addr: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
    command
        .arg("--data")
        .arg(data)
        .args(["--listen", listen])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    /// Returns when it says that it listens.
    fn start(data: &Path) -> Self {
        let mut process = command(data, "127.0.0.1:0")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let addr = line.trim_end().strip_prefix("listening on http://");
        let addr = addr
            .unwrap_or_else(|| panic!("it says {line:?}"))
            .to_owned();
        Program { process, out, addr }
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.arg(name).arg(self.process.id().to_string());
        assert!(kill.status().unwrap().success());
    }

    /// Its exit code, when it has closed its output.
    fn end(mut self) -> Option<i32> {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        self.process.wait().unwrap().code()
    }
}

#[test]
fn signal_stops_the_program_in_order() {
    let scratch = Scratch::new();
    for name in ["-INT", "-TERM"] {
        let program = Program::start(&scratch.data());
        let mut client = TcpStream::connect(&program.addr).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
            .write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        program.signal(name);
        assert_eq!(program.end(), Some(0), "{name}");
    }
}

#[test]
fn data_in_use_and_a_taken_port_are_failures() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let program = Program::start(&scratch.data());
    // (data, address, what stderr says)
    let table = [
        (
            scratch.data(),
            "127.0.0.1:0",
            program.process.id().to_string(),
        ),
        (other.data(), program.addr.as_str(), program.addr.clone()),
    ];
    for (data, addr, says) in table {
        let ended = command(&data, addr).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        assert!(
            ended.stdout.is_empty() && stderr.contains(&says),
            "{stderr}"
        );
    }
    program.signal("-TERM");
    assert_eq!(program.end(), Some(0));
}
