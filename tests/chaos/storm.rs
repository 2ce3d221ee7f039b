//! The run: everybody talks, everything goes wrong, and then it is looked at.

use crate::dice::Dice;
use crate::history::{History, Log, Outcomes, What, assert_true};
use crate::life::{Kind, Life, Toll};
use crate::nemesis::{Counts, Nemesis};
use crate::server::{PATIENCE, Scratch};
use crate::town::{CLIENTS, ROOMS, Town, name_of, room, room_of};
use crate::vandal::rage;
use crate::witness::{Crowd, Tally, head, history_of};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How long everything goes wrong.
const SECONDS: &str = "PERENNIAL_CHAOS_SECONDS";
const SECONDS_FEW: u64 = 8;

/// What goes wrong when.
const SEED: &str = "PERENNIAL_CHAOS_SEED";

const VANDALS: u64 = 4;

/// Threads that a runtime may have more than at its beginning: spare workers, which end when they had nothing to do for
/// a while.
const THREADS_MORE: usize = 4;

fn seed() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    std::env::var(SEED).map_or(now.as_millis() as u64 % 1_000_000, |seed| {
        seed.parse().expect("a seed is a number")
    })
}

fn length() -> Duration {
    let seconds = std::env::var(SECONDS).map_or(SECONDS_FEW, |seconds| {
        seconds.parse().expect("seconds are a number")
    });
    Duration::from_secs(seconds)
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order_and_nothing_is_left_behind() {
    let (seed, length) = (seed(), length());
    println!("chaos: {SEED}={seed} {SECONDS}={}", length.as_secs());
    let scratch = Scratch::new();
    let toll = Toll::default();
    let mut nemesis = Nemesis {
        data: scratch.data(),
        seed,
        toll: toll.clone(),
        dice: Dice::new(seed, 0),
        counts: Counts::default(),
    };
    let mut life = nemesis.start(Kind::WithKiller);
    let town = Town::found(life.addr());
    let base = Base::take(&mut life);
    let crowd = Crowd::new(life.addr());
    let began = Instant::now();
    let witnesses = town.talk(&crowd, seed);
    let acts = Arc::new(AtomicUsize::new(0));
    let vandals: Vec<_> = (0..VANDALS)
        .map(|n| rage(&crowd, town.token(n as u32), Dice::new(seed, 10 + n), &acts))
        .collect();
    // However this ends, the others are told.
    let over = Over(&crowd);
    crowd.progress(u64::from(CLIENTS));
    let life = nemesis.rage(life, &crowd, length);
    let talked = began.elapsed();
    let said = crowd.acknowledged();

    let mut life = nemesis.rest(life, &crowd, |census| base.is_whole(census));
    drop(over);
    let healed_at = Instant::now();
    vandals.into_iter().for_each(|one| one.join().unwrap());
    let is_silent = crowd.wait_until(3 * PATIENCE, Crowd::is_silent);
    assert!(
        is_silent,
        "somebody is never answered by {}: {}",
        life.census(),
        life.last_words()
    );
    for number in 0..ROOMS {
        let name = room(number);
        crowd.set_head(&name, head(life.addr(), town.token(0), &name));
    }
    let logs: Vec<Log> = witnesses
        .into_iter()
        .map(|one| one.join().expect("a witness"))
        .collect();
    let converged = healed_at.elapsed();

    let waits = waits(&logs);
    let outcomes = judge(&life, &town, logs);
    base.assert_back(&mut life);
    let (status, words) = life.stop();
    assert_eq!(status.code(), Some(0), "an orderly stop: {words}");
    let wal = scratch.data().join("perennial.db-wal");
    assert!(!wal.exists(), "an orderly stop leaves no log");

    let counts = nemesis.counts;
    let tally = |what| crowd.tally(what);
    println!(
        "chaos: seed {seed}, {:.0} s: {said} posts acknowledged, {:.0} a second; {outcomes:?}\n  \
         outside: {counts:?}\n  \
         inside: {}\n  \
         lines: {} connections, {} joins, {} reset, {} half open, {} not read, {} with garbage, {} vandal acts, \
         {} crashed channels, {} refusals, {} looks\n  \
         a post was acknowledged after {} ms (median), {} ms (99 %), {} ms (slowest); \
         all had heard everything {:.1} s after the last fault",
        talked.as_secs_f64(),
        said as f64 / talked.as_secs_f64(),
        shown(&toll.lock().unwrap()),
        tally(Tally::Connections),
        tally(Tally::Joins),
        tally(Tally::Resets),
        tally(Tally::HalfOpen),
        tally(Tally::Slow),
        tally(Tally::Garbage),
        acts.load(Ordering::Relaxed),
        tally(Tally::ChannelCrashes),
        tally(Tally::Refusals),
        tally(Tally::Looks),
        waits[waits.len() / 2] / 1_000,
        waits[waits.len() * 99 / 100] / 1_000,
        waits[waits.len() - 1] / 1_000,
        converged.as_secs_f64(),
    );
    assert!(outcomes.stable as u64 >= said, "{outcomes:?}");
}

/// Tells everybody that it is over, when the test ends or fails.
struct Over<'a>(&'a Crowd);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn shown(toll: &BTreeMap<String, usize>) -> String {
    let all: Vec<_> = toll
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    all.join(", ")
}

