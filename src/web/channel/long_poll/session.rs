//! What a client of long poll is between its requests.
//!
//! Process: one per client without a WebSocket, pooled. Started by its first request, linked to its connection, whose
//! transport it is, monitors nobody. Dies when it is not asked for a while, when the connection closes it or dies.

use super::body::{self, Line, status};
use super::{Entry, LongPoll};
use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::process::{CallError, Dest, Ref};
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::web::channel::connection::Connection;
use crate::web::channel::link::ToConnection;
use crate::web::channel::message::{Frame, FrameKind};
use crate::web::channel::transport::Transport;
use crate::web::channel::user_socket::UserSocket;
use crate::web::channel::vsn::Vsn;
use crate::web::http::Response;
use crate::web::net::Responder;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// What a session is sent.
#[derive(Debug)]
pub(super) enum ToSession {
    /// From the client: what is there to hear?
    Poll(Asked),
    /// From the client: messages, and where to say that they were handled.
    Publish(Vec<u8>, Asked),
    /// From the connection.
    Frame(Frame),
    Close,
    /// From itself: all frames that came together are here.
    Flush,
    /// From its timers, with the turn they belong to.
    WindowOver(u64),
    Inactive(u64),
}

/// A request that waits for its answer. Whatever becomes of the session, the client hears: that it is gone, if
/// nothing else was said.
#[derive(Debug)]
pub(super) struct Asked(Option<Responder>);

impl Asked {
    pub(super) fn new(responder: Responder) -> Self {
        Asked(Some(responder))
    }

    fn send(mut self, response: Response) {
        if let Some(responder) = self.0.take() {
            responder.send(response);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_none_or(Responder::is_cancelled)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(responder) = self.0.take() {
            responder.send(body::answer(status::GONE));
        }
    }
}

/// What a session is started with.
pub(super) struct Start<A: Send + Sync + 'static> {
    pub(super) socket: UserSocket<A>,
    pub(super) vsn: Vsn,
    pub(super) assigns: A,
    pub(super) token: Arc<str>,
}

pub(super) struct Session<A> {
    config: LongPoll,
    token: Arc<str>,
    connection: Connection,
    /// What the client has not asked for yet.
    frames: VecDeque<Frame>,
    /// Bytes of what was sent to the client and not fetched by it.
    waiting: Arc<AtomicUsize>,
    poll: Option<Asked>,
    /// Counts polls and their answers, so that a timer knows whether it is late.
    turn: u64,
    flush_due: bool,
    _entry: Entry,
    assigns: PhantomData<fn() -> A>,
}

impl<A: Send + Sync + 'static> GenServer for Session<A> {
    type Args = Start<A>;
    type Msg = ToSession;
    /// So that the last poll is answered.
    const TRAP_EXIT: bool = true;

    fn init(start: Start<A>, cx: &mut Cx<Self>) -> Init<Self> {
        let config = start.socket.long_poll;
        let waiting = Arc::new(AtomicUsize::new(0));
        let wire = Wire {
            session: cx.me().clone(),
            waiting: waiting.clone(),
            bytes_max: config.bytes_max,
        };
        let connection = match start.socket.connect_with(start.vsn, start.assigns, wire) {
            Ok(connection) => connection,
            Err(error) => return Init::Stop(ExitReason::other(error.to_string())),
        };
        // It traps exits: one that is dead already is heard of.
        let _ = cx.link(connection.pid());
        let entry = start.socket.sessions.enter(&start.token, cx.me().clone());
        let mut session = Session {
            config,
            token: start.token,
            connection,
            frames: VecDeque::new(),
            waiting,
            poll: None,
            turn: 0,
            flush_due: false,
            _entry: entry,
            assigns: PhantomData,
        };
        session.rest(cx);
        Init::Ok(session)
    }

    fn handle(&mut self, msg: ToSession, cx: &mut Cx<Self>) -> Next<ToSession> {
        match msg {
            ToSession::Poll(responder) => self.poll(responder, cx),
            ToSession::Publish(body, responder) => self.publish(&body, responder, cx),
            ToSession::Frame(frame) => {
                self.frames.push_back(frame);
                // Behind all that was written together with it.
                if self.poll.is_some() && !std::mem::replace(&mut self.flush_due, true) {
                    cx.me().cast(ToSession::Flush);
                }
            }
            ToSession::Flush => {
                self.flush_due = false;
                self.flush(cx);
            }
            ToSession::Close => return Next::Stop(ExitReason::Normal),
            ToSession::WindowOver(turn) if turn == self.turn => {
                if let Some(poll) = self.poll.take() {
                    poll.send(body::messages(
                        status::NOTHING,
                        &self.token,
                        std::iter::empty(),
                    ));
                }
                self.rest(cx);
            }
            ToSession::Inactive(turn) if turn == self.turn => {
                return Next::Stop(ExitReason::shutdown_with("inactive"));
            }
            ToSession::WindowOver(_) | ToSession::Inactive(_) => {}
        }
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, _: &mut Cx<Self>) -> Next<ToSession> {
        match info {
            Info::Exit(exit) => Next::Stop(exit.reason),
            _ => Next::Loop,
        }
    }

    fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
        if let Some(poll) = self.poll.take() {
            let status = if self.frames.is_empty() {
                status::GONE
            } else {
                status::OK
            };
            poll.send(body::messages(status, &self.token, self.frames.iter()));
        }
    }
}

