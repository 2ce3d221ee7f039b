//! What goes wrong on purpose: a writer that is busy, a disk that does not take anything.

use crate::server::{PATIENCE, Server};
use perennial::chat::name::Name;
use perennial::prelude::Dest;
use perennial::process;
use perennial::store::rusqlite::Connection;
use perennial::store::{Item, Operation, WriteError, WriterMsg};
use perennial::{ExitReason, Pid};
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// Where the writer of a chat is found.
pub(crate) static WRITER: process::Name<WriterMsg> = process::Name::new("chat.store.writer");

/// Looks until `holds` says so; fails the test if it does not in time.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

/// Keeps the writer busy until it is told to go on.
struct Busy(Mutex<Receiver<()>>, Sender<()>);

impl Operation for Busy {
    type Output = ();
    type Refused = Infallible;

    fn apply(&self, _db: &Connection) -> Result<(), WriteError<Infallible>> {
        let _ = self.1.send(());
        let _ = self.0.lock().unwrap().recv_timeout(PATIENCE);
        Ok(())
    }
}

/// The writer does nothing until this is dropped.
#[must_use = "the writer is busy until this is dropped"]
pub(crate) struct Held(Sender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Makes the writer busy, and returns when it is.
#[track_caller]
pub(crate) fn hold_writer(server: &Server) -> Held {
    let ((go, wait), (is_busy, busy)) = (channel(), channel());
    let item = Item::new(Busy(Mutex::new(wait), is_busy), |_| ());
    server.inside(|| WRITER.cast(item.into()));
    busy.recv_timeout(PATIENCE).unwrap();
    Held(go)
}

/// A connection of another program that holds the write lock: nothing can be committed until this is dropped.
#[must_use = "the store is locked until this is dropped"]
pub(crate) struct Locked(Connection);

pub(crate) fn lock_store(server: &Server) -> Locked {
    let path = server.data().join("perennial.db");
    let other = Connection::open(path).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    Locked(other)
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// The process of a room, if it runs.
pub(crate) fn room(server: &Server, name: &str) -> Option<Pid> {
    let room = Name::new(name).unwrap();
    server.inside(|| {
        server
            .program()
            .chat()
            .open_room(&room)
            .ok()
            .map(|room| room.pid())
    })
}

/// The processes with this label.
pub(crate) fn labelled(server: &Server, label: &str) -> Vec<Pid> {
    server.inside(|| {
        let is_it = |pid: &Pid| {
            let info = process::info(*pid);
            info.and_then(|info| info.label)
                .is_some_and(|of| &*of == label)
        };
        process::processes().into_iter().filter(is_it).collect()
    })
}

pub(crate) fn kill(server: &Server, pid: Pid) {
    server.inside(|| process::exit(pid, ExitReason::Kill));
}

pub(crate) fn is_alive(server: &Server, pid: Pid) -> bool {
    server.inside(|| process::is_alive(pid))
}
