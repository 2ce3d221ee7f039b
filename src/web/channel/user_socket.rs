//! Where connections come from: the channels that a client may join, and how much it may ask for.

use super::callback::{self, Channel};
use super::check_origin::CheckOrigin;
use super::codec::Limits;
use super::connection::{self, Connection};
use super::link::{Link, ToChannel};
use super::long_poll::{LongPoll, Sessions};
use super::message::{Payload, WireRef};
use super::router::Routes;
use super::socket::{Socket, SocketLimits};
use super::transport::Transport;
use super::vsn::Vsn;
use crate::behaviour::gen_server;
use crate::pid::MonitorRef;
use crate::process::{Recipient, StartError};
use crate::service::rate_limit::Bucket;
use crate::sync::Arc;
use std::fmt;
use std::marker::PhantomData;

/// The channels of one kind of connection. `A` is what a connection knows of its client.
///
/// See the [module](crate::web::channel) for an example.
pub struct UserSocket<A: Send + Sync + 'static> {
    routes: Arc<Routes<Route<A>>>,
    limits: Limits,
    socket_limits: SocketLimits,
    id: Option<Id<A>>,
    pub(super) check_origin: CheckOrigin,
    /// `None` if the socket does not care.
    pub(super) subprotocols: Option<Arc<[String]>>,
    pub(super) long_poll: LongPoll,
    pub(super) sessions: Sessions,
}

/// The id of a socket, from what it knows of its client.
type Id<A> = Arc<dyn Fn(&A) -> Option<String> + Send + Sync>;

impl<A: Send + Sync + 'static> UserSocket<A> {
    /// A socket on which nothing can be joined.
    pub fn new() -> Self {
        UserSocket {
            routes: Arc::new(Routes::new()),
            limits: Limits::default(),
            socket_limits: SocketLimits::default(),
            id: None,
            check_origin: CheckOrigin::default(),
            subprotocols: None,
            long_poll: LongPoll::default(),
            sessions: Sessions::default(),
        }
    }

    /// Adds a channel for one topic (`"room:lobby"`), or for all with a prefix (`"room:*"`); the first that fits
    /// serves. Each of these channels gets a clone of `args`.
    ///
    /// # Panics
    /// If there is a `*` anywhere but at the end.
    #[must_use]
    pub fn channel<C: Channel<Assigns = A>>(self, pattern: &str, args: C::Args) -> Self {
        let route = Route(Arc::new(Served::<C>(args, PhantomData)));
        let routes = Routes::clone(&self.routes).channel(pattern, route);
        UserSocket {
            routes: Arc::new(routes),
            ..self
        }
    }

    /// How much of a client's frame is accepted.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        UserSocket { limits, ..self }
    }

    /// How much one connection may ask for.
    #[must_use]
    pub fn socket_limits(self, socket_limits: SocketLimits) -> Self {
        UserSocket {
            socket_limits,
            ..self
        }
    }

    /// Gives each socket an id, such as `users:7`, by which [`endpoint::disconnect`](super::endpoint::disconnect) finds
    /// all that one user has; `None` for one that has none.
    #[must_use]
    pub fn id(self, id: impl Fn(&A) -> Option<String> + Send + Sync + 'static) -> Self {
        UserSocket {
            id: Some(Arc::new(id)),
            ..self
        }
    }

    /// Which pages may connect. Default: those of this server, [`CheckOrigin::conn`].
    #[must_use]
    pub fn check_origin(self, check_origin: CheckOrigin) -> Self {
        UserSocket {
            check_origin,
            ..self
        }
    }

    /// Subprotocols that are spoken, the favourite first: a client that offers some and none of these is refused with
    /// 403, and one that offers none is let in. Unless said, `phoenix` is selected where it is offered, and nothing is
    /// refused. A token among the offers counts as none.
    #[must_use]
    pub fn subprotocols<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        UserSocket {
            subprotocols: Some(names.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// How long poll is to be, for clients that cannot have a WebSocket.
    #[must_use]
    pub fn long_poll_config(self, long_poll: LongPoll) -> Self {
        UserSocket { long_poll, ..self }
    }

    /// Starts the process of a connection that was accepted, and whose client speaks version 2.0.0.
    ///
    /// # Errors
    /// [`StartError`] if the runtime has no room for it or is shutting down.
    pub fn connect(&self, assigns: A, transport: impl Transport) -> Result<Connection, StartError> {
        self.connect_with(Vsn::V2, assigns, transport)
    }

    /// [`connect`](UserSocket::connect) for a client that speaks another version.
    ///
    /// # Errors
    /// As [`connect`](UserSocket::connect).
    pub fn connect_with(
        &self,
        vsn: Vsn,
        assigns: A,
        transport: impl Transport,
    ) -> Result<Connection, StartError> {
        let start = connection::Start {
            vsn,
            id: self.id.as_ref().and_then(|id| id(&assigns)),
            socket: Socket::new(self.routes.clone(), self.socket_limits),
            limits: self.limits,
            assigns: Arc::new(assigns),
            transport: Box::new(transport),
            events_max: self.socket_limits.events_max,
            frames: Bucket::new(self.socket_limits.frames),
        };
        // Pooled whatever the runtime's default is: there are as many as there are clients.
        let process = gen_server::spec::<connection::Server<A>>(start).pooled();
        Ok(Connection::new(process.label("connection").start()?))
    }
}

/// A clone has the same channels.
impl<A: Send + Sync + 'static> Clone for UserSocket<A> {
    fn clone(&self) -> Self {
        UserSocket {
            routes: self.routes.clone(),
            limits: self.limits,
            socket_limits: self.socket_limits,
            id: self.id.clone(),
            check_origin: self.check_origin.clone(),
            subprotocols: self.subprotocols.clone(),
            long_poll: self.long_poll,
            sessions: self.sessions.clone(),
        }
    }
}

