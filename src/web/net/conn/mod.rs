//! One connection in its reactor: a socket, what waits to be written to it, and the protocol it speaks.

mod http;
mod socket;

use super::Config;
use super::gate::Permit;
use super::http_side::{self, HttpSide};
use super::line::{Close, Line};
use super::service::{GuardedSink, Service};
use super::socket_side::{self, SocketSide};
use super::write_queue::{Chunk, WriteQueue};
use crate::sync::Arc;
use crate::telemetry::Telemetry;
use crate::web::http::{Framing, Response, Status};
use crate::web::websocket::CloseCode;
use std::fmt;
use std::io::{self, Read};
use std::net::Shutdown;
use std::time::Instant;

/// What a connection may use of its reactor while it runs.
pub(super) struct Scope<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a Config,
    pub(super) service: &'a Arc<dyn Service>,
    pub(super) telemetry: &'a Telemetry,
    /// The value of the Date field.
    pub(super) date: &'a str,
    /// Equals `Some` once the reactor is shutting down.
    pub(super) drain_until: Option<Instant>,
}

/// A connection.
pub(super) struct Conn {
    stream: mio::net::TcpStream,
    line: Arc<Line>,
    /// `None` if it was refused and only lingers.
    permit: Option<Permit>,
    side: Side,
    queue: WriteQueue,
    /// When the peer last took a byte, or the queue began to wait.
    progress_at: Instant,
    /// What to do when everything is written.
    after: After,
    linger_until: Option<Instant>,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer will send no more; seen in an event before it is read.
    pub(super) half_closed: bool,
    /// The connection is broken in both directions; seen in an event before it is read.
    pub(super) is_broken: bool,
    /// Equals `true` while it stands in the reactor's ready list.
    pub(super) is_listed: bool,
    /// Its earliest entry in the reactor's deadlines.
    pub(super) entry: Option<Instant>,
}

#[derive(Debug)]
enum Side {
    Http(HttpSide),
    /// Bytes that came and may not be looked at yet are the third part.
    Socket(SocketSide, GuardedSink, Vec<u8>),
    /// Everything was said: what still comes is thrown away.
    Deaf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Stay,
    /// Say that we are done and read to the end, so that the last words are not lost to a reset.
    Linger,
    Drop,
}

/// Whether a connection is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Until something happens.
    Wait,
    /// It has more to do and its turn is over.
    Again,
    Drop,
}

/// Bytes that one connection may read or write in one turn, so that a fast one does not make the others wait.
const TURN_BYTES_MAX: usize = 128 * 1024;

/// Pipelined requests that one connection may have answered in one turn.
const TURN_REQUESTS_MAX: usize = 16;

impl Conn {
    pub(super) fn new(
        stream: mio::net::TcpStream,
        line: Arc<Line>,
        permit: Permit,
        config: &Config,
        now: Instant,
    ) -> Self {
        let side = Side::Http(HttpSide::new(config, now));
        Conn::with_side(stream, line, Some(permit), side, now)
    }

    /// A connection that is told no and then only read to its end.
    pub(super) fn refused(stream: mio::net::TcpStream, line: Arc<Line>, scope: &Scope<'_>) -> Self {
        let mut conn = Conn::with_side(stream, line, None, Side::Deaf, scope.now);
        conn.say(http::busy(), Framing::CLOSE, scope);
        conn
    }

    fn with_side(
        stream: mio::net::TcpStream,
        line: Arc<Line>,
        permit: Option<Permit>,
        side: Side,
        now: Instant,
    ) -> Self {
        Conn {
            stream,
            line,
            permit,
            side,
            queue: WriteQueue::default(),
            progress_at: now,
            after: After::Stay,
            linger_until: None,
            readable: false,
            // A fresh socket has room; if that is wrong the first write finds out.
            writable: true,
            half_closed: false,
            is_broken: false,
            is_listed: false,
            entry: None,
        }
    }

    pub(super) fn stream_mut(&mut self) -> &mut mio::net::TcpStream {
        &mut self.stream
    }

