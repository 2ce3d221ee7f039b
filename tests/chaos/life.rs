//! One life of the program, as a user has it or with a killer inside.

use crate::inside;
use crate::program::serve;
use crate::server::PATIENCE;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    AsShipped,
    WithKiller,
}

/// What was killed inside, and what panicked, over all lives.
pub(crate) type Toll = Arc<Mutex<BTreeMap<String, usize>>>;

/// Ended with -9 when it is dropped.
pub(crate) struct Life {
    pub(crate) kind: Kind,
    process: Child,
    orders: Option<ChildStdin>,
    addr: SocketAddr,
    census: Receiver<Value>,
    reader: Option<JoinHandle<()>>,
    log: PathBuf,
}

impl Life {
    /// Starts it on a data directory; returns when it says where it listens.
    #[track_caller]
    pub(crate) fn start(kind: Kind, data: &Path, seed: u64, toll: &Toll) -> Self {
        let log = data.with_extension("log");
        let mut command = match kind {
            Kind::AsShipped => serve(data),
            Kind::WithKiller => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command
                    .args(["--exact", inside::NAME, "--nocapture", "--test-threads=1"])
                    .env(inside::DATA, data)
                    .env(inside::SEED, seed.to_string());
                command
            }
        };
        let mut process = command
            .env("RUST_LOG", "warn")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let (tell_addr, addr) = channel();
        let (tell_census, census) = channel();
        let toll = toll.clone();
        let reader = thread::spawn(move || read(out, &tell_addr, &tell_census, &toll));
        let addr = addr.recv_timeout(2 * PATIENCE).unwrap_or_else(|_| {
            let _ = process.kill();
            panic!("{kind:?} does not listen: {}", tail(&log))
        });
        Life {
            kind,
            orders: process.stdin.take(),
            process,
            addr,
            census,
            reader: Some(reader),
            log,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells the one inside what to do. It may have died just now.
    pub(crate) fn order(&mut self, order: &str) {
        if let (Kind::WithKiller, Some(orders)) = (self.kind, &mut self.orders) {
            let _ = writeln!(orders, "{order}");
        }
    }

    /// Who is there.
    #[track_caller]
    pub(crate) fn census(&mut self) -> Value {
        self.order("census");
        self.census
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no census: {}", tail(&self.log)))
    }

    /// Who is there; nothing if it has ended because its tree has. What it was told before is done then.
    #[track_caller]
    pub(crate) fn census_or_end(&mut self) -> Option<Value> {
        self.order("census");
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(census) = self.census.recv_timeout(Duration::from_millis(20)) {
                return Some(census);
            }
            if let Some(status) = self.ended() {
                let words = self.last_words();
                assert_eq!(status.code(), Some(inside::TREE_ENDED), "{words}");
                return None;
            }
        }
        panic!("no census: {}", tail(&self.log))
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        // It may have ended by itself.
        let _ = Command::new("sh")
            .args(["-c", &kill])
            .stderr(Stdio::null())
            .status();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Stops it in order; how it ended.
    #[track_caller]
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        match self.kind {
            Kind::AsShipped => self.signal("TERM"),
            Kind::WithKiller => self.order("stop"),
        }
        // Its output ends with it.
        let deadline = Instant::now() + 2 * PATIENCE;
        while self.ended().is_none() {
            assert!(
                Instant::now() < deadline,
                "it does not stop: {}",
                tail(&self.log)
            );
            perennial::process::sleep(Duration::from_millis(20));
        }
        (self.process.wait().unwrap(), self.last_words())
    }

    pub(crate) fn last_words(&self) -> String {
        tail(&self.log)
    }

    /// Its threads, and its open files.
    pub(crate) fn threads_and_files(&self) -> (usize, usize) {
        let count = |what: &str| {
            let path = format!("/proc/{}/{what}", self.pid());
            fs::read_dir(path).map_or(0, Iterator::count)
        };
        (count("task"), count("fd"))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(out: impl BufRead, addr: &Sender<SocketAddr>, census: &Sender<Value>, toll: &Toll) {
    let count = |what: &str| {
        *toll.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    };
    for line in out.lines() {
        let Ok(line) = line else { return };
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "listening" => {
                let at = rest
                    .strip_prefix("on http://")
                    .and_then(|at| at.parse().ok());
                let _ = at.map(|at| addr.send(at));
            }
            "census" => {
                let _ = census.send(serde_json::from_str(rest).unwrap());
            }
            "kill" => count(&format!("kill {}", class_of(rest))),
            "panic" => count(&format!("panic {}", class_of(rest))),
            _ => {}
        }
    }
}

/// What kind of process it is, without which of them.
fn class_of(what: &str) -> &str {
    let end = what.find([' ', ':', '-']).unwrap_or(what.len());
    what[..end].trim_end_matches(|letter: char| letter.is_ascii_digit())
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
