//! The request decoder against the table of raw cases, whole and cut in every way.

use crate::http_cases::{self, Case, Expect};
use perennial::web::http::{Event, Limits, Progress, RequestDecoder, RequestError};
use proptest::prelude::*;

fn limits() -> Limits {
    Limits {
        body_max: 1024,
        ..Limits::default()
    }
}

/// What came out of a decoder, in a form that can be compared.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Continue,
    Request(String),
    Refused(RequestError),
}

fn take(decoder: &mut RequestDecoder, seen: &mut Vec<Seen>) {
    loop {
        match decoder.next() {
            Ok(None) => return,
            Ok(Some(Event::Continue)) => seen.push(Seen::Continue),
            Ok(Some(Event::Request(request))) => {
                let fields: Vec<_> = request.headers().iter().collect();
                seen.push(Seen::Request(format!(
                    "{:?} {:?} {:?} {fields:?} {:?}",
                    request.method(),
                    request.version(),
                    request.target(),
                    request.body(),
                )));
            }
            Err(error) => {
                if !matches!(seen.last(), Some(Seen::Refused(_))) {
                    seen.push(Seen::Refused(error));
                }
                return;
            }
        }
    }
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = RequestDecoder::new(limits());
    let mut seen = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        take(&mut decoder, &mut seen);
    }
    seen
}

#[track_caller]
fn check(case: &Case) {
    let mut decoder = RequestDecoder::new(limits());
    decoder.feed(&case.bytes);
    let mut next = decoder.next();
    let continued = matches!(next, Ok(Some(Event::Continue)));
    if continued {
        next = decoder.next();
    }
    let expected_continue = matches!(case.expect, Expect::Continue(..));
    assert_eq!(continued, expected_continue, "{}", case.name);
    match (case.expect, next) {
        (
            Expect::Ok(method, path, body) | Expect::Continue(method, path, body),
            Ok(Some(Event::Request(request))),
        ) => {
            assert_eq!(request.method().as_str(), method, "{}", case.name);
            assert_eq!(request.path(), path, "{}", case.name);
            assert_eq!(request.body(), body, "{}", case.name);
            assert_eq!(decoder.progress(), Progress::Idle, "{}", case.name);
        }
        (Expect::Refused(status), Err(error)) => {
            assert_eq!(error.status().code(), status, "{}: {error}", case.name);
        }
        (Expect::Partial, Ok(None)) => {}
        (expect, next) => panic!("{}: expected {expect:?}, got {next:?}", case.name),
    }
}

#[test]
fn every_raw_case_ends_as_the_table_says() {
    let cases = http_cases::all();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    for case in &cases {
        check(case);
    }
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    for case in http_cases::all() {
        assert_eq!(
            decode(case.bytes.chunks(1)),
            decode([case.bytes.as_slice()]),
            "{}",
            case.name
        );
    }
}

#[test]
fn request_line_at_the_limit_is_accepted() {
    // The path is too long for the table's static strings.
    let path = "a".repeat(8000 - "GET / HTTP/1.1".len());
    let seen = decode([format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()]);
    assert!(matches!(seen[..], [Seen::Request(_)]), "{seen:?}");
}