    /// Equals `true` if it counts as a connection: it was let in.
    pub(super) fn is_admitted(&self) -> bool {
        self.permit.is_some()
    }

    /// Does whatever can be done now: reads, decides, writes, within the budget of a turn.
    pub(super) fn run(&mut self, buf: &mut [u8], scope: &Scope<'_>) -> Fate {
        let mut left = TURN_BYTES_MAX;
        let mut requests = TURN_REQUESTS_MAX;
        loop {
            self.digest(&[], &mut requests, scope);
            while self.readable && left > 0 && self.wants_input() {
                match self.stream.read(buf) {
                    Ok(0) => return self.lost(),
                    Ok(len) => {
                        left = left.saturating_sub(len);
                        // Edge-triggered: a short read has emptied the socket, and more will be an event. Not so the
                        // end of input, which may have come with the event that is being worked on.
                        self.readable = len == buf.len() || self.half_closed;
                        self.digest(&buf[..len], &mut requests, scope);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.readable = false;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return self.lost(),
                }
            }
            if self.is_broken && !self.wants_input() {
                return self.lost();
            }
            if self.flush(scope) == Fate::Drop {
                return Fate::Drop;
            }
            // The answer is out, and a pipelined request may wait behind it.
            let may_continue = self.queue.is_empty() && requests > 0 && self.has_request();
            if !may_continue {
                break;
            }
        }
        let has_input = self.readable && self.wants_input();
        let has_output = self.writable && !self.queue.is_empty();
        if has_input || has_output || (self.queue.is_empty() && self.has_request()) {
            Fate::Again
        } else {
            Fate::Wait
        }
    }

    fn wants_input(&self) -> bool {
        match &self.side {
            Side::Http(http) => {
                self.after == After::Stay && http.wants_input(self.queue.is_empty())
            }
            Side::Socket(_, _, rest) => rest.is_empty() && !self.line.is_paused(),
            Side::Deaf => self.linger_until.is_some(),
        }
    }

    /// Looks at bytes that came, and at those that had to wait.
    fn digest(&mut self, bytes: &[u8], requests: &mut usize, scope: &Scope<'_>) {
        match &mut self.side {
            Side::Http(http) => {
                if !bytes.is_empty() {
                    http.feed(bytes, scope.now);
                }
                self.serve(requests, scope);
            }
            Side::Socket(socket, _, rest) => {
                if !bytes.is_empty() {
                    socket.heard(scope.now);
                }
                debug_assert!(bytes.is_empty() || rest.is_empty(), "read while paused");
                if rest.is_empty() {
                    self.converse(bytes, scope);
                } else if !self.line.is_paused() {
                    let rest = std::mem::take(rest);
                    self.converse(&rest, scope);
                }
            }
            Side::Deaf => {}
        }
    }

    fn push(&mut self, chunk: Chunk, now: Instant) {
        if self.queue.is_empty() {
            self.progress_at = now;
        }
        self.queue.push(chunk);
    }

    /// Takes what was sent by others, and writes.
    fn flush(&mut self, scope: &Scope<'_>) -> Fate {
        if matches!(self.side, Side::Socket(..)) {
            let collected = self.line.collect();
            for frame in collected.frames {
                self.push(Chunk::Frame(frame), scope.now);
            }
            if let Some(Close {
                code,
                reason,
                is_orderly,
            }) = collected.close
            {
                if !is_orderly {
                    self.queue.drop_frames();
                }
                self.close(code, &reason, scope);
            }
        }
        if !self.queue.is_empty() && self.writable {
            let Ok(written) = self.queue.write(&mut self.stream, TURN_BYTES_MAX) else {
                return self.lost();
            };
            if written.bytes > 0 {
                self.progress_at = scope.now;
            }
            self.writable = !written.is_blocked;
            self.account(written.frames, written.frame_bytes, scope);
        }
        if self.queue.is_empty() {
            return self.all_written(scope);
        }
        Fate::Wait
    }

    fn account(&mut self, frames: usize, bytes: usize, scope: &Scope<'_>) {
        if frames > 0
            && self.line.written(frames, bytes)
            && let Side::Socket(_, sink, _) = &mut self.side
            && sink.drained().is_err()
        {
            self.report_panic(scope);
            self.close(CloseCode::ERROR, "", scope);
        }
    }

    fn all_written(&mut self, scope: &Scope<'_>) -> Fate {
        match self.after {
            After::Stay => {
                if let Side::Http(http) = &mut self.side {
                    http.written(scope.now);
                    if scope.drain_until.is_some() && http.is_idle() {
                        return Fate::Drop;
                    }
                }
                Fate::Wait
            }
            After::Drop => Fate::Drop,
            After::Linger if self.linger_until.is_some() => Fate::Wait,
            After::Linger => {
                self.side = Side::Deaf;
                self.linger_until = Some(scope.now + scope.config.linger);
                // If the peer has gone already there is nothing to say to it.
                match self.stream.shutdown(Shutdown::Write) {
                    Ok(()) => Fate::Wait,
                    Err(_) => Fate::Drop,
                }
            }
        }
    }

    /// The connection is of no more use. The end of input is that too: while an answer is due nothing is read, so
    /// a client that has shut its sending half still gets it, and its end is only seen afterwards.
    fn lost(&mut self) -> Fate {
        self.line.shut();
        if let Side::Socket(socket, sink, _) = &mut self.side {
            // A panic in it has no further consequence: the connection goes in any case.
            let _ = sink.closed(socket.lost());
        }
        Fate::Drop
    }

    /// The reactor is shutting down: whoever waits for nothing goes.
    pub(super) fn drain(&mut self) -> Fate {
        match &mut self.side {
            Side::Http(http) if http.is_idle() && self.queue.is_empty() => Fate::Drop,
            _ => Fate::Wait,
        }
    }

    pub(super) fn is_socket(&self) -> bool {
        matches!(self.side, Side::Socket(..))
    }

    /// When to look at it again although nothing happened.
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        let stalled = (!self.queue.is_empty()).then(|| self.progress_at + config.write_timeout);
        let side = match &self.side {
            // While an answer is on its way out only its progress counts.
            Side::Http(_) if stalled.is_some() => None,
            Side::Http(http) => http.deadline(config),
            Side::Socket(socket, _, _) => Some(socket.deadline(config)),
            Side::Deaf => self.linger_until,
        };
        [stalled, side].into_iter().flatten().min()
    }

