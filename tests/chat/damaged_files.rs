//! The files of a chat are damaged while it does not run: it refuses them and says why, or goes on with what is whole
//! and says what is not.

use crate::disk::{Running, Template};
use crate::history_lies::Dice;
use crate::server::{Scratch, unlimited};
use perennial::chat::body::{Body, ClientId};
use perennial::chat::name::Name;
use perennial::chat::store::{Message, Page};
use perennial::chat::{Account, Chat};
use perennial::store::event::LogTorn;
use perennial::store::{self, Check};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many times something is damaged.
const CASES: u64 = 180;

const POSTS: u32 = 90;

const DATABASE: &str = "perennial.db";
const LOG: &str = "perennial.db-wal";

/// What is done to which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    BitOfDatabase,
    NoiseInDatabase,
    PageOfDatabaseZeroed,
    DatabaseCut,
    BitOfLog,
    NoiseInLog,
    HeadOfLog,
    LogCut,
    DatabaseGone,
}

use Damage::{
    BitOfDatabase, BitOfLog, DatabaseCut, DatabaseGone, HeadOfLog, LogCut, NoiseInDatabase,
    NoiseInLog, PageOfDatabaseZeroed,
};

const DAMAGES: [Damage; 9] = [
    BitOfDatabase,
    NoiseInDatabase,
    PageOfDatabaseZeroed,
    DatabaseCut,
    BitOfLog,
    NoiseInLog,
    HeadOfLog,
    LogCut,
    DatabaseGone,
];

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The damage met nothing that is read.
    AllThere,
    /// It is not opened, with words.
    Refused,
    /// It is opened, and says that the log was torn.
    Told,
    /// It is opened, and whoever reads is told that it cannot be read.
    Unreadable,
    /// A log that was cut is a log that ends there: nobody can tell.
    Shorter,
    /// Letters inside of texts have no checksum.
    Letters,
}

/// Files as they are after kill -9: half of the messages in the database, half in the log.
struct Left {
    database: Vec<u8>,
    log: Vec<u8>,
    truth: Vec<Message>,
}

fn room() -> Name {
    Name::new("lobby").unwrap()
}

fn history(chat: &Chat) -> Option<Vec<Message>> {
    let page = chat.history(&room(), Page::After(0), 200);
    page.ok().flatten()
}

fn post(chat: &Chat, account: &Account, n: u32) {
    let body = format!("{n} {}", "x".repeat(n as usize * 211 % 900));
    let client_id = ClientId::new(&format!("c-{n}")).unwrap();
    let body = Body::new(&body).unwrap();
    chat.post(account, &room(), body, Some(client_id)).unwrap();
}

fn leave() -> Left {
    let template = Template::make();
    let data = template.data();
    let store = || store::Config {
        checkpoint_idle: Duration::from_secs(3_600),
        ..store::Config::new(&data)
    };
    for half in 0..2 {
        let chat = Chat::open_with(&unlimited(&data), store()).unwrap();
        let running = Running::start(&chat);
        let truth = running.inside(|| {
            for n in 0..POSTS / 2 {
                post(&chat, template.account(n), half * POSTS / 2 + n);
            }
            history(&chat).unwrap()
        });
        // As a program that is killed leaves them: nobody writes now.
        let left = Left {
            database: fs::read(data.join(DATABASE)).unwrap(),
            log: fs::read(data.join(LOG)).unwrap(),
            truth,
        };
        running.stop();
        drop(chat);
        if half == 1 {
            assert!(
                left.log.len() > 50 * 4096,
                "{} bytes of log",
                left.log.len()
            );
            return left;
        }
    }
    unreachable!("the second half returned");
}

