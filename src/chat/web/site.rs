//! What requests meet: the page and other quick answers at once, on the reactor's thread; the rest in a process of
//! its own.

use super::exchange::Exchange;
use super::guard::{self, Proof};
use super::members::Members;
use super::room_channel::{Client, RoomChannel, Shared, held_back_max};
use super::route::{self, Route};
use crate::behaviour::gen_server;
use crate::behaviour::supervisor::Child;
use crate::chat::application::Chat;
use crate::chat::assets;
use crate::chat::config::Limit;
use crate::chat::sessions::socket_id;
use crate::chat::users::UsersMsg;
use crate::process::Dest;
use crate::service::limiter::RateLimit;
use crate::service::rate_limit::Rate;
use crate::store::Health;
use crate::sync::Arc;
use crate::web::channel::{CheckOrigin, SocketLimits, UserSocket, codec};
use crate::web::http::{
    Body, HeaderName, HeaderValue, InvalidOrigin, Origins, Request, Response, Status,
};
use crate::web::net::{Responder, Service};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// The chat as a [`Service`] for the reactor.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

pub(super) struct Inner {
    pub(super) chat: Chat,
    pub(super) origins: Origins,
    pub(super) sockets: UserSocket<Client>,
    members: Members,
    /// Attempts to sign up or in, by address.
    pub(super) sign_ins: RateLimit<IpAddr>,
}

impl Site {
    /// The site of a chat.
    ///
    /// # Errors
    /// If one of the configured origins is none.
    pub fn new(chat: Chat) -> Result<Site, InvalidOrigin> {
        let limits = &chat.config().limits;
        let per =
            |limit: Limit, period| limit.max().map_or(Rate::OFF, |max| Rate::per(max, period));
        let sends = per(limits.messages_per_second, Duration::from_secs(1))
            .burst(limits.messages_burst.max().unwrap_or(u32::MAX));
        let twice = |limit: Limit| limit.max().map_or(1, |max| max.saturating_mul(2));
        let second = Duration::from_secs(1);
        let joins = per(limits.joins_per_second, second).burst(twice(limits.joins_per_second));
        let reads = per(limits.reads_per_second, second).burst(twice(limits.reads_per_second));
        let frames = per(limits.frames_per_second, second).burst(twice(limits.frames_per_second));
        let sign_ins = per(limits.sign_ins_per_minute, Duration::from_secs(60))
            .burst(limits.sign_ins_per_minute.max().unwrap_or(1));
        let shared = Shared {
            chat: chat.clone(),
            sends: Arc::new(RateLimit::new(sends)),
            joins: Arc::new(RateLimit::new(joins)),
            reads: Arc::new(RateLimit::new(reads)),
            members: Members::new(),
        };
        let members = shared.members.clone();
        let socket_limits = SocketLimits {
            channels_max: limits.topics_per_socket.max_or_all(),
            events_max: limits.channel_mailbox.max_or_all(),
            frames,
            held_back_max: held_back_max(limits),
            ..SocketLimits::default()
        };
        Ok(Site(Arc::new(Inner {
            origins: Origins::new(&chat.config().web.origins)?,
            sockets: UserSocket::new()
                .channel::<RoomChannel>("room:*", shared)
                .id(|client| Some(socket_id(&client.session)))
                .limits(codec::Limits {
                    frame_len_max: limits.frame_bytes.max_or_all(),
                    ..codec::Limits::default()
                })
                // Decided before, by what the request proves.
                .check_origin(CheckOrigin::off())
                .socket_limits(socket_limits),
            sign_ins: RateLimit::new(sign_ins),
            members,
            chat,
        })))
    }
}

impl Site {
    /// What the site needs in the tree before the web server: the tracker of who is where.
    pub fn child(&self) -> Child {
        self.0.members.child()
    }
}

impl Service for Site {
    fn call(&self, request: Request, responder: Responder) {
        let route = match route::find(request.method(), &request.segments()) {
            Ok(route) => route,
            Err(none) => return respond(responder, none.response()),
        };
        match route {
            Route::Health => respond(responder, self.health()),
            Route::Asset => respond(responder, asset(&request)),
            route => self.exchange(route, request, responder),
        }
    }
}

impl Site {
    fn health(&self) -> Response {
        match self.0.chat.health() {
            Health::Up => Response::new(Status::OK).json(r#"{"status":"ok"}"#),
            other => Response::error(Status::SERVICE_UNAVAILABLE, "storage", &other.to_string()),
        }
    }

    fn exchange(&self, route: Route, request: Request, responder: Responder) {
        let proof = Proof::of(&request);
        if let Err(foreign) = guard::check(&request, &proof, &self.0.origins) {
            return respond(responder, foreign.response());
        }
        let exchange = Exchange::new(self.0.clone(), route, proof, request, responder);
        if let Err(error) = gen_server::spec::<Exchange>(exchange)
            .pooled()
            .label("request")
            .start()
        {
            // The responder went with it, and has said that something went wrong.
            log::warn!(target: "perennial::chat", "no process for a request: {error}");
        }
    }
}

impl Inner {
    pub(super) fn users(&self) -> impl Dest<Msg = UsersMsg> {
        self.chat.users().clone()
    }
}

/// Answers with the fields that every response has.
pub(super) fn respond(responder: Responder, response: Response) {
    const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
    const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
    const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
    responder.send(
        response
            .default_header(HeaderName::CACHE_CONTROL, &NO_STORE)
            .default_header(HeaderName::X_CONTENT_TYPE_OPTIONS, &NOSNIFF)
            .default_header(HeaderName::REFERRER_POLICY, &SAME_ORIGIN)
            .default_header(HeaderName::CROSS_ORIGIN_OPENER_POLICY, &SAME_ORIGIN)
            .default_header(HeaderName::CROSS_ORIGIN_RESOURCE_POLICY, &SAME_ORIGIN),
    );
}

fn asset(request: &Request) -> Response {
    const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
    const POLICY: HeaderValue = HeaderValue::from_static(assets::CONTENT_SECURITY_POLICY);
    let Some(asset) = assets::find(request.path()) else {
        return Response::error(Status::NOT_FOUND, "not_found", "there is nothing here");
    };
    let known = request
        .header("if-none-match")
        .is_some_and(|tags| tags.contains(asset.etag));
    let response = if known {
        Response::new(Status::NOT_MODIFIED)
    } else {
        let content_type = HeaderValue::from_static(asset.content_type);
        Response::new(Status::OK).content(content_type, Body::Static(asset.bytes))
    };
    response
        .header(HeaderName::ETAG, HeaderValue::from_static(asset.etag))
        .header(HeaderName::CACHE_CONTROL, REVALIDATE)
        .header(HeaderName::CONTENT_SECURITY_POLICY, POLICY)
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({:?})", self.0.chat)
    }
}