impl<A: Send + Sync + 'static> Session<A> {
    /// A client asks. One that asks twice at once has lost track of the first.
    fn poll(&mut self, responder: Asked, cx: &Cx<Self>) {
        if let Some(older) = self.poll.replace(responder) {
            older.send(body::messages(
                status::NOTHING,
                &self.token,
                std::iter::empty(),
            ));
        }
        self.turn += 1;
        cx.send_after(self.config.window, ToSession::WindowOver(self.turn));
        self.flush(cx);
    }

    /// Gives the client what waits for it, if it asks and there is something.
    fn flush(&mut self, cx: &Cx<Self>) {
        if self.frames.is_empty() {
            return;
        }
        let Some(poll) = self.poll.take() else {
            return;
        };
        // A client that has gone asks again, and then gets it.
        if !poll.is_cancelled() {
            poll.send(body::messages(status::OK, &self.token, self.frames.iter()));
            let bytes = self.frames.iter().map(cost).sum();
            self.frames.clear();
            let before = self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            let half = self.config.bytes_max / 2;
            if before > half && before - bytes <= half {
                self.connection.drained();
            }
        }
        self.rest(cx);
    }

    /// Nobody asks: how long that may be.
    fn rest(&mut self, cx: &Cx<Self>) {
        self.turn += 1;
        let patience = self.config.window + self.config.window / 2;
        cx.send_after(patience, ToSession::Inactive(self.turn));
    }

    /// Messages of the client. It is answered once its connection has taken them, so that it cannot send faster.
    fn publish(&mut self, body: &[u8], responder: Asked, cx: &mut Cx<Self>) {
        for line in body::lines(body) {
            match line {
                Line::Text(text) => self.connection.text(text),
                Line::Binary(bytes) => self.connection.binary(bytes),
                Line::Broken => self.connection.binary(Vec::new()),
            }
        }
        let connection = self.connection.process().clone();
        cx.request_for(
            self.config.window,
            connection,
            ToConnection::Sync,
            move |_, taken, _| {
                responder.send(body::answer(match taken {
                    Ok(()) => status::OK,
                    Err(CallError::Timeout) => status::LATE,
                    Err(_) => status::GONE,
                }));
                Next::Loop
            },
        );
    }
}

/// What a frame counts as while it waits: its bytes, and what it costs to keep them.
fn cost(frame: &Frame) -> usize {
    frame.bytes().len() + 64
}

/// The transport of a connection that has no socket.
struct Wire {
    session: Ref<ToSession>,
    waiting: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl Transport for Wire {
    fn send(&mut self, frame: &Frame) {
        if frame.kind() == FrameKind::Binary {
            log::warn!(target: "perennial::channel", "a client of long poll cannot be sent bytes");
            return;
        }
        let before = self.waiting.fetch_add(cost(frame), Ordering::Relaxed);
        let is_full = before > 0 && before + cost(frame) > self.bytes_max;
        self.session.cast(if is_full {
            ToSession::Close
        } else {
            ToSession::Frame(frame.clone())
        });
    }

    fn is_lagging(&mut self) -> bool {
        self.waiting.load(Ordering::Relaxed) > self.bytes_max / 2
    }

    fn close(&mut self, _: u16, _: &str) {
        // A session that has gone before needs not be told; what it misses is no letter that got lost.
        let _ = self.session.try_cast(ToSession::Close);
    }
}
