//! Process: one for each database, on a thread of its own, because it waits for the disk. Started by the
//! store's supervisor, linked to it alone, monitors nobody. Dies when it is told to stop, after it has committed
//! what it gathered; when an operation panics; and at its start, if the database is damaged. A disk that fails does
//! not end it: it tries again until the disk is back.

use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::pid::TimerRef;
use crate::process::{self, Dest, ReplyTo};
use crate::reason::ExitReason;
use crate::store::database::Database;
use crate::store::item::Item;
use crate::store::operation::{Operation, WriteError};
use crate::store::writer_core::WriterCore;
use std::fmt;
use std::time::{Duration, Instant};

/// What a writer is sent: something to write.
pub struct WriterMsg(Request);

enum Request {
    Write(Item),
    /// Sent by the writer to itself: all that waited when a round began to gather has come in.
    Commit(Round),
}

/// Counts batches, so that the signal to commit one that is committed already does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Round(u64);

impl WriterMsg {
    /// Writes, and answers when it is on the disk or cannot be.
    ///
    /// ```
    /// # use perennial::prelude::*;
    /// # use perennial::store::{Operation, WriteError, WriterMsg};
    /// # use perennial::process::CallError;
    /// fn write<O>(writer: &Name<WriterMsg>, note: O) -> Result<Result<O::Output, WriteError<O::Refused>>, CallError>
    /// where
    ///     O: Operation,
    /// {
    ///     writer.call(|reply| WriterMsg::write(note, reply))
    /// }
    /// ```
    pub fn write<O: Operation>(
        operation: O,
        reply: ReplyTo<Result<O::Output, WriteError<O::Refused>>>,
    ) -> Self {
        Item::new(operation, move |answer| reply.send(answer)).into()
    }
}

/// For whoever wants the answer as a message of its own: the item's closure sends it.
impl From<Item> for WriterMsg {
    fn from(item: Item) -> Self {
        WriterMsg(Request::Write(item))
    }
}

/// The process that writes.
#[derive(Debug)]
pub(super) struct Writer {
    core: WriterCore,
    gathered: Vec<Item>,
    /// When the first of them came.
    began: Instant,
    round: Round,
    signal: Signal,
}

/// Whether a signal to commit this round is on its way.
#[derive(Debug)]
enum Signal {
    None,
    /// It waits behind what was in the mailbox.
    Queued,
    /// It comes when the round has waited long enough for company.
    Later(TimerRef),
}

impl GenServer for Writer {
    type Args = Database;
    type Msg = WriterMsg;

    /// So that an orderly stop commits what was gathered and leaves a log that need not be read.
    const TRAP_EXIT: bool = true;

    fn init(database: Database, cx: &mut Cx<Self>) -> Init<Self> {
        let me = cx.me().clone();
        database.health_cell().set_writer(move || me.is_alive());
        match WriterCore::open(&database) {
            Ok(core) => {
                let now = core.now();
                let due_at = core.due_at();
                let writer = Writer {
                    core,
                    gathered: Vec::new(),
                    began: now,
                    round: Round(0),
                    signal: Signal::None,
                };
                // The disk may have failed from the start, and a log may have been left behind.
                match due_at {
                    None => Init::Ok(writer),
                    Some(at) => Init::Timeout(writer, at.saturating_duration_since(now)),
                }
            }
            Err(error) => Init::Stop(ExitReason::other(error)),
        }
    }

    fn handle(&mut self, WriterMsg(request): WriterMsg, cx: &mut Cx<Self>) -> Next<WriterMsg> {
        match request {
            Request::Write(item) => self.gather(item, cx),
            Request::Commit(round) if round == self.round => self.commit_or_wait(cx),
            Request::Commit(_) => Next::Loop,
        }
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<WriterMsg> {
        match info {
            Info::Exit(exit) if !exit.reason.is_clean() => Next::Stop(exit.reason),
            Info::Timeout | Info::Exit(_) | Info::Down(_) => self.maintain(cx),
        }
    }

    fn terminate(&mut self, reason: &ExitReason, _cx: &mut Cx<Self>) {
        // After a panic the rest of the batch is not answered: its callers learn that the writer ended.
        if !reason.is_clean() {
            return;
        }
        self.commit();
        if let Err(error) = self.core.leave() {
            log::warn!(target: "perennial::store", "the store was not stopped in order: {error}");
        }
    }
}

impl Writer {
    fn gather(&mut self, item: Item, cx: &mut Cx<Self>) -> Next<WriterMsg> {
        if self.gathered.is_empty() {
            self.began = self.core.now();
        }
        self.gathered.push(item);
        match self.signal {
            _ if self.gathered.len() >= self.core.batch_max() => return self.commit_now(cx),
            // A full mailbox refuses the signal; then it holds enough to fill the batch.
            Signal::None if self.announce(cx) => self.signal = Signal::Queued,
            Signal::Later(_) if self.patience().is_none() => return self.commit_now(cx),
            _ => {}
        }
        Next::Loop
    }

    fn announce(&self, cx: &Cx<Self>) -> bool {
        cx.me()
            .try_cast(WriterMsg(Request::Commit(self.round)))
            .is_ok()
    }

    fn commit_or_wait(&mut self, cx: &mut Cx<Self>) -> Next<WriterMsg> {
        let Some(patience) = self.patience() else {
            return self.commit_now(cx);
        };
        let timer = cx.send_after(patience, WriterMsg(Request::Commit(self.round)));
        self.signal = Signal::Later(timer);
        Next::Loop
    }

    fn patience(&self) -> Option<Duration> {
        self.core.patience(self.gathered.len(), self.began)
    }

    fn commit_now(&mut self, cx: &Cx<Self>) -> Next<WriterMsg> {
        if let Signal::Later(timer) = self.signal {
            process::cancel_timer(timer);
        }
        self.commit();
        self.maintain(cx)
    }

    fn commit(&mut self) {
        self.round = Round(self.round.0 + 1);
        self.signal = Signal::None;
        self.core
            .drain_and_commit(std::mem::take(&mut self.gathered));
    }

    /// What is due between batches, and then whatever comes next.
    fn maintain(&mut self, cx: &Cx<Self>) -> Next<WriterMsg> {
        let waiting = process::info(cx.pid()).map_or(0, |info| info.message_queue_len);
        match self.core.maintain_after(waiting > 0) {
            None => Next::Loop,
            Some(at) => Next::Timeout(at.saturating_duration_since(self.core.now())),
        }
    }
}

impl fmt::Debug for WriterMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Request::Write(_) => "WriterMsg::Write",
            Request::Commit(_) => "WriterMsg::Commit",
        })
    }
}
