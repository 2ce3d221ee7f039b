//! Channels by requests alone, for networks that let no WebSocket through: the client asks and waits for what there is
//! to hear, and says what it has to say in requests of their own. The official client falls back to this by itself.

mod body;

mod session;

use self::body::status;
use super::request::TransportKind;
use super::user_socket::UserSocket;
use super::vsn::Vsn;
use super::websocket::Watch;
use crate::behaviour::gen_server;
use crate::process::{Dest, Ref};
use crate::sync::{Arc, Mutex};
use crate::web::http::{Method, Request, Response};
use crate::web::net::Responder;
use session::{Asked, Session, Start, ToSession};
use std::collections::HashMap;
use std::time::Duration;

/// How long poll is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongPoll {
    /// How long a poll waits for something to hear. 10 seconds, as in Phoenix. A session that is not asked for half as
    /// long again ends, and all its channels with it.
    pub window: Duration,
    /// Sessions at a time; above it a client is told to come later. 1024: whoever has a WebSocket needs none.
    pub sessions_max: usize,
    /// Bytes that wait for one client; one that does not ask for them in time is no longer served. 1 MiB, as for a
    /// WebSocket.
    pub bytes_max: usize,
}

impl Default for LongPoll {
    fn default() -> Self {
        LongPoll {
            window: Duration::from_secs(10),
            sessions_max: 1024,
            bytes_max: 1024 * 1024,
        }
    }
}

/// The sessions of one socket by their tokens.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<Arc<str>, Ref<ToSession>>>>);

impl Sessions {
    fn get(&self, token: &str) -> Option<Ref<ToSession>> {
        self.0.lock().get(token).cloned()
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Makes a session known for as long as what is returned is kept.
    fn enter(&self, token: &Arc<str>, session: Ref<ToSession>) -> Entry {
        self.0.lock().insert(token.clone(), session);
        Entry(self.clone(), token.clone())
    }
}

/// A session that can be found.
struct Entry(Sessions, Arc<str>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

/// 192 bits that nobody guesses, in letters for URLs; `None` if the system has none.
fn new_token() -> Option<Arc<str>> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    let letters = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 63)]));
    Some(letters.collect::<String>().into())
}

/// The token of the session that a request belongs to: in a field from the client of 1.8 on, else in the query.
fn token(request: &Request) -> Option<String> {
    let field = request
        .header("x-phoenix-longpoll-token")
        .map(str::to_owned);
    field.or_else(|| request.query_value("token").map(|token| token.into_owned()))
}

impl<A: Send + Sync + 'static> UserSocket<A> {
    /// Equals `true` if a request for `/longpoll` belongs to a session that is there, so that nobody needs to ask again
    /// who the client is.
    pub fn has_session(&self, request: &Request) -> bool {
        token(request).is_some_and(|token| self.sessions.get(&token).is_some())
    }

    /// Answers a request for `/longpoll` below the path of this socket: a poll, a message, or the beginning of a
    /// session, for which alone `connect` is asked who the client is; what it refuses is answered 403. The answer is 200
    /// for HTTP and says in its body how it is, as the official client expects.
    ///
    /// A session has two processes: this one, and its connection. It ends when it is not asked for one and a half
    /// [windows](LongPoll::window), when it is told to disconnect, or when either process dies.
    pub fn long_poll(
        &self,
        request: Request,
        responder: Responder,
        connect: impl FnOnce(&Request) -> Result<A, Response>,
    ) {
        if request.method() == Method::Options {
            return responder.send(body::preflight(&request));
        }
        let is_post = request.method() == Method::Post;
        if !self.check_origin.allows(&request) {
            return responder.send(body::answer(status::REFUSED));
        }
        // One that ends at this moment drops the request, which says so.
        let session = token(&request).and_then(|token| self.sessions.get(&token));
        match (session, is_post) {
            (Some(session), true) => {
                let asked = Asked::new(responder);
                let _ = session.try_cast(ToSession::Publish(request.into_body(), asked));
            }
            (Some(session), false) => {
                drop(session.try_cast(ToSession::Poll(Asked::new(responder))))
            }
            (None, true) => responder.send(body::answer(status::GONE)),
            (None, false) => responder.send(self.open(&request, connect)),
        }
    }

    /// Begins a session; its first answer says 410 and the token.
    fn open(
        &self,
        request: &Request,
        connect: impl FnOnce(&Request) -> Result<A, Response>,
    ) -> Response {
        let watch = Watch::start(TransportKind::LongPoll, request);
        let admitted = self.admit(request, watch.vsn);
        let admitted = admitted.and_then(|vsn| Ok((vsn, connect(request)?)));
        watch.end(admitted.is_ok());
        match admitted {
            Ok((vsn, assigns)) => self
                .start(vsn, assigns)
                .unwrap_or_else(|| body::answer(status::BUSY)),
            Err(_) => body::answer(status::REFUSED),
        }
    }

    fn start(&self, vsn: Vsn, assigns: A) -> Option<Response> {
        if self.sessions.len() >= self.long_poll.sessions_max {
            return None;
        }
        let token = new_token()?;
        let start = Start {
            socket: self.clone(),
            vsn,
            assigns,
            token: token.clone(),
        };
        let process = gen_server::spec::<Session<A>>(start).pooled();
        if let Err(error) = process.label("long poll").start() {
            log::warn!(target: "perennial::channel", "no process for a session: {error}");
            return None;
        }
        Some(body::messages(status::GONE, &token, std::iter::empty()))
    }
}