/// Puts the files into a directory and damages them.
fn damage(left: &Left, damage: Damage, dice: &mut Dice, into: &Path) {
    let (mut database, mut log) = (left.database.clone(), left.log.clone());
    match damage {
        BitOfDatabase => flip(&mut database, dice),
        NoiseInDatabase => noise(&mut database, 64, dice),
        PageOfDatabaseZeroed => {
            let page = dice.below(database.len() / 4096);
            database[page * 4096..][..4096].fill(0);
        }
        DatabaseCut => database.truncate(dice.below(database.len())),
        BitOfLog => flip(&mut log, dice),
        NoiseInLog => noise(&mut log, 512, dice),
        HeadOfLog => flip(&mut log[..32], dice),
        LogCut => log.truncate(dice.below(log.len())),
        DatabaseGone => {}
    }
    if damage != DatabaseGone {
        fs::write(into.join(DATABASE), database).unwrap();
    }
    fs::write(into.join(LOG), log).unwrap();
}

fn flip(bytes: &mut [u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    bytes[at] ^= 1 << dice.below(8);
}

fn noise(bytes: &mut [u8], len: usize, dice: &mut Dice) {
    let at = dice.below(bytes.len() - len);
    bytes[at..at + len].fill_with(|| dice.below(256) as u8);
}

fn outcome(left: &Left, what: Damage, seed: u64) -> Outcome {
    let mut dice = Dice::new(seed);
    let scratch = Scratch::new();
    fs::create_dir(scratch.data()).unwrap();
    damage(left, what, &mut dice, &scratch.data());
    let store = store::Config {
        check: Check::AfterUncleanStop,
        ..store::Config::new(scratch.data())
    };
    let torn = Arc::new(AtomicUsize::new(0));
    let count = torn.clone();
    store.telemetry.attach(move |told: &LogTorn| {
        assert!(told.commits_left > 0);
        count.fetch_add(1, Ordering::Relaxed);
    });
    let chat = match Chat::open_with(&unlimited(&scratch.data()), store) {
        Ok(chat) => chat,
        Err(error) => {
            let words = error.to_string();
            let says_why = [
                "damaged",
                "not a database",
                "newer",
                "another application",
                "disk",
            ];
            assert!(
                says_why.iter().any(|why| words.contains(why)),
                "{what:?}, seed {seed}: {words}"
            );
            return Outcome::Refused;
        }
    };
    let running = Running::start(&chat);
    let found = running.inside(|| history(&chat));
    running.stop();
    let truth = &left.truth;
    let is_torn = torn.load(Ordering::Relaxed) > 0;
    match found {
        Some(found) if found == *truth => Outcome::AllThere,
        Some(found) if is_torn => {
            assert!(truth.starts_with(&found), "{what:?}, seed {seed}");
            Outcome::Told
        }
        None if is_torn => Outcome::Told,
        None => Outcome::Unreadable,
        Some(found) if what == LogCut => {
            assert!(truth.starts_with(&found), "seed {seed}");
            Outcome::Shorter
        }
        Some(found) => {
            let numbers = |all: &[Message]| all.iter().map(|one| one.seq).collect::<Vec<_>>();
            assert_eq!(
                numbers(&found),
                numbers(truth),
                "{what:?}, seed {seed}: without a word"
            );
            let changed = found.iter().zip(truth).filter(|(a, b)| a != b).count();
            assert!(changed <= 2, "{what:?}, seed {seed}: {changed} messages");
            Outcome::Letters
        }
    }
}

#[test]
fn damaged_files_are_refused_or_told_of() {
    let left = leave();
    let mut counts: BTreeMap<(Damage, Outcome), usize> = BTreeMap::new();
    for seed in 0..CASES {
        let what = DAMAGES[seed as usize % DAMAGES.len()];
        *counts
            .entry((what, outcome(&left, what, seed)))
            .or_default() += 1;
    }
    for ((what, outcome), count) in &counts {
        println!("{what:?}: {outcome:?} {count}");
    }
    let of = |outcome| -> usize {
        let like = counts.iter().filter(|((_, of), _)| *of == outcome);
        like.map(|(_, count)| count).sum()
    };
    assert!(of(Outcome::Refused) > 40, "{counts:?}");
    assert!(of(Outcome::Told) > 30, "{counts:?}");
}