/// How long each acknowledged post took from its first sending, in microseconds, sorted.
fn waits(logs: &[Log]) -> Vec<u64> {
    let mut waits = Vec::new();
    for log in logs {
        let mut sent = HashMap::new();
        for event in &log.events {
            match event.what {
                What::Send { id, .. } => drop(sent.entry(id).or_insert(event.at)),
                What::Ok { id, .. } => waits.extend(sent.get(&id).map(|at| event.at - at)),
                _ => {}
            }
        }
    }
    waits.sort_unstable();
    waits
}

/// Reads every room to its end, and holds what everybody was told against that.
fn judge(life: &Life, town: &Town, mut logs: Vec<Log>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for number in 0..ROOMS {
        let name = room(number);
        let (here, elsewhere) = logs
            .into_iter()
            .partition(|log| room_of(log.client) == number);
        logs = elsewhere;
        outcomes.add(assert_true(&History {
            stored: history_of(life.addr(), town.token(0), &name, &name_of),
            room: name,
            logs: here,
        }));
    }
    outcomes
}

/// How the program was before anybody came: its processes, threads and files.
struct Base {
    processes: Vec<String>,
    threads: usize,
    files: usize,
}

impl Base {
    fn take(life: &mut Life) -> Self {
        let mut processes = labels(&life.census());
        // Whoever signed up has gone, or is about to.
        processes.retain(|label| label != "connection" && label != "request");
        let (threads, files) = life.threads_and_files();
        Base {
            processes,
            threads,
            files,
        }
    }

    /// Everybody who was there at the beginning is there.
    fn is_whole(&self, census: &Value) -> bool {
        let now = labels(census);
        self.processes.iter().all(|label| now.contains(label))
    }

    /// P11, P12: everybody is gone, and it is as it was, but for the rooms.
    #[track_caller]
    fn assert_back(&self, life: &mut Life) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let census = life.census();
            let mut processes = labels(&census);
            let mut rooms = processes.clone();
            rooms.retain(|label| label.starts_with("room "));
            processes.retain(|label| !label.starts_with("room "));
            let (threads, files) = life.threads_and_files();
            let is_back = processes == self.processes
                && rooms.len() <= ROOMS as usize
                && census["zombies"] == 0
                && threads <= self.threads + THREADS_MORE
                && files <= self.files;
            if is_back {
                println!(
                    "chaos: {} processes and {} rooms, {threads} threads ({} at first), {files} files ({})",
                    processes.len(),
                    rooms.len(),
                    self.threads,
                    self.files,
                );
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{threads} threads after {}, {files} files after {}, {} zombies\n  {:?}\n  {processes:?}\n{}\n{}",
                self.threads,
                self.files,
                census["zombies"],
                self.processes,
                census["details"],
                sockets(life.addr()),
            );
            perennial::process::sleep(Duration::from_millis(100));
        }
    }
}

/// What the system knows of the connections to an address, where it has the tool that says so.
fn sockets(addr: SocketAddr) -> String {
    let said = Command::new("ss").args(["-tnpo"]).output();
    let said = said.map_or_else(
        |error| error.to_string(),
        |out| String::from_utf8_lossy(&out.stdout).into_owned(),
    );
    let port = format!(":{}", addr.port());
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(&port)).collect();
    lines.join("\n")
}

fn labels(census: &Value) -> Vec<String> {
    let labels = census["processes"].as_array().unwrap();
    let text = |label: &Value| label.as_str().unwrap().to_owned();
    labels.iter().map(text).collect()
}
