//! Responses as bytes.

use perennial::web::http::{
    Body, Event, Framing, HeaderName, HeaderValue, Limits, RequestDecoder, RequestError, Response,
    Status, Version, imf_fixdate,
};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

const KEEP: Framing = Framing {
    version: Version::Http11,
    head_only: false,
    keep_alive: true,
};

fn text(response: Response, framing: Framing) -> String {
    let encoded = response.encode(framing, DATE);
    let mut bytes = encoded.head;
    bytes.extend_from_slice(encoded.body.as_bytes());
    String::from_utf8(bytes).expect("responses of these tests are text")
}

#[test]
fn content_carries_its_length() {
    assert_eq!(
        text(Response::new(Status::OK).text("hi"), KEEP),
        format!(
            "HTTP/1.1 200 OK\r\ndate: {DATE}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 2\r\n\r\nhi"
        )
    );
}

#[test]
fn head_has_the_length_and_no_content() {
    let framing = Framing {
        head_only: true,
        ..KEEP
    };
    let answer = text(Response::new(Status::OK).text("hi"), framing);
    assert!(answer.contains("content-length: 2\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn bodiless_status_has_neither() {
    for status in [Status::NO_CONTENT, Status::NOT_MODIFIED] {
        let answer = text(Response::new(status).text("never"), KEEP);
        assert!(!answer.contains("content-length"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn empty_content_has_length_zero() {
    let answer = text(Response::new(Status::OK), KEEP);
    assert!(answer.contains("content-length: 0\r\n"), "{answer}");
}

#[test]
fn connection_field_follows_version_and_wish() {
    let table = [
        (Version::Http11, true, false, None),
        (Version::Http11, false, false, Some("close")),
        (Version::Http11, true, true, Some("close")),
        (Version::Http10, true, false, Some("keep-alive")),
        (Version::Http10, false, false, Some("close")),
    ];
    for (version, keep_alive, close, expected) in table {
        let framing = Framing {
            version,
            head_only: false,
            keep_alive,
        };
        let mut response = Response::new(Status::OK);
        if close {
            response = response.close();
        }
        let encoded = response.encode(framing, DATE);
        let head = String::from_utf8(encoded.head).unwrap();
        let field = head
            .lines()
            .find_map(|line| line.strip_prefix("connection: "));
        assert_eq!(field, expected, "{framing:?} {close}");
        assert_eq!(encoded.close, expected == Some("close"));
        assert!(head.starts_with("HTTP/1.1 "));
    }
}

#[test]
fn header_with_a_line_end_cannot_be_built() {
    for bad in ["a\r\nb: c", "a\nb", "a\rb", "a\0", "caf\u{e9}", "\u{7f}"] {
        assert!(HeaderValue::new(bad).is_err(), "{bad:?}");
    }
    assert!(HeaderValue::new("a\tb c~").is_ok());
}

#[test]
fn framing_header_cannot_be_named() {
    for name in [
        "content-length",
        "transfer-encoding",
        "connection",
        "Etag",
        "a b",
        "",
    ] {
        let refused = std::panic::catch_unwind(|| HeaderName::from_static(name)).is_err();
        assert!(refused, "{name:?}");
    }
}

#[test]
fn default_header_yields_to_an_own_one() {
    let value = HeaderValue::from_static("no-store");
    let own = Response::new(Status::OK)
        .header(
            HeaderName::CACHE_CONTROL,
            HeaderValue::from_static("max-age=60"),
        )
        .default_header(HeaderName::CACHE_CONTROL, &value);
    assert_eq!(
        own.header_value(HeaderName::CACHE_CONTROL),
        Some("max-age=60")
    );
    let plain = Response::new(Status::OK).default_header(HeaderName::CACHE_CONTROL, &value);
    assert_eq!(
        plain.header_value(HeaderName::CACHE_CONTROL),
        Some("no-store")
    );
}

#[test]
fn static_content_is_not_copied() {
    static PAGE: &[u8] = b"<!doctype html>";
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let encoded = Response::new(Status::OK)
        .content(html, Body::Static(PAGE))
        .encode(KEEP, DATE);
    assert!(std::ptr::eq(encoded.body.as_bytes(), PAGE));
}

#[test]
fn refusals_close_and_say_why() {
    let table = [
        (
            RequestError::Malformed("x"),
            "400 Bad Request",
            "bad_request",
        ),
        (
            RequestError::MethodNotAllowed,
            "405 Method Not Allowed",
            "method_not_allowed",
        ),
        (
            RequestError::BodyTooLarge,
            "413 Content Too Large",
            "content_too_large",
        ),
        (
            RequestError::TargetTooLong,
            "414 URI Too Long",
            "uri_too_long",
        ),
        (
            RequestError::ExpectationFailed,
            "417 Expectation Failed",
            "expectation_failed",
        ),
        (
            RequestError::HeadTooLarge,
            "431 Request Header Fields Too Large",
            "request_header_fields_too_large",
        ),
        (
            RequestError::UnknownMethod,
            "501 Not Implemented",
            "not_implemented",
        ),
        (
            RequestError::UnknownTransferCoding,
            "501 Not Implemented",
            "not_implemented",
        ),
        (
            RequestError::UnsupportedVersion,
            "505 HTTP Version Not Supported",
            "http_version_not_supported",
        ),
    ];
    for (error, line, code) in table {
        let answer = text(Response::refusal(error), Framing::CLOSE);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {line}\r\n")),
            "{answer}"
        );
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
    let answer = text(
        Response::refusal(RequestError::MethodNotAllowed),
        Framing::CLOSE,
    );
    assert!(
        answer.contains("allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"),
        "{answer}"
    );
}

#[test]
fn framing_comes_from_the_request() {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let Ok(Some(Event::Request(request))) = decoder.next() else {
        panic!("complete");
    };
    let framing = request.framing(true);
    assert!(framing.head_only && framing.keep_alive && framing.version == Version::Http10);
    assert!(!request.framing(false).keep_alive);
}

#[test]
fn dates_are_those_of_the_calendar() {
    let table = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_795_368_340, "Sun, 22 Nov 2026 17:25:40 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (13_574_606_400, "Tue, 29 Feb 2400 12:00:00 GMT"),
    ];
    for (seconds, text) in table {
        assert_eq!(imf_fixdate(seconds), text);
    }
}
