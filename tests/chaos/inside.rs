//! The program with somebody inside who kills its processes and makes its handlers panic. It is this test binary,
//! started again with an environment variable; what a user gets has nothing of it.
//!
//! It is told what to do on its standard input and tells what it does on its standard output, a line each.

use crate::dice::Dice;
use crate::server::unlimited;
use perennial::chat::{Program, RoomEvent};
use perennial::pub_sub::{Dispatcher, Subscriber};
use perennial::store::rusqlite::Connection;
use perennial::store::{Item, Operation, Query, ReaderMsg, WriteError};
use perennial::{ExitReason, Pid, Runtime, prelude::*, process};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const DATA: &str = "PERENNIAL_TEST_CHAOS_DATA";
pub(crate) const SEED: &str = "PERENNIAL_TEST_CHAOS_SEED";

/// The name of the test that is the program.
pub(crate) const NAME: &str = "inside::the_program_with_a_killer_in_it";

/// How it ends when its tree has.
pub(crate) const TREE_ENDED: i32 = 3;

/// One message in so many meets a panic.
const PANIC_ONE_IN: usize = 1_000;

/// From one kill to the next.
const KILL_EVERY: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(370));

/// The top of the tree gives up above 3 restarts in a minute, of the whole chat or the whole web server. That is a
/// rule, so whoever kills keeps below it.
const TOP_KILLS_MAX: usize = 2;
const TOP_PERIOD: Duration = Duration::from_secs(62);

/// One kill in so many takes the top itself, and the program with it.
const ROOT_ONE_IN: usize = 150;

/// Longer than an orderly stop takes.
const STOP: Duration = Duration::from_secs(20);

