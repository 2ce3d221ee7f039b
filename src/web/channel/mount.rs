//! Sockets in the table of routes: a path, and whoever says who may connect.

use super::request;
use super::user_socket::UserSocket;
use crate::sync::Arc;
use crate::web::http::{Method, Request, Response};
use crate::web::net::Responder;
use crate::web::router::{Params, Router};
use std::fmt;
use std::net::SocketAddr;

/// A client that asks to connect: all that it may be judged by.
#[derive(Clone, Copy)]
pub struct Connecting<'a> {
    /// The request, with its query, its fields and its cookies.
    pub request: &'a Request,
    /// What the variables of the path stand for.
    pub params: &'a Params,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// By what.
    pub transport: super::TransportKind,
}

impl Connecting<'_> {
    /// The value of a parameter that the client gave, which travels in the query.
    pub fn param(&self, key: &str) -> Option<String> {
        self.request
            .query_value(key)
            .map(|value| value.into_owned())
    }

    /// The token that the official client sends as `authToken`; see [`request::auth_token`].
    pub fn auth_token(&self) -> Option<String> {
        request::auth_token(self.request)
    }
}

impl fmt::Debug for Connecting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Connecting({:?}, {:?}, {})",
            self.request, self.transport, self.peer
        )
    }
}

impl<A: Send + Sync + 'static> UserSocket<A> {
    /// Adds this socket to a router, below a path that may have variables: `path/websocket` and `path/longpoll` for the
    /// official client.
    ///
    /// `connect` says what the connection knows of its client, or what a client that is not let in is answered, 403
    /// as a rule. It is asked once the page may connect and the version is spoken, on the reactor's thread: it must not
    /// wait. An application that has to ask others first answers by [`upgrade`](UserSocket::upgrade) later.
    ///
    /// ```
    /// use perennial::web::channel::{Connecting, UserSocket};
    /// use perennial::web::http::{Response, Status};
    /// use perennial::web::Router;
    /// let sockets: UserSocket<String> = UserSocket::new();
    /// let router = sockets.mount(Router::new(), "/socket", |client: &Connecting<'_>| {
    ///     client.auth_token().ok_or(Response::new(Status::FORBIDDEN))
    /// });
    /// # drop(router);
    /// ```
    pub fn mount(
        &self,
        router: Router,
        path: &str,
        connect: impl Fn(&Connecting<'_>) -> Result<A, Response> + Send + Sync + 'static,
    ) -> Router {
        let path = path.trim_end_matches('/');
        let connect = Arc::new(connect);
        let poll = |router: Router, method| {
            let (socket, connect) = (self.clone(), connect.clone());
            router.route(
                method,
                &format!("{path}/longpoll"),
                move |request: Request, params: Params, responder: Responder| {
                    let peer = responder.peer_addr();
                    socket.long_poll(request, responder, |request| {
                        connect(&Connecting {
                            request,
                            params: &params,
                            peer,
                            transport: super::TransportKind::LongPoll,
                        })
                    });
                },
            )
        };
        let methods = [Method::Get, Method::Post, Method::Options];
        let router = methods.into_iter().fold(router, poll);
        let socket = self.clone();
        router.get(
            &format!("{path}/websocket"),
            move |request: Request, params: Params, responder: Responder| {
                let peer = responder.peer_addr();
                socket.accept(&request, responder, || {
                    connect(&Connecting {
                        request: &request,
                        params: &params,
                        peer,
                        transport: super::TransportKind::WebSocket,
                    })
                });
            },
        )
    }
}
