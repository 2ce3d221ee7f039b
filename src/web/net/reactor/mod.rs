//! One thread's share of the network: it waits for sockets and commands, and runs the connections they concern.
//!
//! A turn is: wait · take events · accept · take commands · run the connections that have something to do, each for
//! a budget · look at deadlines. epoll tells once about each change (edge-triggered), so a connection whose budget
//! ran out stands in the reactor's own ready list until it has nothing left to do.
//!
//! What a broadcast to a thousand clients costs: a thousand pushes onto locked queues nobody contends for, a thousand
//! commands, one wake-up; then one `writev` for each client, however many frames it had waiting.

mod accept;

use super::Listener;
use super::SocketDrain;
use super::conn::{Conn, Fate, Scope};
use super::deadlines::Deadlines;
use super::drain::Drain;
use super::listener::Acceptor;
use super::post::{Command, Inbox, Post};
use super::service::Service;
use super::table::{ConnectionId, Table};
use crate::sync::Arc;
use crate::telemetry::Telemetry;
use crate::time::Clock;
use crate::web::http::imf_fixdate;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::{Duration, Instant, SystemTime};

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// Events taken from the system at once.
const EVENTS_MAX: usize = 1024;

/// Commands taken in one turn.
const COMMANDS_MAX: usize = 4096;

/// Connections run in one turn before events are looked at again.
const RUNS_MAX: usize = 1024;

/// The one read buffer, shared by all connections: an idle one owns none.
const READ_BUFFER: usize = 64 * 1024;

/// Owns the sockets of its connections and runs on the thread that calls [`run`](Reactor::run).
///
/// It ends by [`Remote::shutdown`] or when it is dropped, by a panic too. Its connections end with it: sockets are
/// closed, every sink is told, every answer that comes later is thrown away. The [`Listener`] lives on.
///
/// ```
/// use perennial::web::http::{Request, Response, Status};
/// use perennial::web::net::{Config, Listener, Reactor, Responder};
/// use std::io::{Read, Write};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Config::default()).unwrap();
/// let service = |request: Request, responder: Responder| {
///     responder.send(Response::new(Status::OK).text(format!("hello {}", request.path())));
/// };
/// let reactor = Reactor::new(&listener, Arc::new(service), Default::default(), Default::default()).unwrap();
/// let remote = reactor.remote();
/// let thread = std::thread::spawn(|| reactor.run());
///
/// let mut client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
/// client.write_all(b"GET /you HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
/// let mut answer = String::new();
/// client.read_to_string(&mut answer).unwrap();
/// assert!(answer.ends_with("hello /you"));
/// drop(client);
///
/// remote.shutdown(Duration::from_secs(1));
/// thread.join().unwrap().unwrap();
/// ```
pub struct Reactor {
    poll: Poll,
    events: Events,
    inbox: Inbox,
    listener: Listener,
    /// `None` once it takes no more connections.
    acceptor: Option<Acceptor>,
    /// Somebody may be waiting to be accepted.
    may_accept: bool,
    accept_again_at: Option<Instant>,
    service: Arc<dyn Service>,
    clock: Clock,
    telemetry: Telemetry,
    conns: Table<Conn>,
    refused: usize,
    ready: VecDeque<ConnectionId>,
    deadlines: Deadlines,
    buf: Box<[u8]>,
    date: Date,
    /// Equals `Some` once it shuts down.
    drain: Option<Drain>,
    is_stopped: bool,
}

/// Speaks to a running [`Reactor`] from any thread.
#[derive(Clone, Debug)]
pub struct Remote {
    post: Post,
    clock: Clock,
}

impl Remote {
    /// Takes no more connections, closes WebSockets with 1012, lets requests that were received be answered; what is
    /// not done after `deadline` is cut off. Then [`Reactor::run`] returns.
    pub fn shutdown(&self, deadline: Duration) {
        self.post
            .send(Command::Shutdown(self.clock.now() + deadline));
    }

    /// Ends the reactor at its next turn, without a word to anybody.
    pub fn stop(&self) {
        self.post.send(Command::Stop);
    }

    /// Ends a [`wait`](Reactor::wait), or the next one if it has not begun.
    pub fn wake(&self) {
        self.post.send(Command::Wake);
    }
}

/// Whether a reactor has more turns to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Call again.
    Next,
    /// It has been shut down.
    Done,
}

