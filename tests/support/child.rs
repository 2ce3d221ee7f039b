//! Child programs: the test binary runs one of its own tests again, told by a variable of the environment that
//! it is the child, and looks at how that ended.

use super::LONG;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;

const ROLE: &str = "CONFORMANCE_CHILD";

/// How a child program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it, as an abort does.
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// The role that this program is to play, if it is a child.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Runs the test `name` (with its modules) as a child program in a role.
#[track_caller]
pub(crate) fn play(name: &str, role: &str) -> Ended {
    play_with(name, role, &[])
}

/// [`play`] with more in the environment.
#[track_caller]
pub(crate) fn play_with(name: &str, role: &str, environment: &[(&str, &str)]) -> Ended {
    let program = std::env::current_exe().expect("a test binary knows where it is");
    let mut child = Command::new(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env_remove("PERENNIAL_DEFAULT_KIND")
        .envs(environment.iter().copied())
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test binary starts");
    let mut stderr = child.stderr.take().expect("stderr is a pipe");
    let (done, ended) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        // Bytes that are no text end it early; the assertion on it then says so.
        let _ = stderr.read_to_string(&mut text);
        let _ = done.send(());
        text
    });
    if ended.recv_timeout(3 * LONG).is_err() {
        child.kill().expect("a child may be killed");
    }
    let stderr = reader.join().expect("the reader does not panic");
    let status = child.wait().expect("a child is waited for once");
    Ended {
        code: status.code(),
        stderr,
    }
}
