//! Channels over a real WebSocket: the upgrade request, and the reactor's connection as a [`Transport`].

use super::connection::Connection;
use super::message::{Frame, FrameKind};
use super::request;
use super::transport::Transport;
use super::user_socket::UserSocket;
use crate::sync::Arc;
use crate::web::http::{Request, Response, Status};
use crate::web::net::{self, Closed, Incoming, Responder, Sink};
use crate::web::websocket::{self, CloseCode, Handshake};

/// The one subprotocol: it is offered by clients that send a token along, and a browser that offered something
/// drops a connection on which nothing was selected.
const SUBPROTOCOL: &str = "phoenix";

impl<A: Send + Sync + 'static> UserSocket<A> {
    /// Answers a request for `/websocket` below the path of this socket: 101 and a connection, 400 or 426 for what
    /// is no WebSocket handshake, 403 for a version of the serializer other than 2.0 (`vsn` in the query; none means
    /// 1.0).
    ///
    /// Whether the origin may and the user is who they say is decided before. A browser does not tell its page why a
    /// handshake failed, and the official client tries again: a client that is to stop is refused in the join.
    pub fn upgrade(&self, assigns: A, request: &Request, responder: Responder) {
        let mut handshake = match Handshake::check(request) {
            Ok(handshake) => handshake,
            Err(error) => return responder.send(error.response()),
        };
        if !request::speaks(request.query_value("vsn").as_deref()) {
            return responder.send(Response::new(Status::FORBIDDEN));
        }
        handshake.select(&[SUBPROTOCOL]);
        responder.upgrade(handshake, |connection| {
            let transport = connection.clone();
            match self.connect(assigns, transport) {
                Ok(connection) => Ears(Some(connection)),
                Err(error) => {
                    log::warn!(target: "perennial::channel", "no process for a connection: {error}");
                    connection.close(CloseCode::TRY_AGAIN, "");
                    Ears(None)
                }
            }
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