    /// A deadline may have passed.
    pub(super) fn check_deadline(&mut self, scope: &Scope<'_>) -> Fate {
        if self.deadline(scope.config).is_none_or(|at| scope.now < at) {
            return Fate::Wait;
        }
        let is_stalled =
            !self.queue.is_empty() && scope.now >= self.progress_at + scope.config.write_timeout;
        if is_stalled {
            return self.lost();
        }
        match &mut self.side {
            Side::Deaf => Fate::Drop,
            Side::Http(http) => match http.overdue() {
                http_side::Overdue::Idle => Fate::Drop,
                http_side::Overdue::Request => {
                    let message = "the request did not arrive in time";
                    let status = Status::REQUEST_TIMEOUT;
                    let response = Response::error(status, "request_timeout", message);
                    self.give_up(response, Framing::CLOSE, scope)
                }
                http_side::Overdue::Answer => {
                    let framing = http.answer(scope.now);
                    self.give_up(http::busy(), framing.unwrap_or(Framing::CLOSE), scope)
                }
            },
            Side::Socket(socket, _, _) => match socket.overdue(scope.config, scope.now) {
                socket_side::Overdue::Ping(frame) => {
                    self.push(Chunk::Control(frame), scope.now);
                    Fate::Again
                }
                socket_side::Overdue::Silent => {
                    self.close(CloseCode::AWAY, "silent for too long", scope);
                    Fate::Again
                }
                socket_side::Overdue::Unanswered(closed) => {
                    self.hang_up(closed, After::Drop, scope);
                    Fate::Drop
                }
            },
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.line.shut();
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conn({:?}, {:?})", self.line, self.side)
    }
}
