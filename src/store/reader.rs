//! Process: as many for each database as its settings say, each on a thread of its own, because they wait for the
//! disk. Started by the store's supervisor, linked to it alone, monitor nobody. Die when they are told to stop,
//! and when a query panics. A disk that fails does not end them.

use crate::behaviour::gen_server::{Cx, GenServer, Init, Next};
use crate::process::ReplyTo;
use crate::reason::ExitReason;
use crate::store::database::Database;
use crate::store::error::Error;
use crate::store::operation::Query;
use crate::store::reader_core::ReaderCore;
use std::fmt;

/// What a reader is sent: something to read.
pub struct ReaderMsg(Box<dyn FnOnce(&mut ReaderCore) + Send>);

impl ReaderMsg {
    /// Reads, and answers.
    ///
    /// A query whose caller has given up by the time a reader comes to it is not run.
    pub fn read<Q: Query>(query: Q, reply: ReplyTo<Result<Q::Output, Error>>) -> Self {
        ReaderMsg(Box::new(move |reader| {
            if !reply.is_expired() {
                reply.send(reader.run(&query));
            }
        }))
    }

    /// Reads, and gives what it finds to a closure, which must not block: for whoever wants the answer as a
    /// message of its own.
    pub fn read_then<Q: Query>(
        query: Q,
        then: impl FnOnce(Result<Q::Output, Error>) + Send + 'static,
    ) -> Self {
        ReaderMsg(Box::new(move |reader| then(reader.run(&query))))
    }
}

/// A process that reads.
#[derive(Debug)]
pub(super) struct Reader(ReaderCore);

impl GenServer for Reader {
    type Args = Database;
    type Msg = ReaderMsg;

    fn init(database: Database, _cx: &mut Cx<Self>) -> Init<Self> {
        match ReaderCore::open(&database) {
            Ok(core) => Init::Ok(Reader(core)),
            Err(error) => Init::Stop(ExitReason::other(error)),
        }
    }

    fn handle(&mut self, ReaderMsg(read): ReaderMsg, _cx: &mut Cx<Self>) -> Next<ReaderMsg> {
        read(&mut self.0);
        Next::Loop
    }
}

impl fmt::Debug for ReaderMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReaderMsg")
    }
}
