//! Channels over a real WebSocket: the upgrade request, and the reactor's connection as a [`Transport`].

use super::connection::Connection;
use super::event::SocketConnected;
use super::message::{Frame, FrameKind};
use super::request::{self, TransportKind};
use super::transport::Transport;
use super::user_socket::UserSocket;
use super::vsn::Vsn;
use crate::process::runtime;
use crate::sync::Arc;
use crate::web::http::{Request, Response, Status};
use crate::web::net::{self, Closed, Incoming, Responder, Sink};
use crate::web::websocket::{self, CloseCode, Handshake};
use std::time::Instant;

/// The subprotocol of channels: it is offered by clients that send a token along, and a browser that offered something
/// drops a connection on which nothing was selected.
const SUBPROTOCOL: &str = "phoenix";

impl<A: Send + Sync + 'static> UserSocket<A> {
    /// Answers a request for `/websocket` below the path of this socket: 101 and a connection, 400 or 426 for what
    /// is no WebSocket handshake, 403 for a page that may not connect, a subprotocol or a version of the serializer
    /// (`vsn` in the query; none means 1.0.0) that is not spoken.
    ///
    /// Whether the user is who they say is decided before. A browser does not tell its page why a handshake failed,
    /// and the official client tries again: a client that is to stop is refused in the join.
    pub fn upgrade(&self, assigns: A, request: &Request, responder: Responder) {
        self.accept(request, responder, || Ok(assigns));
    }

    /// [`upgrade`](UserSocket::upgrade), where `connect` says who the client is or how it is answered.
    pub(super) fn accept(
        &self,
        request: &Request,
        responder: Responder,
        connect: impl FnOnce() -> Result<A, Response>,
    ) {
        let watch = Watch::start(TransportKind::WebSocket, request);
        let mut handshake = match Handshake::check(request) {
            Ok(handshake) => handshake,
            Err(error) => return responder.send(error.response()),
        };
        let admitted = self.admit(request, watch.vsn);
        let admitted = admitted
            .and_then(|vsn| Ok((vsn, self.select(&mut handshake).and_then(|()| connect())?)));
        watch.end(admitted.is_ok());
        let (vsn, assigns) = match admitted {
            Ok(admitted) => admitted,
            Err(response) => return responder.send(response),
        };
        responder.upgrade(handshake, |connection| {
            let transport = connection.clone();
            match self.connect_with(vsn, assigns, transport) {
                Ok(connection) => Ears(Some(connection)),
                Err(error) => {
                    log::warn!(target: "perennial::channel", "no process for a connection: {error}");
                    connection.close(CloseCode::TRY_AGAIN, "");
                    Ears(None)
                }
            }
        });
    }

    /// Whether the page may connect and the version is spoken.
    pub(super) fn admit(&self, request: &Request, vsn: Option<Vsn>) -> Result<Vsn, Response> {
        if !self.check_origin.allows(request) {
            let origin = request.header("origin").unwrap_or("");
            log::warn!(
                target: "perennial::channel",
                "a page of {origin:?} may not connect; if it should, name it in UserSocket::check_origin"
            );
            return Err(Response::new(Status::FORBIDDEN));
        }
        vsn.ok_or_else(|| {
            let asked = request.query_value("vsn").unwrap_or_default();
            log::warn!(target: "perennial::channel", "a client speaks version {asked:?}, and not ~> 1.0.0 or ~> 2.0.0");
            Response::new(Status::FORBIDDEN)
        })
    }

    fn select(&self, handshake: &mut Handshake) -> Result<(), Response> {
        let Some(spoken) = &self.subprotocols else {
            handshake.select(&[SUBPROTOCOL]);
            return Ok(());
        };
        let spoken: Vec<&str> = spoken.iter().map(String::as_str).collect();
        let is_offer = |offer: &String| !request::is_token(offer);
        let must_select = handshake.offered().iter().any(is_offer);
        if handshake.select(&spoken).is_none() && must_select {
            return Err(Response::new(Status::FORBIDDEN));
        }
        Ok(())
    }
}

/// How long a client waits for the word whether it may connect.
pub(super) struct Watch {
    started: Instant,
    transport: TransportKind,
    pub(super) vsn: Option<Vsn>,
}

impl Watch {
    pub(super) fn start(transport: TransportKind, request: &Request) -> Self {
        Watch {
            started: runtime::current().clock.now(),
            transport,
            vsn: Vsn::parse(request.query_value("vsn").as_deref()),
        }
    }

    pub(super) fn end(&self, accepted: bool) {
        let shared = runtime::current();
        shared.telemetry.emit(|| SocketConnected {
            duration: shared.clock.now().saturating_duration_since(self.started),
            transport: self.transport,
            vsn: self.vsn,
            accepted,
        });
    }
}

impl Transport for net::Connection {
    fn send(&mut self, frame: &Frame) {
        // Closed is told to the sink; full closes it.
        let _ = net::Connection::send(self, &framed(frame));
    }

    fn is_lagging(&mut self) -> bool {
        net::Connection::is_lagging(self)
    }

    fn close(&mut self, code: u16, reason: &str) {
        net::Connection::close(self, CloseCode::new(code), reason);
    }
}

fn framed(frame: &Frame) -> websocket::Frame {
    let payload = Arc::clone(frame.shared());
    match frame.kind() {
        FrameKind::Text => websocket::Frame::shared_text(payload),
        FrameKind::Binary => websocket::Frame::shared_binary(payload),
    }
}

/// What the reactor tells the connection's process; nothing if that could not be started.
struct Ears(Option<Connection>);

impl Sink for Ears {
    fn message(&mut self, message: Incoming) {
        if let Some(connection) = &self.0 {
            connection.incoming(message);
        }
    }

    fn drained(&mut self) {
        if let Some(connection) = &self.0 {
            connection.drained();
        }
    }

    fn closed(&mut self, _closed: Closed) {
        if let Some(connection) = &self.0 {
            connection.closed();
        }
    }
}
