//! What connections may cost: every limit and every deadline of the network, in one place.

use crate::web::http::{self, HeaderName, HeaderValue};
use crate::web::websocket;
use std::fmt;
use std::time::Duration;

/// Settings of a [`Listener`](super::Listener) and the reactors that serve it.
///
/// ```
/// use perennial::web::net::Config;
/// let config = Config { connections_per_ip: 0, ..Config::default() };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits of requests.
    pub http: http::Limits,
    /// Limits of WebSocket messages.
    pub websocket: websocket::Limits,
    /// Connections in total. Lowered to the limit of open files less 256, which files, database and workers need.
    pub connections_max: usize,
    /// Connections from one address (an IPv6 address counts as its /64); 0 is no limit. A browser opens at most 6 and
    /// one WebSocket for each tab, and a family or an office shares one address.
    pub connections_per_ip: usize,
    /// Connections that are no WebSocket (yet), so of people we do not know; 0 is no limit.
    pub http_connections_max: usize,
    /// Connections that the system holds until they are accepted. A restart makes everybody come at once.
    pub backlog: u32,
    /// Requests on one connection before it is closed, so that no client holds one reactor for ever.
    pub requests_max: u32,
    /// From the first byte of a head (from the accept, for the first one) to its last, however slowly they drip.
    pub header_timeout: Duration,
    /// What a body is granted before its rate counts.
    pub body_grace: Duration,
    /// Bytes per second that a body must come with on average after its grace.
    pub body_rate_min: u32,
    /// How long a connection may stay open between two requests.
    pub keep_alive: Duration,
    /// How long a service may take to answer; then the client gets 503 and the answer is thrown away.
    pub response_timeout: Duration,
    /// How long a peer may accept no byte while there is something to send.
    pub write_timeout: Duration,
    /// Silence of a WebSocket after which it is sent a ping.
    pub ping_after: Duration,
    /// Silence of a WebSocket after which it is closed: the peer is gone, or it would have answered the pings.
    pub silence_max: Duration,
    /// How long a peer may take to answer a Close.
    pub close_timeout: Duration,
    /// How long a connection that we ended is still read, so that our last words are not lost to a reset.
    pub linger: Duration,
    /// Frames that wait for one client. More than that and it is no longer keeping up.
    pub out_frames_max: usize,
    /// Bytes that wait for one client. One that has nothing to read is sent a frame of any length.
    pub out_bytes_max: usize,
    /// Messages of one client that are being handled; then it is not read until some are done.
    pub in_frames_max: usize,
    /// Bytes of messages of one client that are being handled.
    pub in_bytes_max: usize,
    /// Fields that every response gets unless it has its own: the security headers of an application.
    pub response_headers: Vec<(HeaderName, HeaderValue)>,
}

impl Default for Config {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Config {
            http: http::Limits::default(),
            websocket: websocket::Limits::default(),
            connections_max: 10_000,
            connections_per_ip: 64,
            http_connections_max: 1024,
            backlog: 1024,
            requests_max: 1000,
            header_timeout: seconds(10),
            body_grace: seconds(10),
            body_rate_min: 500,
            keep_alive: seconds(60),
            response_timeout: seconds(30),
            write_timeout: seconds(30),
            ping_after: seconds(25),
            silence_max: seconds(75),
            close_timeout: seconds(5),
            linger: seconds(2),
            out_frames_max: 256,
            out_bytes_max: 1024 * 1024,
            in_frames_max: 32,
            in_bytes_max: 128 * 1024,
            response_headers: Vec::new(),
        }
    }
}

impl Config {
    /// Checks that the numbers can work together.
    ///
    /// # Errors
    /// [`InvalidConfig`] with the first that cannot.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let checks = [
            (self.connections_max > 0, "connections_max is 0"),
            (self.requests_max > 0, "requests_max is 0"),
            (self.body_rate_min > 0, "body_rate_min is 0"),
            (self.out_frames_max > 0, "out_frames_max is 0"),
            (self.out_bytes_max > 0, "out_bytes_max is 0"),
            (self.in_frames_max > 0, "in_frames_max is 0"),
            (self.in_bytes_max > 0, "in_bytes_max is 0"),
            (
                self.ping_after < self.silence_max,
                "ping_after is not below silence_max",
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(InvalidConfig(what)),
            None => Ok(()),
        }
    }
}

/// Numbers that cannot work together; says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidConfig(pub &'static str);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checking the network's settings: {}", self.0)
    }
}

impl std::error::Error for InvalidConfig {}
