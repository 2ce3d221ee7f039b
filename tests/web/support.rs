//! A reactor on a thread of its own, and clients that are plain sockets with a deadline on everything.

use perennial::telemetry::Telemetry;
use perennial::time::{Clock, ManualClock};
use perennial::web::http::{Request, Response, Status};
use perennial::web::net::{
    Closed, Config, Connection, Incoming, Listener, Reactor, Remote, Responder, Service, Sink,
};
use perennial::web::websocket::{Frame, Handshake, Message};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing that these tests wait for takes so long; what does is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) listener: Listener,
    pub(crate) remote: Remote,
    pub(crate) hand: Option<ManualClock>,
    pub(crate) telemetry: Telemetry,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// A server by whose deadlines no test is ended on a busy machine, but for those that a test sets.
    pub(crate) fn start(config: Config, service: impl Service) -> Server {
        Server::with_clock(unhurried(config), Clock::system(), None, service)
    }

    /// A server whose time stands still until [`Server::advance`].
    pub(crate) fn manual(config: Config, service: impl Service) -> Server {
        let (clock, hand) = Clock::manual();
        Server::with_clock(config, clock, Some(hand), service)
    }

    fn with_clock(
        config: Config,
        clock: Clock,
        hand: Option<ManualClock>,
        service: impl Service,
    ) -> Server {
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(addr, config).expect("a free port");
        Server::on(listener, clock, hand, service)
    }

    pub(crate) fn on(
        listener: Listener,
        clock: Clock,
        hand: Option<ManualClock>,
        service: impl Service,
    ) -> Server {
        let telemetry = Telemetry::new();
        let reactor = Reactor::new(&listener, Arc::new(service), clock, telemetry.clone())
            .expect("a reactor");
        let remote = reactor.remote();
        let thread = std::thread::Builder::new()
            .name("reactor".to_owned())
            .spawn(|| reactor.run())
            .expect("a thread");
        Server {
            listener,
            remote,
            hand,
            telemetry,
            thread: Some(thread),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.listener.local_addr())
    }

    /// A client whose WebSocket is open.
    pub(crate) fn socket(&self) -> Client {
        let mut client = self.client();
        client.write(UPGRADE);
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    pub(crate) fn advance(&self, seconds: u64) {
        let hand = self.hand.as_ref().expect("a manual clock");
        hand.advance(Duration::from_secs(seconds));
    }

    /// Returns once everything that was written to this server before has been read by it: a reactor takes its
    /// events in the order in which they came, and runs those of a turn before it answers the next.
    pub(crate) fn sync(&self) {
        let mut client = self.client();
        client.get("/sync");
    }

    /// Ends the reactor and returns what [`Reactor::run`] did.
    pub(crate) fn join(&mut self) -> io::Result<()> {
        let thread = self.thread.take().expect("joined once");
        eventually("the reactor ends", || thread.is_finished());
        thread.join().expect("the reactor does not panic")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.remote.stop();
            // A test that fails is unwinding here; its own message is the one to show.
            let _ = thread.join();
        }
    }
}

/// Waits for a fact, and fails with its name.
#[track_caller]
pub(crate) fn eventually(fact: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {fact}");
        std::thread::yield_now();
    }
}

/// With an hour for all that a client or a service does by itself, where nothing else is set.
fn unhurried(mut config: Config) -> Config {
    type Time = fn(&mut Config) -> &mut Duration;
    const HOUR: Duration = Duration::from_secs(3_600);
    let usual = Config::default();
    let times: [(Time, Duration); 7] = [
        (|config| &mut config.header_timeout, HOUR),
        (|config| &mut config.body_grace, HOUR),
        (|config| &mut config.keep_alive, HOUR),
        (|config| &mut config.response_timeout, HOUR),
        (|config| &mut config.write_timeout, HOUR),
        (|config| &mut config.ping_after, HOUR),
        (|config| &mut config.silence_max, 3 * HOUR),
    ];
    for (time, unhurried) in times {
        if *time(&mut config) == *time(&mut usual.clone()) {
            *time(&mut config) = unhurried;
        }
    }
    config
}