impl Reactor {
    /// A reactor for connections of this listener. Nothing happens until it is run.
    ///
    /// # Errors
    /// The system's, if it gives no poll.
    pub fn new(
        listener: &Listener,
        service: Arc<dyn Service>,
        clock: Clock,
        telemetry: Telemetry,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let (post, inbox) = Post::new(mio::Waker::new(poll.registry(), WAKER)?);
        let mut acceptor = listener.acceptor()?;
        poll.registry()
            .register(&mut acceptor.listener, LISTENER, Interest::READABLE)?;
        clock.on_advance(move || post.wake());
        Ok(Reactor {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            inbox,
            listener: listener.clone(),
            acceptor: Some(acceptor),
            may_accept: true,
            accept_again_at: None,
            service,
            clock,
            telemetry,
            conns: Table::new(),
            refused: 0,
            ready: VecDeque::new(),
            deadlines: Deadlines::default(),
            buf: vec![0; READ_BUFFER].into_boxed_slice(),
            date: Date::default(),
            drain: None,
            is_stopped: false,
        })
    }

    /// A handle for other threads.
    pub fn remote(&self) -> Remote {
        Remote {
            post: self.inbox.post(),
            clock: self.clock.clone(),
        }
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Turns until it is shut down. Fails if the system's poll does, which leaves nothing to run on.
    ///
    /// # Errors
    /// The system's, if its poll fails. All connections are gone then.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            self.wait(None)?;
            if self.work() == Turn::Done {
                return Ok(());
            }
        }
    }

    /// Does what there is to do, for as long as a turn is; then [`wait`](Reactor::wait) for more. For a caller that
    /// has other things to look at between two turns.
    pub fn work(&mut self) -> Turn {
        let now = self.clock.now();
        self.date.update();
        self.take_events();
        self.accept(now);
        self.take_commands(now);
        self.run_ready(now);
        // Answers that were given at once need not wait for the next turn.
        self.take_commands(now);
        self.run_ready(now);
        self.check_deadlines(now);
        self.drain_round(now);
        let is_drained = match &self.drain {
            Some(drain) => self.conns.len() == 0 || now >= drain.until,
            None => false,
        };
        if is_drained || self.is_stopped {
            Turn::Done
        } else {
            Turn::Next
        }
    }

    /// Waits for something to do, at most `wait_max`.
    ///
    /// # Errors
    /// As [`run`](Reactor::run).
    pub fn wait(&mut self, wait_max: Option<Duration>) -> io::Result<()> {
        let may_sleep = self.inbox.may_sleep()
            && self.ready.is_empty()
            && !(self.may_accept && self.accept_again_at.is_none() && self.acceptor.is_some());
        let timeout = if may_sleep {
            self.sleep_max(wait_max)
        } else {
            Some(Duration::ZERO)
        };
        let polled = self.poll.poll(&mut self.events, timeout);
        self.inbox.awake();
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// How long it may sleep. A clock that is moved by hand wakes the reactor itself from now on; where it was
    /// moved to before is seen here.
    fn sleep_max(&self, wait_max: Option<Duration>) -> Option<Duration> {
        let next = [
            self.deadlines.next(),
            self.accept_again_at,
            self.drain.as_ref().map(|drain| drain.until),
            self.drain.as_ref().and_then(Drain::next_at),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|at| at.saturating_duration_since(self.clock.now()))
        .filter(|wait| wait.is_zero() || !self.clock.is_manual());
        [next, wait_max].into_iter().flatten().min()
    }

    fn take_events(&mut self) {
        for event in &self.events {
            match event.token() {
                WAKER => {}
                LISTENER => self.may_accept = true,
                Token(index) => {
                    // A stale event of a connection that is gone may hit its successor: a look too many, no harm.
                    let Some(id) = self.conns.id_at(index) else {
                        continue;
                    };
                    let Some(conn) = self.conns.get_mut(id) else {
                        continue;
                    };
                    conn.half_closed |= event.is_read_closed();
                    conn.is_broken |=
                        event.is_error() || (event.is_read_closed() && event.is_write_closed());
                    conn.readable |= event.is_readable() || conn.half_closed || conn.is_broken;
                    conn.writable |= event.is_writable() || conn.is_broken;
                    list(&mut self.ready, conn, id);
                }
            }
        }
        // A turn that follows without a wait has none.
        self.events.clear();
    }

    fn remove(&mut self, id: ConnectionId) {
        if let Some(conn) = self.conns.remove(id) {
            self.refused -= usize::from(!conn.is_admitted());
        }
    }

    fn take_commands(&mut self, now: Instant) {
        for _ in 0..COMMANDS_MAX {
            let Some(command) = self.inbox.next() else {
                return;
            };
            self.obey(command, now);
        }
    }

    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Respond { id, response } => self.with(id, now, |conn, _, scope| {
                conn.respond(*response, scope);
                Fate::Again
            }),
            Command::Upgrade {
                id,
                handshake,
                sink,
            } => self.with(id, now, |conn, _, scope| {
                conn.upgrade(&handshake, sink, scope);
                Fate::Again
            }),
            Command::Flush(id) | Command::Resume(id) => {
                if let Some(conn) = self.conns.get_mut(id) {
                    list(&mut self.ready, conn, id);
                }
            }
            Command::Shutdown(until) => self.drain(until, now),
            Command::Stop => self.is_stopped = true,
            Command::Wake => {}
        }
    }

    fn drain(&mut self, until: Instant, now: Instant) {
        self.acceptor = None;
        if let Some(drain) = &mut self.drain {
            drain.until = drain.until.min(until);
            return;
        }
        let ids = self.conns.ids();
        let is_socket =
            |id: &ConnectionId| self.conns.get_mut(*id).is_some_and(|it| it.is_socket());
        let sockets = ids.iter().copied().filter(is_socket).collect();
        self.drain = Some(Drain::new(sockets, until, now));
        for id in ids {
            self.with(id, now, |conn, _, _| conn.drain());
        }
    }

    /// Tells the next round of WebSockets, if it is time.
    fn drain_round(&mut self, now: Instant) {
        let round = self
            .drain
            .as_mut()
            .map(|drain| (drain.round(now), drain.left()));
        let Some((round, left)) = round.filter(|(round, _)| !round.is_empty()) else {
            return;
        };
        let count = round.len();
        self.telemetry.emit(|| SocketDrain { count, left });
        for id in round {
            let advice = self.drain.as_mut().map(Drain::advice).unwrap_or_default();
            self.with(id, now, |conn, _, _| {
                conn.restart(advice);
                Fate::Again
            });
        }
    }

    fn run_ready(&mut self, now: Instant) {
        for _ in 0..self.ready.len().min(RUNS_MAX) {
            let Some(id) = self.ready.pop_front() else {
                return;
            };
            if let Some(conn) = self.conns.get_mut(id) {
                conn.is_listed = false;
                self.with(id, now, Conn::run);
            }
        }
    }

    fn check_deadlines(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.pop_due(now) {
            if let Some(conn) = self.conns.get_mut(id)
                && conn.entry == Some(at)
            {
                conn.entry = None;
                self.with(id, now, |conn, _, scope| conn.check_deadline(scope));
            }
        }
    }

    /// Lets a connection do something, then does to it what that led to.
    fn with(
        &mut self,
        id: ConnectionId,
        now: Instant,
        act: impl FnOnce(&mut Conn, &mut [u8], &Scope<'_>) -> Fate,
    ) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let scope = Scope {
            now,
            config: &self.listener.config,
            service: &self.service,
            telemetry: &self.telemetry,
            date: &self.date.text,
            drain_until: self.drain.as_ref().map(|drain| drain.until),
        };
        match act(conn, &mut self.buf, &scope) {
            Fate::Drop => return self.remove(id),
            Fate::Again => list(&mut self.ready, conn, id),
            Fate::Wait => {}
        }
        if let Some(at) = conn.deadline(&self.listener.config) {
            self.deadlines.set(id, &mut conn.entry, at);
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.conns.len();
        write!(f, "Reactor({:?}, {count} connections)", self.listener)
    }
}

/// Puts a connection into the ready list, once.
fn list(ready: &mut VecDeque<ConnectionId>, conn: &mut Conn, id: ConnectionId) {
    if !std::mem::replace(&mut conn.is_listed, true) {
        ready.push_back(id);
    }
}

/// The value of the Date field, made once a second.
#[derive(Debug, Default)]
struct Date {
    seconds: u64,
    text: String,
}

impl Date {
    fn update(&mut self) {
        let seconds = SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_secs());
        if seconds != self.seconds || self.text.is_empty() {
            self.seconds = seconds;
            self.text = imf_fixdate(seconds);
        }
    }
}
