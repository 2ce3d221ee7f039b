//! One connection in its reactor: a socket, what waits to be written to it, and the protocol it speaks.

use super::gate::Permit;
use super::handle::{Incoming, Responder};
use super::http_side::{self, HttpSide};
use super::line::{Close, Line};
use super::service::{Closed, GuardedSink, Service, guarded};
use super::socket_side::{self, SocketSide, Step};
use super::write_queue::{Chunk, WriteQueue};
use super::{CallbackPanicked, Config};
use crate::sync::Arc;
use crate::telemetry::Telemetry;
use crate::web::http::{Body, Encoded, Event, Framing, Request, RequestError, Response, Status};
use crate::web::websocket::{CloseCode, Handshake, Message};
use std::fmt;
use std::io::{self, Read};
use std::net::Shutdown;
use std::time::{Duration, Instant};

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
        conn.say(busy(), Framing::CLOSE, scope);
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

    /// Equals `true` if bytes of another request are here and may be looked at.
    fn has_request(&self) -> bool {
        match &self.side {
            Side::Http(http) => {
                self.after == After::Stay && http.wants_input(true) && http.has_unread()
            }
            Side::Socket(..) | Side::Deaf => false,
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

    /// Takes requests off the decoder as far as they may be served now.
    fn serve(&mut self, requests: &mut usize, scope: &Scope<'_>) {
        let is_last = |http: &HttpSide| {
            http.number() + 1 >= scope.config.requests_max || scope.drain_until.is_some()
        };
        while let Side::Http(http) = &mut self.side {
            if self.after != After::Stay || !http.wants_input(self.queue.is_empty()) {
                return;
            }
            let is_last = is_last(http);
            match http.next(scope.now, is_last) {
                Ok(None) => return,
                Ok(Some(Event::Continue)) => {
                    let head = b"HTTP/1.1 100 Continue\r\n\r\n";
                    self.push(Chunk::Body(Body::Static(head)), scope.now);
                }
                Ok(Some(Event::Request(request))) => {
                    *requests = requests.saturating_sub(1);
                    let number = http.number();
                    self.call(request, number, scope);
                }
                Err(error) => self.refuse(error, scope),
            }
        }
    }

    fn call(&mut self, request: Request, number: u32, scope: &Scope<'_>) {
        let responder = Responder::new(Arc::clone(&self.line), number);
        if guarded(|| scope.service.call(request, responder)).is_err() {
            self.report_panic(scope);
        }
    }

    fn refuse(&mut self, error: RequestError, scope: &Scope<'_>) {
        self.say(Response::refusal(error), Framing::CLOSE, scope);
    }

    /// Queues a response; if it is the last one, nothing is served after it.
    fn say(&mut self, response: Response, framing: Framing, scope: &Scope<'_>) {
        let with_defaults =
            |response: Response, (name, value): &(_, _)| response.default_header(*name, value);
        let response = scope
            .config
            .response_headers
            .iter()
            .fold(response, with_defaults);
        let Encoded { head, body, close } = response.encode(framing, scope.date);
        self.push(Chunk::Body(Body::Owned(head)), scope.now);
        self.push(Chunk::Body(body), scope.now);
        if close {
            self.after = After::Linger;
            if let Side::Http(http) = &mut self.side {
                http.end();
            }
        }
    }

    /// The answer to a request has come.
    pub(super) fn respond(&mut self, number: u32, response: Response, scope: &Scope<'_>) {
        if let Side::Http(http) = &mut self.side
            && let Some(mut framing) = http.answer(number, scope.now)
        {
            // What a client was promised when it asked holds no longer if we are going.
            framing.keep_alive &= scope.drain_until.is_none();
            self.say(response, framing, scope);
        }
    }

    /// The answer is to become a WebSocket. The sink is dropped, and so told, if it is too late for that.
    pub(super) fn upgrade(
        &mut self,
        number: u32,
        handshake: &Handshake,
        sink: GuardedSink,
        scope: &Scope<'_>,
    ) -> bool {
        let Side::Http(http) = &mut self.side else {
            return false;
        };
        if http.answer(number, scope.now).is_none() {
            return false;
        }
        let socket = SocketSide::new(scope.config, scope.now);
        // A client may send frames right behind its request, although none should before it has read the 101.
        let before = std::mem::replace(&mut self.side, Side::Socket(socket, sink, Vec::new()));
        if let (Side::Http(http), Side::Socket(_, _, rest)) = (before, &mut self.side) {
            *rest = http.into_rest();
        }
        self.push(Chunk::Body(Body::Owned(handshake.encode())), scope.now);
        if let Some(permit) = &mut self.permit {
            permit.make_known();
        }
        if scope.drain_until.is_some() {
            self.restart();
        }
        true
    }

    /// Passes on what comes of these bytes; keeps those that must wait.
    fn converse(&mut self, mut input: &[u8], scope: &Scope<'_>) {
        while let Side::Socket(socket, _, _) = &mut self.side {
            let Some(step) = socket.next(&mut input, scope.now) else {
                return;
            };
            match step {
                Step::Message(message) => {
                    if self.deliver(message, scope) {
                        if let Side::Socket(_, _, rest) = &mut self.side {
                            *rest = input.to_vec();
                        }
                        return;
                    }
                }
                Step::Send(frame) => self.push(Chunk::Control(frame), scope.now),
                Step::End(frame, closed) => {
                    if let Some(frame) = frame {
                        self.push(Chunk::Control(frame), scope.now);
                    }
                    self.hang_up(closed, After::Drop, scope);
                }
                Step::Fail(frame, closed) => {
                    self.push(Chunk::Control(frame), scope.now);
                    self.hang_up(closed, After::Linger, scope);
                }
            }
        }
    }

    /// Passes a message up; `true` if no further one may follow for the moment.
    fn deliver(&mut self, message: Message, scope: &Scope<'_>) -> bool {
        let Side::Socket(_, sink, _) = &mut self.side else {
            return false;
        };
        let is_last = self.line.admit(message.len());
        let incoming = Incoming::new(message, Arc::clone(&self.line));
        if sink.message(incoming).is_err() {
            self.report_panic(scope);
            self.close(CloseCode::ERROR, "", scope);
        }
        is_last && self.line.is_paused()
    }

    fn report_panic(&self, scope: &Scope<'_>) {
        let peer = self.line.peer;
        scope.telemetry.emit(|| CallbackPanicked { peer });
    }

    /// Begins a Close of our own.
    fn close(&mut self, code: CloseCode, reason: &str, scope: &Scope<'_>) {
        self.line.shut();
        let mut deadline = scope.now + scope.config.close_timeout;
        if let Some(drain_until) = scope.drain_until {
            deadline = deadline.min(drain_until);
        }
        if let Side::Socket(socket, _, _) = &mut self.side
            && let Some(frame) = socket.close(code, reason, deadline)
        {
            self.push(Chunk::Control(frame), scope.now);
        }
    }

    /// The WebSocket is over: tells the sink, and ends the connection when all is written.
    fn hang_up(&mut self, closed: Closed, after: After, scope: &Scope<'_>) {
        self.line.shut();
        self.after = after;
        if let Side::Socket(_, mut sink, _) = std::mem::replace(&mut self.side, Side::Deaf)
            && sink.closed(closed).is_err()
        {
            self.report_panic(scope);
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

    /// The reactor is shutting down.
    pub(super) fn drain(&mut self) -> Fate {
        match &mut self.side {
            Side::Http(http) if http.is_idle() && self.queue.is_empty() => Fate::Drop,
            Side::Socket(..) => {
                self.restart();
                Fate::Again
            }
            _ => Fate::Wait,
        }
    }

    fn restart(&self) {
        self.line.close(Close {
            code: CloseCode::RESTART,
            reason: "service restart".to_owned(),
            is_orderly: true,
        });
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
                    let framing = http.answer(http.number(), scope.now);
                    self.give_up(busy(), framing.unwrap_or(Framing::CLOSE), scope)
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

    /// Ends an HTTP connection that took too long. Its responder, if there is one, has nobody to answer any more.
    fn give_up(&mut self, response: Response, framing: Framing, scope: &Scope<'_>) -> Fate {
        self.line.shut();
        self.say(response.close(), framing, scope);
        Fate::Again
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

/// What a client is told that comes at a bad time.
fn busy() -> Response {
    use crate::web::http::{HeaderName, HeaderValue};
    const AFTER: Duration = Duration::from_secs(5);
    Response::error(
        Status::SERVICE_UNAVAILABLE,
        "busy",
        "the server is busy; try again soon",
    )
    .header(HeaderName::RETRY_AFTER, HeaderValue::from(AFTER.as_secs()))
    .close()
}
