//! What an application holds: the right to answer a request, a WebSocket to send on, a message that came.

use super::line::{Close, Line, SendError};
use super::post::Command;
use super::service::{GuardedSink, Sink};
use super::table::ConnectionId;
use crate::sync::Arc;
use crate::web::http::{Response, Status};
use crate::web::websocket::{CloseCode, Frame, Handshake, Message};
use std::fmt;
use std::net::SocketAddr;

/// The right to answer one request, from any thread, once. Dropped unanswered, it answers 500.
///
/// An answer that comes after [`response_timeout`](super::Config::response_timeout), or after the client has gone, is thrown away.
#[must_use = "dropping a responder answers 500"]
pub struct Responder {
    line: Arc<Line>,
    is_answered: bool,
    /// The line may have taken frames, which must never follow anything but a 101.
    is_upgrading: bool,
}

impl Responder {
    pub(super) fn new(line: Arc<Line>) -> Self {
        Responder {
            line,
            is_answered: false,
            is_upgrading: false,
        }
    }

    /// Answers.
    pub fn send(mut self, response: Response) {
        self.respond(response);
    }

    /// Answers with 101: the connection becomes a WebSocket whose messages go to the sink that `make` returns.
    ///
    /// Frames may be sent at once, from within `make` too; they follow the 101. If the client has gone already, the
    /// sink is told [`closed`](Sink::closed) as its first and last.
    pub fn upgrade<S: Sink>(
        mut self,
        handshake: Handshake,
        make: impl FnOnce(&Connection) -> S,
    ) -> Connection {
        self.is_upgrading = true;
        self.line.open();
        let connection = Connection {
            line: Arc::clone(&self.line),
        };
        let sink = GuardedSink::new(make(&connection));
        self.is_answered = true;
        self.line.post(Command::Upgrade {
            id: self.line.id,
            handshake: Box::new(handshake),
            sink,
        });
        connection
    }

    /// The address at the other end of the socket.
    pub fn peer_addr(&self) -> SocketAddr {
        self.line.peer
    }

    /// Equals `true` once the client has gone, so that nobody will read an answer.
    pub fn is_cancelled(&self) -> bool {
        self.line.is_closed()
    }

    fn respond(&mut self, response: Response) {
        self.is_answered = true;
        self.line.post(Command::Respond {
            id: self.line.id,
            response: Box::new(response),
        });
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let status = Status::INTERNAL_SERVER_ERROR;
        let response = Response::error(status, "internal", "the request was not answered");
        if self.is_upgrading {
            self.line.shut();
            self.respond(response.close());
        } else {
            self.respond(response);
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder({:?})", self.line.id)
    }
}

/// A WebSocket, for sending. A clone is the same; dropping it closes nothing.
#[derive(Clone)]
pub struct Connection {
    line: Arc<Line>,
}

impl Connection {
    /// Sends a frame that must not be missed. If as much waits for the client as is allowed, the client is too slow:
    /// what waits is forgotten, the WebSocket closes with 4408, and the client resumes by what it has stored.
    ///
    /// # Errors
    /// [`SendError`]: `Full` if it was too slow, else it is closed already.
    pub fn send(&self, frame: &Frame) -> Result<(), SendError> {
        let result = self.line.try_send(frame);
        if result == Err(SendError::Full) {
            self.line.close(Close {
                code: CloseCode::SLOW_CONSUMER,
                reason: "slow consumer".to_owned(),
                is_orderly: false,
            });
        }
        result
    }

    /// Sends a frame if there is room for it. After [`SendError::Full`] the sink will hear [`drained`](Sink::drained):
    /// for a sender that can hold back and fill the gap from a store.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn try_send(&self, frame: &Frame) -> Result<(), SendError> {
        self.line.try_send(frame)
    }

    /// Closes, after what was sent before. A client that does not answer is cut off after
    /// [`close_timeout`](super::Config::close_timeout).
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.line.close(Close {
            code,
            reason: reason.to_owned(),
            is_orderly: true,
        });
    }

    /// Equals `true` if more than half of what may wait for this client does. The sink will hear
    /// [`drained`](Sink::drained) when it has gone down.
    pub fn is_lagging(&self) -> bool {
        self.line.is_lagging()
    }

    /// Equals `true` until a Close was sent or received, or the connection was lost.
    pub fn is_open(&self) -> bool {
        self.line.is_open()
    }

    /// The address at the other end of the socket.
    pub fn peer_addr(&self) -> SocketAddr {
        self.line.peer
    }

    /// The connection's name within its reactor.
    pub fn id(&self) -> ConnectionId {
        self.line.id
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.line, &other.line)
    }
}

impl Eq for Connection {}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?}, {})", self.line.id, self.line.peer)
    }
}

/// A message that came, and its share of what one client may have under way. Dropping it gives the share back; a
/// client whose messages are not dropped is, after [`in_frames_max`](super::Config::in_frames_max) of them, no longer read.
pub struct Incoming {
    message: Message,
    line: Arc<Line>,
    len: usize,
}

impl Incoming {
    /// `line` has admitted the message already.
    pub(super) fn new(message: Message, line: Arc<Line>) -> Self {
        let len = message.len();
        Incoming { message, line, len }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Takes the message and gives the share back at once.
    pub fn into_message(mut self) -> Message {
        std::mem::replace(&mut self.message, Message::Binary(Vec::new()))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.line.release(self.len);
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({:?})", self.message)
    }
}
