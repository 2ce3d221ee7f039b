//! Which pages may ask in somebody's name.

use crate::http_client::{Answer, Request, get, post, request};
use crate::server::{PASSWORD, Server, User};
use crate::socket_client::Socket;
use serde_json::json;

const LISTED: &str = "https://chat.example.org";

fn server() -> (Server, User, String) {
    let server = Server::with(|config| config.web.origins = vec![LISTED.to_owned()]);
    let ada = server.user("ada");
    let own = format!("http://{}", server.addr());
    (server, ada, own)
}

/// Everything that changes something or needs somebody.
fn asks() -> [Request; 4] {
    [
        get("/api/rooms"),
        post("/api/rooms", &json!({"name": "lobby"})),
        get("/api/rooms/lobby/messages"),
        request("DELETE", "/api/session"),
    ]
}

#[track_caller]
fn assert_let_in(answer: &Answer) {
    assert!(matches!(answer.status, 200 | 201 | 204), "{answer:?}");
}

#[test]
fn a_cookie_counts_from_our_own_page_and_from_listed_ones() {
    for origin in ["own", LISTED, "HTTPS://Chat.Example.org:443"] {
        let (server, ada, own) = server();
        let origin = if origin == "own" { &own } else { origin };
        for ask in asks() {
            let answer = server.send(ask.cookie(&ada.token).header("origin", origin));
            assert_let_in(&answer);
        }
    }
}

#[test]
fn a_cookie_from_another_page_is_refused() {
    let (server, ada, own) = server();
    let port = server.addr().port();
    for ask in asks() {
        let by_cookie = ask.cookie(&ada.token);
        server.send(by_cookie.clone()).refused(403, "origin");
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1",
            "http://chat.example.org",
            "https://chat.example.org:8443",
            "https://chat.example.org.evil.example",
            &format!("https://127.0.0.1:{port}"),
            &format!("http://localhost:{port}"),
            &format!("{own}.evil.example"),
            &format!("{own}/"),
        ] {
            let answer = server.send(by_cookie.clone().header("origin", origin));
            answer.refused(403, "origin");
        }
    }
    // Nothing of it has happened.
    let rooms = server.send(get("/api/rooms").bearer(&ada.token));
    assert_eq!(rooms.ok(200), json!({"rooms": []}));
}

#[test]
fn a_page_reads_its_own_server_without_an_origin() {
    let (server, ada, own) = server();
    let read = || get("/api/rooms").cookie(&ada.token);
    let create = || post("/api/rooms", &json!({"name": "lobby"})).cookie(&ada.token);
    for (name, value) in [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("referer", &*format!("{own}/")),
    ] {
        server.send(read().header(name, value)).ok(200);
        // What changes something comes with an Origin from every browser.
        let answer = server.send(create().header(name, value));
        answer.refused(403, "origin");
    }
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("referer", "http://evil.example/"),
        ("referer", &*format!("http://evil.example/{own}/")),
    ] {
        server
            .send(read().header(name, value))
            .refused(403, "origin");
    }
    // The stronger word wins.
    let both = read()
        .header("sec-fetch-site", "cross-site")
        .header("referer", &format!("{own}/"));
    server.send(both).refused(403, "origin");
}

#[test]
fn a_bearer_token_counts_from_anywhere() {
    for origin in [None, Some("null"), Some("http://evil.example"), Some("own")] {
        let (server, ada, own) = server();
        for ask in asks() {
            let ask = ask.bearer(&ada.token);
            let ask = match origin {
                None => ask,
                Some("own") => ask.header("origin", &own),
                Some(origin) => ask.header("origin", origin),
            };
            assert_let_in(&server.send(ask));
        }
    }
}

#[test]
fn other_pages_sign_nobody_up_or_in() {
    let (server, _, own) = server();
    let credentials = json!({"username": "bob", "password": PASSWORD});
    for path in ["/api/users", "/api/session"] {
        let ask = post(path, &credentials);
        let evil = ask.clone().header("origin", "http://evil.example");
        server.send(evil).refused(403, "origin");
        assert_let_in(&server.send(ask.header("origin", &own)));
    }
    // A program has no page.
    assert_let_in(&server.send(post("/api/session", &credentials)));
}

#[test]
fn sockets_follow_the_same_rule() {
    let (server, ada, own) = server();
    let cookie = format!("sid={}", ada.token);
    let bearer = format!("Bearer {}", ada.token);
    let open = |headers: &[(&'static str, &str)]| {
        Socket::open(server.addr(), "?vsn=2.0.0", headers).map(|_| ())
    };
    open(&[("cookie", &cookie), ("origin", &own)]).unwrap();
    open(&[("cookie", &cookie), ("origin", LISTED)]).unwrap();
    open(&[("authorization", &bearer)]).unwrap();
    open(&[
        ("authorization", &bearer),
        ("origin", "http://evil.example"),
    ])
    .unwrap();
    for headers in [
        &[("cookie", &*cookie)][..],
        &[("cookie", &cookie), ("origin", "http://evil.example")],
        &[("cookie", &cookie), ("origin", "null")],
        // Browsers send an Origin with every handshake: this is none of theirs.
        &[("cookie", &cookie), ("sec-fetch-site", "same-origin")],
    ] {
        open(headers).unwrap_err().refused(403, "origin");
    }
    open(&[("origin", &own)])
        .unwrap_err()
        .refused(401, "unauthorized");
}
