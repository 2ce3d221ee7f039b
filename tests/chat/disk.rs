//! A chat on a disk that fails: at any one call, for good, with no room; and on one whose power goes. What was
//! acknowledged is there, once and in order, and what is not there is told.

use crate::faults::eventually;
use crate::history::{History, Id, Log, Outcomes, Post, What, assert_true};
use crate::server::{PASSWORD, Scratch, unlimited};
use crate::vfs::{Disk, Fault};
use perennial::chat::body::{Body, ClientId};
use perennial::chat::name::Name;
use perennial::chat::password::Password;
use perennial::chat::store::{Message, Page};
use perennial::chat::{Account, Chat, PostError};
use perennial::store::{self, Health};
use perennial::{Runtime, process, supervisor};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const ROOM: &str = "lobby";

/// Who post at the same time, so that commits carry more than one of them.
const POSTERS: u32 = 3;

/// Posts of each in one life of the chat.
const POSTS: u32 = 5;

/// Lives on one disk.
const LIVES: u32 = 2;

/// How many times the power goes. Each life has a few hundred calls.
const CUTS: u64 = 80;

const STOP: Duration = Duration::from_secs(30);

/// A chat with its users and a room, made on a disk that works: each run begins with a copy.
pub(crate) struct Template {
    scratch: Scratch,
    accounts: Vec<Account>,
}

impl Template {
    pub(crate) fn make() -> Self {
        let scratch = Scratch::new();
        let chat = Chat::open(&unlimited(&scratch.data())).unwrap();
        let running = Running::start(&chat);
        let accounts = (0..POSTERS).map(|n| {
            let (name, password) = (format!("poster{n}"), Password::new(PASSWORD).unwrap());
            let name = Name::new(&name).unwrap();
            chat.sign_up(name.clone(), password.clone()).unwrap();
            chat.sign_in(name, password).unwrap().1
        });
        let accounts = {
            let _entered = running.0.enter();
            let accounts = accounts.collect();
            chat.create_room(Name::new(ROOM).unwrap()).unwrap();
            accounts
        };
        running.stop();
        drop(chat);
        Template { scratch, accounts }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.data()
    }

    /// One of those who are signed in.
    pub(crate) fn account(&self, n: u32) -> &Account {
        &self.accounts[n as usize % self.accounts.len()]
    }

    fn copy(&self) -> Scratch {
        let copy = Scratch::new();
        fs::create_dir(copy.data()).unwrap();
        let database = |scratch: &Scratch| scratch.data().join("perennial.db");
        fs::copy(database(&self.scratch), database(&copy)).unwrap();
        copy
    }
}

/// A chat's tree in a runtime of its own.
pub(crate) struct Running(Runtime, perennial::Ref<supervisor::Msg>);

impl Running {
    pub(crate) fn start(chat: &Chat) -> Self {
        let runtime = Runtime::builder().workers(2).build().unwrap();
        let entered = runtime.enter();
        let tree = chat.start().unwrap();
        drop(entered);
        Running(runtime, tree)
    }

    /// Runs a closure in its runtime.
    pub(crate) fn inside<T>(&self, run: impl FnOnce() -> T) -> T {
        let _entered = self.0.enter();
        run()
    }

    pub(crate) fn stop(self) {
        let entered = self.0.enter();
        // It may have given up.
        let _ = supervisor::stop(&self.1);
        drop(entered);
        assert_eq!(self.0.shutdown(STOP).zombies, 0);
    }
}

/// Small numbers, so that every life sees commits, checkpoints and trials.
fn store_on(disk: Disk, data: &Path) -> store::Config {
    store::Config {
        vfs: Some(disk.name()),
        batch_max: 4,
        checkpoint_pages: 4,
        checkpoint_pages_max: 8,
        checkpoint_idle: Duration::from_millis(2),
        retry_after: Duration::from_millis(1),
        busy_timeout: Duration::from_millis(100),
        ..store::Config::new(data)
    }
}

/// Time for all posters: each event has a moment of its own.
#[derive(Clone, Default)]
struct Ticks(Arc<AtomicU64>);

