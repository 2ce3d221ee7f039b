//! A server that counts, and shows what it does in the manner that the test wants.

use crate::support::LONG;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind};
use perennial::sys::{Incoming, Shown, SysEvent};
use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

/// How a [`Clerk`] shows itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    #[default]
    Open,
    /// Hides all that there is to hide.
    Discreet,
    /// Its `format_status` panics.
    Clumsy,
    /// The `Debug` of its state panics.
    Unprintable,
    /// Its `terminate` panics.
    Untidy,
    Traps,
}

/// Counts, and shows what it does.
pub(crate) struct Clerk {
    pub(crate) count: u64,
    pub(crate) manner: Manner,
    pub(crate) secret: &'static str,
    pub(crate) ends: mpsc::Sender<ExitReason>,
}

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.manner != Manner::Unprintable, "a clerk was printed");
        write!(f, "Clerk {} {}", self.count, self.secret)
    }
}

#[derive(Debug)]
pub(crate) enum Msg {
    Add(u64),
    Get(ReplyTo<u64>),
    Keep(ReplyTo<u64>),
    Secret(&'static str),
    Later(Duration),
    Go,
    Stop(ExitReason),
    Crash(ReplyTo<u64>),
    Fill(Vec<u8>),
}

impl GenServer for Clerk {
    type Args = (Manner, mpsc::Sender<ExitReason>);
    type Msg = Msg;

    fn init((manner, ends): Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
        cx.trap_exit(manner == Manner::Traps);
        Init::Ok(Clerk {
            count: 0,
            manner,
            secret: "hunter2",
            ends,
        })
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Add(n) => self.count += n,
            Msg::Get(reply) => reply.send(self.count),
            Msg::Keep(reply) => drop(cx.send_after(Duration::ZERO, Msg::Get(reply))),
            Msg::Secret(secret) => self.secret = secret,
            Msg::Later(delay) => return Next::Timeout(delay),
            Msg::Go => return Next::Continue(Msg::Add(100)),
            Msg::Stop(reason) => return Next::Stop(reason),
            Msg::Crash(_reply) => panic!("out of paper"),
            Msg::Fill(bytes) => self.count += bytes.len() as u64,
        }
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<Msg> {
        self.count += match info {
            Info::Timeout => 1_000,
            Info::Down(_) => 10_000,
            Info::Exit(_) => 100_000,
        };
        Next::Loop
    }

    fn terminate(&mut self, reason: &ExitReason, _: &mut Cx<Self>) {
        // A test that has ended reads no more.
        let _ = self.ends.send(reason.clone());
        assert!(self.manner != Manner::Untidy, "dropped the files");
    }

    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        Some(self)
    }

    fn inspect_message(msg: &Msg) -> Option<&dyn fmt::Debug> {
        Some(msg)
    }

    fn format_status(&self, shown: &mut Shown) {
        assert!(self.manner != Manner::Clumsy, "smudged");
        if self.manner == Manner::Discreet {
            let parts = [&mut shown.state, &mut shown.message, &mut shown.reason];
            for text in parts.into_iter().flatten().chain(&mut shown.log) {
                *text = "hidden".to_owned();
            }
        }
    }
}

pub(crate) type Ends = mpsc::Receiver<ExitReason>;

pub(crate) fn spec(kind: Kind, manner: Manner) -> (gen_server::Spec<Clerk>, Ends) {
    let (ends, ended) = mpsc::channel();
    let spec = gen_server::spec::<Clerk>((manner, ends));
    let spec = match kind {
        Kind::Pooled => spec.pooled(),
        Kind::Thread => spec.thread(),
    };
    (spec, ended)
}

pub(crate) fn clerk_of(kind: Kind, manner: Manner) -> (Ref<Msg>, Ends) {
    let (spec, ended) = spec(kind, manner);
    (spec.start().expect("the clerk starts"), ended)
}

pub(crate) fn clerk(kind: Kind) -> Ref<Msg> {
    clerk_of(kind, Manner::Open).0
}

pub(crate) fn get(clerk: &Ref<Msg>) -> Result<u64, CallError> {
    clerk.call_for(LONG, Msg::Get)
}

pub(crate) fn stop(clerk: &Ref<Msg>) {
    gen_server::stop(clerk).expect("the clerk stops");
}

pub(crate) fn queue(clerk: &Ref<Msg>) -> usize {
    process::info(clerk).map_or(0, |info| info.message_queue_len)
}

/// The last message as a clerk shows it.
pub(crate) fn message(text: &str) -> SysEvent {
    SysEvent::In(Incoming::Message(Some(text.into())))
}

pub(crate) fn boom() -> ExitReason {
    ExitReason::other("boom")
}