#[test]
fn pipelined_requests_come_one_by_one() {
    let mut decoder = RequestDecoder::new(limits());
    decoder.feed(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut paths = Vec::new();
    while let Ok(Some(Event::Request(request))) = decoder.next() {
        paths.push(request.path().to_owned());
    }
    assert_eq!(paths, ["/1", "/2", "/3"]);
    assert_eq!(decoder.progress(), Progress::Idle);
}

#[test]
fn bytes_after_an_error_are_never_a_request() {
    let mut decoder = RequestDecoder::new(limits());
    decoder.feed(b"GET / HTTP/1.1\n\r\n");
    assert!(decoder.next().is_err());
    decoder.feed(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(decoder.next().is_err());
}

#[test]
fn smuggled_request_in_a_chunked_body_is_not_seen() {
    // The classic CL.TE pair: whoever reads the length sees one request, whoever reads the chunks sees two.
    let raw = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: h\r\n\r\n";
    assert!(matches!(decode([raw.as_slice()])[..], [Seen::Refused(_)]));
}

#[test]
fn progress_tells_which_deadline_applies() {
    let mut decoder = RequestDecoder::new(limits());
    assert_eq!(decoder.progress(), Progress::Idle);
    decoder.feed(b"POST / HTTP/1.1\r\n");
    assert!(matches!(decoder.next(), Ok(None)));
    assert_eq!(decoder.progress(), Progress::Head);
    decoder.feed(b"Host: h\r\nContent-Length: 4\r\n\r\nab");
    assert!(matches!(decoder.next(), Ok(None)));
    assert_eq!(decoder.progress(), Progress::Body(2));
}

#[test]
fn bytes_after_a_request_are_given_back() {
    let mut decoder = RequestDecoder::new(limits());
    decoder.feed(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n\x81\x80");
    assert!(matches!(decoder.next(), Ok(Some(Event::Request(_)))));
    assert_eq!(decoder.into_rest(), b"\x81\x80");
}

#[test]
fn keep_alive_follows_version_and_connection() {
    let table = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: Keep-Alive, Close\r\n", false),
        (
            "HTTP/1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("HTTP/1.1", "Connection: closed\r\n", true),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: keep-alive\r\n", true),
    ];
    for (version, field, keep) in table {
        let mut decoder = RequestDecoder::new(limits());
        decoder.feed(format!("GET / {version}\r\nHost: h\r\n{field}\r\n").as_bytes());
        let Ok(Some(Event::Request(request))) = decoder.next() else {
            panic!("{version} {field}");
        };
        assert_eq!(request.keep_alive(), keep, "{version} {field}");
    }
}

#[test]
fn fields_are_found_in_any_case_and_order() {
    let mut decoder = RequestDecoder::new(limits());
    decoder.feed(
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A:  one \r\nx-b: caf\xe9\r\nX-a: two, three ,\r\n\r\n",
    );
    let Ok(Some(Event::Request(request))) = decoder.next() else {
        panic!("complete");
    };
    let headers = request.headers();
    assert_eq!(headers.get("x-a"), Some("one"));
    assert_eq!(
        headers.all("X-A").collect::<Vec<_>>(),
        ["one", "two, three ,"]
    );
    assert_eq!(
        headers.members("x-a").collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    assert!(headers.has_token("x-a", "THREE") && !headers.has_token("x-a", "four"));
    assert_eq!(headers.get("x-b"), None);
    assert_eq!(headers.count("x-b"), 1);
    assert_eq!(headers.len(), 4);
}

#[test]
fn debug_of_a_request_hides_what_is_secret() {
    let mut decoder = RequestDecoder::new(limits());
    decoder.feed(b"POST /a?token=hush HTTP/1.1\r\nHost: h\r\nCookie: sid=hush\r\nContent-Length: 4\r\n\r\nhush");
    let Ok(Some(Event::Request(request))) = decoder.next() else {
        panic!("complete");
    };
    let debug = format!("{request:?} {:?}", request.headers());
    assert!(!debug.contains("hush"), "{debug}");
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_requests(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        cuts in prop::collection::vec(1_usize..40, 0..80),
    ) {
        let cases = http_cases::all();
        let mut bytes = Vec::new();
        for pick in picks {
            bytes.extend_from_slice(&pick.get(&cases).bytes);
        }
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(decode(pieces), decode([bytes.as_slice()]));
    }

    #[test]
    fn noise_is_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        decode(bytes.chunks(7));
    }

    #[test]
    fn noise_in_a_request_is_never_a_panic(
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let cases = http_cases::all();
        let mut bytes = pick.get(&cases).bytes.clone();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(decode(bytes.chunks(3)), decode([bytes.as_slice()]));
    }
}
