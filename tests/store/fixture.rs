//! A store that runs: its processes in a runtime of their own, for one test.

use crate::ledger::{Answer, Append, Entries, Refused, SCHEMA, config};
use crate::scratch::Scratch;
use perennial::prelude::*;
use perennial::process::{self, CallError, Status};
use perennial::store::event::Committed;
use perennial::store::rusqlite::Connection;
use perennial::store::{
    Config, Database, Item, Operation, ReaderMsg, Store, WriteError, WriterMsg,
};
use perennial::{Pid, Runtime, supervisor};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) supervisor: Ref<supervisor::Msg>,
    pub(crate) runtime: Runtime,
}

pub(crate) fn start(config: Config, runtime: Runtime) -> Fixture {
    let _guard = runtime.enter();
    let store = Store::new("store", Database::open(config, &SCHEMA).unwrap());
    let supervisor = store.start().unwrap();
    Fixture {
        store,
        supervisor,
        runtime,
    }
}

impl Fixture {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        start(config(scratch), Runtime::new().unwrap())
    }

    pub(crate) fn write(&self, append: Append) -> Result<Answer, CallError> {
        let _guard = self.runtime.enter();
        self.store
            .writer()
            .call_for(PATIENCE, |reply| WriterMsg::write(append, reply))
    }

    pub(crate) fn read(&self, book: i64) -> Vec<(i64, String)> {
        let _guard = self.runtime.enter();
        self.store
            .reader()
            .call(|reply| ReaderMsg::read(Entries(book), reply))
            .unwrap()
            .unwrap()
    }

    pub(crate) fn writer(&self) -> Pid {
        let _guard = self.runtime.enter();
        self.store
            .writer()
            .whereis()
            .expect("the writer is up")
            .pid()
    }

    /// Waits until a writer other than this one is up.
    pub(crate) fn successor_of(&self, writer: Pid) -> Pid {
        let _guard = self.runtime.enter();
        let next = || self.store.writer().whereis().map(|writer| writer.pid());
        eventually(|| next().is_some_and(|next| next != writer));
        next().unwrap()
    }

    pub(crate) fn stop(self) {
        let guard = self.runtime.enter();
        supervisor::stop(&self.supervisor).unwrap();
        drop(guard);
        let report = self.runtime.shutdown(PATIENCE);
        assert_eq!(report.zombies, 0);
    }
}

#[track_caller]
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come to pass");
        std::thread::yield_now();
    }
}

/// Sends a write whose answer comes through a channel.
pub(crate) fn send(fixture: &Fixture, append: Append) -> Receiver<Answer> {
    let _guard = fixture.runtime.enter();
    let (tell, answer) = channel();
    let item = Item::new(append, move |result| drop(tell.send(result)));
    fixture.store.writer().cast(item.into());
    answer
}

/// Waits until all are told that they are on the disk; their numbers.
pub(crate) fn acknowledged(answers: impl IntoIterator<Item = Receiver<Answer>>) -> Vec<i64> {
    let number = |answer: Receiver<Answer>| answer.recv_timeout(PATIENCE).unwrap().unwrap();
    answers.into_iter().map(number).collect()
}

/// Keeps the writer busy until it is told to go on.
struct Busy(Mutex<Receiver<()>>, Sender<()>);

impl Operation for Busy {
    type Output = ();
    type Refused = Refused;

    fn apply(&self, _db: &Connection) -> Result<(), WriteError<Refused>> {
        self.1.send(()).unwrap();
        self.0.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        Ok(())
    }
}

/// Makes the writer busy; what lets it go on.
pub(crate) fn keep_busy(fixture: &Fixture) -> Sender<()> {
    let (go, busy) = send_busy(fixture);
    busy.recv_timeout(PATIENCE).unwrap();
    go
}

/// Sends what will make the writer busy; what lets it go on, and when it is.
pub(crate) fn send_busy(fixture: &Fixture) -> (Sender<()>, Receiver<()>) {
    let _guard = fixture.runtime.enter();
    let ((go, wait), (is_busy, busy)) = (channel(), channel());
    let item = Item::new(Busy(Mutex::new(wait), is_busy), |_| ());
    fixture.store.writer().cast(item.into());
    (go, busy)
}

pub(crate) fn sizes(config: &Config) -> Arc<Mutex<Vec<usize>>> {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let log = sizes.clone();
    config
        .telemetry
        .attach(move |committed: &Committed| log.lock().unwrap().push(committed.items));
    sizes
}

/// Waits until the writer has nothing to do.
pub(crate) fn rests(fixture: &Fixture) {
    let _guard = fixture.runtime.enter();
    let writer = fixture.writer();
    eventually(|| {
        let info = process::info(writer).expect("the writer lives");
        info.status == Status::Waiting && info.message_queue_len == 0
    });
}
