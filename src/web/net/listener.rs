//! The listening socket, and accepting from it whatever the system says.

use super::gate::Gate;
use super::{Config, InvalidConfig};
use crate::sync::Arc;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// A bound socket and the settings of the connections that come through it.
///
/// It is a value apart from the [`Reactor`](super::Reactor), so that a reactor that dies takes its connections with
/// it and not the port: those who wait in the backlog are served by its successor. Several reactors may share one.
///
/// ```
/// use perennial::web::net::{Config, Listener};
/// let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Config::default()).unwrap();
/// assert_ne!(listener.local_addr().port(), 0);
/// ```
#[derive(Clone)]
pub struct Listener {
    socket: Arc<TcpListener>,
    addr: SocketAddr,
    pub(super) gate: Arc<Gate>,
    pub(super) config: Arc<Config>,
}

/// Why a listener could not be bound.
#[derive(Debug)]
pub enum BindError {
    /// The settings contradict each other.
    Config(InvalidConfig),
    /// The system refused, most often because the port is taken.
    Io(SocketAddr, io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Config(error) => error.fmt(f),
            BindError::Io(addr, error) => write!(f, "listening on {addr}: {error}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BindError::Config(error) => Some(error),
            BindError::Io(_, error) => Some(error),
        }
    }
}

impl Listener {
    /// Binds and listens. Port 0 picks a free one. `[::]` takes IPv4 connections too.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(addr: SocketAddr, config: Config) -> Result<Self, BindError> {
        config.check().map_err(BindError::Config)?;
        let bound = open(addr, config.backlog).and_then(|socket| {
            let addr = socket.local_addr()?;
            Ok((socket, addr))
        });
        let (socket, addr) = bound.map_err(|error| BindError::Io(addr, error))?;
        Ok(Listener {
            socket: Arc::new(socket),
            addr,
            gate: Arc::new(Gate::new(&config)),
            config: Arc::new(config),
        })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections there are, over all reactors.
    pub fn connections(&self) -> usize {
        self.gate.len()
    }

    pub(super) fn acceptor(&self) -> io::Result<Acceptor> {
        Ok(Acceptor {
            listener: mio::net::TcpListener::from_std(self.socket.try_clone()?),
            reserve: Some(self.socket.try_clone()?),
            source: Arc::clone(&self.socket),
        })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({}, {:?})", self.addr, self.gate)
    }
}

fn open(addr: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Without it a restart fails for as long as connections of the last run linger in TIME_WAIT. On Windows the
    // option means something else: that another program may take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// A reactor's own handle on a listening socket.
pub(super) struct Acceptor {
    pub(super) listener: mio::net::TcpListener,
    /// A descriptor that is given up when there is no other, so that a connection can still be accepted to be told so.
    /// Not accepting would leave it in the backlog, and the client waiting for nothing.
    reserve: Option<TcpListener>,
    source: Arc<TcpListener>,
}

/// What accepting led to.
#[derive(Debug)]
pub(super) enum Accepted {
    Stream(mio::net::TcpStream, SocketAddr),
    /// There was no descriptor for it: to be refused and dropped at once.
    Reserve(mio::net::TcpStream, SocketAddr),
    /// The client has gone before it was accepted; go on.
    Gone,
    /// Nobody waits.
    Empty,
    /// The system has no resources; somebody may wait, and no event will tell. Try again a little later.
    Failed(io::Error),
}

/// `EMFILE` and `ENFILE`: no descriptor left for the process, for the system.
const NO_FILE: [i32; 2] = [24, 23];

impl Acceptor {
    pub(super) fn accept(&mut self) -> Accepted {
        match self.listener.accept() {
            Ok((stream, peer)) => Accepted::Stream(stream, peer),
            Err(error) if is_no_file(&error) => self.accept_by_reserve(error),
            Err(error) => without_stream(error),
        }
    }

    fn accept_by_reserve(&mut self, error: io::Error) -> Accepted {
        if self.reserve.take().is_none() {
            return self.refill(Accepted::Failed(error));
        }
        match self.listener.accept() {
            Ok((stream, peer)) => Accepted::Reserve(stream, peer),
            Err(error) => self.refill(without_stream(error)),
        }
    }

    /// Gets a descriptor back into reserve, once that of a refused connection is closed.
    pub(super) fn restock(&mut self) {
        if self.reserve.is_none() {
            self.reserve = self.source.try_clone().ok();
        }
    }

    fn refill(&mut self, accepted: Accepted) -> Accepted {
        self.restock();
        accepted
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({:?})", self.listener)
    }
}

fn is_no_file(error: &io::Error) -> bool {
    cfg!(unix)
        && error
            .raw_os_error()
            .is_some_and(|code| NO_FILE.contains(&code))
}

fn without_stream(error: io::Error) -> Accepted {
    match error.kind() {
        io::ErrorKind::WouldBlock => Accepted::Empty,
        io::ErrorKind::Interrupted
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset => Accepted::Gone,
        _ => Accepted::Failed(error),
    }
}
