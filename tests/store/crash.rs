//! A program that writes is killed with -9, again and again: what it acknowledged is there, in order.
//!
//! The program is this test binary, started again with an environment variable.

use crate::ledger::{Append, DATABASE, config, entries, item, open, texts_without_gaps, try_open};
use crate::scratch::Scratch;
use perennial::store::{Config, WriterCore};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const DIRECTORY: &str = "PERENNIAL_TEST_STORE_DIRECTORY";
const ROUND: &str = "PERENNIAL_TEST_STORE_ROUND";

/// Before each acknowledgement on the child's standard output.
const ACKNOWLEDGED: &str = "acknowledged ";

/// How many lives the program has.
const KILLS: usize = 50;

/// A program that writes without end and says on its standard output what is on the disk.
pub(crate) struct Child {
    process: std::process::Child,
    output: BufReader<std::process::ChildStdout>,
}

/// What was said: book, number, text.
pub(crate) type Acknowledged = (i64, i64, String);

impl Child {
    /// Starts it, and waits for its first acknowledgement.
    pub(crate) fn start(directory: &Path, round: usize) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::the_program_that_is_killed",
                "--nocapture",
            ])
            .env(DIRECTORY, directory)
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut child = Child { process, output };
        child.next().expect("the program writes");
        child
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it when it has acknowledged `n` more entries; all that it had said by then.
    pub(crate) fn kill_after(mut self, n: usize) -> Vec<Acknowledged> {
        let mut acknowledged: Vec<_> = (0..n)
            .map(|_| self.next().expect("the program writes"))
            .collect();
        self.process.kill().unwrap();
        // What it said before it died counts too.
        while let Some(last) = self.next() {
            acknowledged.push(last);
        }
        acknowledged
    }

    fn next(&mut self) -> Option<Acknowledged> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            let Some(said) = line.trim_end().strip_prefix(ACKNOWLEDGED) else {
                continue;
            };
            let mut words = said.splitn(3, ' ');
            let mut word = || words.next().expect("three words");
            return Some((
                word().parse().unwrap(),
                word().parse().unwrap(),
                word().to_owned(),
            ));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be dead already; either way it is waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Without the variable this is no test; with it, it is the program.
#[test]
fn the_program_that_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let round: usize = std::env::var(ROUND).unwrap().parse().unwrap();
    // Small numbers, so that every life sees many commits and checkpoints.
    let config = Config {
        batch_max: 8,
        checkpoint_pages: 6,
        checkpoint_pages_max: 12,
        ..Config::new(directory)
    };
    let (_database, mut writer) = open(config);
    for n in 0.. {
        write_a_batch(&mut writer, round, n);
        writer.maintain_after(n % 3 == 0);
    }
}

fn write_a_batch(writer: &mut WriterCore, round: usize, n: usize) {
    let size = 1 + n % 11;
    let batch = (0..size).map(|at| {
        let book = 1 + (at % 2) as i64;
        let text = format!("{round}-{n}-{at}-{}", "x".repeat((n * 37 + at) % 900));
        perennial::store::Item::new(Append::new(book, text.clone()), move |answer| {
            let seq = answer.expect("the disk works");
            let line = format!("{ACKNOWLEDGED}{book} {seq} {text}\n");
            std::io::stdout()
                .write_all(line.as_bytes())
                .expect("the test listens");
        })
    });
    writer.drain_and_commit(batch.collect());
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let scratch = Scratch::new();
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for round in 0..KILLS {
        let child = Child::start(&scratch.data(), round);
        acknowledged.extend(child.kill_after((round * 29) % 71));
        // Every other time nobody looks in between, and the next life has to deal with the log itself.
        if round % 2 == 0 {
            check(&scratch, &acknowledged);
        }
    }
    check(&scratch, &acknowledged);
    assert!(
        acknowledged.len() > KILLS,
        "the program did something between its deaths"
    );
}

fn check(scratch: &Scratch, acknowledged: &[Acknowledged]) {
    let database = try_open(config(scratch)).unwrap();
    for book in [1, 2] {
        let texts = texts_without_gaps(&entries(&database, book));
        for (_, seq, text) in acknowledged.iter().filter(|(of, ..)| *of == book) {
            assert_eq!(
                &texts[*seq as usize - 1],
                text,
                "entry {seq} of book {book}"
            );
        }
    }
}

#[test]
fn a_torn_log_loses_its_torn_end_and_nothing_before_it() {
    let scratch = Scratch::new();
    let (database, mut writer) = open(config(&scratch));
    let mut sizes = Vec::new();
    let log = scratch.data().join("perennial.db-wal");
    for n in 0..20 {
        let (item, _) = item(Append::new(1, format!("entry {n}")));
        writer.drain_and_commit(vec![item]);
        sizes.push(std::fs::metadata(&log).unwrap().len());
    }
    let (file, log) = (
        std::fs::read(scratch.data().join(DATABASE)).unwrap(),
        std::fs::read(&log).unwrap(),
    );
    drop((writer, database));
    // The log is cut at every eighth of a page: each commit whose last byte is there must be there, and no
    // other.
    for cut in (0..=log.len()).step_by(512) {
        let torn = Scratch::new();
        std::fs::create_dir(torn.data()).unwrap();
        std::fs::write(torn.data().join(DATABASE), &file).unwrap();
        std::fs::write(torn.data().join("perennial.db-wal"), &log[..cut]).unwrap();
        let whole = sizes.iter().filter(|size| **size <= cut as u64).count();
        match try_open(config(&torn)) {
            Ok(database) => {
                assert_eq!(
                    texts_without_gaps(&entries(&database, 1)).len(),
                    whole,
                    "cut at {cut}"
                )
            }
            Err(error) => panic!("cut at {cut}: {error}"),
        }
    }
}
