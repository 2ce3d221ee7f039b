//! Targets, queries, cookies.

use perennial::web::http::{
    Event, Limits, Method, RequestDecoder, SameSite, SetCookie, Target, cookies, percent_decode,
};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn path_is_cut_before_it_is_decoded() {
    let table: [(&str, &[&str]); 7] = [
        ("/", &[""]),
        ("/a", &["a"]),
        ("/a/", &["a", ""]),
        ("/a//b", &["a", "", "b"]),
        ("/a%2Fb/c", &["a/b", "c"]),
        ("/caf%C3%A9", &["café"]),
        ("/a+b", &["a+b"]),
    ];
    for (raw, segments) in table {
        let target = Target::parse(Method::Get, raw).unwrap();
        assert_eq!(target.segments(), segments, "{raw}");
    }
}

#[test]
fn query_is_read_as_a_form() {
    let table: [(&str, &[(&str, &str)]); 8] = [
        ("/", &[]),
        ("/?", &[]),
        ("/?a", &[("a", "")]),
        ("/?a=", &[("a", "")]),
        ("/?a=b=c", &[("a", "b=c")]),
        ("/?a=1&a=2&&b", &[("a", "1"), ("a", "2"), ("b", "")]),
        ("/?%EB%B0%A9=%2B+%26", &[("방", "+ &")]),
        ("/?user%5Bid%5D=7", &[("user[id]", "7")]),
    ];
    for (raw, pairs) in table {
        let target = Target::parse(Method::Get, raw).unwrap();
        let read: Vec<_> = target.query_pairs().collect();
        let expected: Vec<_> = pairs
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect();
        assert_eq!(read, expected, "{raw}");
    }
}

#[test]
fn cookies_are_read_and_odd_ones_skipped() {
    let table: [(&str, &[(&str, &str)]); 8] = [
        ("a=1", &[("a", "1")]),
        ("a=1; b=2", &[("a", "1"), ("b", "2")]),
        ("a=1;b=2;", &[("a", "1"), ("b", "2")]),
        ("a=\"1\"", &[("a", "1")]),
        ("a=1=2", &[("a", "1=2")]),
        ("a; =1; b=2", &[("b", "2")]),
        ("a=x y; b c=1; d=2", &[("d", "2")]),
        ("a=1; a=2", &[("a", "1"), ("a", "2")]),
    ];
    for (value, expected) in table {
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(format!("GET / HTTP/1.1\r\nHost: h\r\nCookie: {value}\r\n\r\n").as_bytes());
        let Ok(Some(Event::Request(request))) = decoder.next() else {
            panic!("{value}");
        };
        let read: Vec<_> = cookies(&request).collect();
        assert_eq!(read, expected, "{value}");
    }
}

#[test]
fn set_cookie_refuses_what_would_change_its_meaning() {
    let attributes = |cookie: SetCookie| cookie.build().map(|value| value.as_str().to_owned());
    let full = SetCookie::new("sid", "a")
        .secure()
        .http_only()
        .same_site(SameSite::Strict)
        .path("/")
        .max_age(Duration::from_secs(60));
    let text = "sid=a; Secure; HttpOnly; SameSite=Strict; Path=/; Max-Age=60";
    assert_eq!(attributes(full).as_deref(), Ok(text));
    for (name, value) in [
        ("sid", "a;b"),
        ("sid", "a\r\nb: c"),
        ("sid", "a b"),
        ("s d", "a"),
        ("", "a"),
        ("sid", "é"),
    ] {
        assert!(
            attributes(SetCookie::new(name, value)).is_err(),
            "{name}={value}"
        );
    }
    assert!(attributes(SetCookie::new("sid", "a").path("/;Secure")).is_err());
    assert!(attributes(SetCookie::new("sid", "a".repeat(4094))).is_err());
}

proptest! {
    #[test]
    fn percent_encoding_is_undone(text in "\\PC{0,40}") {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let decoded = percent_decode(&encoded);
        prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
    }

    #[test]
    fn target_is_never_a_panic(raw in "[ -~]{0,60}") {
        if let Ok(target) = Target::parse(Method::Get, &raw) {
            prop_assert!(target.query_pairs().count() <= raw.len());
        }
    }
}
