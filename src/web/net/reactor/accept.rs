//! The part of a reactor that lets connections in, or tells them why not.

use super::{Reactor, list};
use crate::sync::Arc;
use crate::web::net::conn::{Conn, Scope};
use crate::web::net::gate::Refusal;
use crate::web::net::line::{Bounds, Line};
use crate::web::net::listener::Accepted;
use crate::web::net::table::ConnectionId;
use crate::web::net::{AcceptFailed, ConnectionRefused};
use mio::{Interest, Token};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
/// The longest that Linux takes: a 31-bit number of milliseconds.
const USER_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// Connections accepted in one turn: the others have waited for their turn already.
const ACCEPTS_MAX: usize = 64;

/// Refused connections that linger to read their 503; above it they are dropped at once, as they are not counted.
const REFUSED_MAX: usize = 64;

/// How long to wait before accepting again after the system had no resources: no event will tell.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Silence after which the system asks whether the peer is there, for connections of which we expect nothing.
const KEEPALIVE: Duration = Duration::from_secs(60);

impl Reactor {
    pub(super) fn accept(&mut self, now: Instant) {
        if self.accept_again_at.is_some_and(|at| now < at) {
            return;
        }
        self.accept_again_at = None;
        for _ in 0..ACCEPTS_MAX {
            let Some(acceptor) = self.acceptor.as_mut().filter(|_| self.may_accept) else {
                return;
            };
            match acceptor.accept() {
                Accepted::Stream(stream, peer) => self.admit(stream, peer, now),
                Accepted::Reserve(stream, peer) => {
                    // Dropped at once after its 503: it holds the descriptor that the next one will need.
                    self.refuse(stream, peer, Refusal::NoFile, now);
                    if let Some(acceptor) = &mut self.acceptor {
                        acceptor.restock();
                    }
                }
                Accepted::Gone => {}
                Accepted::Empty => self.may_accept = false,
                Accepted::Failed(error) => {
                    self.accept_again_at = Some(now + ACCEPT_RETRY);
                    self.telemetry.emit(|| AcceptFailed {
                        error: error.raw_os_error(),
                        kind: error.kind(),
                    });
                    return;
                }
            }
        }
    }

    fn admit(&mut self, stream: mio::net::TcpStream, peer: SocketAddr, now: Instant) {
        let permit = match self.listener.gate.admit(peer.ip()) {
            Ok(permit) => permit,
            Err(why) => return self.refuse(stream, peer, why, now),
        };
        tune(&stream, self.listener.config.write_timeout);
        let config = Arc::clone(&self.listener.config);
        self.insert(peer, |line| Conn::new(stream, line, permit, &config, now));
    }

    /// Tells a connection 503 and lets it linger for as long as there are not too many of these.
    fn refuse(
        &mut self,
        stream: mio::net::TcpStream,
        peer: SocketAddr,
        why: Refusal,
        now: Instant,
    ) {
        self.telemetry.emit(|| ConnectionRefused { peer, why });
        let service = Arc::clone(&self.service);
        let telemetry = self.telemetry.clone();
        let config = Arc::clone(&self.listener.config);
        let date = self.date.text.clone();
        let scope = Scope {
            now,
            config: &config,
            service: &service,
            telemetry: &telemetry,
            date: &date,
            drain_until: self.drain.as_ref().map(|drain| drain.until),
        };
        let id = self.insert(peer, |line| Conn::refused(stream, line, &scope));
        self.refused += usize::from(id.is_some());
        let Some(id) = id.filter(|_| self.refused > REFUSED_MAX || why == Refusal::NoFile) else {
            return;
        };
        if let Some(conn) = self.conns.get_mut(id) {
            conn.run(&mut self.buf, &scope);
        }
        self.remove(id);
    }

    fn insert(
        &mut self,
        peer: SocketAddr,
        make: impl FnOnce(Arc<Line>) -> Conn,
    ) -> Option<ConnectionId> {
        let config = &self.listener.config;
        let bounds = Bounds {
            out_frames_max: config.out_frames_max,
            out_bytes_max: config.out_bytes_max,
            in_frames_max: config.in_frames_max,
            in_bytes_max: config.in_bytes_max,
        };
        let registry = self.poll.registry();
        let post = self.inbox.post();
        let inserted = self.conns.insert(|id| {
            let mut conn = make(Arc::new(Line::new(id, peer, bounds, post)));
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = Token(id.index as usize);
            registry.register(conn.stream_mut(), token, interest)?;
            io::Result::Ok(conn)
        });
        match inserted {
            Ok(id) => {
                if let Some(conn) = self.conns.get_mut(id) {
                    list(&mut self.ready, conn, id);
                }
                Some(id)
            }
            Err(error) => {
                self.telemetry.emit(|| AcceptFailed {
                    error: error.raw_os_error(),
                    kind: error.kind(),
                });
                None
            }
        }
    }
}

/// Options that make a socket quicker or tell us sooner that its peer is gone. One that the system lacks is no reason
/// to send anybody away: our own deadlines find out too.
///
/// The system gives up on a peer that acknowledges nothing, or has no room, for as long as we would; left to itself it
/// takes a quarter of an hour.
fn tune(stream: &mio::net::TcpStream, write_timeout: Duration) {
    let socket = SockRef::from(stream);
    let _ = stream.set_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(write_timeout.min(USER_TIMEOUT_MAX)));
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Else a client that may be slow, by the settings, is lost to the system.
    #[test]
    fn system_is_as_patient_as_the_settings() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let stream = mio::net::TcpStream::connect(addr).expect("a connection");
        for seconds in [1, 30, 3_600, 10 * 365 * 24 * 3_600] {
            let timeout = Duration::from_secs(seconds);
            tune(&stream, timeout);
            let told = SockRef::from(&stream).tcp_user_timeout().expect("it says");
            assert_eq!(told, Some(timeout.min(USER_TIMEOUT_MAX)));
        }
    }
}
