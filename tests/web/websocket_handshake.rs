//! The opening handshake: S-46, S-47 of the security list, RFC 6455 §4.2.

use perennial::web::http::{Event, HeaderName, Limits, Request, RequestDecoder};
use perennial::web::websocket::{Handshake, HandshakeError};

const GOOD: [&str; 5] = [
    "GET /socket HTTP/1.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

fn request(lines: &[&str]) -> Request {
    let mut decoder = RequestDecoder::new(Limits::default());
    let head = lines.join("\r\n");
    decoder.feed(format!("{head}\r\nHost: h\r\n\r\n").as_bytes());
    match decoder.next() {
        Ok(Some(Event::Request(request))) => request,
        other => panic!("{lines:?}: {other:?}"),
    }
}

/// The good request with one line replaced.
fn with(place: usize, line: &str) -> Request {
    let mut lines = GOOD.to_vec();
    lines[place] = line;
    request(&lines)
}

#[test]
fn rfc_example_is_accepted() {
    let handshake = Handshake::check(&request(&GOOD)).unwrap();
    let answer = String::from_utf8(handshake.encode()).unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn variations_that_mean_the_same_are_accepted() {
    for (place, line) in [
        (1, "Connection: keep-alive, upgrade"),
        (1, "CONNECTION:   UPGRADE  "),
        (1, "Connection: keep-alive\r\nConnection: Upgrade"),
        (2, "Upgrade: WebSocket"),
        (2, "Upgrade: h2c, websocket"),
        (4, "Sec-WebSocket-Key:  AAAAAAAAAAAAAAAAAAAAAA== "),
        (4, "Sec-WebSocket-Key: +/+/+/+/+/+/+/+/+/+/+w=="),
    ] {
        assert!(Handshake::check(&with(place, line)).is_ok(), "{line}");
    }
}

#[test]
fn everything_else_is_refused() {
    use HandshakeError::{BadKey, BadVersion, HasBody, NoConnectionUpgrade, NoUpgrade, NotGet};
    let table = [
        (0, "POST /socket HTTP/1.1", NotGet),
        (0, "HEAD /socket HTTP/1.1", NotGet),
        (0, "GET /socket HTTP/1.0", NotGet),
        (1, "X: y", NoConnectionUpgrade),
        (1, "Connection: close", NoConnectionUpgrade),
        (1, "Connection: upgraded", NoConnectionUpgrade),
        (2, "X: y", NoUpgrade),
        (2, "Upgrade: websockets", NoUpgrade),
        (3, "X: y", BadVersion),
        (3, "Sec-WebSocket-Version: 8", BadVersion),
        (3, "Sec-WebSocket-Version: 013", BadVersion),
        (3, "Sec-WebSocket-Version: 13, 8", BadVersion),
        (
            3,
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13",
            BadVersion,
        ),
        (4, "X: y", BadKey),
        (4, "Sec-WebSocket-Key:", BadKey),
        (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=", BadKey),
        (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==", BadKey),
        (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==AAAA", BadKey),
        (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", BadKey),
        (4, "Sec-WebSocket-Key: dGhlIHNhbXB-ZSBub25jZQ==", BadKey),
        (
            4,
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            BadKey,
        ),
    ];
    for (place, line, error) in table {
        assert_eq!(Handshake::check(&with(place, line)), Err(error), "{line}");
    }
    let mut decoder = RequestDecoder::new(Limits::default());
    let head = GOOD.join("\r\n");
    decoder.feed(format!("{head}\r\nHost: h\r\nContent-Length: 1\r\n\r\nx").as_bytes());
    let Ok(Some(Event::Request(request))) = decoder.next() else {
        panic!("complete");
    };
    assert_eq!(Handshake::check(&request), Err(HasBody));
}

#[test]
fn refusals_say_what_is_missing() {
    let response = HandshakeError::BadVersion.response();
    assert_eq!(response.status().code(), 426);
    assert_eq!(
        response.header_value(HeaderName::SEC_WEBSOCKET_VERSION),
        Some("13")
    );
    let response = HandshakeError::NoConnectionUpgrade.response();
    assert_eq!(response.status().code(), 400);
    let body = String::from_utf8(response.body().as_bytes().to_vec()).unwrap();
    assert!(
        body.contains("'connection' header must contain 'upgrade'"),
        "{body}"
    );
}

#[test]
fn subprotocol_is_selected_only_if_offered() {
    let token = "base64url.bearer.phx.c2VjcmV0";
    let line = format!("Upgrade: websocket\r\nSec-WebSocket-Protocol: phoenix, {token}");
    let mut handshake = Handshake::check(&with(2, &line)).unwrap();
    assert_eq!(handshake.offered(), ["phoenix", token]);
    assert_eq!(handshake.select(&["other"]), None);
    assert!(
        !String::from_utf8(handshake.encode())
            .unwrap()
            .contains("protocol:")
    );
    assert_eq!(handshake.select(&["other", "phoenix"]), Some("phoenix"));
    let answer = String::from_utf8(handshake.encode()).unwrap();
    assert!(
        answer.contains("sec-websocket-protocol: phoenix\r\n"),
        "{answer}"
    );
}
