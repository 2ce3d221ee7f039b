//! The part of a connection that serves requests.

use super::{After, Conn, Fate, Scope, Side};
use crate::sync::Arc;
use crate::web::http::{Body, Encoded, Event, Framing, Request, RequestError, Response, Status};
use crate::web::net::handle::Responder;
use crate::web::net::http_side::HttpSide;
use crate::web::net::service::{GuardedSink, guarded};
use crate::web::net::socket_side::SocketSide;
use crate::web::net::write_queue::Chunk;
use crate::web::websocket::Handshake;
use std::time::Duration;

impl Conn {
    /// Equals `true` if bytes of another request are here and may be looked at.
    pub(super) fn has_request(&self) -> bool {
        match &self.side {
            Side::Http(http) => {
                self.after == After::Stay && http.wants_input(true) && http.has_unread()
            }
            Side::Socket(..) | Side::Deaf => false,
        }
    }

    /// Takes requests off the decoder as far as they may be served now.
    pub(super) fn serve(&mut self, requests: &mut usize, scope: &Scope<'_>) {
        let is_last = |http: &HttpSide| {
            http.served() + 1 >= scope.config.requests_max || scope.drain_until.is_some()
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
                    self.call(request, scope);
                }
                Err(error) => self.refuse(error, scope),
            }
        }
    }

    fn call(&mut self, request: Request, scope: &Scope<'_>) {
        let responder = Responder::new(Arc::clone(&self.line));
        if guarded(|| scope.service.call(request, responder)).is_err() {
            self.report_panic(scope);
        }
    }

    fn refuse(&mut self, error: RequestError, scope: &Scope<'_>) {
        self.say(Response::refusal(error), Framing::CLOSE, scope);
    }

    /// Queues a response; if it is the last one, nothing is served after it.
    pub(super) fn say(&mut self, response: Response, framing: Framing, scope: &Scope<'_>) {
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
    pub(in crate::web::net) fn respond(&mut self, response: Response, scope: &Scope<'_>) {
        if let Side::Http(http) = &mut self.side
            && let Some(mut framing) = http.answer(scope.now)
        {
            // What a client was promised when it asked holds no longer if we are going.
            framing.keep_alive &= scope.drain_until.is_none();
            self.say(response, framing, scope);
        }
    }

    /// The answer is to become a WebSocket. The sink is dropped, and so told, if it is too late for that.
    pub(in crate::web::net) fn upgrade(
        &mut self,
        handshake: &Handshake,
        sink: GuardedSink,
        scope: &Scope<'_>,
    ) -> bool {
        let Side::Http(http) = &mut self.side else {
            return false;
        };
        if http.answer(scope.now).is_none() {
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
            self.restart(Duration::ZERO);
        }
        true
    }

    /// Ends an HTTP connection that took too long. Its responder, if there is one, has nobody to answer any more.
    pub(super) fn give_up(
        &mut self,
        response: Response,
        framing: Framing,
        scope: &Scope<'_>,
    ) -> Fate {
        self.line.shut();
        self.say(response.close(), framing, scope);
        Fate::Again
    }
}

/// What a client is told that comes at a bad time.
pub(super) fn busy() -> Response {
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