impl<A: Send + Sync + 'static> Default for UserSocket<A> {
    fn default() -> Self {
        UserSocket::new()
    }
}

impl<A: Send + Sync + 'static> fmt::Debug for UserSocket<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserSocket")
            .field("limits", &self.limits)
            .field("socket_limits", &self.socket_limits)
            .field("check_origin", &self.check_origin)
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}

/// A kind of channel whose type is hidden.
pub(super) struct Route<A>(Arc<dyn Serve<A>>);

impl<A> Clone for Route<A> {
    fn clone(&self) -> Self {
        Route(self.0.clone())
    }
}

/// A channel process that was started, as its connection knows it.
pub(super) type Started = (Recipient<ToChannel>, MonitorRef);

impl<A> Route<A> {
    /// Starts a channel for a join, monitored by the connection that runs.
    pub(super) fn start(
        &self,
        link: Arc<Link>,
        assigns: Arc<A>,
        msg_ref: WireRef,
        payload: Payload,
    ) -> Result<Started, StartError> {
        self.0.start(link, assigns, msg_ref, payload)
    }
}

trait Serve<A>: Send + Sync {
    fn start(
        &self,
        link: Arc<Link>,
        assigns: Arc<A>,
        msg_ref: WireRef,
        payload: Payload,
    ) -> Result<Started, StartError>;
}

struct Served<C: Channel>(C::Args, PhantomData<fn() -> C>);

impl<C: Channel> Serve<C::Assigns> for Served<C> {
    fn start(
        &self,
        link: Arc<Link>,
        assigns: Arc<C::Assigns>,
        msg_ref: WireRef,
        payload: Payload,
    ) -> Result<Started, StartError> {
        let label = link.topic.clone();
        let start = callback::Start {
            args: self.0.clone(),
            link,
            assigns,
            msg_ref,
            payload,
        };
        let spec = gen_server::spec::<callback::Server<C>>(start).label(label);
        let (process, monitor) = spec.start_monitor()?;
        Ok((process.recipient(callback::Msg::Wire), monitor))
    }
}