impl Ticks {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// Says a few things, each until it is acknowledged or was refused so many times.
fn say(
    chat: &Chat,
    account: &Account,
    (log, nth_before): (&mut Log, u32),
    ticks: &Ticks,
    attempts: usize,
) {
    let room = Name::new(ROOM).unwrap();
    for nth in nth_before + 1..=nth_before + POSTS {
        let id = Id {
            client: log.client,
            nth,
        };
        for attempt in 0..attempts {
            let body = Body::new(&format!("{id} {}", "x".repeat(nth as usize * 211 % 1_500)));
            let client_id = ClientId::new(&id.to_string()).unwrap();
            // Each attempt is a line of its own: nothing is said of their order.
            let line = nth * 1_000 + attempt as u32;
            log.note(ticks.next(), What::Send { id, line });
            let what = match chat.post(account, &room, body.unwrap(), Some(client_id)) {
                Ok(posted) => What::Ok {
                    id,
                    seq: posted.seq,
                },
                Err(PostError::Storage) => What::Info { id },
                Err(PostError::Busy(_)) => What::Fail { id },
                Err(PostError::NoSuchRoom) => panic!("the room is there"),
            };
            let is_done = matches!(what, What::Ok { .. });
            log.note(ticks.next(), what);
            if is_done {
                break;
            }
            process::sleep(Duration::from_millis(1));
        }
    }
}

/// What all of them say in one life, and what they are told. `tend` is called again and again meanwhile.
fn one_life(
    chat: &Chat,
    template: &Template,
    (logs, life): (&mut [Log], u32),
    ticks: &Ticks,
    attempts: usize,
    tend: impl Fn(),
) {
    let running = Running::start(chat);
    let left = AtomicU64::new(u64::from(POSTERS));
    thread::scope(|scope| {
        for (log, account) in logs.iter_mut().zip(&template.accounts) {
            let (running, left) = (&running, &left);
            scope.spawn(move || {
                let _entered = running.0.enter();
                say(chat, account, (log, life * POSTS), ticks, attempts);
                left.fetch_sub(1, Ordering::SeqCst);
            });
        }
        eventually("all have said what they had to say", || {
            tend();
            left.load(Ordering::SeqCst) == 0
        });
    });
    running.stop();
}

/// The room as it is in the end, on a disk that works.
#[track_caller]
fn stored(data: &Path) -> Vec<Post> {
    let chat = match Chat::open(&unlimited(data)) {
        Ok(chat) => chat,
        Err(error) => panic!("what is left cannot be opened: {error}"),
    };
    let running = Running::start(&chat);
    let entered = running.0.enter();
    let page = chat.history(&Name::new(ROOM).unwrap(), Page::After(0), 200);
    let messages = page.unwrap().unwrap();
    drop(entered);
    running.stop();
    let post = |message: Message| Post {
        seq: message.seq,
        id: Id::parse(message.client_id.as_deref().unwrap()).unwrap(),
    };
    messages.into_iter().map(post).collect()
}

fn new_logs() -> Vec<Log> {
    (0..POSTERS).map(Log::new).collect()
}

/// Two lives of a chat on a disk whose `n`-th call meets a fault. What fails is put right, and tried again.
fn live_with_fault(template: &Template, n: u64, fault: Fault) -> (bool, Outcomes) {
    let (scratch, disk) = (template.copy(), Disk::new());
    let config = unlimited(&scratch.data());
    let (ticks, mut logs) = (Ticks::default(), new_logs());
    disk.fail(n, fault, 0);
    for life in 0..LIVES {
        let open = || Chat::open_with(&config, store_on(disk, &scratch.data()));
        let chat = open().or_else(|error| {
            assert!(error.to_string().len() > 20, "it says why: {error}");
            disk.repair();
            open()
        });
        let chat = chat.unwrap_or_else(|error| panic!("fault {n} ({fault:?}): {error}"));
        let tend = || {
            if matches!(chat.health(), Health::Failing(_)) {
                disk.repair();
            }
        };
        one_life(&chat, template, (&mut logs, life), &ticks, 2_000, tend);
    }
    let was_met = disk.was_met();
    let history = History {
        room: format!("fault {n} ({fault:?})"),
        logs,
        stored: stored(&scratch.data()),
    };
    (was_met, assert_true(&history))
}

// Every call that changes the disk meets one of the faults, in turn; with all of them each takes four times as long,
// and the store's own tests do that.
#[test]
fn a_disk_may_fail_at_any_call_and_nothing_acknowledged_is_lost() {
    const FAULTS: [Fault; 4] = [Fault::Once, Fault::FromThenOn, Fault::Full, Fault::Short];
    let template = Template::make();
    let next = AtomicU64::new(1);
    let last_met = AtomicU64::new(0);
    let is_through = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_through.load(Ordering::SeqCst) {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    let (was_met, outcomes) = live_with_fault(&template, n, FAULTS[n as usize % 4]);
                    let all = (POSTERS * POSTS * LIVES) as usize;
                    assert_eq!(outcomes.stable, all, "in the end all are taken");
                    if was_met {
                        last_met.fetch_max(n, Ordering::SeqCst);
                    } else {
                        is_through.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let last_met = last_met.into_inner();
    assert!(last_met > 50, "there are many calls to fail: {last_met}");
}

#[test]
fn the_power_may_go_at_any_call_and_nothing_acknowledged_is_lost() {
    let template = Template::make();
    let next = AtomicU64::new(0);
    let acknowledged = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= CUTS {
                        return;
                    }
                    *acknowledged.lock().unwrap() += cut_the_power(&template, seed);
                }
            });
        }
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(
        acknowledged > CUTS as usize,
        "there was something to lose: {acknowledged}"
    );
}

/// One life until the power goes; how many posts were acknowledged.
fn cut_the_power(template: &Template, seed: u64) -> usize {
    let (scratch, disk) = (template.copy(), Disk::new());
    let config = unlimited(&scratch.data());
    let (ticks, mut logs) = (Ticks::default(), new_logs());
    disk.fail(1 + seed * 7 % 60, Fault::PowerCut, seed);
    let found = Scratch::new();
    fs::create_dir(found.data()).unwrap();
    let opened = Chat::open_with(&config, store_on(disk, &scratch.data()));
    if let Ok(chat) = &opened {
        one_life(chat, template, (&mut logs, 0), &ticks, 2, || ());
    }
    if !disk.restore(&found.data()) {
        return 0;
    }
    let history = History {
        room: format!("power cut {seed}"),
        logs,
        stored: stored(&found.data()),
    };
    assert_true(&history).stable
}
