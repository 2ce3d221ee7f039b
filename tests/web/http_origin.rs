//! Origins: S-24 of the security list.

use perennial::web::http::{Event, Limits, Origin, Origins, Request, RequestDecoder};

fn request(host: &str, fields: &str) -> Request {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").as_bytes());
    match decoder.next() {
        Ok(Some(Event::Request(request))) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn origin_is_compared_as_a_whole() {
    let origins = Origins::new(["https://chat.example", "http://10.0.0.5:8080"]).unwrap();
    let table = [
        ("chat.local:4000", "http://chat.local:4000", Origin::Allowed),
        ("chat.local:4000", "http://CHAT.local:4000", Origin::Allowed),
        ("chat.local", "http://chat.local", Origin::Allowed),
        ("chat.local:80", "http://chat.local", Origin::Allowed),
        ("[::1]:4000", "http://[::1]:4000", Origin::Allowed),
        ("chat.local:4000", "http://chat.local:4001", Origin::Refused),
        ("chat.local:4000", "http://chat.local", Origin::Refused),
        (
            "chat.local:4000",
            "https://chat.local:4000",
            Origin::Refused,
        ),
        (
            "chat.local:4000",
            "http://evil.chat.local:4000",
            Origin::Refused,
        ),
        (
            "chat.local:4000",
            "http://chat.local:4000.evil",
            Origin::Refused,
        ),
        (
            "chat.local:4000",
            "http://chat.local:4000/",
            Origin::Refused,
        ),
        ("chat.local:4000", "null", Origin::Refused),
        ("chat.local:4000", "file://", Origin::Refused),
        ("chat.local:4000", "", Origin::Refused),
        ("chat.local:4000", "https://chat.example", Origin::Allowed),
        (
            "chat.local:4000",
            "https://chat.example:443",
            Origin::Allowed,
        ),
        ("chat.local:4000", "http://chat.example", Origin::Refused),
        (
            "chat.local:4000",
            "https://chat.example:8443",
            Origin::Refused,
        ),
        (
            "chat.local:4000",
            "https://chat.example.evil",
            Origin::Refused,
        ),
        ("chat.local:4000", "http://10.0.0.5:8080", Origin::Allowed),
        (
            "chat.local:4000",
            "http://u@chat.local:4000",
            Origin::Refused,
        ),
    ];
    for (host, origin, expected) in table {
        let request = request(host, &format!("Origin: {origin}\r\n"));
        assert_eq!(origins.check(&request), expected, "{host} {origin}");
    }
}

#[test]
fn missing_and_doubled_origins_are_told_apart() {
    let origins = Origins::default();
    assert_eq!(origins.check(&request("h", "")), Origin::Missing);
    let doubled = "Origin: http://h\r\nOrigin: http://h\r\n";
    assert_eq!(origins.check(&request("h", doubled)), Origin::Refused);
}

#[test]
fn list_of_no_origins_is_an_error_that_names_the_entry() {
    for entry in [
        "chat.example",
        "*",
        "https://",
        "https://a/b",
        "ws://a",
        "null",
    ] {
        let error = Origins::new([entry]).unwrap_err();
        assert!(error.to_string().contains(entry), "{error}");
    }
}
