//! PURE. The opening handshake (RFC 6455 §4.2).

use crate::web::http::{HeaderName, HeaderValue, Method, Request, Response, Status, Version};
use std::fmt;
use tungstenite::handshake::derive_accept_key;

/// A request to become a WebSocket, checked.
///
/// The origin is another question, for whoever knows what the cookie of the request is worth: see
/// [`Origins`](crate::web::http::Origins).
///
/// ```
/// use perennial::web::http::{Event, Limits, RequestDecoder};
/// use perennial::web::websocket::Handshake;
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed(b"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
///     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
/// let Ok(Some(Event::Request(request))) = decoder.next() else { panic!("complete") };
/// let handshake = Handshake::check(&request).unwrap();
/// let answer = String::from_utf8(handshake.encode()).unwrap();
/// assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    accept: String,
    offered: Vec<String>,
    selected: Option<usize>,
}

/// Why a request cannot become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The method is not GET, or the version not HTTP/1.1.
    NotGet,
    /// The request has a body, which no handshake has: its bytes would be read as frames by somebody.
    HasBody,
    /// No `Connection: Upgrade`.
    NoConnectionUpgrade,
    /// No `Upgrade: websocket`.
    NoUpgrade,
    /// No key, more than one, or not 16 bytes in base64.
    BadKey,
    /// No version, or none that we speak. Answered with 426 and the version that we do.
    BadVersion,
}

impl Handshake {
    /// Checks a request against RFC 6455 §4.2.1.
    ///
    /// # Errors
    /// See [`HandshakeError`].
    pub fn check(request: &Request) -> Result<Self, HandshakeError> {
        let headers = request.headers();
        if request.method() != Method::Get || request.version() != Version::Http11 {
            return Err(HandshakeError::NotGet);
        }
        if !request.body().is_empty() {
            return Err(HandshakeError::HasBody);
        }
        if !headers.has_token("connection", "upgrade") {
            return Err(HandshakeError::NoConnectionUpgrade);
        }
        if !headers.has_token("upgrade", "websocket") {
            return Err(HandshakeError::NoUpgrade);
        }
        if headers.count("sec-websocket-version") != 1
            || headers.get("sec-websocket-version") != Some("13")
        {
            return Err(HandshakeError::BadVersion);
        }
        let key = match headers.count("sec-websocket-key") {
            1 => headers.get("sec-websocket-key").unwrap_or(""),
            _ => return Err(HandshakeError::BadKey),
        };
        if !is_key(key) {
            return Err(HandshakeError::BadKey);
        }
        let offered = headers.members("sec-websocket-protocol").map(str::to_owned);
        Ok(Handshake {
            accept: derive_accept_key(key.as_bytes()),
            offered: offered.collect(),
            selected: None,
        })
    }

    /// The subprotocols that the client offers, its favourite first.
    pub fn offered(&self) -> &[String] {
        &self.offered
    }

    /// Selects the first of `supported` that was offered. A protocol that nobody offered cannot be selected:
    /// browsers drop such a connection.
    pub fn select(&mut self, supported: &[&str]) -> Option<&str> {
        let place = |name: &&str| self.offered.iter().position(|offer| offer == name);
        self.selected = supported.iter().find_map(place);
        self.protocol()
    }

    /// The subprotocol that was selected.
    pub fn protocol(&self) -> Option<&str> {
        self.selected.map(|at| self.offered[at].as_str())
    }

    /// The 101 that completes the handshake.
    pub fn encode(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {}\r\n",
            self.accept
        );
        if let Some(value) = self.protocol().and_then(|name| HeaderValue::new(name).ok()) {
            head.push_str("sec-websocket-protocol: ");
            head.push_str(value.as_str());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// 16 bytes in base64: 22 characters and two `=`, the last character without stray bits.
fn is_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    bytes.len() == 24
        && bytes[22..] == *b"=="
        && matches!(bytes[21], b'A' | b'Q' | b'g' | b'w')
        && bytes[..22]
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

impl HandshakeError {
    /// The answer. The connection stays usable: the request itself was read without doubt.
    pub fn response(self) -> Response {
        let response = |status, code| Response::error(status, code, &self.to_string());
        match self {
            HandshakeError::BadVersion => response(Status::UPGRADE_REQUIRED, "upgrade_required")
                .header(
                    HeaderName::SEC_WEBSOCKET_VERSION,
                    HeaderValue::from_static("13"),
                ),
            _ => response(Status::BAD_REQUEST, "bad_request"),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandshakeError::NotGet => "a WebSocket begins with a GET of HTTP/1.1",
            HandshakeError::HasBody => "a WebSocket begins with a request without a body",
            HandshakeError::NoConnectionUpgrade => "'connection' header must contain 'upgrade'",
            HandshakeError::NoUpgrade => "'upgrade' header must contain 'websocket'",
            HandshakeError::BadKey => "'sec-websocket-key' header must be 16 bytes in base64",
            HandshakeError::BadVersion => "'sec-websocket-version' header must be '13'",
        })
    }
}

impl std::error::Error for HandshakeError {}
