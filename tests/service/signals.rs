//! Signals to a program whose applications run. The program is this test binary, told by a variable of the
//! environment which part it plays.

use crate::stage::LONG;
use perennial::application::{self, Application, Halted, Why};
use perennial::prelude::*;
use perennial::signals::{self, SignalsError};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Program, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

const PART: &str = "SIGNALS_PART";

fn say(line: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The program: two applications, of which one stops as its part says.
fn program(part: &str) -> ! {
    let deadline = if part == "overdue" {
        Duration::from_millis(20)
    } else {
        LONG
    };
    let tree = || Ok(Supervisor::new(Strategy::OneForOne));
    let stuck = part != "orderly";
    application::load(Application::new("base", tree).stopped(|_| say("base stopped"))).unwrap();
    let chat = Application::new("chat", tree).prep_stop(move || {
        say("chat stops");
        if stuck {
            perennial::process::sleep(Duration::MAX);
        }
    });
    application::load(chat.needs("base").stopped(|_| say("chat stopped"))).unwrap();
    application::ensure_all_started("chat").unwrap();
    signals::halt_on_signal(deadline).unwrap();
    assert_eq!(signals::halt_on_signal(deadline), Err(SignalsError::Taken));
    say("ready");
    let halted = application::wait();
    assert_eq!(halted.why, Why::Signal);
    let Halted { forced, .. } = halted;
    say("halted");
    std::process::exit(if forced { 1 } else { 0 });
}

/// A program that is over when the test is.
struct Running(Program, Receiver<String>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(part: &str) -> Self {
        let mut program = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "signals::signals_stop_the_applications",
                "--nocapture",
            ])
            .env(PART, part)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let running = Running(program, receive);
        running.until("ready");
        running
    }

    /// Reads until the program says a line.
    fn until(&self, wanted: &str) {
        while self.1.recv_timeout(LONG).unwrap() != wanted {}
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.arg(name).arg(self.0.id().to_string());
        assert!(kill.status().unwrap().success());
    }

    /// Its exit code, and what it said since.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let said: Vec<String> = std::iter::from_fn(|| self.1.recv_timeout(LONG).ok()).collect();
        (self.0.wait().unwrap().code(), said)
    }
}

#[test]
fn signals_stop_the_applications() {
    if let Ok(part) = std::env::var(PART) {
        program(&part);
    }
    for name in ["-INT", "-TERM"] {
        let program = Running::start("orderly");
        program.signal(name);
        let said = ["chat stops", "chat stopped", "base stopped", "halted"];
        assert_eq!(program.end(), (Some(0), said.map(str::to_owned).to_vec()));
    }
    let program = Running::start("stuck");
    program.signal("-TERM");
    program.until("chat stops");
    program.signal("-INT");
    assert_eq!(program.end(), (Some(130), vec![]));
    let program = Running::start("overdue");
    program.signal("-TERM");
    let said = ["chat stops", "halted"].map(str::to_owned);
    assert_eq!(program.end(), (Some(1), said.to_vec()));
}