pub(crate) const UPGRADE: &str = "GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).expect("connecting");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("nodelay");
        Client {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("writing");
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        self.answer()
    }

    /// The status that a GET is answered with, `None` if the connection was reset: what a server that drops a
    /// connection at once may do to a client that is still sending.
    pub(crate) fn try_get(&mut self, path: &str) -> Option<u16> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        self.stream.write_all(request.as_bytes()).ok()?;
        let mut buf = [0; 1024];
        let len = self.read_some(&mut buf).ok()?;
        std::str::from_utf8(buf.get(9..12.min(len))?)
            .ok()?
            .parse()
            .ok()
    }

    /// A process that was stopped and goes on finds its read interrupted.
    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn fill(&mut self) -> usize {
        let mut buf = [0; 64 * 1024];
        let len = self.read_some(&mut buf).expect("reading in time");
        self.unread.extend_from_slice(&buf[..len]);
        len
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        while self.unread.len() < len {
            assert!(self.fill() > 0, "closed after {:?}", self.unread);
        }
        self.unread.drain(..len).collect()
    }

    /// Reads so many bytes.
    pub(crate) fn read(&mut self, len: usize) -> Vec<u8> {
        self.take(len)
    }

    /// Reads so many bytes, and throws them away.
    pub(crate) fn read_and_forget(&mut self, len: usize) {
        self.take(len);
    }

    /// Reads to the end of a head.
    pub(crate) fn head(&mut self) -> String {
        loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                return String::from_utf8(self.take(end + 4)).expect("a head is ASCII");
            }
            assert!(self.fill() > 0, "closed in a head: {:?}", self.unread);
        }
    }

    /// Reads one response.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head[9..12].parse().expect("a status");
        let mut answer = Answer {
            status,
            head,
            body: String::new(),
        };
        let length = answer.header("content-length").map_or(0, |length| {
            length.parse().expect("content-length is a number")
        });
        answer.body = String::from_utf8(self.take(length)).expect("these bodies are text");
        answer
    }

    /// Reads what follows a head.
    pub(crate) fn skip_content(&mut self, head: &str, is_head: bool) {
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if let Some(length) = length.filter(|_| !is_head) {
            self.take(length.parse().expect("content-length is a number"));
        }
    }

    /// The server has closed, in order, and there is nothing before the end.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let len = self.fill();
        assert_eq!(
            len,
            0,
            "not the end: {:?}",
            String::from_utf8_lossy(&self.unread)
        );
    }

    /// The connection is over, by an end or a reset; what came before is thrown away.
    pub(crate) fn expect_gone(&mut self) {
        let mut buf = [0; 16 * 1024];
        loop {
            match self.read_some(&mut buf) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("still there: {error}"),
            }
        }
    }

    pub(crate) fn shut_write(&self) {
        self.stream.shutdown(Shutdown::Write).expect("half-closing");
    }

    /// Sends a masked frame.
    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) {
        self.write(masked(first, payload));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes());
    }

    pub(crate) fn receive(&mut self) -> Received {
        let head = self.take(2);
        assert_eq!(head[0] & 0xf0, 0x80, "whole frames without reserved bits");
        let len = match head[1] {
            126 => u16::from_be_bytes(self.take(2).try_into().expect("2 bytes")).into(),
            127 => u64::from_be_bytes(self.take(8).try_into().expect("8 bytes")),
            len => u64::from(len),
        };
        Received {
            opcode: head[0] & 0x0f,
            payload: self.take(usize::try_from(len).expect("a length")),
        }
    }

    #[track_caller]
    pub(crate) fn expect_text(&mut self, text: &str) {
        let frame = self.receive();
        assert_eq!(
            (
                frame.opcode,
                String::from_utf8_lossy(&frame.payload).as_ref()
            ),
            (0x1, text)
        );
    }

    /// A Close comes, with this code, before anything else.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, code: u16) {
        let frame = self.receive();
        assert_eq!(frame.opcode, 0x8, "{frame:?}");
        let read = match frame.payload[..] {
            [] => 1005,
            [high, low, ..] => u16::from_be_bytes([high, low]),
            [_] => panic!("close of one byte"),
        };
        assert_eq!(read, code);
    }
}

pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// What a [`Recorder`] tells the test.
#[derive(Debug)]
pub(crate) enum Told {
    Opened(Connection),
    Message(Incoming),
    Drained,
    Closed(Closed),
}

/// A sink that tells a channel.
pub(crate) struct Recorder(Sender<Told>);

impl Sink for Recorder {
    fn message(&mut self, message: Incoming) {
        // A test that has seen enough no longer listens.
        let _ = self.0.send(Told::Message(message));
    }

    fn drained(&mut self) {
        let _ = self.0.send(Told::Drained);
    }

    fn closed(&mut self, closed: Closed) {
        let _ = self.0.send(Told::Closed(closed));
    }
}

/// A service that upgrades whatever asks for it and answers the rest with its path; and what its sinks tell.
pub(crate) fn recorded() -> (impl Service, Receiver<Told>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let service = move |request: Request, responder: Responder| {
        if let Ok(handshake) = Handshake::check(&request) {
            let sender = sender.lock().expect("not poisoned").clone();
            responder.upgrade(handshake, |connection| {
                let _ = sender.send(Told::Opened(connection.clone()));
                Recorder(sender)
            });
        } else {
            echo_path(request, responder);
        }
    };
    (service, receiver)
}

pub(crate) fn echo_path(request: Request, responder: Responder) {
    responder.send(Response::new(Status::OK).text(request.path()));
}

#[track_caller]
pub(crate) fn next_told(told: &Receiver<Told>) -> Told {
    told.recv_timeout(PATIENCE)
        .expect("the sink tells something")
}

#[track_caller]
pub(crate) fn opened(told: &Receiver<Told>) -> Connection {
    match next_told(told) {
        Told::Opened(connection) => connection,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn closed(told: &Receiver<Told>) -> Closed {
    match next_told(told) {
        Told::Closed(closed) => closed,
        other => panic!("{other:?}"),
    }
}

/// A sink that sends back what came.
pub(crate) struct Echo(pub(crate) Connection);

impl Sink for Echo {
    fn message(&mut self, message: Incoming) {
        let frame = match message.message() {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::binary(bytes),
        };
        // If the client is gone there is nobody to miss it.
        let _ = self.0.send(&frame);
    }

    fn closed(&mut self, _: Closed) {}
}

/// A service of [`Echo`]s; what is no handshake gets its path, or the refusal that it deserves.
pub(crate) fn echo(request: Request, responder: Responder) {
    if request.path() != "/socket" {
        return echo_path(request, responder);
    }
    match Handshake::check(&request) {
        Ok(handshake) => {
            responder.upgrade(handshake, |connection| Echo(connection.clone()));
        }
        Err(error) => responder.send(error.response()),
    }
}
