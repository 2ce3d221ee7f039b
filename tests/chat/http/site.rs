//! What needs no session: health, files, and the answers to what is not there.

use crate::http_client::{get, post, request};
use crate::server::Server;
use crate::socket_client::Socket;
use perennial::chat::assets::{ASSETS, CONTENT_SECURITY_POLICY};
use serde_json::json;

#[test]
fn health_says_ok() {
    let server = Server::start();
    let answer = server.send(get("/health"));
    assert_eq!(answer.ok(200), json!({"status": "ok"}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let head = server.send(request("HEAD", "/health"));
    assert_eq!(head.status, 200);
}

#[test]
fn files_come_with_their_type_their_policy_and_a_tag() {
    let server = Server::start();
    for asset in ASSETS {
        let answer = server.send(get(asset.path));
        assert_eq!((answer.status, &*answer.body), (200, asset.bytes));
        assert_eq!(answer.header("content-type"), Some(asset.content_type));
        assert_eq!(
            answer.header("content-security-policy"),
            Some(CONTENT_SECURITY_POLICY)
        );
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("etag"), Some(asset.etag));

        let known = |tags: &str| server.send(get(asset.path).header("if-none-match", tags));
        for tags in [asset.etag, &format!("W/\"x\", {}", asset.etag)] {
            let answer = known(tags);
            assert_eq!(answer.status, 304, "{tags}");
            assert_eq!(answer.header("etag"), Some(asset.etag));
        }
        assert_eq!(known("\"another\"").status, 200);

        let head = server.send(request("HEAD", asset.path));
        let length = asset.bytes.len().to_string();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), Some(&*length));
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let server = Server::start();
    let ada = server.user("ada");
    for path in [
        "/nothing.js",
        "/index.html",
        "/app.js/",
        "/api",
        "/api/",
        "/api/users/ada",
        "/api/rooms/lobby",
        "/api/rooms/lobby/messages/1",
        "/socket",
        "/healthy",
    ] {
        let answer = server.send(get(path).bearer(&ada.token));
        answer.refused(404, "not_found");
    }
    for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/a/%2E./b"] {
        server.send(get(path)).refused(400, "bad_request");
    }
}

#[test]
fn methods_that_a_path_does_not_take_are_named() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    for (method, path, allowed) in [
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/app.js", "GET, HEAD"),
        ("GET", "/api/users", "POST"),
        ("DELETE", "/api/users", "POST"),
        ("GET", "/api/session", "POST, DELETE"),
        ("PUT", "/api/rooms", "GET, HEAD, POST"),
        ("DELETE", "/api/rooms", "GET, HEAD, POST"),
        ("POST", "/api/rooms/lobby/messages", "GET, HEAD"),
        ("POST", "/socket/websocket", "GET, HEAD"),
    ] {
        let answer = server.send(request(method, path).bearer(&ada.token));
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    let trace = server.send(request("TRACE", "/"));
    assert!(matches!(trace.status, 405 | 501), "{trace:?}");
}

#[test]
fn requests_that_are_too_large_or_no_http_are_refused_in_the_same_form() {
    let server = Server::start();
    let long = server.send(get(&format!("/{}", "x".repeat(9_000))));
    assert_eq!(long.ok(414)["error"]["code"], "uri_too_long");
    let wide = server.send(get("/").header("x-wide", &"x".repeat(20_000)));
    assert_eq!(wide.status, 431);
    let body = json!({"name": "x".repeat(3 << 20)});
    let large = server.send(post("/api/rooms", &body).header("expect", "100-continue"));
    assert_eq!(large.status, 413);
}

#[test]
fn the_handshake_of_a_socket_is_checked() {
    let server = Server::start();
    let ada = server.user("ada");
    let bearer = format!("Bearer {}", ada.token);
    let plain = server.send(get("/socket/websocket?vsn=2.0.0").bearer(&ada.token));
    assert_eq!(plain.status, 400, "no upgrade");
    for query in ["?vsn=", "?vsn=1.1.0", "?vsn=2.1.0", "?vsn=x"] {
        let refused = Socket::open(server.addr(), query, &[("authorization", &bearer)]);
        let answer = refused.map(|_| ()).unwrap_err();
        assert_eq!((answer.status, &*answer.body), (403, &b""[..]), "{query}");
    }
}
