//! Which pages may connect, by table: the cases of Phoenix's `socket/transport_test.exs`.

use perennial::web::channel::{CheckOrigin, OriginUri};
use perennial::web::http::{Event, Limits, Request, RequestDecoder};

fn request(host: &str, origin: Option<&str>) -> Request {
    let mut decoder = RequestDecoder::new(Limits::default());
    let origin = origin.map_or(String::new(), |origin| format!("Origin: {origin}\r\n"));
    decoder.feed(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n").as_bytes());
    match decoder.next() {
        Ok(Some(Event::Request(request))) => request,
        other => panic!("{origin:?}: {other:?}"),
    }
}

/// Which of these origins are accepted from a client that asked for `h:4000`.
#[track_caller]
fn check(rule: &CheckOrigin, accepted: &[&str], refused: &[&str]) {
    assert!(
        rule.allows(&request("h:4000", None)),
        "{rule:?}: no browser, no origin"
    );
    for (origins, is_accepted) in [(accepted, true), (refused, false)] {
        for origin in origins {
            assert_eq!(
                rule.allows(&request("h:4000", Some(origin))),
                is_accepted,
                "{rule:?}: {origin}"
            );
        }
    }
}

fn list(entries: &[&str]) -> CheckOrigin {
    CheckOrigin::list(entries).expect("a list of origins")
}

#[test]
fn origins_are_accepted_by_the_rule_of_the_socket() {
    // E96.
    check(
        &CheckOrigin::off(),
        &["http://evil", "null", "file://", "what"],
        &[],
    );
    let host = CheckOrigin::host("example.com").expect("a host");
    check(
        &host,
        &[
            "http://example.com",
            "https://EXAMPLE.com:8443",
            "//example.com",
        ],
        &["http://www.example.com", "http://example.com.evil", "null"],
    );
    check(
        &CheckOrigin::conn(),
        &["http://h:4000", "HTTP://H:4000"],
        &[
            "https://h:4000",
            "http://h",
            "http://h:80",
            "http://i:4000",
            "http://h:4000/path",
            "http://u@h:4000",
            "null",
        ],
    );
    check(
        &list(&[
            "https://example.com",
            "http://scheme.com",
            "//port.com:81",
            "//bare.com",
        ]),
        &[
            "https://example.com",
            "https://example.com:443",
            "http://scheme.com:80",
            "http://port.com:81",
            "https://port.com:81",
            "ftp://bare.com:7",
        ],
        &[
            "http://example.com",
            "https://example.com:444",
            "https://scheme.com",
            "http://port.com",
            "http://port.com:82",
            "http://other.com",
        ],
    );
    check(
        &list(&["//*.example.com", "https://*.deep.org:8443"]),
        &[
            "http://example.com",
            "http://a.example.com",
            "http://b.a.EXAMPLE.com:4",
            "https://x.deep.org:8443",
            "https://deep.org:8443",
        ],
        &[
            "http://badexample.com",
            "http://example.com.evil.org",
            "http://.evil",
            "https://x.deep.org",
            "http://x.deep.org:8443",
        ],
    );
    check(
        &list(&["//[::1]:4000"]),
        &["http://[::1]:4000"],
        &["http://[::2]:4000", "http://[::1]"],
    );
    check(&list(&[]), &[], &["http://h:4000", "null"]);
    // Whoever comes from nowhere is asked about only where a program decides.
    let secure = |origin: &OriginUri<'_>| origin.scheme == Some("https") || origin.text == "null";
    check(
        &CheckOrigin::with(secure),
        &["https://any", "null"],
        &["http://any", "file://"],
    );
    let allowed = ["app-1".to_owned(), "app-2".to_owned()];
    let named = move |origin: &OriginUri<'_>| {
        origin
            .host
            .is_some_and(|host| allowed.iter().any(|it| it == host))
    };
    check(
        &CheckOrigin::with(named),
        &["http://app-1", "http://app-2:9"],
        &["http://app-3", "null"],
    );
}

#[test]
fn hostless_origins_are_refused_by_every_rule_but_those_that_say_otherwise() {
    // E96: `null`, files, and what is no origin at all.
    let hostless = [
        "null",
        "file://",
        "file:///a",
        "http://",
        "",
        "what",
        "//",
        "http://:80",
    ];
    for rule in [CheckOrigin::conn(), list(&["//*.example.com", "https://h"])] {
        for origin in hostless {
            assert!(
                !rule.allows(&request("h", Some(origin))),
                "{rule:?}: {origin:?}"
            );
        }
    }
}

#[test]
fn two_origins_in_one_request_are_refused() {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(b"GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\nOrigin: http://h\r\n\r\n");
    let Ok(Some(Event::Request(twice))) = decoder.next() else {
        panic!("complete")
    };
    assert!(!CheckOrigin::conn().allows(&twice));
    assert!(CheckOrigin::off().allows(&twice));
}

#[test]
fn entry_without_a_host_is_an_error_that_names_it() {
    // E96: a configuration that says nothing is an error.
    for entry in [
        "",
        "example.com",
        "https://",
        "https:example.com",
        "//*.",
        "//a b",
        "//h:port",
        "//*",
    ] {
        let error = CheckOrigin::list(["//fine.com", entry]).expect_err(entry);
        assert!(error.to_string().contains(&format!("{entry:?}")), "{error}");
    }
}