/// Says a line.
fn say(line: &str) {
    // On a line of its own whatever the test harness has begun.
    let line = format!("\n{line}\n");
    let mut out = std::io::stdout().lock();
    // Whoever listened may have gone.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// Without the variable this is no test; with it, it is the program.
#[test]
fn the_program_with_a_killer_in_it() {
    let Ok(data) = std::env::var(DATA) else {
        return;
    };
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    std::process::exit(serve(Path::new(&data), seed));
}

fn serve(data: &Path, seed: u64) -> i32 {
    let config = unlimited(data);
    let runtime = Runtime::builder().build().unwrap();
    let entered = runtime.enter();
    let program = match Program::start(&config) {
        Ok(program) => Arc::new(program),
        Err(error) => {
            say(&format!("refused {error}"));
            return 1;
        }
    };
    let mut end = process::watch(program.tree());
    let armed = Arc::new(AtomicBool::new(false));
    program.chat().topics().set_dispatcher(Clumsy {
        dice: Mutex::new(Dice::new(seed, 1)),
        armed: armed.clone(),
    });
    say(&format!("listening on http://{}", program.local_addr()));
    let (tell, told) = channel();
    std::thread::spawn(move || listen(&tell));
    let mut killer = Killer {
        program: program.clone(),
        dice: Dice::new(seed, 2),
        armed: armed.clone(),
        top_kills: VecDeque::new(),
    };
    loop {
        let pause = killer.dice.between(KILL_EVERY.0, KILL_EVERY.1);
        match told.recv_timeout(pause) {
            Ok(Order::Arm) => armed.store(true, Ordering::Relaxed),
            Ok(Order::Quiet) => armed.store(false, Ordering::Relaxed),
            Ok(Order::Census) => say(&format!("census {}", census(&runtime))),
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => killer.act(),
        }
        if end.wait(Duration::ZERO).is_some() {
            say("ended");
            return TREE_ENDED;
        }
    }
    program.stop();
    drop((killer, program, end, entered));
    let report = runtime.shutdown(STOP);
    say(&format!("stopped {} zombies", report.zombies));
    i32::from(report.zombies > 0)
}

enum Order {
    Arm,
    Quiet,
    Census,
    Stop,
}

/// Whoever started it may be gone: then nobody needs it.
fn listen(tell: &Sender<Order>) {
    for line in std::io::stdin().lock().lines() {
        let order = match line.as_deref() {
            Ok("arm") => Order::Arm,
            Ok("quiet") => Order::Quiet,
            Ok("census") => Order::Census,
            _ => break,
        };
        if tell.send(order).is_err() {
            return;
        }
    }
    // It has ended if nobody listens.
    let _ = tell.send(Order::Stop);
}

/// Every process by its label, sorted, with how often it is there.
fn census(runtime: &Runtime) -> String {
    let mut labels: Vec<String> = process::processes()
        .into_iter()
        .filter_map(process::info)
        .map(|info| match (info.registered_name, info.label) {
            (Some(name), _) => name.to_string(),
            (None, Some(label)) => label.to_string(),
            (None, None) => info.initial.to_owned(),
        })
        .collect();
    labels.sort();
    let of_clients: Vec<String> = process::processes()
        .into_iter()
        .filter_map(process::info)
        .filter(|info| info.label.as_deref().is_some_and(is_of_client))
        .take(4)
        .map(|info| format!("{info:?}"))
        .collect();
    let counts = runtime.counts();
    serde_json::json!({
        "processes": labels,
        "details": of_clients,
        "zombies": counts.zombies,
        "names": counts.names,
        "threads": counts.threads,
    })
    .to_string()
}

/// Connections and channels.
fn is_of_client(label: &str) -> bool {
    label == "connection" || label.starts_with("room:")
}

/// Brings every event to everybody, unless it panics on the way, when some have it and others have not.
struct Clumsy {
    dice: Mutex<Dice>,
    armed: Arc<AtomicBool>,
}

impl Dispatcher<RoomEvent, ()> for Clumsy {
    fn dispatch(&self, topic: &str, to: &[&Subscriber<RoomEvent, ()>], event: RoomEvent) {
        let stumbles_at = {
            let mut dice = self.dice.lock().unwrap();
            (self.armed.load(Ordering::Relaxed) && dice.one_in(PANIC_ONE_IN))
                .then(|| dice.below(to.len() + 1))
        };
        for (at, subscriber) in to.iter().enumerate() {
            if stumbles_at == Some(at) {
                stumble(topic);
            }
            subscriber.recipient.cast(event.clone());
        }
        if stumbles_at == Some(to.len()) {
            stumble(topic);
        }
    }
}

fn stumble(where_: &str) -> ! {
    say(&format!("panic {where_}"));
    panic!("chaos");
}

/// Panics on the writer in the middle of a batch, or on a reader.
struct Bomb;

impl Operation for Bomb {
    type Output = ();
    type Refused = Infallible;

    fn apply(&self, _: &Connection) -> Result<(), WriteError<Infallible>> {
        stumble("writer")
    }
}

impl Query for Bomb {
    type Output = ();

    fn run(&self, _: &Connection) -> perennial::store::rusqlite::Result<()> {
        stumble("reader")
    }
}

struct Killer {
    program: Arc<Program>,
    dice: Dice,
    armed: Arc<AtomicBool>,
    top_kills: VecDeque<Instant>,
}

impl Killer {
    fn act(&mut self) {
        if !self.armed.load(Ordering::Relaxed) {
            return;
        }
        let store = self.program.chat().store();
        match self.dice.below(12) {
            0 => store.writer().cast(Item::new(Bomb, |_| ()).into()),
            1 => store.reader().cast(ReaderMsg::read_then(Bomb, |_| ())),
            _ => self.kill(),
        }
    }

    fn kill(&mut self) {
        let root = self.program.tree().pid();
        if self.dice.one_in(ROOT_ONE_IN) {
            say("kill perennial");
            return process::exit(root, ExitReason::Kill);
        }
        let mut all: Vec<process::Info> = process::processes()
            .into_iter()
            .filter_map(process::info)
            .filter(|info| info.pid != root)
            .collect();
        // There are hundreds of connections and channels: every other time, somebody else.
        if self.dice.one_in(2) {
            all.retain(|info| !info.label.as_deref().is_some_and(is_of_client));
        }
        all.sort_by_key(|info| info.pid);
        if all.is_empty() {
            return;
        }
        let one = &all[self.dice.below(all.len())];
        if one.parent == root && !self.may_kill_top() {
            return;
        }
        let what = match (&one.registered_name, &one.label) {
            (Some(name), _) => name.to_string(),
            (None, Some(label)) => label.to_string(),
            (None, None) => one.initial.to_owned(),
        };
        say(&format!("kill {what}"));
        let reason = match self.dice.below(4) {
            0 => ExitReason::other("chaos"),
            _ => ExitReason::Kill,
        };
        let pid: Pid = one.pid;
        process::exit(pid, reason);
    }

    fn may_kill_top(&mut self) -> bool {
        while self
            .top_kills
            .front()
            .is_some_and(|at| at.elapsed() > TOP_PERIOD)
        {
            self.top_kills.pop_front();
        }
        let may = self.top_kills.len() < TOP_KILLS_MAX;
        if may {
            self.top_kills.push_back(Instant::now());
        }
        may
    }
}
