//! What an application implements: a service for requests, a sink for the messages of one WebSocket.

use super::{Incoming, Responder};
use crate::process::current;
use crate::web::http::Request;
use crate::web::websocket::CloseCode;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Answers requests.
///
/// It is called on the reactor's thread, which waits for it: look at the request, answer what is at hand, and give
/// the rest away with the [`Responder`], which any thread may answer with later. A panic answers 500 and ends nothing else.
///
/// A closure is a service:
/// ```
/// use perennial::web::http::{Request, Response, Status};
/// use perennial::web::net::{Responder, Service};
/// fn check(service: impl Service) {}
/// check(|request: Request, responder: Responder| responder.send(Response::new(Status::OK).text(request.path())));
/// ```
pub trait Service: Send + Sync + 'static {
    /// A request came. Dropping the responder unanswered is an answer too: 500.
    fn call(&self, request: Request, responder: Responder);
}

impl<F: Fn(Request, Responder) + Send + Sync + 'static> Service for F {
    fn call(&self, request: Request, responder: Responder) {
        self(request, responder);
    }
}

/// Takes the messages of one WebSocket.
///
/// It is called on the reactor's thread: pass the message on to a process and return. Until that process drops it,
/// the [`Incoming`] counts against what one client may have under way. A panic closes the WebSocket with 1011.
pub trait Sink: Send + 'static {
    /// A message came.
    fn message(&mut self, message: Incoming);

    /// The queue to the client has room again, after a [`try_send`](super::Connection::try_send) was refused or
    /// [`is_lagging`](super::Connection::is_lagging) was `true`.
    fn drained(&mut self) {}

    /// The WebSocket is closed. Called exactly once, as the last; nothing more can be sent.
    fn closed(&mut self, closed: Closed);
}

/// How a WebSocket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Who ended it.
    pub by: ClosedBy,
    /// The code: the peer's, or ours. [`CloseCode::ABNORMAL`] if the connection was lost.
    pub code: CloseCode,
    /// The reason that came or went with it.
    pub reason: String,
}

/// Who ended a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The client, with a Close.
    Peer,
    /// We, by [`Connection::close`](super::Connection::close), a shutdown, a limit.
    Local,
    /// We, because the client broke the protocol.
    Protocol,
    /// Nobody: the connection, or the reactor that held it, was lost.
    Lost,
}

impl Closed {
    pub(super) fn new(by: ClosedBy, code: CloseCode, reason: &str) -> Self {
        Closed {
            by,
            code,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn lost() -> Self {
        Closed::new(ClosedBy::Lost, CloseCode::ABNORMAL, "")
    }
}

/// A callback panicked.
#[derive(Debug)]
pub(super) struct Panicked;

/// Runs a callback; its panic is the application's, and must not become that of a thousand other clients.
///
/// Nor does the end of the process that runs it, as a reactor is, cut it short: a message that it sends would meet that,
/// and whoever was to hear that a WebSocket is closed never would.
pub(super) fn guarded<T>(callback: impl FnOnce() -> T) -> Result<T, Panicked> {
    let _undisturbed = current::undisturbed();
    catch_unwind(AssertUnwindSafe(callback)).map_err(|_| Panicked)
}

/// A sink that is told of the end in any case: if nobody does it before, then when it is dropped.
pub(super) struct GuardedSink(Option<Box<dyn Sink>>);

impl GuardedSink {
    pub(super) fn new(sink: impl Sink) -> Self {
        GuardedSink(Some(Box::new(sink)))
    }

    pub(super) fn message(&mut self, message: Incoming) -> Result<(), Panicked> {
        match &mut self.0 {
            Some(sink) => guarded(|| sink.message(message)),
            None => Ok(()),
        }
    }

    pub(super) fn drained(&mut self) -> Result<(), Panicked> {
        match &mut self.0 {
            Some(sink) => guarded(|| sink.drained()),
            None => Ok(()),
        }
    }

    pub(super) fn closed(&mut self, closed: Closed) -> Result<(), Panicked> {
        match self.0.take() {
            Some(mut sink) => guarded(move || {
                sink.closed(closed);
                drop(sink);
            }),
            None => Ok(()),
        }
    }
}

impl Drop for GuardedSink {
    fn drop(&mut self) {
        // A panic here is caught and, as the sink is on its way out anyway, of no further consequence.
        let _ = self.closed(Closed::lost());
    }
}

impl fmt::Debug for GuardedSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardedSink")
    }
}
